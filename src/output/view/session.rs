//! A session as a conversation.

use std::io::Write;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampNanosecondArray,
};
use arrow::datatypes::{Float64Type, Int64Type, TimestampNanosecondType};

use super::super::color::{BOLD, CYAN, DIM, GREEN, RED};
use super::super::{Error, Fence};
use super::ViewOptions;
use super::cells::{column, float, int, text};
use super::line::Line;
use super::said::{Side, said};
use super::units::{cost, counted, duration, moment, tokens};
use super::wrap::fold;
use crate::trace::{TEXT_CHARS, elapsed_ms, traces_schema};

/// Lines of what was said on one side of a turn.
const LINES: usize = 6;
/// Columns before what was said: indent, label, blank.
const LABEL: usize = 8;
const INDENT: usize = 2;

/// Writes one session: what there is to say about the whole, then its turns, each a trace.
///
/// `traces` are the session's rows of the table `traces`, ordered by start time; a missing column reads as null, as does a
/// value of another type that cannot be converted. A turn shows when it began, how long after the end of the turn before
/// it that was, the first lines of what the user said and of what came back, and latency, spans, tokens, cost, errors and
/// trace id. Of JSON the words are shown where they can be told: of messages the last one of the user, or the last one.
/// No line is wider than the terminal, and hidden characters are made visible, as in tables.
///
/// Without rows nothing is written. Fails if the destination does not take the text.
pub fn write_session(
    out: &mut dyn Write,
    session_id: &str,
    traces: &[RecordBatch],
    options: &ViewOptions,
) -> Result<(), Error> {
    let columns = traces.iter().map(Columns::read).collect::<Result<Vec<_>, _>>()?;
    let turns: Vec<Turn<'_>> =
        columns.iter().flat_map(|columns| (0..columns.rows).map(|row| columns.turn(row))).collect();
    if turns.is_empty() {
        return Ok(());
    }
    let fence = options.fence.then(Fence::new);
    if let Some(fence) = &fence {
        writeln!(out, "{}", fence.opening())?;
    }
    let mut line = Line::new(options.columns(), options.color);
    write_facts(&mut line, session_id, &turns, options, out)?;
    let mut before = None;
    for (at, turn) in turns.iter().enumerate() {
        line.end(out)?;
        write_turn(&mut line, at + 1, turn, before, options, out)?;
        before = before.max(turn.end);
    }
    if let Some(fence) = &fence {
        writeln!(out, "{}", fence.closing())?;
    }
    Ok(())
}

/// The columns of one batch of traces.
struct Columns {
    rows: usize,
    project: StringArray,
    trace_id: StringArray,
    user: StringArray,
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
    project: Option<&'a str>,
    trace_id: Option<&'a str>,
    user: Option<&'a str>,
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
            project: texts("project")?,
            trace_id: texts("trace_id")?,
            user: texts("user_id")?,
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
            project: text(&self.project, row),
            trace_id: text(&self.trace_id, row),
            user: text(&self.user, row),
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
    session_id: &str,
    turns: &[Turn<'_>],
    options: &ViewOptions,
    out: &mut dyn Write,
) -> Result<(), Error> {
    line.add("Session ", DIM);
    line.add(session_id, BOLD);
    line.end(out)?;

    let start = turns.iter().filter_map(|turn| turn.start).min();
    let end = turns.iter().filter_map(|turn| turn.end).max();
    let length = start.zip(end).map(|(start, end)| duration(elapsed_ms(start, end)));
    let project = turns.iter().find_map(|turn| turn.project);
    let user = turns.iter().find_map(|turn| turn.user);
    let facts = [
        (project.unwrap_or_default().to_owned(), ""),
        (user.map(|user| format!("user {user}")).unwrap_or_default(), ""),
        (start.map(|start| moment(start, options.zone.tz())).unwrap_or_default(), ""),
        (length.map(|length| format!("{length} long")).unwrap_or_default(), ""),
    ];
    line.facts(&facts, INDENT, out)?;

    let sum = |value: &dyn Fn(&Turn<'_>) -> Option<i64>| turns.iter().filter_map(value).reduce(i64::saturating_add);
    let errors = sum(&|turn| turn.errors).filter(|errors| *errors > 0);
    let usage = tokens(sum(&|turn| turn.prompt), sum(&|turn| turn.completion), sum(&|turn| turn.total));
    let spent = turns.iter().filter_map(|turn| turn.cost).reduce(|a, b| a + b);
    let facts = [
        (counted(turns.len() as i64, "turn"), BOLD),
        (sum(&|turn| turn.spans).map(|spans| counted(spans, "span")).unwrap_or_default(), ""),
        (usage.unwrap_or_default(), ""),
        (spent.map(cost).unwrap_or_default(), ""),
        (errors.map(|errors| counted(errors, "error")).unwrap_or_default(), RED),
    ];
    Ok(line.facts(&facts, INDENT, out)?)
}

fn write_turn(
    line: &mut Line,
    number: usize,
    turn: &Turn<'_>,
    before: Option<i64>,
    options: &ViewOptions,
    out: &mut dyn Write,
) -> Result<(), Error> {
    line.add(&format!("#{number}"), BOLD);
    if let Some(start) = turn.start {
        line.blank(2);
        line.add(&moment(start, options.zone.tz()), "");
    }
    if let Some((before, start)) = before.zip(turn.start) {
        let gap = elapsed_ms(before, start);
        line.blank(2);
        line.add(
            &if gap < 0.0 {
                format!("{} before the last one ended", duration(-gap))
            } else {
                format!("{} later", duration(gap))
            },
            DIM,
        );
    }
    line.end(out)?;

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

/// Writes the first lines of what one side said, with its label before the first.
fn write_words(
    line: &mut Line,
    label: &str,
    color: &str,
    text: Option<&str>,
    side: Side,
    options: &ViewOptions,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let columns = options.columns();
    let begin = LABEL.min(columns / 4);
    let words = said(text.unwrap_or_default(), side);
    let room = columns.saturating_sub(begin + 2).max(1);
    let mut folded = fold(&words, room, LINES);
    if folded.rest > 0 {
        // A summary ends after so many characters, whatever there was.
        let cut = text.is_some_and(|text| text.chars().count() >= TEXT_CHARS);
        let more = if cut { "+" } else { "" };
        folded.lines.push(format!("… ({}{more} more characters)", folded.rest));
    }
    let note = folded.lines.len() - usize::from(folded.rest > 0);
    if folded.lines.is_empty() {
        folded.lines.push("(nothing)".to_owned());
    }
    for (at, words) in folded.lines.iter().enumerate() {
        if at == 0 {
            line.blank(INDENT.min(begin));
            line.put(label, begin.saturating_sub(INDENT + 1), color);
        }
        line.advance(begin);
        line.add("│", color);
        line.blank(1);
        line.add(words, if at >= note { DIM } else { "" });
        line.end(out)?;
    }
    Ok(())
}
