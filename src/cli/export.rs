//! `spanql spans export`, `traces export`: all that is known of spans, or of whole traces, for other tools.

use std::io::Write;
use std::time::Duration;

use anyhow::Context as _;
use arrow::array::{AsArray, RecordBatch};
use chrono::Utc;
use datafusion::common::Column;
use datafusion::execution::SendableRecordBatchStream;
use futures::TryStreamExt;
use indicatif::ProgressBar;

use super::amounts::counted;
use super::args::ExportOptions;
use super::context::Context;
use super::export_dir::ExportDir;
use super::failure::Failure;
use super::filters::{FilterOptions, one_of, refused};
use super::list::starts_in;
use super::place::Place;
use super::query;
use super::target::{Sink, Target};
use spanql_engine::{EngineError, Params, Selected};
use spanql_filter::{Names, all_of};
use spanql_model::columns::{METADATA_PREFIX, PROJECT, SESSION_ID, TRACE_ID};
use spanql_output::{Columns, Format, Options, ResultWriter, Shape, escape_controls, escape_terminal};
use spanql_sources::arize;
use spanql_store::home_path;

/// What the spans that are meant are called.
const EXPORTED: &str = "exported";

/// What `--limit` counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Thing {
    Span,
    Trace,
}

pub(super) async fn spans(context: &Context, options: ExportOptions) -> anyhow::Result<()> {
    run(context, Thing::Span, options).await
}

pub(super) async fn traces(context: &Context, options: ExportOptions) -> anyhow::Result<()> {
    run(context, Thing::Trace, options).await
}

async fn run(context: &Context, thing: Thing, options: ExportOptions) -> anyhow::Result<()> {
    let ExportOptions {
        mut limit,
        all,
        output,
        output_dir,
        stdout: _,
        csv_safe,
        require_complete,
        strict,
        from,
        mut filters,
        window,
    } = options;
    if all && limit.is_some() {
        if from.from.is_none() {
            let why = "--all writes all there is, and --limit does not: leave out one of them";
            return Err(Failure::Usage(why.into()).into());
        }
        context.note("--all is given: --limit is ignored");
        limit = None;
    }
    let limit = limit.and_then(|limit| usize::try_from(limit).ok());
    let mut target = context.target(Some(output.as_deref().unwrap_or("json")))?;
    if let (Some(_), Some(path)) = (&output_dir, &target.path) {
        let why = format!(
            "--output-dir chooses the file's name, and -o {} names one: leave out one of them, or give -o a format",
            path.display()
        );
        return Err(Failure::Usage(why).into());
    }
    let place = match all {
        true => Place::open_in_bulk(context, &from).await?,
        false => Place::open(context, &from).await?,
    };
    let window = starts_in(&window, place.data_end())?;
    // Arize's own bulk export has rows.
    let bulk = all && from.from.as_ref().is_some_and(|table| table.split('.').next() == Some(arize::NAME));
    let nested = target.format == Format::Json && !bulk;
    let (schema, rest) = place.columns(&mut filters).await?;
    let names = Names::new(&schema, &rest, filters.unknown()).until(place.data_end());
    let folder = output_dir.map(|dir| ExportDir::new(&home_path(&dir), &content(thing, &filters), Utc::now()));
    let sessions = match thing {
        Thing::Trace => std::mem::take(&mut filters.session_id),
        Thing::Span => vec![],
    };
    let filter = filters.read(&names).map_err(refused)?;
    let (condition, notes) = filter.map(|filter| (filter.expr, filter.notes)).unzip();
    let has_filter = condition.is_some();
    let conditions: Vec<_> = condition.into_iter().chain(window.clone()).collect();
    let selected = match thing {
        Thing::Span => Selected::Spans(all_of(conditions)),
        Thing::Trace => {
            let mut of_span = (!conditions.is_empty()).then(|| all_of(conditions));
            let mut in_session = one_of(Column::new_unqualified(SESSION_ID), &sessions);
            if place.is_live() && in_session.is_some() {
                // Without bounds a remote would be asked for its last days only, and for all spans of a window alone.
                in_session = in_session.map(|of| all_of(std::iter::once(of).chain(window).collect()));
                of_span = of_span.filter(|_| has_filter);
            }
            Selected::WholeTraces { any_span: of_span.into_iter().chain(in_session).collect(), limit }
        }
    };
    place.register(context, EXPORTED, selected, notes.unwrap_or_default()).await?;
    let sql = match (thing, limit) {
        (Thing::Trace, _) => format!("SELECT * FROM {EXPORTED}"),
        (Thing::Span, limit) => {
            let limit = limit.map(|limit| format!(" LIMIT {limit}")).unwrap_or_default();
            format!("SELECT * FROM {EXPORTED} ORDER BY start_time DESC NULLS LAST, trace_id, span_id, project{limit}")
        }
    };
    let mut made = None;
    let mut missing = None;
    let mut strictly = Ok(());
    for statement in place.engine.prepare(&sql, &Params::new()).await? {
        for note in statement.notes() {
            context.note(&escape_terminal(note));
        }
        let bar = context.progress("{spinner} {msg} {elapsed}")?;
        bar.set_message(if place.is_live() { "asking the remote" } else { "reading" });
        bar.enable_steady_tick(Duration::from_millis(100));
        let rows = statement.execute().await?;
        if let Some(folder) = &folder {
            let directory = folder.make()?;
            target = Target::of_file(&directory.join(format!("spans.{}", target.format)), target.format);
            made = Some(directory);
        }
        let options = Options { csv_safe, ..context.options(&target) };
        let written = write(rows, thing, &target, nested, options, &bar).await;
        bar.finish_and_clear();
        let written = written.inspect_err(|_| {
            // Unless somebody else put something into it.
            made.iter().for_each(|made| drop(std::fs::remove_dir(made)));
        })?;
        missing = missing.or(query::say_remarks(context, &statement));
        query::note_unmatched(context, &statement, written.spans).await?;
        strictly = strictly.and(if strict { query::check_strictly(&statement).await } else { Ok(()) });
        if written.spans == 0 {
            context.note("no spans match");
        } else if target.is_file() {
            let place = match (&made, &target.path) {
                (Some(_), Some(path)) => format!(" to {}", path.display()),
                _ => String::new(),
            };
            context.report(&format!("wrote {}{place}", written.said(thing)));
        }
        let count = match thing {
            Thing::Span => written.spans,
            Thing::Trace => written.traces,
        };
        if limit.is_some_and(|limit| count >= limit as u64) {
            let of = counted(count, if thing == Thing::Span { "span" } else { "trace" });
            context.note(&format!("--limit leaves the newest {of}, there may be more"));
        }
    }
    place.check_complete(context, missing, require_complete).await?;
    strictly
}

/// What a directory that takes an export is named by, as `ax` has it: which thing, and which of them.
fn content(thing: Thing, filters: &FilterOptions) -> (&'static str, String) {
    let ids = [("trace", &filters.trace_id), ("span", &filters.span_id), ("session", &filters.session_id)];
    match (thing, ids.into_iter().find(|(_, ids)| !ids.is_empty())) {
        (Thing::Trace, _) => ("traces", "filtered".to_owned()),
        (Thing::Span, Some((of, ids))) => (of, ids.join("_")),
        (Thing::Span, None) if filters.is_empty() => ("spans", "all".to_owned()),
        (Thing::Span, None) => ("spans", "filtered".to_owned()),
    }
}

/// How much was written.
#[derive(Debug, Default)]
struct Exported {
    spans: u64,
    /// Traces, as far as their spans lie together.
    traces: u64,
    last: Option<(Option<String>, Option<String>)>,
}

impl Exported {
    fn said(&self, thing: Thing) -> String {
        let spans = counted(self.spans, "span");
        match thing {
            Thing::Span => spans,
            Thing::Trace => format!("{spans} of {}", counted(self.traces, "trace")),
        }
    }

    fn add(&mut self, batch: &RecordBatch) {
        self.spans += batch.num_rows() as u64;
        let column = |name: &str| batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
        let (Some(projects), Some(traces)) = (column(PROJECT), column(TRACE_ID)) else { return };
        for (project, trace) in projects.iter().zip(traces) {
            let same = self.last.as_ref().is_some_and(|(p, t)| (p.as_deref(), t.as_deref()) == (project, trace));
            if !same {
                self.traces += 1;
                self.last = Some((project.map(str::to_owned), trace.map(str::to_owned)));
            }
        }
    }
}

/// Writes spans as they come.
async fn write(
    mut rows: SendableRecordBatchStream,
    thing: Thing,
    target: &Target,
    nested: bool,
    options: Options,
    bar: &ProgressBar,
) -> anyhow::Result<Exported> {
    let mut exported = Exported::default();
    let mut sink = target.open()?;
    let out = if nested {
        Out::Nested(Nested::new(&mut sink))
    } else {
        Out::Flat(Box::new(ResultWriter::new(&mut sink, target.format, rows.schema(), options)?))
    };
    write_to(out, &mut rows, |batch| {
        exported.add(batch);
        bar.set_message(exported.said(thing));
    })
    .await?;
    sink.keep()?;
    Ok(exported)
}

async fn write_to(
    mut out: Out<'_>,
    rows: &mut SendableRecordBatchStream,
    mut written: impl FnMut(&RecordBatch),
) -> anyhow::Result<()> {
    while let Some(batch) = rows.try_next().await.map_err(|error| EngineError::from_datafusion(&error))? {
        match &mut out {
            Out::Nested(nested) => nested.write(&batch)?,
            Out::Flat(flat) => flat.write(&batch)?,
        }
        written(&batch);
    }
    match out {
        Out::Nested(nested) => nested.finish()?,
        Out::Flat(flat) => drop(flat.finish()?),
    }
    Ok(())
}

enum Out<'a> {
    Nested(Nested<'a>),
    Flat(Box<ResultWriter<&'a mut Sink>>),
}

/// A JSON array of spans, each nested.
struct Nested<'a> {
    out: &'a mut Sink,
    begun: bool,
    text: Vec<u8>,
}

impl<'a> Nested<'a> {
    fn new(out: &'a mut Sink) -> Self {
        Self { out, begun: false, text: vec![] }
    }

    fn write(&mut self, batch: &RecordBatch) -> anyhow::Result<()> {
        // The keys of the metadata are in the object that they are from.
        let keys = batch.schema_ref().fields().iter().map(|field| field.name());
        let excluded = keys.filter(|name| name.starts_with(METADATA_PREFIX)).cloned().collect();
        let columns = Columns { included: None, excluded };
        let shape = Shape::new(batch, &columns, None);
        for row in 0..batch.num_rows() {
            let span = shape.span(row).context("a span cannot be written as JSON")?;
            self.out.write_all(if self.begun { b",\n" } else { b"[\n" })?;
            self.text.clear();
            escape_controls(span.get(), &mut self.text);
            self.out.write_all(&self.text)?;
            self.begun = true;
        }
        Ok(())
    }

    fn finish(self) -> anyhow::Result<()> {
        self.out.write_all(if self.begun { b"\n]\n" } else { b"[]\n" })?;
        Ok(self.out.flush()?)
    }
}
