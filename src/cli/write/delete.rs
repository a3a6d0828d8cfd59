//! `spanql spans delete`.

use std::collections::BTreeSet;
use std::io::{BufRead, IsTerminal, Write};

use arrow::array::AsArray;
use arrow::datatypes::DataType;
use futures::TryStreamExt;
use serde_json::{Value, json};

use super::{rows, send};
use crate::cli::amounts::counted;
use crate::cli::args::{DeleteArguments, FromOptions, RemoteOptions, WriteTo};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::filters::refused;
use crate::cli::list::starts_in;
use crate::cli::place::Place;
use spanql_engine::{EngineError, IdKind, Params, Selected};
use spanql_filter::{Names, all_of};
use spanql_sources::writes::Writing;
use spanql_store::{Store, home_path};

/// What the spans that are meant are called.
const MEANT: &str = "meant";

/// A span that the store has: project, trace id, span id.
pub(in crate::cli) type Span = (String, String, String);

/// Which spans are meant.
#[derive(Debug, Default)]
struct Meant {
    spans: BTreeSet<Span>,
    /// Ids that the store has no span of.
    unknown: Vec<String>,
}

pub(in crate::cli) async fn delete(context: &Context, arguments: DeleteArguments) -> anyhow::Result<()> {
    let DeleteArguments { ids, query, yes, purge, mut filters, to } = arguments;
    let asked = ids.len() + filters.span_id.len();
    let ids_alone = query.is_none() && {
        let span_ids = std::mem::take(&mut filters.span_id);
        let empty = filters.is_empty();
        filters.span_id = span_ids;
        empty
    };
    let only_ids = ids_alone && !to.window.is_set();
    if query.is_some() && (asked > 0 || !filters.is_empty() || to.window.is_set()) {
        let why = "--query says which spans to delete: leave out ids, filters and the window, or write them into it";
        return Err(Failure::Usage(why.into()).into());
    }
    if only_ids && asked == 0 {
        let why = "nothing says which spans to delete: name ids, a filter, a window, or --query with a statement";
        return Err(Failure::Usage(why.into()).into());
    }
    // With a window, too: the remote looks there.
    if let (Some(remote), true) = (to.to, ids_alone && asked > 0) {
        let ids: Vec<String> = ids.into_iter().chain(filters.span_id).collect();
        return at_remote(context, remote, ids, yes, &to).await;
    }
    let mut meant = Meant::default();
    if let Some(sql) = &query {
        by_query(context, sql, &to.remote, &mut meant).await?;
    } else {
        let place = Place::open(context, &FromOptions::default()).await?;
        let typed: Vec<String> = ids.into_iter().chain(std::mem::take(&mut filters.span_id)).collect();
        for id in typed {
            match place.engine.resolve_id_prefix(IdKind::Span, &id).await {
                Ok(id) => filters.span_id.push(id),
                Err(error) if error.code() == "unknown-id" => meant.unknown.push(id),
                Err(error) => return Err(error.into()),
            }
        }
        if filters.span_id.is_empty() && only_ids {
            return in_store(context, meant, yes, purge, to.output.as_deref(), to.dry_run).await;
        }
        let (schema, rest) = place.columns(&mut filters).await?;
        let filter =
            filters.read(&Names::new(&schema, &rest, filters.unknown()).until(place.data_end())).map_err(refused)?;
        let (condition, notes) = filter.map(|filter| (filter.expr, filter.notes)).unzip();
        let conditions = condition.into_iter().chain(starts_in(&to.window, place.data_end())?).collect();
        place.register(context, MEANT, Selected::Spans(all_of(conditions)), notes.unwrap_or_default()).await?;
        let sql = format!("SELECT project, context.trace_id, context.span_id FROM {MEANT}");
        for statement in place.engine.prepare(&sql, &Params::new()).await? {
            let mut batches = statement.execute().await?;
            while let Some(batch) = batches.try_next().await.map_err(|error| EngineError::from_datafusion(&error))? {
                let text = |at: usize| arrow::compute::cast(batch.column(at), &DataType::Utf8);
                let (projects, traces, spans) = (text(0)?, text(1)?, text(2)?);
                let (projects, traces, spans) =
                    (projects.as_string::<i32>(), traces.as_string::<i32>(), spans.as_string::<i32>());
                for row in 0..batch.num_rows() {
                    let of = (projects.value(row), traces.value(row), spans.value(row));
                    meant.spans.insert((of.0.to_owned(), of.1.to_owned(), of.2.to_owned()));
                }
            }
        }
    }
    if let Some(remote) = to.to {
        let ids: BTreeSet<String> = meant.spans.into_iter().map(|(.., id)| id).collect();
        return at_remote(context, remote, ids.into_iter().collect(), yes, &to).await;
    }
    in_store(context, meant, yes, purge, to.output.as_deref(), to.dry_run).await
}

/// The spans that a statement gives, which the store has.
async fn by_query(context: &Context, sql: &str, remote: &RemoteOptions, meant: &mut Meant) -> anyhow::Result<()> {
    let rows = rows::of_query(context, sql, remote).await?;
    let text = |cells: &serde_json::Map<String, Value>, names: &[&str]| {
        names.iter().find_map(|name| cells.get(*name)).and_then(Value::as_str).map(str::to_owned)
    };
    let mut loose = Vec::new();
    for row in &rows {
        let Some(span) = text(&row.cells, &["context.span_id", "span_id"]) else {
            return Err(Failure::Usage("--query gives no column span_id, which says what to delete".into()).into());
        };
        let trace = text(&row.cells, &["context.trace_id", "trace_id"]);
        let project = text(&row.cells, &["project"]);
        loose.push((project, trace, span));
    }
    let place = Place::open(context, &FromOptions::default()).await?;
    for ids in loose.chunks(1_000) {
        let list: Vec<String> = ids.iter().map(|(.., id)| format!("'{}'", id.replace('\'', "''"))).collect();
        let sql = format!(
            "SELECT project, context.trace_id, context.span_id FROM spans WHERE context.span_id IN ({})",
            list.join(", ")
        );
        let mut found = BTreeSet::new();
        for statement in place.engine.prepare(&sql, &Params::new()).await? {
            let mut batches = statement.execute().await?;
            while let Some(batch) = batches.try_next().await.map_err(|error| EngineError::from_datafusion(&error))? {
                for row in spanql_sources::writes::batch_rows(&batch, "row")? {
                    let of = |name: &str| row.cells.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
                    found.insert((of("project"), of("context.trace_id"), of("context.span_id")));
                }
            }
        }
        for (project, trace, id) in ids {
            let fits = |span: &&Span| {
                span.2 == *id
                    && project.as_ref().is_none_or(|project| *project == span.0)
                    && trace.as_ref().is_none_or(|trace| *trace == span.1)
            };
            let mut those = found.iter().filter(fits).peekable();
            if those.peek().is_none() {
                meant.unknown.push(id.clone());
            }
            meant.spans.extend(those.cloned());
        }
    }
    Ok(())
}

async fn in_store(
    context: &Context,
    mut meant: Meant,
    yes: bool,
    purge: bool,
    output: Option<&str>,
    dry_run: bool,
) -> anyhow::Result<()> {
    let before = if purge { deleted_before(context, &mut meant).await? } else { vec![] };
    if dry_run {
        for (project, trace_id, span_id) in &meant.spans {
            context.print(&json!({"project": project, "trace_id": trace_id, "span_id": span_id}).to_string())?;
        }
        context.report(&format!("dry run: {}, nothing is deleted", counted(meant.spans.len() as u64, "span")));
        return Ok(());
    }
    if meant.spans.is_empty() && before.is_empty() {
        return done(context, output, &meant, 0, None);
    }
    let store = context.store_to_write()?;
    if meant.spans.is_empty() {
        let (spans, place) = (counted(before.len() as u64, "deleted span"), context.place());
        confirm(&format!("remove all older versions of {place}, which may hold the text of {spans}?"), yes)?;
        purge_projects(context, &store, &before).await?;
        return done(context, output, &meant, 0, None);
    }
    confirm(&question(context, &meant.spans), yes)?;
    let spans = meant.spans.iter().map(|(project, trace, span)| (project.as_str(), trace.as_str(), span.as_str()));
    let committed = store.delete(spans).await.map_err(|error| context.explain(error))?;
    context.warn_unsynced(committed.not_synced.as_deref());
    if purge {
        purge_projects(context, &store, before.iter().chain(&meant.spans)).await?;
    }
    done(context, output, &meant, committed.counts.deleted.max(meant.spans.len() as u64), Some(committed.version))
}

/// Spans that were deleted before: those whose ids are not there, or, where nothing else is meant, all.
async fn deleted_before(context: &Context, meant: &mut Meant) -> anyhow::Result<Vec<Span>> {
    let (_, snapshot) = context.snapshot().await?;
    let mut before = snapshot.deleted_spans().await.map_err(|error| context.explain(error))?;
    before.retain(|(project, ..)| context.project.as_ref().is_none_or(|named| named == project));
    if !meant.unknown.is_empty() {
        before.retain(|(.., id)| meant.unknown.iter().any(|typed| id.starts_with(typed.as_str())));
        meant.unknown.retain(|typed| !before.iter().any(|(.., id)| id.starts_with(typed.as_str())));
    } else if !meant.spans.is_empty() {
        before.clear();
    }
    Ok(before)
}

/// Removes all older versions, and what of the projects of these spans counts no more.
async fn purge_projects<'a>(
    context: &Context,
    store: &Store,
    spans: impl IntoIterator<Item = &'a Span>,
) -> anyhow::Result<()> {
    let projects: BTreeSet<&str> = spans.into_iter().map(|(project, ..)| project.as_str()).collect();
    let projects: Vec<&str> = projects.into_iter().collect();
    let vacuumed = store.purge(&projects).await.map_err(|error| context.explain(error))?;
    let left = store.versions().await?.len().saturating_sub(1);
    if left > 0 {
        let left = counted(left as u64, "older version");
        anyhow::bail!(
            "the spans are deleted, but {left} may still hold the text: a running writer needs them; try again"
        );
    }
    let versions = counted(vacuumed.versions as u64, "older version");
    context.report(&format!("{versions} removed: no version holds the text any more, and the deletion stays"));
    Ok(())
}

/// Says what was deleted.
fn done(
    context: &Context,
    output: Option<&str>,
    meant: &Meant,
    deleted: u64,
    version: Option<u64>,
) -> anyhow::Result<()> {
    if let Some(output) = output {
        let ids: BTreeSet<&str> = meant.spans.iter().map(|(.., id)| id.as_str()).collect();
        let answer = json!({"completed": true, "deleted_span_ids": ids, "not_deleted_span_ids": meant.unknown});
        match output {
            "json" | "jsonl" => context.print(&answer.to_string())?,
            path => std::fs::write(home_path(std::path::Path::new(path)), format!("{answer}\n"))?,
        }
    }
    let place = version.map(|version| format!(": {} version {version}", context.place())).unwrap_or_default();
    context.report(&format!("{} deleted{place}", counted(deleted, "span")));
    if !meant.unknown.is_empty() {
        let unknown: Vec<&str> = meant.unknown.iter().map(String::as_str).collect();
        context.note(&format!("{} not there: {}", counted(unknown.len() as u64, "id"), super::known::some(&unknown)));
    }
    Ok(())
}

fn question(context: &Context, spans: &BTreeSet<Span>) -> String {
    let traces: BTreeSet<(&str, &str)> = spans.iter().map(|(project, trace, _)| (&**project, &**trace)).collect();
    let projects: BTreeSet<&str> = spans.iter().map(|(project, ..)| project.as_str()).collect();
    let of = match projects.iter().copied().collect::<Vec<_>>().as_slice() {
        [only] => format!("project {only}"),
        several => counted(several.len() as u64, "project"),
    };
    let (spans, traces) = (counted(spans.len() as u64, "span"), counted(traces.len() as u64, "trace"));
    format!("delete {spans} in {traces} of {of} from {}?", context.place())
}

/// Asks whether to go on.
///
/// # Errors
/// When nobody can be asked, or says no.
pub(in crate::cli) fn confirm(question: &str, yes: bool) -> anyhow::Result<()> {
    if yes {
        return Ok(());
    }
    let question = spanql_output::escape_terminal(question);
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        let why = format!("{question} Nobody can be asked here: --yes says so");
        return Err(Failure::Usage(why).into());
    }
    let mut stderr = std::io::stderr();
    write!(stderr, "{question} [y/N] ")?;
    stderr.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(anyhow::anyhow!("nothing was deleted")),
    }
}

async fn at_remote(
    context: &Context,
    remote: &'static spanql_sources::Remote,
    ids: Vec<String>,
    yes: bool,
    to: &WriteTo,
) -> anyhow::Result<()> {
    let project = context.project.as_deref().unwrap_or_default();
    if !to.dry_run && !project.is_empty() {
        let what = counted(ids.len() as u64, "span");
        confirm(&format!("delete {what} of project {project} at {}, for good?", remote.name), yes)?;
    }
    let again = |of: &[usize]| Ok(of.iter().filter_map(|at| ids.get(*at)).map(|id| json!({"span_id": id})).collect());
    send::send(context, remote, Writing::Deletions(&ids), to, again).await
}
