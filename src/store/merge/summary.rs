//! Trace summaries of merged spans.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, Field, Schema};

use super::super::error::{Result, StoreError};
use super::Merged;
use spanql_model::columns;
use spanql_trace::Summaries;

impl Merged {
    /// One summary row for each of the given traces.
    pub(crate) fn summaries(&self, traces: &[usize]) -> Result<Summaries> {
        let (summaries, roots) = self.summaries_without_texts(traces)?;
        let texts = roots.iter().map(|root| match root {
            Some(root) => self.texts(*root),
            None => Ok([None, None]),
        });
        let rows = with_texts(&summaries.rows, &texts.collect::<Result<Vec<_>>>()?)?;
        Ok(Summaries { rows, ..summaries })
    }

    /// One summary row for each of the given traces without input and output, and the span that these are of.
    pub(crate) fn summaries_without_texts(&self, traces: &[usize]) -> Result<(Summaries, Vec<Option<usize>>)> {
        let spans = self.spans_of(traces);
        let wanted = columns::CANONICAL.iter().filter(|column| SUMMARISED.contains(&column.name));
        let mut fields: Vec<Field> = Vec::new();
        let mut arrays: Vec<ArrayRef> = Vec::new();
        for column in wanted {
            arrays.push(self.gather(column.name, &column.data_type, &spans)?);
            fields.push(Field::new(column.name, column.data_type.clone(), true));
        }
        for (column, array) in columns::TREE.iter().zip(self.tree_of(&spans)?) {
            arrays.push(array);
            fields.push(Field::new(column.name, column.data_type.clone(), true));
        }
        let schema = Arc::new(Schema::new(fields));
        let slim = RecordBatch::try_new(schema, arrays).map_err(StoreError::arrow("summarising traces"))?;
        let mut from = 0;
        let mut ranges: Vec<Range<usize>> = Vec::with_capacity(traces.len());
        for &trace in traces {
            ranges.push(from..from + self.traces[trace].spans.len());
            from += self.traces[trace].spans.len();
        }
        let summaries =
            spanql_trace::summarize(&slim, &ranges).map_err(|error| StoreError::Internal(error.to_string()))?;
        let summary = &summaries.rows;
        let root_id = summary.column_by_name("root_span_id").ok_or_else(|| missing("root_span_id"))?;
        let root_id = root_id.as_string::<i32>();
        let span_id = slim.column_by_name(columns::SPAN_ID).ok_or_else(|| missing(columns::SPAN_ID))?;
        let span_id = span_id.as_string::<i32>();
        let is_root = |trace: usize, row: usize| root_id.is_valid(trace) && span_id.value(row) == root_id.value(trace);
        let root = |(trace, range): (usize, &Range<usize>)| range.clone().find(|&row| is_root(trace, row));
        let roots = ranges.iter().enumerate().map(root).map(|row| row.map(|row| spans[row])).collect();
        Ok((summaries, roots))
    }

    /// The beginnings of input and output of a span, as its trace's summary has them.
    pub(crate) fn texts(&self, span: usize) -> Result<[Option<String>; 2]> {
        let text = |column: &str| -> Result<Option<String>> {
            let sources = self.sources(column, &DataType::Utf8)?;
            let winning_rows = self.winning_rows(column, &DataType::Utf8, std::iter::once(span))?;
            Ok(winning_rows.first().and_then(|&(batch, row)| {
                let source = sources[batch].as_string::<i32>();
                source.is_valid(row).then(|| first_chars(source.value(row)).to_owned())
            }))
        };
        Ok([text(columns::INPUT)?, text(columns::OUTPUT)?])
    }
}

/// Summaries with input and output.
pub(crate) fn with_texts(summary: &RecordBatch, texts: &[[Option<String>; 2]]) -> Result<RecordBatch> {
    let mut arrays = summary.columns().to_vec();
    for (at, name) in ["input", "output"].into_iter().enumerate() {
        let index = summary.schema_ref().index_of(name).map_err(|_| missing(name))?;
        arrays[index] = Arc::new(texts.iter().map(|texts| texts[at].as_deref()).collect::<StringArray>());
    }
    RecordBatch::try_new(summary.schema(), arrays).map_err(StoreError::arrow("summarising traces"))
}

/// A copy of those columns of rows that trees and summaries are computed from, but for input and output: these are long,
/// and only the root's are wanted.
pub(crate) fn slim(batch: &RecordBatch) -> Result<RecordBatch> {
    let schema = batch.schema_ref();
    let wanted = SUMMARISED.iter().filter_map(|name| schema.index_of(name).ok()).collect::<Vec<_>>();
    let rows: UInt32Array = (0..batch.num_rows() as u32).collect();
    // Columns of one batch may share their memory: what is left out would stay in it.
    let copied = batch.project(&wanted).and_then(|slim| take_record_batch(&slim, &rows));
    copied.map_err(StoreError::arrow("summarising traces"))
}

fn missing(name: &str) -> StoreError {
    StoreError::Internal(format!("a trace summary has no column {name}"))
}

/// Columns a trace's summary is computed from, besides `tree.*` and the root's input and output.
const SUMMARISED: [&str; 17] = [
    columns::PROJECT,
    columns::SOURCE,
    columns::TRACE_ID,
    columns::SPAN_ID,
    columns::PARENT_ID,
    columns::NAME,
    columns::KIND,
    columns::START_TIME,
    columns::END_TIME,
    columns::STATUS_CODE,
    columns::MODEL,
    columns::PROMPT_TOKENS,
    columns::COMPLETION_TOKENS,
    columns::TOTAL_TOKENS,
    columns::COST,
    columns::SESSION_ID,
    columns::USER_ID,
];

/// Characters of input and output that a summary keeps.
const SUMMARY_CHARS: usize = 1024;

fn first_chars(text: &str) -> &str {
    match text.char_indices().nth(SUMMARY_CHARS) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}
