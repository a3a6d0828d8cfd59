//! Plans of patterns: traces go from the scan to the pattern as they lie, and no more is read than needed.

use std::collections::BTreeSet;

use spanql::engine::{Engine, Params, Selected};
use spanql::filter::{Names, Unknown, pattern};
use spanql::store::Store;

use super::structure::reading;
use super::support::{ask_rows, ask_text, demo, engine, import};

async fn plan(engine: &Engine, sql: &str) -> String {
    let lines = ask_rows(engine, &format!("EXPLAIN {sql}")).await.unwrap();
    let physical = lines.into_iter().find(|row| row["plan_type"] == "physical_plan").unwrap();
    physical["plan"].clone()
}

/// A store of generated spans in several segments.
async fn demo_engine() -> Engine {
    let store = Store::open("memory://").unwrap();
    for seed in [1, 2, 3] {
        import(&store, &demo(seed, 2_000)).await.unwrap();
    }
    let engine = engine(store.snapshot().await.unwrap()).await;
    reading(&engine, 1_000);
    engine
}

/// The lines of a plan from an operator on.
fn below<'a>(plan: &'a str, operator: &str) -> Vec<&'a str> {
    let mut lines = plan.lines().map(str::trim).skip_while(|line| !line.starts_with(operator));
    assert!(lines.next().is_some(), "no {operator} in\n{plan}");
    lines.collect()
}

#[tokio::test]
async fn traces_go_from_the_scan_to_the_pattern_as_they_lie() {
    let engine = demo_engine().await;
    for (sql, columns) in [
        (
            "SELECT count(*) FROM structure('{kind = ''AGENT''} >> {kind = ''TOOL''}')",
            "project, context.trace_id, tree.left, tree.right, attributes.openinference.span.kind",
        ),
        (
            "SELECT name, span_id FROM structure('{kind = ''AGENT''} !>> {status_code = ''ERROR'' AND latency_ms > 5}') \
             WHERE name LIKE 'a%' AND latency_ms > 7",
            "context.span_id, name, latency_ms, project, context.trace_id, tree.left, tree.right, \
             attributes.openinference.span.kind, status_code",
        ),
        ("SELECT tree.left FROM structure('{} ~ {}')", "tree.left, project, context.trace_id, tree.right"),
    ] {
        let plan = plan(&engine, sql).await;
        let below = below(&plan, "StructureExec: pattern={");
        let [scan] = below.as_slice() else { panic!("more than a scan below:\n{plan}") };
        assert!(scan.starts_with("DataSourceExec: file_groups={3 groups:"), "{scan}");
        let read = scan.split("projection=[").nth(1).and_then(|rest| rest.split(']').next()).unwrap();
        assert_eq!(names(read), names(columns), "{sql}\n{plan}");
        assert!(!scan.contains("predicate="), "{scan}");
        assert!(!plan.contains("SortExec"), "{plan}");
    }
}

/// The names in a list, sorted.
fn names(list: &str) -> BTreeSet<&str> {
    list.split(", ").map(|name| name.split('@').next().unwrap().trim()).collect()
}

#[tokio::test]
async fn only_what_is_the_same_for_a_whole_trace_reaches_the_scan() {
    let engine = demo_engine().await;
    let pattern = "structure('{} > {kind = ''TOOL''}')";
    let predicate = async |condition: &str| {
        let plan = plan(&engine, &format!("SELECT name FROM {pattern} WHERE {condition}")).await;
        let scan = below(&plan, "StructureExec").join("\n");
        (scan.split("predicate=").nth(1).map(|rest| rest.split(", pruning").next().unwrap().to_owned()), plan)
    };
    for (condition, expected) in [
        ("trace_id = 'x'", Some("context.trace_id")),
        ("project = 'support-agent' AND trace_id IN ('x', 'y')", Some("context.trace_id")),
        ("name = 'x'", None),
        ("latency_ms > 5", None),
        ("start_time >= '2020-01-01' AND span_id = 'x'", None),
        ("trace_id = 'x' OR name = 'y'", None),
        ("trace_id = span_id", None),
        ("random() < 0.5", None),
        ("trace_id = 'x' OR random() < 0.5", None),
    ] {
        let (predicate, plan) = predicate(condition).await;
        match (predicate, expected) {
            (Some(predicate), Some(expected)) => assert!(predicate.contains(expected), "{condition}: {predicate}"),
            (None, None) => {}
            (found, _) => panic!("{condition}: {found:?}\n{plan}"),
        }
    }
    // Both kinds: the one goes down, the other stays.
    let (predicate, plan) = predicate("trace_id > 'x' AND name = 'y'").await;
    assert!(predicate.is_some_and(|predicate| !predicate.contains("name")), "{plan}");
    assert!(plan.contains("FilterExec: name@"), "{plan}");
    // A time that no segment has spans of needs none.
    let (_, plan) = plan_and(&engine, pattern, "start_time > '2100-01-01'").await;
    assert!(!plan.contains("DataSourceExec"), "{plan}");
    let prepared = engine.prepare(&format!("SELECT * FROM {pattern}"), &Params::new()).await.unwrap();
    assert!(prepared[0].reads_spans(), "the answer rests on what was pulled");
}

async fn plan_and(engine: &Engine, rows: &str, condition: &str) -> (String, String) {
    let sql = format!("SELECT name FROM {rows} WHERE {condition}");
    let plan = plan(engine, &sql).await;
    (sql, plan)
}

/// Questions about many traces, and the columns of `spans` that each reads.
const QUESTIONS: [(&str, Option<&str>); 5] = [
    ("SELECT tree.depth, count(*) FROM spans GROUP BY 1 ORDER BY 1", Some("tree.depth")),
    (
        "SELECT count(*) FROM structure('{kind=''AGENT''} >> {kind=''TOOL''}')",
        Some("project, context.trace_id, attributes.openinference.span.kind, tree.left, tree.right"),
    ),
    (
        "SELECT count(*) FROM structure('{kind=''AGENT''} !>> {kind=''TOOL''}')",
        Some("project, context.trace_id, attributes.openinference.span.kind, tree.left, tree.right"),
    ),
    ("SELECT trace_id, cost FROM traces ORDER BY cost DESC NULLS LAST, trace_id LIMIT 10", None),
    ("SELECT session_id, cost FROM sessions ORDER BY cost DESC NULLS LAST, session_id LIMIT 10", None),
];

#[tokio::test]
async fn nothing_sorts_or_hashes_all_spans_by_trace() {
    let engine = demo_engine().await;
    for (sql, columns) in QUESTIONS {
        let plan = plan(&engine, sql).await;
        let scan = plan.lines().find(|line| line.contains("DataSourceExec")).unwrap();
        assert_eq!(plan.matches("DataSourceExec").count(), 1, "{plan}");
        // Trees are of spans, costs of summaries.
        assert_eq!(scan.contains("cost"), columns.is_none(), "{plan}");
        if let Some(columns) = columns {
            let read = scan.split("projection=[").nth(1).and_then(|rest| rest.split(']').next()).unwrap();
            assert_eq!(names(read), names(columns), "{plan}");
            for line in plan.lines().filter(|line| {
                ["SortExec", "AggregateExec", "RepartitionExec", "WindowAggExec", "HashJoinExec"]
                    .iter()
                    .any(|operator| line.trim().starts_with(operator))
            }) {
                assert!(!line.contains("trace_id"), "{plan}");
            }
        }
    }
}

#[tokio::test]
async fn a_pattern_that_was_read_elsewhere_is_the_same() {
    let engine = demo_engine().await;
    let (schema, rest) = engine.span_columns("spans").await.unwrap();
    let names = Names::new(&schema, &rest, Unknown::Error);
    let pattern = pattern::parse("{kind = 'AGENT'} > {kind = 'LLM'}", None, &names).unwrap();
    let condition = spanql::filter::arize::parse("latency_ms > 5", &names).unwrap().expr;
    let notes = engine.register_selected("listed", "spans", Selected::Structure { pattern, condition }).await.unwrap();
    assert!(notes.is_empty(), "{notes:?}");
    let ours = ask_text(&engine, "SELECT * FROM listed ORDER BY trace_id, span_id").await.unwrap();
    let theirs = "SELECT * FROM structure('{kind = ''AGENT''} > {kind = ''LLM''}') WHERE latency_ms > 5 \
                  ORDER BY trace_id, span_id";
    assert_eq!(ours, ask_text(&engine, theirs).await.unwrap());
    let by_join = "SELECT c.* FROM spans c JOIN spans p ON c.project = p.project AND c.trace_id = p.trace_id \
                   AND c.parent_id = p.span_id WHERE p.kind = 'AGENT' AND c.kind = 'LLM' AND c.latency_ms > 5 \
                   ORDER BY c.trace_id, c.span_id";
    assert_eq!(ours, ask_text(&engine, by_join).await.unwrap());
    assert!(ours.lines().count() > 200, "{}", ours.lines().count());
}
