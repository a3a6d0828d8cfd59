//! Rows of a file by their numbers.

use parquet::arrow::arrow_reader::RowSelection;

/// Numbers of rows that are selected of so many.
pub(crate) fn row_numbers(selected: Option<&RowSelection>, rows: u64) -> Box<dyn Iterator<Item = u64> + Send> {
    let Some(selected) = selected else { return Box::new(0..rows) };
    let mut next = 0;
    let mut ranges = Vec::new();
    for part in selected.iter() {
        let end = next + part.row_count as u64;
        if !part.skip {
            ranges.push(next..end);
        }
        next = end;
    }
    Box::new(ranges.into_iter().flatten())
}
