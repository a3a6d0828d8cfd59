//! Servers and networks that fail.

use std::time::Instant;

use super::*;

/// A server whose answer to the request of this number is another one.
fn once(at: usize, fault: Reply) -> StandIn {
    StandIn::new(
        move |asked, number| if number == at { fault.clone() } else { listed(asked, &(1..=500).collect::<Vec<_>>()) },
    )
}

#[tokio::test]
async fn what_may_pass_in_the_midst_of_a_listing_is_tried_again() {
    let whole = r#"{"data":[],"next_cursor":null}"#;
    for fault in [
        Reply::Text(429, "slow down".into()),
        Reply::With(429, "retry-after: 1\r\n", "{}".into()),
        Reply::Text(503, "later".into()),
        Reply::Text(502, "<html>gateway".into()),
        Reply::Close,
        Reply::Half(whole.into()),
    ] {
        let server = once(1, fault.clone());
        let read = read(&source(&server), &everything()).await.unwrap();
        assert_eq!((read.rows.len(), read.ending), (500, Ending::Complete), "{fault:?}");
    }
}

#[tokio::test]
async fn at_the_beginning_whoever_asked_tries_again() {
    let server = once(0, Reply::With(429, "retry-after: 7\r\n", "{}".into()));
    let error = source(&server).open(&everything()).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    let SourceError::Unavailable { retry_after, .. } = error else { panic!("{error}") };
    assert_eq!(retry_after, Some(Duration::from_secs(7)));
    assert_eq!(server.asked().len(), 1);
    let server = once(0, Reply::Close);
    assert!(matches!(source(&server).open(&everything()).await.unwrap_err(), SourceError::Unreachable { .. }));
}

#[tokio::test]
async fn a_timeout_of_a_gateway_is_answered_with_a_smaller_page() {
    let server = StandIn::new(|asked, _| match asked.get("limit").unwrap().parse::<u64>().unwrap() {
        101.. => Reply::Text(504, "gateway timeout".into()),
        _ => listed(asked, &(1..=300).collect::<Vec<_>>()),
    });
    let read = read(&source(&server), &everything()).await;
    assert_eq!(read.unwrap().rows.len(), 300);
}

#[tokio::test]
async fn a_key_that_is_refused_is_not_shown() {
    for (status, said) in [(401, "not accepted"), (403, "rights")] {
        let server = StandIn::new(move |_, _| Reply::Text(status, format!("Invalid token {KEY}")));
        for error in [
            source(&server).open(&everything()).await.map(drop).unwrap_err(),
            source(&server).projects().await.map(drop).unwrap_err(),
        ] {
            assert!(matches!(error, SourceError::Denied { .. }), "{error}");
            let error = format!("{error} {error:?}");
            assert!(error.contains(said) && error.contains("<key>") && !error.contains(KEY), "{error}");
        }
        assert_eq!(server.asked().len(), 2);
    }
}

#[tokio::test]
async fn a_project_that_is_missing_is_named_with_the_nearest() {
    let server = StandIn::new(|asked, _| match asked.path.as_str() {
        "/v1/projects" => Reply::Json(r#"{"data":[{"name":"demo","id":"UHJvamVjdDoy"}],"next_cursor":null}"#.into()),
        _ => Reply::Text(404, "Project with name dmeo not found".into()),
    });
    for project in ["dmeo", "dem/o"] {
        let request = ExportRequest { project: project.to_owned(), ..everything() };
        let error = source(&server).open(&request).await.unwrap_err();
        assert_eq!(error.suggestion(), Some("demo"), "{error}");
        assert!(error.to_string().contains(project), "{error}");
    }
}

#[tokio::test]
async fn what_is_not_the_api_is_said_to_be_so() {
    for (reply, said) in [
        (Reply::Html, "text/html"),
        (Reply::Json("no JSON".into()), "no JSON object"),
        (Reply::Json("{}".into()), "no list of spans"),
        (Reply::Json(r#"{"data":"x"}"#.into()), "no list of spans"),
    ] {
        let server = StandIn::new(move |_, _| reply.clone());
        let error = read(&source(&server), &everything()).await.unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
        assert!(source(&server).projects().await.is_err());
    }
    let server = StandIn::new(|_, _| page(&[2, 1], Some(3)));
    let error = read(&source(&server), &everything()).await.unwrap_err().to_string();
    assert!(error.contains("leads to itself"), "{error}");
}

#[tokio::test]
async fn silence_is_an_error() {
    for at in [0, 1] {
        let server = once(at, Reply::Silence);
        let began = Instant::now();
        let error = read(&source_with(&server, Duration::from_millis(400)), &everything()).await.unwrap_err();
        assert!(matches!(error, SourceError::Silent { .. }), "{error}");
        assert!(began.elapsed() < Duration::from_secs(15));
    }
}

#[tokio::test]
async fn a_stream_that_is_dropped_asks_for_nothing_more() {
    let server = once(99, Reply::Close);
    let mut stream = source(&server).open(&everything()).await.unwrap();
    stream.try_next().await.unwrap().unwrap();
    assert_eq!(stream.ending(), Ending::Cut);
    // The page behind the one that came is on its way by then.
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(stream);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let asked: Vec<_> = server.asked().iter().map(|asked| asked.get("limit").unwrap().to_owned()).collect();
    assert_eq!(asked, ["200", "250"]);
    let stream = source(&server).open(&everything()).await.unwrap();
    drop(stream);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(server.asked().len(), 3);
}
