//! The summary of a trace: its row of `traces`.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, ListBuilder, StringArray, StringBuilder,
    TimestampNanosecondArray, UInt64Array, new_null_array,
};
use arrow::compute::take;
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;

use super::input::{TreeArrays, read, text, typed};
use super::words::{ANSWERED_IN, ASKED_IN, answered, asked};
use super::wrapper::{CallArrays, TOOL, text_at};
use super::{TraceError, TreeInput, elapsed_ms, traces_schema, tree_columns};
use spanql_model::columns::{self, TREE};

/// The kind of a call of a model.
const LLM: &str = "LLM";

/// How many characters (Unicode scalar values) of input and output a summary keeps.
pub const TEXT_CHARS: usize = 1_024;

/// The rows of some traces in `traces`.
#[derive(Debug, Clone, PartialEq)]
pub struct Summaries {
    /// One row of [`traces_schema`] for each trace.
    pub rows: RecordBatch,
    /// Sums that no Int64 holds, and that are null in the rows therefore: which row, and the column.
    pub too_large: Vec<(usize, &'static str)>,
}

/// Summarises traces: one row of [`traces_schema`] per range of `traces`, in their order.
///
/// `batch` holds columns of `spans` by name, `traces` are ranges of its rows, each a whole trace in any order. A missing
/// column reads as null; when a `tree.*` column is missing, all of them are computed first.
///
/// *The root* is the earliest root, else the earliest top span; project, source, trace id, name, kind, status, input
/// and output are its own. Where it has no input, that is what the user says first ([`asked`]) in the earliest call of a
/// model that has such words, and where it has no output, what the model says last ([`answered`]) in the latest.
/// "Earliest" is the order of siblings: by start time (null first), then span id. A span that only wraps another call
/// is none of `llm_count` and `tool_count`.
/// A prompt, completion, total or cost value counts only where no descendant has one above zero in the same column,
/// because parents often repeat their children's usage. Sums and times are null where no span has a value; lists are then
/// empty. A sum of integers that does not fit is null as well, and said beside the rows. An empty range gives a row of
/// zeros and nulls.
///
/// Fails when a column cannot be read in its canonical type, and as [`tree_columns`] does.
///
/// # Panics
///
/// Panics when a range reaches beyond the rows.
pub fn summarize(batch: &RecordBatch, traces: &[Range<usize>]) -> Result<Summaries, TraceError> {
    let arrays = TreeArrays::read(batch)?;
    let spans = Spans::read(batch, arrays.input(), traces)?;
    let mut rows = Rows::default();
    let mut tree_order = Vec::new();
    for trace in traces {
        tree_order.clear();
        tree_order.extend(trace.clone());
        tree_order.sort_unstable_by_key(|&row| (spans.left.value(row), row));
        rows.push(&spans, &tree_order);
        rows.push_words(batch, &spans, &tree_order)?;
    }
    let too_large = std::mem::take(&mut rows.too_large);
    Ok(Summaries { rows: rows.finish(batch, &spans)?, too_large })
}

/// The columns of the spans that a summary looks at.
struct Spans<'a> {
    tree: TreeInput<'a>,
    depth: Int32Array,
    left: Int32Array,
    descendants: Int32Array,
    orphan: BooleanArray,
    cycle: BooleanArray,
    wrapper: BooleanArray,
    kind: StringArray,
    status: StringArray,
    model: StringArray,
    session: StringArray,
    user: StringArray,
    prompt: Int64Array,
    completion: Int64Array,
    total: Int64Array,
    cost: Float64Array,
}

impl<'a> Spans<'a> {
    fn read(batch: &RecordBatch, tree: TreeInput<'a>, traces: &[Range<usize>]) -> Result<Self, TraceError> {
        let complete = TREE.iter().all(|column| batch.column_by_name(column.name).is_some());
        let compute = || CallArrays::read(batch)?.with(|calls| tree_columns(&tree, Some(calls), traces));
        let computed = if complete { Vec::new() } else { compute()? };
        let of_tree = |index: usize| match computed.get(index) {
            Some(array) => Ok(array.clone()),
            None => batch.column_by_name(TREE[index].name).cloned().ok_or(TraceError::MissingColumn(TREE[index].name)),
        };
        let int32 = |index: usize| typed::<Int32Array>(&of_tree(index)?, TREE[index].name, &DataType::Int32);
        let boolean = |index: usize| typed::<BooleanArray>(&of_tree(index)?, TREE[index].name, &DataType::Boolean);
        Ok(Self {
            tree,
            depth: int32(0)?,
            left: int32(1)?,
            descendants: int32(5)?,
            orphan: boolean(8)?,
            cycle: boolean(9)?,
            wrapper: boolean(10)?,
            kind: read(batch, columns::KIND, &DataType::Utf8)?,
            status: read(batch, columns::STATUS_CODE, &DataType::Utf8)?,
            model: read(batch, columns::MODEL, &DataType::Utf8)?,
            session: read(batch, columns::SESSION_ID, &DataType::Utf8)?,
            user: read(batch, columns::USER_ID, &DataType::Utf8)?,
            prompt: read(batch, columns::PROMPT_TOKENS, &DataType::Int64)?,
            completion: read(batch, columns::COMPLETION_TOKENS, &DataType::Int64)?,
            total: read(batch, columns::TOTAL_TOKENS, &DataType::Int64)?,
            cost: read(batch, columns::COST, &DataType::Float64)?,
        })
    }

    /// The total as recorded, else prompt and completion together where both are there.
    fn total(&self, row: usize) -> Option<i128> {
        let sum = || Some(int64(&self.prompt, row)? + int64(&self.completion, row)?);
        int64(&self.total, row).or_else(sum)
    }

    /// Whether a row is a call of this kind, and not only recorded around one.
    fn is_call(&self, row: usize, kind: &str) -> bool {
        text(&self.kind, row) == Some(kind) && !is_true(&self.wrapper, row)
    }

    /// The row that stands for a trace: its root's, where that has a value, else its earliest one with a value.
    fn representative(&self, column: &StringArray, root: usize, rows: &[usize]) -> Option<usize> {
        if column.is_valid(root) {
            return Some(root);
        }
        let named = rows.iter().copied().filter(|&row| column.is_valid(row));
        named.min_by(|&a, &b| self.tree.order(a, b))
    }
}

/// The summaries under construction, one entry per trace.
#[derive(Default)]
struct Rows {
    root: Vec<Option<u64>>,
    session: Vec<Option<u64>>,
    user: Vec<Option<u64>>,
    start: Vec<Option<i64>>,
    end: Vec<Option<i64>>,
    latency_ms: Vec<Option<f64>>,
    spans: Vec<i64>,
    roots: Vec<i64>,
    orphans: Vec<i64>,
    cycles: Vec<i64>,
    errors: Vec<i64>,
    llms: Vec<i64>,
    tools: Vec<i64>,
    max_depth: Vec<Option<i64>>,
    prompt: Vec<Option<i64>>,
    completion: Vec<Option<i64>>,
    total: Vec<Option<i64>>,
    reported: Vec<Option<i64>>,
    cost: Vec<Option<f64>>,
    too_large: Vec<(usize, &'static str)>,
    input: Vec<Option<String>>,
    output: Vec<Option<String>>,
    session_ids: ListBuilder<StringBuilder>,
    models: ListBuilder<StringBuilder>,
}

impl Rows {
    /// Adds the trace whose rows are given in tree order.
    fn push(&mut self, spans: &Spans<'_>, rows: &[usize]) {
        let tree = &spans.tree;
        let count = |is: &dyn Fn(usize) -> bool| rows.iter().filter(|&&row| is(row)).count() as i64;

        // In tree order the first top span, and the first root, is the earliest.
        let is_root = |row: usize| tree.parent(row).is_none();
        let root = rows.iter().copied().find(|&row| is_root(row)).or_else(|| rows.first().copied());
        self.root.push(root.map(|row| row as u64));
        let representative = |column| spans.representative(column, root?, rows).map(|row| row as u64);
        self.session.push(representative(&spans.session));
        self.user.push(representative(&spans.user));

        let start = rows.iter().filter_map(|&row| tree.start(row)).min();
        let end = rows.iter().filter_map(|&row| tree.end(row)).max();
        self.start.push(start);
        self.end.push(end);
        self.latency_ms.push(start.zip(end).map(|(start, end)| elapsed_ms(start, end)));

        self.spans.push(rows.len() as i64);
        self.roots.push(count(&is_root));
        self.orphans.push(count(&|row| is_true(&spans.orphan, row)));
        self.cycles.push(count(&|row| is_true(&spans.cycle, row)));
        self.errors.push(count(&|row| text(&spans.status, row) == Some("ERROR")));
        self.llms.push(count(&|row| spans.is_call(row, LLM)));
        self.tools.push(count(&|row| spans.is_call(row, TOOL)));
        self.max_depth.push(rows.iter().map(|&row| i64::from(spans.depth.value(row))).max());

        let counted = |value: &dyn Fn(usize) -> Option<i128>| {
            let mut sum = None;
            visit_counted(spans, rows, value, |value| add(&mut sum, value));
            sum
        };
        let mut reported = None;
        rows.iter().filter_map(|&row| int64(&spans.total, row)).for_each(|value| add(&mut reported, value));
        let (trace, too_large) = (self.spans.len() - 1, &mut self.too_large);
        let mut fitting = |column: &'static str, sum: Option<i128>| {
            let fitting = sum.and_then(|sum| i64::try_from(sum).ok());
            if sum.is_some() && fitting.is_none() {
                too_large.push((trace, column));
            }
            fitting
        };
        self.prompt.push(fitting("prompt_tokens", counted(&|row| int64(&spans.prompt, row))));
        self.completion.push(fitting("completion_tokens", counted(&|row| int64(&spans.completion, row))));
        self.total.push(fitting("total_tokens", counted(&|row| spans.total(row))));
        self.reported.push(fitting("reported_tokens", reported));
        let mut cost: Option<f64> = None;
        let cost_of = |row| spans.cost.is_valid(row).then(|| spans.cost.value(row));
        visit_counted(spans, rows, cost_of, |value| *cost.get_or_insert(0.0) += value);
        self.cost.push(cost);

        push_distinct(&mut self.session_ids, &spans.session, rows);
        push_distinct(&mut self.models, &spans.model, rows);
    }

    /// Adds input and output of the trace that was added last.
    fn push_words(&mut self, batch: &RecordBatch, spans: &Spans<'_>, rows: &[usize]) -> Result<(), TraceError> {
        let root = self.root.last().copied().flatten().map(|row| row as usize);
        let own = |name| match root {
            Some(row) => Ok(text_at(batch, name, row)?.map(|text| first_chars(text.value(0)).to_owned())),
            None => Ok::<_, TraceError>(None),
        };
        let (mut input, mut output) = (own(columns::INPUT)?, own(columns::OUTPUT)?);
        if input.is_none() || output.is_none() {
            let mut calls: Vec<usize> =
                rows.iter().copied().filter(|&row| text(&spans.kind, row) == Some(LLM)).collect();
            calls.sort_unstable_by(|&a, &b| spans.tree.order(a, b));
            if input.is_none() {
                input = words(batch, calls.iter().copied(), ASKED_IN, columns::INPUT, asked)?;
            }
            if output.is_none() {
                output = words(batch, calls.iter().rev().copied(), ANSWERED_IN, columns::OUTPUT, answered)?;
            }
        }
        self.input.push(input);
        self.output.push(output);
        Ok(())
    }

    fn finish(mut self, batch: &RecordBatch, spans: &Spans<'_>) -> Result<RecordBatch, TraceError> {
        let roots = UInt64Array::from(self.root);
        let of_root = |name| texts_at(batch, name, &roots);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(of_root(columns::PROJECT)?),
            Arc::new(of_root(columns::SOURCE)?),
            Arc::new(of_root(columns::TRACE_ID)?),
            Arc::new(of_root(columns::SPAN_ID)?),
            Arc::new(of_root(columns::NAME)?),
            Arc::new(of_root(columns::KIND)?),
            take(&spans.session, &UInt64Array::from(self.session), None)?,
            Arc::new(self.session_ids.finish()),
            take(&spans.user, &UInt64Array::from(self.user), None)?,
            Arc::new(TimestampNanosecondArray::from(self.start).with_timezone("UTC")),
            Arc::new(TimestampNanosecondArray::from(self.end).with_timezone("UTC")),
            Arc::new(Float64Array::from(self.latency_ms)),
            Arc::new(of_root(columns::STATUS_CODE)?),
            Arc::new(Int64Array::from(self.spans)),
            Arc::new(Int64Array::from(self.roots)),
            Arc::new(Int64Array::from(self.orphans)),
            Arc::new(Int64Array::from(self.cycles)),
            Arc::new(Int64Array::from(self.errors)),
            Arc::new(Int64Array::from(self.llms)),
            Arc::new(Int64Array::from(self.tools)),
            Arc::new(Int64Array::from(self.max_depth)),
            Arc::new(self.models.finish()),
            Arc::new(Int64Array::from(self.prompt)),
            Arc::new(Int64Array::from(self.completion)),
            Arc::new(Int64Array::from(self.total)),
            Arc::new(Int64Array::from(self.reported)),
            Arc::new(Float64Array::from(self.cost)),
            Arc::new(StringArray::from(self.input)),
            Arc::new(StringArray::from(self.output)),
        ];
        Ok(RecordBatch::try_new(traces_schema(), columns)?)
    }
}

/// Visits the values that count: those of spans without a descendant whose value is above zero.
///
/// `rows` are in tree order, so a span's descendants are the rows that follow it: going backwards, the last positive
/// value seen is the nearest one, and it lies below the span or nothing positive does.
fn visit_counted<T: Copy + PartialOrd + Default>(
    spans: &Spans<'_>,
    rows: &[usize],
    value: impl Fn(usize) -> Option<T>,
    mut visit: impl FnMut(T),
) {
    let mut nearest_positive = usize::MAX;
    for (place, &row) in rows.iter().enumerate().rev() {
        let Some(value) = value(row) else { continue };
        let descendants = usize::try_from(spans.descendants.value(row)).unwrap_or(0);
        if nearest_positive > place + descendants {
            visit(value);
        }
        if value > T::default() {
            nearest_positive = place;
        }
    }
}

/// Adds without overflow: a trace cannot hold enough spans for that.
fn add(sum: &mut Option<i128>, value: i128) {
    *sum.get_or_insert(0) += value;
}

fn int64(array: &Int64Array, row: usize) -> Option<i128> {
    array.is_valid(row).then(|| array.value(row).into())
}

fn is_true(array: &BooleanArray, row: usize) -> bool {
    array.is_valid(row) && array.value(row)
}

/// Appends the distinct values of some rows, sorted, as one list.
fn push_distinct(lists: &mut ListBuilder<StringBuilder>, column: &StringArray, rows: &[usize]) {
    let mut values: Vec<&str> = rows.iter().filter_map(|&row| text(column, row)).collect();
    values.sort_unstable();
    values.dedup();
    for value in values {
        lists.values().append_value(value);
    }
    lists.append(true);
}

/// The beginning of what the first of these calls says that says anything, read off its messages or its input or output.
fn words(
    batch: &RecordBatch,
    calls: impl Iterator<Item = usize>,
    messages: [&'static str; 2],
    value: &'static str,
    read: fn(Option<&str>, Option<&str>) -> Option<String>,
) -> Result<Option<String>, TraceError> {
    // An open column may be of any type.
    let is_text = |name: &&str| batch.column_by_name(name).is_some_and(|column| column.data_type().is_string());
    let messages: Vec<&'static str> = messages.into_iter().filter(is_text).collect();
    if messages.is_empty() && batch.column_by_name(value).is_none() {
        return Ok(None);
    }
    for row in calls {
        let listed = messages.iter().map(|name| text_at(batch, name, row)).find_map(Result::transpose).transpose()?;
        let value = text_at(batch, value, row)?;
        let text = |array: &Option<StringArray>| array.as_ref().map(|array| array.value(0).to_owned());
        if let Some(said) = read(text(&listed).as_deref(), text(&value).as_deref()) {
            return Ok(Some(first_chars(&said).to_owned()));
        }
    }
    Ok(None)
}

/// The texts of a column at some rows, which are few: long columns are not converted whole.
fn texts_at(batch: &RecordBatch, name: &'static str, rows: &UInt64Array) -> Result<StringArray, TraceError> {
    match batch.column_by_name(name) {
        Some(column) => typed(&take(column, rows, None)?, name, &DataType::Utf8),
        None => typed(&new_null_array(&DataType::Utf8, rows.len()), name, &DataType::Utf8),
    }
}

fn first_chars(text: &str) -> &str {
    text.char_indices().nth(TEXT_CHARS).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests;
