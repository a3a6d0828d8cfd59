//! `spanql run`: saved queries with their parameters and expectations.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use chrono::Utc;

use super::args::RunArguments;
use super::context::Context;
use super::exit::Failure;
use super::query::{Answer, answer, engine};
use super::remote;
use crate::config::Environment;
use crate::engine::{EngineError, Prepared};
use crate::output::Options;
use crate::report::{Library, Origin, Saved, bind};

pub(super) async fn run(context: &Context, arguments: RunArguments) -> anyhow::Result<()> {
    let library = Library::of(Path::new(""), Environment::of_process().config.as_deref());
    let Some(name) = &arguments.name else { return list(context, &library, arguments.result.output.as_deref()) };
    let saved = library.find(name)?;
    let params = bind(&saved.params, &arguments.param, Utc::now()).with_context(|| saved.place())?;
    let target = context.target(arguments.result.output.as_deref())?;
    let options = Options { max_rows: arguments.max_rows, ..context.result_options(&target, &arguments.result) };
    let (engine, snapshot) = engine(context, arguments.allow_write).await?;
    engine.register_source(remote::live(&arguments.remote));
    let prepared = engine.prepare(&saved.sql, &params).await.with_context(|| saved.place())?;
    if prepared.is_empty() {
        return Err(Failure::Usage(format!("{}: there is no statement in it", saved.place())).into());
    }
    if !arguments.allow_write && !prepared.iter().all(Prepared::is_read_only) {
        let error = EngineError::would_write("give --allow-write if that is what you want");
        return Err(error).with_context(|| saved.place());
    }
    let answered = Answer {
        prepared: &prepared,
        snapshot: &snapshot,
        target: &target,
        options,
        require_complete: arguments.result.require_complete,
        expectations: &saved.expectations,
    };
    answer(context, answered).await.with_context(|| saved.place())
}

/// Writes which queries there are. One that cannot be read says so where its description would stand.
fn list(context: &Context, library: &Library, output: Option<&str>) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for query in library.list() {
        rows.push(match query {
            Ok(saved) => row(saved),
            Err(error) => [None, None, Some(format!("cannot be read: {error}")), None],
        });
    }
    let column = |at: usize| -> ArrayRef {
        Arc::new(rows.iter().map(|row: &[Option<String>; 4]| row[at].as_deref()).collect::<StringArray>())
    };
    let columns = ["name", "parameters", "description", "origin"];
    let columns = columns.into_iter().enumerate().map(|(at, name)| (name, column(at), true));
    context.write(output, &RecordBatch::try_from_iter_with_nullable(columns)?)
}

fn row(saved: Saved) -> [Option<String>; 4] {
    let params: Vec<String> = saved.params.iter().map(ToString::to_string).collect();
    let origin = match &saved.origin {
        Origin::File(path) => path.display().to_string(),
        Origin::BuiltIn => "built in".to_owned(),
    };
    [Some(saved.name), Some(params.join(", ")), saved.description, Some(origin)]
}
