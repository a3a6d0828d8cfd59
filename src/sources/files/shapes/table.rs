//! What an item is, told by the keys of its object.

use std::sync::Arc;

use spanql_model::json::{MAX_DEPTH, Scanner, Value};

use super::described::described;
use super::parts::Parts;
use super::spans::{Around, Out, Spans, Turn};
use super::{exported, jaeger, langfuse, langfuse_trace, object, opik, otlp, otlp_span};

/// A shape in which spans come.
pub(in crate::files) struct Shape {
    /// Whose it is.
    name: &'static str,
    /// Whether an object with these members is one of it.
    fits: fn(&Parts<'_>) -> bool,
    /// What reads it.
    turn: Turn,
    /// Whether the object holds spans, rather than being one.
    holder: bool,
}

/// The shapes, in the order in which they are tried.
#[rustfmt::skip]
static SHAPES: [Shape; 15] = [
    Shape { name: "OTLP", fits: otlp::is_document, turn: otlp::document, holder: true },
    Shape { name: "OTLP", fits: otlp::is_resource_spans, turn: otlp::resource_spans, holder: true },
    Shape { name: "OTLP", fits: otlp_span::is_span, turn: otlp_span::span, holder: false },
    Shape { name: JAEGER, fits: jaeger::is_trace, turn: jaeger::trace, holder: true },
    Shape { name: JAEGER, fits: jaeger::is_span, turn: jaeger::span, holder: false },
    Shape { name: "Langfuse", fits: langfuse_trace::is_document, turn: langfuse_trace::document, holder: true },
    Shape { name: "Langfuse", fits: langfuse::is_observation, turn: langfuse::observation, holder: false },
    Shape { name: "Langfuse", fits: langfuse_trace::is_trace, turn: langfuse_trace::trace, holder: false },
    Shape { name: OPIK, fits: opik::is_document, turn: opik::document, holder: true },
    Shape { name: EXPORTED, fits: exported::is_exported, turn: exported::exported, holder: false },
    Shape { name: OPIK, fits: opik::is_span, turn: opik::span, holder: false },
    Shape { name: OPIK, fits: opik::is_trace, turn: opik::trace, holder: false },
    Shape { name: "OpenTelemetry", fits: object::is_span, turn: object::span, holder: false },
    Shape { name: "list", fits: holds_list, turn: lists, holder: true },
    FLAT,
];
/// A row under the names of ingest.
const FLAT: Shape = Shape { name: ROWS, fits: is_row, turn: row, holder: false };
const ROWS: &str = "rows";
const JAEGER: &str = "Jaeger";
const OPIK: &str = "Opik";
/// Whose rows know their trace by the one before them.
const EXPORTED: &str = "Opik's interface";

/// Keys under which an object holds a list of spans, or of what holds spans.
pub(in crate::files) const HOLDERS: [&str; 7] =
    ["data", "spans", "resourceSpans", "resource_spans", "batches", "traces", "content"];

/// What an item is.
pub(in crate::files) enum Found {
    /// A row that is ingested as it is.
    Row,
    /// Something with spans in it, or one that is written as another row.
    Shape(&'static Shape),
    /// Nothing known.
    Nothing,
}

/// Tells what an item is; of one that is cut off, whether there may be whole spans in it.
pub(in crate::files) fn recognise(text: &str, is_cut: bool) -> Found {
    if !is_cut && begins_flat(text) {
        return Found::Row;
    }
    let Some(parts) = Parts::read(text) else { return if is_cut { Found::Nothing } else { Found::Row } };
    // Of what is no JSON, ingest says where it breaks.
    if parts.is_cut() && !is_cut {
        return Found::Row;
    }
    match shape(&parts) {
        Some(shape) if is_cut && !shape.holder => Found::Nothing,
        Some(shape) if shape.name == ROWS => Found::Row,
        Some(shape) => Found::Shape(shape),
        None => Found::Nothing,
    }
}

impl Shape {
    /// The spans of an item of this shape, with what is known of them from elsewhere.
    pub(in crate::files) fn spans(&self, text: String, around: Arc<Around>) -> Spans {
        Spans::new(text, self.turn, !self.holder, around)
    }

    /// Whether this is a row of Opik's user interface, of whose trace only the row of that knows.
    pub(in crate::files) fn follows_trace(&self) -> bool {
        self.name == EXPORTED
    }

    /// Whether this is a span of Opik, of whose thread only its trace knows.
    pub(in crate::files) fn lacks_thread(&self) -> bool {
        self.name == OPIK && !self.holder
    }
}

fn shape(parts: &Parts<'_>) -> Option<&'static Shape> {
    if is_flat(parts) {
        return Some(&FLAT);
    }
    SHAPES.iter().find(|shape| (shape.fits)(parts))
}

/// Whether the elements of a list can be read one by one without what else is in the object around it: told by the keys
/// before it, its own, and its first element.
pub(in crate::files) fn streams(before: &[String], key: &str, first: &str) -> bool {
    // What lies around them says something of these spans.
    let whole = ["trace", "traceID", "observations", "context", "context.trace_id", "span_id", "context.span_id"];
    if before.iter().any(|key| whole.contains(&key.as_str())) {
        return false;
    }
    let Some(parts) = Parts::read(first) else { return false };
    match shape(&parts) {
        Some(shape) => key != "spans" || !matches!(shape.name, JAEGER | OPIK),
        None => false,
    }
}

/// A row under the flat names of ingest, as exports of Arize and Phoenix have them.
fn is_flat(parts: &Parts<'_>) -> bool {
    parts.has("context.trace_id") || parts.has("context.span_id")
}

/// Members that are looked at for a flat name before all of an object is read.
const FIRST_MEMBERS: usize = 24;

/// Whether an object has such a name among its first members. What is behind it does not matter: of a row that is broken there,
/// ingest says so.
fn begins_flat(text: &str) -> bool {
    let mut scanner = Scanner::new(text);
    scanner.blanks();
    if !scanner.eat(b'{') {
        return false;
    }
    for _ in 0..FIRST_MEMBERS {
        scanner.blanks();
        match scanner.key() {
            Ok(Value::Text("context.trace_id" | "context.span_id")) => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
        if scanner.value(MAX_DEPTH - 1).is_err() {
            return false;
        }
        scanner.blanks();
        if !scanner.eat(b',') {
            return false;
        }
    }
    false
}

/// A row that ingest understands, or says what it lacks.
fn is_row(parts: &Parts<'_>) -> bool {
    let known = ["context", "trace_id", "span_id", "attributes", "parent_id", "span_kind", "start_time"];
    is_flat(parts) || parts.has_any(&known) || parts.members.iter().any(|m| m.key.starts_with("attributes."))
}

fn row(text: &str, _: &Arc<Around>, out: &mut Out<'_>) {
    out.row.object(text);
}

fn holds_list(parts: &Parts<'_>) -> bool {
    if parts.has("trace_id") && parts.has("span_id") {
        return false;
    }
    HOLDERS.iter().any(|key| parts.lists(&[key]).iter().any(|list| first_fits(list)))
}

/// Whether a list is empty, or begins with something known.
fn first_fits(list: &str) -> bool {
    let rest = list.strip_prefix('[').unwrap_or(list).trim_start();
    if rest.starts_with(']') {
        return true;
    }
    let mut scanner = Scanner::new(rest);
    let first = match scanner.value(MAX_DEPTH) {
        Ok(_) => scanner.since(0),
        Err(_) => rest,
    };
    Parts::read(first).is_some_and(|parts| shape(&parts).is_some())
}

/// The elements of the lists that an object holds.
fn lists(text: &str, around: &Arc<Around>, out: &mut Out<'_>) {
    let Some(parts) = Parts::read(text) else { return };
    for list in parts.lists(&HOLDERS) {
        out.each(list, any, true, around);
    }
}

/// Whatever an element of a list is.
pub(super) fn any(text: &str, around: &Arc<Around>, out: &mut Out<'_>) {
    let parts = Parts::read(text);
    let cut = parts.as_ref().is_none_or(Parts::is_cut);
    match parts.as_ref().and_then(shape) {
        Some(shape) if shape.holder || !cut => (shape.turn)(text, around, out),
        _ if cut && text.starts_with('{') => {}
        _ => out.bad = Some(format!("not a span: {}", described(text))),
    }
}

/// The id of a trace of Opik and its thread, where an item is a trace with one.
pub(in crate::files) fn opik_thread(text: &str) -> Option<(String, String)> {
    opik::thread(text)
}

/// What a trace that Opik's user interface saved says of the spans behind it.
pub(in crate::files) fn trace_before(text: &str) -> Option<Vec<(String, String)>> {
    exported::trace_before(text)
}

/// What is looked for in a file, for messages.
pub(in crate::files) const LOOKED_FOR: &str = "rows with context.trace_id and context.span_id, or what Arize, Phoenix, Opik, Langfuse, Jaeger, OTLP or an OpenTelemetry SDK writes";
