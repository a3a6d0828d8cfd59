//! `structure` on a live table: candidate traces first, then all of their spans, and the tree is computed of them.

use arrow::array::RecordBatch;

use super::fake::Fake;
use super::{Cell, DAY, FROM, ask, batch, span};
use spanql::model::time;
use spanql::sources::Window;

/// Traces of four spans, an hour apart: an agent, a step, and below the step two calls, of which the second failed in
/// every fourth trace; each batch cuts a trace.
fn traces(count: usize) -> Vec<RecordBatch> {
    let spans: Vec<_> = (0..4 * count)
        .map(|n| {
            let (trace, place) = (n / 4, n % 4);
            let failed = place == 3 && trace.is_multiple_of(4);
            let id = |place: usize| Cell::text(format!("s{trace:03}-{place}"));
            let mut cells = vec![
                ("status_code", Cell::text(if failed { "ERROR" } else { "OK" })),
                ("attributes.place", Cell::Int(place as i64)),
            ];
            match place {
                0 => {}
                1 => cells.push(("parent_id", id(0))),
                _ => cells.push(("parent_id", id(1))),
            }
            span(&format!("t{trace:03}"), &format!("s{trace:03}-{place}"), trace as i64 * 3_600 + place as i64, &cells)
        })
        .collect();
    spans.chunks(30).map(batch).collect()
}

fn structure(pattern: &str) -> String {
    format!("structure('{}', 'arize.my-project')", pattern.replace('\'', "''"))
}

#[tokio::test]
async fn the_tree_of_live_spans_is_computed() {
    for filters in [true, false] {
        for (pattern, expected, requests) in [
            ("{status_code = 'ERROR'} << {}", vec!["s000-0", "s000-1", "s004-0", "s004-1"], 2),
            ("{status_code = 'ERROR'} ~ {}", vec!["s000-2", "s004-2"], 2),
            ("{} > {status_code = 'ERROR'}", vec!["s000-3", "s004-3"], 2),
            ("{attributes.place = 1} !> {status_code = 'ERROR'}", vec!["s001-1", "s002-1", "s003-1", "s005-1"], 2),
            ("{} !< {}", vec!["s000-0", "s001-0", "s002-0", "s003-0", "s004-0", "s005-0"], 1),
            ("{tree.depth = 1} >> {status_code = 'ERROR'}", vec!["s000-3", "s004-3"], 2),
            ("{tree.children = 2} !>> {status_code = 'ERROR'}", vec!["s001-1", "s002-1", "s003-1", "s005-1"], 1),
        ] {
            let (engine, log) = Fake { filters, ..Fake::of(traces(6)) }.engine();
            let sql = format!("SELECT span_id FROM {} WHERE {FROM}", structure(pattern));
            let answer = ask(&engine, &sql).await.unwrap();
            assert_eq!(answer.rows, expected, "{pattern}");
            assert!(answer.notes.is_empty() && answer.remarks.is_empty(), "{answer:?}");
            assert_eq!(log.requests().len(), requests, "{pattern}");
        }
    }
}

#[tokio::test]
async fn bounds_around_never_cut_a_trace() {
    let (engine, log) = Fake { filters: true, ..Fake::of(traces(6)) }.engine();
    let bounds = "start_time >= '2026-01-01T04:00:03Z' AND start_time < '2026-01-01T05:00:00Z'";
    let sql = format!("SELECT span_id FROM {} WHERE {bounds}", structure("{attributes.place = 0} >> {}"));
    // The agent starts before the bounds.
    assert_eq!(ask(&engine, &sql).await.unwrap().rows, ["s004-3"]);
    let sql = format!("SELECT span_id FROM {} WHERE {bounds}", structure("{} < {}"));
    assert!(ask(&engine, &sql).await.unwrap().rows.is_empty());
    let sql = format!("SELECT span_id FROM {} WHERE {bounds}", structure("{} > {}"));
    assert_eq!(ask(&engine, &sql).await.unwrap().rows, ["s004-3"]);
    let at = |text: &str| time::parse(text).unwrap();
    let last = log.requests().last().unwrap().window;
    let (start, end) = (at("2026-01-01T04:00:03Z") - DAY, at("2026-01-01T05:00:00Z") + DAY);
    assert_eq!(last, Window { start, end });
}

#[tokio::test]
async fn explain_shows_the_pattern_and_both_phases() {
    let (engine, log) = Fake::of(traces(4)).engine();
    let sql = format!("EXPLAIN SELECT name FROM {} WHERE {FROM}", structure("{status_code = 'ERROR'} << {}"));
    let plan = ask(&engine, &sql).await.unwrap().rows.join("\n");
    let said = "StructureExec: pattern={status_code = 'ERROR'} << {}, side=right, tree=computed";
    let places = [said, "TracesWhereExec: ", "RemoteScanExec: "].map(|part| plan.find(part).unwrap());
    assert!(places.is_sorted(), "{plan}");
    assert!(log.requests().is_empty());
}
