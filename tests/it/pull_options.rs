//! What `pull` can be asked for.

use std::sync::Arc;

use spanql::serve::{Settings, Token};
use spanql::store::Store;

use super::pull_support::{DAY, KEY, PROJECT, User, empty, plaintext, rows};
use super::serve_support::Running;
use super::support::{assert_same, batch, import};

const SPANS: usize = 100;

/// A server of [`SPANS`] spans in twenty traces, with the key of the tests.
async fn server() -> (Arc<Store>, Running) {
    let store = empty();
    import(&store, &[batch(&rows(SPANS, 60))]).await.unwrap();
    let server = Running::start(&store, Settings { token: Token::new(KEY), ..Settings::default() }).await;
    (store, server)
}

async fn number(user: &User, sql: &str) -> u64 {
    let ran = user.run(&["query", "-q", &format!("SELECT {sql} AS n FROM spans")]).await;
    ran.succeeded(sql);
    let row: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    row["n"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_count_stores_nothing() {
    let (_, server) = server().await;
    let user = User::of_port(server.ready.flight_port);
    let ran = user.pull(&["--count"]).await;
    ran.succeeded("--count");
    assert_eq!(ran.stdout, "100\n");
    let ran = user.pull(&["--count", "--end-time", "2026-01-01T00:10:00"]).await;
    assert_eq!(ran.code, Some(2), "a window is named once: {ran:?}");
    let ran = user
        .run(&["pull", "arize", PROJECT, "--count", "--start-time", "2026-01-01", "--end-time", "2026-01-01T00:10"])
        .await;
    assert_eq!(ran.stdout, "10\n", "{ran:?}");
    assert!(!user.store().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_are_remembered_as_such() {
    let (_, server) = server().await;
    let user = User::of_port(server.ready.flight_port);
    let ran = user.pull(&["--limit", "7"]).await;
    ran.succeeded("--limit");
    ran.says("--limit", &["announced 100, received 7, stored 7", "note: this is a sample"]);
    assert_eq!(user.pulls("status").await, ["sampled"]);
    let query = user.run(&["query", "SELECT count(*) AS n FROM spans"]).await;
    assert_eq!(query.stdout, "{\"n\":7}\n");
    query.says("--limit", &["incomplete: project checkout of arize: holds a sample (limit 7)"]);
    for options in [&["--limit", "7"], &["--sample-rate", "0.5"]] {
        let strict = user.pull(&[&options[..], &["--require-complete"]].concat()).await;
        assert_eq!(strict.code, Some(4), "{strict:?}");
        strict.says("--require-complete", &["error: a sample was asked for"]);
    }

    let other = User::of_port(server.ready.flight_port);
    other.pull(&["--sample-rate", "0.5"]).await.succeeded("--sample-rate");
    let (spans, traces) = (number(&other, "count(*)").await, number(&other, "count(DISTINCT trace_id)").await);
    assert!((4..=16).contains(&traces) && spans == 5 * traces, "{spans} spans of {traces} traces");
    assert_eq!(other.pulls("status").await, ["sampled"]);
    let before = other.dump().await;
    other.pull(&["--sample-rate", "0.5"]).await.succeeded("again");
    assert_same(&other.dump().await, &before, "the same traces every time");
    let query = other.run(&["query", "SELECT 1 FROM spans LIMIT 1"]).await;
    query.says("--sample-rate", &["holds a sample (sample rate 0.5)"]);

    // All of it makes samples complete.
    for user in [&user, &other] {
        user.pull(&["--require-complete"]).await.succeeded("whole");
        assert_eq!(number(user, "count(*)").await, 100);
        let query = user.run(&["query", "--require-complete", "SELECT 1 FROM spans LIMIT 1"]).await;
        query.succeeded("whole");
        assert!(!query.stderr.contains("incomplete"), "{query:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_are_named_as_in_sql() {
    let (_, server) = server().await;
    let user = User::of_port(server.ready.flight_port);
    user.pull(&["--columns", "kind, latency_ms,metadata.tier", "--columns", "attributes.nobody.has.it"])
        .await
        .succeeded("columns");
    assert_eq!(number(&user, "count(kind)").await, 100);
    assert_eq!(number(&user, "count(latency_ms)").await, 100);
    assert_eq!(number(&user, "count(metadata.tier)").await, 100);
    assert_eq!(number(&user, "count(input) + count(name) + count(session_id)").await, 0);
    // Without parents and ends, every span would be a root, and the usage of agents would count twice.
    assert_eq!(number(&user, "count(parent_id)").await, 80);
    assert_eq!(user.pulls("status").await, ["complete"]);
    // Some columns are not everything.
    let ran = user.pull(&[]).await;
    ran.says("whole", &["received 100, stored 100 (0 new, 100 updated)"]);
    assert_eq!(number(&user, "count(input)").await, 100);

    let wrong = user.pull(&["--columns", "nmae"]).await;
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    wrong.says("unknown", &["error: --columns: there is no column nmae; did you mean name?"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_there_is_said_and_no_error() {
    let (_, server) = server().await;
    let user = User::of_port(server.ready.flight_port);
    let ran = user.run(&["pull", "arize", PROJECT, "--start-time", "2020-01-01", "--end-time", "2020-01-02"]).await;
    ran.succeeded("nothing");
    ran.says("nothing", &["no spans: checkout from 2020-01-01T00:00:00Z to 2020-01-02T00:00:00Z", "--days"]);
    let quiet = user.pull(&["-q"]).await;
    quiet.succeeded("quiet");
    assert_eq!(quiet.stderr, "");
    for wrong in [
        &["--start-time", "2026-01-02", "--end-time", "2026-01-01"][..],
        &["--new", "--days", "3"],
        &["--limit", "0"],
        &["--sample-rate", "0"],
        &["--jobs", "0"],
        &["--timeout", "0s"],
        &["--limit", "3", "--count"],
    ] {
        let ran = user.run(&[&["pull", "arize", PROJECT], wrong].concat()).await;
        assert_eq!(ran.code, Some(2), "{wrong:?}: {ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_name_in_the_store_and_any_number_of_jobs() {
    let (_, server) = server().await;
    let [one, eight] = [0, 1].map(|_| User::of_port(server.ready.flight_port));
    one.pull(&["--jobs", "1", "--as", "mine"]).await.succeeded("one");
    eight.pull(&["--jobs", "8", "--as", "mine"]).await.succeeded("eight");
    assert_same(&one.dump().await, &eight.dump().await, "jobs");
    assert_eq!(number(&one, "count(*) FILTER (WHERE project = 'mine')").await, 100);
    assert_eq!(one.pulls("remote_project || ' ' || project").await, ["checkout mine"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn new_goes_on_from_the_last_pull() {
    let (store, server) = server().await;
    let user = User::of_port(server.ready.flight_port);
    user.pull(&[]).await.succeeded("first");
    let mut more = rows(SPANS + 20, 60).split_off(SPANS);
    for row in &mut more {
        let Some(super::support::Cell::Time(time)) = row.get_mut("start_time") else { panic!("{row:?}") };
        *time += 48 * 3600 * super::pull_support::SECOND;
    }
    import(&store, &[batch(&more)]).await.unwrap();
    let ran = user.run(&["pull", "arize", PROJECT, "--new", "--require-complete"]).await;
    ran.succeeded("new");
    ran.says("new", &["asked checkout from 2026-01-01T12:00:00Z to ", "received 20, stored 20 (20 new, 0 updated)"]);
    assert_eq!(number(&user, "count(*)").await, 120);
    let ran = user.run(&["pull", "arize", PROJECT, "--new"]).await;
    ran.succeeded("nothing new");
    assert_eq!(number(&user, "count(*)").await, 120);
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_refused_by_a_real_server() {
    let (_, server) = server().await;
    let mut user = User::new(plaintext(server.ready.flight_port));
    user.set("ARIZE_API_KEY", "another-key-5150");
    let ran = user.pull(&[]).await;
    ran.failed("wrong key", &[&format!("grpc://127.0.0.1:{}: the key is not accepted", server.ready.flight_port)]);
    assert!(!ran.stderr.contains("5150"), "{ran:?}");
    user.set("ARIZE_API_KEY", "");
    let ran = user.pull(&[]).await;
    ran.failed("no key", &["no API key for Arize: set ARIZE_API_KEY"]);
    assert!(DAY.len() == 4 && !user.dir().join("store/manifest").exists());
}
