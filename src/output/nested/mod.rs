//! A span as clients of Arize's HTTP interface read it: nested, with its attributes, evaluations, annotations and events.

mod cells;

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, TimestampNanosecondType};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use cells::{cell, json, raw};
use spanql_model::columns::{
    self, Content, END_TIME, EVENTS, KIND, LATENCY_MS, METADATA, NAME, PARENT_ID, REST, SPAN_ID, START_TIME,
    STATUS_CODE, STATUS_MESSAGE, TRACE_ID,
};
use spanql_model::time;

/// The columns that every answer has.
pub const FIXED: [&str; 11] =
    [TRACE_ID, SPAN_ID, PARENT_ID, NAME, KIND, START_TIME, END_TIME, LATENCY_MS, STATUS_CODE, STATUS_MESSAGE, EVENTS];
/// The kinds that clients know: another one would make them refuse the whole answer.
const KINDS: [&str; 11] = [
    "LLM",
    "CHAIN",
    "RETRIEVER",
    "EMBEDDING",
    "AGENT",
    "TOOL",
    "RERANKER",
    "GUARDRAIL",
    "EVALUATOR",
    "PROMPT",
    "DECISION",
];
const OTHER_KIND: &str = "UNKNOWN";
const STATUSES: [&str; 3] = ["OK", "ERROR", "UNSET"];
const NANOS_PER_MILLISECOND: i64 = 1_000_000;

#[derive(Serialize)]
struct Span<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    context: Context<'a>,
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_message: Option<&'a str>,
    attributes: BTreeMap<String, Box<RawValue>>,
    annotations: Vec<Annotation>,
    trace_annotations: [(); 0],
    evaluations: Vec<Evaluation>,
    events: Vec<Event>,
}

#[derive(Serialize)]
struct Context<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    span_id: Option<&'a str>,
}

#[derive(Default, Serialize)]
struct Evaluation {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<String>,
}

#[derive(Default, Serialize)]
struct Annotation {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotator: Option<Annotator>,
}

#[derive(Serialize)]
struct Annotator {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
}

#[derive(Serialize)]
struct Event {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<String>,
    attributes: Box<RawValue>,
}

/// What of a span lies in columns of their own.
#[derive(Default)]
struct Parts {
    attributes: BTreeMap<String, Box<RawValue>>,
    evaluations: BTreeMap<String, Evaluation>,
    annotations: BTreeMap<String, Annotation>,
}

impl Parts {
    /// Puts a value where its column belongs; columns of other families are not part of this form.
    fn put(&mut self, column: &str, value: Box<RawValue>) {
        if let Some(key) = column.strip_prefix("attributes.") {
            self.attributes.insert(key.to_owned(), value);
        } else if let Some((name, field)) = column.strip_prefix("eval.").and_then(|rest| rest.rsplit_once('.')) {
            let entry = self.evaluations.entry(name.to_owned());
            let evaluation = entry.or_insert_with(|| Evaluation { name: name.to_owned(), ..Evaluation::default() });
            match field {
                "label" => evaluation.label = Some(text_of(&value)),
                "score" => evaluation.score = number_of(value),
                "explanation" => evaluation.explanation = Some(text_of(&value)),
                _ => {}
            }
        } else if let Some((name, field)) = column.strip_prefix("annotation.").and_then(|rest| rest.rsplit_once('.')) {
            let entry = self.annotations.entry(name.to_owned());
            let annotation = entry.or_insert_with(|| Annotation { name: name.to_owned(), ..Annotation::default() });
            match field {
                "label" => annotation.label = Some(text_of(&value)),
                "score" => annotation.score = number_of(value),
                "text" => annotation.text = Some(text_of(&value)),
                "explanation" if annotation.text.is_none() => annotation.text = Some(text_of(&value)),
                "updated_at" => annotation.updated_at = updated_at(&value),
                "updated_by" => annotation.annotator = Some(annotator(text_of(&value))),
                _ => {}
            }
        }
    }
}

fn text_of(value: &RawValue) -> String {
    serde_json::from_str(value.get()).unwrap_or_else(|_| value.get().to_owned())
}

/// Clients accept numbers only.
fn number_of(value: Box<RawValue>) -> Option<Box<RawValue>> {
    match serde_json::from_str::<Value>(value.get()).ok()? {
        Value::Number(_) => Some(value),
        Value::String(text) => text.trim().parse::<f64>().ok().filter(|number| number.is_finite()).and_then(json),
        _ => None,
    }
}

fn updated_at(value: &RawValue) -> Option<String> {
    match serde_json::from_str(value.get()).ok()? {
        Value::Number(milliseconds) => milliseconds.as_i64()?.checked_mul(NANOS_PER_MILLISECOND).map(instant),
        Value::String(text) => time::parse(&text).ok().map(instant),
        _ => None,
    }
}

fn annotator(by: String) -> Annotator {
    if by.contains('@') { Annotator { id: None, email: Some(by) } } else { Annotator { id: Some(by), email: None } }
}

/// A time as clients read it.
pub fn instant(nanos: i64) -> String {
    chrono::DateTime::from_timestamp_nanos(nanos).to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

/// The events that JSON text of a list holds; what is no event with a name, a time and attributes lacks these.
fn events(text: &str) -> Vec<Event> {
    let Ok(elements) = serde_json::from_str::<Vec<BTreeMap<String, &RawValue>>>(text) else { return Vec::new() };
    let event = |members: BTreeMap<String, &RawValue>| {
        let timestamp = members.get("timestamp").and_then(|value| match serde_json::from_str(value.get()).ok()? {
            Value::Number(number) => time::from_number(&number.to_string()).ok(),
            Value::String(text) => time::parse(&text).ok(),
            _ => None,
        });
        let object = members.get("attributes").filter(|value| value.get().starts_with('{'));
        Some(Event {
            name: members.get("name").and_then(|name| serde_json::from_str(name.get()).ok()),
            timestamp: timestamp.map(instant),
            attributes: match object {
                Some(object) => (*object).to_owned(),
                None => json(BTreeMap::<(), ()>::new())?,
            },
        })
    };
    elements.into_iter().filter_map(event).collect()
}

/// Which columns of spans are wanted; all of them by default.
#[derive(Debug, Default)]
pub struct Columns {
    /// These only; all of them if not set.
    pub included: Option<BTreeSet<String>>,
    /// None of these.
    pub excluded: BTreeSet<String>,
}

impl Columns {
    /// Whether a column is wanted.
    pub fn want(&self, name: &str) -> bool {
        self.included.as_ref().is_none_or(|included| included.contains(name)) && !self.excluded.contains(name)
    }
}

/// The columns of a batch by what they are in a span.
pub struct Shape<'a> {
    batch: &'a RecordBatch,
    columns: &'a Columns,
    cut: Option<usize>,
    /// Columns of their own: name, values, how to read them.
    own: Vec<(String, &'a ArrayRef, Content)>,
}

impl std::fmt::Debug for Shape<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shape").finish_non_exhaustive()
    }
}

impl<'a> Shape<'a> {
    /// Reads the columns of a batch of spans; with `cut`, texts in attributes are cut to so many characters.
    pub fn new(batch: &'a RecordBatch, columns: &'a Columns, cut: Option<usize>) -> Self {
        let schema = batch.schema_ref();
        let is_own = |name: &str| name != REST && columns.want(name) && (name == KIND || !FIXED.contains(&name));
        let own = schema.fields().iter().zip(batch.columns()).filter(|(field, _)| is_own(field.name()));
        let own = own.map(|(field, array)| {
            let content = match columns::canonical(field.name()).map(|column| column.content) {
                // Other objects are text to clients.
                Some(Content::JsonObject) if field.name() != METADATA => Content::Scalar,
                Some(content) => content,
                None => Content::Scalar,
            };
            (field.name().clone(), array, content)
        });
        let own = own.collect();
        Self { batch, columns, cut, own }
    }

    fn text(&self, name: &str, row: usize) -> Option<&'a str> {
        let array = self.batch.column_by_name(name)?.as_string_opt::<i32>()?;
        array.is_valid(row).then(|| array.value(row))
    }

    fn time(&self, name: &str, row: usize) -> Option<String> {
        let array = self.batch.column_by_name(name)?.as_primitive_opt::<TimestampNanosecondType>()?;
        array.is_valid(row).then(|| instant(array.value(row)))
    }

    fn latency(&self, row: usize) -> Option<f64> {
        let array = self.batch.column_by_name(LATENCY_MS)?.as_primitive_opt::<Float64Type>()?;
        array.is_valid(row).then(|| array.value(row))
    }

    /// The trace and the id of a row's span.
    pub fn ids(&self, row: usize) -> (&'a str, &'a str) {
        (self.text(TRACE_ID, row).unwrap_or_default(), self.text(SPAN_ID, row).unwrap_or_default())
    }

    /// A row as JSON; `None` if it does not encode.
    pub fn span(&self, row: usize) -> Option<Box<RawValue>> {
        let mut parts = Parts::default();
        for (name, array, content) in &self.own {
            let cut = self.cut.filter(|_| name.starts_with("attributes."));
            if let Some(value) = cell(array.as_ref(), row, *content, cut) {
                parts.put(name, value);
            }
        }
        if let Some(rest) = self.text(REST, row).filter(|_| self.columns.included.is_none()) {
            self.put_rest(rest, &mut parts);
        }
        // Clients draw trees of traces with it, and fail without one.
        let kind = self.text(KIND, row).filter(|kind| KINDS.contains(kind)).unwrap_or(OTHER_KIND);
        let span = Span {
            name: self.text(NAME, row),
            context: Context { trace_id: self.text(TRACE_ID, row), span_id: self.text(SPAN_ID, row) },
            kind,
            parent_id: self.text(PARENT_ID, row),
            start_time: self.time(START_TIME, row),
            end_time: self.time(END_TIME, row),
            latency_ms: self.latency(row),
            status_code: self.text(STATUS_CODE, row).filter(|status| STATUSES.contains(status)),
            status_message: self.text(STATUS_MESSAGE, row),
            attributes: parts.attributes,
            annotations: parts.annotations.into_values().collect(),
            trace_annotations: [],
            evaluations: parts.evaluations.into_values().collect(),
            events: self.text(EVENTS, row).map(events).unwrap_or_default(),
        };
        json(span)
    }

    /// Puts the keys that have no column where a column of their name would be.
    fn put_rest(&self, rest: &str, parts: &mut Parts) {
        let Ok(members) = serde_json::from_str::<BTreeMap<String, &RawValue>>(rest) else { return };
        for (name, value) in members.iter().filter(|(name, _)| self.columns.want(name)) {
            let cut = self.cut.filter(|_| name.starts_with("attributes."));
            if let Some(value) = raw(value, cut) {
                parts.put(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_every_sort() {
        let text = r#"[{"name":"exception","timestamp":1755629898269794400,"attributes":{"n": 1.50}},
            {"name":7,"timestamp":"2026-02-16T10:25:36.588288Z","attributes":[1]},{}]"#;
        let json = serde_json::to_value(events(text)).unwrap();
        assert_eq!(json[0]["timestamp"], "2025-08-19T18:58:18.269794400Z");
        assert_eq!(json[0]["attributes"]["n"], 1.5);
        assert_eq!(json[1], serde_json::json!({"timestamp": "2026-02-16T10:25:36.588288Z", "attributes": {}}));
        assert_eq!(json[2], serde_json::json!({"attributes": {}}));
        assert!(events("no list").is_empty());
        assert!(events("[1]").is_empty());
    }

    #[test]
    fn columns_become_evaluations_and_annotations() {
        let mut parts = Parts::default();
        for (name, value) in [
            ("eval.A b.label", r#""good""#),
            ("eval.A b.score", "0.5"),
            ("eval.Text.score", r#""0.25""#),
            ("eval.Word.score", r#""high""#),
            ("annotation.Q.updated_at", "1000"),
            ("annotation.Q.updated_by", r#""a@example.com""#),
            ("annotation.Q.explanation", r#""why""#),
            ("annotation.notes", r#""x""#),
            ("attributes.x.y", "true"),
            ("opik.x", "1"),
        ] {
            parts.put(name, RawValue::from_string(value.to_owned()).unwrap());
        }
        let evaluations = serde_json::to_value(parts.evaluations.into_values().collect::<Vec<_>>()).unwrap();
        let expected = serde_json::json!([
            {"name": "A b", "label": "good", "score": 0.5}, {"name": "Text", "score": 0.25}, {"name": "Word"}
        ]);
        assert_eq!(evaluations, expected);
        let annotations = serde_json::to_value(parts.annotations.into_values().collect::<Vec<_>>()).unwrap();
        let expected = serde_json::json!([{
            "name": "Q", "text": "why", "updated_at": "1970-01-01T00:00:01Z", "annotator": {"email": "a@example.com"}
        }]);
        assert_eq!(annotations, expected);
        assert_eq!(parts.attributes.keys().collect::<Vec<_>>(), ["x.y"]);
    }
}
