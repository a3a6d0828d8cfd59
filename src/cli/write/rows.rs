//! The rows of a write: of files, or of the answer to a statement.

use futures::TryStreamExt;

use crate::cli::args::{RemoteOptions, RowsFrom};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::query;
use crate::cli::remote::register;
use spanql_engine::{EngineError, Params};
use spanql_output::escape_terminal;
use spanql_sources::files::{Format, Limits, expand};
use spanql_sources::writes::{Row, batch_rows, file_rows};

/// Reads all rows that are given.
pub(super) async fn gather(context: &Context, from: &RowsFrom, remote: &RemoteOptions) -> anyhow::Result<Vec<Row>> {
    let files: Vec<String> = from.files.iter().chain(&from.file).cloned().collect();
    match &from.query {
        Some(sql) => of_query(context, sql, remote).await,
        None if files.is_empty() => {
            let why = "nothing says what to write: name a file, `-` for stdin, --query with a statement, or --id";
            Err(Failure::Usage(why.into()).into())
        }
        None => of_files(context, files, from.format).await,
    }
}

/// Reads all rows of files.
pub(super) async fn of_files(context: &Context, files: Vec<String>, format: Format) -> anyhow::Result<Vec<Row>> {
    let limits = Limits::of_memory(context.memory_bytes());
    let read = tokio::task::spawn_blocking(move || -> anyhow::Result<Vec<Row>> {
        let mut rows = Vec::new();
        for input in expand(&files)? {
            rows.extend(file_rows(input, format, &limits)?);
        }
        Ok(rows)
    });
    read.await?
}

/// Runs a statement and takes its rows.
pub(super) async fn of_query(context: &Context, sql: &str, remote: &RemoteOptions) -> anyhow::Result<Vec<Row>> {
    let (engine, snapshot) = query::engine(context, false).await?;
    register(&engine, remote);
    let prepared = engine.prepare(sql, &Params::new()).await?;
    let [statement] = prepared.as_slice() else {
        return Err(Failure::Usage(format!("--query takes one statement, and these are {}", prepared.len())).into());
    };
    context.note_state(&snapshot);
    for note in statement.notes() {
        context.note(&escape_terminal(note));
    }
    let mut rows = Vec::new();
    let mut batches = statement.execute().await?;
    while let Some(batch) = batches.try_next().await.map_err(|error| EngineError::from_datafusion(&error))? {
        rows.extend(batch_rows(&batch, "row")?);
    }
    query::say_remarks(context, statement);
    // Each batch counted its own.
    for (number, row) in (1..).zip(&mut rows) {
        row.place = format!("row {number} of --query");
    }
    Ok(rows)
}
