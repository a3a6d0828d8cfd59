//! What clients of Arize write over Flight, and what is refused of it.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, NullArray, RecordBatch, StringArray};
use arrow_flight::FlightDescriptor;
use arrow_flight::encode::FlightDataEncoderBuilder;
use futures::{StreamExt, TryStreamExt};
use prost::Message;
use serde_json::{Value, json};
use spanql::model::columns::START_TIME;
use spanql::serve::{Settings, Token};
use spanql::store::Store;
use tonic::{Code, Status};

use super::serve_support::{Flight, KEY, PROJECT, Running};
use super::support::{BASE_TIME, Cell, batch, import, row};

const SPANS: usize = 40;

/// `WriteSpanEvaluationResponse`.
#[derive(Clone, PartialEq, Message)]
struct Updated {
    #[prost(int64, tag = "1")]
    records: i64,
    #[prost(string, repeated, tag = "2")]
    unmatched: Vec<String>,
}

/// `WriteSpanAttributesMetadataResponse`.
#[derive(Clone, PartialEq, Message)]
struct Patched {
    #[prost(int64, tag = "1")]
    processed: i64,
    #[prost(int64, tag = "2")]
    updated: i64,
    #[prost(int64, tag = "3")]
    failed: i64,
    #[prost(message, repeated, tag = "4")]
    errors: Vec<SpanError>,
}

#[derive(Clone, PartialEq, Message)]
struct SpanError {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(string, tag = "2")]
    message: String,
}

async fn served(settings: Settings) -> (Arc<Store>, Running) {
    let store = Arc::new(Store::open("memory://").unwrap());
    let span = |n: usize| {
        let mut row = row(PROJECT, &format!("trace-{}", n / 4), &format!("s{n}"));
        row.insert(START_TIME.to_owned(), Cell::Time(BASE_TIME + n as i64));
        row
    };
    let rows: Vec<_> = (0..SPANS).map(span).collect();
    import(&store, &[batch(&rows)]).await.unwrap();
    let server = Running::start(&store, settings).await;
    (store, server)
}

fn with_keys() -> Settings {
    Settings { token: Token::new("to-read"), write_token: Token::new(KEY), ..Settings::default() }
}

fn texts<'a>(values: impl IntoIterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<StringArray>())
}

fn table(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

fn command(server: &Running, what: &str) -> Value {
    json!({what: {"externalModelId": PROJECT, "spaceId": server.ready.space_id}})
}

/// Puts rows; the answer is a message of protocol buffers.
async fn put<T: Message + Default>(
    flight: &Flight,
    descriptor: Option<FlightDescriptor>,
    rows: &RecordBatch,
) -> Result<T, Status> {
    let messages = FlightDataEncoderBuilder::new()
        .with_schema(rows.schema())
        .with_flight_descriptor(descriptor)
        .build(futures::stream::iter([Ok(rows.clone())]));
    let messages: Vec<_> = messages.try_collect().await.unwrap();
    let request = flight.request(futures::stream::iter(messages));
    let mut answers = flight.client.clone().do_put(request).await?.into_inner();
    let answer = answers.next().await.unwrap()?;
    assert!(answers.next().await.is_none());
    Ok(T::decode(answer.app_metadata).unwrap())
}

fn described(command: &Value) -> Option<FlightDescriptor> {
    Some(FlightDescriptor::new_cmd(command.to_string()))
}

#[tokio::test(flavor = "multi_thread")]
async fn evaluations_annotations_and_metadata_are_written_on_spans() {
    let (_, server) = served(with_keys()).await;
    let flight = server.flight(KEY).await;
    let rows = table(vec![
        ("context.span_id", texts([Some("s1"), Some("nobody")])),
        ("eval.Quality.label", texts([Some("good"), Some("bad")])),
        ("eval.Quality.score", Arc::new(Float64Array::from(vec![Some(0.5), None]))),
        ("eval.Quality.explanation", Arc::new(NullArray::new(2))),
        ("trace_eval.Whole.label", texts([Some("fine"), None])),
    ]);
    let updated: Updated =
        put(&flight, described(&command(&server, "writeSpanEvaluationRequest")), &rows).await.unwrap();
    assert_eq!(updated, Updated { records: 1, unmatched: vec!["nobody".to_owned()] });
    let rows = table(vec![
        ("context.span_id", texts([Some("s1")])),
        ("annotation.Tone.label", texts([Some("kind")])),
        ("annotation.notes", texts([Some(r#"{"text": "seen", "updated_by": "SDK", "updated_at": 1}"#)])),
    ]);
    let updated: Updated =
        put(&flight, described(&command(&server, "writeSpanAnnotationRequest")), &rows).await.unwrap();
    assert_eq!(updated, Updated { records: 1, unmatched: vec![] });
    let rows = table(vec![
        ("context.span_id", texts([Some("s1"), Some("nobody"), Some("s2")])),
        ("patch_document", texts([Some(r#"{"tier": "free", "paid": true, "none": null}"#), Some("{}"), Some("[1]")])),
    ]);
    let request = command(&server, "writeSpanAttributesMetadataRequest");
    let patched: Patched = put(&flight, described(&request), &rows).await.unwrap();
    assert_eq!((patched.processed, patched.updated, patched.failed), (3, 1, 2));
    let errors: Vec<_> = patched.errors.iter().map(|error| (error.id.as_str(), error.message.as_str())).collect();
    assert_eq!(errors, [("s2", "parse_failure"), ("nobody", "segment_not_found")]);

    let filter = "eval.Quality.label = 'good' AND trace_eval.Whole.label = 'fine' AND annotation.Tone.label = 'kind'
        AND attributes.metadata.tier = 'free' AND attributes.metadata.paid = 'True'";
    let export =
        server.flight("to-read").await.export(&server.command(json!({"filterExpression": filter}))).await.unwrap();
    assert_eq!(export.texts("context.span_id"), ["s1"]);
    assert!(export.texts("attributes.metadata")[0].contains(r#""none":null"#));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_written_is_refused_and_nothing_of_it_is_there() {
    let (store, server) = served(with_keys()).await;
    let flight = server.flight(KEY).await;
    let version = store.snapshot().await.unwrap().manifest.version;
    let good = || table(vec![("context.span_id", texts([Some("s1")])), ("eval.Q.label", texts([Some("x")]))]);
    let evaluations = command(&server, "writeSpanEvaluationRequest");
    let with = |name: &str, value: Value| {
        let mut changed = evaluations.clone();
        changed["writeSpanEvaluationRequest"][name] = value;
        described(&changed)
    };
    let both = json!({"writeSpanEvaluationRequest": {}, "writeSpanAnnotationRequest": {}});
    let descriptors = [
        (None, Code::InvalidArgument),
        (Some(FlightDescriptor::new_path(vec!["spans".to_owned()])), Code::InvalidArgument),
        (Some(FlightDescriptor::new_cmd("no json")), Code::InvalidArgument),
        (described(&json!({})), Code::InvalidArgument),
        (described(&json!([])), Code::InvalidArgument),
        (described(&json!({"createDataset": {"spaceId": server.ready.space_id}})), Code::InvalidArgument),
        (described(&both), Code::InvalidArgument),
        (with("spaceId", json!(null)), Code::InvalidArgument),
        (with("spaceId", json!("U3BhY2U6MTphYmM=")), Code::NotFound),
        (with("spaceId", json!(7)), Code::InvalidArgument),
        (with("externalModelId", json!("")), Code::InvalidArgument),
        (with("externalModelId", json!("another")), Code::NotFound),
    ];
    for (descriptor, code) in descriptors {
        let status = put::<Updated>(&flight, descriptor.clone(), &good()).await.unwrap_err();
        assert_eq!(status.code(), code, "{descriptor:?}: {status}");
    }
    let id = || ("context.span_id", texts([Some("s1")]));
    let tables = [
        table(vec![("eval.Q.label", texts([Some("x")]))]),
        table(vec![("context.span_id", texts([None])), ("eval.Q.label", texts([Some("x")]))]),
        table(vec![("context.span_id", Arc::new(Float64Array::from(vec![1.0]))), ("eval.Q.label", texts([Some("x")]))]),
        table(vec![id(), ("eval.my-eval.label", texts([Some("x")]))]),
        table(vec![id(), ("annotation.Q.label", texts([Some("x")]))]),
        table(vec![id(), ("eval.Q.score", texts([Some("high")]))]),
        table(vec![id(), ("eval.Q.explanation", texts([Some("x")]))]),
        table(vec![id(), ("eval.Q.label", texts([Some("x".repeat(101).as_str())]))]),
        table(vec![id(), ("secret", texts([Some("x")]))]),
    ];
    for rows in tables {
        let status = put::<Updated>(&flight, described(&evaluations), &rows).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{rows:?}: {status}");
    }
    for (key, code) in [("", Code::Unauthenticated), ("x", Code::Unauthenticated), ("to-read", Code::PermissionDenied)]
    {
        let status = put::<Updated>(&server.flight(key).await, described(&evaluations), &good()).await.unwrap_err();
        assert_eq!(status.code(), code, "{key}: {status}");
    }
    assert_eq!(store.snapshot().await.unwrap().manifest.version, version);
    // The same, made right.
    assert_eq!(put::<Updated>(&flight, described(&evaluations), &good()).await.unwrap().records, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_are_broken_are_refused() {
    let (store, server) = served(with_keys()).await;
    let flight = server.flight(KEY).await;
    let version = store.snapshot().await.unwrap().manifest.version;
    let rows = table(vec![("context.span_id", texts([Some("s1")])), ("eval.Q.label", texts([Some("x")]))]);
    let messages: Vec<_> = FlightDataEncoderBuilder::new()
        .with_flight_descriptor(described(&command(&server, "writeSpanEvaluationRequest")))
        .build(futures::stream::iter([Ok(rows)]))
        .try_collect()
        .await
        .unwrap();
    for (broken, name) in [
        (vec![], "nothing"),
        (vec![messages[1].clone()], "no schema"),
        (vec![messages[0].clone(), messages[0].clone(), messages[1].clone()], "two schemas"),
    ]
    .into_iter()
    .chain((0..messages[0].data_header.len().min(messages[1].data_header.len())).step_by(7).flat_map(|at| {
        // A byte of the schema or the batch is another, or there are fewer.
        [0, 1].into_iter().flat_map({
            let messages = &messages;
            move |which| {
                let (mut changed, mut cut) = (messages.clone(), messages.clone());
                let mut header = changed[which].data_header.to_vec();
                header[at] ^= 0xff;
                changed[which].data_header = header.into();
                cut[which].data_header = cut[which].data_header.slice(..at);
                [(changed, "changed"), (cut, "cut")]
            }
        })
    })) {
        let request = flight.request(futures::stream::iter(broken));
        // Some bytes say nothing. What is refused is refused in words, and the server goes on.
        if let Err(status) = flight.client.clone().do_put(request).await {
            assert_eq!(status.code(), Code::InvalidArgument, "{name}: {status}");
            assert!(!status.message().is_empty(), "{name}");
        }
    }
    let snapshot = store.snapshot().await.unwrap();
    assert!(snapshot.manifest.version <= version + 1, "what was taken is the same each time");
    assert!(flight.info(&server.command(json!({}))).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_reader_sees_half_a_write() {
    let (_, server) = served(Settings::default()).await;
    let ids: Vec<String> = (0..SPANS).map(|n| format!("s{n}")).collect();
    let write = async |writer: usize| {
        let flight = server.flight("any").await;
        for round in 0..4 {
            let label = format!("{writer} {round}");
            let rows = table(vec![
                ("context.span_id", texts(ids.iter().map(|id| Some(id.as_str())))),
                ("eval.Q.label", texts(ids.iter().map(|_| Some(label.as_str())))),
            ]);
            let request = described(&command(&server, "writeSpanEvaluationRequest"));
            let updated: Updated = put(&flight, request, &rows).await.unwrap();
            assert_eq!(updated.records as usize, SPANS);
        }
    };
    let read = async || {
        let flight = server.flight("any").await;
        for _ in 0..8 {
            let export = flight.export(&server.command(json!({"projectedColumns": ["eval.Q.label"]}))).await.unwrap();
            let mut labels =
                if export.names().contains(&"eval.Q.label") { export.texts("eval.Q.label") } else { vec![] };
            let count = labels.len();
            labels.dedup();
            assert_eq!(export.rows(), SPANS);
            assert!(labels.len() <= 1 && [0, SPANS].contains(&count), "{count} spans have {labels:?}");
        }
    };
    futures::join!(write(0), write(1), write(2), read(), read(), read());
}
