//! The key is shown to nobody but the server: in no output, no file, no `Debug` form, whatever happens.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use spanql::config::Environment;
use spanql::sources::arize::Arize;
use spanql::sources::{ExportRequest, SpanSource};
use tonic::Status;

use super::pull_faults::long_batches;
use super::pull_names::{Rest, user};
use super::pull_proxy::{Proxy, Way};
use super::pull_rogue::{Answer, Call, End, Play, Rogue};
use super::pull_support::{DAY, KEY, PROJECT, Puller, Ran, User, day, empty, plaintext, remote, settings};

/// The forms in which the key travels.
fn forms() -> [String; 2] {
    [KEY.to_owned(), STANDARD_NO_PAD.encode(KEY)]
}

#[track_caller]
fn hidden(text: &str, what: &str) {
    for form in forms() {
        assert!(!text.contains(&form), "{what} shows the key: {text}");
    }
}

/// Whether the key is in any file below a directory.
fn hidden_in_files(dir: &Path, what: &str) {
    for file in super::support::files(dir) {
        let bytes = std::fs::read(dir.join(&file)).unwrap();
        for form in forms() {
            let found = bytes.windows(form.len()).any(|window| window == form.as_bytes());
            assert!(!found, "{what}: {file} holds the key");
        }
    }
}

fn checked(ran: &Ran, what: &str) {
    hidden(&ran.stdout, what);
    hidden(&ran.stderr, what);
}

/// What a server says that repeats what it was sent.
fn echo(call: &Call) -> String {
    format!("bad auth-token-bin {} ({}=)", call.key, STANDARD_NO_PAD.encode(&call.key))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_command_shows_the_key() {
    type Script = fn(&Call) -> Answer;
    let flights: [(&str, Script); 6] = [
        ("success", |call| {
            assert_eq!(call.key, KEY, "the server gets the key as it is");
            Answer::Play(Play::of(&long_batches()))
        }),
        ("short", |_| Answer::Play(Play::of(&long_batches()).announcing(99))),
        ("unauthenticated", |call| Answer::Status(Status::unauthenticated(echo(call)))),
        ("not found", |call| Answer::Status(Status::not_found(echo(call)))),
        ("unknown", |call| Answer::Status(Status::unknown(echo(call)))),
        ("in mid-stream", |call| {
            Answer::Play(Play::of(&long_batches()).ending(End::Status(Status::internal(echo(call)))))
        }),
    ];
    for (what, script) in flights {
        let rogue = Rogue::start(script).await;
        let user = User::of_port(rogue.port);
        for options in [&["-v"][..], &["--errors", "json"]] {
            let ran = user.pull(options).await;
            checked(&ran, what);
            let repeats = !["success", "short"].contains(&what);
            assert_eq!(ran.code, Some(i32::from(repeats)), "{what}: {ran:?}");
            assert_eq!(ran.stderr.contains("bad auth-token-bin <key> (<key>=)"), repeats, "{what}: {ran:?}");
        }
        let live = "SELECT count(*) AS n FROM arize.checkout WHERE start_time >= '2026-01-01'";
        for sql in ["SELECT * FROM pulls", live, &format!("EXPLAIN {live}")] {
            checked(&user.run(&["query", "-v", sql]).await, what);
        }
        hidden_in_files(user.dir(), what);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_listing_shows_the_key() {
    let rogue = Rogue::good(long_batches()).await;
    let body = format!("{{\"title\": \"bad {KEY}\", \"detail\": \"Bearer {KEY}\"}}");
    for (status, body) in [
        (401, body.clone()),
        (403, body.clone()),
        (404, body.clone()),
        (422, body),
        (200, KEY.to_owned()),
        (200, format!("{{\"projects\": \"{KEY}\", \"spaces\": \"{KEY}\"}}")),
    ] {
        let what = format!("{status} {}", &body[..3]);
        let rest = Rest::start(move |_, _, _| (status, vec![], body.clone())).await;
        let user = user(rogue.port, rest.port);
        for command in [
            &[&["pull", "-v", "arize", PROJECT], &DAY[..]].concat()[..],
            &["projects", "-v"],
            &["spaces", "--errors", "json"],
            &["config", "show", "--check", "-v"],
        ] {
            let ran = user.run(command).await;
            assert_eq!(ran.code, Some(1), "{what}: {ran:?}");
            checked(&ran, &what);
        }
        hidden_in_files(user.dir(), &what);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_debug_form_shows_the_key() {
    let rogue = Rogue::start(|call| Answer::Status(Status::unauthenticated(echo(call)))).await;
    let variables = plaintext(rogue.port);
    let environment = Environment::with(&[("ARIZE_API_KEY", KEY)]);
    let settings = settings(&[("ARIZE_API_HOST", "127.0.0.1"), ("ARIZE_FLIGHT_HOST", "127.0.0.1")]);
    let arize: Arize = remote(&variables);
    let with_rest = Arize::new(&settings, None, std::time::Duration::from_secs(1)).unwrap();
    let request = ExportRequest::new(PROJECT, day());
    let store = empty();
    let puller = Puller::of_port(rogue.port);
    let failed = puller.pull(&store, day()).await.unwrap_err();
    let refused = arize.open(&request).await.unwrap_err();
    let proxy = Proxy::start(rogue.port, Way::Close(10)).await;
    let broken = remote(&plaintext(proxy.port)).open(&request).await.unwrap_err();
    for (what, text) in [
        ("environment", format!("{environment:?} {environment:#?}")),
        ("settings", format!("{settings:?} {settings:#?}")),
        ("source", format!("{arize:?} {with_rest:?} {with_rest:#?}")),
        ("request", format!("{request:?} {:?}", arize.describe(&request))),
        ("options", format!("{:?} {:?}", puller.options, puller.source)),
        ("errors", format!("{failed:?} {failed} {refused:?} {refused} {broken:?} {broken}")),
        ("ledger", format!("{:?}", store.ledger().await.unwrap())),
    ] {
        hidden(&text, what);
        assert!(text.len() > 10, "{what}: {text}");
    }
}
