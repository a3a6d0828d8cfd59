//! Batches without the rows that a remote sent beyond what it was asked for.

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::TimestampNanosecondType;
use arrow::error::ArrowError;
use spanql_model::columns;
use spanql_model::window::Window;

/// An ingest batch without the rows outside a window. A span without a start cannot be said to lie outside.
pub(crate) fn cut_to(batch: &RecordBatch, window: Window) -> Result<RecordBatch, ArrowError> {
    let Some(start) = batch.column_by_name(columns::START_TIME) else { return Ok(batch.clone()) };
    let inside = |time: Option<i64>| Some(time.is_none_or(|time| window.start <= time && time < window.end));
    let keep: BooleanArray = start.as_primitive::<TimestampNanosecondType>().iter().map(inside).collect();
    filter_record_batch(batch, &keep)
}
