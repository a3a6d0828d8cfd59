//! `spanql query`: statements in, results out as they are made.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Schema;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;

use super::args::QueryArguments;
use super::context::Context;
use super::failure::Failure;
use super::target::Target;
use super::{incomplete, remote};
use crate::report::{Checks, Expectation};
use spanql_engine::{Engine, EngineError, Files, Params, Prepared, StoreEngine, parse_param};
use spanql_model::nearest::nearest;
use spanql_output::{Format, Options, ResultWriter, WriteSummary, escape_terminal};
use spanql_sources::config::{Environment, Redaction, price_file};
use spanql_sources::prices::PriceFile;
use spanql_store::{Snapshot, Store};

/// The stack of a thread that runs queries: conditions are walked down to their last term, and there may be many.
pub(super) const STACK: usize = 32 << 20;

pub(super) async fn run(context: &Context, arguments: QueryArguments) -> anyhow::Result<()> {
    let params = arguments.param.iter().map(|text| parse_param(text)).collect::<Result<Params, EngineError>>();
    let params = params.map_err(|error| Failure::Usage(error.to_string()))?;
    let statements = statements(&arguments)?;
    let target = context.target(arguments.result.output.as_deref())?;
    let options = Options { max_rows: arguments.max_rows, ..context.result_options(&target, &arguments.result) };
    let (engine, snapshot) = engine(context, false).await?;
    engine.read_files(Files::Any);
    remote::register(&engine, &arguments.remote);
    let mut prepared = Vec::new();
    for (name, sql) in &statements {
        let ready = engine.prepare(sql, &params).await;
        prepared.extend(match name {
            Some(name) => ready.with_context(|| name.clone())?,
            None => ready?,
        });
    }
    if prepared.is_empty() {
        return Err(Failure::Usage("no statement to run: the SQL text is empty".into()).into());
    }
    let answered = Answer {
        prepared: &prepared,
        snapshot: &snapshot,
        target: &target,
        options,
        require_complete: arguments.result.require_complete,
        strict: arguments.result.strict,
        expectations: &[],
    };
    answer(context, answered).await
}

/// Statements to run one after another.
pub(super) struct Answer<'a> {
    pub(super) prepared: &'a [Prepared],
    /// What they read of a store.
    pub(super) snapshot: &'a Snapshot,
    pub(super) target: &'a Target,
    pub(super) options: Options,
    /// Whether an answer that rests on incomplete data is a failure.
    pub(super) require_complete: bool,
    /// Whether a condition that is about nothing is a failure.
    pub(super) strict: bool,
    /// What is expected of the last result.
    pub(super) expectations: &'a [Expectation],
}

/// Runs statements and writes their results.
///
/// # Errors
/// [`Failure::Expectation`] after the results when the last one is not as expected, else [`Failure::Incomplete`] when
/// that is asked for; and whatever fails.
pub(super) async fn answer(context: &Context, answer: Answer<'_>) -> anyhow::Result<()> {
    let Answer { prepared, snapshot, target, options, require_complete, strict, expectations } = answer;
    check_results(target, prepared.len())?;
    let Some((last, before)) = prepared.split_last() else { return Ok(()) };
    let mut checks = Checks::new(expectations, &last.schema())?;
    let of_store = prepared.iter().any(Prepared::reads_spans);
    if of_store {
        context.note_state(snapshot);
    }
    let mut missing = None;
    for statement in before {
        show(context, statement, target, options, &mut Checks::default()).await?;
        missing = missing.or(say_remarks(context, statement));
    }
    show(context, last, target, options, &mut checks).await?;
    missing = missing.or(say_remarks(context, last));
    let complete = match missing.filter(|_| require_complete) {
        Some(missing) => Err(Failure::Incomplete(missing).into()),
        None if of_store => incomplete::check(context, snapshot, require_complete).await,
        None => Ok(()),
    };
    let mut failed: Vec<String> = checks
        .finish()
        .into_iter()
        .filter(|outcome| !outcome.held)
        .map(|outcome| format!("expected {}, found {}", outcome.expectation, outcome.found))
        .collect();
    for statement in prepared {
        // What holds of nothing was not looked at.
        if strict || !expectations.is_empty() {
            failed.extend(about_nothing(statement, strict).await?);
        }
    }
    if failed.is_empty() {
        return complete;
    }
    if let Err(error) = complete {
        context.print_stderr(&escape_terminal(&format!("incomplete: {error}")));
    }
    Err(Failure::Expectation(failed.join("; ")).into())
}

/// What of a statement is about nothing; names that no span has are where it is asked for `strict`ly.
async fn about_nothing(statement: &Prepared, strict: bool) -> Result<Vec<String>, EngineError> {
    let mut found: Vec<String> = statement.absent().filter(|_| strict).cloned().collect();
    found.extend(statement.unmatched(true).await?);
    Ok(found)
}

/// Fails if a condition of the statement is about nothing.
pub(super) async fn check_strictly(statement: &Prepared) -> anyhow::Result<()> {
    match about_nothing(statement, true).await?.as_slice() {
        [] => Ok(()),
        found => Err(Failure::Expectation(found.join("; ")).into()),
    }
}

/// Says of a statement that has so many rows what in it is about nothing.
pub(super) async fn note_unmatched(context: &Context, statement: &Prepared, rows: u64) -> anyhow::Result<()> {
    // A count of nothing is one row.
    for note in statement.unmatched(rows <= 1).await?.into_iter().chain(statement.cut_texts().await?) {
        context.note(&escape_terminal(&note));
    }
    Ok(())
}

/// Whether several results may follow each other.
fn check_results(target: &Target, count: usize) -> Result<(), Failure> {
    let one_only = matches!(target.format, Format::Parquet | Format::Arrow) || target.path.is_some();
    if count > 1 && one_only {
        return Err(Failure::Usage(format!(
            "{count} statements give {count} results, and {} holds one: ask them one by one",
            target.path.as_ref().map_or(target.format.to_string(), |path| path.display().to_string())
        )));
    }
    Ok(())
}

/// Says what became known while a statement ran; gives what is missing of its answer.
pub(super) fn say_remarks(context: &Context, statement: &Prepared) -> Option<String> {
    let mut missing = None;
    for remark in statement.remarks() {
        if !remark.incomplete {
            context.note(&escape_terminal(&remark.text));
        } else if !context.quiet {
            context.print_stderr(&format!("incomplete: {}", escape_terminal(&remark.text)));
        }
        missing = missing.or(Some(remark.text).filter(|_| remark.incomplete));
    }
    missing
}

/// The engine over the store that the arguments name, and the version it reads.
pub(super) async fn engine(context: &Context, allow_write: bool) -> anyhow::Result<(Engine, Snapshot)> {
    let (store, snapshot) = context.snapshot().await?;
    let engine = engine_over(context, &store, &snapshot, allow_write).await?;
    Ok((engine, snapshot))
}

/// The engine over a version of the store.
pub(super) async fn engine_over(
    context: &Context,
    store: &Store,
    snapshot: &Snapshot,
    allow_write: bool,
) -> anyhow::Result<Engine> {
    if let Some(project) = &context.project
        && !snapshot.manifest.segments.iter().any(|segment| segment.project == *project)
    {
        let held = snapshot.manifest.segments.iter().map(|segment| segment.project.as_str());
        let near = nearest(project, held).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        return Err(Failure::Usage(format!("the store holds no project {project}{near}")).into());
    }
    let environment = Environment::of_process();
    let settings = StoreEngine {
        runtime: None,
        memory_limit: Some(context.memory_bytes()),
        temp_dir: Some(store.spill_dir()),
        project: context.project.clone(),
        allow_write,
        prices: price_file(&environment)?.map(|(path, _)| Arc::new(PriceFile::new(path))),
        redaction: Some(Arc::new(Redaction::new(environment))),
        redact_results: context.redact,
    };
    Ok(settings.open(snapshot.clone()).await?)
}

/// Runs one statement and writes its result, and lets the checks see it.
pub(super) async fn show(
    context: &Context,
    statement: &Prepared,
    target: &Target,
    options: Options,
    checks: &mut Checks,
) -> anyhow::Result<()> {
    for note in statement.notes() {
        context.note(&escape_terminal(note));
    }
    let began = Instant::now();
    let mut stream = statement.execute().await?;
    if target.format == Format::Table && is_plan(&statement.schema()) {
        let mut out = target.open()?;
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(|error| EngineError::from_datafusion(&error))?;
            checks.see(&batch)?;
            write_plans(&mut out, &batch)?;
        }
        return out.keep();
    }
    let written = write(stream, target, options, checks).await?;
    for note in written.notes() {
        context.note(&note);
    }
    note_unmatched(context, statement, written.rows).await?;
    context.footer(written.rows, began);
    Ok(())
}

/// Writes the rows of a statement as they come, and lets the checks see them.
pub(super) async fn write(
    mut rows: SendableRecordBatchStream,
    target: &Target,
    options: Options,
    checks: &mut Checks,
) -> anyhow::Result<WriteSummary> {
    let mut out = target.open()?;
    let mut writer = ResultWriter::new(&mut out, target.format, rows.schema(), options)?;
    let shown = target.screen.as_ref().map(|screen| &screen.shown);
    shown.iter().for_each(|shown| shown.begin(&rows.schema()));
    while let Some(batch) = rows.next().await {
        let batch = batch.map_err(|error| EngineError::from_datafusion(&error))?;
        checks.see(&batch)?;
        shown.iter().for_each(|shown| shown.see(&batch));
        writer.write(&batch)?;
    }
    let written = writer.finish()?;
    out.keep()?;
    Ok(written)
}

/// Whether a result is what EXPLAIN gives.
fn is_plan(schema: &Schema) -> bool {
    schema.fields().iter().map(|field| field.name().as_str()).eq(["plan_type", "plan"])
}

/// Writes plans as the trees they are: a table would fold their lines.
fn write_plans(out: &mut dyn Write, batch: &RecordBatch) -> anyhow::Result<()> {
    let (kinds, plans) = (batch.column(0).as_string::<i32>(), batch.column(1).as_string::<i32>());
    for (kind, plan) in kinds.iter().zip(plans) {
        writeln!(out, "{}", kind.unwrap_or_default())?;
        for line in plan.unwrap_or_default().lines() {
            writeln!(out, "  {}", escape_terminal(line))?;
        }
    }
    Ok(())
}

/// The texts to run, each with the name of its file.
fn statements(arguments: &QueryArguments) -> anyhow::Result<Vec<(Option<String>, String)>> {
    match arguments.sql.as_deref() {
        Some("-") => {
            let mut text = String::new();
            std::io::stdin().lock().read_to_string(&mut text).context("cannot read SQL from stdin")?;
            Ok(vec![(None, text)])
        }
        Some(sql) => Ok(vec![(None, sql.to_owned())]),
        None => arguments
            .file
            .iter()
            .map(|path| {
                let name = path.display().to_string();
                let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
                Ok((Some(name), text))
            })
            .collect(),
    }
}
