//! Connections that cannot be made, break, or fall silent: what the user reads, and that the next pull heals it.

use std::time::Duration;

use arrow::array::RecordBatch;

use super::pull_proxy::{Proxy, Way};
use super::pull_rogue::{Answer, End, Play, Rogue};
use super::pull_support::{PROJECT, User, free_port, rows, undisturbed, wire};
use super::support::{Cell, assert_same};

/// Sixty spans with long texts, in six batches.
pub(crate) fn long_batches() -> Vec<RecordBatch> {
    let mut rows = rows(60, 60);
    for (n, row) in rows.iter_mut().enumerate() {
        // Does not compress, and is not cut.
        let text: String =
            (0..4_000_u32).map(|at| char::from(b'a' + (at.wrapping_mul(n as u32 + 7) % 26) as u8)).collect();
        row.insert("attributes.output.value".to_owned(), Cell::Text(text));
    }
    rows.chunks(10).map(wire).collect()
}

/// Fails while the fault is there; brings every span once when it is gone.
async fn heals(user: &User, what: &str, expected: &str) {
    user.pull(&[]).await.succeeded(what);
    assert_same(&user.dump().await, expected, what);
    assert_eq!(user.pulls("status").await.last().map(String::as_str), Some("complete"), "{what}");
    let query = user.run(&["query", "--require-complete", "SELECT count(*) AS n FROM spans"]).await;
    query.succeeded(what);
    assert_eq!(query.stdout, "{\"n\":60}\n", "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_fail_are_tried_again_and_then_named() {
    let rogue = Rogue::good(long_batches()).await;
    let expected = undisturbed(rogue.port).await;
    let (server, expected) = (rogue.port, expected.as_str());

    let refused = async {
        let port = free_port();
        let user = User::of_port(port);
        let began = std::time::Instant::now();
        user.pull(&[]).await.failed("refused", &[&format!("grpc://127.0.0.1:{port}: "), "onnection refused"]);
        assert!(began.elapsed() > Duration::from_millis(1_500), "it was not tried again");
        let _proxy = Proxy::start_at(port, server, Way::Through).await;
        heals(&user, "refused", expected).await;
    };
    let appears = async {
        let port = free_port();
        let user = User::of_port(port);
        let late = async {
            tokio::time::sleep(Duration::from_millis(700)).await;
            Proxy::start_at(port, server, Way::Through).await
        };
        let (ran, _proxy) = tokio::join!(user.pull(&[]), late);
        ran.succeeded("a server that starts late");
        assert_same(&user.dump().await, expected, "a server that starts late");
    };
    let unknown = async {
        let mut user = User::of_port(server);
        user.set("ARIZE_FLIGHT_HOST", "no-such-host.invalid");
        user.pull(&[]).await.failed("name", &[&format!("grpc://no-such-host.invalid:{server}: "), "dns error"]);
        user.set("ARIZE_FLIGHT_HOST", "127.0.0.1");
        heals(&user, "name", expected).await;
    };
    let cut = async |what: &str, way: Way, said: &str| {
        let proxy = Proxy::start(server, way).await;
        let user = User::of_port(proxy.port);
        let ran = user.pull(&[]).await;
        ran.failed(what, &[&format!("grpc://127.0.0.1:{}: ", proxy.port), said]);
        assert_eq!(proxy.connections(), 5, "{what}: attempts");
        proxy.set([way, way], Way::Through);
        heals(&user, what, expected).await;
        assert_eq!(proxy.connections(), 8, "{what}: attempts");
    };
    let reset = cut("reset", Way::Reset(100_000), "the connection broke: ");
    let closed = cut("closed", Way::Close(100_000), "the connection broke: ");
    // The transport says it in one of two ways, by when it notices.
    let closed_at_once = cut("closed at once", Way::Close(0), "connection ");
    tokio::join!(refused, appears, unknown, reset, closed, closed_at_once);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_falls_silent_is_given_up() {
    let rogue = Rogue::good(long_batches()).await;
    let expected = undisturbed(rogue.port).await;
    let (server, expected) = (rogue.port, expected.as_str());
    let patience = ["--timeout", "1s"];

    let black_hole = async {
        let proxy = Proxy::start(server, Way::Silent).await;
        let user = User::of_port(proxy.port);
        let began = std::time::Instant::now();
        let ran = user.pull(&patience).await;
        ran.failed("black hole", &[&format!("grpc://127.0.0.1:{}: no answer for 1 s", proxy.port), "--timeout"]);
        assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
        assert_eq!(proxy.connections(), 1, "patience was asked for once");
        proxy.set([], Way::Through);
        heals(&user, "black hole", expected).await;
    };
    let in_flight_info = async {
        let rogue = Rogue::start(|_| Answer::Silence).await;
        let user = User::of_port(rogue.port);
        let ran = user.pull(&patience).await;
        ran.failed("GetFlightInfo", &[&format!("grpc://127.0.0.1:{}: no answer for 1 s", rogue.port)]);
        assert_eq!(rogue.counts(), (1, 0));
        rogue.set(|_| Answer::Play(Play::of(&long_batches())));
        heals(&user, "GetFlightInfo", expected).await;
    };
    let in_stream = async {
        let rogue = Rogue::start(|_| Answer::Play(Play::of(&long_batches()).announcing(90).ending(End::Silence))).await;
        let user = User::of_port(rogue.port);
        let ran = user.pull(&patience).await;
        ran.failed("stream", &[&format!("grpc://127.0.0.1:{}: no answer for 1 s", rogue.port)]);
        assert_eq!(rogue.counts(), (1, 1));
        // Nothing of a slice that did not come to its end is kept.
        assert_eq!(user.run(&["query", "SELECT count(*) AS n FROM spans"]).await.stdout, "{\"n\":0}\n");
        rogue.set(|_| Answer::Play(Play::of(&long_batches())));
        heals(&user, "stream", expected).await;
    };
    tokio::join!(black_hole, in_flight_info, in_stream);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_keys_are_shown_once() {
    for (status, said) in [
        (tonic::Status::unauthenticated("bad key"), "the key is not accepted: bad key"),
        (tonic::Status::permission_denied("not yours"), "the key may not read this: not yours"),
        (tonic::Status::invalid_argument("no such thing"), "refused (InvalidArgument): no such thing"),
        (tonic::Status::not_found("there is no project \"checkout\""), "there is no project"),
        (tonic::Status::internal("a bug"), "refused (Internal): a bug"),
    ] {
        let rogue = Rogue::start({
            let status = status.clone();
            move |_| Answer::Status(status.clone())
        })
        .await;
        let user = User::of_port(rogue.port);
        let endpoint = format!("grpc://127.0.0.1:{}", rogue.port);
        user.pull(&[]).await.failed(said, &[&endpoint, said]);
        assert_eq!(rogue.counts(), (1, 0), "{said}");
        let json = user.run(&["pull", "--errors", "json", "arize", PROJECT]).await;
        let error: serde_json::Value = serde_json::from_str(json.stderr.lines().last().unwrap()).unwrap();
        assert!(
            error["code"].as_str().unwrap().len() > 3 && error["message"].as_str().unwrap().contains(said),
            "{error}"
        );
        rogue.set(|_| Answer::Play(Play::of(&long_batches())));
        user.pull(&[]).await.succeeded(said);
    }
}
