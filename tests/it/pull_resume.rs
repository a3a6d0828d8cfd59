//! Pulls that are interrupted: what has landed stays, and is not asked for again.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use spanql::store::Store;

use super::pull_rogue::{Answer, End, Play, Rogue};
use super::pull_support::{PROJECT, Puller, Ran, SECOND, User, empty, rows, seconds, wire};
use super::support::{self, BASE_TIME, assert_same};

const DAY: i64 = 86_400;
const DAYS: i64 = 8;
/// Days whose spans come, before the server falls silent.
const LANDED: i64 = 5;
/// Eight days, which are pulled day by day because the server announces no numbers.
const WINDOW: [&str; 4] = ["--start-time", "2026-01-01", "--end-time", "2026-01-09"];

/// Five spans a day; from the sixth day on, streams do not end when the server is told so.
async fn server(falls_silent: bool) -> Rogue {
    let rogue = Rogue::start(|_| Answer::Silence).await;
    rogue.set(script(falls_silent));
    rogue
}

fn script(falls_silent: bool) -> impl Fn(&super::pull_rogue::Call) -> Answer + Send + Sync + 'static {
    let batch = wire(&rows(40, DAY / 5));
    move |call| {
        let play = Play::of(&call.spans_of(&batch)).announcing(-1);
        let silent = falls_silent && call.window().start >= BASE_TIME + LANDED * DAY * SECOND;
        Answer::Play(if silent { play.ending(End::Silence) } else { play })
    }
}

/// Starts a pull, and waits until all has landed that comes.
async fn start(user: &User) -> Child {
    let arguments = [&["pull", "arize", PROJECT, "--jobs", "2"], &WINDOW[..]].concat();
    let mut command = user.command(&arguments);
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let store = Store::open(&user.store().display().to_string()).unwrap();
    let began = Instant::now();
    loop {
        assert!(began.elapsed() < Duration::from_secs(60), "slices do not land");
        let ledger = store.ledger().await.unwrap();
        if ledger.pulls.first().is_some_and(|pull| pull.parts() == LANDED as u64) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    child
}

fn signal(child: &Child, name: &str) {
    let status = std::process::Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

async fn ended(child: Child) -> Ran {
    let output = tokio::task::spawn_blocking(|| child.wait_with_output().unwrap()).await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Whether what had landed is there, and a second pull brings the rest and no more.
async fn goes_on(user: &User, rogue: &Rogue, what: &str) {
    let count = ["query", "SELECT count(*) AS n FROM spans"];
    let ran = user.run(&count).await;
    assert_eq!(ran.stdout, format!("{{\"n\":{}}}\n", LANDED * 5), "{what}");
    ran.says(what, &["incomplete: project checkout of arize: 3 of 8 days are missing"]);
    assert_eq!(user.pulls("status").await, ["incomplete"], "{what}");

    rogue.set(script(false));
    let ran = user.run(&[&["pull", "arize", PROJECT, "--require-complete"], &WINDOW[..]].concat()).await;
    ran.succeeded(what);
    ran.says(
        what,
        &["note: going on with the pull of ", "5 slices landed then", "received 15, stored 15 (15 new, 0 updated)"],
    );
    let first = rogue.calls().iter().map(|call| call.window().start).min();
    assert_eq!(first, Some(BASE_TIME + LANDED * DAY * SECOND), "{what}: what had landed was asked for again");

    let undisturbed = empty();
    Puller::of_port(rogue.port).pull(&undisturbed, seconds(0, DAYS * DAY)).await.unwrap();
    assert_same(&user.dump().await, &support::dump(&undisturbed).await.unwrap(), what);
    let ran = user.run(&count).await;
    assert!(!ran.stderr.contains("incomplete"), "{what}: {ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_pull_goes_on_where_it_was() {
    let rogue = server(true).await;
    let user = User::of_port(rogue.port);
    let child = start(&user).await;
    signal(&child, "-KILL");
    assert_eq!(ended(child).await.code, None);
    goes_on(&user, &rogue, "killed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_pull_ends_at_once_and_goes_on_where_it_was() {
    let rogue = server(true).await;
    let user = User::of_port(rogue.port);
    let child = start(&user).await;
    let began = Instant::now();
    signal(&child, "-INT");
    let ran = ended(child).await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(ran.code, Some(130), "{ran:?}");
    goes_on(&user, &rogue, "interrupted").await;
}
