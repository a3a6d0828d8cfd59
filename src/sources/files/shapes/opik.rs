//! Spans and traces of Opik in files: lists of either, pages of its API, and what `opik export` writes.

use std::sync::Arc;

use spanql_model::json::text_of;

use super::described::described;
use super::parts::Parts;
use super::spans::{Around, Out};
use crate::opik::rows::{write_span_row, write_trace_row};

/// Members of which a trace has one, beside its id, its name and its times.
const OF_TRACES: [&str; 8] = [
    "thread_id",
    "span_count",
    "feedback_scores",
    "usage",
    "total_estimated_cost",
    "duration",
    "llm_span_count",
    "visibility_mode",
];

/// Whether this is a trace beside its spans.
pub(super) fn is_document(parts: &Parts<'_>) -> bool {
    parts.has("spans") && parts.object("trace").and_then(Parts::read).is_some_and(|trace| trace.has("id"))
}

/// Whether this is a span.
pub(super) fn is_span(parts: &Parts<'_>) -> bool {
    parts.has("id") && parts.has("trace_id") && parts.has("start_time") && !parts.has("span_id")
}

/// Whether this is a trace.
pub(super) fn is_trace(parts: &Parts<'_>) -> bool {
    let ids = ["trace_id", "span_id", "context", "type"];
    parts.has("id") && parts.has("start_time") && !parts.has_any(&ids) && parts.has_any(&OF_TRACES)
}

/// Reads a trace with its spans.
pub(super) fn document(text: &str, _: &Arc<Around>, out: &mut Out<'_>) {
    let Some(parts) = Parts::read(text) else { return };
    let Some(inner) = parts.object("trace") else { return };
    let mut around = Around::default();
    // What `opik export` writes names the project beside the trace.
    if let Some(project) = parts.get("project_name") {
        around.members = format!("\"project\":{},", project.written());
    }
    if let Some(trace) = Parts::read(inner)
        && let (Some(id), Some(thread)) = (trace.get("id").and_then(text_of), trace.get("thread_id").and_then(text_of))
    {
        around.named.insert(id, thread);
    }
    let around = Arc::new(around);
    out.one(inner, trace, &around);
    for list in parts.lists(&["spans"]) {
        out.each(list, span, false, &around);
    }
}

/// Writes the row of a span, below the row of its trace. What is [`Around`] names threads by the ids of their traces.
pub(super) fn span(text: &str, around: &Arc<Around>, out: &mut Out<'_>) {
    let Some(parts) = Parts::read(text).filter(is_span) else {
        out.bad = Some(format!("not a span: {}", described(text)));
        return;
    };
    let trace = parts.get("trace_id").and_then(text_of);
    let thread = trace.and_then(|trace| around.named(&trace));
    let mut row = String::with_capacity(text.len() + 256);
    write_span_row(text, thread, true, &mut row);
    out.row.object(&row);
    add_project(&parts, around, out);
}

/// Writes the row of a trace.
pub(super) fn trace(text: &str, around: &Arc<Around>, out: &mut Out<'_>) {
    let mut row = String::with_capacity(text.len() + 256);
    write_trace_row(text, &mut row);
    out.row.object(&row);
    if let Some(parts) = Parts::read(text) {
        add_project(&parts, around, out);
    }
}

/// Adds the project that is named around a span or trace which names none itself.
fn add_project(parts: &Parts<'_>, around: &Around, out: &mut Out<'_>) {
    if parts.get("project_name").is_none() {
        out.row.members(&around.members);
    }
}

/// The thread of a trace, and the trace's id, where an item is such a trace.
pub(super) fn thread(text: &str) -> Option<(String, String)> {
    let parts = Parts::read(text).filter(is_trace)?;
    Some((parts.get("id").and_then(text_of)?, parts.get("thread_id").and_then(text_of)?))
}
