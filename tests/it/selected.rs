//! Rows of a store by conditions that were read elsewhere: the same as in SQL, and no more is read than is asked.

use datafusion::logical_expr::{Expr, lit};
use spanql::engine::{Engine, EngineError, Params, Selected};
use spanql::filter::opik::AnySpan;
use spanql::filter::{Names, Unknown, arize};
use spanql::store::Store;

use super::support::{ask_rows, ask_text, demo, engine, import};

async fn demo_engine() -> Engine {
    let store = Store::open("memory://").unwrap();
    import(&store, &demo(7, 3_000)).await.unwrap();
    engine(store.snapshot().await.unwrap()).await
}

async fn condition(engine: &Engine, filter: &str, unknown: Unknown) -> Expr {
    let (schema, rest) = engine.span_columns("spans").await.unwrap();
    arize::parse(filter, &Names::new(&schema, &rest, unknown)).unwrap().expr
}

async fn with(engine: &Engine, filters: &[(&str, bool)]) -> Vec<AnySpan> {
    let mut any = vec![];
    for (filter, negated) in filters {
        any.push(AnySpan { expr: condition(engine, filter, Unknown::Error).await, negated: *negated });
    }
    any
}

/// Checks that two queries give the same rows in the same order, and counts them.
async fn same(engine: &Engine, ours: &str, theirs: &str) -> usize {
    let (ours, theirs) = (ask_rows(engine, ours).await.unwrap(), ask_rows(engine, theirs).await.unwrap());
    assert_eq!(ours, theirs);
    ours.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_traces_and_sessions_are_those_of_sql() {
    let engine = demo_engine().await;
    const ERROR: &str = "status_code = 'ERROR'";
    const TOOL: &str = "kind = 'TOOL' AND latency_ms > 100";

    let spans = Selected::Spans(condition(&engine, TOOL, Unknown::Error).await);
    engine.register_selected("listed", "spans", spans).await.unwrap();
    // Short names and open names are those of spans.
    let sql = |table: &str| format!("SELECT span_id, model, attributes.nope FROM {table} ORDER BY 1, 2");
    assert!(same(&engine, &sql("listed"), &sql(&format!("(SELECT * FROM spans WHERE {TOOL})"))).await > 10);

    let error = format!("SELECT trace_id FROM spans WHERE {ERROR}");
    let tool = format!("SELECT trace_id FROM spans WHERE {TOOL}");
    for (any_span, which) in [
        (vec![(ERROR, false)], format!("trace_id IN ({error})")),
        (vec![(ERROR, false), (TOOL, false)], format!("trace_id IN ({error}) AND trace_id IN ({tool})")),
        (vec![(ERROR, true), (TOOL, false)], format!("trace_id NOT IN ({error}) AND trace_id IN ({tool})")),
    ] {
        let any_span = with(&engine, &any_span).await;
        let traces = Selected::Traces { condition: lit(true), any_span: any_span.clone() };
        engine.register_selected("listed", "spans", traces).await.unwrap();
        let theirs = format!("SELECT trace_id, cost FROM traces WHERE {which} ORDER BY 1, 2");
        assert!(same(&engine, "SELECT trace_id, cost FROM listed ORDER BY 1, 2", &theirs).await > 0, "{which}");
    }
    let any_span = with(&engine, &[(ERROR, false)]).await;
    let sessions = Selected::Sessions { condition: lit(true), any_span };
    engine.register_selected("listed", "spans", sessions).await.unwrap();
    let theirs = format!(
        "SELECT session_id, cost FROM sessions WHERE session_id IN \
         (SELECT unnest(session_ids) FROM traces WHERE trace_id IN ({error})) ORDER BY 1, 2"
    );
    assert!(same(&engine, "SELECT session_id, cost FROM listed ORDER BY 1, 2", &theirs).await > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_conditions_on_spans_read_spans() {
    let engine = demo_engine().await;
    let plan = "EXPLAIN SELECT * FROM listed";
    for (any_span, reads_spans) in [(vec![], false), (vec![("name = 'x'", false)], true)] {
        let any_span = with(&engine, &any_span).await;
        let all = || lit(true);
        for selected in [
            Selected::Traces { condition: all(), any_span: any_span.clone() },
            Selected::Sessions { condition: all(), any_span: any_span.clone() },
        ] {
            engine.register_selected("listed", "spans", selected).await.unwrap();
            let plan = ask_text(&engine, plan).await.unwrap();
            // A column that only summaries have, and one that only spans have.
            assert!(plan.contains("session_ids"), "{plan}");
            assert_eq!(plan.contains("context.trace_id"), reads_spans, "{plan}");
            let prepared = engine.prepare("SELECT * FROM listed", &Params::new()).await.unwrap();
            assert!(prepared[0].reads_spans(), "the answer rests on what was pulled");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_without_spans_are_said_once_and_stores_have_the_tables() {
    let engine = demo_engine().await;
    let absent = condition(&engine, "attributes.nope = 'x'", Unknown::Silent).await;
    let notes = engine.register_selected("listed", "spans", Selected::Spans(absent)).await.unwrap();
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].contains("attributes.nope"), "{notes:?}");

    let bare = Engine::new(spanql::engine::EngineConfig::default()).unwrap();
    let error: EngineError = bare.register_selected("listed", "spans", Selected::Spans(lit(true))).await.unwrap_err();
    assert_eq!(error.code(), "unknown-table");
    assert!(bare.span_columns("spans").await.is_err());
}

/// The views are planned when they are asked for first, which is behind the narrowing here.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_and_turns_stay_whole_when_spans_are_narrowed() {
    let (whole, narrowed) = (demo_engine().await, demo_engine().await);
    let filter = condition(&narrowed, "status_code = 'ERROR'", Unknown::Error).await;
    narrowed.narrow(filter).await.unwrap();
    let sessions = "SELECT session_id, trace_count, span_count, total_tokens FROM sessions ORDER BY session_id";
    let (all, some) = (ask_rows(&whole, sessions).await.unwrap(), ask_rows(&narrowed, sessions).await.unwrap());
    assert!(!some.is_empty() && some.len() < all.len(), "{} of {}", some.len(), all.len());
    assert!(some.iter().all(|session| all.contains(session)));
    let turns = "SELECT count(*) AS n, sum(span_count) AS spans FROM turns";
    assert_eq!(ask_rows(&narrowed, turns).await.unwrap(), ask_rows(&whole, turns).await.unwrap());
}
