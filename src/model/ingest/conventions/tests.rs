mod documentation;
mod langfuse;
mod logfire;
mod opentelemetry;
mod properties;
mod rules;
mod traceloop;
mod vercel;

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use serde_json::{Value, json};

use crate::ingest::{IngestBuilder, Origin};

fn origin() -> Origin {
    Origin { source: "file", project: "p".to_owned(), force_project: false }
}

/// The batch that these objects of attributes become, each a span.
fn batch(spans: &[Value]) -> RecordBatch {
    let mut builder = IngestBuilder::new(origin());
    for (number, attributes) in spans.iter().enumerate() {
        let mut span = json!({"context.trace_id": "t", "context.span_id": format!("s{number}")});
        for (name, value) in attributes.as_object().unwrap() {
            let name = if name == "events" { "events".to_owned() } else { format!("attributes.{name}") };
            span[name] = value.clone();
        }
        builder.push_json(&span.to_string()).unwrap();
    }
    builder.finish().unwrap().unwrap()
}

/// The values of a row by column, without the `attributes.` before their names.
fn row(batch: &RecordBatch, row: usize) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        let texts = cast(array, &DataType::Utf8).unwrap();
        if texts.is_valid(row) {
            let name = field.name().strip_prefix("attributes.").unwrap_or(field.name());
            values.insert(name.to_owned(), texts.as_string::<i32>().value(row).to_owned());
        }
    }
    values
}

/// Asserts what is filled of one span: these columns, JSON by its value, and of the columns with `null`, nothing.
#[track_caller]
fn check(attributes: &Value, want: &Value) {
    let values = row(&batch(std::slice::from_ref(attributes)), 0);
    for (name, want) in want.as_object().unwrap() {
        let found = values.get(name);
        let same = match (want, found) {
            (Value::Null, found) => found.is_none(),
            (Value::String(text), Some(found)) => text == found,
            (want, Some(found)) => serde_json::from_str::<Value>(found).ok().as_ref() == Some(want),
            (_, None) => false,
        };
        assert!(same, "{name}: want {want}, found {found:?}\nin {values:#?}");
    }
    for (name, value) in attributes.as_object().unwrap() {
        if let Value::String(text) = value
            && name != "events"
        {
            assert_eq!(values.get(name), Some(text), "{name} does not stay");
        }
    }
}

/// A message of OpenInference.
fn message(role: &str, content: &str) -> Value {
    json!({"message.role": role, "message.content": content})
}

fn call(id: &str, name: &str, arguments: &str) -> Value {
    json!({
        "tool_call.id": id,
        "tool_call.function.name": name,
        "tool_call.function.arguments": arguments,
    })
}
