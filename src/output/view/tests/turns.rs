//! A session and its turns.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder, TimestampNanosecondArray,
};

use super::BASE;
use crate::tests::batch;

/// A row of `sessions`.
pub(super) fn session() -> RecordBatch {
    let text = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
    let int = |int: i64| -> ArrayRef { Arc::new(Int64Array::from(vec![int])) };
    let float = |float: f64| -> ArrayRef { Arc::new(Float64Array::from(vec![float])) };
    let mut models = ListBuilder::new(StringBuilder::new());
    models.append_value(["gpt-4o", "text-embedding-3-small"].map(Some));
    batch(vec![
        ("project", text("shop")),
        ("session_id", text("sess-17")),
        ("user_id", text("u-9")),
        ("trace_count", int(3)),
        ("span_count", int(18)),
        ("start_time", Arc::new(TimestampNanosecondArray::from(vec![BASE]).with_timezone("UTC"))),
        ("duration_ms", float(90_000.0)),
        ("error_count", int(2)),
        ("models", Arc::new(models.finish())),
        ("prompt_tokens", int(7_210)),
        ("completion_tokens", int(502)),
        ("cost", float(0.2123)),
        ("last_output", text("bye")),
    ])
}

/// Its rows of `traces`.
pub(super) fn turns() -> RecordBatch {
    let texts = |values: [Option<&str>; 3]| -> ArrayRef { Arc::new(StringArray::from(values.to_vec())) };
    let ints = |values: [Option<i64>; 3]| -> ArrayRef { Arc::new(Int64Array::from(values.to_vec())) };
    let times = |values: [i64; 3]| -> ArrayRef {
        let values = values.map(|seconds| BASE + seconds * 1_000_000_000);
        Arc::new(TimestampNanosecondArray::from(values.to_vec()).with_timezone("UTC"))
    };
    let long = "Your flight leaves from Terminal 2 at 9:40. ".repeat(12);
    let messages = r#"{"messages":[{"role":"system","content":"be kind"},{"role":"user","content":"And the train?\nThe early one."}]}"#;
    batch(vec![
        ("project", texts([Some("shop"); 3])),
        ("trace_id", texts([Some("4bf92f3577b34da6a3ce929d0e0e4736"), Some("\u{1b}[1mx"), None])),
        ("name", texts([Some("book"), Some("re\u{9b}book"), None])),
        ("start_time", times([0, 80, 85])),
        ("end_time", times([8, 90, 86])),
        ("latency_ms", Arc::new(Float64Array::from(vec![Some(8_000.0), Some(10_000.0), None]))),
        ("span_count", ints([Some(14), Some(1), Some(3)])),
        ("error_count", ints([Some(0), Some(2), None])),
        ("prompt_tokens", ints([Some(3_210), Some(4_000), None])),
        ("completion_tokens", ints([Some(412), Some(90), None])),
        ("cost", Arc::new(Float64Array::from(vec![Some(0.0123), Some(0.2), None]))),
        ("input", texts([Some("When does my flight leave?"), Some(messages), Some("\u{1b}[2J\u{202e}stop")])),
        ("output", texts([Some(&long), Some(r#"{"answer": "At 7:05."}"#), None])),
    ])
}
