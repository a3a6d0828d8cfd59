//! Columns of spans that came once, as most do: taken whole, without asking which row gives which value.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray, new_null_array};
use arrow::compute::{concat, interleave};
use arrow::datatypes::DataType;

use super::super::error::{Result, StoreError};
use super::super::open_columns::widen;
use super::merged::Merged;

/// Rows of a batch that follow each other.
pub(super) struct Run {
    batch: usize,
    rows: Range<usize>,
}

/// Rows from which on a run is worth copying as one.
const LONG: usize = 8;

impl Merged {
    /// Whether every span is one row, as it came.
    pub(super) fn came_once(&self) -> bool {
        self.row_refs.len() == self.spans.len() && self.packed.is_empty() && self.patched.is_empty()
    }

    /// The rows of spans that came once.
    pub(super) fn runs(&self, spans: &[usize]) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for &span in spans {
            let (batch, row) = self.row_refs[span];
            match runs.last_mut() {
                Some(run) if run.batch == batch && run.rows.end == row => run.rows.end = row + 1,
                _ => runs.push(Run { batch, rows: row..row + 1 }),
            }
        }
        runs
    }

    /// A column of so many spans that came once.
    pub(super) fn gather_runs(&self, name: &str, data_type: &DataType, runs: &[Run], spans: usize) -> Result<ArrayRef> {
        let sources = self.sources(name, data_type)?;
        let present_in = self.present_in(name);
        let merged = if runs.len().saturating_mul(LONG) <= spans {
            let part = |run: &Run| match present_in[run.batch] {
                true => sources[run.batch].slice(run.rows.start, run.rows.len()),
                false => new_null_array(data_type, run.rows.len()),
            };
            let parts: Vec<ArrayRef> = runs.iter().map(part).collect();
            match parts.as_slice() {
                [] => Ok(new_null_array(data_type, 0)),
                [one] => Ok(ArrayRef::clone(one)),
                parts => concat(&parts.iter().map(AsRef::as_ref).collect::<Vec<_>>()),
            }
        } else {
            let nowhere = self.nowhere();
            let mut rows = Vec::with_capacity(spans);
            for run in runs {
                match present_in[run.batch] {
                    true => rows.extend(run.rows.clone().map(|row| (run.batch, row))),
                    false => rows.extend(run.rows.clone().map(|_| nowhere)),
                }
            }
            interleave(&sources.iter().map(AsRef::as_ref).collect::<Vec<_>>(), &rows)
        };
        merged.map_err(StoreError::arrow(format!("merging {name}")))
    }

    /// What is read off the text of a column of a span that came once.
    pub(super) fn text_of_row<T>(&self, name: &str, span: usize, read: impl FnOnce(&str) -> T) -> Result<Option<T>> {
        let (batch, row) = self.row_refs[span];
        let Some(column) = self.rows.batches[batch].column_by_name(name) else { return Ok(None) };
        let texts = widen(column, &DataType::Utf8)?;
        let texts = texts.as_string::<i32>();
        Ok(texts.is_valid(row).then(|| read(texts.value(row))))
    }
}
