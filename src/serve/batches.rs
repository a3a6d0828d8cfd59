//! Batches cut to what one message may hold.

use arrow::array::{Array, RecordBatch};

/// Bytes that a message holds at most, unless one row alone has more.
const MAX_BYTES: usize = 512 << 10;

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
    batch.columns().iter().map(|column| column.to_data().get_slice_memory_size().unwrap_or(0)).sum()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, AsArray, StringArray};

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
    fn chunks_are_filled() {
        let rows: Vec<usize> = pieces(&texts(&[1; 25]), 10).iter().map(RecordBatch::num_rows).collect();
        assert_eq!(rows, [10, 10, 5]);
        assert_eq!(pieces(&texts(&[]), 10).len(), 0);
    }
}
