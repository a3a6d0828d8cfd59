//! What goes wrong with a remote: each with a clear error, and nothing remembered that should not be.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::datatypes::{DataType, Field, Schema};
use futures::StreamExt;
use spanql::engine::Params;
use spanql::sources::SourceError;

use super::fake::Fake;
use super::{FROM, ask, plain, recent, refused};

const COUNT: &str = "SELECT count(*) FROM arize.\"my-project\" WHERE start_time >= '2026-01-01'";

fn endpoint() -> String {
    "https://flight.example:443".to_owned()
}

fn errors() -> Vec<(&'static str, SourceError)> {
    let (endpoint, reason) = (endpoint(), "because".to_owned());
    let retry_after = Some(Duration::from_millis(2_500));
    vec![
        ("remote-setting", SourceError::Setting("no key".into())),
        ("remote-unreachable", SourceError::Unreachable { endpoint: endpoint.clone(), reason: reason.clone() }),
        ("remote-silent", SourceError::Silent { endpoint: endpoint.clone(), reason: reason.clone() }),
        ("remote-untrusted", SourceError::Untrusted { endpoint: endpoint.clone(), reason: reason.clone() }),
        (
            "remote-unavailable",
            SourceError::Unavailable { endpoint: endpoint.clone(), reason: reason.clone(), retry_after },
        ),
        ("remote-denied", SourceError::Denied { endpoint: endpoint.clone(), reason: reason.clone() }),
        ("remote-refused", SourceError::Refused { endpoint: endpoint.clone(), reason: reason.clone() }),
        ("not-found", SourceError::NotFound { what: "no such project".into(), suggestion: Some("other".into()) }),
        ("remote-protocol", SourceError::Protocol { endpoint, reason }),
    ]
}

#[tokio::test]
async fn an_unknown_project_says_the_nearest() {
    let (engine, log) = Fake::of(plain(1, 2)).engine();
    let error = refused(&engine, "SELECT *\nFROM arize.\"your-project\" p").await;
    assert_eq!((error.code(), error.suggestion().as_deref()), ("not-found", Some("my-project")));
    assert_eq!(error.position(), Some((2, 6)));
    assert_eq!(error.to_string(), "there is no project your-project in arize at 2:6; did you mean my-project?");
    assert_eq!(refused(&engine, "DESCRIBE arize.nothing").await.code(), "not-found");
    assert!(log.requests().is_empty());
}

#[tokio::test]
async fn each_error_has_its_code_wherever_it_comes() {
    for (code, error) in errors() {
        let planning = Fake::of(plain(1, 2));
        *planning.schema_error.lock().unwrap() = Some(error.clone());
        let (engine, log) = planning.engine();
        let began = Instant::now();
        let refusal = refused(&engine, COUNT).await;
        assert_eq!(refusal.code(), code, "{refusal}");
        assert!(began.elapsed() < Duration::from_secs(5));
        assert!(log.requests().is_empty());

        let (engine, _) = Fake { open_error: Some(error.clone()), ..Fake::of(plain(1, 2)) }.engine();
        let opening = refused(&engine, COUNT).await;
        assert_eq!((opening.code(), opening.suggestion()), (code, refusal.suggestion()), "{opening}");

        // Through the exchange between partitions, where errors are shared.
        let (engine, log) = Fake { fails: Some((3, error.clone())), ..Fake::of(plain(9, 5)) }.engine();
        let grouped = format!("SELECT trace_id, count(*) FROM arize.\"my-project\" WHERE {FROM} GROUP BY trace_id");
        let refusal = refused(&engine, &grouped).await;
        assert_eq!(refusal.code(), code, "{refusal}");
        assert_eq!(log.batches(), 3);
        assert_eq!(log.streams(), (0, 1));
    }
}

#[tokio::test]
async fn what_came_before_an_error_is_given() {
    let lost = SourceError::Unreachable { endpoint: endpoint(), reason: "connection lost".into() };
    // Without a filter, which would gather rows first.
    let (engine, _) = Fake { fails: Some((2, lost)), ..Fake::of(recent(9, 5)) }.engine();
    let sql = "SELECT name FROM arize.\"my-project\"";
    let prepared = engine.prepare(sql, &Params::new()).await.unwrap().remove(0);
    let mut stream = prepared.execute().await.unwrap();
    let mut rows = 0;
    let error = loop {
        match stream.next().await.unwrap() {
            Ok(batch) => rows += batch.num_rows(),
            Err(error) => break spanql::engine::EngineError::from_datafusion(&error),
        }
    };
    assert_eq!(rows, 10);
    assert_eq!(error.to_string(), "https://flight.example:443 cannot be reached: connection lost");
    assert!(prepared.remarks().is_empty());
}

#[tokio::test]
async fn a_wrong_announcement_is_remarked_upon() {
    let (engine, _) = Fake { announces_more: Some(10), ..Fake::of(plain(499, 10)) }.engine();
    let answer = ask(&engine, COUNT).await.unwrap();
    assert_eq!(answer.rows, ["4990"]);
    assert_eq!(answer.remarks(), ["arize.my-project announced 5,000 spans and 4,990 came: the answer is incomplete"]);
    assert!(answer.remarks[0].incomplete);
    let (engine, _) = Fake { announces_more: Some(-1), ..Fake::of(plain(1, 2)) }.engine();
    let answer = ask(&engine, COUNT).await.unwrap();
    assert_eq!(answer.remarks(), ["arize.my-project announced 1 span and 2 came"]);
    assert!(!answer.remarks[0].incomplete);
}

#[tokio::test]
async fn a_statement_runs_once() {
    let (engine, _) = Fake { announces_more: Some(1), ..Fake::of(plain(1, 2)) }.engine();
    let prepared = engine.prepare(COUNT, &Params::new()).await.unwrap().remove(0);
    assert!(prepared.remarks().is_empty());
    let mut stream = prepared.execute().await.unwrap();
    while let Some(batch) = stream.next().await {
        batch.unwrap();
    }
    assert_eq!(prepared.remarks().len(), 1);
    assert_eq!(prepared.execute().await.err().unwrap().code(), "already-run");
}

#[tokio::test]
async fn the_schema_is_asked_once_in_a_while() {
    let (engine, log) = Fake::of(plain(1, 2)).engine();
    for _ in 0..3 {
        ask(&engine, COUNT).await.unwrap();
    }
    assert_eq!((log.schemas(), log.requests().len()), (1, 3));
    ask(&engine, "SELECT count(*) FROM arize.\"my-project-2\"").await.unwrap();
    assert_eq!(log.schemas(), 2);
    ask(&engine, "SHOW TABLES").await.unwrap();
    ask(&engine, "SELECT * FROM information_schema.columns").await.unwrap();
    assert_eq!(refused(&engine, "SELECT * FROM nothing").await.code(), "unknown-table");
    assert_eq!(refused(&engine, "SELECT * FROM phoenix.nothing").await.code(), "unknown-table");
    assert_eq!(log.schemas(), 2);
}

#[tokio::test]
async fn errors_are_not_remembered() {
    let fake = Fake::of(plain(1, 2));
    let error = Arc::clone(&fake.schema_error);
    let (engine, log) = fake.engine();
    *error.lock().unwrap() = Some(SourceError::Denied { endpoint: endpoint(), reason: "wrong key".into() });
    for asked in 1..=2 {
        let text = refused(&engine, COUNT).await.to_string();
        assert_eq!(text, "https://flight.example:443 denies access: wrong key");
        assert_eq!(log.schemas(), asked);
    }
    *error.lock().unwrap() = None;
    assert_eq!(ask(&engine, COUNT).await.unwrap().rows, ["2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn planners_share_a_question() {
    let (engine, log) = Fake { slow: Duration::from_millis(300), ..Fake::of(plain(1, 2)) }.engine();
    let answers = futures::future::join_all((0..8).map(|_| ask(&engine, COUNT))).await;
    for answer in answers {
        assert_eq!(answer.unwrap().rows, ["2"]);
    }
    assert_eq!((log.schemas(), log.requests().len()), (1, 8));

    let slow = Fake { slow: Duration::from_millis(300), ..Fake::of(plain(1, 2)) };
    *slow.schema_error.lock().unwrap() = Some(SourceError::Setting("no key".into()));
    let (engine, log) = slow.engine();
    let answers = futures::future::join_all((0..8).map(|_| refused(&engine, COUNT))).await;
    assert!(answers.iter().all(|error| error.to_string() == "no key"));
    assert_eq!(log.schemas(), 1);
}

#[tokio::test]
async fn an_empty_project_is_an_empty_table() {
    for remote_schema in [Schema::empty(), Schema::new(vec![Field::new("start_time", DataType::Int64, true)])] {
        let (engine, _) =
            Fake { remote_schema: Some(remote_schema), announces_more: Some(0), ..Fake::default() }.engine();
        let answer = ask(&engine, &format!("SELECT name, attributes.x FROM arize.\"my-project\" WHERE {FROM}")).await;
        let answer = answer.unwrap();
        assert!(answer.rows.is_empty() && answer.remarks.is_empty(), "{answer:?}");
        assert_eq!(ask(&engine, COUNT).await.unwrap().rows, ["0"]);
    }
}
