//! How much rows take in memory, and how many of them fit.

use std::collections::HashMap;
use std::ops::Range;

use arrow::array::{Array, ArrayData, AsArray, RecordBatch};
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

/// The memory that a batch keeps from being freed.
///
/// Columns that came in one message share its buffer, which counts once.
pub(crate) fn held_bytes(batch: &RecordBatch) -> usize {
    let mut buffers = HashMap::new();
    for column in batch.columns() {
        add_buffers(&column.to_data(), &mut buffers);
    }
    buffers.into_values().sum()
}

fn add_buffers(data: &ArrayData, buffers: &mut HashMap<usize, usize>) {
    let nulls = data.nulls().map(|nulls| nulls.buffer());
    for buffer in data.buffers().iter().chain(nulls) {
        buffers.insert(buffer.data_ptr().as_ptr() as usize, buffer.capacity());
    }
    for child in data.child_data() {
        add_buffers(child, buffers);
    }
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
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use arrow::buffer::{Buffer, ScalarBuffer};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_buffer_that_columns_share_is_held_once() {
        let shared = Buffer::from_vec(vec![7_i64; 1_000]);
        let column =
            |from: usize| -> ArrayRef { Arc::new(Int64Array::new(ScalarBuffer::new(shared.clone(), from, 100), None)) };
        let names = ["a", "b", "c"];
        let batch = RecordBatch::try_from_iter(names.into_iter().zip([column(0), column(100), column(500)])).unwrap();
        assert_eq!(held_bytes(&batch), 8_000);
        let own: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(1_000)]));
        let apart = RecordBatch::try_from_iter([("own", own)]).unwrap();
        assert!((1_000..2_000).contains(&held_bytes(&apart)), "{}", held_bytes(&apart));
    }

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
