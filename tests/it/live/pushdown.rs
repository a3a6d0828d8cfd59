//! What a statement asks of a remote: columns, window, limit.

use std::sync::Arc;
use std::time::Duration;

use datafusion::datasource::MemTable;
use futures::StreamExt;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use spanql::engine::{Params, Relation};
use spanql::model::time;
use spanql::sources::Window;

use super::fake::{Fake, Log};
use super::{BASE_TIME, DAY, FROM, SECOND, ask, batch, now, plain, recent, span};

/// Waits until a dropped stream has reached the remote, which may take tasks of other threads a moment.
async fn cancelled(log: &Log) -> bool {
    for _ in 0..200 {
        if log.streams() == (0, 1) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

#[tokio::test]
async fn only_columns_that_are_needed_are_asked_for() {
    for (items, expected) in [
        ("count(*)", &[][..]),
        ("span_id", &[]),
        ("project, source", &[]),
        ("name, kind", &["name", "attributes.openinference.span.kind"]),
        ("avg(latency_ms)", &["end_time"]),
        ("metadata.tier", &["attributes.metadata"]),
        ("event.attributes", &["events"]),
        ("eval.a.label, cost", &["attributes.llm.cost.total", "eval.a.label"]),
    ] {
        let (engine, log) = Fake::of(plain(1, 2)).engine();
        ask(&engine, &format!("SELECT {items} FROM arize.\"my-project\" WHERE {FROM}")).await.unwrap();
        let columns = log.request().columns.unwrap();
        let beyond: Vec<&String> = columns
            .iter()
            .filter(|name| !["context.trace_id", "context.span_id", "start_time"].contains(&name.as_str()))
            .collect();
        assert_eq!(beyond, expected, "{items}");
        assert_eq!(columns.len(), expected.len() + 3, "{items}");
    }
    let (engine, log) = Fake::of(plain(1, 2)).engine();
    let sql =
        format!("SELECT span_id FROM arize.\"my-project\" WHERE {FROM} AND status_code = 'OK' ORDER BY name LIMIT 3");
    ask(&engine, &sql).await.unwrap();
    assert_eq!(log.request().columns.unwrap()[2..], ["name", "start_time", "status_code"]);
    assert_eq!(log.request().limit, None);
}

fn at(text: &str) -> i64 {
    time::parse(text).unwrap()
}

#[tokio::test]
async fn bounds_become_the_window() {
    let december = (at("2025-12-01"), at("2026-01-01"));
    for (bounds, (start, end)) in [
        ("start_time >= '2025-12-01' AND start_time < '2026-01-01'", december),
        ("'2025-12-01' <= start_time AND NOT start_time >= '2026-01-01T00:00:00Z'", december),
        ("start_time >= timestamp '2025-12-01' AND start_time < timestamp '2026-01-01 00:00:00'", december),
        ("start_time >= '2025-12-01T02:00:00+02:00' AND start_time < date '2026-01-01'", december),
        ("start_time >= to_timestamp('2025-12-01') AND start_time < to_timestamp_seconds(1767225600)", december),
        ("start_time BETWEEN '2025-12-01' AND '2025-12-31T23:59:59.999999999'", december),
        ("start_time >= '2025-11-01'::timestamp + interval '30 days' AND start_time < '2026-01-01'", december),
        (
            "(start_time >= '2025-12-01' AND start_time < '2025-12-02' OR start_time >= '2025-12-30') \
          AND start_time < '2026-01-01'",
            december,
        ),
        ("start_time >= '2025-12-01' AND start_time < '2026-01-01' AND (name = 'x' OR latency_ms > 5)", december),
        ("start_time > '2025-12-01' AND start_time <= '2026-01-01'", (december.0 + 1, december.1 + 1)),
        ("start_time = '2025-12-01'", (december.0, december.0 + 1)),
        ("start_time IN ('2025-12-01', '2025-12-31')", (december.0, at("2025-12-31") + 1)),
        ("start_time::date = '2025-12-01'", (december.0, at("2025-12-02"))),
        ("start_time::date >= '2025-12-01' AND start_time::date < '2026-01-01'", december),
    ] {
        let (engine, log) = Fake::of(plain(1, 2)).engine();
        let answer = ask(&engine, &format!("SELECT count(*) FROM arize.\"my-project\" WHERE {bounds}")).await.unwrap();
        assert_eq!(log.request().window, Window { start, end }, "{bounds}");
        assert!(answer.notes.is_empty(), "{bounds}: {answer:?}");
    }
}

#[tokio::test]
async fn open_ends_have_defaults() {
    let soon = |time: i64| (now() - 60 * SECOND..=now()).contains(&time);
    for (bounds, note) in [
        ("", "no lower bound on start_time: the last 30 days are read (arize.my-project)"),
        ("WHERE name = 'x'", "no lower bound on start_time: the last 30 days are read (arize.my-project)"),
        (
            "WHERE start_time > '2026-01-01' OR name = 'x'",
            "no lower bound on start_time: the last 30 days are read (arize.my-project)",
        ),
    ] {
        let (engine, log) = Fake::of(plain(1, 2)).engine();
        let answer = ask(&engine, &format!("SELECT count(*) FROM arize.\"my-project\" {bounds}")).await.unwrap();
        let window = log.request().window;
        assert!(soon(window.end) && window.end - window.start == 30 * DAY, "{bounds}: {window:?}");
        assert_eq!(answer.notes, [note]);
    }
    let (engine, log) = Fake::of(plain(1, 2)).engine();
    let answer =
        ask(&engine, "SELECT count(*) FROM arize.\"my-project\" WHERE start_time < '2026-01-31'").await.unwrap();
    assert_eq!(log.request().window, Window { start: at("2026-01-01"), end: at("2026-01-31") });
    assert_eq!(answer.rows, ["2"]);
    assert_eq!(
        answer.notes,
        ["no lower bound on start_time: the 30 days before 2026-01-31T00:00:00Z are read (arize.my-project)"]
    );
    let (engine, log) = Fake::of(plain(1, 2)).engine();
    let day = "SELECT count(*) FROM arize.\"my-project\" WHERE start_time > now() - interval '1 day'";
    assert!(ask(&engine, day).await.unwrap().notes.is_empty());
    let window = log.request().window;
    assert!(soon(window.end) && soon(window.start + DAY), "{window:?}");
    // One note, however often the table is read.
    let (engine, _) = Fake::of(plain(1, 2)).engine();
    let twice = "SELECT count(*) FROM arize.\"my-project\" a JOIN arize.\"my-project\" b USING (span_id)";
    assert_eq!(ask(&engine, twice).await.unwrap().notes.len(), 1);
}

#[tokio::test]
async fn nothing_is_read_where_nothing_can_pass() {
    for bounds in [
        "start_time < '2026-01-01' AND start_time > '2026-01-01'",
        "start_time = NULL",
        "start_time > '2026-01-02' AND start_time IN ('2026-01-01', '2026-01-02')",
        "false",
    ] {
        let (engine, log) = Fake::of(plain(1, 2)).engine();
        let sql = format!("SELECT name FROM arize.\"my-project\" WHERE {bounds}");
        let answer = ask(&engine, &sql).await.unwrap();
        assert!(answer.rows.is_empty() && log.requests().is_empty(), "{bounds}: {answer:?}");
        let plan = ask(&engine, &format!("EXPLAIN {sql}")).await.unwrap().rows.join("\n");
        assert!(plan.contains("EmptyExec"), "{bounds}: {plan}");
    }
}

#[tokio::test]
async fn explain_shows_the_request_and_sends_nothing() {
    let (engine, log) = Fake::of(plain(1, 2)).engine();
    let sql = "EXPLAIN SELECT name FROM arize.\"my-project\" \
               WHERE start_time >= '2026-01-01' AND start_time < '2026-01-02T00:00:00.5Z'";
    let plan = ask(&engine, sql).await.unwrap().rows.join("\n");
    let request = "RemoteScanExec: source=arize, project=my-project, \
                   window=[2026-01-01T00:00:00Z, 2026-01-02T00:00:00.500Z), \
                   columns=[context.trace_id, context.span_id, name, start_time], request={modelId: my-project}";
    assert!(plan.contains(request), "{plan}");
    assert!(plan.contains("FilterExec: start_time"), "{plan}");
    let open = ask(&engine, "EXPLAIN SELECT * FROM arize.\"my-project\" LIMIT 5").await.unwrap().rows.join("\n");
    assert!(open.contains(") (no lower bound given), columns=all, limit=5"), "{open}");
    let tree = ask(&engine, "EXPLAIN FORMAT TREE SELECT name FROM arize.\"my-project\"").await.unwrap().rows.join("\n");
    assert!(tree.contains("project: my-project"), "{tree}");
    assert!(log.requests().is_empty());
    let analyze = format!("EXPLAIN ANALYZE SELECT name FROM arize.\"my-project\" WHERE {FROM}");
    let plan = ask(&engine, &analyze).await.unwrap().rows.join("\n");
    assert!(plan.contains("rows_received=2") && plan.contains("bytes_received="), "{plan}");
}

#[tokio::test]
async fn a_limit_ends_the_stream() {
    let (plain_engine, plain_log) = Fake { announces_more: Some(0), ..Fake::of(recent(50, 2)) }.engine();
    let answer = ask(&plain_engine, "SELECT name FROM arize.\"my-project\" LIMIT 3").await.unwrap();
    assert_eq!(answer.rows.len(), 3);
    assert!(answer.remarks.is_empty(), "{answer:?}");
    assert_eq!((plain_log.request().limit, plain_log.streams()), (Some(3), (0, 1)));
    assert!(plain_log.batches() <= 3, "{}", plain_log.batches());

    let (engine, log) = Fake { announces_more: Some(0), ..Fake::of(plain(50, 10)) }.engine();
    let sql = format!("SELECT name FROM arize.\"my-project\" WHERE {FROM} AND name LIKE 'span%' LIMIT 12");
    let answer = ask(&engine, &sql).await.unwrap();
    assert_eq!(answer.rows.len(), 12);
    assert_eq!(log.request().limit, None, "rows that do not pass are not among the twelve");
    assert!(cancelled(&log).await, "{:?}", log.streams());
    assert!(log.batches() <= 3, "{}", log.batches());
    assert!(answer.remarks.is_empty(), "{answer:?}");

    let (engine, log) = Fake::of(plain(3, 10)).engine();
    let sql = "SELECT count(*) FROM (SELECT * FROM arize.\"my-project\" WHERE start_time < '2026-01-20' LIMIT 7 OFFSET 2) AS q";
    assert_eq!(ask(&engine, sql).await.unwrap().rows, ["7"]);
    assert_eq!(log.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropping_the_result_cancels_the_request() {
    let (engine, log) = Fake::of(plain(500, 10)).engine();
    let sql = format!("SELECT name, count(*) OVER (PARTITION BY trace_id) FROM arize.\"my-project\" WHERE {FROM}");
    for sql in [format!("SELECT name FROM arize.\"my-project\" WHERE {FROM} AND latency_ms > 1"), sql] {
        let before = log.streams();
        let prepared = engine.prepare(&sql, &Params::new()).await.unwrap().remove(0);
        let mut stream = prepared.execute().await.unwrap();
        let first = tokio::time::timeout(Duration::from_millis(20), stream.next()).await;
        drop((first, stream));
        for _ in 0..200 {
            if log.streams() != before {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let after = log.streams();
        assert_eq!(after.0 + after.1, log.requests().len(), "{sql}: {before:?} {after:?}");
    }
    // A statement that is never run asks nothing.
    let sent = log.requests().len();
    drop(engine.prepare(&sql_of_nothing(), &Params::new()).await.unwrap());
    assert_eq!(log.requests().len(), sent);
}

fn sql_of_nothing() -> String {
    format!("SELECT name FROM arize.\"my-project\" WHERE {FROM}")
}

/// A condition on the start time as SQL, over the ten days before today.
fn conditions(base: i64) -> impl Strategy<Value = String> {
    let time = (0..80i64, prop::sample::select(vec![0, 1, -1, 500_000_000]))
        .prop_map(move |(eighth, nanos)| base + eighth * (DAY / 8) + nanos);
    let text = time.prop_map(|nanos| {
        chrono::DateTime::from_timestamp_nanos(nanos).to_rfc3339_opts(chrono::SecondsFormat::Nanos, true)
    });
    let operator = prop::sample::select(vec!["<", "<=", ">", ">=", "=", "<>"]);
    let leaf = prop_oneof![
        6 => (operator.clone(), text.clone()).prop_map(|(op, at)| format!("start_time {op} '{at}'")),
        2 => (operator.clone(), text.clone()).prop_map(|(op, at)| format!("timestamp '{at}' {op} start_time")),
        1 => (operator, text.clone()).prop_map(|(op, at)| format!("start_time::date {op} '{}'", &at[..10])),
        2 => (text.clone(), text.clone()).prop_map(|(a, b)| format!("start_time BETWEEN '{a}' AND '{b}'")),
        1 => (text.clone(), text).prop_map(|(a, b)| format!("start_time NOT IN ('{a}', '{b}')")),
        1 => Just("start_time IS NOT NULL".to_owned()),
        1 => Just("name = 'span s3'".to_owned()),
        1 => Just("name <> 'span s3'".to_owned()),
    ];
    leaf.prop_recursive(4, 16, 2, |inner| {
        prop_oneof![
            3 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} AND {b})")),
            3 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} OR {b})")),
            1 => inner.prop_map(|a| format!("NOT ({a})")),
        ]
    })
}

/// Whatever a statement asks of the start time, it finds the same spans live as in a table that is read whole.
#[tokio::test]
async fn no_window_loses_a_row() {
    let base = (now() / DAY - 11) * DAY;
    let seconds = (base - BASE_TIME) / SECOND;
    let spans: Vec<_> =
        (0..81).map(|n| span(&format!("t{n}"), &format!("s{n}"), seconds + n * (DAY / SECOND / 8), &[])).collect();
    let spans = batch(&spans);
    let (engine, log) = Fake::of(vec![spans.clone()]).engine();
    let table = MemTable::try_new(spans.schema(), vec![vec![spans]]).unwrap();
    engine.register("spans", Relation::Spans { table: Arc::new(table), rest: Arc::default() }).await.unwrap();
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let strategy = conditions(base);
    let mut narrowed = 0;
    for _ in 0..80 {
        let condition = strategy.new_tree(&mut runner).unwrap().current();
        let answer = |table: &str| format!("SELECT span_id FROM {table} WHERE {condition}");
        let live = ask(&engine, &answer("arize.\"my-project\"")).await.unwrap();
        let whole = ask(&engine, &answer("spans")).await.unwrap();
        assert_eq!(live.rows, whole.rows, "{condition}: {:?}", log.requests().last());
        narrowed += usize::from(live.notes.is_empty());
    }
    assert!(narrowed > 20, "most conditions bound the window: {narrowed}");
}
