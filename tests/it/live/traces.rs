//! `traces_where` on a live table: which traces match, then all of their spans.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use datafusion::datasource::MemTable;
use datafusion::logical_expr::{ident, lit};
use futures::StreamExt;
use spanql::engine::{Params, Relation, Selected};
use spanql::model::time;
use spanql::sources::{ExportRequest, Window};
use spanql_filter::columns;

use super::fake::Fake;
use super::{Cell, DAY, FROM, ask, batch, span};

const REMOTE: &str = "'arize.my-project'";

/// Traces of three spans each, an hour apart, in batches of which each cuts one; the second span of every fourth trace
/// failed.
fn traces(count: usize) -> Vec<RecordBatch> {
    let spans: Vec<_> = (0..3 * count)
        .map(|n| {
            let (trace, place) = (n / 3, n % 3);
            let failed = place == 1 && trace.is_multiple_of(4);
            let cells = [
                ("status_code", Cell::text(if failed { "ERROR" } else { "OK" })),
                ("attributes.place", Cell::Int(place as i64)),
                ("attributes.metadata", Cell::text(format!(r#"{{"trace": {trace}}}"#))),
            ];
            span(&format!("t{trace:05}"), &format!("s{n:05}"), trace as i64 * 3_600 + place as i64, &cells)
        })
        .collect();
    spans.chunks(100).map(batch).collect()
}

fn where_sql(condition: &str, table: &str) -> String {
    format!("traces_where('{}', {table})", condition.replace('\'', "''"))
}

/// The ids that a request names, and the rest of what it asks.
fn asked(request: &ExportRequest) -> String {
    request.filters.iter().map(ToString::to_string).collect::<Vec<_>>().join(" AND ")
}

#[tokio::test]
async fn live_and_stored_traces_are_the_same() {
    let batches = traces(40);
    let stored = concat_batches(&batches[0].schema(), &batches).unwrap();
    let stored = spanql::model::ingest::convert_batch(
        &stored,
        &spanql::model::ingest::Origin { source: "arize", project: "my-project".into(), force_project: true },
    )
    .unwrap()
    .batch;
    for filters in [true, false] {
        let (engine, _) = Fake { filters, ..Fake::of(batches.clone()) }.engine();
        let table = MemTable::try_new(stored.schema(), vec![vec![stored.clone()]]).unwrap();
        engine.register("spans", Relation::Spans { table: Arc::new(table), rest: Arc::default() }).await.unwrap();
        for (condition, rows) in [
            ("status_code = 'ERROR'", 30),
            ("status_code = 'ERROR' AND attributes.place = 1", 30),
            ("status_code = 'ERROR' AND attributes.place = '2'", 0),
            ("name = 'span s00004' OR span_id = 's00118'", 6),
            ("trace_id = 't00007'", 3),
            ("NOT status_code = 'OK' AND attributes.place > 0.5", 30),
        ] {
            for outer in ["true", "attributes.place <> 1", "status_code LIKE 'OK'"] {
                let sql = |table: &str| {
                    let rows = where_sql(condition, table);
                    format!("SELECT span_id, name, attributes.place FROM {rows} WHERE {FROM} AND {outer}")
                };
                let live = ask(&engine, &sql(REMOTE)).await.unwrap();
                let stored = ask(&engine, &sql("'spans'")).await.unwrap();
                assert_eq!(live.rows, stored.rows, "{condition}, {outer}, {filters}");
                assert!(outer != "true" || live.rows.len() == rows, "{condition}: {}", live.rows.len());
                assert!(live.notes.is_empty() && live.remarks.is_empty(), "{live:?}");
            }
            let count = format!("SELECT count(*) FROM {} WHERE {FROM}", where_sql(condition, REMOTE));
            assert_eq!(ask(&engine, &count).await.unwrap().rows, [rows.to_string()], "{condition}");
        }
        let keys = format!("SELECT metadata.trace FROM {} WHERE {FROM}", where_sql("metadata.trace = 3", REMOTE));
        assert_eq!(ask(&engine, &keys).await.unwrap().rows, ["3"; 3]);
    }
}

fn at(text: &str) -> i64 {
    time::parse(text).unwrap()
}

#[tokio::test]
async fn the_first_request_is_narrow_and_the_second_names_the_traces() {
    let (engine, log) = Fake { filters: true, ..Fake::of(traces(40)) }.engine();
    let condition =
        "status_code = 'ERROR' AND start_time >= '2026-01-01T03:00:00Z' AND start_time < '2026-01-01T09:00:00Z'";
    let answer = ask(&engine, &format!("SELECT span_id FROM {}", where_sql(condition, REMOTE))).await.unwrap();
    assert_eq!(answer.rows, ["s00012", "s00013", "s00014", "s00024", "s00025", "s00026"]);
    assert!(answer.notes.is_empty(), "{answer:?}");
    let requests = log.requests();
    let [first, second] = requests.as_slice() else { panic!("{requests:?}") };
    let (start, end) = (at("2026-01-01T03:00:00Z"), at("2026-01-01T09:00:00Z"));
    assert_eq!(first.window, Window { start, end });
    assert_eq!(
        first.columns.as_ref().unwrap()[..],
        ["context.trace_id", "context.span_id", "start_time", "status_code"]
    );
    assert!(asked(first).contains("status_code = "), "{}", asked(first));
    assert_eq!(second.window, Window { start: start - DAY, end: end + DAY });
    assert_eq!(second.columns.as_ref().unwrap()[..], ["context.trace_id", "context.span_id", "start_time"]);
    assert!(asked(second).contains("context.trace_id IN ([Utf8(\"t00004\"), Utf8(\"t00008\")])"), "{}", asked(second));
    assert_eq!(log.streams(), (2, 0));
    assert!(requests.iter().all(|request| request.limit.is_none()));
}

#[tokio::test]
async fn bounds_around_cut_both_windows() {
    let (engine, log) = Fake { filters: true, ..Fake::of(traces(40)) }.engine();
    let bounds = "start_time >= '2026-01-01T08:00:01Z' AND start_time < '2026-01-01T10:00:00Z'";
    let sql = format!("SELECT span_id FROM {} WHERE {bounds}", where_sql("status_code = 'ERROR'", REMOTE));
    let answer = ask(&engine, &sql).await.unwrap();
    // The trace begins before the bounds.
    assert_eq!(answer.rows, ["s00025", "s00026"]);
    assert!(answer.notes.is_empty(), "{answer:?}");
    let (start, end) = (at("2026-01-01T08:00:01Z"), at("2026-01-01T10:00:00Z"));
    let windows: Vec<Window> = log.requests().iter().map(|request| request.window).collect();
    assert_eq!(windows, [Window { start: start - DAY, end: end + DAY }, Window { start, end }]);

    // Without any bound, the default, and a note.
    let (engine, log) = Fake { filters: true, ..Fake::of(traces(4)) }.engine();
    let answer = ask(&engine, &format!("SELECT span_id FROM {}", where_sql("true = true", REMOTE))).await;
    assert!(answer.is_err(), "{answer:?}");
    let sql = format!("SELECT span_id FROM {}", where_sql("status_code = 'ERROR'", REMOTE));
    let answer = ask(&engine, &sql).await.unwrap();
    assert_eq!(answer.notes, ["no lower bound on start_time: the last 30 days are read (arize.my-project)"]);
    assert_eq!(log.requests().len(), 1, "no trace matches, so no spans are asked for");
    assert!(answer.rows.is_empty());
    let never = format!("SELECT span_id FROM {} WHERE start_time = NULL", where_sql("status_code = 'ERROR'", REMOTE));
    assert!(ask(&engine, &never).await.unwrap().rows.is_empty());
    assert_eq!(log.requests().len(), 1);
}

#[tokio::test]
async fn many_traces_are_asked_for_a_thousand_at_a_time() {
    for filters in [true, false] {
        let (engine, log) = Fake { filters, ..Fake::of(traces(2_200)) }.engine();
        let sql = format!(
            "SELECT count(*), count(DISTINCT span_id) FROM {} WHERE {FROM}",
            where_sql("attributes.place = 1", REMOTE)
        );
        assert_eq!(ask(&engine, &sql).await.unwrap().rows, ["6600|6600"]);
        let requests = log.requests();
        assert_eq!(requests.len(), 4, "1 for the traces, and 3 for the spans");
        assert!(
            requests[1..].iter().all(|request| request
                .filters
                .iter()
                .flat_map(columns)
                .any(|name| name == "context.trace_id"))
        );
        // Who has enough asks no more.
        let (engine, log) = Fake { filters, ..Fake::of(traces(2_200)) }.engine();
        let sql = format!("SELECT span_id FROM {} WHERE {FROM} LIMIT 5", where_sql("attributes.place = 1", REMOTE));
        assert_eq!(ask(&engine, &sql).await.unwrap().rows.len(), 5);
        assert_eq!(log.requests().len(), 2);
    }
}

/// Each condition is met by a span of every trace, but for the last one.
#[tokio::test]
async fn any_number_of_conditions_can_be_asked_of_a_trace() {
    for conditions in [1_i64, 2, 63, 64, 65, 66, 130] {
        for limit in [None, Some(1)] {
            let (engine, _) = Fake { filters: true, ..Fake::of(traces(8)) }.engine();
            let met = (1..conditions).map(|n| ident("attributes.place").gt(lit(-n)));
            let any_span = met.chain([ident("status_code").eq(lit("ERROR"))]).collect();
            let selected = Selected::WholeTraces { any_span, limit };
            engine.register_selected("found", "arize.my-project", selected).await.unwrap();
            let sql = format!("SELECT DISTINCT trace_id FROM found WHERE {FROM} ORDER BY trace_id");
            let answer = ask(&engine, &sql).await.unwrap();
            let expected: &[&str] = if limit.is_some() { &["t00004"] } else { &["t00000", "t00004"] };
            assert_eq!(answer.rows, expected, "{conditions} conditions");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropping_the_result_cancels_either_request() {
    for batches in [1, 200] {
        let (engine, log) = Fake::of(traces(3_000)).engine();
        let sql = format!("SELECT span_id FROM {} WHERE {FROM}", where_sql("attributes.place = 1", REMOTE));
        let prepared = engine.prepare(&sql, &Params::new()).await.unwrap().remove(0);
        let mut stream = prepared.execute().await.unwrap();
        let first = tokio::time::timeout(Duration::from_millis(batches), stream.next()).await;
        drop((first, stream));
        for _ in 0..200 {
            let (finished, cancelled) = log.streams();
            if finished + cancelled == log.requests().len() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let (finished, cancelled) = log.streams();
        assert_eq!(finished + cancelled, log.requests().len());
    }
}

#[tokio::test]
async fn explain_shows_both_phases() {
    let (engine, log) = Fake::of(traces(4)).engine();
    let sql =
        format!("EXPLAIN SELECT name FROM {} WHERE {FROM} AND name <> 'x'", where_sql("status_code = 'ERROR'", REMOTE));
    let plan = ask(&engine, &sql).await.unwrap().rows.join("\n");
    let second = plan.find("TracesWhereExec: requests=1000 traces or 32 kB of their ids each, source=arize").unwrap();
    let first = plan.find("RemoteScanExec: source=arize, project=my-project, window=[2025-12-31T00:00:00Z, ").unwrap();
    assert!(second < first, "{plan}");
    assert!(plan[second..first].contains("columns=[context.trace_id, context.span_id, name, start_time]"), "{plan}");
    assert!(plan[second..first].contains("context.trace_id IN "), "{plan}");
    assert!(plan[first..].contains("rest=[status_code = "), "{plan}");
    let tree =
        ask(&engine, &format!("EXPLAIN FORMAT TREE {}", &sql["EXPLAIN ".len()..])).await.unwrap().rows.join("\n");
    assert!(tree.contains("TracesWhereExec") && tree.contains("RemoteScanExec"), "{tree}");
    assert!(log.requests().is_empty());
    let plan = ask(&engine, &format!("EXPLAIN ANALYZE {}", &sql["EXPLAIN ".len()..])).await.unwrap().rows.join("\n");
    assert!(plan.contains("traces=1") && plan.contains("requests=1"), "{plan}");
}

#[tokio::test]
async fn what_a_remote_does_not_announce_is_said_and_what_it_lacks_remarked() {
    let (engine, _) = Fake { announces_more: Some(5), ..Fake::of(traces(4)) }.engine();
    let sql = format!("SELECT name, eval.a.score FROM {} WHERE {FROM}", where_sql("status_code = 'ERROR'", REMOTE));
    let answer = ask(&engine, &sql).await.unwrap();
    assert_eq!(answer.notes, ["arize.my-project does not announce eval.a.score (asked for all the same)"]);
    assert!(answer.remarks.iter().any(|remark| remark.incomplete), "{answer:?}");
    assert_eq!(answer.rows.len(), 3);
}
