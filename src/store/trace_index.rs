//! Which of its traces a segment holds where.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, AsArray, StringArray};
use arrow::datatypes::Int64Type;

use super::dead_rows::DeadRows;
use super::entries::{Segment, SegmentFile};
use super::error::{Result, StoreError};
use super::id_hashes::IdHashes;
use super::reader::Segments;
use super::stored::{AlignedGroups, cut_aligned_groups};

/// Which traces a segment holds, and in which runs of row groups.
#[derive(Debug)]
pub(crate) struct TraceIndex {
    /// Of all its traces, whether they count or not.
    pub(crate) trace_ids: StringArray,
    /// The first row of each trace, and behind them how many rows there are.
    pub(crate) first_rows: Vec<usize>,
    pub(crate) aligned_groups: Vec<AlignedGroups>,
    /// What counts no more.
    pub(crate) dead: Arc<DeadRows>,
}

impl TraceIndex {
    /// The ids of the traces that count, with their numbers.
    pub(crate) fn live(&self) -> impl Iterator<Item = (usize, &str)> {
        let live = (0..self.trace_ids.len()).filter(|&trace| !self.dead.traces.contains(trace));
        live.map(|trace| (trace, self.trace_ids.value(trace)))
    }

    /// The rows of a trace.
    pub(crate) fn rows(&self, trace: usize) -> Range<usize> {
        self.first_rows[trace]..self.first_rows[trace + 1]
    }
}

impl Segments {
    /// The trace index of a segment that may hold any of the given traces; `None` when hashes
    /// of its ids, or its bloom filters, rule them out.
    pub(crate) async fn trace_index(
        &self,
        segment: &Segment,
        ids: &[&str],
        hashes: &IdHashes,
    ) -> Result<Option<TraceIndex>> {
        let may_hold = match self.cache.ids(&self.location, segment).await? {
            Some(known) => known.meet(hashes),
            None => self.may_hold(segment, SegmentFile::Traces, "trace_id", ids).await?,
        };
        if !may_hold {
            return Ok(None);
        }
        let summaries = self.read(segment, SegmentFile::Traces, &["trace_id", "span_count"], None).await?;
        let metadata = self.reader(segment, SegmentFile::Spans).metadata().await?;
        let aligned_groups = cut_aligned_groups(segment, &summaries, &metadata)?;
        let damaged = || StoreError::damaged(segment.traces_file(), "no column trace_id");
        let trace_ids = summaries.column_by_name("trace_id").ok_or_else(damaged)?;
        let counts = summaries.column_by_name("span_count").and_then(|counts| counts.as_primitive_opt::<Int64Type>());
        let mut first_rows = vec![0];
        for count in counts.iter().flat_map(|counts| counts.iter()) {
            first_rows.push(first_rows.last().unwrap_or(&0) + count.unwrap_or(0) as usize);
        }
        Ok(Some(TraceIndex {
            trace_ids: trace_ids.as_string_opt::<i32>().ok_or_else(damaged)?.clone(),
            first_rows,
            aligned_groups,
            dead: self.dead(segment).await?,
        }))
    }
}
