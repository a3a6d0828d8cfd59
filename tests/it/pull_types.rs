//! Columns in every type that a server may send, and rows that are no spans.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, DictionaryArray, Float32Array, GenericListBuilder, Int32Array, LargeStringArray,
    LargeStringBuilder, ListArray, NullArray, OffsetSizeTrait, RecordBatch, StringArray, StringViewArray, StructArray,
    TimestampMicrosecondArray, TimestampMillisecondArray, UInt32Array,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Fields, Int32Type};
use arrow_flight::FlightData;
use arrow_flight::encode::{DictionaryHandling, FlightDataEncoderBuilder};
use futures::TryStreamExt;

use super::pull_rogue::{Answer, End, Play, Rogue, messages};
use super::pull_support::{User, rows, wire};
use super::support::BASE_TIME;

fn text(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

/// Messages as a list of structs.
fn structs() -> ArrayRef {
    let fields: Fields =
        vec![Field::new("message.role", DataType::Utf8, true), Field::new("message.content", DataType::Utf8, true)]
            .into();
    let roles = text(&[Some("system"), Some("user"), Some("user")]);
    let contents = text(&[Some("be kind"), Some("hi \"you\""), None]);
    let messages = StructArray::new(fields.clone(), vec![roles, contents], None);
    let item = Arc::new(Field::new_list_field(DataType::Struct(fields), true));
    Arc::new(ListArray::new(item, OffsetBuffer::from_lengths([2, 1]), Arc::new(messages), None))
}

/// Texts in lists with offsets of one size or the other.
fn lists<Offset: OffsetSizeTrait>() -> ArrayRef {
    let mut lists = GenericListBuilder::<Offset, _>::new(LargeStringBuilder::new());
    lists.values().append_value("{\"tool.json_schema\": \"{}\"}");
    lists.append(true);
    lists.append(false);
    Arc::new(lists.finish())
}

/// Two spans, with names by a dictionary or with large lists: encoders do not manage both.
fn batch(dictionary: bool) -> RecordBatch {
    let names: DictionaryArray<Int32Type> = [Some("ask"), Some("ask")].into_iter().collect();
    let (names, tools): (ArrayRef, ArrayRef) = match dictionary {
        true => (Arc::new(names), lists::<i32>()),
        false => (text(&[Some("ask"), Some("ask")]), lists::<i64>()),
    };
    let metadata =
        StructArray::from(vec![(Arc::new(Field::new("tier", DataType::Utf8, true)), text(&[Some("free"), None]))]);
    let start = BASE_TIME / 1_000_000;
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("time", Arc::new(TimestampMillisecondArray::from(vec![start, start + 1]).with_timezone("UTC"))),
        ("context.trace_id", text(&[Some("t1"), Some("t1")])),
        ("context.span_id", Arc::new(LargeStringArray::from(vec!["s1", "s2"]))),
        ("parent_id", text(&[Some(""), Some("s1")])),
        ("name", names),
        ("start_time", Arc::new(TimestampMillisecondArray::from(vec![start, start + 1]).with_timezone("UTC"))),
        ("end_time", Arc::new(TimestampMicrosecondArray::from(vec![BASE_TIME / 1_000 + 7, BASE_TIME / 1_000 + 1_500]))),
        (
            "attributes.input.value",
            Arc::new(StringViewArray::from(vec![Some("a text that is too long to be inlined"), None])),
        ),
        ("attributes.llm.input_messages", structs()),
        ("attributes.llm.tools", tools),
        ("attributes.llm.token_count.total", Arc::new(UInt32Array::from(vec![Some(7), None]))),
        ("attributes.llm.cost.total", Arc::new(Float32Array::from(vec![Some(0.5), None]))),
        ("attributes.llm.model_name", Arc::new(NullArray::new(2))),
        ("attributes.metadata", Arc::new(metadata)),
        ("attributes.retried", Arc::new(BooleanArray::from(vec![Some(true), None]))),
        ("attributes.tries", Arc::new(Int32Array::from(vec![Some(3), None]))),
        ("eval.Correctness.score", Arc::new(Float32Array::from(vec![Some(0.25), None]))),
        // What only a store knows is not taken from others.
        ("project", text(&[Some("theirs"), Some("theirs")])),
        ("source", text(&[Some("theirs"), Some("theirs")])),
        ("tree.depth", Arc::new(Int32Array::from(vec![99, 99]))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

async fn encoded(dictionaries: DictionaryHandling) -> Vec<FlightData> {
    let encoder = FlightDataEncoderBuilder::new().with_dictionary_handling(dictionaries);
    encoder.build(futures::stream::iter([Ok(batch(true))])).try_collect().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn any_arrow_type_becomes_the_canonical_one() {
    let forms = [
        ("hydrated", encoded(DictionaryHandling::Hydrate).await),
        ("dictionaries", encoded(DictionaryHandling::Resend).await),
        ("large lists", messages(&[batch(false)])),
    ];
    for (what, data) in forms {
        let play = move || Play { announced: 2, schema: None, ticket: true, data: data.clone(), end: End::Well };
        let rogue = Rogue::start(move |_| Answer::Play(play())).await;
        let user = User::of_port(rogue.port);
        user.pull(&["--require-complete"]).await.succeeded(what);
        let sql = "SELECT project, source, trace_id, span_id, parent_id, name, start_time, end_time, latency_ms, input,
            attributes.llm.input_messages AS messages, attributes.llm.tools AS tools, total_tokens, cost, model, metadata.tier AS tier,
            attributes.retried AS retried, attributes.tries AS tries, eval.Correctness.score AS score, tree.depth AS depth
            FROM spans ORDER BY span_id";
        let ran = user.run(&["query", "-q", sql]).await;
        ran.succeeded(what);
        let got: Vec<serde_json::Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let expected = [
            serde_json::json!({
                "project": "checkout", "source": "arize", "trace_id": "t1", "span_id": "s1", "parent_id": null, "name": "ask",
                "start_time": "2026-01-01T00:00:00.000000000Z", "end_time": "2026-01-01T00:00:00.000007000Z",
                "latency_ms": 0.007, "input": "a text that is too long to be inlined",
                "messages": "[{\"message.role\":\"system\",\"message.content\":\"be kind\"},{\"message.role\":\"user\",\"message.content\":\"hi \\\"you\\\"\"}]",
                "tools": "[{\"tool.json_schema\": \"{}\"}]", "total_tokens": 7, "cost": 0.5, "model": null, "tier": "free",
                "retried": true, "tries": 3, "score": 0.25, "depth": 1
            }),
            serde_json::json!({
                "project": "checkout", "source": "arize", "trace_id": "t1", "span_id": "s2", "parent_id": "s1", "name": "ask",
                "start_time": "2026-01-01T00:00:00.001000000Z", "end_time": "2026-01-01T00:00:00.001500000Z",
                "latency_ms": 0.5, "input": null, "messages": "[{\"message.role\":\"user\"}]", "tools": null,
                "total_tokens": null, "cost": null, "model": null, "tier": null, "retried": null, "tries": null,
                "score": null, "depth": 2
            }),
        ];
        assert_eq!(got, expected, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_no_spans_are_left_out_and_said() {
    let mut some = rows(12, 60);
    some[3].remove("context.trace_id");
    some[8].remove("context.span_id");
    let batch = wire(&some);
    let rogue = Rogue::good(vec![batch]).await;
    let user = User::of_port(rogue.port);
    let ran = user.pull(&[]).await;
    ran.succeeded("unfit");
    ran.says(
        "unfit",
        &[
            "announced 12, received 12, stored 10 (10 new, 0 updated)",
            "warning: 2 rows from the remote are no spans and were left out; the first: ",
        ],
    );
    assert!(!ran.stderr.contains("differ"), "pulling again would not help: {ran:?}");
    assert_eq!(user.pulls("status").await, ["complete"]);
    let strict = user.pull(&["--require-complete"]).await;
    assert_eq!(strict.code, Some(4), "{strict:?}");
    strict.says("--require-complete", &["error: some of what came are no spans"]);
    let live = user.run(&["query", "SELECT count(*) AS n FROM arize.checkout WHERE start_time >= '2026-01-01'"]).await;
    live.succeeded("live");
    assert_eq!(live.stdout, "{\"n\":10}\n");
    live.says("live", &["arize.checkout sent 2 rows that are no spans; the first: "]);
}
