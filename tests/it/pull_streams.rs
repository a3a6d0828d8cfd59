//! Servers that do not keep to what they said: what the user reads, and what the store holds.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow_flight::FlightData;
use tonic::Status;

use super::pull_faults::long_batches;
use super::pull_rogue::{Answer, End, Play, Rogue, messages};
use super::pull_support::{PROJECT, User, undisturbed};
use super::support::assert_same;

/// The batches without their last rows.
fn short(rows: usize) -> Vec<RecordBatch> {
    let mut batches = long_batches();
    let last = batches.pop().unwrap();
    batches.push(last.slice(0, last.num_rows() - rows));
    batches
}

#[tokio::test(flavor = "multi_thread")]
async fn fewer_spans_than_announced_are_not_taken_for_all() {
    let rogue = Rogue::good(long_batches()).await;
    let expected = undisturbed(rogue.port).await;
    rogue.set(|_| Answer::Play(Play::of(&short(3)).announcing(60)));
    let user = User::of_port(rogue.port);
    let ran = user.pull(&[]).await;
    ran.succeeded("short");
    ran.says(
        "short",
        &[
            "announced 60, received 57, stored 57 (57 new, 0 updated)",
            "warning: announced and received differ in 1 slice",
        ],
    );
    assert_eq!(rogue.counts(), (1, 1), "what was not sent does not come by asking at once");
    assert_eq!(user.pulls("status").await, ["incomplete"]);
    assert_eq!(user.pulls("announced").await, ["60"]);
    assert_eq!(user.pulls("received").await, ["57"]);

    let query = user.run(&["query", "SELECT count(*) AS n FROM spans"]).await;
    query.succeeded("query");
    query.says("query", &["incomplete: project checkout of arize: 3 of 60 announced spans did not come"]);
    let strict = user.run(&["query", "--require-complete", "SELECT count(*) AS n FROM spans"]).await;
    assert_eq!(strict.code, Some(4), "{strict:?}");
    let strict = user.pull(&["--require-complete"]).await;
    assert_eq!(strict.code, Some(4), "{strict:?}");
    strict.says("--require-complete", &["error: not everything that was announced came"]);

    rogue.set(|_| Answer::Play(Play::of(&long_batches())));
    user.pull(&["--require-complete"]).await.succeeded("whole");
    assert_same(&user.dump().await, &expected, "after a whole pull");
    let query = user.run(&["query", "--require-complete", "SELECT count(*) AS n FROM spans"]).await;
    query.succeeded("whole");
    assert!(!query.stderr.contains("incomplete"), "{query:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_spans_than_announced_are_kept_and_said() {
    let rogue = Rogue::start(|_| Answer::Play(Play::of(&long_batches()).announcing(50))).await;
    let user = User::of_port(rogue.port);
    let ran = user.pull(&[]).await;
    ran.succeeded("more");
    ran.says("more", &["announced 50, received 60, stored 60", "warning: announced and received differ"]);
    assert_eq!(user.pulls("status").await, ["incomplete"]);
}

/// Broken streams, and what is said of them. None of them gets better by asking again.
fn broken() -> Vec<(&'static str, Play, &'static str)> {
    let batches = long_batches();
    let other = {
        let columns: Vec<(String, ArrayRef)> = batches[0]
            .schema()
            .fields()
            .iter()
            .zip(batches[0].columns())
            .map(|(field, column)| match field.name().as_str() {
                "name" => ("name".to_owned(), Arc::new(Int64Array::from(vec![7; column.len()])) as ArrayRef),
                name => (name.to_owned(), Arc::clone(column)),
            })
            .collect();
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))
            .unwrap()
    };
    let narrow = batches[0].project(&[0, 1]).unwrap();
    let play = || Play::of(&batches).announcing(80);
    let mut torn = messages(&batches[..1]);
    torn[1].data_body = torn[1].data_body.slice(0..torn[1].data_body.len() / 2);
    let mut noise = messages(&batches[..1]);
    noise[1].data_header = bytes::Bytes::from_static(&[0xA7; 61]);
    let mut no_schema = messages(&batches);
    no_schema.remove(0);
    let stream = "the stream is not what Flight sends";
    vec![
        ("a second schema", play().then(messages(std::slice::from_ref(&other))), stream),
        ("a batch of another schema", play().then(messages(&[other]).split_off(1)), stream),
        ("a batch of fewer columns", play().then(messages(&[narrow]).split_off(1)), stream),
        ("half a batch", play().then(torn.split_off(1)), stream),
        ("no message at all", play().then(noise.split_off(1)), stream),
        ("no schema", Play { data: no_schema, ..play() }, stream),
        (
            "no ticket",
            Play { ticket: false, ..play() },
            "80 rows are announced, and there is no ticket to get them with",
        ),
        (
            "no ticket for a number nobody knows",
            Play { ticket: false, ..play().announcing(-1) },
            "there is no ticket to get the rows with",
        ),
        ("an error", play().ending(End::Status(Status::internal("segment lost"))), "refused (Internal): segment lost"),
        (
            "a key that ends",
            play().ending(End::Status(Status::unauthenticated("expired"))),
            "the key is not accepted: expired",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_streams_leave_nothing_and_are_not_asked_for_again() {
    let good = Rogue::good(long_batches()).await;
    let expected = undisturbed(good.port).await;
    for (at, (what, _, said)) in broken().into_iter().enumerate() {
        let rogue = Rogue::start(move |_| Answer::Play(broken().swap_remove(at).1)).await;
        let user = User::of_port(rogue.port);
        let ran = user.pull(&[]).await;
        ran.failed(what, &[&format!("grpc://127.0.0.1:{}: {said}", rogue.port)]);
        assert_eq!(rogue.calls().len(), 1, "{what}");
        assert_eq!(user.run(&["query", "-q", "SELECT count(*) AS n FROM spans"]).await.stdout, "{\"n\":0}\n", "{what}");
        rogue.set(|_| Answer::Play(Play::of(&long_batches())));
        user.pull(&[]).await.succeeded(what);
        assert_same(&user.dump().await, &expected, what);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_is_tried_again() {
    let good = Rogue::good(long_batches()).await;
    let expected = undisturbed(good.port).await;
    let twice = |status: fn() -> Status| {
        move |call: &super::pull_rogue::Call| match call.number {
            0 | 1 => Answer::Status(status()),
            _ => Answer::Play(Play::of(&long_batches())),
        }
    };
    let in_stream = |call: &super::pull_rogue::Call| match call.number {
        0 => Answer::Play(Play::of(&short(4)).announcing(60).ending(End::Status(Status::unavailable("moving")))),
        1 => Answer::Play(Play::of(&long_batches()).ending(End::Status(Status::resource_exhausted("slow down")))),
        _ => Answer::Play(Play::of(&long_batches())),
    };
    let rogues = [
        ("unavailable", Rogue::start(twice(|| Status::unavailable("starting"))).await, (3, 1)),
        ("too many requests", Rogue::start(twice(|| Status::resource_exhausted("slow down"))).await, (3, 1)),
        ("in mid-stream", Rogue::start(in_stream).await, (3, 3)),
    ];
    futures::future::join_all(rogues.iter().map(async |(what, rogue, counts)| {
        let user = User::of_port(rogue.port);
        let ran = user.pull(&["--require-complete"]).await;
        ran.succeeded(what);
        // What came before the error is not counted twice.
        ran.says(what, &["announced 60, received 60, stored 60 (60 new, 0 updated)"]);
        assert_eq!(rogue.counts(), *counts, "{what}");
        assert_same(&user.dump().await, &expected, what);
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_needs_neither_a_schema_nor_a_number_in_advance() {
    let good = Rogue::good(long_batches()).await;
    let expected = undisturbed(good.port).await;
    let rogue = Rogue::start(|_| Answer::Play(Play { schema: None, ..Play::of(&long_batches()).announcing(-1) })).await;
    let user = User::of_port(rogue.port);
    let ran = user.pull(&["--require-complete"]).await;
    ran.succeeded("-1");
    ran.says("-1", &["announced ?, received 60, stored 60 (60 new, 0 updated)"]);
    assert!(!ran.stderr.contains("warning"), "{ran:?}");
    assert_same(&user.dump().await, &expected, "-1");
    assert_eq!(user.pulls("announced").await, ["null"]);
    assert_eq!(user.pulls("status").await, ["complete"]);
    let live = "SELECT max(name) AS name, count(*) AS n FROM arize.checkout WHERE start_time >= '2026-01-01'";
    let live = user.run(&["query", live]).await;
    live.succeeded("live");
    assert_eq!(live.stdout, "{\"name\":\"step 4\",\"n\":60}\n");
    let count = user.run(&["pull", "arize", PROJECT, "--count"]).await;
    count.failed("--count", &["it does not say how many spans there are"]);
}

/// A message as it goes over the wire, with its frame.
fn framed(message: &FlightData) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut field = |number: u32, value: &[u8]| {
        for part in [number << 3 | 2, value.len() as u32] {
            let mut left = part;
            while left > 0x7F {
                bytes.push(left as u8 | 0x80);
                left >>= 7;
            }
            bytes.push(left as u8);
        }
        bytes.extend(value);
    };
    field(2, &message.data_header);
    field(1000, &message.data_body);
    let mut frame = vec![0];
    frame.extend((bytes.len() as u32).to_be_bytes());
    frame.extend(bytes);
    frame
}

/// A message of this many bytes begins, and the body ends soon after.
fn begins(length: u32) -> Vec<u8> {
    let mut body = vec![0];
    body.extend(length.to_be_bytes());
    body.extend([0; 64]);
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn huge_messages_are_refused_before_they_come() {
    let rogue = Rogue::good(long_batches()).await;
    let expected = undisturbed(rogue.port).await;
    rogue.set_raw(begins(u32::MAX));
    let user = User::of_port(rogue.port);
    user.pull(&[]).await.failed("huge", &[&format!("grpc://127.0.0.1:{}: a message is too long", rogue.port)]);
    assert_eq!(rogue.counts(), (2, 2));
    rogue.set(|_| Answer::Play(Play::of(&long_batches())));
    user.pull(&[]).await.succeeded("huge");
    assert_same(&user.dump().await, &expected, "huge");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_ends_without_saying_how_is_no_end() {
    let rogue = Rogue::start(|_| Answer::Play(Play::of(&long_batches()).announcing(-1))).await;
    // Whole messages, as a proxy may pass them on from a server that died.
    rogue.set_raw(messages(&long_batches()[..2]).iter().flat_map(framed).collect());
    let user = User::of_port(rogue.port);
    let ran = user.pull(&["--require-complete"]).await;
    ran.succeeded("no status");
    ran.says("no status", &["announced ?, received 60, stored 60 (60 new, 0 updated)"]);
    assert_eq!(rogue.counts(), (2, 2));
}
