//! Clients that ask for much, take little or say nothing: what they get, and that others get theirs.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arrow::array::{AsArray, RecordBatch};
use futures::{StreamExt, TryStreamExt};
use serde_json::json;
use spanql::model::columns;
use spanql::serve::{Log, Settings, Token};
use spanql::store::Store;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Code;

use super::serve_support::{KEY, PROJECT, Running};
use super::support::{BASE_TIME, Cell, Row, batch, import, row};

/// Row `n`, with a text of a few hundred kilobytes.
fn heavy(n: i64) -> Row {
    let mut row = row(PROJECT, &format!("t{n:03}"), &format!("s{n:03}"));
    row.insert(columns::START_TIME.to_owned(), Cell::Time(BASE_TIME + n));
    row.insert(columns::INPUT.to_owned(), Cell::text(format!("{n:0>9}").repeat(20_000)));
    row
}

async fn store_of(rows: i64) -> Arc<Store> {
    let store = Arc::new(Store::open("memory://").unwrap());
    import(&store, &[batch(&(0..rows).map(heavy).collect::<Vec<_>>())]).await.unwrap();
    store
}

fn ids(batches: &[RecordBatch]) -> Vec<String> {
    let of = |batch: &RecordBatch| {
        let column = batch.column_by_name(columns::SPAN_ID).unwrap();
        column.as_string::<i32>().iter().map(|id| id.unwrap().to_owned()).collect::<Vec<_>>()
    };
    batches.iter().flat_map(of).collect()
}

/// There is memory for one query at a time: each reader that stalls gives it up, and goes on later without a loss.
#[tokio::test(flavor = "multi_thread")]
async fn readers_that_stall_make_place_and_go_on_where_they_were() {
    let store = store_of(60).await;
    let settings = Settings { token: Token::new(KEY), memory_limit: Some(8 << 20), ..Settings::default() };
    let server = Running::start(&store, settings).await;
    let mut begun = Vec::new();
    for _ in 0..4 {
        let flight = server.flight(KEY).await;
        let info = flight.info(&server.command(json!({}))).await.unwrap();
        let mut stream = flight.open(&info).await.unwrap();
        let first = stream.try_next().await.unwrap().unwrap();
        assert!(first.num_rows() < 60, "more is to come");
        begun.push((vec![first], stream));
    }
    let whole = server.flight(KEY).await.export(&server.command(json!({}))).await.unwrap();
    assert_eq!(whole.rows(), 60);
    let expected: Vec<String> = (0..60).map(|n| format!("s{n:03}")).collect();
    for (mut batches, stream) in begun {
        batches.extend(stream.try_collect::<Vec<_>>().await.unwrap());
        let mut found = ids(&batches);
        found.sort();
        assert_eq!(found, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn too_much_is_refused_and_long_texts_are_cut() {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&kept);
    let log: Log = Arc::new(move |line: &str| lines.lock().unwrap().push(line.to_owned()));
    let settings = Settings { token: Token::new(KEY), log: Some(log), ..Settings::default() };
    let server = Running::start(&store_of(2).await, settings).await;
    let flight = server.flight(KEY).await;
    let names: Vec<String> = (0..30_000).map(|n| format!("attributes.x{n}")).collect();
    let long = "x".repeat(1 << 20);
    for (change, code) in [
        (json!({"projectedColumns": names}), Code::InvalidArgument),
        (json!({"modelId": long}), Code::NotFound),
        (json!({"spaceId": long}), Code::NotFound),
        (json!({"startTime": long}), Code::InvalidArgument),
    ] {
        let status = flight.info(&server.command(change)).await.unwrap_err();
        assert_eq!(status.code(), code, "{}", status.message());
        assert!(status.message().len() < 1_000, "{} bytes", status.message().len());
    }
    assert_eq!(
        flight.info(&server.command(json!({"projectedColumns": names[..1_000]}))).await.unwrap().total_records,
        2
    );
    assert!(kept.lock().unwrap().iter().all(|line| line.len() < 2_000));
    let mut request = flight.request(arrow_flight::FlightDescriptor::new_cmd(server.command(json!({})).to_string()));
    request.metadata_mut().insert("origin", "http://evil.example".parse().unwrap());
    let status = flight.client.clone().get_flight_info(request).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    let url = format!("http://127.0.0.1:{}/v2/projects", server.ready.http_port);
    let foreign = reqwest::Client::new().get(url).bearer_auth(KEY).header("origin", "http://evil.example");
    assert_eq!(foreign.send().await.unwrap().status(), 403);
}

/// Patterns of which a regular expression would take minutes, or be refused.
#[tokio::test(flavor = "multi_thread")]
async fn patterns_with_thousands_of_wildcards_are_answered() {
    let server = Running::with_key(&store_of(3).await).await;
    let flight = server.flight(KEY).await;
    let began = Instant::now();
    for (pattern, rows) in [
        ("%_0".repeat(1_500) + "%", 3),
        ("%_0".repeat(1_500), 1),
        ("%0".repeat(15_000) + "%", 3),
        ("%_0".repeat(1_500) + "x", 0),
        ("_".repeat(180_000), 3),
        ("%".repeat(50_000), 3),
    ] {
        for operator in ["LIKE", "ILIKE"] {
            let filter = format!("attributes.input.value {operator} '{pattern}'");
            let info = flight.info(&server.command(json!({"filterExpression": filter}))).await.unwrap();
            assert_eq!(info.total_records, rows, "{operator} of {} bytes", pattern.len());
        }
    }
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    let filter = format!("attributes.input.value LIKE '%{}'", "a_".repeat(10_000));
    let status = flight.info(&server.command(json!({"filterExpression": filter}))).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{}", status.message());
}

/// A page that is too long to be sent at once comes in pieces, and is the same.
#[tokio::test(flavor = "multi_thread")]
async fn long_pages_come_whole() {
    let server = Running::with_key(&store_of(60).await).await;
    let client = reqwest::Client::new();
    let body = json!({
        "project_id": server.ready.projects[0].id,
        "start_time": "2000-01-01T00:00:00Z", "end_time": "2100-01-01T00:00:00Z",
    });
    for (path, what) in [("/v2/spans?limit=50", "spans"), ("/v2/traces?limit=50", "traces")] {
        let url = format!("http://127.0.0.1:{}{path}", server.ready.http_port);
        let answer = client.post(url).bearer_auth(KEY).body(body.to_string()).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let page: serde_json::Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        let entries = page[what].as_array().unwrap();
        assert_eq!((entries.len(), &page["pagination"]["has_more"]), (50, &json!(true)));
        let spans = entries.iter().map(|entry| if what == "traces" { &entry["spans"][0] } else { entry });
        let found: Vec<&str> = spans.map(|span| span["context"]["span_id"].as_str().unwrap()).collect();
        let expected: Vec<String> = (10..60).rev().map(|n| format!("s{n:03}")).collect();
        assert_eq!(found, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_nothing_is_shown_out() {
    let server = Running::with_key(&store_of(1).await).await;
    let mut silent = TcpStream::connect(("127.0.0.1", server.ready.http_port)).await.unwrap();
    let mut slow = TcpStream::connect(("127.0.0.1", server.ready.flight_port)).await.unwrap();
    slow.write_all(b"PRI * HTTP/2.0").await.unwrap();
    let began = Instant::now();
    for connection in [&mut silent, &mut slow] {
        let mut bytes = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(30), connection.read_to_end(&mut bytes)).await;
        // Closed, or reset: either is an end.
        drop(ended.unwrap());
    }
    assert!(began.elapsed() > Duration::from_secs(5), "time to show a key: {:?}", began.elapsed());
}

/// A file that is missing is an error to who asks for what it holds, and the server goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_missing_file_ends_one_request() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(dir.path().join("store").to_str().unwrap()).unwrap());
    // More than a segment of one file has, which would be kept in memory whole.
    let rows: Vec<Row> = (0..5_000)
        .map(|n| {
            let mut row = row(PROJECT, &format!("t{n:04}"), &format!("s{n:04}"));
            row.insert(columns::START_TIME.to_owned(), Cell::Time(BASE_TIME + n));
            row
        })
        .collect();
    import(&store, &[batch(&rows)]).await.unwrap();
    let server = Running::with_key(&store).await;
    let flight = server.flight(KEY).await;
    let info = flight.info(&server.command(json!({}))).await.unwrap();
    for entry in std::fs::read_dir(dir.path().join("store/segments")).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let ended = match flight.open(&info).await {
        Err(status) => status,
        Ok(mut stream) => loop {
            match stream.next().await {
                Some(Ok(_)) => {}
                Some(Err(error)) => break error.into(),
                None => panic!("the rows of a missing file were sent"),
            }
        },
    };
    assert_eq!(ended.code(), Code::Internal, "{}", ended.message());
    let url = format!("http://127.0.0.1:{}/v2/projects", server.ready.http_port);
    let projects = reqwest::Client::new().get(url).bearer_auth(KEY).send().await.unwrap();
    assert_eq!(projects.status(), 200);
}

/// A store that was removed and made anew has the same numbers of versions: what was opened of the old one is not asked.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_made_anew_is_served_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("store").display().to_string();
    let store = Arc::new(Store::open(&place).unwrap());
    import(&store, &[batch(&(0..3).map(heavy).collect::<Vec<_>>())]).await.unwrap();
    let server = Running::with_key(&store).await;
    let flight = server.flight(KEY).await;
    let rows = async || flight.export(&server.command(json!({}))).await.unwrap().rows();
    assert_eq!(rows().await, 3);
    let before = store.snapshot().await.unwrap().manifest.version;
    std::fs::remove_dir_all(&place).unwrap();
    let anew = Store::open(&place).unwrap();
    import(&anew, &[batch(&(0..5).map(heavy).collect::<Vec<_>>())]).await.unwrap();
    assert_eq!(anew.snapshot().await.unwrap().manifest.version, before);
    assert_eq!(rows().await, 5);
}
