//! The rows of a file that count.

use arrow::array::BooleanBufferBuilder;
use arrow::buffer::BooleanBuffer;
use datafusion::common::{DataFusionError, Result};
use parquet::arrow::arrow_reader::RowSelection;

use spanql_store::{Segment, SegmentFile, Segments};

/// The rows of a file that count, as bits; `None` for all of them.
pub(super) async fn live_rows(
    segments: &Segments,
    segment: &Segment,
    which: SegmentFile,
) -> Result<Option<BooleanBuffer>> {
    let live = segments.live_rows(segment, which).await;
    Ok(live.map_err(|error| DataFusionError::External(Box::new(error)))?.map(|live| bits(&live)))
}

fn bits(live: &RowSelection) -> BooleanBuffer {
    let mut bits = BooleanBufferBuilder::new(0);
    for run in live.iter() {
        bits.append_n(run.row_count, !run.skip);
    }
    bits.finish()
}
