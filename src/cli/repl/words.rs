//! The snapshot that completion reads, gathered from a store.

use std::path::Path;

use arrow::array::AsArray;
use futures::TryStreamExt;

use crate::cli::context::Context;
use crate::cli::query;
use crate::config::Environment;
use crate::engine::{Engine, EngineError, FunctionKind, Params};
use crate::repl::{TableWords, Words};
use crate::report::{Library, list_reports};

/// Ids of the newest traces that are completed, and sessions.
const IDS: usize = 100_000;

/// Everything that can be completed about the store as it is, and the version of the store.
pub(super) async fn gather(context: &Context) -> anyhow::Result<(u64, Words)> {
    // Notes about the store are for statements.
    let mut context = context.clone();
    context.quiet = true;
    let (engine, snapshot) = query::engine(&context, false).await?;
    let described = engine.describe().await;
    let tables = described.tables.into_iter().map(|table| TableWords {
        name: table.name,
        columns: table.columns.into_iter().map(|(name, _)| name).collect(),
        spans: table.spans,
    });
    let named = |kind: fn(&FunctionKind) -> bool| {
        let functions = described.functions.iter().filter(move |function| kind(&function.kind));
        functions.map(|function| function.name.clone()).collect::<Vec<_>>()
    };
    let library = Library::of(Path::new(""), Environment::of_process().config.as_deref());
    let mut projects: Vec<String> = snapshot.manifest.segments.iter().map(|segment| segment.project.clone()).collect();
    projects.sort_unstable();
    projects.dedup();
    let words = Words {
        tables: tables.collect(),
        functions: named(|kind| !matches!(kind, FunctionKind::Table)),
        table_functions: named(|kind| matches!(kind, FunctionKind::Table)),
        values: snapshot.few_values(context.project.as_deref()).await?,
        projects,
        trace_ids: ids(&engine, &format!("SELECT trace_id FROM traces ORDER BY start_time DESC LIMIT {IDS}")).await?,
        session_ids: ids(&engine, &format!("SELECT session_id FROM sessions ORDER BY start_time DESC LIMIT {IDS}"))
            .await?,
        queries: library.list().into_iter().flatten().map(|saved| saved.name).collect(),
        reports: list_reports(&library).into_iter().flatten().map(|report| report.name).collect(),
        variables: Vec::new(),
    };
    Ok((snapshot.manifest.version, words))
}

/// The ids that a query gives, sorted.
async fn ids(engine: &Engine, sql: &str) -> anyhow::Result<Vec<String>> {
    let mut ids: Vec<String> = Vec::new();
    for statement in engine.prepare(sql, &Params::new()).await? {
        let mut rows = statement.execute().await?;
        while let Some(batch) = rows.try_next().await.map_err(|error| EngineError::from_datafusion(&error))? {
            ids.extend(batch.column(0).as_string::<i32>().iter().flatten().map(str::to_owned));
        }
    }
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}
