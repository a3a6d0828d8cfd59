//! Files of OTLP's protobuf: one request, or several, each behind its length; these may be JSON where they are compressed.
//!
//! Facts of the format: `ExportTraceServiceRequest` and `TracesData` hold `ResourceSpans` under number 1. The Collector's file
//! exporter writes the length as four bytes, the highest first, and compresses each request by itself, of either format;
//! other writers put a varint there.

use std::io::{self, BufRead, Read};
use std::sync::Arc;

use spanql_model::ingest::IngestBuilder;

use super::limits::Limits;
use super::shapes::protobuf::ProtoSpans;
use super::shapes::row::Row;
use super::shapes::spans::{Next, Spans};
use super::shapes::table::{Found, recognise};
use super::shapes::wire::varint;
use super::step::{Failed, Step};
use super::stream::Stream;

/// The key of the field that holds `ResourceSpans`.
const RESOURCE_SPANS: u8 = 0x0a;
/// The keys of the fields in them.
const INSIDE: [u8; 3] = [0x0a, 0x12, 0x1a];
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";
/// Room that is made at once, before any of it has been read.
const TRUSTED: usize = 16 << 20;

/// How the requests of a file are set apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// There is but one.
    None,
    /// A varint with the length stands before each.
    Varint,
    /// Four bytes with the length stand before each, the highest first.
    BigEndian,
}

impl Framing {
    /// How the requests of a file with this beginning are set apart; `None` for a file that is no OTLP.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        if begins(head) {
            return Some(Self::None);
        }
        let fits = |rest: &[u8], length: u64| rest.starts_with(ZSTD) || (begins(rest) && first_length(rest) <= length);
        if let Some((length, rest)) = head.split_first_chunk::<4>()
            && fits(rest, u64::from(u32::from_be_bytes(*length)))
        {
            return Some(Self::BigEndian);
        }
        let (length, used) = varint(head)?;
        let rest = head.get(used..).unwrap_or_default();
        (fits(rest, length)).then_some(Self::Varint)
    }
}

/// Whether a request, or one that is alone in a file, begins here.
fn begins(bytes: &[u8]) -> bool {
    let Some((RESOURCE_SPANS, rest)) = bytes.split_first().map(|(key, rest)| (*key, rest)) else { return false };
    let Some((length, used)) = varint(rest) else { return false };
    let inside = rest.get(used..).unwrap_or_default();
    let Some((key, inside)) = inside.split_first() else { return false };
    // The first field in it must fit into it.
    INSIDE.contains(key) && varint(inside).is_some_and(|(inner, used)| inner.saturating_add(used as u64) < length)
}

/// The bytes that the first field of a request takes.
fn first_length(bytes: &[u8]) -> u64 {
    let length = bytes.get(1..).and_then(varint);
    length.map_or(u64::MAX, |(length, used)| length.saturating_add(used as u64 + 1))
}

/// The spans of a resource, or of a request that is JSON.
enum Resource {
    Proto(ProtoSpans),
    Json(Box<Spans>),
}

/// The spans of a file on their way into a builder.
pub(super) struct OtlpRows {
    stream: Stream,
    framing: Framing,
    /// Bytes that are left of the current request; without a length, as many as there are.
    left: u64,
    /// What is left of a request that was compressed by itself.
    unpacked: io::Cursor<Vec<u8>>,
    spans: Option<Resource>,
    row: Row,
    /// The spans so far.
    count: u64,
}

impl OtlpRows {
    pub(super) fn new(mut stream: Stream) -> Result<Self, String> {
        let head = stream.fill_buf().map_err(|error| error.to_string())?;
        // A file without a byte is a request without spans.
        let framing = if head.is_empty() { Some(Framing::None) } else { Framing::of(head) };
        let framing = framing.ok_or("not OTLP: it does not begin with the spans of a resource")?;
        let left = if framing == Framing::None { u64::MAX } else { 0 };
        let (unpacked, row) = (io::Cursor::default(), Row::default());
        Ok(Self { stream, framing, left, unpacked, spans: None, row, count: 0 })
    }

    /// Reads one span into `builder`. The error, with its number, is one that ends the file.
    pub(super) fn step(&mut self, builder: &mut IngestBuilder, limits: &Limits) -> Result<Step, Failed> {
        if self.spans.is_none() {
            self.spans = self.next_resource(limits).map_err(|error| Failed::at(self.count + 1, error))?;
        }
        let next = match &mut self.spans {
            Some(Resource::Proto(spans)) => spans.next(&mut self.row),
            Some(Resource::Json(spans)) => spans.next(&mut self.row),
            None => return Ok(Step::End),
        };
        let pushed = match next {
            Next::Row => builder.push_json(self.row.close()).map_err(|error| error.to_string()),
            Next::Bad(reason) => Err(reason),
            Next::End => {
                self.spans = None;
                return Ok(Step::Blank);
            }
        };
        self.count += 1;
        let line = self.count;
        Ok(pushed.map_or_else(|reason| Step::Bad { line, reason }, |()| Step::Row(line)))
    }

    /// The spans of the next `ResourceSpans`; `None` at the end of the file.
    fn next_resource(&mut self, limits: &Limits) -> io::Result<Option<Resource>> {
        let proto = |bytes| Ok(Some(Resource::Proto(ProtoSpans::new(bytes))));
        loop {
            if (self.unpacked.position() as usize) < self.unpacked.get_ref().len() {
                let mut left = self.unpacked.get_ref().len() as u64 - self.unpacked.position();
                if let Some(bytes) = resource(&mut self.unpacked, &mut left, limits)? {
                    return proto(bytes);
                }
                continue;
            }
            if self.left > 0 {
                if self.framing == Framing::None && self.stream.fill_buf()?.is_empty() {
                    return Ok(None);
                }
                if let Some(bytes) = resource(&mut self.stream, &mut self.left, limits)? {
                    return proto(bytes);
                }
                continue;
            }
            if self.stream.fill_buf()?.is_empty() {
                return Ok(None);
            }
            self.left = match self.framing {
                Framing::BigEndian => {
                    let mut length = [0; 4];
                    self.stream.read_exact(&mut length).map_err(cut)?;
                    u64::from(u32::from_be_bytes(length))
                }
                _ => read_varint(&mut self.stream)?,
            };
            if self.left > 0 && self.stream.fill_buf()?.starts_with(ZSTD) {
                let packed = take(&mut self.stream, self.left, limits)?;
                self.left = 0;
                let mut bytes = Vec::new();
                let most = limits.row() as u64;
                zstd::stream::read::Decoder::new(packed.as_slice())?.take(most + 1).read_to_end(&mut bytes)?;
                if bytes.len() as u64 > most {
                    return Err(io::Error::other(limits.long_row()));
                }
                if bytes.starts_with(b"{") {
                    return json(bytes).map(Some);
                }
                self.unpacked = io::Cursor::new(bytes);
            }
        }
    }
}

/// The spans of a request that is JSON.
fn json(bytes: Vec<u8>) -> io::Result<Resource> {
    let text = String::from_utf8(bytes).map_err(|_| io::Error::other("a request that is not UTF-8"))?;
    match recognise(&text, false) {
        Found::Shape(shape) => Ok(Resource::Json(Box::new(shape.spans(text, Arc::default())))),
        Found::Row | Found::Nothing => Err(io::Error::other("not OTLP: a request without the spans of a resource")),
    }
}

/// Reads a field of a request: the bytes of a `ResourceSpans`, or nothing for another field.
fn resource(stream: &mut impl BufRead, left: &mut u64, limits: &Limits) -> io::Result<Option<Vec<u8>>> {
    let mut used = 0;
    let key = read_varint_counted(stream, &mut used)?;
    let length = match key & 7 {
        0 => {
            read_varint_counted(stream, &mut used)?;
            0
        }
        1 => 8,
        2 => read_varint_counted(stream, &mut used)?,
        5 => 4,
        _ => return Err(io::Error::other("not OTLP: a field of no known kind")),
    };
    let Some(rest) = left.checked_sub(used).and_then(|rest| rest.checked_sub(length)) else {
        return Err(io::Error::other("not OTLP: a field that is longer than its request"));
    };
    let bytes = take(stream, length, limits)?;
    if *left != u64::MAX {
        *left = rest;
    }
    Ok((key == u64::from(RESOURCE_SPANS)).then_some(bytes))
}

fn take(stream: &mut impl BufRead, length: u64, limits: &Limits) -> io::Result<Vec<u8>> {
    let most = limits.row() as u64;
    if length > most {
        return Err(io::Error::other(limits.long_row()));
    }
    let mut bytes = Vec::with_capacity((length as usize).min(TRUSTED));
    stream.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == length { Ok(bytes) } else { Err(cut(io::ErrorKind::UnexpectedEof.into())) }
}

fn cut(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => io::Error::other("the file ends inside a request"),
        _ => error,
    }
}

fn read_varint(stream: &mut impl BufRead) -> io::Result<u64> {
    read_varint_counted(stream, &mut 0)
}

fn read_varint_counted(stream: &mut impl BufRead, used: &mut u64) -> io::Result<u64> {
    let mut bytes = Vec::with_capacity(10);
    loop {
        let mut byte = [0];
        stream.read_exact(&mut byte).map_err(cut)?;
        *used += 1;
        bytes.extend(byte);
        if byte[0] & 0x80 == 0 || bytes.len() == 10 {
            let value = varint(&bytes).map(|(value, _)| value);
            return value.ok_or_else(|| io::Error::other("not OTLP: a number without an end"));
        }
    }
}
