//! The spans of one trace in tree order, read from batches.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampNanosecondArray, UInt64Array,
};
use arrow::compute::{concat, take};
use arrow::datatypes::{DataType, Field, Float64Type, Int32Type, Int64Type, Schema, TimestampNanosecondType};
use arrow::error::ArrowError;

use super::super::Error;
use super::cells::{any_text, column, converted, float, int, text};
use spanql_model::columns::{self, TREE};
use spanql_trace::{CallInput, Calls, TraceError, TreeInput};

/// The columns that a tree is drawn from, besides `tree.*`: none of them is long.
const SHORT: [&str; 18] = [
    columns::PROJECT,
    columns::SOURCE,
    columns::TRACE_ID,
    columns::SPAN_ID,
    columns::PARENT_ID,
    columns::NAME,
    columns::KIND,
    columns::START_TIME,
    columns::END_TIME,
    columns::LATENCY_MS,
    columns::STATUS_CODE,
    columns::MODEL,
    columns::PROMPT_TOKENS,
    columns::COMPLETION_TOKENS,
    columns::TOTAL_TOKENS,
    columns::COST,
    columns::SESSION_ID,
    columns::USER_ID,
];

/// Where a failed span may say what went wrong.
const FAILURE: [&str; 7] = [
    columns::STATUS_MESSAGE,
    "attributes.exception.type",
    "attributes.exception.message",
    "attributes.http.response.status_code",
    "attributes.http.status_code",
    "attributes.url.full",
    "attributes.http.url",
];
/// Characters of a failure that are kept where it has one line: more than any terminal shows.
const FAILURE_CHARS: usize = 1_000;

/// The columns that [`write_trace`](super::write_trace) and [`write_trace_json`](super::write_trace_json) read of a trace,
/// by their raw names; with inputs and outputs where they are asked for.
pub fn trace_columns(with_texts: bool) -> Vec<&'static str> {
    let texts: &[&str] = if with_texts { &[columns::INPUT, columns::OUTPUT] } else { &[] };
    let tree = TREE.iter().map(|column| column.name);
    SHORT.into_iter().chain(FAILURE).chain(texts.iter().copied()).chain(tree).collect()
}

/// What is shown of a span.
#[derive(Debug)]
pub(super) struct Span<'a> {
    /// Place among the short columns.
    pub(super) row: usize,
    pub(super) left: i32,
    pub(super) right: i32,
    pub(super) name: Option<&'a str>,
    pub(super) kind: Option<&'a str>,
    pub(super) model: Option<&'a str>,
    pub(super) start: Option<i64>,
    pub(super) end: Option<i64>,
    pub(super) latency_ms: Option<f64>,
    pub(super) prompt: Option<i64>,
    pub(super) completion: Option<i64>,
    pub(super) total: Option<i64>,
    pub(super) cost: Option<f64>,
    pub(super) is_error: bool,
    /// What a failed span says about it.
    pub(super) failure: Option<&'a str>,
    pub(super) message: Option<&'a str>,
    pub(super) input: Option<&'a str>,
    pub(super) output: Option<&'a str>,
    pub(super) is_critical: bool,
    pub(super) is_orphan: bool,
    pub(super) is_on_cycle: bool,
    /// Whether it is only recorded around a call.
    pub(super) is_wrapper: bool,
}

/// The columns of a trace, and what its failed spans say.
#[derive(Debug)]
pub(super) struct Columns {
    /// The short ones.
    batch: RecordBatch,
    /// The others, which may be too long for one array each.
    texts: Vec<Texts>,
    /// By row.
    failures: HashMap<usize, String>,
}

/// The long columns of some rows.
#[derive(Debug)]
struct Texts {
    /// The row after the last one.
    end: usize,
    message: StringArray,
    input: StringArray,
    output: StringArray,
}

impl Columns {
    /// Reads the rows of one trace. What failed spans say is read `whole`, or only the beginning of it.
    ///
    /// Where the `tree.*` columns are not all there, they are computed from ids, times, and what calls were given.
    pub(super) fn read(batches: &[RecordBatch], whole: bool) -> Result<Self, Error> {
        let (mut fields, mut arrays) = (Vec::new(), Vec::<ArrayRef>::new());
        let short = columns::CANONICAL.iter().filter(|column| SHORT.contains(&column.name));
        for wanted in short.chain(TREE.iter()) {
            let parts: Vec<_> =
                batches.iter().map(|batch| column(batch, wanted.name, &wanted.data_type)).collect::<Result<_, _>>()?;
            let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
            arrays.push(concat(&parts)?);
            fields.push(Field::new(wanted.name, wanted.data_type.clone(), true));
        }
        let schema = Arc::new(Schema::new(fields));
        let mut batch = RecordBatch::try_new(schema.clone(), arrays.clone())?;
        let has_tree = |batch: &RecordBatch| TREE.iter().all(|column| batch.column_by_name(column.name).is_some());
        let holes = |name| batch.column_by_name(name).is_none_or(|column| column.null_count() > 0);
        if !batches.iter().all(has_tree) || holes("tree.left") || holes("tree.right") {
            let tree = computed_tree(&batch, batches)?;
            let first = arrays.len() - tree.len();
            arrays.splice(first.., tree);
            batch = RecordBatch::try_new(schema, arrays)?;
        }
        let mut texts = Vec::with_capacity(batches.len());
        let mut end = 0;
        for batch in batches {
            end += batch.num_rows();
            let read = |name| column(batch, name, &DataType::Utf8).map(|column| column.as_string::<i32>().clone());
            let [message, input, output] = [columns::STATUS_MESSAGE, columns::INPUT, columns::OUTPUT].map(read);
            texts.push(Texts { end, message: message?, input: input?, output: output? });
        }
        let failures = failures(batches, if whole { usize::MAX } else { FAILURE_CHARS })?;
        Ok(Self { batch, texts, failures })
    }

    /// The short columns: canonical ones and those of the tree, without holes in their nested-set numbers.
    pub(super) fn short(&self) -> &RecordBatch {
        &self.batch
    }

    /// The trace's row of the table `traces`.
    pub(super) fn summary(&self) -> Result<RecordBatch, Error> {
        let rows = 0..self.batch.num_rows();
        Ok(spanql_trace::summarize(&self.batch, std::slice::from_ref(&rows))?.rows)
    }

    /// What makes the tree of the spans, by their rows.
    pub(super) fn tree_input(&self) -> TreeInput<'_> {
        tree_input(&self.batch)
    }

    /// The spans in tree order.
    pub(super) fn spans(&self) -> Vec<Span<'_>> {
        let batch = &self.batch;
        let (name, kind) = (texts(batch, columns::NAME), texts(batch, columns::KIND));
        let (model, status) = (texts(batch, columns::MODEL), texts(batch, columns::STATUS_CODE));
        let (start, end) = (times(batch, columns::START_TIME), times(batch, columns::END_TIME));
        let (latency, cost) = (floats(batch, columns::LATENCY_MS), floats(batch, columns::COST));
        let prompt = ints(batch, columns::PROMPT_TOKENS);
        let completion = ints(batch, columns::COMPLETION_TOKENS);
        let total = ints(batch, columns::TOTAL_TOKENS);
        let (left, right) = (numbers(batch, "tree.left"), numbers(batch, "tree.right"));
        let flag = |name| {
            let flags: &BooleanArray = batch[name].as_boolean();
            move |row: usize| flags.is_valid(row) && flags.value(row)
        };
        let (critical, orphan, cycle) = (flag("tree.critical"), flag("tree.orphan"), flag("tree.cycle"));
        let wrapper = flag("tree.wrapper");
        let time = |times: &TimestampNanosecondArray, row: usize| times.is_valid(row).then(|| times.value(row));

        let mut order: Vec<usize> = (0..batch.num_rows()).collect();
        order.sort_by_key(|&row| left.value(row));
        let span = |row: usize| {
            let (start, end) = (time(start, row), time(end, row));
            let elapsed = || Some(spanql_trace::elapsed_ms(start?, end?));
            let (texts, place) = self.texts(row);
            Span {
                row,
                left: left.value(row),
                right: right.value(row),
                name: text(name, row),
                kind: text(kind, row),
                model: text(model, row),
                start,
                end,
                latency_ms: float(latency, row).or_else(elapsed),
                prompt: int(prompt, row),
                completion: int(completion, row),
                total: int(total, row),
                cost: float(cost, row),
                is_error: text(status, row) == Some("ERROR"),
                failure: self.failures.get(&row).map(String::as_str),
                message: any_text(&texts.message, place),
                input: any_text(&texts.input, place),
                output: any_text(&texts.output, place),
                is_critical: critical(row),
                is_orphan: orphan(row),
                is_on_cycle: cycle(row),
                is_wrapper: wrapper(row),
            }
        };
        order.into_iter().map(span).collect()
    }

    /// The long columns that a row is in, and its place in them.
    fn texts(&self, row: usize) -> (&Texts, usize) {
        let at = self.texts.partition_point(|texts| texts.end <= row);
        let before = at.checked_sub(1).map_or(0, |before| self.texts[before].end);
        (&self.texts[at], row - before)
    }
}

/// The columns of the tree, computed from the short columns and, for calls that are recorded twice, the long ones.
fn computed_tree(short: &RecordBatch, batches: &[RecordBatch]) -> Result<Vec<ArrayRef>, Error> {
    let named = |batch: &RecordBatch| column(batch, columns::TOOL_NAME, &DataType::Utf8);
    let tool_name = batches.iter().map(named).collect::<Result<Vec<_>, _>>()?;
    let tool_name = concat(&tool_name.iter().map(AsRef::as_ref).collect::<Vec<&dyn Array>>())?;
    let input = |row: usize| {
        let mut place = row;
        for batch in batches {
            if place < batch.num_rows() {
                let one = batch.slice(place, 1);
                for name in [columns::INPUT, columns::INPUT_MESSAGES] {
                    let given = column(&one, name, &DataType::Utf8).map_err(external)?;
                    if let Some(given) = text(given.as_string(), 0) {
                        return Ok(CallInput::of(given));
                    }
                }
                return Ok(None);
            }
            place -= batch.num_rows();
        }
        Ok(None)
    };
    let calls = Calls {
        kind: texts(short, columns::KIND),
        tool_name: tool_name.as_string(),
        usage: [columns::PROMPT_TOKENS, columns::COMPLETION_TOKENS, columns::TOTAL_TOKENS]
            .map(|name| ints(short, name)),
        cost: floats(short, columns::COST),
        input: &input,
    };
    Ok(spanql_trace::tree_columns(&tree_input(short), Some(&calls), std::slice::from_ref(&(0..short.num_rows())))?)
}

fn tree_input(short: &RecordBatch) -> TreeInput<'_> {
    TreeInput {
        span_id: texts(short, columns::SPAN_ID),
        parent_id: texts(short, columns::PARENT_ID),
        start_time: times(short, columns::START_TIME),
        end_time: times(short, columns::END_TIME),
    }
}

fn external(error: Error) -> TraceError {
    TraceError::Arrow(ArrowError::ExternalError(error.into()))
}

/// What failed spans say about it in at most so many characters, by row over all batches.
fn failures(batches: &[RecordBatch], most: usize) -> Result<HashMap<usize, String>, Error> {
    let mut failures = HashMap::new();
    let mut before = 0;
    for batch in batches {
        let status = column(batch, columns::STATUS_CODE, &DataType::Utf8)?;
        let status: &StringArray = status.as_string();
        let failed = (0..batch.num_rows()).filter(|&row| text(status, row) == Some("ERROR"));
        let failed: UInt64Array = failed.map(|row| row as u64).collect();
        let said = |name: &str| match batch.column_by_name(name) {
            Some(column) => converted(&take(column, &failed, None)?, &DataType::Utf8),
            None => converted(&arrow::array::new_null_array(&DataType::Utf8, failed.len()), &DataType::Utf8),
        };
        let said = FAILURE.iter().map(|name| said(name)).collect::<Result<Vec<_>, _>>()?;
        for (place, row) in failed.values().iter().enumerate() {
            let said = |at: usize| text(said[at].as_string(), place);
            let answered = answered(said(3).or(said(4)), said(5).or(said(6)));
            if let Some(failure) = failure(said(0), said(1), said(2).or(answered.as_deref()), most) {
                failures.insert(before + *row as usize, failure);
            }
        }
        before += batch.num_rows();
    }
    Ok(failures)
}

/// What a server answered, and which.
fn answered(status: Option<&str>, url: Option<&str>) -> Option<String> {
    match (status, url) {
        (Some(status), Some(url)) => Some(format!("HTTP {status} {url}")),
        (Some(status), None) => Some(format!("HTTP {status}")),
        (None, url) => url.map(str::to_owned),
    }
}

/// The message of a failure, with the type of the exception before it where it does not say that itself.
fn failure(message: Option<&str>, kind: Option<&str>, exception: Option<&str>, most: usize) -> Option<String> {
    let message = message.or(exception).map(|message| first_chars(message.trim(), most));
    let kind = kind.map(|kind| first_chars(kind, most));
    match (kind, message) {
        (Some(kind), Some(message)) if message.contains(kind) => Some(message.to_owned()),
        (Some(kind), Some(message)) => Some(format!("{kind}: {message}")),
        (one, other) => one.or(other).map(str::to_owned),
    }
}

fn first_chars(text: &str, most: usize) -> &str {
    text.char_indices().nth(most).map_or(text, |(end, _)| &text[..end])
}

// The columns are there, in these types: `Columns::read` made them.

fn texts<'a>(batch: &'a RecordBatch, name: &str) -> &'a StringArray {
    batch[name].as_string()
}

fn times<'a>(batch: &'a RecordBatch, name: &str) -> &'a TimestampNanosecondArray {
    batch[name].as_primitive::<TimestampNanosecondType>()
}

fn floats<'a>(batch: &'a RecordBatch, name: &str) -> &'a Float64Array {
    batch[name].as_primitive::<Float64Type>()
}

fn ints<'a>(batch: &'a RecordBatch, name: &str) -> &'a Int64Array {
    batch[name].as_primitive::<Int64Type>()
}

fn numbers<'a>(batch: &'a RecordBatch, name: &str) -> &'a Int32Array {
    batch[name].as_primitive::<Int32Type>()
}
