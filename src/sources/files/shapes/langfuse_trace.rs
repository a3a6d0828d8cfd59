//! Traces of Langfuse: with their observations, or alone as a page of the API lists them.

use std::collections::HashMap;
use std::sync::Arc;

use spanql_model::columns::{
    COST, INPUT, KIND, METADATA, NAME, OUTPUT, SESSION_ID, SPAN_ID, START_TIME, STATUS_CODE, TRACE_ID, USER_ID,
};
use spanql_model::json::{Value, elements, text_of};

use super::langfuse::{ROOTS, about, is_empty, observation};
use super::parts::Parts;
use super::row::Row;
use super::spans::{Around, Out};

/// Sources of scores, and who gave these.
const SOURCES: [(&str, &str); 3] = [("ANNOTATION", "HUMAN"), ("EVAL", "LLM"), ("API", "CODE")];

/// Whether this is a trace with its observations: in one object, or beside them.
pub(super) fn is_document(parts: &Parts<'_>) -> bool {
    let beside = parts.has("trace") && parts.has("observations");
    beside || parts.lists(&["observations"]).iter().any(|list| holds_objects(list))
}

/// Whether this is a trace whose observations lie elsewhere.
pub(super) fn is_trace(parts: &Parts<'_>) -> bool {
    parts.has("id") && parts.has("timestamp") && parts.has_any(&["sessionId", "observations", "userId", "htmlPath"])
}

fn holds_objects(list: &str) -> bool {
    list.strip_prefix('[').is_some_and(|rest| rest.trim_start().starts_with('{'))
}

/// Reads a trace with its observations.
pub(super) fn document(text: &str, around: &Arc<Around>, out: &mut Out<'_>) {
    let Some(parts) = Parts::read(text) else { return };
    let inner = parts.object("trace").and_then(Parts::read);
    let trace = inner.as_ref().unwrap_or(&parts);
    let mut roots = Row::default();
    add_trace(&mut roots, trace);
    let mut named: HashMap<String, String> = HashMap::new();
    for score in objects(trace.get("scores")) {
        let Some(id) = score.get("observationId").and_then(text_of) else {
            add_score(&mut roots, &score);
            continue;
        };
        let mut row = Row::default();
        add_score(&mut row, &score);
        named.entry(about(&id)).or_default().push_str(&row.into_members());
    }
    named.insert(ROOTS.to_owned(), roots.into_members());
    let around = Arc::new(Around { members: around.members.clone(), named });
    for list in parts.lists(&["observations"]) {
        out.each(list, observation, false, &around);
    }
}

/// What a trace says of its root spans.
fn add_trace(row: &mut Row, trace: &Parts<'_>) {
    for (key, name) in [
        ("sessionId", SESSION_ID),
        ("userId", USER_ID),
        ("tags", "attributes.tag.tags"),
        ("release", "attributes.langfuse.release"),
    ] {
        if let Some(value) = trace.get(key).filter(|value| !is_empty(*value)) {
            row.value(name, value);
        }
    }
}

/// Writes the row of a trace that is listed without its observations: a root span of the trace's own id.
pub(super) fn trace(text: &str, around: &Arc<Around>, out: &mut Out<'_>) {
    let Some(parts) = Parts::read(text) else { return };
    let row = &mut *out.row;
    row.begin(&around.members);
    for (key, name) in [
        ("id", TRACE_ID),
        ("id", SPAN_ID),
        ("name", NAME),
        ("timestamp", START_TIME),
        ("input", INPUT),
        ("output", OUTPUT),
        ("metadata", METADATA),
        ("environment", "attributes.langfuse.environment"),
        ("version", "attributes.langfuse.version"),
        ("latency", "attributes.langfuse.trace.latency"),
    ] {
        if let Some(value) = parts.get(key) {
            row.value(name, value);
        }
    }
    row.text(KIND, "CHAIN");
    row.text(STATUS_CODE, "UNSET");
    row.text("attributes.langfuse.entity", "trace");
    add_trace(row, &parts);
    // The cost of its spans is theirs.
    if let Some(cost) = parts.get("totalCost") {
        row.under("attributes.langfuse.trace.", COST.trim_start_matches("attributes."), cost);
    }
    for score in objects(parts.get("scores")) {
        add_score(row, &score);
    }
}

/// A score as an annotation of its name.
fn add_score(row: &mut Row, score: &Parts<'_>) {
    let Some(name) = score.get("name").and_then(text_of).filter(|name| !name.is_empty()) else { return };
    let prefix = format!("annotation.{name}.");
    if let Some(value) = score.get("value") {
        row.under(&prefix, "score", value);
    }
    for (key, part) in [("stringValue", "label"), ("comment", "explanation"), ("authorUserId", "updated_by")] {
        if let Some(value) = score.get(key).filter(|value| !is_empty(*value)) {
            row.under(&prefix, part, value);
        }
    }
    if let Some(source) = score.get("source").and_then(text_of) {
        let known = SOURCES.iter().find(|(known, _)| *known == source).map(|(_, kind)| *kind);
        row.text(&format!("{prefix}annotator_kind"), known.unwrap_or(&source));
    }
}

fn objects(list: Option<Value<'_>>) -> Vec<Parts<'_>> {
    let Some(Value::Nested(list)) = list else { return vec![] };
    let object = |element| match element {
        Value::Nested(object) => Parts::read(object),
        _ => None,
    };
    elements(list).unwrap_or_default().into_iter().filter_map(object).collect()
}
