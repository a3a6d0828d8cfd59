//! What becomes of conditions: the remote is told, and every span that comes is checked.

use arrow::array::RecordBatch;

use super::fake::Fake;
use super::{Cell, FROM, ask, batch, span};

/// Spans of which some have what is asked for, in two batches with different columns.
fn spans() -> Vec<RecordBatch> {
    let text = |text: &str| Cell::text(text);
    let first = [
        span("t1", "a", 0, &[("status_code", text("ERROR")), ("attributes.n", Cell::Int(5))]),
        span("t1", "b", 1, &[("status_code", text("OK")), ("attributes.metadata", text(r#"{"tier": "paid"}"#))]),
        span("t2", "c", 2, &[("attributes.input.value", text("a Timeout")), ("attributes.n", Cell::Int(-7))]),
        span("x' OR 'a'='a", "d", 3, &[("status_code", text("ERROR")), ("attributes.input.value", text("timeout"))]),
    ];
    let second = [
        span(
            "t3",
            "e",
            4,
            &[("status_code", text("ERROR")), ("attributes.n", text("70")), ("eval.q.score", Cell::Float(0.5))],
        ),
        span(
            "t3",
            "f",
            5,
            &[("attributes.metadata", text(r#"{"tier": "free", "n": 3}"#)), ("attributes.n", text("many"))],
        ),
    ];
    vec![batch(&first), batch(&second)]
}

const CONDITIONS: [&str; 17] = [
    "status_code = 'ERROR'",
    "status_code = 'ERROR' OR trace_id = 't2'",
    "trace_id = 'x'' OR ''a''=''a'",
    "trace_id IN ('t1', 't3') AND NOT status_code = 'OK'",
    "attributes.n > 4",
    "attributes.n = '70' OR attributes.n = -7",
    "attributes.input.value CONTAINS 'timeout'",
    "attributes.input.value LIKE '%imeout' AND parent_id IS NULL",
    "attributes.input.value IS NULL",
    "metadata.tier = 'paid' OR metadata.n >= 3",
    "metadata.nobody = 'x'",
    "eval.q.score < 0.6",
    "eval.nobody.score IS NULL AND status_code <> 'OK'",
    "latency_ms BETWEEN 1499.5 AND 1501",
    "latency_ms > 1500 OR name = 'span f'",
    "status_code IS NULL",
    "coalesce(status_code, 'OK') = 'OK' AND start_time < '2026-01-01T00:00:03Z'",
];

/// What the conditions select, counted by hand from [`spans`].
const SELECTED: [&str; 17] =
    ["ade", "acde", "d", "ae", "ae", "ce", "d", "cd", "abef", "bf", "", "e", "ade", "abcdef", "f", "cf", "bc"];

#[tokio::test]
async fn a_remote_may_filter_or_not() {
    for filters in [true, false] {
        for (condition, expected) in CONDITIONS.into_iter().zip(SELECTED) {
            let (engine, log) = Fake { filters, ..Fake::of(spans()) }.engine();
            let from = format!("FROM arize.\"my-project\" WHERE {FROM} AND ({condition})");
            let answer = ask(&engine, &format!("SELECT span_id {from}")).await.unwrap();
            assert_eq!(answer.rows.join(""), expected, "{condition}, filters: {filters}");
            assert!(!log.request().filters.is_empty(), "{condition}");
            let count = ask(&engine, &format!("SELECT count(*) {from}")).await.unwrap();
            assert_eq!(count.rows, [expected.len().to_string()], "{condition}, filters: {filters}");
            let limited = ask(&engine, &format!("SELECT span_id {from} LIMIT 1")).await.unwrap();
            assert_eq!(limited.rows.len(), expected.len().min(1), "{condition}, filters: {filters}");
        }
    }
}

#[tokio::test]
async fn a_plan_shows_what_is_checked_here() {
    let (engine, log) = Fake::of(spans()).engine();
    let explain = |condition: &str| format!("EXPLAIN SELECT name FROM arize.\"my-project\" WHERE {condition}");
    let plan = ask(&engine, &explain(&format!("{FROM} AND status_code = 'ERROR' AND name LIKE 'a%'"))).await.unwrap();
    let plan = plan.rows.join("\n");
    assert!(plan.contains("RemoteScanExec: source=arize"), "{plan}");
    assert!(plan.contains(", rest=[status_code = ") && plan.contains("name LIKE "), "{plan}");
    assert!(plan.contains("FilterExec: ") && !plan.contains("rest=[start_time"), "{plan}");
    // What the window says is not said twice.
    let plan = ask(&engine, &explain(FROM)).await.unwrap().rows.join("\n");
    assert!(!plan.contains("rest="), "{plan}");
    assert!(log.requests().is_empty());
}
