//! Rows without their long texts, for traces of which more waits than should be in memory.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, Field, Schema};

use super::super::error::{Result, StoreError};
use super::super::open_columns::widen;
use spanql_model::columns;
use spanql_trace::CallInput;

/// A copy of those columns of rows that trees and summaries are computed from. Of what calls were given there are only
/// the marks by which inputs are told apart: texts are long, and few of them are wanted.
pub(crate) fn slim(batch: &RecordBatch) -> Result<RecordBatch> {
    let failed = || StoreError::arrow("summarising traces");
    let schema = batch.schema_ref();
    let kept = SUMMARISED.iter().chain(&[columns::TOOL_NAME]).filter_map(|name| schema.index_of(name).ok());
    let rows: UInt32Array = (0..batch.num_rows() as u32).collect();
    // Columns of one batch may share their memory: what is left out would stay in it.
    let copied = batch.project(&kept.collect::<Vec<_>>()).and_then(|slim| take_record_batch(&slim, &rows));
    let copied = copied.map_err(failed())?;
    let mut fields: Vec<_> = copied.schema_ref().fields().iter().cloned().collect();
    let mut arrays = copied.columns().to_vec();
    for name in CALL_INPUTS {
        if let Some(column) = batch.column_by_name(name) {
            fields.push(Arc::new(Field::new(marks_of(name), DataType::Utf8, true)));
            arrays.push(marks(&widen(column, &DataType::Utf8)?));
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(failed())
}

/// The marks of each text. An input that gives nothing keeps its place: it hides what another column gives.
fn marks(texts: &ArrayRef) -> ArrayRef {
    let marks = |text: &str| CallInput::of(text).map(|input| input.to_text()).unwrap_or_default();
    Arc::new(texts.as_string::<i32>().iter().map(|text| text.map(marks)).collect::<StringArray>())
}

/// The columns of what calls were given: the first that a span has counts.
pub(super) const CALL_INPUTS: [&str; 2] = [columns::INPUT, columns::INPUT_MESSAGES];

/// The column of slim rows that stands for one of them.
pub(super) fn marks_of(name: &str) -> String {
    format!("\u{1}marks of {name}")
}

/// Columns a trace's summary is computed from, besides `tree.*` and the root's input and output.
pub(super) const SUMMARISED: [&str; 17] = [
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
