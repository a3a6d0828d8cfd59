//! Windows and slices: what is asked for, and that their borders cannot be seen in the store.

use std::sync::Arc;

use arrow::array::RecordBatch;
use spanql::pull::{LATE_BRIEFLY, Planned, PullProgress, PullSummary, plan_new, pull};
use spanql::sources::Window;
use spanql::store::{Status, Store};

use super::pull_rogue::{Answer, End, Play, Rogue};
use super::pull_support::{Puller, SECOND, day, empty, rows, seconds, wire};
use super::support::{self, BASE_TIME, Cell, assert_same};

const SPANS: usize = 60;

/// A server of spans that answers with those of the window that it is asked for.
async fn by_window(batch: RecordBatch) -> Rogue {
    Rogue::start(move |call| Answer::Play(Play::of(&call.spans_of(&batch)))).await
}

/// The windows of the streams that a server was asked for, sorted; those of slices that were cut have no stream.
fn asked(rogue: &Rogue) -> Vec<Window> {
    let mut windows: Vec<Window> = rogue.calls().iter().map(super::pull_rogue::Call::window).collect();
    windows.sort();
    windows
}

async fn held(store: &Store) -> u64 {
    store.snapshot().await.unwrap().manifest.rows()
}

/// Pulls what is new at a time.
async fn pull_new(puller: &Puller, store: &Arc<Store>, now: i64) -> Vec<PullSummary> {
    let mut outcomes = Vec::new();
    let ledger = store.ledger().await.unwrap();
    for Planned { pull: planned, .. } in plan_new(&ledger, &puller.options, now, LATE_BRIEFLY, day()) {
        outcomes.push(
            pull(store, &puller.source, &puller.options, planned, &Arc::new(PullProgress::default())).await.unwrap(),
        );
    }
    outcomes
}

#[tokio::test(flavor = "multi_thread")]
async fn slices_and_jobs_leave_no_trace_in_the_store() {
    let rogue = by_window(wire(&rows(SPANS, 60))).await;
    let whole = empty();
    Puller::of_port(rogue.port).pull(&whole, day()).await.unwrap();
    assert_eq!(rogue.counts(), (1, 1));
    let expected = support::dump(&whole).await.unwrap();
    for (rows, jobs) in [(7, 1), (7, 8), (1, 3)] {
        let what = format!("{rows} spans, {jobs} jobs");
        let store = empty();
        let outcome = Puller::of_port(rogue.port).sliced(rows, jobs).pull(&store, seconds(0, 3_600)).await.unwrap();
        assert_eq!((outcome.received, outcome.announced, outcome.new), (60, Some(60), 60), "{what}");
        assert!(outcome.short.is_empty() && outcome.version >= 60 / (2 * rows), "{what}: {outcome:?}");
        assert_same(&support::dump(&store).await.unwrap(), &expected, &what);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn times_without_spans_take_no_commits() {
    let rogue = by_window(wire(&rows(SPANS, 60))).await;
    let store = empty();
    let year = 365 * 86_400;
    let window = seconds(-5 * year, 5 * year);
    let puller = Puller::of_port(rogue.port).sliced(10, 2);
    let outcome = puller.pull(&store, window).await.unwrap();
    assert_eq!((outcome.announced, outcome.new), (Some(60), 60));
    let (counted, streams) = rogue.counts();
    assert!(counted > 2 * streams, "{counted} times were asked for, {streams} have spans");
    // The beginning, and what has spans; the last time may be without.
    assert!(outcome.version <= streams as u64 + 2, "{} versions of {streams} slices with spans", outcome.version);
    let key = &puller.options.key;
    assert_eq!(store.ledger().await.unwrap().covered(key, &puller.options.projection), [window]);
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_may_begin_and_end_within_a_second() {
    let mut some = rows(40, 1);
    for (n, row) in some.iter_mut().enumerate() {
        row.insert("start_time".to_owned(), Cell::Time(BASE_TIME + n as i64 * SECOND / 4));
    }
    let rogue = by_window(wire(&some)).await;
    let store = empty();
    let puller = Puller::of_port(rogue.port).sliced(4, 2);
    let part = |from: i64, to: i64| Window { start: BASE_TIME + from * SECOND / 4, end: BASE_TIME + to * SECOND / 4 };
    for (from, to, asked_for) in [(2, 9, seconds(0, 3)), (9, 21, seconds(2, 6)), (21, 40, seconds(5, 10))] {
        rogue.set({
            let batch = wire(&some);
            move |call| Answer::Play(Play::of(&call.spans_of(&batch)))
        });
        let outcome = puller.pull(&store, part(from, to)).await.unwrap();
        assert!(outcome.short.is_empty(), "{outcome:?}");
        assert_eq!((outcome.stored, outcome.new), ((to - from) as u64, (to - from) as u64), "{outcome:?}");
        let windows = asked(&rogue);
        assert_eq!(windows.iter().map(|window| window.start).min(), Some(asked_for.start));
        assert_eq!(windows.iter().map(|window| window.end).max(), Some(asked_for.end));
        assert!(windows.iter().all(|window| window.start % SECOND == 0 && window.end % SECOND == 0), "{windows:?}");
    }
    assert_eq!(held(&store).await, 38);
    let key = &puller.options.key;
    assert_eq!(store.ledger().await.unwrap().covered(key, &puller.options.projection), [part(2, 40)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn new_spans_and_what_is_lacking_come_by_new() {
    let all = rows(SPANS, 60);
    let rogue = by_window(wire(&all[..30])).await;
    let store = empty();
    let puller = Puller::of_port(rogue.port).sliced(5, 2);
    // Nothing was pulled before: the window that was asked for otherwise.
    let first = pull_new(&puller, &store, seconds(0, 0).start).await;
    assert_eq!(first.len(), 1);
    assert_eq!((first[0].new, held(&store).await), (30, 30));

    // More came, after that window and some of it late.
    let mut late = rows(70, 60).split_off(60);
    for (n, row) in late.iter_mut().enumerate() {
        row.insert("start_time".to_owned(), Cell::Time(day().end + (n as i64 - 5) * 100 * SECOND));
    }
    let now: Vec<_> = all[..30].iter().chain(&late).cloned().collect();
    rogue.set(move |call| Answer::Play(Play::of(&call.spans_of(&wire(&now)))));
    let second = pull_new(&puller, &store, day().end + 3_600 * SECOND).await;
    assert_eq!(second.iter().map(|outcome| outcome.new).sum::<u64>(), 10);
    assert_eq!(asked(&rogue)[0].start, day().end - 600 * SECOND, "an overlap, and no more");
    assert_eq!(held(&store).await, 40);

    // A pull further on leaves a gap of two hours, in which there are spans.
    let hour = |hour: i64| day().end + hour * 3_600 * SECOND;
    let mut more = rows(90, 60).split_off(70);
    for (n, row) in more.iter_mut().enumerate() {
        row.insert("start_time".to_owned(), Cell::Time(hour(1) + n as i64 * 600 * SECOND));
    }
    rogue.set(move |call| match call.window().start >= hour(2) && call.window().start < hour(3) {
        true => {
            let lost = End::Status(tonic::Status::internal("lost"));
            Answer::Play(Play::of(&call.spans_of(&wire(&more))).ending(lost))
        }
        false => Answer::Play(Play::of(&call.spans_of(&wire(&more)))),
    });
    let hourly = puller.clone().sliced(6, 1);
    for window in [Window { start: hour(1), end: hour(2) }, Window { start: hour(2), end: hour(4) }] {
        let outcome = puller.pull(&store, window).await;
        assert_eq!(outcome.is_ok(), window.start == hour(1), "{outcome:?}");
    }
    hourly.pull(&store, Window { start: hour(4), end: hour(5) }).await.unwrap();
    let mut more = rows(90, 60).split_off(70);
    for (n, row) in more.iter_mut().enumerate() {
        row.insert("start_time".to_owned(), Cell::Time(hour(1) + n as i64 * 600 * SECOND));
    }
    rogue.set(move |call| Answer::Play(Play::of(&call.spans_of(&wire(&more)))));
    let third = pull_new(&puller, &store, hour(6)).await;
    assert_eq!(third.len(), 2, "the gap, and what is new: {third:?}");
    assert_eq!(held(&store).await, 40 + 20);
    let ledger = store.ledger().await.unwrap();
    assert!(ledger.incomplete(None).is_empty(), "{:?}", ledger.incomplete(None));
    assert!(asked(&rogue).iter().all(|window| window.start >= hour(2)), "{:?}", asked(&rogue));
}

#[tokio::test(flavor = "multi_thread")]
async fn new_brings_what_a_first_pull_that_came_short_lacks() {
    let batch = wire(&rows(SPANS, 60));
    let rogue = Rogue::start({
        let batch = batch.clone();
        move |_| Answer::Play(Play::of(&[batch.slice(0, 50)]).announcing(60))
    })
    .await;
    let store = empty();
    let puller = Puller::of_port(rogue.port);
    puller.pull(&store, day()).await.unwrap();
    rogue.set(move |call| Answer::Play(Play::of(&call.spans_of(&batch))));
    // The window that is asked for otherwise lies elsewhere.
    let later = Window { start: day().end + 86_400 * SECOND, end: day().end + 2 * 86_400 * SECOND };
    let ledger = store.ledger().await.unwrap();
    for planned in plan_new(&ledger, &puller.options, later.end, LATE_BRIEFLY, later) {
        pull(&store, &puller.source, &puller.options, planned.pull, &Arc::new(PullProgress::default())).await.unwrap();
    }
    assert_eq!(held(&store).await, 60);
    assert!(store.ledger().await.unwrap().incomplete(None).is_empty());
    assert_eq!(asked(&rogue), [day(), later]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_that_broke_before_anything_landed_is_recorded_when_there_was_something() {
    let batch = wire(&rows(SPANS, 60));
    let rogue = Rogue::start(move |_| {
        Answer::Play(Play::of(std::slice::from_ref(&batch)).ending(End::Status(tonic::Status::internal("lost"))))
    })
    .await;
    let store = empty();
    let puller = Puller::of_port(rogue.port);
    puller.pull(&store, day()).await.unwrap_err();
    let ledger = store.ledger().await.unwrap();
    assert_eq!(ledger.pulls.iter().map(|pull| pull.status()).collect::<Vec<_>>(), [Status::Incomplete]);
    assert!(ledger.pulls[0].error.as_deref().is_some_and(|error| error.contains("lost")), "{ledger:?}");
    assert_eq!(ledger.incomplete(None).len(), 1);

    // A server that never answered leaves nothing: there may be no such project.
    rogue.set(|_| Answer::Status(tonic::Status::not_found("no such project")));
    let other = empty();
    puller.pull(&other, day()).await.unwrap_err();
    assert!(other.ledger().await.unwrap().pulls.is_empty());
}
