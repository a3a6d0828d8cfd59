//! Batches cut to what one message may hold.

use arrow::array::{Array, AsArray, GenericListArray, OffsetSizeTrait, RecordBatch};
use arrow::datatypes::DataType;

/// Rows that a message holds at most.
pub(super) const MAX_ROWS: usize = 8_192;
/// Bytes that a message holds at most, unless one row alone has more.
const MAX_BYTES: usize = 2 << 20;

/// Cuts a batch into pieces of at most `max_rows` rows and of a size that fits a message, in order.
pub(super) fn pieces(batch: &RecordBatch, max_rows: usize) -> Vec<RecordBatch> {
    let mut done = Vec::new();
    let mut left = vec![batch.clone()];
    while let Some(piece) = left.pop() {
        let rows = piece.num_rows();
        if rows > max_rows {
            // Whole chunks first, so that rows are not scattered over more messages than asked for.
            left.push(piece.slice(max_rows, rows - max_rows));
            left.push(piece.slice(0, max_rows));
        } else if rows > 1 && bytes(&piece) > MAX_BYTES {
            let half = rows / 2;
            left.push(piece.slice(half, rows - half));
            left.push(piece.slice(0, half));
        } else if rows > 0 {
            done.push(piece);
        }
    }
    done
}

/// What the rows take, without what else lies in the buffers they were cut from.
fn bytes(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(|column| array_bytes(column)).sum()
}

fn array_bytes(array: &dyn Array) -> usize {
    match array.data_type() {
        DataType::List(_) => list_bytes(array.as_list::<i32>()),
        DataType::LargeList(_) => list_bytes(array.as_list::<i64>()),
        _ => array.to_data().get_slice_memory_size().unwrap_or(0),
    }
}

/// A list that was cut still has all the elements of the one that it was cut from: those of its own rows count.
fn list_bytes<Offset: OffsetSizeTrait>(list: &GenericListArray<Offset>) -> usize {
    let offsets = list.value_offsets();
    let (first, last) = match offsets {
        [first, .., last] => (first.as_usize(), last.as_usize()),
        _ => return 0,
    };
    size_of_val(offsets) + list.len().div_ceil(8) + array_bytes(&list.values().slice(first, last - first))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, ListBuilder, StringArray, StringBuilder};

    use super::*;

    fn texts(sizes: &[usize]) -> RecordBatch {
        let texts: StringArray =
            sizes.iter().enumerate().map(|(n, size)| Some(format!("{n}:{}", "x".repeat(*size)))).collect();
        RecordBatch::try_from_iter([("text", Arc::new(texts) as ArrayRef)]).unwrap()
    }

    fn numbers(pieces: &[RecordBatch]) -> Vec<String> {
        let text = |row: Option<&str>| row.unwrap().split_once(':').unwrap().0.to_owned();
        pieces
            .iter()
            .flat_map(|piece| piece.column(0).as_string::<i32>().iter().map(text).collect::<Vec<_>>())
            .collect()
    }

    #[test]
    fn every_row_comes_once_and_in_order() {
        let sizes: Vec<usize> = (0..1000).map(|n| if n % 100 == 0 { 3 << 20 } else { 10 }).collect();
        let pieces = pieces(&texts(&sizes), 64);
        assert_eq!(numbers(&pieces), (0..1000).map(|n: i32| n.to_string()).collect::<Vec<_>>());
        for piece in &pieces {
            assert!(piece.num_rows() <= 64);
            assert!(bytes(piece) <= MAX_BYTES || piece.num_rows() == 1, "{} rows", piece.num_rows());
        }
    }

    #[test]
    fn lists_are_counted_by_their_own_elements() {
        let mut lists = ListBuilder::new(StringBuilder::new());
        for _ in 0..20_000 {
            lists.append_value([Some("x".repeat(100)), None, Some("y".repeat(100))]);
        }
        let batch = RecordBatch::try_from_iter([("lists", Arc::new(lists.finish()) as ArrayRef)]).unwrap();
        let rows: Vec<usize> = pieces(&batch, 10_000).iter().map(RecordBatch::num_rows).collect();
        assert_eq!(rows.iter().sum::<usize>(), 20_000);
        assert!(rows.iter().all(|rows| (5_000..=10_000).contains(rows)), "{rows:?}");
    }

    #[test]
    fn chunks_are_filled() {
        let rows: Vec<usize> = pieces(&texts(&[1; 25]), 10).iter().map(RecordBatch::num_rows).collect();
        assert_eq!(rows, [10, 10, 5]);
        assert_eq!(pieces(&texts(&[]), 10).len(), 0);
    }
}
