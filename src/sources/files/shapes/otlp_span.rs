//! One span of OTLP's JSON.

use std::sync::Arc;

use spanql_model::columns::{
    END_TIME, EVENTS, NAME, PARENT_ID, SPAN_ID, START_TIME, STATUS_CODE, STATUS_MESSAGE, TRACE_ID,
};
use spanql_model::json::{Value, elements, text_of, write_string};

use super::any_value::{add_attributes, pairs, write_any};
use super::described::described;
use super::ids::{self, last_word};
use super::parts::Parts;
use super::row::{Row, write_value};
use super::spans::{Around, Out};
use super::times::{add_nanos, integer, nanos_text};

/// Names of the kinds of OpenTelemetry, by their numbers in OTLP; the first is none.
pub(super) const KINDS: [&str; 6] = ["unspecified", "internal", "server", "client", "producer", "consumer"];
/// Names of its statuses, by their numbers in OTLP.
pub(super) const STATUSES: [&str; 3] = ["UNSET", "OK", "ERROR"];
/// The attribute that OpenTelemetry's kind is kept in, under the name that Jaeger gives it.
pub(super) const OTEL_KIND: &str = "attributes.span.kind";

/// Whether this is a span of OTLP.
pub(super) fn is_span(parts: &Parts<'_>) -> bool {
    let has_ids = parts.has_any(&["traceId", "trace_id"]) && parts.has_any(&["spanId", "span_id"]);
    let times = ["startTimeUnixNano", "start_time_unix_nano", "endTimeUnixNano", "end_time_unix_nano"];
    has_ids && (parts.has_any(&times) || parts.has("spanId"))
}

/// Writes the row of a span.
pub(super) fn span(text: &str, around: &Arc<Around>, out: &mut Out<'_>) {
    let Some(parts) = Parts::read(text) else {
        out.bad = Some(format!("not a span: {}", described(text)));
        return;
    };
    let row = &mut *out.row;
    row.begin(&around.members);
    let id = |row: &mut Row, name, keys: &[&str], digits| {
        if let Some(id) = parts.any(keys).and_then(|value| ids::of_otlp(value, digits)) {
            row.text(name, &id);
        }
    };
    id(row, TRACE_ID, &["traceId", "trace_id"], ids::TRACE);
    id(row, SPAN_ID, &["spanId", "span_id"], ids::SPAN);
    id(row, PARENT_ID, &["parentSpanId", "parent_span_id"], ids::SPAN);
    if let Some(name) = parts.get("name") {
        row.value(NAME, name);
    }
    add_nanos(row, START_TIME, parts.any(&["startTimeUnixNano", "start_time_unix_nano"]));
    add_nanos(row, END_TIME, parts.any(&["endTimeUnixNano", "end_time_unix_nano"]));
    for (key, name) in [("startTime", START_TIME), ("endTime", END_TIME)] {
        if let Some(time) = parts.get(key).filter(|_| !parts.has(&format!("{key}UnixNano"))) {
            row.value(name, time);
        }
    }
    if let Some(kind) = parts.get("kind").and_then(kind) {
        row.text(OTEL_KIND, &kind);
    }
    add_status(row, parts.get("status"));
    add_attributes(row, "attributes.", parts.get("attributes"));
    row.with("", EVENTS, |out| write_events(parts.get("events"), out));
    row.with("", "attributes.links", |out| write_links(parts.get("links"), out));
    if let Some(state) = parts.any(&["traceState", "trace_state"]).filter(|state| *state != Value::Text("")) {
        row.value("attributes.trace_state", state);
    }
    for (keys, name) in DROPPED {
        if let Some(count) = parts.any(keys).filter(|count| integer(*count) != Some(0)) {
            row.value(name, count);
        }
    }
}

/// What the SDK left out, where it left something out.
const DROPPED: [(&[&str], &str); 3] = [
    (&["droppedAttributesCount", "dropped_attributes_count"], "attributes.dropped_attributes_count"),
    (&["droppedEventsCount", "dropped_events_count"], "attributes.dropped_events_count"),
    (&["droppedLinksCount", "dropped_links_count"], "attributes.dropped_links_count"),
];

/// The name of a kind, given by its number or its name; nothing for none.
pub(super) fn kind(value: Value<'_>) -> Option<String> {
    let name = match value {
        Value::Number(number) => {
            let known = number.parse::<usize>().ok().and_then(|number| KINDS.get(number));
            known.map_or(number.to_owned(), |name| (*name).to_owned())
        }
        other => last_word(&text_of(other)?, &["SPAN_KIND_"]).to_ascii_lowercase(),
    };
    (!name.is_empty() && name != "unspecified").then_some(name)
}

fn add_status(row: &mut Row, status: Option<Value<'_>>) {
    let parts = match status {
        Some(Value::Nested(object)) => Parts::read(object).unwrap_or_default(),
        _ => Parts::default(),
    };
    // A status that is left out is UNSET: the value zero is never written.
    match parts.get("code") {
        None => row.text(STATUS_CODE, "UNSET"),
        Some(code) => add_code(row, code),
    }
    if let Some(message) = parts.any(&["message", "description"]) {
        row.value(STATUS_MESSAGE, message);
    }
}

/// Adds a status code, given by its number or its name.
pub(super) fn add_code(row: &mut Row, code: Value<'_>) {
    let name = match code {
        Value::Number(number) => number.parse::<usize>().ok().and_then(|number| STATUSES.get(number)).copied(),
        _ => None,
    };
    match (name, text_of(code)) {
        (Some(name), _) => row.text(STATUS_CODE, name),
        (None, Some(text)) => row.text(STATUS_CODE, &last_word(&text, &["STATUS_CODE_"])),
        (None, None) => {}
    }
}

/// Appends events as the list that a span has; nothing where there are none.
fn write_events(events: Option<Value<'_>>, out: &mut String) {
    let Some(Value::Nested(list)) = events else { return };
    let mut separator = '[';
    for event in elements(list).unwrap_or_default() {
        let Value::Nested(event) = event else { continue };
        let Some(parts) = Parts::read(event) else { continue };
        out.push(separator);
        separator = ',';
        out.push_str("{\"name\":");
        write_value(parts.get("name").unwrap_or(Value::Text("")), out);
        if let Some(time) = parts.any(&["timeUnixNano", "time_unix_nano"]) {
            out.push_str(",\"timestamp\":");
            match integer(time) {
                Some(nanos) => write_string(&nanos_text(nanos), out),
                None => write_value(time, out),
            }
        }
        out.push_str(",\"attributes\":");
        write_pairs(parts.get("attributes"), out);
        out.push('}');
    }
    if separator == ',' {
        out.push(']');
    }
}

/// Appends links, each with the ids that it leads to; nothing where there are none.
fn write_links(links: Option<Value<'_>>, out: &mut String) {
    let Some(Value::Nested(list)) = links else { return };
    let mut separator = '[';
    for link in elements(list).unwrap_or_default() {
        let Value::Nested(link) = link else { continue };
        let Some(parts) = Parts::read(link) else { continue };
        out.push(separator);
        separator = ',';
        let id = |keys: &[&str], digits| parts.any(keys).and_then(|id| ids::of_otlp(id, digits)).unwrap_or_default();
        out.push_str("{\"trace_id\":");
        write_string(&id(&["traceId", "trace_id"], ids::TRACE), out);
        out.push_str(",\"span_id\":");
        write_string(&id(&["spanId", "span_id"], ids::SPAN), out);
        out.push_str(",\"attributes\":");
        write_pairs(parts.get("attributes"), out);
        out.push('}');
    }
    if separator == ',' {
        out.push(']');
    }
}

fn write_pairs(list: Option<Value<'_>>, out: &mut String) {
    out.push('{');
    let mut first = true;
    for (key, value) in pairs(list) {
        let mark = out.len();
        if !first {
            out.push(',');
        }
        write_string(&key, out);
        out.push(':');
        let before = out.len();
        write_any(value, out);
        if out.len() == before {
            out.truncate(mark);
        } else {
            first = false;
        }
    }
    out.push('}');
}
