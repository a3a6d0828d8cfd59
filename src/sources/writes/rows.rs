//! Rows as they come: of files, of the answer to a query, of an upload.

use arrow::array::RecordBatch;
use arrow::json::WriterBuilder;
use arrow::json::writer::JsonArray;
use serde_json::{Map, Value};

use super::error::WriteError;
use crate::files::{Format, Input, Limits, plain_rows};

/// One row: cells by the names of their columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The file and line it is from, or its number.
    pub place: String,
    /// What stands in it. A column that is not there and one that is null differ in patches alone.
    pub cells: Map<String, Value>,
    /// Whether numbers are numbers because their column is of such a type, and not because somebody left quotes out.
    pub typed: bool,
}

/// The rows of a file: JSON (a list, or objects one after the other), CSV, Parquet or Arrow, also compressed.
///
/// # Errors
/// [`WriteError::File`] when it cannot be read whole.
pub fn file_rows(input: Input, format: Format, limits: &Limits) -> Result<Vec<Row>, WriteError> {
    let name = input.name();
    let mut rows = Vec::new();
    let read = plain_rows(input, format, limits, |batch, first| {
        rows.extend(typed_rows(batch, &name, first)?);
        Ok(())
    })?;
    rows.extend(read.into_iter().map(|(line, cells)| Row { place: format!("{name}:{line}"), cells, typed: false }));
    Ok(rows)
}

/// The rows of a batch; `place` names it in errors.
///
/// # Errors
/// [`WriteError::Batch`] for types that no JSON says.
pub fn batch_rows(batch: &RecordBatch, place: &str) -> Result<Vec<Row>, WriteError> {
    typed_rows(batch, place, 1).map_err(WriteError::Batch)
}

fn typed_rows(batch: &RecordBatch, place: &str, first: u64) -> Result<Vec<Row>, String> {
    let mut text = Vec::new();
    let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, JsonArray>(&mut text);
    writer.write(batch).and_then(|()| writer.finish()).map_err(|error| error.to_string())?;
    drop(writer);
    if text.is_empty() {
        return Ok(vec![]);
    }
    let rows: Vec<Map<String, Value>> = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    let row = |(number, cells): (u64, _)| Row { place: format!("{place}:{number}"), cells, typed: true };
    Ok((first..).zip(rows).map(row).collect())
}
