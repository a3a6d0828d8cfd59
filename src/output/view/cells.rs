//! Columns of batches by name.

use arrow::array::{Array, ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, new_null_array};
use arrow::compute::{CastOptions, can_cast_types, cast_with_options};
use arrow::datatypes::DataType;

use super::super::Error;

/// A column in the type that a view reads it in; a missing one is all null, and so is a value that cannot be read so.
pub(super) fn column(batch: &RecordBatch, name: &str, wanted: &DataType) -> Result<ArrayRef, Error> {
    match batch.column_by_name(name) {
        Some(column) => converted(column, wanted),
        None => Ok(new_null_array(wanted, batch.num_rows())),
    }
}

/// The values in another type; what cannot be read so is null.
pub(super) fn converted(array: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, Error> {
    if array.data_type() == wanted {
        return Ok(array.clone());
    }
    if !can_cast_types(array.data_type(), wanted) {
        return Ok(new_null_array(wanted, array.len()));
    }
    Ok(cast_with_options(array, wanted, &CastOptions { safe: true, ..CastOptions::default() })?)
}

/// A text, where there is one that is not empty.
pub(super) fn text(array: &StringArray, row: usize) -> Option<&str> {
    any_text(array, row).filter(|text| !text.is_empty())
}

pub(super) fn any_text(array: &StringArray, row: usize) -> Option<&str> {
    array.is_valid(row).then(|| array.value(row))
}

pub(super) fn int(array: &Int64Array, row: usize) -> Option<i64> {
    array.is_valid(row).then(|| array.value(row))
}

pub(super) fn float(array: &Float64Array, row: usize) -> Option<f64> {
    array.is_valid(row).then(|| array.value(row))
}
