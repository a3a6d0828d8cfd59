//! A span as an object of its parts: what OpenTelemetry's SDKs print and tools dump, and what the REST APIs of Arize and
//! Phoenix answer.
//!
//! Facts: the console exporters of OpenTelemetry's SDKs (`context`, `kind`, `status`, `resource`, ids with `0x`), the dumps
//! of agent frameworks around them (`parent`, integer ids, `parent_span_id`), Arize's REST v2 (`kind`, `evaluations`,
//! `annotations`; attributes without their prefix) and Phoenix's (`id`).

use std::sync::Arc;

use spanql_model::columns::{PARENT_ID, SPAN_ID, STATUS_CODE, STATUS_MESSAGE, TRACE_ID};
use spanql_model::json::{Value, elements, text_of};
use spanql_model::time;

use super::described::described;
use super::ids::{self, last_word};
use super::otlp_span::{KINDS, OTEL_KIND, add_code};
use super::parts::Parts;
use super::projects::{RESOURCE, add_project};
use super::row::{Row, write_value};
use super::spans::{Around, Out};

/// What the ids of a span stand in.
const CONTEXT: [&str; 2] = ["context", "span_context"];
/// Members of which one makes an object with ids more than a row of ingest.
const PARTS: [&str; 12] = [
    "span_context",
    "kind",
    "status",
    "parent",
    "parent_span_id",
    "resource",
    "evaluations",
    "annotations",
    "instrumentation_scope",
    "instrumentation_info",
    "scope",
    "links",
];

/// Whether this is such a span.
pub(super) fn is_span(parts: &Parts<'_>) -> bool {
    let in_context = CONTEXT.iter().any(|key| parts.object(key).is_some());
    (in_context && (parts.has_any(&PARTS) || parts.has("id")))
        || (parts.has("trace_id") && parts.has("span_id") && parts.has_any(&PARTS))
}

/// Writes the row of a span.
pub(super) fn span(text: &str, around: &Arc<Around>, out: &mut Out<'_>) {
    let Some(parts) = Parts::read(text) else {
        out.bad = Some(format!("not a span: {}", described(text)));
        return;
    };
    let row = &mut *out.row;
    row.begin(&around.members);
    for member in &parts.members {
        let value = member.value;
        match member.key.as_ref() {
            "context" | "span_context" => add_context(row, value),
            "trace_id" => add_id(row, TRACE_ID, value, ids::TRACE),
            "span_id" => add_id(row, SPAN_ID, value, ids::SPAN),
            "parent_id" | "parent_span_id" => add_id(row, PARENT_ID, value, ids::SPAN),
            "parent" => add_parent(row, value),
            "kind" => add_kind(row, value),
            "status" => add_status(row, value),
            "resource" => add_resource(row, value),
            "scope" | "instrumentation_scope" | "instrumentation_info" => add_scope(row, value),
            "evaluations" => add_results(row, "eval.", value),
            "annotations" => add_results(row, "annotation.", value),
            "id" => row.value("attributes.phoenix.id", value),
            "trace_annotations" | "links" if value == Value::Nested("[]") => {}
            "trace_annotations" | "links" => row.under("attributes.", &member.key, value),
            key => row.value(key, value),
        }
    }
}

fn add_id(row: &mut Row, name: &str, value: Value<'_>, digits: usize) {
    if let Some(id) = ids::of_sdk(value, digits) {
        row.text(name, &id);
    }
}

fn add_context(row: &mut Row, value: Value<'_>) {
    let Some(parts) = object(value) else { return row.value("context", value) };
    for member in &parts.members {
        match member.key.as_ref() {
            "trace_id" => add_id(row, TRACE_ID, member.value, ids::TRACE),
            "span_id" => add_id(row, SPAN_ID, member.value, ids::SPAN),
            "trace_state" => add_state(row, member.value),
            // How the context travelled says nothing about the span.
            "is_remote" | "trace_flags" => {}
            key => row.under("context.", key, member.value),
        }
    }
}

/// The trace state, which is mostly empty in one form or another.
fn add_state(row: &mut Row, value: Value<'_>) {
    let text = text_of(value).unwrap_or_default();
    if !matches!(text.as_str(), "" | "[]" | "{}" | r#"{"entries":{}}"# | r#"{"entries": {}}"#) {
        row.text("attributes.trace_state", &text);
    }
}

/// The parent's context, or its id.
fn add_parent(row: &mut Row, value: Value<'_>) {
    match object(value) {
        Some(parts) => {
            if let Some(id) = parts.get("span_id") {
                add_id(row, PARENT_ID, id, ids::SPAN);
            }
        }
        None => add_id(row, PARENT_ID, value, ids::SPAN),
    }
}

/// OpenTelemetry's kind, or OpenInference's in Arize's REST: an attribute of that name wins over it.
fn add_kind(row: &mut Row, value: Value<'_>) {
    let number = match value {
        // The SDK counts from INTERNAL on.
        Value::Number(number) => number.parse::<u8>().ok().and_then(|number| KINDS.get(usize::from(number) + 1)),
        _ => None,
    };
    let word = text_of(value).unwrap_or_default();
    let word = last_word(&word, &["SPAN_KIND_"]).to_ascii_lowercase();
    match number.copied().or_else(|| KINDS.iter().find(|kind| **kind == word).copied()) {
        Some("unspecified") => {}
        Some(kind) => row.text(OTEL_KIND, kind),
        None => row.value("span_kind", value),
    }
}

fn add_status(row: &mut Row, value: Value<'_>) {
    let Some(parts) = object(value) else { return add_code(row, value) };
    if let Some(code) = parts.any(&["status_code", "code"]) {
        add_code(row, code);
    } else {
        row.text(STATUS_CODE, "UNSET");
    }
    if let Some(message) = parts.any(&["description", "message"]) {
        row.value(STATUS_MESSAGE, message);
    }
}

fn add_resource(row: &mut Row, value: Value<'_>) {
    let Some(parts) = object(value) else { return row.value("resource", value) };
    let inner = parts.get("attributes").and_then(object);
    for member in &inner.as_ref().unwrap_or(&parts).members {
        row.under(RESOURCE, &member.key, member.value);
        add_project(row, &member.key, |out| write_value(member.value, out));
    }
}

fn add_scope(row: &mut Row, value: Value<'_>) {
    let Some(parts) = object(value) else { return row.value("scope", value) };
    for key in ["name", "version"] {
        if let Some(value) = parts.get(key).filter(|value| *value != Value::Text("")) {
            row.under("attributes.otel.scope.", key, value);
        }
    }
}

/// Evaluations or annotations: a list of objects with a name, whose other members are columns of that name.
fn add_results(row: &mut Row, family: &str, value: Value<'_>) {
    let list = match value {
        Value::Nested(list) => elements(list).unwrap_or_default(),
        _ => vec![],
    };
    for result in list {
        let Some(parts) = object(result) else { continue };
        let Some(name) = parts.get("name").and_then(text_of) else { continue };
        let prefix = format!("{family}{name}.");
        for key in ["label", "score", "explanation", "text"] {
            if let Some(value) = parts.get(key) {
                row.under(&prefix, key, value);
            }
        }
        if let Some(millis) = parts.get("updated_at").and_then(millis) {
            row.with(&prefix, "updated_at", |out| out.push_str(&millis.to_string()));
        }
        let annotator = parts.get("annotator").and_then(object);
        if let Some(who) = annotator.as_ref().and_then(|annotator| annotator.any(&["email", "id"])) {
            row.under(&prefix, "updated_by", who);
        }
    }
}

/// A time in milliseconds.
fn millis(value: Value<'_>) -> Option<i64> {
    let nanos = match value {
        Value::Number(text) => time::from_number(text),
        value => time::parse(&text_of(value)?),
    };
    nanos.ok().map(|nanos| nanos.div_euclid(1_000_000))
}

fn object(value: Value<'_>) -> Option<Parts<'_>> {
    match value {
        Value::Nested(text) => Parts::read(text),
        _ => None,
    }
}
