//! Which of its traces a segment holds where.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int64Type;

use super::dead_rows::DeadRows;
use super::entries::{Segment, SegmentFile};
use super::error::{Result, StoreError};
use super::id_hashes::SoughtIds;
use super::reader::Segments;
use super::stored::{AlignedGroups, cut_aligned_groups};
use super::trace_rows::TraceRows;

/// Which traces a segment holds, and where.
#[derive(Debug)]
pub(crate) struct TraceIndex {
    /// All its traces, whether they count or not.
    pub(crate) traces: Arc<TraceRows>,
    /// What counts no more.
    pub(crate) dead: Arc<DeadRows>,
    /// Those that may be among the ones that were asked for, by their numbers; `None` where all may.
    likely: Option<Vec<usize>>,
}

impl TraceIndex {
    /// The ids of the traces that count, with their numbers.
    pub(crate) fn live(&self) -> impl Iterator<Item = (usize, &str)> {
        let live = (0..self.traces.ids.len()).filter(|&trace| !self.dead.traces.contains(trace));
        live.map(|trace| (trace, self.traces.ids.value(trace)))
    }

    /// The same of those that may be among the ones that were asked for.
    pub(crate) fn likely(&self) -> impl Iterator<Item = (usize, &str)> {
        let all = self.likely.is_none().then(|| self.live());
        let some = self.likely.iter().flatten().copied().filter(|&trace| !self.dead.traces.contains(trace));
        all.into_iter().flatten().chain(some.map(|trace| (trace, self.traces.ids.value(trace))))
    }

    /// The rows of a trace.
    pub(crate) fn rows(&self, trace: usize) -> Range<usize> {
        self.traces.rows(trace)
    }
}

impl Segments {
    /// The trace index of a segment that may hold any of the given traces; `None` when hashes of its ids, or its bloom
    /// filters, rule them out.
    pub(crate) async fn trace_index(&self, segment: &Segment, ids: &SoughtIds<'_>) -> Result<Option<TraceIndex>> {
        if let Some(traces) = self.cache.traces.get(segment.id.as_str()) {
            let likely = traces.with_hashes(&ids.hashes);
            if likely.is_empty() {
                return Ok(None);
            }
            return Ok(Some(TraceIndex { traces, dead: self.dead(segment).await?, likely: Some(likely) }));
        }
        let may_hold = match (self.cache.ids(&self.location, segment).await?, &ids.few) {
            (Some(known), _) => known.meet(&ids.hashes),
            // Of a small one, all of them are read as soon as its filters.
            (None, Some(few)) if segment.bundle.is_none() => {
                self.may_hold(segment, SegmentFile::Traces, "trace_id", few).await?
            }
            (None, _) => true,
        };
        if !may_hold {
            return Ok(None);
        }
        let traces = self.traces(segment).await?;
        Ok(Some(TraceIndex { traces, dead: self.dead(segment).await?, likely: None }))
    }

    /// The traces of a segment, kept for the next commit.
    async fn traces(&self, segment: &Segment) -> Result<Arc<TraceRows>> {
        let summaries = self.read(segment, SegmentFile::Traces, &["trace_id", "span_count"], None).await?;
        let damaged = |what: &str| StoreError::damaged(segment.traces_file(), format!("no column {what}"));
        let ids = summaries.column_by_name("trace_id").and_then(|ids| ids.as_string_opt::<i32>());
        let counts = summaries.column_by_name("span_count").and_then(|counts| counts.as_primitive_opt::<Int64Type>());
        let counts = counts.ok_or_else(|| damaged("span_count"))?;
        let spans = counts.iter().map(|count| u64::try_from(count.unwrap_or(0)).unwrap_or(0));
        let traces = TraceRows::new(ids.ok_or_else(|| damaged("trace_id"))?.clone(), spans);
        if traces.rows_in_all() != segment.rows_in_file() || traces.ids.len() as u64 != segment.traces_in_file() {
            return Err(StoreError::damaged(segment.traces_file(), "span counts do not match the segment"));
        }
        let traces = Arc::new(traces);
        self.cache.traces.keep(segment.id.clone(), &traces, traces.bytes());
        Ok(traces)
    }

    /// The segment cut into runs of row groups that hold whole traces.
    pub(crate) async fn aligned_groups(&self, segment: &Segment) -> Result<Vec<AlignedGroups>> {
        let summaries = self.read(segment, SegmentFile::Traces, &["span_count"], None).await?;
        let metadata = self.reader(segment, SegmentFile::Spans).metadata().await?;
        cut_aligned_groups(segment, &summaries, &metadata)
    }
}
