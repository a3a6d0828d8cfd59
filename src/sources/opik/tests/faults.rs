//! What goes wrong on the way: rows come once each, or an error says so.

use super::super::standin::Fault;
use super::*;
use crate::remote::Ending;

#[tokio::test]
async fn what_passes_is_tried_again_and_every_row_comes_once() {
    for fault in [
        Fault::Cut(0),
        Fault::Cut(3),
        Fault::EndsWithinRow(3),
        Fault::EndsEarly(0),
        Fault::EndsEarly(3),
        Fault::FailedRow(0),
        Fault::FailedRow(3),
        Fault::Status(429, &[]),
        Fault::Status(429, &[("RateLimit-Reset", "1")]),
        Fault::Status(429, &[("Retry-After", "0")]),
        Fault::Status(502, &[]),
        Fault::Status(503, &[]),
        Fault::Status(504, &[]),
    ] {
        for path in ["/traces/search", "/spans/search"] {
            let standin = standin(6, 2);
            standin.fail(path, fault);
            let (rows, stream) = read(&source(&standin), &everything()).await.unwrap();
            assert_eq!(rows, expected(6, 2), "{fault:?} of {path}");
            assert_eq!((stream.ending(), stream.received().rows()), (Ending::Complete, 18), "{fault:?} of {path}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_asked_for_again_behind_its_last_row() {
    let standin = standin(6, 2);
    standin.fail("/spans/search", Fault::Cut(3));
    standin.fail("/spans/search", Fault::FailedRow(2));
    read(&source(&standin), &everything()).await.unwrap();
    let asked: Vec<_> = standin.asked("/spans/search").into_iter().map(|asked| asked.body).collect();
    let limits: Vec<_> = asked.iter().map(|body| body["limit"].clone()).collect();
    assert_eq!(limits, [2000, 1000, 500]);
    let behind: Vec<_> = asked.iter().map(|body| body["last_retrieved_id"].clone()).collect();
    assert_eq!(behind, [Json::Null, json!(span_id(4, 1)), json!(span_id(3, 1))]);
}

#[tokio::test]
async fn a_remote_is_left_alone_as_long_as_it_asks_for() {
    let standin = standin(1, 1);
    let headers =
        &[("Opik-Search-Spans-Remaining-Limit", "0"), ("Opik-Search-Spans-Remaining-Limit-TTL-Millis", "1300")];
    standin.fail("/spans/search", Fault::Status(429, headers));
    let began = std::time::Instant::now();
    read(&source(&standin), &everything()).await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(1300));
}

#[tokio::test]
async fn what_does_not_pass_is_an_error_and_no_end() {
    for (fault, said) in [
        (Fault::Status(500, &[]), "500"),
        (Fault::Status(400, &[]), "400"),
        (Fault::BrokenRow(2), "no JSON object"),
        (Fault::OldestFirst, "newest first"),
        (Fault::Silent, "no answer for 2 s"),
    ] {
        let standin = standin(4, 2);
        standin.fail("/spans/search", fault);
        let mut stream = source(&standin).open(&everything()).await.unwrap();
        let error = loop {
            match stream.try_next().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("{fault:?} is no end"),
                Err(error) => break error,
            }
        };
        assert!(error.to_string().contains(said), "{fault:?}: {error}");
        assert_eq!(matches!(error, SourceError::Silent { .. }), fault == Fault::Silent);
        assert_eq!(stream.ending(), Ending::Cut);
        assert_eq!(standin.asked("/spans/search").len(), 1, "{fault:?} is not tried again");
    }
}

#[tokio::test]
async fn what_fails_again_and_again_is_given_up() {
    for (fault, passes) in [(Fault::FailedRow(0), false), (Fault::Cut(0), true), (Fault::Status(503, &[]), true)] {
        let standin = standin(4, 2);
        (0..9).for_each(|_| standin.fail("/spans/search", fault));
        let error = read(&source(&standin), &everything()).await.map(|(rows, _)| rows).unwrap_err();
        assert_eq!(error.is_transient(), passes, "{error}");
        assert_eq!(standin.asked("/spans/search").len(), 5);
    }
}

#[tokio::test]
async fn a_connection_that_is_refused_is_unreachable() {
    let standin = Standin { url: "http://127.0.0.1:1/api".to_owned(), ..standin(0, 0) };
    let error = source(&standin).projects().await.unwrap_err();
    assert!(matches!(error, SourceError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn keys_and_workspaces_that_are_not_accepted_are_said_without_the_key() {
    let standin = standin(1, 1);
    for (key, workspace, said) in
        [("another-secret-key", WORKSPACE, "the key is not accepted"), (KEY, "other", "check OPIK_WORKSPACE")]
    {
        let source = source_with(&standin, key, workspace);
        let everywhere = [
            source.projects().await.err(),
            source.resolve("demo").await.err(),
            source.open(&everything()).await.err(),
            source.schema("demo").await.err(),
        ];
        for error in everywhere.map(Option::unwrap) {
            assert!(matches!(error, SourceError::Denied { .. }), "{error}");
            let shown = format!("{error} {error:?} {source:?}");
            assert!(shown.contains(said) && !shown.contains(key), "{shown}");
        }
    }
}
