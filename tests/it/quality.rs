//! The table `quality`: known flaws are counted, and what is there is counted as SQL counts it.

use std::collections::BTreeMap;

use spanql::engine::{Params, StoreEngine};
use spanql::store::{Progress, Pull, PullKey, Slice, Store};

use super::queries::built_in_reports;
use super::store_ledger::seconds;
use super::support::{BASE_TIME, Cell, Row, ask_rows, batch, demo, engine, import, row};

const SECOND: i64 = 1_000_000_000;
const ALL: &str = "SELECT * FROM quality";

fn memory() -> Store {
    Store::open("memory://").unwrap()
}

/// A span that starts so many seconds after [`BASE_TIME`] and takes one.
fn span(project: &str, trace: &str, id: &str, parent: Option<&str>, start: Option<i64>) -> Row {
    let mut span = row(project, trace, id);
    if let Some(parent) = parent {
        span.insert("parent_id".into(), Cell::text(parent));
    }
    if let Some(start) = start {
        span.insert("start_time".into(), Cell::Time(BASE_TIME + start * SECOND));
        span.insert("end_time".into(), Cell::Time(BASE_TIME + (start + 1) * SECOND));
    }
    span
}

fn of(mut span: Row, source: &str) -> Row {
    span.insert("source".into(), Cell::text(source));
    span
}

/// The rows of the table, each as `column=value` in the order of the columns that are asked for.
async fn quality(store: &Store, columns: &[&str]) -> Vec<String> {
    let engine = engine(store.snapshot().await.unwrap()).await;
    let rows = ask_rows(&engine, ALL).await.unwrap();
    let cell = |row: &BTreeMap<String, String>, name: &str| row.get(name).cloned().unwrap_or_else(|| "-".to_owned());
    let row = |row| columns.iter().map(|name| cell(row, name)).collect::<Vec<_>>().join(" | ");
    rows.iter().map(row).collect()
}

#[tokio::test]
async fn flaws_are_counted_by_project_and_source() {
    let store = memory();
    let spans = [
        // Whole, but for a span that has not ended and one without times.
        span("a", "t1", "r", None, Some(0)),
        span("a", "t1", "c", Some("r"), Some(1)),
        span("a", "t1", "n", Some("r"), None),
        // Two orphans, so no root.
        span("a", "t2", "o1", Some("gone"), Some(100)),
        span("a", "t2", "o2", Some("gone"), Some(105)),
        // Parents of each other, and what hangs below; a root of its own makes it no trace without a root.
        span("a", "t3", "x", Some("y"), Some(200)),
        span("a", "t3", "y", Some("x"), Some(201)),
        span("a", "t3", "z", Some("y"), Some(202)),
        span("a", "t3", "root", None, Some(203)),
        // Of two sources: the root is in one of them.
        of(span("a", "t4", "r", None, Some(300)), "phoenix"),
        span("a", "t4", "c", Some("r"), Some(301)),
        // Another project, with the trace id of another.
        span("b", "t2", "o", Some("r"), Some(50)),
    ];
    let mut spans = spans.to_vec();
    spans[1].remove("end_time");
    spans[3].insert("end_time".into(), Cell::Time(BASE_TIME + 99 * SECOND));
    import(&store, &[batch(&spans)]).await.unwrap();
    let counts = ["project", "source", "spans", "traces", "rootless_traces", "orphans", "cycles"];
    assert_eq!(
        quality(&store, &counts).await,
        ["a | file | 10 | 4 | 1 | 2 | 2", "a | phoenix | 1 | 1 | 0 | 0 | 0", "b | file | 1 | 1 | 1 | 1 | 0"]
    );
    let more = [
        "unfinished_spans",
        "no_start_spans",
        "duplicates_merged",
        "round_counts",
        "incomplete_pulls",
        "reversed_spans",
    ];
    assert_eq!(
        quality(&store, &more).await,
        ["2 | 1 | - | - | 0 | 1", "0 | 0 | - | - | 0 | 0", "0 | 0 | - | - | 0 | 0"]
    );
    let at = |second: i64| BASE_TIME + second * SECOND;
    let times = ["first_start", "last_start", "largest_gap_ms", "largest_gap_start"];
    assert_eq!(
        quality(&store, &times).await,
        [
            // Between 1 and 100, which is as long as no other pause.
            format!("{} | {} | 99000 | {}", at(0), at(301), at(1)),
            format!("{} | {} | - | -", at(300), at(300)),
            format!("{} | {} | - | -", at(50), at(50)),
        ]
    );
}

#[tokio::test]
async fn an_engine_of_one_project_shows_that_one_only() {
    let store = memory();
    import(&store, &[batch(&[span("a", "t", "s", None, Some(0)), span("b", "t", "s", None, Some(0))])]).await.unwrap();
    let of_b = StoreEngine { project: Some("b".to_owned()), ..StoreEngine::default() };
    let engine = of_b.open(store.snapshot().await.unwrap()).await.unwrap();
    let rows = ask_rows(&engine, "SELECT project, spans FROM quality").await.unwrap();
    assert_eq!(rows, [[("project", "b"), ("spans", "1")].map(|(a, b)| (a.to_owned(), b.to_owned())).into()]);
}

#[tokio::test]
async fn an_empty_store_has_no_rows() {
    let engine = engine(memory().snapshot().await.unwrap()).await;
    assert!(ask_rows(&engine, ALL).await.unwrap().is_empty());
    let count = ask_rows(&engine, "SELECT count(*) AS n FROM quality WHERE orphans > 0").await.unwrap();
    assert_eq!(count[0]["n"], "0");
}

#[tokio::test]
async fn numbers_that_exports_stop_at_are_named() {
    let store = memory();
    let one = |n: i64| span("a", &format!("t{n}"), "s", None, Some(n));
    import(&store, &[batch(&(0..50).map(one).collect::<Vec<_>>())]).await.unwrap();
    let two = |n: i64| span("b", &format!("t{}", n / 2), &format!("s{n}"), None, Some(n));
    import(&store, &[batch(&(0..100).map(two).collect::<Vec<_>>())]).await.unwrap();
    let nearly = |n: i64| span("c", &format!("t{n}"), "s", None, Some(n));
    import(&store, &[batch(&(0..51).map(nearly).collect::<Vec<_>>())]).await.unwrap();
    assert_eq!(
        quality(&store, &["project", "round_counts"]).await,
        ["a | 50 spans in all; 50 traces in all", "b | 100 spans in all; 50 traces in all", "c | -"]
    );
}

/// A pull of everything in so many seconds, a span for each.
async fn pulled(store: &Store, from: i64, to: i64, change: impl FnOnce(&mut Pull, &mut Slice)) {
    let key = PullKey {
        source: "arize".into(),
        remote: "flight.example.com".into(),
        space: None,
        project: "remote".into(),
        into: "a".into(),
    };
    let mut pull = Pull::new(key, seconds(from, to));
    let mut slice = Slice::new(pull.window, None, (to - from).unsigned_abs());
    change(&mut pull, &mut slice);
    let spans = (from..to).map(|n| of(span("a", &format!("t{n}"), "s", None, Some(n)), "arize"));
    let mut import = store.begin();
    let spans: Vec<Row> = spans.collect();
    if !spans.is_empty() {
        import.push(&batch(&spans)).unwrap();
    }
    store.commit_pulled(import, &pull, vec![slice], &Progress::default()).await.unwrap();
}

#[tokio::test]
async fn the_ledger_says_what_came_again_and_what_is_missing() {
    let store = memory();
    let columns = ["source", "spans", "duplicates_merged", "round_counts", "incomplete_pulls"];
    pulled(&store, 0, 50, |_, _| {}).await;
    let cap = "50 spans received by the pull of 2026-01-01T00:00:00Z to 2026-01-01T00:00:50Z";
    assert_eq!(
        quality(&store, &columns).await,
        [format!("arize | 50 | 0 | 50 spans in all; 50 traces in all; {cap} | 0")]
    );
    // Ten of them again. As many as were asked for are no surprise.
    pulled(&store, 40, 140, |pull, _| pull.limit = Some(100)).await;
    assert_eq!(quality(&store, &columns).await, [format!("arize | 140 | 10 | {cap} | 0")]);
    // More was announced than came.
    pulled(&store, 200, 300, |_, slice| slice.announced = Some(101)).await;
    let second = "100 spans received by the pull of 2026-01-01T00:03:20Z to 2026-01-01T00:05:00Z";
    assert_eq!(quality(&store, &columns).await, [format!("arize | 240 | 10 | {second}; {cap} | 1")]);
    for n in 0..3 {
        pulled(&store, 1_000 + n * 50, 1_050 + n * 50, |_, _| {}).await;
    }
    let rows = quality(&store, &["round_counts"]).await;
    assert!(rows[0].ends_with("; and 2 more pulls"), "{rows:?}");
    assert_eq!(rows[0].matches("50 spans received").count(), 3, "{rows:?}");
    // Spans from files are no part of it.
    import(&store, &[batch(&[span("a", "f", "s", None, Some(0))])]).await.unwrap();
    let rows = quality(&store, &["source", "duplicates_merged", "incomplete_pulls"]).await;
    assert_eq!(rows, ["arize | 10 | 1", "file | - | 0"]);
}

#[tokio::test]
async fn the_report_counts_traces_and_pulls_once() {
    let store = memory();
    // One trace of two sources, neither of which has a root; two projects with a cut pull each, one of which brought
    // nothing.
    import(&store, &[batch(&[span("b", "t", "x", Some("gone"), Some(0))])]).await.unwrap();
    import(&store, &[batch(&[of(span("b", "t", "y", Some("gone"), Some(1)), "phoenix")])]).await.unwrap();
    pulled(&store, 0, 2, |_, slice| slice.announced = Some(3)).await;
    pulled(&store, 10, 10, |pull, slice| {
        pull.key.into = "c".into();
        pull.window = seconds(10, 12);
        *slice = Slice::new(pull.window, None, 0);
        slice.announced = Some(5);
    })
    .await;
    let engine = engine(store.snapshot().await.unwrap()).await;
    let report = built_in_reports().into_iter().find(|report| report.name == "quality").unwrap();
    let totals = report.blocks().find(|block| block.name == "totals").unwrap();
    let row = &ask_rows(&engine, &totals.sql).await.unwrap()[0];
    let found = ["spans", "traces", "rootless_traces", "orphans", "incomplete_pulls"].map(|name| row[name].as_str());
    assert_eq!(found, ["4", "3", "1", "2", "2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn demo_spans_are_counted_as_sql_counts_them() {
    const COUNTED: &str = "
        SELECT s.project, s.source, count(*) AS spans, count(DISTINCT s.trace_id) AS traces,
               count(DISTINCT s.trace_id) FILTER (WHERE t.root_count = 0) AS rootless_traces,
               count(*) FILTER (WHERE tree.orphan) AS orphans, count(*) FILTER (WHERE tree.cycle) AS cycles,
               count(*) FILTER (WHERE s.end_time IS NULL) AS unfinished_spans,
               count(*) FILTER (WHERE s.start_time IS NULL) AS no_start_spans,
               count(*) FILTER (WHERE s.end_time < s.start_time) AS reversed_spans,
               min(s.start_time) AS first_start, max(s.start_time) AS last_start
        FROM spans s JOIN traces t ON s.trace_id = t.trace_id AND s.project = t.project
        GROUP BY s.project, s.source ORDER BY s.project, s.source";
    const GAPS: &str = "
        SELECT project, max(gap) AS largest_gap_ms,
               first_value(before ORDER BY gap DESC, before) AS largest_gap_start
        FROM (SELECT project, lag(start_time) OVER w AS before,
                     CAST(CAST(start_time AS BIGINT) - CAST(lag(start_time) OVER w AS BIGINT) AS DOUBLE) / 1e6 AS gap
              FROM spans WHERE start_time IS NOT NULL WINDOW w AS (PARTITION BY project ORDER BY start_time)) AS g
        WHERE gap IS NOT NULL GROUP BY project ORDER BY project";
    const EARLY: &str = "
        SELECT c.project, count(*) AS spans
        FROM spans c JOIN spans p ON p.project = c.project AND p.trace_id = c.trace_id AND p.span_id = c.parent_id
        WHERE CAST(p.start_time AS BIGINT) - CAST(c.start_time AS BIGINT) > 1000000000
        GROUP BY c.project";
    let store = memory();
    // Several segments of a project, so that the scan has several partitions.
    for seed in 1..4 {
        import(&store, &demo(seed, 5_000)).await.unwrap();
    }
    let engine = engine(store.snapshot().await.unwrap()).await;
    let mut found = ask_rows(&engine, ALL).await.unwrap();
    let gaps = ask_rows(&engine, GAPS).await.unwrap();
    let early = ask_rows(&engine, EARLY).await.unwrap();
    assert!(found.len() > 1, "{found:?}");
    for row in &mut found {
        let gap = gaps.iter().find(|gap| gap["project"] == row["project"]).unwrap();
        assert_eq!(row.remove("largest_gap_ms"), gap.get("largest_gap_ms").cloned(), "{row:?}");
        assert_eq!(row.remove("largest_gap_start"), gap.get("largest_gap_start").cloned(), "{row:?}");
        assert_eq!(row.remove("incomplete_pulls").as_deref(), Some("0"));
        row.remove("round_counts");
        let early = early.iter().find(|early| early["project"] == row["project"]).map(|early| early["spans"].clone());
        assert_eq!(row.remove("early_spans"), Some(early.unwrap_or_else(|| "0".to_owned())), "{row:?}");
        let made_here = ["truncated_values", "verdict", "reasons"].map(|name| row.remove(name).unwrap_or_default());
        assert_eq!(made_here, ["0", "complete", "[]"]);
    }
    assert_eq!(found, ask_rows(&engine, COUNTED).await.unwrap());
    assert!(found.iter().any(|row| row["orphans"] != "0") && found.iter().any(|row| row["cycles"] != "0"));
    // Behind a condition, an order and a projection it is a table like any other.
    let sql = "SELECT sum(spans) AS n FROM quality WHERE source = 'demo' AND project IS NOT NULL";
    assert_eq!(
        ask_rows(&engine, sql).await.unwrap()[0]["n"],
        store.snapshot().await.unwrap().manifest.rows().to_string()
    );
    let prepared = engine.prepare("SELECT max(orphans) FROM quality", &Params::new()).await.unwrap();
    assert!(prepared[0].reads_spans());
}
