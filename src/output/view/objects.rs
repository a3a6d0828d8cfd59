//! A trace and a session as nested JSON.

use std::io::Write;

use arrow::array::{ArrayRef, RecordBatch};

use super::super::Error;
use super::super::buffer::Buffer;
use super::super::encode::{Encoder, Style};
use super::super::json_text::push_string;
use super::branches::depths;
use super::focus::{Focus, Item, More};
use super::spans::{Columns, Span};
use spanql_model::columns;

/// Members of the summary of a trace that are its root's, which is among the spans.
const OF_ROOT: [&str; 2] = ["input", "output"];
/// Members of the summary of a session that are those of its turns.
const OF_TURNS: [&str; 2] = ["first_input", "last_output"];

/// Members of a span that are short columns, before and after the latency.
const FIRST: [(&str, &str); 6] = [
    ("span_id", columns::SPAN_ID),
    ("parent_id", columns::PARENT_ID),
    ("name", columns::NAME),
    ("kind", columns::KIND),
    ("start_time", columns::START_TIME),
    ("end_time", columns::END_TIME),
];
const SECOND: [(&str, &str); 7] = [
    ("self_ms", "tree.self_ms"),
    ("status_code", columns::STATUS_CODE),
    ("model", columns::MODEL),
    ("prompt_tokens", columns::PROMPT_TOKENS),
    ("completion_tokens", columns::COMPLETION_TOKENS),
    ("total_tokens", columns::TOTAL_TOKENS),
    ("cost", columns::COST),
];

/// Writes one trace as a JSON object: the figures of its row in `traces`, and `spans`, each with its `children`.
///
/// Reads `batches` as [`write_trace`](super::write_trace) does. Numbers that JSON has no form for are null, times are in UTC.
/// A span has the level `depth` that it hangs at, from 1, and the flags `orphan`, `cycle`, `critical` and `wrapper`.
/// Where a `focus` leaves spans out, the trace and each span say how many of those below them are `hidden`, and how many of these failed, in
/// `hidden_errors`.
///
/// Takes time in proportion to the spans, after sorting them, and never recurses; what is written nests as deep as the
/// trace. Without rows nothing is written. Fails if the destination does not take the text, or if a column does not fit
/// into one array.
pub fn write_trace_json(out: &mut dyn Write, batches: &[RecordBatch], focus: Focus) -> Result<(), Error> {
    if batches.iter().all(|batch| batch.num_rows() == 0) {
        return Ok(());
    }
    let columns = Columns::read(batches, false)?;
    let (spans, left_out) = focus.looked_at(columns.spans(), &columns.tree_input())?;
    let members = SpanMembers::new(columns.short())?;
    let mut out = Buffer::new(out);
    out.bytes.push(b'{');
    Members::of(&columns.summary()?, &OF_ROOT)?.push(0, &mut out.bytes);
    out.bytes.extend_from_slice(b",\"spans\":[");

    let mut open = Open { is_narrow: focus.is_narrow(), levels: vec![Level::default()] };
    for entry in focus.entries(&spans, &depths(&spans), left_out) {
        let depth = entry.depth as usize;
        open.close(depth + 1, &mut out.bytes);
        let Some(above) = open.levels.last_mut() else { continue };
        match entry.item {
            Item::More(more) => above.hidden = more,
            Item::Span(place) => {
                let line: &[u8] = if above.has_children { b",\n" } else { b"\n" };
                out.bytes.extend_from_slice(line);
                above.has_children = true;
                members.push(&spans[place], depth + 1, &mut out.bytes);
                open.levels.push(Level::default());
            }
        }
        out.row_done()?;
    }
    open.close(0, &mut out.bytes);
    out.bytes.push(b'\n');
    Ok(out.finish()?)
}

/// The lists of children that are not at their end.
struct Open {
    is_narrow: bool,
    /// The first is that of the trace.
    levels: Vec<Level>,
}

#[derive(Default)]
struct Level {
    has_children: bool,
    hidden: More,
}

impl Open {
    /// Ends lists, and the objects that they are in, until only so many are open.
    fn close(&mut self, levels: usize, out: &mut Vec<u8>) {
        while self.levels.len() > levels
            && let Some(level) = self.levels.pop()
        {
            out.push(b']');
            if self.is_narrow {
                let More { spans, errors, .. } = level.hidden;
                out.extend_from_slice(format!(",\"hidden\":{spans},\"hidden_errors\":{errors}").as_bytes());
            }
            out.push(b'}');
        }
    }
}

/// Columns as members of objects.
struct Members<'a>(Vec<(Vec<u8>, Encoder<'a>)>);

impl<'a> Members<'a> {
    fn new<'b>(members: impl IntoIterator<Item = (&'b str, &'a ArrayRef)>) -> Result<Self, Error> {
        let mut all = Vec::new();
        for (name, column) in members {
            let mut key = Vec::new();
            push_string(name, &mut key);
            key.push(b':');
            all.push((key, Encoder::new(column.as_ref(), Style::Json)?));
        }
        Ok(Self(all))
    }

    /// All columns of a batch, but for some.
    fn of(batch: &'a RecordBatch, but: &[&str]) -> Result<Self, Error> {
        let names = batch.schema_ref().fields().iter().map(|field| field.name().as_str());
        Self::new(names.zip(batch.columns()).filter(|(name, _)| !but.contains(name)))
    }

    /// Appends the members of a row, with commas between them.
    fn push(&self, row: usize, out: &mut Vec<u8>) {
        for (at, (key, value)) in self.0.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            out.extend_from_slice(key);
            value.value_or_null(row, out);
        }
    }
}

/// What spans are written from.
struct SpanMembers<'a> {
    first: Members<'a>,
    second: Members<'a>,
}

impl<'a> SpanMembers<'a> {
    fn new(short: &'a RecordBatch) -> Result<Self, Error> {
        let members =
            |members: &[(&'static str, &str)]| Members::new(members.iter().map(|(key, name)| (*key, &short[*name])));
        Ok(Self { first: members(&FIRST)?, second: members(&SECOND)? })
    }

    /// Appends the object of a span up to the beginning of its children.
    fn push(&self, span: &Span<'_>, depth: usize, out: &mut Vec<u8>) {
        out.push(b'{');
        self.first.push(span.row, out);
        // A number that is not finite becomes null.
        let latency = serde_json::Value::from(span.latency_ms);
        out.extend_from_slice(format!(",\"latency_ms\":{latency},").as_bytes());
        self.second.push(span.row, out);
        for (key, text) in [("status_message", span.message), ("input", span.input), ("output", span.output)] {
            out.extend_from_slice(format!(",\"{key}\":").as_bytes());
            match text {
                Some(text) => push_string(text, out),
                None => out.extend_from_slice(b"null"),
            }
        }
        let Span { is_orphan, is_on_cycle, is_critical, is_wrapper, .. } = span;
        let flags = format!(
            "\"orphan\":{is_orphan},\"cycle\":{is_on_cycle},\"critical\":{is_critical},\"wrapper\":{is_wrapper}"
        );
        out.extend_from_slice(format!(",\"depth\":{depth},{flags},\"children\":[").as_bytes());
    }
}

/// Writes one session as a JSON object: the figures of its row in `sessions`, and `turns`, one object for each trace.
///
/// To be used as [`SessionView`](super::SessionView). A turn has all columns of its trace, in their order.
pub struct SessionJson<W> {
    out: Buffer<W>,
    is_empty: bool,
}

impl<W: Write> SessionJson<W> {
    /// Writes the figures: the first row of `session`, which has the columns of `sessions`.
    pub fn new(out: W, session: &RecordBatch) -> Result<Self, Error> {
        let mut out = Buffer::new(out);
        out.bytes.push(b'{');
        Members::of(session, &OF_TURNS)?.push(0, &mut out.bytes);
        out.bytes.extend_from_slice(b",\"turns\":[");
        Ok(Self { out, is_empty: true })
    }

    /// Writes turns, in the order in which they come.
    pub fn write(&mut self, traces: &RecordBatch) -> Result<(), Error> {
        let members = Members::of(traces, &[])?;
        for row in 0..traces.num_rows() {
            let line: &[u8] = if self.is_empty { b"\n{" } else { b",\n{" };
            self.is_empty = false;
            self.out.bytes.extend_from_slice(line);
            members.push(row, &mut self.out.bytes);
            self.out.bytes.push(b'}');
            self.out.row_done()?;
        }
        Ok(())
    }

    /// Writes the end.
    pub fn finish(mut self) -> Result<(), Error> {
        self.out.bytes.extend_from_slice(b"]}\n");
        Ok(self.out.finish()?)
    }
}

impl<W> std::fmt::Debug for SessionJson<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionJson").field("is_empty", &self.is_empty).finish_non_exhaustive()
    }
}
