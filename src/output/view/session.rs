//! A session as a conversation.

use std::io::Write;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampNanosecondArray,
};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimestampNanosecondType};

use super::super::color::{BOLD, CYAN, DIM, GREEN, RED};
use super::super::media::without_media;
use super::super::{Error, Fence};
use super::ViewOptions;
use super::cells::{column, float, int, text};
use super::line::Line;
use super::message_text::{Side, message_text};
use super::units::{cost, counted, duration, moment, tokens};
use super::wrap::{fold, fold_all};
use spanql_model::columns::timestamp_type;
use spanql_trace::{TEXT_CHARS, elapsed_ms, traces_schema};

/// Lines of what was said on one side of a turn.
const LINES: usize = 6;
/// Columns before what was said: indent, label, blank.
const LABEL: usize = 8;
const INDENT: usize = 2;

/// Writes one session: what there is to say about the whole, then its turns, each a trace, as they come.
///
/// A turn shows when it began, how long after all turns before it had ended that was, its name, what the user said and what
/// came back (the first lines of it, or all with [`ViewOptions::full`]), and latency, spans, tokens, cost, errors and trace
/// id. Of JSON the words are shown where they can be told: of messages the last one of the user, or the last one. No line is
/// wider than the terminal, and hidden characters are made visible, as in tables.
///
/// Each part fails if the destination does not take the text.
pub struct SessionView<W> {
    out: W,
    line: Line,
    options: ViewOptions,
    fence: Option<Fence>,
    /// Turns so far, and the end of the last-ending one.
    turns: usize,
    ended: Option<i64>,
}

impl<W: Write> SessionView<W> {
    /// Writes the facts; `session` holds the row of `sessions`. A missing column reads as null.
    pub fn new(mut out: W, session: &RecordBatch, options: ViewOptions) -> Result<Self, Error> {
        let fence = options.fence.then(Fence::new);
        if let Some(fence) = &fence {
            writeln!(out, "{}", fence.opening())?;
        }
        let mut line = Line::new(options.columns(), options.color);
        write_facts(&mut line, session, &options, &mut out)?;
        Ok(Self { out, line, options, fence, turns: 0, ended: None })
    }

    /// Writes turns: rows of `traces`, ordered by start time over all batches.
    ///
    /// A missing column reads as null, as does a value of another type that cannot be converted.
    pub fn write(&mut self, traces: &RecordBatch) -> Result<(), Error> {
        let columns = Columns::read(&without_media(traces)?)?;
        for turn in (0..columns.rows).map(|row| columns.turn(row)) {
            self.turns += 1;
            self.line.end(&mut self.out)?;
            write_turn(&mut self.line, self.turns, &turn, self.ended, &self.options, &mut self.out)?;
            self.ended = self.ended.max(turn.end);
        }
        Ok(())
    }

    /// Writes the end.
    pub fn finish(mut self) -> Result<(), Error> {
        if let Some(fence) = &self.fence {
            writeln!(self.out, "{}", fence.closing())?;
        }
        Ok(self.out.flush()?)
    }
}

impl<W> std::fmt::Debug for SessionView<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionView").field("turns", &self.turns).finish_non_exhaustive()
    }
}

/// The columns of one batch of traces.
struct Columns {
    rows: usize,
    trace_id: StringArray,
    name: StringArray,
    input: StringArray,
    output: StringArray,
    start: TimestampNanosecondArray,
    end: TimestampNanosecondArray,
    latency_ms: Float64Array,
    spans: Int64Array,
    errors: Int64Array,
    prompt: Int64Array,
    completion: Int64Array,
    total: Int64Array,
    cost: Float64Array,
}

/// One trace of the session.
struct Turn<'a> {
    trace_id: Option<&'a str>,
    name: Option<&'a str>,
    input: Option<&'a str>,
    output: Option<&'a str>,
    start: Option<i64>,
    end: Option<i64>,
    latency_ms: Option<f64>,
    spans: Option<i64>,
    errors: Option<i64>,
    prompt: Option<i64>,
    completion: Option<i64>,
    total: Option<i64>,
    cost: Option<f64>,
}

impl Columns {
    fn read(batch: &RecordBatch) -> Result<Self, Error> {
        let schema = traces_schema();
        let read =
            |name: &str| -> Result<ArrayRef, Error> { column(batch, name, schema.field_with_name(name)?.data_type()) };
        let texts = |name: &str| read(name).map(|column| column.as_string::<i32>().clone());
        let times = |name: &str| read(name).map(|column| column.as_primitive::<TimestampNanosecondType>().clone());
        let ints = |name: &str| read(name).map(|column| column.as_primitive::<Int64Type>().clone());
        let floats = |name: &str| read(name).map(|column| column.as_primitive::<Float64Type>().clone());
        Ok(Self {
            rows: batch.num_rows(),
            trace_id: texts("trace_id")?,
            name: texts("name")?,
            input: texts("input")?,
            output: texts("output")?,
            start: times("start_time")?,
            end: times("end_time")?,
            latency_ms: floats("latency_ms")?,
            spans: ints("span_count")?,
            errors: ints("error_count")?,
            prompt: ints("prompt_tokens")?,
            completion: ints("completion_tokens")?,
            total: ints("total_tokens")?,
            cost: floats("cost")?,
        })
    }

    fn turn(&self, row: usize) -> Turn<'_> {
        let time = |times: &TimestampNanosecondArray| times.is_valid(row).then(|| times.value(row));
        Turn {
            trace_id: text(&self.trace_id, row),
            name: text(&self.name, row),
            input: text(&self.input, row),
            output: text(&self.output, row),
            start: time(&self.start),
            end: time(&self.end),
            latency_ms: float(&self.latency_ms, row),
            spans: int(&self.spans, row),
            errors: int(&self.errors, row),
            prompt: int(&self.prompt, row),
            completion: int(&self.completion, row),
            total: int(&self.total, row),
            cost: float(&self.cost, row),
        }
    }
}

fn write_facts(
    line: &mut Line,
    session: &RecordBatch,
    options: &ViewOptions,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let row = 0..session.num_rows().min(1);
    let read = |name: &str, wanted: &DataType| column(&session.slice(0, row.len()), name, wanted);
    let texts = |name: &str| -> Result<Option<String>, Error> {
        let column = read(name, &DataType::Utf8)?;
        Ok(row.clone().find_map(|row| text(column.as_string(), row)).map(str::to_owned))
    };
    let ints = |name: &str| -> Result<Option<i64>, Error> {
        let column = read(name, &DataType::Int64)?;
        Ok(row.clone().find_map(|row| int(column.as_primitive(), row)))
    };
    let floats = |name: &str| -> Result<Option<f64>, Error> {
        let column = read(name, &DataType::Float64)?;
        Ok(row.clone().find_map(|row| float(column.as_primitive(), row)))
    };
    line.add("Session ", DIM);
    line.add(texts("session_id")?.as_deref().unwrap_or("(no id)"), BOLD);
    line.end(out)?;

    let start = read("start_time", &timestamp_type())?;
    let start = start.as_primitive::<TimestampNanosecondType>().iter().next().flatten();
    let counts = |number: Option<i64>, thing: &str| number.map(|number| counted(number, thing)).unwrap_or_default();
    let facts = [
        (texts("project")?.unwrap_or_default(), ""),
        (texts("user_id")?.map(|user| format!("user {user}")).unwrap_or_default(), ""),
        (start.map(|start| moment(start, options.zone.tz())).unwrap_or_default(), ""),
        (floats("duration_ms")?.map(|length| format!("{} long", duration(length))).unwrap_or_default(), ""),
    ];
    line.facts(&facts, INDENT, out)?;

    let usage = tokens(ints("prompt_tokens")?, ints("completion_tokens")?, ints("total_tokens")?);
    let models = read("models", traces_schema().field_with_name("models")?.data_type())?;
    let models = row.clone().find_map(|row| models.is_valid(row).then(|| models.as_list::<i32>().value(row)));
    let models = models.iter().flat_map(|models| models.as_string::<i32>().iter().flatten());
    let facts = [
        (counts(ints("trace_count")?, "turn"), BOLD),
        (counts(ints("span_count")?, "span"), ""),
        (usage.unwrap_or_default(), ""),
        (floats("cost")?.map(cost).unwrap_or_default(), ""),
        (counts(ints("error_count")?.filter(|errors| *errors > 0), "error"), RED),
        (models.collect::<Vec<_>>().join(", "), ""),
    ];
    Ok(line.facts(&facts, INDENT, out)?)
}

fn write_turn(
    line: &mut Line,
    number: usize,
    turn: &Turn<'_>,
    ended: Option<i64>,
    options: &ViewOptions,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let gap = ended.zip(turn.start).map(|(ended, start)| elapsed_ms(ended, start));
    let gap = gap.map(|gap| if gap < 0.0 { "overlapping".to_owned() } else { format!("after {}", duration(gap)) });
    let start = turn.start.map(|start| moment(start, options.zone.tz()));
    let number = format!("#{number}");
    line.add(&number, BOLD);
    let facts = [
        (start.unwrap_or_default(), ""),
        (gap.unwrap_or_default(), DIM),
        (turn.name.unwrap_or_default().to_owned(), BOLD),
    ];
    line.facts(&facts, number.len() + 2, out)?;

    write_words(line, "user", CYAN, turn.input, Side::Input, options, out)?;
    write_words(line, "reply", GREEN, turn.output, Side::Output, options, out)?;

    let errors = turn.errors.filter(|errors| *errors > 0);
    let facts = [
        (turn.latency_ms.map(duration).unwrap_or_default(), ""),
        (turn.spans.map(|spans| counted(spans, "span")).unwrap_or_default(), DIM),
        (tokens(turn.prompt, turn.completion, turn.total).unwrap_or_default(), DIM),
        (turn.cost.map(cost).unwrap_or_default(), DIM),
        (errors.map(|errors| counted(errors, "error")).unwrap_or_default(), RED),
        (turn.trace_id.map(|id| format!("trace {id}")).unwrap_or_default(), DIM),
    ];
    Ok(line.facts(&facts, LABEL.min(options.columns() / 4), out)?)
}

/// Writes what one side said, the first lines of it or all, with its label before the first.
fn write_words(
    line: &mut Line,
    label: &str,
    color: &str,
    text: Option<&str>,
    side: Side,
    options: &ViewOptions,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let begin = LABEL.min(options.columns() / 4);
    let words = message_text(text.unwrap_or_default(), side);
    let room = options.columns().saturating_sub(begin + 2).max(1);
    let mut label = Some(label);
    let mut write = |words: &str, tint: &str| -> Result<(), Error> {
        line.blank(INDENT.min(begin));
        line.put(label.take().unwrap_or_default(), begin.saturating_sub(INDENT + 1), color);
        line.advance(begin);
        line.add("│", color);
        line.blank(1);
        line.add(words, tint);
        Ok(line.end(out)?)
    };
    if words.trim().is_empty() {
        return write("(nothing)", DIM);
    }
    if options.full {
        return fold_all(&words, room, |words| write(words, ""));
    }
    let folded = fold(&words, room, LINES);
    folded.lines.iter().try_for_each(|words| write(words, ""))?;
    if folded.rest > 0 {
        // A summary ends after so many characters, whatever there was.
        let cut = text.is_some_and(|text| text.chars().count() >= TEXT_CHARS);
        let more = if cut { "+" } else { "" };
        write(&format!("… ({}{more} more characters)", folded.rest), DIM)?;
    }
    Ok(())
}
