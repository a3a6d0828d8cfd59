//! What one store serves, another one takes in: nothing is lost on the way.

use std::sync::Arc;

use serde_json::json;
use spanql::model::columns;
use spanql::model::ingest::{Origin, convert_batch};
use spanql::store::Store;

use super::serve_support::{Flight, KEY, PROJECT, Running};
use super::support::{BASE_TIME, Cell, ask_text, assert_same, batch, demo, engine, import, row};

const EVERYTHING: &str = "SELECT * EXCEPT (source) FROM spans ORDER BY project, context.trace_id, context.span_id";

/// Takes a project over into a store.
async fn take_over(flight: &Flight, server: &Running, project: &str, into: &Store) {
    let export = flight.export(&server.command(json!({"modelId": project}))).await.unwrap();
    let origin = Origin { source: "arize", project: project.to_owned(), force_project: false };
    let batches: Vec<_> = export
        .batches
        .iter()
        .map(|batch| {
            let converted = convert_batch(batch, &origin).unwrap();
            assert_eq!(converted.bad, [], "rows that do not fit");
            assert!(converted.moved.is_empty(), "{:?} are no columns of a span", converted.moved);
            converted.batch
        })
        .collect();
    import(into, &batches).await.unwrap();
}

async fn everything(store: &Store) -> String {
    ask_text(&engine(store.snapshot().await.unwrap()).await, EVERYTHING).await.unwrap()
}

async fn assert_round_trip(from: Arc<Store>) {
    let server = Running::with_key(&from).await;
    let flight = server.flight(KEY).await;
    let into = Store::open("memory://").unwrap();
    for project in &server.ready.projects {
        take_over(&flight, &server, &project.name, &into).await;
    }
    assert_same(&everything(&into).await, &everything(&from).await, "after the way over Flight");
}

#[tokio::test(flavor = "multi_thread")]
async fn generated_spans_come_out_as_they_went_in() {
    let store = Arc::new(Store::open("memory://").unwrap());
    import(&store, &demo(11, 1_500)).await.unwrap();
    assert_round_trip(store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_beyond_the_limit_on_columns_come_out_too() {
    let rows: Vec<_> = (0..30)
        .map(|n| {
            let mut row = row(PROJECT, &format!("t{n}"), &format!("s{n}"));
            row.insert(columns::START_TIME.to_owned(), Cell::Time(BASE_TIME + n));
            for key in n * 70..(n + 1) * 70 {
                let value = match key % 4 {
                    0 => Cell::Int(key),
                    1 => Cell::Float(key as f64 + 0.5),
                    2 => Cell::Bool(key % 3 == 0),
                    _ => Cell::text(format!("\"{key}\"")),
                };
                row.insert(format!("attributes.key{key:04}"), value);
            }
            row
        })
        .collect();
    let store = Arc::new(Store::open("memory://").unwrap());
    import(&store, &[batch(&rows)]).await.unwrap();
    assert!(!store.snapshot().await.unwrap().manifest.rest.is_empty(), "all keys have columns: the test shows nothing");
    assert_round_trip(Arc::clone(&store)).await;

    // Named, such a key is a column like any other.
    let server = Running::with_key(&store).await;
    let key = store.snapshot().await.unwrap().manifest.rest.keys().next().unwrap().clone();
    let command = server.command(json!({"projectedColumns": [key]}));
    let export = server.flight(KEY).await.export(&command).await.unwrap();
    assert_eq!(export.names(), ["time", key.as_str()]);
    let filled: usize = export.batches.iter().map(|batch| batch.num_rows() - batch.column(1).null_count()).sum();
    assert_eq!(filled, 1);
}
