//! The snapshot that completion reads, gathered from a store.

use std::collections::BTreeSet;
use std::path::Path;

use arrow::array::AsArray;
use futures::TryStreamExt;

use crate::cli::context::Context;
use crate::cli::query;
use crate::repl::{TableWords, Words};
use crate::report::Library;
#[cfg(feature = "report")]
use crate::report::list_reports;
use spanql_engine::{Engine, EngineError, FunctionKind, Params};
use spanql_model::columns::{INPUT, METADATA, OUTPUT, REST};
use spanql_model::json::add_paths;
use spanql_sources::REMOTES;
use spanql_sources::config::Environment;

/// Ids of the newest traces that are completed, and sessions.
const IDS: usize = 100_000;

/// Columns whose JSON text is looked into for names, so many values of each, and names at most.
const LOOKED_INTO: usize = 16;
const VALUES: usize = 100;
const PATHS: usize = 2_000;

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
        paths: paths(&engine).await?,
        values: snapshot.few_values(context.project.as_deref()).await?,
        projects,
        trace_ids: ids(&engine, &format!("SELECT trace_id FROM traces ORDER BY start_time DESC LIMIT {IDS}")).await?,
        session_ids: ids(&engine, &format!("SELECT session_id FROM sessions ORDER BY start_time DESC LIMIT {IDS}"))
            .await?,
        queries: library.list().into_iter().flatten().map(|saved| saved.name).collect(),
        reports: report_names(&library),
        sources: REMOTES.iter().map(|remote| remote.name.to_owned()).collect(),
        variables: Vec::new(),
    };
    Ok((snapshot.manifest.version, words))
}

#[cfg(feature = "report")]
fn report_names(library: &Library) -> Vec<String> {
    list_reports(library).into_iter().flatten().map(|report| report.name).collect()
}

#[cfg(not(feature = "report"))]
fn report_names(_: &Library) -> Vec<String> {
    Vec::new()
}

/// The names of values in the JSON text of columns of spans, as far as some spans have them. Texts that may be long are
/// left alone.
async fn paths(engine: &Engine) -> anyhow::Result<Vec<String>> {
    let sql = format!(
        "SELECT DISTINCT name FROM columns WHERE name LIKE 'attributes.%' AND name NOT IN ('{INPUT}', '{OUTPUT}', '{REST}') \
         AND example LIKE '{{%' ORDER BY name = '{METADATA}' DESC, name LIMIT {LOOKED_INTO}"
    );
    let mut paths = BTreeSet::new();
    for name in texts(engine, &sql).await? {
        let column = name.replace('"', "\"\"");
        let sql = format!("SELECT \"{column}\" FROM spans WHERE \"{column}\" IS NOT NULL LIMIT {VALUES}");
        for text in texts(engine, &sql).await? {
            add_paths(&text, &name, PATHS, &mut paths);
        }
    }
    Ok(paths.into_iter().collect())
}

/// The ids that a query gives, sorted.
async fn ids(engine: &Engine, sql: &str) -> anyhow::Result<Vec<String>> {
    let mut ids = texts(engine, sql).await?;
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

/// The texts in the one column of a query.
async fn texts(engine: &Engine, sql: &str) -> anyhow::Result<Vec<String>> {
    let mut texts: Vec<String> = Vec::new();
    for statement in engine.prepare(sql, &Params::new()).await? {
        let mut rows = statement.execute().await?;
        while let Some(batch) = rows.try_next().await.map_err(|error| EngineError::from_datafusion(&error))? {
            texts.extend(batch.column(0).as_string::<i32>().iter().flatten().map(str::to_owned));
        }
    }
    Ok(texts)
}
