//! `spanql traces show`, `sessions show`: one trace as a tree, one session as a conversation; or as nested JSON, or flat.

use std::io::Write as _;

use anyhow::bail;
use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::Int32Type;
use datafusion::execution::SendableRecordBatchStream;
use futures::TryStreamExt;

use super::args::{SessionShow, ShowOptions, TraceShow};
use super::context::Context;
use super::failure::Failure;
use super::target::Target;
use super::{incomplete, query};
use crate::report::Checks;
use spanql_engine::{Engine, EngineError, IdKind, Param, Params};
use spanql_model::columns::PROJECT;
use spanql_output::{
    Focus, Format, Options, SessionJson, SessionView, ViewOptions, trace_columns, write_trace, write_trace_json,
};
use spanql_trace::TEXT_CHARS;

/// All spans of a trace.
const SPANS: &str = "SELECT * FROM trace($id)";
/// The figures of a session.
const SESSION: &str = "SELECT * FROM sessions WHERE session_id = $id ORDER BY project";
/// Traces that are looked for one by one; with more, nearly every part of the store holds one.
const MOST_NAMED: usize = 1_000;
/// What a turn of a session shows, besides what was said.
const TURN: [&str; 17] = [
    "project",
    "trace_id",
    "root_span_id",
    "name",
    "kind",
    "user_id",
    "start_time",
    "end_time",
    "latency_ms",
    "status_code",
    "span_count",
    "error_count",
    "models",
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "cost",
];

/// Levels of spans that every reader of JSON takes: each is two levels of JSON.
const MOST_LEVELS: i32 = 50;

/// How deep the tree of some spans is.
fn levels(spans: &[RecordBatch]) -> i32 {
    let depths = spans.iter().filter_map(|batch| batch.column_by_name("tree.depth")?.as_primitive_opt::<Int32Type>());
    depths.filter_map(arrow::compute::max).max().unwrap_or(0)
}

/// What is written.
enum Form {
    /// Text for people.
    View(Target),
    /// One object.
    Nested(Target),
    /// Rows.
    Flat(Target),
}

impl Form {
    fn read(context: &Context, options: &ShowOptions) -> anyhow::Result<Self> {
        let target = context.target(Some(options.output.as_deref().unwrap_or("table")))?;
        let form = match options.output {
            None => Self::View(target),
            Some(_) if target.format == Format::Json => Self::Nested(target),
            Some(_) => Self::Flat(target),
        };
        if options.max_cell.is_some() && !matches!(form, Self::Flat(_)) {
            let why = "--max-cell is for rows, e.g. -o jsonl; without --full, text for people shows beginnings only";
            return Err(Failure::Usage(why.into()).into());
        }
        Ok(form)
    }
}

pub(super) async fn trace(context: &Context, arguments: TraceShow) -> anyhow::Result<()> {
    let TraceShow { id, full, depth, errors_only, steps, options } = arguments;
    let form = Form::read(context, &options)?;
    let focus = Focus { depth, errors_only, steps };
    if let Form::Flat(target) = &form
        && focus != Focus::default()
    {
        let why = "--depth, --errors-only and --steps are for the tree and for JSON, which say what they leave out";
        return Err(Failure::Usage(format!("-o {}: {why}", target.format)).into());
    }
    let (engine, snapshot) = query::engine(context, false).await?;
    context.note_state(&snapshot);
    let id = engine.resolve_id_prefix(IdKind::Trace, &id).await?;
    match form {
        Form::Flat(target) => {
            let spans = rows(&engine, SPANS, &[("id", &id)]).await?;
            write_rows(context, spans, &target, &options).await?;
        }
        Form::Nested(target) => {
            let spans = by_project(spans(&engine, &id, true).await?)?;
            only_one("trace", &id, spans.iter().map(|(project, _)| project.as_str()))?;
            let mut out = target.open()?;
            for (_, spans) in spans {
                let levels =
                    levels(&spans).min(depth.map_or(i32::MAX, |depth| i32::try_from(depth).unwrap_or(i32::MAX)));
                if levels > MOST_LEVELS {
                    context.note(&format!(
                        "the spans nest {levels} levels deep, and many readers of JSON stop before: \
                         --depth N leaves out the deeper ones, and -o jsonl has all of them flat"
                    ));
                }
                write_trace_json(&mut out, &spans, focus)?;
            }
            out.keep()?;
        }
        Form::View(target) => {
            let view = ViewOptions { focus, ..view(context, &target, &options, full) };
            let mut out = target.open()?;
            for (at, (_, spans)) in by_project(spans(&engine, &id, full).await?)?.into_iter().enumerate() {
                if at > 0 {
                    writeln!(out)?;
                }
                write_trace(&mut out, &spans, &view)?;
            }
            out.keep()?;
        }
    }
    incomplete::check(context, &snapshot, options.require_complete).await
}

pub(super) async fn session(context: &Context, arguments: SessionShow) -> anyhow::Result<()> {
    let SessionShow { id, full, options } = arguments;
    let form = Form::read(context, &options)?;
    let (engine, snapshot) = query::engine(context, false).await?;
    context.note_state(&snapshot);
    let id = engine.resolve_id_prefix(IdKind::Session, &id).await?;
    let sessions = sessions(&engine, &id).await?;
    match form {
        Form::Flat(target) => {
            let turns = Turns::plan(&engine, &id, full).await?.rows(None).await?;
            write_rows(context, turns, &target, &options).await?;
        }
        Form::Nested(target) => {
            only_one("session", &id, sessions.iter().map(|(project, _)| project.as_str()))?;
            let turns = Turns::plan(&engine, &id, true).await?;
            let mut out = target.open()?;
            for (project, session) in sessions {
                let mut rows = turns.rows(Some(&project)).await?;
                let mut json = SessionJson::new(&mut out, &session)?;
                while let Some(batch) = rows.try_next().await.map_err(failed)? {
                    json.write(&batch)?;
                }
                json.finish()?;
            }
            out.keep()?;
        }
        Form::View(target) => {
            let view = view(context, &target, &options, full);
            let turns = Turns::plan(&engine, &id, full).await?;
            let mut out = target.open()?;
            for (at, (project, session)) in sessions.iter().enumerate() {
                if at > 0 {
                    writeln!(out)?;
                }
                let mut rows = turns.rows(Some(project)).await?;
                let mut shown = SessionView::new(&mut out, session, view)?;
                while let Some(batch) = rows.try_next().await.map_err(failed)? {
                    shown.write(&batch)?;
                }
                shown.finish()?;
            }
            out.keep()?;
        }
    }
    incomplete::check(context, &snapshot, options.require_complete).await
}

fn view(context: &Context, target: &Target, options: &ShowOptions, full: bool) -> ViewOptions {
    let look = context.options(target);
    ViewOptions {
        width: look.width,
        color: look.color,
        zone: look.zone,
        fence: options.fence,
        full,
        ..ViewOptions::default()
    }
}

/// A session as a row for each project that it is in.
pub(super) async fn sessions(engine: &Engine, id: &str) -> anyhow::Result<Vec<(String, RecordBatch)>> {
    let sessions: Vec<RecordBatch> = rows(engine, SESSION, &[("id", id)]).await?.try_collect().await.map_err(failed)?;
    let sessions = sessions.iter().flat_map(|batch| (0..batch.num_rows()).map(|row| batch.slice(row, 1)));
    Ok(sessions.map(|session| (first_project(&session), session)).collect())
}

/// The spans of a trace, with the columns that a view reads.
pub(super) async fn spans(engine: &Engine, id: &str, with_texts: bool) -> anyhow::Result<Vec<RecordBatch>> {
    let columns: Vec<String> = trace_columns(with_texts).iter().map(|name| format!("\"{name}\"")).collect();
    let sql = format!("SELECT {} FROM trace($id)", columns.join(", "));
    rows(engine, &sql, &[("id", id)]).await?.try_collect().await.map_err(failed)
}

/// How the turns of a session are asked for: its traces, with the beginnings of what was said, or the whole of it.
pub(super) struct Turns<'a> {
    engine: &'a Engine,
    id: &'a str,
    whole: bool,
    /// The traces of which spans have to be looked at; `None` if they are too many to be named one by one.
    looked_at: Option<Vec<String>>,
}

impl<'a> Turns<'a> {
    pub(super) async fn plan(engine: &'a Engine, id: &'a str, whole: bool) -> anyhow::Result<Self> {
        // Summaries have the beginnings of what roots say.
        let silent = if whole { String::new() } else { format!(" AND {}", silent("traces")) };
        let sql = format!(
            "SELECT DISTINCT trace_id FROM traces WHERE array_has(session_ids, $id){silent} LIMIT {}",
            MOST_NAMED + 1
        );
        let found: Vec<RecordBatch> = rows(engine, &sql, &[("id", id)]).await?.try_collect().await.map_err(failed)?;
        let ids = found.iter().flat_map(|batch| batch.column(0).as_string::<i32>().iter().flatten().map(str::to_owned));
        let ids: Vec<String> = ids.collect();
        Ok(Self { engine, id, whole, looked_at: (ids.len() <= MOST_NAMED).then_some(ids) })
    }

    /// The turns as they began, of one project or of each.
    ///
    /// The root of a trace says what the trace does; where it does not, the topmost span that does speaks for it.
    pub(super) async fn rows(&self, project: Option<&str>) -> anyhow::Result<SendableRecordBatchStream> {
        let named = self.looked_at.iter().flatten().enumerate().map(|(at, id)| (format!("trace_{at}"), id.as_str()));
        let named: Vec<(String, &str)> = named.collect();
        let mut texts = vec![("id", self.id)];
        texts.extend(project.map(|project| ("project", project)));
        texts.extend(named.iter().map(|(name, id)| (name.as_str(), *id)));

        let columns = TURN.map(|column| format!("t.{column}")).join(", ");
        let of_project = if project.is_some() { " AND t.project = $project" } else { "" };
        let (said, from) = match &self.looked_at {
            Some(traces) if traces.is_empty() => ("t.input, t.output", String::new()),
            _ => {
                let names: Vec<String> = named.iter().map(|(name, _)| format!("${name}")).collect();
                let said = "coalesce(said.input, t.input) AS input, coalesce(said.output, t.output) AS output";
                (said, format!(" LEFT JOIN ({}) said ON {}", self.said(&names), same_trace("said", "t")))
            }
        };
        let sql = format!(
            "SELECT {columns}, {said} FROM traces t{from} WHERE array_has(t.session_ids, $id){of_project}
             ORDER BY t.project, t.start_time, t.trace_id"
        );
        rows(self.engine, &sql, &texts).await
    }

    /// The query for what was said in traces, by the names of their parameters; in all of the session without names.
    fn said(&self, names: &[String]) -> String {
        let text = |column: &str| if self.whole { column.to_owned() } else { format!("left({column}, {TEXT_CHARS})") };
        let (input, output) = (text("s.input"), text("s.output"));
        let root = if self.whole { "s.span_id = r.root_span_id OR " } else { "" };
        let traces =
            if names.is_empty() { String::new() } else { format!(" AND s.trace_id IN ({})", names.join(", ")) };
        format!(
            "SELECT s.project AS project, s.trace_id AS trace_id,
                    first_value({input} ORDER BY s.span_id <> r.root_span_id, s.tree.depth, s.tree.left)
                        FILTER (WHERE s.input <> '') AS input,
                    first_value({output} ORDER BY s.span_id <> r.root_span_id, s.tree.depth, s.end_time DESC NULLS LAST)
                        FILTER (WHERE s.output <> '') AS output
             FROM spans s JOIN traces r ON {}
             WHERE array_has(r.session_ids, $id) AND ({root}{}){traces}
             GROUP BY s.project, s.trace_id",
            same_trace("s", "r"),
            silent("r"),
        )
    }
}

/// Whether the root of a trace lacks an input or an output.
fn silent(traces: &str) -> String {
    format!("(coalesce({traces}.input, '') = '' OR coalesce({traces}.output, '') = '')")
}

fn same_trace(one: &str, other: &str) -> String {
    format!("{one}.project = {other}.project AND {one}.trace_id = {other}.trace_id")
}

/// Runs one statement about named texts.
async fn rows(engine: &Engine, sql: &str, texts: &[(&str, &str)]) -> anyhow::Result<SendableRecordBatchStream> {
    let params: Params =
        texts.iter().map(|(name, text)| ((*name).to_owned(), Param::Text((*text).to_owned()))).collect();
    match engine.prepare(sql, &params).await?.pop() {
        Some(statement) => Ok(statement.execute().await?),
        None => bail!("no statement to run"),
    }
}

fn failed(error: datafusion::error::DataFusionError) -> anyhow::Error {
    EngineError::from_datafusion(&error).into()
}

/// Writes rows in the format of the target.
async fn write_rows(
    context: &Context,
    rows: SendableRecordBatchStream,
    target: &Target,
    options: &ShowOptions,
) -> anyhow::Result<()> {
    let look = Options { fence: options.fence, max_cell: options.max_cell, ..context.options(target) };
    let written = query::write(rows, target, look, &mut Checks::default()).await?;
    written.notes().iter().for_each(|note| context.note(note));
    Ok(())
}

/// The spans of each project, the projects in the order in which they come.
pub(super) fn by_project(batches: Vec<RecordBatch>) -> anyhow::Result<Vec<(String, Vec<RecordBatch>)>> {
    let mut projects: Vec<(String, Vec<RecordBatch>)> = Vec::new();
    for batch in batches {
        let names = batch[PROJECT].as_string::<i32>().clone();
        let name = |row: usize| if names.is_valid(row) { names.value(row) } else { "" };
        let mut found: Vec<&str> = (0..batch.num_rows()).map(name).collect();
        found.dedup();
        let several = found.len() > 1;
        found.sort_unstable();
        found.dedup();
        for project in found {
            let part = if several {
                let is_in = (0..batch.num_rows()).map(|row| Some(name(row) == project));
                filter_record_batch(&batch, &is_in.collect::<BooleanArray>())?
            } else {
                batch.clone()
            };
            match projects.iter_mut().find(|(known, _)| known == project) {
                Some((_, parts)) => parts.push(part),
                None => projects.push((project.to_owned(), vec![part])),
            }
        }
    }
    Ok(projects)
}

/// The project of the first row.
fn first_project(batch: &RecordBatch) -> String {
    let projects = batch.column_by_name(PROJECT).and_then(|column| column.as_string_opt::<i32>());
    projects.and_then(|names| names.iter().next().flatten()).unwrap_or_default().to_owned()
}

/// One object holds one trace or session.
fn only_one<'a>(thing: &str, id: &str, projects: impl Iterator<Item = &'a str>) -> anyhow::Result<()> {
    let projects: Vec<&str> = projects.collect();
    if projects.len() > 1 {
        bail!(
            "{thing} {id} is in {} projects, and JSON holds one: give --project, one of {}",
            projects.len(),
            projects.join(", ")
        );
    }
    Ok(())
}
