//! Statistics of segments: one small JSON file each, with the checksums of its two Parquet files and facts about its columns.
//!
//! Parquet files carry no checksum of their own, so each is summed in blocks and every read checks the blocks it
//! touches: a flipped bit is an error that names the file, never an answer.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::block_sums::{BLOCK, BlockSums};
use super::dead_rows::DeadRows;
use super::entries::{Bundle, Segment};
use super::error::{Result, StoreError};
use super::location::StoreLocation;
use spanql_model::types::OpenType;

/// What is known of a segment beside its rows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SegmentStats {
    pub(crate) spans: BlockSums,
    pub(crate) traces: BlockSums,
    /// Columns that hold a value, with how many rows do and one example.
    pub columns: BTreeMap<String, ColumnFacts>,
    /// The same for keys that live in `attributes.rest`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub rest: BTreeMap<String, ColumnFacts>,
    /// Sums of its traces that are null because no Int64 holds them.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub too_large: Vec<TooLarge>,
}

/// A sum of a trace that is null in `traces` because no Int64 holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TooLarge {
    /// Id of the trace.
    pub trace_id: String,
    /// Name of the column of `traces`.
    pub column: String,
}

/// Facts about one column of one segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnFacts {
    /// Type of the values, for open columns.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub open: Option<OpenType>,
    /// Rows that have a value.
    pub filled: u64,
    /// The first value in row order as text, cut to a few dozen characters.
    pub example: String,
    /// All values, sorted, of a column of texts that has few and short ones; empty for every other column.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub values: Vec<String>,
}

impl SegmentStats {
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|error| StoreError::Internal(format!("card does not encode: {error}")))
    }

    pub(crate) async fn load(location: &StoreLocation, segment: &Segment) -> Result<Self> {
        if let Some(bundle) = &segment.bundle {
            let file = segment.stats_file();
            let whole = CheckedFile::whole(location, file, segment.bytes, bundle.sums.clone());
            return Self::load_from(&whole, bundle, segment).await;
        }
        Self::parse(&location.read(&segment.stats_file()).await?, segment)
    }

    /// The statistics of a segment that is one file.
    pub(crate) async fn load_from(whole: &CheckedFile, bundle: &Bundle, segment: &Segment) -> Result<Self> {
        let bytes = whole.range(bundle.stats..bundle.stats.saturating_add(bundle.stats_bytes)).await?;
        Self::parse(&bytes, segment)
    }

    fn parse(bytes: &[u8], segment: &Segment) -> Result<Self> {
        let file = segment.stats_file();
        if crc32fast::hash(bytes) != segment.stats_crc32 {
            return Err(StoreError::damaged(file, "its checksum is not the one in the manifest"));
        }
        serde_json::from_slice(bytes).map_err(|error| StoreError::damaged(file, error))
    }

    /// The facts without what counts no more.
    pub(crate) fn without(&self, dead: &DeadRows) -> Self {
        let mut stats = self.clone();
        for (name, facts) in stats.columns.iter_mut().chain(&mut stats.rest) {
            facts.filled = facts.filled.saturating_sub(dead.filled.get(name).copied().unwrap_or(0));
            if dead.examples.contains(name) {
                facts.example.clear();
            }
        }
        stats.columns.retain(|_, facts| facts.filled > 0);
        stats.rest.retain(|_, facts| facts.filled > 0);
        stats
    }
}

/// A Parquet file of a segment, or that part of a file which is one, read with every block checked.
#[derive(Debug, Clone)]
pub(crate) struct CheckedFile {
    pub(crate) location: StoreLocation,
    pub(crate) file: String,
    /// Its first byte in the file.
    start: u64,
    /// Its bytes.
    pub(crate) size: u64,
    /// Bytes of the file, of whose blocks these are the sums.
    whole: u64,
    sums: BlockSums,
    /// All of the file, where it was read and checked before.
    held: Option<Bytes>,
}

impl CheckedFile {
    pub(crate) fn whole(location: &StoreLocation, file: String, size: u64, sums: BlockSums) -> Self {
        Self { location: location.clone(), file, start: 0, size, whole: size, sums, held: None }
    }

    /// The same, of which the whole file was read and checked.
    pub(crate) fn held(self, bytes: Bytes) -> Self {
        Self { held: Some(bytes), ..self }
    }

    /// A part of the file.
    pub(crate) fn part(self, start: u64, size: u64) -> Self {
        Self { start, size, ..self }
    }

    /// The whole file.
    pub(crate) async fn bytes(&self) -> Result<Bytes> {
        self.range(0..self.size).await
    }

    /// A range of the file.
    pub(crate) async fn range(&self, range: Range<u64>) -> Result<Bytes> {
        if range.end > self.size || range.start > range.end {
            return Err(StoreError::damaged(&self.file, format!("it points at bytes {range:?} of {}", self.size)));
        }
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let range = self.start + range.start..self.start + range.end;
        let first = range.start / BLOCK;
        let blocks = first * BLOCK..(range.end.div_ceil(BLOCK) * BLOCK).min(self.whole);
        if range.end > blocks.end {
            return Err(StoreError::damaged(&self.file, format!("it points at bytes {range:?} of {}", self.whole)));
        }
        if let Some(held) = &self.held {
            return Ok(held.slice(range.start as usize..range.end as usize));
        }
        let bytes = self.location.read_range(&self.file, blocks.clone()).await?;
        self.check(first as usize, blocks.end - blocks.start, &bytes)?;
        let start = (range.start - blocks.start) as usize;
        Ok(bytes.slice(start..start + (range.end - range.start) as usize))
    }

    /// Several ranges, read together where they lie close.
    pub(crate) async fn ranges(&self, ranges: Vec<Range<u64>>) -> Result<Vec<Bytes>> {
        let Some(start) = ranges.iter().map(|range| range.start).min() else { return Ok(Vec::new()) };
        let end = ranges.iter().map(|range| range.end).max().unwrap_or(start);
        let wanted: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        if end - start <= wanted + 4 * BLOCK {
            let bytes = self.range(start..end).await?;
            return Ok(ranges
                .iter()
                .map(|range| bytes.slice((range.start - start) as usize..(range.end - start) as usize))
                .collect());
        }
        futures::future::try_join_all(ranges.into_iter().map(|range| self.range(range))).await
    }

    fn check(&self, first: usize, expected: u64, bytes: &[u8]) -> Result<()> {
        if bytes.len() as u64 != expected {
            return Err(StoreError::damaged(&self.file, format!("cut: {} bytes where {expected} were", bytes.len())));
        }
        for (number, block) in bytes.chunks(BLOCK as usize).enumerate() {
            if self.sums.get(first + number) != Some(crc32fast::hash(block)) {
                let at = (first + number) as u64 * BLOCK;
                return Err(StoreError::damaged(&self.file, format!("checksum does not match at byte {at}")));
            }
        }
        Ok(())
    }
}
