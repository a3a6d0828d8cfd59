//! The spans of OTLP's protobuf: what one `ResourceSpans` holds, handed out span by span.
//!
//! Facts of the format: opentelemetry-proto 1.7, `trace/v1`, `resource/v1` and `common/v1`.

use std::ops::Range;

use spanql_model::columns::{
    END_TIME, EVENTS, NAME, PARENT_ID, SPAN_ID, START_TIME, STATUS_CODE, STATUS_MESSAGE, TRACE_ID,
};
use spanql_model::json::write_string;

use super::ids::hex;
use super::otlp_span::{KINDS, OTEL_KIND, STATUSES};
use super::projects::{RESOURCE, add_project};
use super::proto_value::{pair, write_any, write_pairs};
use super::row::Row;
use super::spans::Next;
use super::times::nanos_text;
use super::wire::{Fields, NoMessage, Wire};

/// The spans of the bytes of one `ResourceSpans`.
#[derive(Debug)]
pub(in crate::files) struct ProtoSpans {
    bytes: Vec<u8>,
    /// What the resource says of every span: members of rows.
    resource: String,
    /// What the scope says of its spans, with those of the resource.
    scope: String,
    /// The scopes that are still to be read.
    scopes: Range<usize>,
    /// The spans of the current scope that are still to be read.
    spans: Range<usize>,
    failed: bool,
}

impl ProtoSpans {
    pub(in crate::files) fn new(bytes: Vec<u8>) -> Self {
        let (scopes, spans) = (0..bytes.len(), 0..0);
        let mut row = Row::default();
        for field in Fields::new(&bytes) {
            if let Ok((1, Wire::Bytes(resource))) = field {
                add_resource(&mut row, resource);
            }
        }
        Self { bytes, resource: row.into_members(), scope: String::new(), scopes, spans, failed: false }
    }

    /// Writes the next row.
    pub(in crate::files) fn next(&mut self, row: &mut Row) -> Next {
        row.clear();
        if self.failed {
            return Next::End;
        }
        match self.advance(row) {
            Ok(true) => Next::Row,
            Ok(false) => Next::End,
            Err(NoMessage) if row.is_empty() => {
                self.failed = true;
                Next::Bad(format!("{NoMessage}, and what follows of its resource is not read"))
            }
            // The span alone is broken.
            Err(NoMessage) => {
                row.clear();
                Next::Bad(NoMessage.to_string())
            }
        }
    }

    fn advance(&mut self, row: &mut Row) -> Result<bool, NoMessage> {
        loop {
            while let Some((number, value)) = field(&self.bytes, &mut self.spans)? {
                if let (2, Part::Bytes(at)) = (number, value) {
                    row.begin(&self.scope);
                    write_span(row, self.bytes.get(at).unwrap_or_default())?;
                    return Ok(true);
                }
            }
            match field(&self.bytes, &mut self.scopes)? {
                // The last is the name of protocols before 1.0.
                Some((2 | 1_000, Part::Bytes(at))) => {
                    self.scope = scope_members(&self.resource, self.bytes.get(at.clone()).unwrap_or_default());
                    self.spans = at;
                }
                Some(_) => {}
                None => return Ok(false),
            }
        }
    }
}

/// Where the value of a field is.
enum Part {
    Bytes(Range<usize>),
    Other,
}

/// Takes a field off the front of a range of bytes.
fn field(bytes: &[u8], at: &mut Range<usize>) -> Result<Option<(u64, Part)>, NoMessage> {
    let mut fields = Fields::new(bytes.get(at.clone()).unwrap_or_default());
    let Some(field) = fields.next() else { return Ok(None) };
    let (number, value) = field?;
    at.start = at.end - fields.left();
    Ok(Some(match value {
        Wire::Bytes(value) => (number, Part::Bytes(at.start - value.len()..at.start)),
        _ => (number, Part::Other),
    }))
}

fn add_resource(row: &mut Row, resource: &[u8]) {
    for field in Fields::new(resource) {
        if let Ok((1, Wire::Bytes(attribute))) = field
            && let Ok((key, value)) = pair(attribute)
        {
            row.with(RESOURCE, key, |out| write_any(value, out));
            add_project(row, key, |out| write_any(value, out));
        }
    }
}

fn scope_members(resource: &str, spans: &[u8]) -> String {
    let mut row = Row::default();
    row.members(resource);
    for field in Fields::new(spans) {
        let Ok((1, Wire::Bytes(scope))) = field else { continue };
        for field in Fields::new(scope) {
            match field {
                Ok((1, Wire::Bytes(name))) if !name.is_empty() => {
                    add_text(&mut row, "attributes.otel.scope.name", name)
                }
                Ok((2, Wire::Bytes(version))) if !version.is_empty() => {
                    add_text(&mut row, "attributes.otel.scope.version", version);
                }
                Ok((3, Wire::Bytes(attribute))) => {
                    if let Ok((key, value)) = pair(attribute) {
                        row.with("attributes.otel.scope.", key, |out| write_any(value, out));
                    }
                }
                _ => {}
            }
        }
    }
    row.into_members()
}

/// Adds a text whose bytes may not be one; that can only be so of a broken writer.
fn add_text(row: &mut Row, name: &str, bytes: &[u8]) {
    row.text(name, &String::from_utf8_lossy(bytes));
}

fn write_span(row: &mut Row, span: &[u8]) -> Result<(), NoMessage> {
    let text = |bytes| simdutf8::basic::from_utf8(bytes).map_err(|_| NoMessage);
    let (mut status, mut events, mut links) = ("UNSET", String::new(), String::new());
    for field in Fields::new(span) {
        match field? {
            (1, Wire::Bytes(id)) => row.text(TRACE_ID, &hex(id)),
            (2, Wire::Bytes(id)) => row.text(SPAN_ID, &hex(id)),
            (3, Wire::Bytes(state)) if !state.is_empty() => row.text("attributes.trace_state", text(state)?),
            (4, Wire::Bytes(id)) => row.text(PARENT_ID, &hex(id)),
            (5, Wire::Bytes(name)) => row.text(NAME, text(name)?),
            (6, Wire::Varint(kind)) => {
                let known = usize::try_from(kind).ok().and_then(|kind| KINDS.get(kind));
                match known {
                    Some(&"unspecified") => {}
                    Some(kind) => row.text(OTEL_KIND, kind),
                    None => row.text(OTEL_KIND, &kind.to_string()),
                }
            }
            (7, Wire::Fixed64(nanos)) => add_time(row, START_TIME, nanos),
            (8, Wire::Fixed64(nanos)) => add_time(row, END_TIME, nanos),
            (9, Wire::Bytes(attribute)) => {
                let (key, value) = pair(attribute)?;
                row.with("attributes.", key, |out| write_any(value, out));
            }
            (10, Wire::Varint(count)) => add_dropped(row, "attributes.dropped_attributes_count", count),
            (11, Wire::Bytes(event)) => write_event(event, &mut events)?,
            (12, Wire::Varint(count)) => add_dropped(row, "attributes.dropped_events_count", count),
            (13, Wire::Bytes(link)) => write_link(link, &mut links)?,
            (14, Wire::Varint(count)) => add_dropped(row, "attributes.dropped_links_count", count),
            (15, Wire::Bytes(fields)) => {
                for field in Fields::new(fields) {
                    match field? {
                        (2, Wire::Bytes(message)) => row.text(STATUS_MESSAGE, text(message)?),
                        (3, Wire::Varint(code)) => {
                            let name = usize::try_from(code).ok().and_then(|at| STATUSES.get(at));
                            status = name.copied().ok_or(NoMessage)?;
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    row.text(STATUS_CODE, status);
    for (name, mut list) in [(EVENTS, events), ("attributes.links", links)] {
        if !list.is_empty() {
            list.push(']');
            row.json(name, &list);
        }
    }
    Ok(())
}

fn add_time(row: &mut Row, name: &str, nanos: u64) {
    match i64::try_from(nanos) {
        Ok(0) => {}
        Ok(nanos) => row.text(name, &nanos_text(nanos)),
        // The column says that this is too late.
        Err(_) => row.text(name, &nanos.to_string()),
    }
}

fn add_dropped(row: &mut Row, name: &str, count: u64) {
    if count > 0 {
        row.json(name, &count.to_string());
    }
}

fn write_event(event: &[u8], out: &mut String) -> Result<(), NoMessage> {
    let (mut name, mut time, mut attributes) = ("", 0, vec![]);
    for field in Fields::new(event) {
        match field? {
            (1, Wire::Fixed64(nanos)) => time = nanos,
            (2, Wire::Bytes(text)) => name = simdutf8::basic::from_utf8(text).map_err(|_| NoMessage)?,
            (3, Wire::Bytes(attribute)) => attributes.push(pair(attribute)?),
            _ => {}
        }
    }
    out.push(if out.is_empty() { '[' } else { ',' });
    out.push_str("{\"name\":");
    write_string(name, out);
    if let Ok(nanos @ 1..) = i64::try_from(time) {
        out.push_str(",\"timestamp\":");
        write_string(&nanos_text(nanos), out);
    }
    out.push_str(",\"attributes\":");
    write_pairs(&attributes, out);
    out.push('}');
    Ok(())
}

fn write_link(link: &[u8], out: &mut String) -> Result<(), NoMessage> {
    let (mut trace, mut span, mut attributes) = (String::new(), String::new(), vec![]);
    for field in Fields::new(link) {
        match field? {
            (1, Wire::Bytes(id)) => trace = hex(id),
            (2, Wire::Bytes(id)) => span = hex(id),
            (4, Wire::Bytes(attribute)) => attributes.push(pair(attribute)?),
            _ => {}
        }
    }
    out.push(if out.is_empty() { '[' } else { ',' });
    out.push_str("{\"trace_id\":");
    write_string(&trace, out);
    out.push_str(",\"span_id\":");
    write_string(&span, out);
    out.push_str(",\"attributes\":");
    write_pairs(&attributes, out);
    out.push('}');
    Ok(())
}
