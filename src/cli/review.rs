//! `spanql traces review`: traces one by one, each with a label by one key.

use std::collections::BTreeMap;

use arrow::array::AsArray;
use arrow::datatypes::DataType;
use chrono::Utc;
use futures::TryStreamExt;

use super::amounts::counted;
use super::args::{FromOptions, ReviewArguments, ShowOptions, TraceShow};
use super::context::Context;
use super::failure::Failure;
use super::filters::refused;
use super::list::starts_in;
use super::place::Place;
use super::review_keys::{Said, ask, labels};
use super::{show, write};
use spanql_engine::{EngineError, Params, Selected};
use spanql_filter::{Names, all_of};
use spanql_sources::writes::{Grain, Judgement, Kind, Rules};

/// What the spans that are meant are called.
const REVIEWED: &str = "reviewed";

/// A trace to look at.
struct Trace {
    project: String,
    id: String,
}

pub(super) async fn run(context: &Context, arguments: ReviewArguments) -> anyhow::Result<()> {
    if arguments.to.dry_run {
        return Err(Failure::Usage("--dry-run: a review writes what it is told".into()).into());
    }
    let labels = labels(&arguments.label)?;
    Rules::Arize.name(&arguments.annotation).map_err(Failure::Usage)?;
    let traces = traces(context, &arguments).await?;
    if traces.is_empty() {
        context.note("there are no traces to review: those that have the annotation already are left out");
        return Ok(());
    }
    let mut quiet = context.clone();
    quiet.quiet = true;
    // By the place of the trace: who goes back and gives another label has said one thing.
    let mut done: BTreeMap<usize, Judgement> = BTreeMap::new();
    // The last one waits until the next is given, so that it can be taken back.
    let mut last: Option<(usize, Judgement)> = None;
    let mut at = 0;
    while let Some(trace) = traces.get(at) {
        let of_project = context.clone_for(None, Some(&trace.project));
        show::trace(&of_project, shown(&trace.id)).await?;
        let said = loop {
            match ask(&labels, at + 1, traces.len())? {
                Said::Unknown => context.print_stderr("none of these keys"),
                said => break said,
            }
        };
        let judgement = |label: Option<String>, text: Option<String>| Judgement {
            label,
            text,
            updated_by: Some(arguments.by.clone()),
            updated_at: Some(Utc::now().timestamp_millis()),
            ..Judgement::new(&trace.id, Kind::Annotation, Grain::Trace, &arguments.annotation)
        };
        let new = match said {
            Said::Label(label, text) => judgement(Some(label), text),
            Said::Note(text) => judgement(None, Some(text)),
            Said::Skip => {
                at += 1;
                continue;
            }
            Said::Undo => {
                match (last.take(), done.range(..at).next_back()) {
                    (Some((before, _)), _) => at = before,
                    (None, Some((before, _))) => {
                        context.print_stderr("what was given to this trace is written: another label takes its place");
                        at = *before;
                    }
                    (None, None) => context.print_stderr("nothing to take back"),
                }
                continue;
            }
            Said::Quit => break,
            Said::Unknown => continue,
        };
        if let Some((before, given)) = last.replace((at, new)) {
            keep(&quiet, &traces[before], &given).await?;
            done.insert(before, given);
        }
        at += 1;
    }
    if let Some((before, given)) = last {
        keep(&quiet, &traces[before], &given).await?;
        done.insert(before, given);
    }
    context.report(&format!("{} reviewed of {}", counted(done.len() as u64, "trace"), traces.len()));
    let given: Vec<Judgement> = done.into_values().collect();
    match arguments.to.to {
        Some(remote) if !given.is_empty() => write::send_judgements(context, remote, &given, &arguments.to).await,
        _ => Ok(()),
    }
}

/// Writes one judgement into the store.
async fn keep(context: &Context, trace: &Trace, given: &Judgement) -> anyhow::Result<()> {
    write::keep_judgement(context, &trace.project, given).await
}

fn shown(id: &str) -> TraceShow {
    let options = ShowOptions { output: None, max_cell: None, fence: false, require_complete: false };
    TraceShow { id: id.to_owned(), full: true, depth: None, errors_only: false, steps: false, options }
}

/// The traces that are meant and have no such annotation yet, the newest first.
async fn traces(context: &Context, arguments: &ReviewArguments) -> anyhow::Result<Vec<Trace>> {
    let place = Place::open(context, &FromOptions::default()).await?;
    let mut filters = arguments.filters.clone();
    let (schema, rest) = place.columns(&mut filters).await?;
    let filter =
        filters.read(&Names::new(&schema, &rest, filters.unknown()).until(place.data_end())).map_err(refused)?;
    let (condition, notes) = filter.map(|filter| (filter.expr, filter.notes)).unzip();
    let conditions = condition.into_iter().chain(starts_in(&arguments.to.window, place.data_end())?).collect();
    place.register(context, REVIEWED, Selected::Spans(all_of(conditions)), notes.unwrap_or_default()).await?;
    let chosen = match &arguments.query {
        Some(sql) => format!("AND context.trace_id IN (SELECT trace_id FROM ({}))", sql.trim().trim_end_matches(';')),
        None => String::new(),
    };
    let name = arguments.annotation.replace('"', "\"\"");
    let judged = format!(
        "SELECT context.trace_id FROM spans WHERE annotation.\"{name}\".label IS NOT NULL OR annotation.\"{name}\".text IS NOT NULL"
    );
    let sql = format!(
        "SELECT project, context.trace_id AS id, min(start_time) AS began FROM {REVIEWED} \
         WHERE context.trace_id NOT IN ({judged}) {chosen} GROUP BY project, context.trace_id \
         ORDER BY began DESC NULLS LAST, id LIMIT {}",
        arguments.limit
    );
    let mut traces = Vec::new();
    for statement in place.engine.prepare(&sql, &Params::new()).await? {
        let mut batches = statement.execute().await?;
        while let Some(batch) = batches.try_next().await.map_err(|error| EngineError::from_datafusion(&error))? {
            let text = |at: usize| arrow::compute::cast(batch.column(at), &DataType::Utf8);
            let (projects, ids) = (text(0)?, text(1)?);
            for (project, id) in projects.as_string::<i32>().iter().zip(ids.as_string::<i32>()) {
                if let (Some(project), Some(id)) = (project, id) {
                    traces.push(Trace { project: project.to_owned(), id: id.to_owned() });
                }
            }
        }
    }
    Ok(traces)
}
