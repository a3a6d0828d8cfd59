//! Trace summaries of merged spans.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};

use super::super::error::{Result, StoreError};
use super::Merged;
use crate::model::columns;
use crate::trace::{self, Summaries};

impl Merged {
    /// One summary row for each of the given traces.
    pub(crate) fn summaries(&self, traces: &[usize]) -> Result<Summaries> {
        let spans = self.spans_of(traces);
        // Input and output are long and only the root's are wanted: they are gathered for the roots alone.
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
        let summaries = trace::summarize(&slim, &ranges).map_err(|error| StoreError::Internal(error.to_string()))?;
        let rows = self.with_root_texts(&summaries.rows, &slim, &ranges, &spans)?;
        Ok(Summaries { rows, ..summaries })
    }

    fn with_root_texts(
        &self,
        summary: &RecordBatch,
        slim: &RecordBatch,
        ranges: &[Range<usize>],
        spans: &[usize],
    ) -> Result<RecordBatch> {
        let missing = |name: &str| StoreError::Internal(format!("a trace summary has no column {name}"));
        let root_id = summary.column_by_name("root_span_id").ok_or_else(|| missing("root_span_id"))?;
        let root_id = root_id.as_string::<i32>();
        let span_id = slim.column_by_name(columns::SPAN_ID).ok_or_else(|| missing(columns::SPAN_ID))?;
        let span_id = span_id.as_string::<i32>();
        let roots: Vec<Option<usize>> = ranges
            .iter()
            .enumerate()
            .map(|(trace, range)| {
                range.clone().find(|&row| root_id.is_valid(trace) && span_id.value(row) == root_id.value(trace))
            })
            .collect();
        let mut arrays = summary.columns().to_vec();
        for (name, column) in [("input", columns::INPUT), ("output", columns::OUTPUT)] {
            let index = summary.schema_ref().index_of(name).map_err(|_| missing(name))?;
            let sources = self.sources(column, &DataType::Utf8)?;
            let picks = self.picks(column, &DataType::Utf8, roots.iter().flatten().map(|&row| spans[row]))?;
            let mut picks = picks.into_iter();
            let texts = roots.iter().map(|root| {
                let (batch, row) = root.and_then(|_| picks.next())?;
                let source = sources[batch].as_string::<i32>();
                source.is_valid(row).then(|| first_chars(source.value(row)))
            });
            arrays[index] = Arc::new(texts.collect::<StringArray>());
        }
        RecordBatch::try_new(summary.schema(), arrays).map_err(StoreError::arrow("summarising traces"))
    }
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
