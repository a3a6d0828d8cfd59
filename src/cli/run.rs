//! `spanql run`: saved queries with their parameters and expectations.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::args::RunArguments;
use super::context::Context;
use super::failure::Failure;
use super::listed::{row, write};
use super::query::{Answer, answer, engine};
use super::remote;
use crate::report::{Library, Origin, bind, bound};
use spanql_engine::{EngineError, Files, Prepared};
use spanql_model::time::Clock;
use spanql_output::Options;
use spanql_sources::config::Environment;

pub(super) async fn run(context: &Context, arguments: RunArguments) -> anyhow::Result<()> {
    let library = Library::of(Path::new(""), Environment::of_process().config.as_deref());
    let Some(name) = &arguments.name else {
        let listed = library
            .list()
            .into_iter()
            .map(|query| query.map(|saved| row(saved.name, &saved.params, saved.description, &saved.origin)));
        return write(context, listed, arguments.result.output.as_deref());
    };
    let saved = library.find(name)?;
    let target = context.target(arguments.result.output.as_deref())?;
    let options = Options { max_rows: arguments.max_rows, ..context.result_options(&target, &arguments.result) };
    let (engine, snapshot) = engine(context, arguments.allow_write).await?;
    let clock = Clock::now(engine.data_end());
    let params = bind(&saved.params, &arguments.param, &clock).with_context(|| saved.place())?;
    let expectations = bound(&saved.expectations, &params).with_context(|| saved.place())?;
    engine.read_files(beside(&saved.origin, &arguments.files)?);
    remote::register(&engine, &arguments.remote);
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
        strict: arguments.result.strict,
        expectations: &expectations,
    };
    answer(context, answered).await.with_context(|| saved.place())
}

/// The files that a saved query or a report may read: those in its own folder, and those that were named beside it.
pub(super) fn beside(origin: &Origin, named: &[PathBuf]) -> Result<Files, Failure> {
    if let Some(missing) = named.iter().find(|path| !path.is_file()) {
        return Err(Failure::Usage(format!("there is no file {}", missing.display())));
    }
    let mut places = named.to_vec();
    if let Origin::File(path) = origin {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        places.push(folder.unwrap_or(Path::new(".")).to_owned());
    }
    Ok(if places.is_empty() { Files::Never } else { Files::Within(places) })
}
