//! Connections that are cut at any byte, a hundred times: no span is lost, none comes twice.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::{StreamExt, stream};
use spanql::store::{Status, Store};

use super::pull_proxy::{Proxy, Way};
use super::pull_rogue::{Answer, Play, Rogue};
use super::pull_support::{Puller, SECOND, empty, rows, seconds, span_id, wire};
use super::support::{self, BASE_TIME, Random, assert_same, fingerprint};

const PULLS: u64 = 100;
/// Most of their time is spent between attempts.
const AT_ONCE: usize = 50;
const SPANS: usize = 60;
/// Seconds between spans.
const STEP: i64 = 7;
/// Spans of a slice.
const SLICE: u64 = 15;
/// Bytes on the wire after which no connection is left alone: about what the whole pull takes.
const LARGEST: usize = 30_000;

fn window() -> spanql::sources::Window {
    seconds(0, SPANS as i64 * STEP)
}

/// The names of the spans that start inside one of these windows.
fn spans_in(windows: &[spanql::sources::Window]) -> BTreeSet<String> {
    let start = |n: &usize| BASE_TIME + *n as i64 * STEP * SECOND;
    let inside = |n: &usize| windows.iter().any(|window| window.start <= start(n) && start(n) < window.end);
    (0..SPANS).filter(inside).map(span_id).collect()
}

/// Whether the store holds the spans of whole slices only, and the ledger knows which; gives how many spans those are.
async fn check_slices(store: &Store, broke: bool, what: &str) -> u64 {
    let ledger = store.ledger().await.unwrap();
    let landed = ledger.pulls.last().map(|pull| pull.landed()).unwrap_or_default();
    if let Some(pull) = ledger.pulls.last() {
        let expected = if broke { Status::Incomplete } else { Status::Complete };
        assert_eq!(pull.status(), expected, "{what}: {pull:?}");
        assert_eq!(pull.error.is_some(), broke, "{what}: {pull:?}");
    }
    assert_eq!(ledger.incomplete(None).is_empty(), !broke || ledger.pulls.is_empty(), "{what}");
    let engine = support::engine(store.snapshot().await.unwrap()).await;
    let held = support::ask_rows(&engine, "SELECT span_id FROM spans").await.unwrap();
    let held: Vec<String> = held.into_iter().map(|mut row| row.remove("span_id").unwrap()).collect();
    let expected = spans_in(&landed);
    assert_eq!(held.len(), expected.len(), "{what}");
    assert_eq!(held.into_iter().collect::<BTreeSet<_>>(), expected, "{what}");
    assert!(broke || expected.len() == SPANS, "{what}");
    expected.len() as u64
}

/// Pulls through a connection that is cut again and again, then through one that is not. Whether the first broke, and
/// whether anything had landed then.
async fn pull_twice(number: u64, server: u16, expected: &str, whole: &str) -> (bool, bool) {
    let what = format!("pull {number}");
    let mut random = Random(number);
    let mut cut = || {
        // As many small budgets as large ones.
        let largest = LARGEST >> random.below(8);
        let bytes = random.below(largest) as u64;
        if random.below(2) == 0 { Way::Reset(bytes) } else { Way::Close(bytes) }
    };
    let mut first: Vec<Way> = (0..1 + number % 5).map(|_| cut()).collect();
    if number.is_multiple_of(4) {
        // Enough for a slice or two.
        first.insert(0, Way::Reset(LARGEST as u64 * 2 / 3));
    }
    let then = if number.is_multiple_of(2) { cut() } else { Way::Through };
    let proxy = Proxy::start(server, Way::Through).await;
    proxy.set(first, then);
    let jobs = 1 + random.below(8);
    let store = empty();
    let puller = || Puller::of_port(proxy.port).sliced(SLICE, jobs);

    let outcome = puller().pull(&store, window()).await;
    let broke = outcome.is_err();
    if let Err(error) = outcome {
        let endpoint = format!("grpc://127.0.0.1:{}: ", proxy.port);
        assert!(error.to_string().starts_with(&endpoint), "{what}: {error}");
    }
    let landed = check_slices(&store, broke, &what).await;

    if broke {
        proxy.set([], Way::Through);
        let outcome = puller().pull(&store, window()).await.unwrap();
        let lacking = SPANS as u64 - landed;
        assert_eq!((outcome.received, outcome.announced, outcome.new), (lacking, Some(lacking), lacking), "{what}");
        let ledger = store.ledger().await.unwrap();
        assert_eq!(ledger.pulls.last().map(|pull| pull.status()), Some(Status::Complete), "{what}");
        assert!(ledger.incomplete(None).is_empty(), "{what}");
    }
    assert_same(&fingerprint(&store).await, expected, &what);
    if number.is_multiple_of(20) {
        assert_same(&support::dump(&store).await.unwrap(), whole, &what);
    }
    (broke, landed > 0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_broken_pulls_lose_and_double_nothing() {
    let batch = wire(&rows(SPANS, STEP));
    let rogue = Rogue::start(move |call| Answer::Play(Play::of(&call.spans_of(&batch)))).await;
    let port = rogue.port;
    let undisturbed = empty();
    Puller::of_port(port).sliced(SLICE, 4).pull(&undisturbed, window()).await.unwrap();
    let expected: Arc<str> = fingerprint(&undisturbed).await.into();
    let whole: Arc<str> = support::dump(&undisturbed).await.unwrap().into();

    let pulls = (0..PULLS).map(|number| {
        let (expected, whole) = (Arc::clone(&expected), Arc::clone(&whole));
        async move { tokio::spawn(async move { pull_twice(number, port, &expected, &whole).await }).await }
    });
    let ended: Vec<(bool, bool)> = stream::iter(pulls).buffer_unordered(AT_ONCE).map(Result::unwrap).collect().await;
    let count = |what: (bool, bool)| ended.iter().filter(|ended| **ended == what).count();
    let counts = [count((true, true)), count((true, false)), count((false, true))];
    println!("{counts:?} of {PULLS} broke with something landed, broke with nothing, did not break");
    // Every kind of end was tried.
    assert!(counts.iter().all(|count| *count >= 5), "{counts:?}");
}
