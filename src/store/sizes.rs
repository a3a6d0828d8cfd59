//! How much rows take in memory, and how many of them fit.

use std::ops::Range;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::DataType;

/// About how many bytes each row takes in memory.
pub(crate) fn row_sizes(batch: &RecordBatch) -> Vec<u64> {
    // Each column costs a value or an offset, and a share of its validity.
    let mut sizes = vec![batch.num_columns() as u64 * 5; batch.num_rows()];
    for column in batch.columns() {
        if column.data_type() == &DataType::Utf8 && column.null_count() < column.len() {
            let offsets = column.as_string::<i32>().value_offsets();
            for (size, pair) in sizes.iter_mut().zip(offsets.windows(2)) {
                *size += (pair[1] - pair[0]) as u64;
            }
        }
    }
    sizes
}

/// Cuts rows of these sizes into runs, none of which has more rows or bytes than these, but for single rows.
pub(crate) fn cut(sizes: &[u64], most_rows: usize, most_bytes: u64) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    let mut bytes = 0;
    for (row, &size) in sizes.iter().enumerate() {
        match runs.last_mut() {
            Some(run) if run.len() < most_rows && bytes + size <= most_bytes => {
                run.end = row + 1;
                bytes += size;
            }
            _ => {
                runs.push(row..row + 1);
                bytes = size;
            }
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::cut;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

        #[test]
        fn runs_are_as_long_as_they_may_be(
            sizes in prop::collection::vec(0..100_u64, 0..60), rows in 1..9_usize, bytes in 0..200_u64,
        ) {
            let runs = cut(&sizes, rows, bytes);
            let fits = |run: std::ops::Range<usize>| run.len() <= rows && sizes[run].iter().sum::<u64>() <= bytes;
            let mut next = 0;
            for run in runs {
                prop_assert_eq!(run.start, next);
                prop_assert!(run.len() == 1 || fits(run.clone()));
                prop_assert!(run.end == sizes.len() || !fits(run.start..run.end + 1));
                next = run.end;
            }
            prop_assert_eq!(next, sizes.len());
        }
    }
}
