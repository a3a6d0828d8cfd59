//! What a client of Flight is sent.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{DataType, TimeUnit};
use futures::TryStreamExt;
use serde_json::json;
use spanql::model::columns;
use spanql::serve::{Log, Settings, Token};
use spanql::store::Store;
use tonic::Code;

use super::serve_support::{KEY, PROJECT, Running};
use super::support::{BASE_TIME, Cell, Row, batch, demo, import, row};

/// A store of these rows.
async fn store_of(rows: &[Row]) -> Arc<Store> {
    let store = Arc::new(Store::open("memory://").unwrap());
    import(&store, &[batch(rows)]).await.unwrap();
    store
}

/// Row `n` of [`PROJECT`], which starts that many nanoseconds after the base time.
fn numbered(n: i64) -> Row {
    let mut row = row(PROJECT, &format!("t{}", n / 2), &format!("s{n}"));
    row.insert(columns::START_TIME.to_owned(), Cell::Time(BASE_TIME + n));
    row.insert(columns::END_TIME.to_owned(), Cell::Time(BASE_TIME + n + 1_500_000));
    row
}

fn rfc3339(nanos: i64) -> String {
    chrono::DateTime::from_timestamp_nanos(nanos).to_rfc3339_opts(chrono::SecondsFormat::Nanos, true)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_begins_with_its_start_and_ends_before_its_end() {
    let server = Running::with_key(&store_of(&(0..6).map(numbered).collect::<Vec<_>>()).await).await;
    let flight = server.flight(KEY).await;
    for (start, end, expected) in [(0, 6, 0..6), (1, 5, 1..5), (2, 3, 2..3), (3, 3, 3..3), (-5, 1, 0..1), (6, 9, 6..6)]
    {
        let command = server.command(json!({
            "startTime": rfc3339(BASE_TIME + start), "endTime": rfc3339(BASE_TIME + end), "projectedColumns": ["context.span_id"],
        }));
        let export = flight.export(&command).await.unwrap();
        let names: Vec<String> = expected.clone().map(|n: i64| format!("s{n}")).collect();
        assert_eq!(if export.rows() == 0 { vec![] } else { export.texts("context.span_id") }, names);
        if export.rows() > 0 {
            let mut times = export.times("time");
            times.sort();
            assert_eq!(times, expected.map(|n| BASE_TIME + n).collect::<Vec<_>>());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_sent_in_types_that_clients_read() {
    let store = Arc::new(Store::open("memory://").unwrap());
    import(&store, &demo(3, 1_500)).await.unwrap();
    let project = store.snapshot().await.unwrap().manifest.segments[0].project.clone();
    let server = Running::with_key(&store).await;
    let export = server.flight(KEY).await.export(&server.command(json!({"modelId": project}))).await.unwrap();
    let held: u64 = {
        let manifest = store.snapshot().await.unwrap().manifest;
        manifest.segments.iter().filter(|segment| segment.project == project).map(|segment| segment.rows).sum()
    };
    assert_eq!(export.rows() as u64, held);
    assert_eq!(export.names()[..3], ["time", "context.trace_id", "context.span_id"]);
    let list = DataType::new_list(DataType::Utf8, true);
    for field in export.schema.fields() {
        let expected = match field.name().as_str() {
            "time" => DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
            "start_time" | "end_time" => DataType::Int64,
            "events" | "attributes.llm.input_messages" | "attributes.llm.tools" | "annotation.notes" => list.clone(),
            "event.attributes" | "attributes.metadata" => DataType::Utf8,
            _ => continue,
        };
        assert_eq!(*field.data_type(), expected, "{}", field.name());
    }
    for field in export.schema.fields() {
        let name = field.name();
        assert!(!name.starts_with("tree.") && !name.starts_with("attributes.metadata.") && name != "project", "{name}");
        let plain = |data_type: &DataType| {
            matches!(data_type, DataType::Utf8 | DataType::Int64 | DataType::Float64 | DataType::Boolean)
        };
        let readable = match field.data_type() {
            DataType::List(item) => *item.data_type() == DataType::Utf8,
            DataType::Timestamp(..) => true,
            data_type => plain(data_type),
        };
        assert!(readable, "{field}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_calls_and_wrong_keys_are_refused() {
    let server = Running::with_key(&store_of(&[numbered(1)]).await).await;
    let command = server.command(json!({}));
    for key in ["", "key-of-the-test", "another"] {
        let flight = server.flight(key).await;
        assert_eq!(flight.info(&command).await.unwrap_err().code(), Code::Unauthenticated);
        let ticket = arrow_flight::Ticket::new("x");
        let status = flight.client.clone().do_get(flight.request(ticket)).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated);
        assert!(!status.message().contains(KEY), "{status}");
    }
    let flight = server.flight(KEY).await;
    let mut client = flight.client.clone();
    let anonymous = client.get_flight_info(arrow_flight::FlightDescriptor::new_cmd("{}")).await.unwrap_err();
    assert_eq!(anonymous.code(), Code::Unauthenticated);
    let status = client.list_flights(flight.request(arrow_flight::Criteria::default())).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
    assert!(status.message().contains("ListFlights"), "{status}");
    assert!(flight.info(&command).await.is_ok());
}

/// `count` traces of three spans each.
fn traces(count: i64) -> Vec<Row> {
    let span = |n: i64| {
        let mut row = row(PROJECT, &format!("trace-{}", n / 3), &format!("s{n}"));
        row.insert(columns::START_TIME.to_owned(), Cell::Time(BASE_TIME + n));
        row
    };
    (0..count * 3).map(span).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_is_whole_traces_and_the_same_every_time() {
    let server = Running::with_key(&store_of(&traces(300)).await).await;
    let flight = server.flight(KEY).await;
    let sample = async |rate: f64| {
        let command = server.command(json!({"sampleRate": rate, "projectedColumns": ["context.trace_id"]}));
        flight.export(&command).await.unwrap().texts("context.trace_id")
    };
    let half = sample(0.5).await;
    assert!((300..600).contains(&half.len()), "{} of 900 spans", half.len());
    for trace in half.chunks(3) {
        assert!(trace.iter().all(|id| *id == trace[0]), "{trace:?}");
    }
    assert_eq!(sample(0.5).await, half);
    let tenth = sample(0.1).await;
    assert!(!tenth.is_empty() && tenth.iter().all(|id| half.contains(id)));
    assert_eq!(sample(1.0).await.len(), 900);
    for rate in [json!(0), json!(1.5), json!(-0.1), json!("x")] {
        let status = flight.info(&server.command(json!({"sampleRate": rate}))).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{rate}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_hold_no_more_rows_than_asked_for() {
    let server = Running::with_key(&store_of(&traces(20)).await).await;
    let flight = server.flight(KEY).await;
    for (chunk, least) in [(json!("1"), 60), (json!(7), 9), (json!("100000"), 1), (json!(0), 60)] {
        let command = server.command(json!({"streamChunkSize": chunk, "projectedColumns": ["name"]}));
        let export = flight.export(&command).await.unwrap();
        let most = chunk.as_i64().or_else(|| chunk.as_str()?.parse().ok()).unwrap().clamp(1, 5_000) as usize;
        assert!(export.batches.len() >= least, "{chunk}: {} batches", export.batches.len());
        assert!(export.batches.iter().all(|batch| batch.num_rows() <= most), "{chunk}");
        assert_eq!(export.rows(), 60);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projection_gives_what_was_named_and_the_time() {
    let mut rich = numbered(0);
    for (name, value) in [
        ("attributes.llm.input_messages", Cell::text(r#"[{"message.role":"user"},{"message": {"role": "tool"}}]"#)),
        ("attributes.metadata", Cell::text(r#"{"tier":"free","n":{"x":1}}"#)),
        ("attributes.custom.n", Cell::Int(5)),
        ("annotation.notes", Cell::text(r#"["{\"text\": \"seen\"}"]"#)),
        ("events", Cell::text(r#"[{"name":"a", "attributes":{"x": 1}},null]"#)),
    ] {
        rich.insert(name.to_owned(), value);
    }
    let server = Running::with_key(&store_of(&[rich]).await).await;
    let flight = server.flight(KEY).await;
    let export = async |names: &[&str]| flight.export(&server.command(json!({"projectedColumns": names}))).await;

    let some = export(&["name", "no_such_column", "name", "trace_id", "attributes.custom.n"]).await.unwrap();
    assert_eq!(some.names(), ["time", "name", "attributes.custom.n"], "aliases and unknown names are left out");
    assert_eq!(export(&["time"]).await.unwrap().names(), ["time"]);
    for names in [vec!["nmae"], vec!["project", "source", "tree.depth"]] {
        let status = export(&names).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{names:?}");
    }
    assert!(export(&["nmae"]).await.unwrap_err().message().contains("\"name\""));

    let text = |texts: &[&str]| Some(texts.iter().map(|text| Some((*text).to_owned())).collect::<Vec<_>>());
    let lists = export(&[
        "attributes.llm.input_messages",
        "attributes.llm.input_messages.roles",
        "attributes.llm.output_messages",
        "annotation.notes",
        "attributes.metadata.tier",
        "attributes.llm.input_messages.1.message.role",
        "eval.Tone.score",
    ])
    .await
    .unwrap();
    let messages = text(&[r#"{"message.role":"user"}"#, r#"{"message": {"role": "tool"}}"#]);
    assert_eq!(lists.list("attributes.llm.input_messages"), messages);
    assert_eq!(lists.list("attributes.llm.input_messages.roles"), text(&["user", "tool"]));
    assert_eq!(lists.list("attributes.llm.output_messages"), None);
    assert_eq!(lists.list("annotation.notes"), text(&[r#"{"text": "seen"}"#]));
    assert_eq!(lists.texts("attributes.metadata.tier"), ["free"]);
    assert_eq!(lists.texts("attributes.llm.input_messages.1.message.role"), ["tool"]);
    let score = lists.schema.field_with_name("eval.Tone.score").unwrap();
    assert_eq!(*score.data_type(), DataType::Float64, "a score that no span has yet");

    let all = flight.export(&server.command(json!({}))).await.unwrap();
    assert!(!all.names().contains(&"attributes.metadata.tier"), "{:?}", all.names());
    assert_eq!(all.texts("attributes.metadata"), [r#"{"tier":"free","n":{"x":1}}"#]);
    assert_eq!(all.list("events").unwrap()[1], None);
}

#[tokio::test(flavor = "multi_thread")]
async fn huge_values_arrive_whole_and_share_no_message() {
    let mut rows: Vec<Row> = (0..200).map(numbered).collect();
    for n in [50, 51, 120] {
        rows[n].insert(columns::INPUT.to_owned(), Cell::text(format!("{n}").repeat(3 << 20)));
    }
    let server = Running::with_key(&store_of(&rows).await).await;
    let export = server.flight(KEY).await.export(&server.command(json!({}))).await.unwrap();
    assert_eq!(export.rows(), 200);
    let mut lengths: Vec<usize> = export.texts(columns::INPUT).iter().map(String::len).collect();
    lengths.sort_unstable();
    assert_eq!(lengths, [6 << 20, 6 << 20, 9 << 20]);
    for batch in &export.batches {
        let big = batch.column_by_name(columns::INPUT).unwrap();
        let big = big.len() - big.null_count();
        assert!(big == 0 || batch.num_rows() == 1, "{} rows with a huge one among them", batch.num_rows());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_said() {
    let store = store_of(&[numbered(1), row("other", "t", "s")]).await;
    let server = Running::with_key(&store).await;
    let flight = server.flight(KEY).await;
    for (change, code, words) in [
        (json!({"modelId": "dmeo"}), Code::NotFound, "\"demo\""),
        (json!({"modelId": "zzz"}), Code::NotFound, "\"other\""),
        (json!({"spaceId": "U3BhY2U6MTphYmM="}), Code::NotFound, "U3BhY2U6MTphYmM="),
        (json!({"spaceId": ""}), Code::InvalidArgument, "spaceId"),
        (json!({"filterExpression": "nmae = 'x'"}), Code::InvalidArgument, "did you mean name?"),
    ] {
        let status = flight.info(&server.command(change.clone())).await.unwrap_err();
        assert_eq!(status.code(), code, "{change}");
        assert!(status.message().contains(words), "{change}: {status}");
    }
    assert!(flight.info(&server.command(json!({"filterExpression": " "}))).await.is_ok());

    let limited = Running::start(&store, Settings { project: Some("other".to_owned()), ..Settings::default() }).await;
    assert_eq!(limited.ready.projects.iter().map(|project| project.name.as_str()).collect::<Vec<_>>(), ["other"]);
    let status = limited.flight("any").await.info(&limited.command(json!({}))).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    assert!(limited.flight("any").await.info(&limited.command(json!({"modelId": "other"}))).await.is_ok());

    let empty = Running::start(&Arc::new(Store::open("memory://").unwrap()), Settings::default()).await;
    assert_eq!(empty.ready.projects, []);
    let status = empty.flight("any").await.info(&empty.command(json!({}))).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_stays_with_its_version_and_new_spans_are_seen() {
    let store = store_of(&(0..4).map(numbered).collect::<Vec<_>>()).await;
    let server = Running::with_key(&store).await;
    let flight = server.flight(KEY).await;
    let counted = flight.info(&server.command(json!({}))).await.unwrap();
    import(&store, &[batch(&(10..16).map(numbered).collect::<Vec<_>>())]).await.unwrap();
    let batches: Vec<_> = flight.open(&counted).await.unwrap().try_collect().await.unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 4, "the spans that were counted");
    assert_eq!(flight.export(&server.command(json!({}))).await.unwrap().rows(), 10, "no restart is needed");

    store.vacuum(std::time::Duration::ZERO).await.unwrap();
    let Err(status) = flight.open(&counted).await else { panic!("the version is gone") };
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().contains("version 1"), "{status}");
}

/// Where a server's log goes, and what it holds.
fn kept_log() -> (Log, Arc<Mutex<Vec<String>>>) {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&kept);
    (Arc::new(move |line: &str| lines.lock().unwrap().push(line.to_owned())), kept)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_ends_its_query() {
    let heavy = |n: i64| {
        let mut row = numbered(n);
        row.insert(columns::INPUT.to_owned(), Cell::text(format!("{n:0>9}").repeat(20_000)));
        row
    };
    let (log, kept) = kept_log();
    let store = store_of(&(0..300).map(heavy).collect::<Vec<_>>()).await;
    let server =
        Running::start(&store, Settings { token: Token::new(KEY), log: Some(log), ..Settings::default() }).await;
    let flight = server.flight(KEY).await;
    let info = flight.info(&server.command(json!({}))).await.unwrap();
    let mut stream = flight.open(&info).await.unwrap();
    stream.try_next().await.unwrap().unwrap();
    // Who does not read on is not sent more than lies on the way.
    tokio::time::sleep(Duration::from_millis(300)).await;
    drop(stream);
    let line = loop {
        tokio::time::sleep(Duration::from_millis(20)).await;
        if let Some(line) = kept.lock().unwrap().iter().find(|line| line.contains("DoGet")) {
            break line.clone();
        }
    };
    assert!(line.contains("(cut)"), "{line}");
    let rows: u64 = line.split(": ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!((1..150).contains(&rows), "{line}");
    assert!(!kept.lock().unwrap().iter().any(|line| line.contains(KEY)));
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_are_served_side_by_side() {
    let store = Arc::new(Store::open("memory://").unwrap());
    import(&store, &demo(5, 800)).await.unwrap();
    let server = Running::with_key(&store).await;
    let command = server.command(json!({"modelId": server.ready.projects[0].name}));
    // One that has begun and does not read holds up nobody.
    let idle = server.flight(KEY).await;
    let _stream = idle.open(&idle.info(&command).await.unwrap()).await.unwrap();
    let exports = (0..3).map(async |_| {
        let export = server.flight(KEY).await.export(&command).await.unwrap();
        export.texts("context.span_id")
    });
    let exports = futures::future::join_all(exports).await;
    assert!(exports[0].len() > 100);
    assert!(exports.iter().all(|export| *export == exports[0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_a_little_for_what_is_under_way() {
    // More than lies on the way at any time.
    let heavy = |n: i64| {
        let mut row = numbered(n);
        row.insert(columns::INPUT.to_owned(), Cell::text(format!("{n:0>9}").repeat(20_000)));
        row
    };
    let store = store_of(&(0..60).map(heavy).collect::<Vec<_>>()).await;
    // Longer than by default: how long that is under load is not what this is about.
    let settings = Settings { token: Token::new(KEY), grace: Duration::from_secs(60), ..Settings::default() };
    let server = Running::start(&store, settings).await;
    let flight = server.flight(KEY).await;
    let info = flight.info(&server.command(json!({}))).await.unwrap();
    let mut reading = flight.open(&info).await.unwrap();
    let first = reading.try_next().await.unwrap().unwrap().num_rows();
    assert!(first < 60, "more is to come");
    let stopping = tokio::spawn(server.stop());
    let rest: Vec<_> = reading.try_collect().await.unwrap();
    assert_eq!(
        first + rest.iter().map(RecordBatch::num_rows).sum::<usize>(),
        60,
        "a transfer that goes on is finished"
    );
    drop(flight);
    tokio::time::timeout(Duration::from_secs(5), stopping).await.unwrap().unwrap().unwrap();
}
