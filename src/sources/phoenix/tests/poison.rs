//! Spans that the server cannot give.

use super::*;

/// A server that fails for each page on which one of these rows is, or behind which it looks at one.
fn poisoned(all: Vec<i64>, bad: &'static [i64], looks: bool) -> StandIn {
    StandIn::new(move |asked, _| {
        let (rows, next) = rows(asked, &all);
        if rows.iter().chain(next.iter().filter(|_| looks)).any(|row| bad.contains(row)) {
            return Reply::Text(500, "Internal Server Error".into());
        }
        page(&rows, next)
    })
}

#[tokio::test]
async fn all_others_come_and_those_are_counted() {
    for looks in [false, true] {
        let bad = &[3, 500, 501, 777];
        let server = poisoned((1..=1_000).collect(), bad, looks);
        let read = read(&source(&server), &everything()).await.unwrap();
        let want: Vec<i64> = (1..=1_000).rev().filter(|row| !bad.contains(row)).collect();
        let lost: Vec<&i64> = want.iter().filter(|row| !read.rows.contains(row)).collect();
        // Between two bad ones, a span that the server looks behind in either order cannot be had.
        assert_eq!(lost, Vec::<&i64>::new(), "{looks}");
        assert_eq!(read.rows, want, "{looks}");
        let (count, reason) = read.unfit.unwrap();
        assert_eq!((count, read.received, read.ending), (4, 1_000, Ending::Complete), "{looks}");
        assert!(reason.contains("Span:777") && reason.contains("500"), "{reason}");
        assert!(server.asked().len() < 150, "{}", server.asked().len());
    }
}

#[tokio::test]
async fn a_server_that_fails_always_is_an_error() {
    let server = StandIn::new(|asked, number| match number {
        0 => listed(asked, &(1..=1_000).collect::<Vec<_>>()),
        _ => Reply::Text(500, "Internal Server Error".into()),
    });
    let error = read(&source(&server), &everything()).await.unwrap_err();
    assert!(matches!(error, SourceError::Refused { .. }) && error.to_string().contains("500"), "{error}");
}

/// A server that keeps to the window, too.
fn poisoned_in_windows(all: Vec<i64>, bad: &'static [i64]) -> StandIn {
    StandIn::new(move |asked, _| {
        let time =
            |name| asked.get(name).map(|text| chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros());
        let (start, end) = (time("start_time"), time("end_time"));
        let inside = |row: &&i64| {
            let at = **row * 1_000_000;
            start.is_none_or(|start| start <= at) && end.is_none_or(|end| at < end)
        };
        let (rows, next) = rows(asked, &all.iter().filter(inside).copied().collect::<Vec<_>>());
        match rows.iter().any(|row| bad.contains(row)) {
            true => Reply::Text(500, "Internal Server Error".into()),
            false => page(&rows, next),
        }
    })
}

#[tokio::test]
async fn the_first_of_all_is_found_by_its_time() {
    for bad in [&[300][..], &[300, 299, 150], &[1]] {
        let server = poisoned_in_windows((1..=300).collect(), bad);
        let read = read(&source(&server), &everything()).await.unwrap();
        assert_eq!(read.rows, (1..=300).rev().filter(|row| !bad.contains(row)).collect::<Vec<_>>());
        assert_eq!((read.unfit.unwrap().0, read.received, read.ending), (bad.len() as u64, 300, Ending::Complete));
        assert!(server.asked().len() < 300, "{}", server.asked().len());
    }
    let always = ExportRequest { window: Window { start: i64::MIN, end: i64::MAX }, ..everything() };
    let server = poisoned_in_windows((1..=3).collect(), &[3]);
    assert_eq!(read(&source(&server), &always).await.unwrap().rows, [2, 1]);
}

#[tokio::test]
async fn a_server_that_fails_at_once_is_not_asked_for_long() {
    let server = StandIn::new(|_, _| Reply::Text(500, "Internal Server Error".into()));
    let error = read(&source(&server), &everything()).await.unwrap_err().to_string();
    assert!(error.contains("500"), "{error}");
    assert!(server.asked().len() < 12, "{}", server.asked().len());
    // It ignores windows, so that cutting them does not help.
    let server = poisoned((1..=10).collect(), &[10], false);
    let nothing = StandIn::new(
        move |asked, number| if number == 8 { page(&[], None) } else { Reply::Text(500, asked.path.clone()) },
    );
    for server in [server, nothing] {
        assert!(read(&source(&server), &everything()).await.is_err());
        assert!(server.asked().len() < 90, "{}", server.asked().len());
    }
}

#[tokio::test]
async fn spans_that_make_no_sense_are_counted() {
    let server = StandIn::new(|_, _| {
        let spans = [span(2), r#"{"id":"U3Bhbjox","name":"no ids","attributes":{}}"#.to_owned(), span(1)];
        Reply::Json(format!(r#"{{"data":[{}],"next_cursor":null}}"#, spans.join(",")))
    });
    let read = read(&source(&server), &everything()).await.unwrap();
    assert_eq!((read.rows, read.received, read.unfit.unwrap().0), (vec![2, 1], 3, 1));
}
