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
use super::{TraceError, TreeInput, elapsed_ms, traces_schema, tree_columns};
use spanql_model::columns::{self, TREE};

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
/// and output are its own. "Earliest" is the order of siblings: by start time (null first), then span id.
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
        let computed = if complete { Vec::new() } else { tree_columns(&tree, traces)? };
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

    /// The row that speaks for a trace: its root's, where that has a value, else its earliest one with a value.
    fn speaker(&self, column: &StringArray, root: usize, rows: &[usize]) -> Option<usize> {
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
        let speaker = |column| spans.speaker(column, root?, rows).map(|row| row as u64);
        self.session.push(speaker(&spans.session));
        self.user.push(speaker(&spans.user));

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
        self.llms.push(count(&|row| text(&spans.kind, row) == Some("LLM")));
        self.tools.push(count(&|row| text(&spans.kind, row) == Some("TOOL")));
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

    fn finish(mut self, batch: &RecordBatch, spans: &Spans<'_>) -> Result<RecordBatch, TraceError> {
        let roots = UInt64Array::from(self.root);
        let of_root = |name| texts_at(batch, name, &roots);
        let start_of_text = |name| -> Result<StringArray, TraceError> {
            let texts = of_root(name)?;
            Ok(texts.iter().map(|text| text.map(first_chars)).collect())
        };
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
            Arc::new(start_of_text(columns::INPUT)?),
            Arc::new(start_of_text(columns::OUTPUT)?),
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
mod tests {
    use std::ops::Range;
    use std::sync::Arc;

    use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, StringArray};
    use arrow::compute::{cast, concat_batches};
    use arrow::datatypes::{DataType, Float64Type, Int64Type};
    use arrow::json::ArrayWriter;
    use arrow::record_batch::RecordBatch;

    use super::{TEXT_CHARS, summarize};
    use crate::sample::{batch, table, with_column};
    use crate::{traces_schema, tree_columns_of};
    use spanql_model::columns::{self, TREE};

    fn texts(values: &[&str]) -> ArrayRef {
        Arc::new(values.iter().map(|text| (*text != "-").then_some(*text)).collect::<StringArray>())
    }

    fn ints(values: &[Option<i64>]) -> ArrayRef {
        Arc::new(values.iter().copied().collect::<Int64Array>())
    }

    fn summary(batch: &RecordBatch, traces: &[Range<usize>]) -> RecordBatch {
        let got = summarize(batch, traces).unwrap();
        assert_eq!(got.rows.schema(), traces_schema());
        assert_eq!(got.too_large, []);
        got.rows
    }

    /// The first row as a JSON object, without nulls.
    fn row(summary: &RecordBatch) -> serde_json::Value {
        let mut writer = ArrayWriter::new(Vec::new());
        writer.write(summary).unwrap();
        writer.finish().unwrap();
        let rows: serde_json::Value = serde_json::from_slice(&writer.into_inner()).unwrap();
        rows[0].clone()
    }

    fn agent() -> RecordBatch {
        let spans = batch(&table(
            "llm2  agent 50 90
             agent -     0 100
             llm1  agent 10 40
             tool  llm1  20 45
             lost  gone  30 130",
        ));
        let spans = with_column(&spans, columns::PROJECT, texts(&["p"; 5]));
        let spans = with_column(&spans, columns::SOURCE, texts(&["file", "demo", "file", "file", "file"]));
        let spans = with_column(&spans, columns::NAME, texts(&["l2", "run", "l1", "t", "x"]));
        let spans = with_column(&spans, columns::KIND, texts(&["LLM", "AGENT", "LLM", "TOOL", "-"]));
        let spans = with_column(&spans, columns::STATUS_CODE, texts(&["OK", "UNSET", "ERROR", "ERROR", "-"]));
        let spans = with_column(&spans, columns::MODEL, texts(&["gpt", "-", "claude", "-", "gpt"]));
        let spans = with_column(&spans, columns::SESSION_ID, texts(&["s2", "-", "s3", "s1", "s2"]));
        let spans = with_column(&spans, columns::USER_ID, texts(&["u2", "u1", "-", "-", "-"]));
        let spans = with_column(&spans, columns::INPUT, texts(&["a", "question", "b", "c", "d"]));
        let spans = with_column(&spans, columns::OUTPUT, texts(&["a", "-", "b", "c", "d"]));
        let spans = with_column(&spans, columns::PROMPT_TOKENS, ints(&[Some(10), Some(17), Some(7), Some(0), None]));
        let spans = with_column(&spans, columns::COMPLETION_TOKENS, ints(&[Some(1), None, Some(2), None, None]));
        let spans = with_column(&spans, columns::TOTAL_TOKENS, ints(&[None, Some(20), Some(9), None, None]));
        let cost = [Some(0.5), Some(0.75), Some(0.25), None, None].into_iter().collect::<Float64Array>();
        with_column(&spans, columns::COST, Arc::new(cost))
    }

    #[test]
    fn a_trace_becomes_one_row() {
        let want = serde_json::json!({
            "project": "p", "source": "demo", "trace_id": "t", "root_span_id": "agent", "name": "run", "kind": "AGENT",
            "session_id": "s3", "session_ids": ["s1", "s2", "s3"], "user_id": "u1",
            "start_time": "1970-01-01T00:00:00Z", "end_time": "1970-01-01T00:00:00.130Z", "latency_ms": 130.0,
            "status_code": "UNSET", "span_count": 5, "root_count": 1, "orphan_count": 1, "cycle_count": 0,
            "error_count": 2, "llm_count": 2, "tool_count": 1, "max_depth": 3, "models": ["claude", "gpt"],
            "prompt_tokens": 17, "completion_tokens": 3, "total_tokens": 20, "reported_tokens": 29, "cost": 0.75,
            "input": "question"
        });
        assert_eq!(row(&summary(&agent(), std::slice::from_ref(&(0..5)))), want);
    }

    #[test]
    fn tree_columns_are_taken_or_computed() {
        let plain = agent();
        let columns = tree_columns_of(&plain).unwrap();
        let with_tree = TREE
            .iter()
            .zip(columns)
            .fold(plain.clone(), |batch, (column, array)| with_column(&batch, column.name, array));
        let traces = std::slice::from_ref(&(0..5));
        assert_eq!(summary(&with_tree, traces), summary(&plain, traces));
    }

    #[test]
    fn a_column_counts_by_itself() {
        let spans = batch(&table(
            "root -    0 9
             a    root 1 8
             b    a    2 7",
        ));
        let spans = with_column(&spans, columns::PROMPT_TOKENS, ints(&[Some(5), Some(3), Some(0)]));
        let spans = with_column(&spans, columns::COMPLETION_TOKENS, ints(&[Some(5), None, None]));
        let got = summary(&spans, std::slice::from_ref(&(0..3)));
        let value = |name: &str| got.column_by_name(name).unwrap().as_primitive::<Int64Type>().iter().next().unwrap();
        assert_eq!(value("prompt_tokens"), Some(3));
        assert_eq!(value("completion_tokens"), Some(5));
        assert_eq!(value("total_tokens"), Some(10));
        assert_eq!(value("reported_tokens"), None);
    }

    #[test]
    fn sums_of_integers_that_do_not_fit_are_null_and_said() {
        let spans = batch(&table(
            "a - 0 9
             b - 1 8
             c - 2 7",
        ));
        let spans = with_column(&spans, columns::PROMPT_TOKENS, ints(&[Some(1), Some(i64::MAX), Some(1)]));
        let spans = with_column(&spans, columns::COMPLETION_TOKENS, ints(&[Some(2), Some(i64::MAX), Some(i64::MIN)]));
        let spans = with_column(&spans, columns::TOTAL_TOKENS, ints(&[None, None, Some(i64::MIN)]));
        let got = summarize(&spans, &[0..1, 1..3]).unwrap();
        assert_eq!(got.too_large, [(1, "prompt_tokens")]);
        let row = row(&got.rows.slice(1, 1));
        assert_eq!((row.get("prompt_tokens"), &row["completion_tokens"]), (None, &(-1).into()));
        // Twice the largest and the smallest together are in reach again: no step of a sum is cut.
        assert_eq!((&row["total_tokens"], &row["reported_tokens"]), (&(i64::MAX - 1).into(), &i64::MIN.into()));

        let all = summarize(&spans, std::slice::from_ref(&(0..2))).unwrap();
        assert_eq!(all.too_large, [(0, "prompt_tokens"), (0, "completion_tokens"), (0, "total_tokens")]);
    }

    #[test]
    fn without_a_root_the_earliest_top_span_speaks() {
        let row = row(&summary(
            &batch(&table(
                "c d    5 6
                 d c    7 8
                 e gone 4 6",
            )),
            std::slice::from_ref(&(0..3)),
        ));
        assert_eq!(
            (&row["root_span_id"], &row["root_count"], &row["cycle_count"]),
            (&"e".into(), &0.into(), &2.into())
        );
    }

    #[test]
    fn a_root_goes_before_an_earlier_orphan() {
        let row = row(&summary(
            &batch(&table(
                "a gone 1 2
                 c -    3 4
                 b ''   3 4",
            )),
            std::slice::from_ref(&(0..3)),
        ));
        assert_eq!((&row["root_span_id"], &row["root_count"]), (&"b".into(), &2.into()));
    }

    #[test]
    fn missing_columns_are_null_and_lists_empty() {
        let got = summary(&batch(&table("a - - -")), std::slice::from_ref(&(0..1)));
        let want = serde_json::json!({
            "trace_id": "t", "root_span_id": "a", "session_ids": [], "models": [], "span_count": 1, "root_count": 1,
            "orphan_count": 0, "cycle_count": 0, "error_count": 0, "llm_count": 0, "tool_count": 0, "max_depth": 1
        });
        assert_eq!(row(&got), want);
        assert_eq!(got.column_by_name("models").unwrap().null_count(), 0);
    }

    #[test]
    fn latency_spans_the_whole_trace() {
        let got = summary(
            &batch(&table(
                "a - 10 -
                 b - -  5",
            )),
            std::slice::from_ref(&(0..2)),
        );
        assert_eq!(got.column_by_name("latency_ms").unwrap().as_primitive::<Float64Type>().value(0), -5.0);
    }

    #[test]
    fn long_texts_are_cut_after_whole_characters() {
        let (exact, long) = ("é".repeat(TEXT_CHARS), "é🦀".repeat(TEXT_CHARS));
        let spans = batch(&table("a - 0 1"));
        let spans = with_column(&spans, columns::INPUT, texts(&[&exact]));
        let view = cast(&texts(&[&long]), &DataType::Utf8View).unwrap();
        let spans = with_column(&spans, columns::OUTPUT, view);
        let row = row(&summary(&spans, std::slice::from_ref(&(0..1))));
        assert_eq!(row["input"], exact);
        assert_eq!(row["output"], "é🦀".repeat(TEXT_CHARS / 2));
    }

    #[test]
    fn rows_come_in_the_order_of_the_ranges() {
        let spans = concat_batches(&agent().schema(), [&agent(), &agent()]).unwrap();
        let got = summary(&spans, &[5..10, 0..0, 0..5]);
        assert_eq!(got.num_rows(), 3);
        assert_eq!(got.slice(0, 1), got.slice(2, 1));
        assert_eq!(row(&got.slice(1, 1))["span_count"], 0);
        assert_eq!(summary(&spans, &[]).num_rows(), 0);
    }
}
