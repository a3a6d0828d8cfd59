//! Traces and sessions of the demo, through a store and SQL.

use arrow::array::{AsArray, RecordBatch};
use futures::TryStreamExt;
use spanql::demo::{DEFAULT_SEED, Generator};
use spanql::engine::{Engine, Params, StoreEngine};
use spanql::output::{SessionView, ViewOptions, write_trace};
use spanql::store::{Progress, Store};

fn wide(width: usize) -> ViewOptions {
    ViewOptions { width: Some(width), ..ViewOptions::default() }
}

fn tree(batches: &[RecordBatch], options: ViewOptions) -> String {
    let mut out = Vec::new();
    write_trace(&mut out, batches, &options).unwrap();
    String::from_utf8(out).unwrap()
}

fn conversation_of(session: &RecordBatch, traces: &[RecordBatch], options: ViewOptions) -> String {
    let mut out = Vec::new();
    let mut view = SessionView::new(&mut out, session, options).unwrap();
    traces.iter().for_each(|traces| view.write(traces).unwrap());
    view.finish().unwrap();
    String::from_utf8(out).unwrap()
}

async fn demo() -> Engine {
    let store = Store::open("memory://").unwrap();
    let mut import = store.begin();
    for batch in Generator::new(DEFAULT_SEED, 3_000) {
        import.push(&batch).unwrap();
    }
    store.commit(import, "import", &Progress::default()).await.unwrap();
    StoreEngine::default().open(store.snapshot().await.unwrap()).await.unwrap()
}

async fn ask(engine: &Engine, sql: &str) -> Vec<RecordBatch> {
    let statement = engine.prepare(sql, &Params::new()).await.unwrap().remove(0);
    statement.execute().await.unwrap().try_collect().await.unwrap()
}

/// The trace that a condition on `traces` names first.
async fn trace(engine: &Engine, which: &str) -> Vec<RecordBatch> {
    let id = ask(engine, &format!("SELECT trace_id FROM traces WHERE {which}, trace_id LIMIT 1")).await;
    let id = id[0].column(0).as_string::<i32>().value(0);
    ask(engine, &format!("SELECT * FROM spans WHERE trace_id = '{id}'")).await
}

#[tokio::test]
async fn demo_traces() {
    let engine = demo().await;
    let traces = [
        ("failed", "error_count > 0 AND span_count BETWEEN 14 AND 22 ORDER BY cost DESC"),
        ("research", "name = 'research_task' AND span_count BETWEEN 20 AND 30 ORDER BY max_depth DESC"),
        ("orphans", "orphan_count > 0 ORDER BY span_count DESC"),
        ("cycle", "cycle_count > 0 ORDER BY span_count"),
    ];
    for (name, which) in traces {
        let spans = trace(&engine, which).await;
        for width in [80, 120] {
            insta::assert_snapshot!(format!("demo_{name}_{width}"), tree(&spans, wide(width)));
        }
    }
}

#[tokio::test]
async fn demo_session() {
    let engine = demo().await;
    let sql = "SELECT session_id FROM sessions WHERE trace_count = 3 ORDER BY error_count DESC, session_id LIMIT 1";
    let id = ask(&engine, sql).await;
    let id = id[0].column(0).as_string::<i32>().value(0);
    let session = ask(&engine, &format!("SELECT * FROM sessions WHERE session_id = '{id}'")).await;
    let traces = ask(&engine, &format!("SELECT * FROM traces WHERE session_id = '{id}' ORDER BY start_time")).await;
    for width in [80, 120] {
        insta::assert_snapshot!(format!("demo_session_{width}"), conversation_of(&session[0], &traces, wide(width)));
    }
}
