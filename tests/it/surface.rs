//! The SQL surface: every table, column, type and function that statements may name.
//!
//! People keep queries in files, so nothing of it may vanish or change its type unnoticed.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use arrow::array::{AsArray as _, RecordBatch};
use futures::TryStreamExt as _;
use spanql::engine::{Engine, Params, StoreEngine};
use spanql::model::columns;
use spanql::store::Store;

use super::shell::check_file;

const FILE: &str = "tests/surface.txt";

async fn texts(engine: &Engine, sql: &str) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for prepared in engine.prepare(sql, &Params::new()).await.unwrap() {
        let batches: Vec<RecordBatch> = prepared.execute().await.unwrap().try_collect().await.unwrap();
        for batch in batches {
            let columns: Vec<_> = batch.columns().iter().map(|column| column.as_string::<i32>()).collect();
            rows.extend((0..batch.num_rows()).map(|row| columns.iter().map(|c| c.value(row).to_owned()).collect()));
        }
    }
    rows
}

/// The surface of an engine over an empty store, as text.
async fn surface() -> String {
    let snapshot = Store::open("memory://").unwrap().snapshot().await.unwrap();
    let engine = StoreEngine::default().open(snapshot).await.unwrap();
    let mut out = String::from("Tables and their columns, in order\n");
    let sql = "SELECT table_name, column_name, data_type FROM information_schema.columns \
               WHERE table_schema = 'public' ORDER BY table_name, ordinal_position";
    let mut table = String::new();
    for row in texts(&engine, sql).await {
        let [of, name, data_type] = <[String; 3]>::try_from(row).unwrap();
        if of != table {
            write!(out, "\n{of}\n").unwrap();
            table = of;
        }
        writeln!(out, "  {name}  {data_type}").unwrap();
    }
    let state = engine.context().state();
    let mut list = |heading: &str, names: Vec<String>| {
        write!(out, "\n{heading}\n\n").unwrap();
        for name in names.into_iter().collect::<BTreeSet<_>>() {
            writeln!(out, "  {name}").unwrap();
        }
    };
    list("Scalar functions", state.scalar_functions().keys().cloned().collect());
    list("Aggregate functions", state.aggregate_functions().keys().cloned().collect());
    list("Window functions", state.window_functions().keys().cloned().collect());
    list("Table functions", engine.table_functions());
    out
}

#[tokio::test]
async fn the_sql_surface_is_the_one_on_file() {
    check_file(FILE, &surface().await);
}

#[tokio::test]
async fn spans_begin_with_the_canonical_columns_in_order() {
    let text = surface().await;
    let spans = text.split("\nspans\n").nth(1).expect("there is a table spans");
    let of_spans: Vec<&str> = spans
        .lines()
        .map_while(|line| line.strip_prefix("  "))
        .map(|line| line.split("  ").next().unwrap_or_default())
        .collect();
    let canonical: Vec<&str> = columns::CANONICAL.iter().chain(columns::TREE.iter()).map(|c| c.name).collect();
    assert_eq!(of_spans, canonical);
}
