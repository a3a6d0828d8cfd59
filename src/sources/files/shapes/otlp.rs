//! OTLP's JSON: requests and files of `resourceSpans`, which hold the spans of each scope.
//!
//! Facts of the format: the OTLP specification 1.7 (JSON encoding: lower camel case, ids as hex, 64-bit integers as text),
//! the snake case of Phoenix's `otlpv1`, and the names `batches` and `traces` of Grafana Tempo.

use std::sync::Arc;

use spanql_model::json::Value;

use super::any_value::{pairs, write_any};
use super::otlp_span;
use super::parts::Parts;
use super::projects::{RESOURCE, add_project};
use super::row::Row;
use super::spans::{Around, Out};

/// Keys of what a document holds.
const DOCUMENT: [&str; 2] = ["resourceSpans", "resource_spans"];
/// Keys of what a resource's spans lie in; the last two of protocols before 1.0.
const SCOPES: [&str; 4] = ["scopeSpans", "scope_spans", "instrumentationLibrarySpans", "instrumentation_library_spans"];

/// Whether this is a document, perhaps under the name that Tempo gives it.
pub(super) fn is_document(parts: &Parts<'_>) -> bool {
    let inner = || parts.object("trace").and_then(Parts::read).is_some_and(|inner| inner.has_any(&DOCUMENT));
    parts.has_any(&DOCUMENT) || inner()
}

/// Whether these are the spans of one resource.
pub(super) fn is_resource_spans(parts: &Parts<'_>) -> bool {
    let is_bare = || parts.members.len() == 1 && parts.object("resource").is_some();
    parts.has_any(&SCOPES) || is_bare()
}

/// Reads a document.
pub(in crate::files) fn document(text: &str, around: &Arc<Around>, out: &mut Out<'_>) {
    let Some(parts) = Parts::read(text) else { return };
    if let Some(trace) = parts.object("trace").filter(|_| !parts.has_any(&DOCUMENT)) {
        return out.one(trace, document, around);
    }
    for list in parts.lists(&DOCUMENT) {
        out.each(list, resource_spans, true, around);
    }
}

/// Reads the spans of a resource.
pub(super) fn resource_spans(text: &str, around: &Arc<Around>, out: &mut Out<'_>) {
    let Some(parts) = Parts::read(text) else { return };
    let mut row = Row::default();
    row.members(&around.members);
    if let Some(Value::Nested(resource)) = parts.get("resource")
        && let Some(resource) = Parts::read(resource)
    {
        for (key, value) in pairs(resource.get("attributes")) {
            row.with(RESOURCE, &key, |out| write_any(value, out));
            add_project(&mut row, &key, |out| write_any(value, out));
        }
    }
    let around = Arc::new(Around { members: row.into_members(), ..Around::default() });
    for list in parts.lists(&SCOPES) {
        out.each(list, scope_spans, true, &around);
    }
}

fn scope_spans(text: &str, around: &Arc<Around>, out: &mut Out<'_>) {
    let Some(parts) = Parts::read(text) else { return };
    let mut row = Row::default();
    row.members(&around.members);
    let scope = parts.any(&["scope", "instrumentationLibrary", "instrumentation_library"]);
    if let Some(Value::Nested(scope)) = scope
        && let Some(scope) = Parts::read(scope)
    {
        for (key, name) in [("name", "attributes.otel.scope.name"), ("version", "attributes.otel.scope.version")] {
            if let Some(value) = scope.get(key).filter(|value| *value != Value::Text("")) {
                row.value(name, value);
            }
        }
        for (key, value) in pairs(scope.get("attributes")) {
            row.with("attributes.otel.scope.", &key, |out| write_any(value, out));
        }
    }
    let around = Arc::new(Around { members: row.into_members(), ..Around::default() });
    for list in parts.lists(&["spans"]) {
        out.each(list, otlp_span::span, false, &around);
    }
}
