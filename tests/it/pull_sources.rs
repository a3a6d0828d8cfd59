//! Pulls from any source: slices, ledger and resuming do not ask which one it is.

use std::sync::Arc;

use datafusion::prelude::{ident, lit};
use spanql::engine::StoreEngine;
use spanql::filter::Unknown;
use spanql::pull::{
    CountPrecision, PullError, PullEvent, PullOptions, PullProgress, PullSummary, Puller, count, plan, pull,
    remote_columns, resolve,
};
use spanql::sources::{SpanSource, Window};
use spanql::store::{Status, Store};

use super::live::{ask, refused};
use super::memory_remote::Memory;
use super::pull_support::{SECOND, empty, rows, seconds, wire};
use super::support::{self, BASE_TIME, Cell, Row, assert_same};

const DAY: i64 = 86_400;

/// A remote with forty spans, five a day.
fn remote(name: &'static str, announces: bool) -> Arc<Memory> {
    Memory::new(name, "shop", wire(&rows(40, DAY / 5)), announces)
}

async fn options(source: &dyn SpanSource) -> PullOptions {
    let (key, note) = resolve(source, "shop", None).await.unwrap();
    assert_eq!((key.source.as_str(), key.remote.as_str(), note), (source.name(), "memory:", None));
    PullOptions::new(key)
}

async fn pulled(
    store: &Arc<Store>,
    source: &Arc<Memory>,
    options: &PullOptions,
    window: Window,
) -> Result<PullSummary, PullError> {
    let planned = plan(&store.ledger().await.unwrap(), options, window, chrono::Utc::now().timestamp_millis());
    let source: Arc<dyn SpanSource> = Arc::clone(source) as _;
    pull(store, &source, options, planned.pull, &Arc::new(PullProgress::default())).await
}

fn days(from: i64, to: i64) -> Window {
    seconds(from * DAY, to * DAY)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_pull_goes_on_whether_numbers_are_announced_or_not() {
    for announces in [true, false] {
        let (source, store) = (remote("phoenix", announces), empty());
        let mut options = options(source.as_ref()).await;
        (options.slice_rows, options.jobs) = (5, 2);
        source.breaks_from(Some(BASE_TIME + 5 * DAY * SECOND + DAY * SECOND / 2));
        let error = pulled(&store, &source, &options, days(0, 8)).await.unwrap_err();
        assert!(error.to_string().contains("nothing more today"), "{error}");
        let ledger = store.ledger().await.unwrap();
        assert_eq!((ledger.pulls.len(), ledger.pulls[0].status()), (1, Status::Incomplete));
        let landed = ledger.pulls[0].slices.iter().map(|slice| slice.window.end).max().unwrap();
        assert!(landed >= days(0, 4).end && landed <= days(0, 6).end, "{announces}: {landed}");

        source.asked();
        source.breaks_from(None);
        let summary = pulled(&store, &source, &options, days(0, 8)).await.unwrap();
        assert_eq!(summary.announced.is_some(), announces);
        let first = source.asked().first().unwrap().start;
        assert!(first >= days(0, 4).end, "{announces}: what had landed was asked for again");
        let whole = empty();
        pulled(&whole, &source, &options, days(0, 8)).await.unwrap();
        assert_same(&support::dump(&store).await.unwrap(), &support::dump(&whole).await.unwrap(), "resumed");
        assert_eq!(whole.snapshot().await.unwrap().manifest.rows(), 40);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_without_numbers_are_cut_by_what_came() {
    let (source, store) = (remote("phoenix", false), empty());
    let mut options = options(source.as_ref()).await;
    (options.slice_rows, options.jobs) = (1, 1);
    let summary = pulled(&store, &source, &options, days(0, 8)).await.unwrap();
    assert_eq!((summary.received, summary.new, summary.announced), (40, 40, None));
    let asked = source.asked();
    assert_eq!(asked[0], days(0, 1), "{asked:?}");
    assert!(asked.contains(&days(0, 8)), "{asked:?}");
    // After the first day, a slice holds about one span.
    assert!(asked.iter().filter(|window| window.length() < 2 * 3_600 * SECOND as u64 * 3).count() > 20, "{asked:?}");
    assert_eq!(store.ledger().await.unwrap().pulls[0].status(), Status::Complete);
}

#[tokio::test(flavor = "multi_thread")]
async fn looks_that_bring_nothing_leave_nothing() {
    let (source, store) = (remote("opik", false), empty());
    let options = PullOptions { record_empty: false, ..options(source.as_ref()).await };
    pulled(&store, &source, &options, days(20, 25)).await.unwrap();
    assert!(store.ledger().await.unwrap().pulls.is_empty());
    // Something at the end: the days before it hold nothing, and that is known then.
    pulled(&store, &source, &options, days(-3, 1)).await.unwrap();
    let pulls = store.ledger().await.unwrap().pulls;
    assert_eq!((pulls.len(), pulls[0].status(), pulls[0].received()), (1, Status::Complete, 5));
    // One that breaks after days without spans has not begun.
    source.breaks_from(Some(BASE_TIME));
    let other = empty();
    pulled(&other, &source, &options, days(-3, 1)).await.unwrap_err();
    assert!(other.ledger().await.unwrap().pulls.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_ends_a_stream_and_a_share_is_refused_where_there_is_none() {
    let (source, store) = (remote("phoenix", false), empty());
    let whole = options(source.as_ref()).await;
    let limited = PullOptions { limit: Some(6), ..whole.clone() };
    let summary = pulled(&store, &source, &limited, days(0, 8)).await.unwrap();
    assert_eq!((summary.stored, summary.limited, source.cancelled()), (6, true, 1));
    assert_eq!(store.ledger().await.unwrap().pulls[0].status(), Status::Sampled);

    source.asked();
    let mut share = whole;
    share.projection.sample_rate = Some(0.5);
    let refused = pulled(&store, &source, &share, days(0, 8)).await.unwrap_err();
    assert_eq!(refused.to_string(), "phoenix cannot be asked for a share of the traces");
    assert!(count(source.as_ref(), &share, days(0, 8)).await.is_err() && source.asked().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_counted_is_said() {
    let (says, silent) = (remote("opik", true), remote("phoenix", false));
    let whole = options(says.as_ref()).await;
    let counted = count(says.as_ref(), &whole, days(0, 8)).await.unwrap().unwrap();
    assert_eq!((counted.spans, counted.precision), (40, CountPrecision::Exact));
    let columns = remote_columns(says.as_ref(), "shop").await.unwrap();
    let errors = whole.only(ident("status_code").eq(lit("ERROR")), columns, Unknown::Error).unwrap();
    let counted = count(says.as_ref(), &errors, days(0, 8)).await.unwrap().unwrap();
    assert_eq!((counted.spans, counted.precision), (40, CountPrecision::AtMost));
    assert_eq!(count(silent.as_ref(), &options(silent.as_ref()).await, days(0, 8)).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_are_told_apart_in_one_project() {
    let store = empty();
    for name in ["arize", "phoenix", "opik"] {
        let source = remote(name, name != "phoenix");
        let (key, _) = resolve(source.as_ref(), "p-1", Some("all".into())).await.unwrap();
        assert_eq!((key.project.as_str(), key.into.as_str()), ("shop", "all"));
        let source: Arc<dyn SpanSource> = source;
        let puller = Puller { store: Arc::clone(&store), source, options: PullOptions::new(key) };
        let mut events = Vec::new();
        let summary = puller.pull_window(days(0, 8), |event| events.push(event)).await.unwrap();
        // The ids are the same: it is one span, of which the last source is kept.
        assert_eq!((summary.new, summary.updated), if name == "arize" { (40, 0) } else { (0, 40) });
        assert!(matches!(events.first(), Some(PullEvent::Started { .. })), "{events:?}");
    }
    let engine = StoreEngine::default().open(store.snapshot().await.unwrap()).await.unwrap();
    let pulls = ask(&engine, "SELECT source, status, received FROM pulls").await.unwrap();
    assert_eq!(pulls.rows, ["arize|complete|40", "opik|complete|40", "phoenix|complete|40"]);
    let spans = ask(&engine, "SELECT source, count(*) FROM spans GROUP BY source").await.unwrap();
    assert_eq!(spans.rows, ["opik|40"]);
    let quality = ask(&engine, "SELECT project, source, spans FROM quality").await.unwrap();
    assert_eq!(quality.rows, ["all|opik|40"]);
}

/// A span of a model with a cost.
fn call(n: usize, model: &str, cost: f64) -> Row {
    let mut row = rows(n + 1, 60).remove(n);
    row.insert("attributes.llm.model_name".into(), Cell::text(model));
    row.insert("attributes.llm.cost.total".into(), Cell::Float(cost));
    row
}

#[tokio::test(flavor = "multi_thread")]
async fn one_statement_asks_three_sources() {
    let store = empty();
    let engine = StoreEngine::default().open(store.snapshot().await.unwrap()).await.unwrap();
    let sources = [
        Memory::new("arize", "p", wire(&[call(0, "gpt-4o", 0.5), call(1, "haiku", 0.25)]), true),
        Memory::new("phoenix", "p", wire(&[call(2, "gpt-4o", 1.0)]), false),
        Memory::new("opik", "p", wire(&[call(1, "haiku", 2.0), call(4, "gpt-4o", 4.0)]), true),
    ];
    for source in &sources {
        engine.register_source(Arc::clone(source) as _);
    }
    let of = |name: &str| {
        let range = "start_time >= '2026-01-01' AND start_time < '2026-01-02'";
        format!("SELECT source, span_id, model, cost FROM {name}.\"p\" WHERE {range}")
    };
    let all = ["arize", "phoenix", "opik"].map(of).join(" UNION ALL ");
    let by_model = format!("SELECT model, sum(cost), count(DISTINCT source) FROM ({all}) GROUP BY model");
    assert_eq!(ask(&engine, &by_model).await.unwrap().rows, ["gpt-4o|5.5|3", "haiku|2.25|2"]);
    let joined =
        format!("SELECT a.model, a.cost, o.cost FROM ({}) a JOIN ({}) o USING (span_id)", of("arize"), of("opik"));
    assert_eq!(ask(&engine, &joined).await.unwrap().rows, ["haiku|0.25|2.0"]);
    assert!(sources.iter().all(|source| !source.asked().is_empty()));

    // Each says in its own words what is sent, and nothing is sent.
    let plan = ask(&engine, &format!("EXPLAIN {all}")).await.unwrap().rows.join("\n");
    for source in &sources {
        let name = source.name();
        assert!(plan.contains(&format!("source={name}, project=p")), "{plan}");
        assert!(plan.contains(&format!("words of: {name} about p")), "{plan}");
        assert!(source.asked().is_empty(), "{name}");
    }
    let filtered = "SELECT count(*) FROM spans_where('attributes.llm.cost.total > 1', 'opik.p') \
                    WHERE start_time >= '2026-01-01' AND start_time < '2026-01-02'";
    assert_eq!(ask(&engine, filtered).await.unwrap().rows, ["2"]);
    let said = refused(&engine, "SELECT name FROM opik.\"shop\"").await.to_string();
    assert!(said.contains("memory: has no project shop; it has p"), "{said}");
}
