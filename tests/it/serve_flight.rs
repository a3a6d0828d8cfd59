//! What a client of Flight is sent.

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use serde_json::json;
use spanql::model::columns;
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
    let status = client.list_actions(flight.request(arrow_flight::Empty {})).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
    assert!(status.message().contains("ListActions"), "{status}");
    assert!(flight.info(&command).await.is_ok());
}
