//! Jaeger's JSON: traces of its query API and user interface, and the spans that its storage exports.
//!
//! Facts of the format: Jaeger's API v2 JSON (times and durations in microseconds, typed tags, processes by id), and the
//! tags that OpenTelemetry's exporter writes (`otel.status_code`, `otel.status_description`, `error`).

use std::collections::HashMap;
use std::sync::Arc;

use spanql_model::columns::{
    END_TIME, EVENTS, NAME, PARENT_ID, SPAN_ID, START_TIME, STATUS_CODE, STATUS_MESSAGE, TRACE_ID,
};
use spanql_model::json::{Value, elements, text_of, write_string};

use super::any_value::is_number;
use super::described::described;
use super::ids;
use super::parts::Parts;
use super::projects::{RESOURCE, add_project};
use super::row::{Row, write_value};
use super::spans::{Around, Out};
use super::times::{integer, micros_text};

/// Whether this is a trace with its spans and the processes that they ran in.
pub(super) fn is_trace(parts: &Parts<'_>) -> bool {
    parts.has("traceID") && parts.has("spans")
}

/// Whether this is a span.
pub(super) fn is_span(parts: &Parts<'_>) -> bool {
    parts.has("traceID") && parts.has("spanID")
}

/// Reads a trace.
pub(super) fn trace(text: &str, around: &Arc<Around>, out: &mut Out<'_>) {
    let Some(parts) = Parts::read(text) else { return };
    let mut named = HashMap::new();
    if let Some(Value::Nested(processes)) = parts.get("processes")
        && let Some(processes) = Parts::read(processes)
    {
        for process in &processes.members {
            named.insert(process.key.to_string(), process_members(process.value));
        }
    }
    let around = Arc::new(Around { members: around.members.clone(), named });
    for list in parts.lists(&["spans"]) {
        out.each(list, span, false, &around);
    }
}

/// What a process says of each of its spans.
fn process_members(process: Value<'_>) -> String {
    let mut row = Row::default();
    if let Value::Nested(process) = process
        && let Some(parts) = Parts::read(process)
    {
        if let Some(name) = parts.get("serviceName") {
            row.under(RESOURCE, "service.name", name);
        }
        for tag in tags(parts.get("tags")) {
            row.with(RESOURCE, &tag.key, |out| tag.write(out));
            add_project(&mut row, &tag.key, |out| tag.write(out));
        }
    }
    row.into_members()
}

/// Writes the row of a span.
pub(super) fn span(text: &str, around: &Arc<Around>, out: &mut Out<'_>) {
    let Some(parts) = Parts::read(text).filter(is_span) else {
        out.bad = Some(format!("not a span: {}", described(text)));
        return;
    };
    let row = &mut *out.row;
    row.begin(&around.members);
    match parts.get("processID").and_then(text_of) {
        Some(process) => row.members(around.named(&process).unwrap_or("")),
        None => row.members(&parts.get("process").map(process_members).unwrap_or_default()),
    }
    let trace = parts.get("traceID").and_then(ids::of_jaeger);
    let id = parts.get("spanID").and_then(ids::of_jaeger);
    for (name, id) in [(TRACE_ID, &trace), (SPAN_ID, &id)] {
        if let Some(id) = id {
            row.text(name, id);
        }
    }
    add_references(row, &parts, trace.as_deref());
    if let Some(name) = parts.get("operationName") {
        row.value(NAME, name);
    }
    add_times(row, &parts);
    add_tags(row, parts.get("tags"));
    row.with("", EVENTS, |out| write_logs(parts.get("logs"), out));
    if let Some(warnings) = parts.get("warnings").filter(|warnings| *warnings != Value::Nested("[]")) {
        row.value("attributes.jaeger.warnings", warnings);
    }
}

fn add_times(row: &mut Row, parts: &Parts<'_>) {
    let Some(start) = parts.get("startTime") else { return };
    let at = integer(start);
    match at.and_then(micros_text) {
        Some(text) => row.text(START_TIME, &text),
        None => row.value(START_TIME, start),
    }
    let duration = parts.get("duration");
    let end = at.zip(duration.and_then(integer)).and_then(|(at, lasted)| at.checked_add(lasted));
    match (end.and_then(micros_text), duration) {
        (Some(text), _) => row.text(END_TIME, &text),
        (None, Some(duration)) => row.value("attributes.duration", duration),
        (None, None) => {}
    }
}

/// The parent is the span of the same trace that this one is a child of; without one, the span that it follows.
fn add_references(row: &mut Row, parts: &Parts<'_>, trace: Option<&str>) {
    let list = match parts.get("references") {
        Some(Value::Nested(list)) => elements(list).unwrap_or_default(),
        _ => vec![],
    };
    let references: Vec<Parts<'_>> = list
        .into_iter()
        .filter_map(|reference| match reference {
            Value::Nested(object) => Parts::read(object),
            _ => None,
        })
        .collect();
    let of = |reference: &Parts<'_>, key| reference.get(key).and_then(ids::of_jaeger);
    let is = |reference: &Parts<'_>, kind: &str| {
        let same_trace = of(reference, "traceID").is_none_or(|other| Some(other.as_str()) == trace);
        same_trace && reference.get("refType").and_then(text_of).is_some_and(|found| found == kind)
    };
    let parent = ["CHILD_OF", "FOLLOWS_FROM"]
        .iter()
        .find_map(|kind| references.iter().position(|reference| is(reference, kind)));
    match parent.and_then(|at| references.get(at)) {
        Some(reference) => row.text(PARENT_ID, &of(reference, "spanID").unwrap_or_default()),
        None => {
            // Jaeger before references.
            if let Some(id) = parts.get("parentSpanID").and_then(ids::of_jaeger) {
                row.text(PARENT_ID, &id);
            }
        }
    }
    row.with("", "attributes.links", |out| {
        let mut separator = '[';
        for (_, link) in references.iter().enumerate().filter(|(at, _)| Some(*at) != parent) {
            out.push(separator);
            separator = ',';
            out.push_str("{\"trace_id\":");
            write_string(&of(link, "traceID").unwrap_or_default(), out);
            out.push_str(",\"span_id\":");
            write_string(&of(link, "spanID").unwrap_or_default(), out);
            out.push_str(",\"type\":");
            write_value(link.get("refType").unwrap_or(Value::Text("")), out);
            out.push('}');
        }
        if separator == ',' {
            out.push(']');
        }
    });
}

fn add_tags(row: &mut Row, list: Option<Value<'_>>) {
    let (mut status, mut is_error) = (None, false);
    for tag in tags(list) {
        match tag.key.as_str() {
            "otel.status_code" => status = text_of(tag.value),
            "otel.status_description" => row.value(STATUS_MESSAGE, tag.value),
            key => {
                is_error |= key == "error" && !matches!(text_of(tag.value).as_deref(), None | Some("false" | ""));
                row.with("attributes.", key, |out| tag.write(out));
            }
        }
    }
    let status = status.as_deref().unwrap_or(if is_error { "ERROR" } else { "UNSET" });
    row.text(STATUS_CODE, status);
}

/// A tag of a span, a process or a log.
struct Tag<'a> {
    key: String,
    kind: Option<Value<'a>>,
    value: Value<'a>,
}

impl Tag<'_> {
    /// Appends the value; storages write numbers and truth values as text, whose type stands beside it.
    fn write(&self, out: &mut String) {
        match (self.kind, self.value) {
            (_, Value::Null) => {}
            (Some(Value::Text("int64" | "float64")), Value::Text(text)) if is_number(text) => out.push_str(text),
            (Some(Value::Text("bool")), Value::Text(text @ ("true" | "false"))) => out.push_str(text),
            (_, value) => write_value(value, out),
        }
    }
}

fn tags(list: Option<Value<'_>>) -> Vec<Tag<'_>> {
    let Some(Value::Nested(list)) = list else { return vec![] };
    let tag = |element| match element {
        Value::Nested(object) => {
            let parts = Parts::read(object)?;
            let key = text_of(parts.get("key")?)?;
            Some(Tag { key, kind: parts.get("type"), value: parts.get("value").unwrap_or(Value::Null) })
        }
        _ => None,
    };
    elements(list).unwrap_or_default().into_iter().filter_map(tag).collect()
}

/// Appends logs as events; nothing where there are none.
fn write_logs(list: Option<Value<'_>>, out: &mut String) {
    let Some(Value::Nested(list)) = list else { return };
    let mut separator = '[';
    for log in elements(list).unwrap_or_default() {
        let Value::Nested(log) = log else { continue };
        let Some(parts) = Parts::read(log) else { continue };
        let fields = tags(parts.get("fields"));
        let name = fields.iter().position(|field| field.key == "event");
        let name = name.or_else(|| fields.iter().position(|field| field.key == "message"));
        out.push(separator);
        separator = ',';
        out.push_str("{\"name\":");
        match name.and_then(|at| fields.get(at)) {
            Some(field) => field.write(out),
            None => out.push_str("\"log\""),
        }
        if let Some(time) = parts.get("timestamp") {
            out.push_str(",\"timestamp\":");
            match integer(time).and_then(micros_text) {
                Some(text) => write_string(&text, out),
                None => write_value(time, out),
            }
        }
        out.push_str(",\"attributes\":{");
        let others = fields.iter().enumerate().filter(|(at, field)| Some(*at) != name && field.value != Value::Null);
        for (count, (_, field)) in others.enumerate() {
            if count > 0 {
                out.push(',');
            }
            write_string(&field.key, out);
            out.push(':');
            field.write(out);
        }
        out.push_str("}}");
    }
    if separator == ',' {
        out.push(']');
    }
}
