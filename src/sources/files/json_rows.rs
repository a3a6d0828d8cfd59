//! The rows of a text of JSON: lines, lists, values one after the other; rows as they are, and shapes with spans in them.

use std::io::{self, BufRead};
use std::sync::Arc;

use spanql_model::ingest::{IngestBuilder, RowError};
use spanql_model::json::{MAX_DEPTH, Scanner};

use super::items::{Broken, Item};
use super::limits::Limits;
use super::lines::{Line, read_line, skip_line};
use super::shapes::described::described;
use super::shapes::parts::ends_at;
use super::shapes::row::Row;
use super::shapes::spans::{Around, Next, Spans};
use super::shapes::table::{Found, LOOKED_FOR, recognise, trace_before};
use super::step::{Failed, Step};
use super::stream::Stream;
use super::threads::Threads;
use super::values::Values;

/// Room for a row that is kept for the next.
const KEPT: usize = 16 << 20;

/// A text of JSON on its way into a builder.
pub(super) struct JsonRows {
    stream: Stream,
    cutter: Cutter,
    buffer: Vec<u8>,
    row: Row,
    /// The item whose spans are being handed out, and its line.
    item: Option<(u64, Spans)>,
    /// Whether anything has been found that is, or holds, spans.
    found: bool,
    /// What is known of threads from a file beside this one.
    threads: Threads,
    /// What the trace before says of the spans behind it, where these do not.
    before: Arc<Around>,
    /// An error that waits until the spans before it are handed out.
    failed: Option<Failed>,
}

/// What comes next of the text.
enum Read {
    /// An item, whose text is in the buffer.
    Item(Item),
    Blank,
    End,
}

enum Cutter {
    Lines { line: u64, too_long: bool },
    Values(Values),
}

/// A text of JSON, by how it is read.
pub(super) enum Text {
    /// One value a line: the lines may be read apart from each other.
    Lines(Stream),
    /// Values that have several lines.
    Values(Box<JsonRows>),
}

impl Text {
    /// A text that begins with an object, or with nothing that JSON knows.
    pub(super) fn new(mut stream: Stream, threads: &Threads) -> io::Result<Self> {
        let one_a_line = is_one_a_line(stream.fill_buf()?);
        Ok(if one_a_line {
            Self::Lines(stream)
        } else {
            Self::Values(Box::new(JsonRows::values(stream, threads.clone())))
        })
    }
}

impl JsonRows {
    /// Rows of a text of lines, or of some of them, behind so many others.
    pub(super) fn lines(stream: Stream, before: u64, threads: Threads) -> Self {
        let cutter = Cutter::Lines { line: before, too_long: false };
        Self { found: before > 0, ..Self::new(stream, cutter, threads) }
    }

    /// Rows of a text of values, be they elements of a list or one behind the other.
    pub(super) fn values(stream: Stream, threads: Threads) -> Self {
        Self::new(stream, Cutter::Values(Values::new()), threads)
    }

    fn new(stream: Stream, cutter: Cutter, threads: Threads) -> Self {
        let (buffer, row) = (Vec::new(), Row::default());
        Self { stream, cutter, buffer, row, item: None, found: false, threads, before: Arc::default(), failed: None }
    }

    /// Reads one row into `builder`. The error, with its line, is one that ends the file.
    pub(super) fn step(&mut self, builder: &mut IngestBuilder, limits: &Limits) -> Result<Step, Failed> {
        if let Some((line, spans)) = &mut self.item {
            let line = *line;
            let pushed = match spans.next(&mut self.row) {
                Next::Row => builder.push_json(self.row.close()).map_err(|error| error.to_string()),
                Next::Bad(reason) => Err(reason),
                Next::End => {
                    self.end_item();
                    return Ok(Step::Blank);
                }
            };
            let number = spans.count();
            return Ok(match pushed {
                Ok(()) => Step::Row(line),
                Err(reason) if spans.is_one() => Step::Bad { line, reason },
                Err(reason) => Step::Bad { line, reason: format!("span {number} in it: {reason}") },
            });
        }
        if let Some(failed) = self.failed.take() {
            return Err(failed);
        }
        match self.next_item(limits) {
            Ok(Read::Item(Item::Whole(line))) => self.push(builder, line),
            Ok(Read::Item(Item::TooLong(line))) => Ok(Step::Bad { line, reason: limits.long_row() }),
            Ok(Read::Blank) => Ok(Step::Blank),
            Ok(Read::End) => Ok(Step::End),
            Err(failed) => self.push_cut(failed),
        }
    }

    fn end_item(&mut self) {
        if let Some((_, spans)) = self.item.take() {
            self.buffer = spans.into_text().into_bytes();
            self.give_room();
        }
    }

    fn give_room(&mut self) {
        if self.buffer.capacity() > KEPT {
            self.buffer = Vec::new();
        }
    }

    /// Reads the next item into the buffer.
    fn next_item(&mut self, limits: &Limits) -> Result<Read, Failed> {
        match &mut self.cutter {
            Cutter::Lines { line, too_long } => {
                if std::mem::take(too_long) {
                    skip_line(&mut self.stream).map_err(|error| Failed::at(*line, error))?;
                }
                *line += 1;
                let read = read_line(&mut self.stream, &mut self.buffer, limits.row());
                Ok(match read.map_err(|error| Failed::at(*line, error))? {
                    Line::End => Read::End,
                    Line::TooLong => {
                        *too_long = true;
                        Read::Item(Item::TooLong(*line))
                    }
                    Line::Whole if self.buffer.trim_ascii().is_empty() => Read::Blank,
                    Line::Whole => Read::Item(Item::Whole(*line)),
                })
            }
            Cutter::Values(values) => {
                let item = match values.next(&mut self.stream, &mut self.buffer, limits.row()) {
                    Ok(item) => item.map_or(Read::End, Read::Item),
                    Err(Broken::Io(error)) => return Err(Failed::at(values.line(), error)),
                    Err(Broken::Text(reason)) => return Err(Failed::at(values.line(), reason)),
                };
                // The lines behind the first are read as such: one that is broken does not spoil the next.
                if values.is_one_a_line() && ends_line(self.stream.fill_buf()) {
                    self.cutter = Cutter::Lines { line: values.line() - 1, too_long: false };
                }
                Ok(item)
            }
        }
    }

    /// Adds what is in the buffer: a row, or the first of the spans of an item.
    fn push(&mut self, builder: &mut IngestBuilder, line: u64) -> Result<Step, Failed> {
        let bad = |error: RowError| Step::Bad { line, reason: error.to_string() };
        let text = match simdutf8::compat::from_utf8(&self.buffer) {
            Ok(text) => text,
            Err(error) => {
                let reason = format!("not UTF-8 (byte {})", error.valid_up_to() + 1);
                self.give_room();
                return Ok(Step::Bad { line, reason });
            }
        };
        match recognise(text, false) {
            Found::Row => {
                let pushed = builder.push_json(text);
                self.found = true;
                self.give_room();
                Ok(pushed.map_or_else(bad, |()| Step::Row(line)))
            }
            Found::Shape(shape) => {
                if shape.follows_trace()
                    && let Some(said) = trace_before(text)
                {
                    self.before = Arc::new(Around::of_threads(said.into_iter().collect()));
                }
                let around = match shape {
                    shape if shape.lacks_thread() => self.threads.read(),
                    shape if shape.follows_trace() => Ok(Arc::clone(&self.before)),
                    _ => Ok(Arc::default()),
                };
                let around = around.map_err(|reason| Failed::at(line, reason))?;
                self.found = true;
                if let Ok(text) = String::from_utf8(std::mem::take(&mut self.buffer)) {
                    self.item = Some((line, shape.spans(text, around)));
                }
                Ok(Step::Blank)
            }
            Found::Nothing if self.found => {
                let reason = format!("not a span: {}", described(text));
                self.give_room();
                Ok(Step::Bad { line, reason })
            }
            Found::Nothing => {
                self.found = true;
                let reason = format!("no spans found: looked for {LOOKED_FOR}; here is {}", described(text));
                self.give_room();
                Ok(Step::NoSpans { line, reason })
            }
        }
    }

    /// Hands out the spans that are whole of an item that is not, before the error that cut it off.
    fn push_cut(&mut self, failed: Failed) -> Result<Step, Failed> {
        let mut bytes = std::mem::take(&mut self.buffer);
        // It may have been cut inside of a character.
        let length = simdutf8::compat::from_utf8(&bytes).map_or_else(|error| error.valid_up_to(), str::len);
        bytes.truncate(length);
        let Ok(text) = String::from_utf8(bytes) else { return Err(failed) };
        let Found::Shape(shape) = recognise(text.trim_start(), true) else { return Err(failed) };
        self.item = Some((failed.line, shape.spans(text.trim_start().to_owned(), Arc::default())));
        self.failed = Some(failed);
        Ok(Step::Blank)
    }
}

fn ends_line(rest: io::Result<&[u8]>) -> bool {
    rest.is_ok_and(|rest| rest.starts_with(b"\n") || rest.starts_with(b"\r\n"))
}

/// Whether a text has one value a line, as far as its beginning tells; what is no JSON is read line by line, too.
fn is_one_a_line(head: &[u8]) -> bool {
    let valid = simdutf8::compat::from_utf8(head).map_or_else(|error| error.valid_up_to(), str::len);
    let Ok(text) = std::str::from_utf8(head.get(..valid).unwrap_or_default()) else { return true };
    let mut scanner = Scanner::new(text);
    scanner.blanks();
    if scanner.byte() != Some(b'{') {
        return true;
    }
    let start = scanner.position();
    let read = scanner.value(MAX_DEPTH).is_ok();
    let seen = scanner.since(start);
    let rest = text.get(scanner.position()..).unwrap_or("");
    match (read, scanner.byte().filter(|_| !ends_at(text, scanner.position()))) {
        (true, _) => !seen.contains('\n') && !rest.trim_start_matches([' ', '\t', '\r']).starts_with('{'),
        // The text ends inside the value: it is a long line, or the value has several.
        (false, None) => false,
        // A line that is broken, before another one.
        (false, Some(b'{')) if seen.ends_with('\n') => true,
        (false, Some(_)) => !seen.contains('\n'),
    }
}
