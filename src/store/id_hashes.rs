//! Hashes of the trace ids of a segment: a side file that says which segments may hold any of many traces.
//!
//! Bloom filters answer for a few ids. Of thousands, as a slice of a pull brings them, some pass every filter; sorted
//! hashes of 64 bits let hardly any pass, and cost a read of a few hundred kilobytes once.

use std::hash::Hasher;
use std::ops::Range;
use std::sync::Arc;

use twox_hash::XxHash64;

use super::entries::{BundledIds, Segment, SideRef};
use super::error::{Result, StoreError};
use super::folders::IDS;
use super::location::StoreLocation;

/// The kind of these side files: 64-bit xxHashes (seed 0) of the ids of all traces, ascending, little-endian.
pub(crate) const TRACE_IDS: &str = "trace_ids";

/// The hash of an id.
pub(crate) fn hash(id: &str) -> u64 {
    let mut hasher = XxHash64::with_seed(0);
    hasher.write(id.as_bytes());
    hasher.finish()
}

/// Of so many ids, bloom filters still rule a segment out; of more, one or the other passes in every row group.
pub(crate) const BLOOM_IDS: usize = 50;

/// Ids that segments are looked through for.
#[derive(Debug)]
pub(crate) struct SoughtIds<'a> {
    /// Themselves, where they are few enough for bloom filters.
    pub(crate) few: Option<Vec<&'a str>>,
    pub(crate) hashes: IdHashes,
}

impl<'a> SoughtIds<'a> {
    pub(crate) fn of(ids: impl Iterator<Item = &'a str>) -> Self {
        let mut few = Some(Vec::new());
        let mut hashes = IdHashes::default();
        for id in ids {
            if let Some(ids) = &mut few {
                ids.push(id);
            }
            few = few.filter(|ids| ids.len() <= BLOOM_IDS);
            hashes.0.push(hash(id));
        }
        hashes.0.sort_unstable();
        Self { few, hashes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.hashes.0.is_empty()
    }
}

/// Hashes are looked up one by one where the others are so many times as many; else both are gone through.
const FEW: usize = 32;

/// Where the hashes of the ids of a segment lie.
#[derive(Debug)]
pub(crate) struct IdsPlace {
    pub(crate) file: String,
    pub(crate) range: Range<u64>,
    crc32: u32,
}

impl IdsPlace {
    pub(crate) fn of(segment: &Segment) -> Option<Self> {
        if let Some(ids) = segment.bundle.as_ref().and_then(|bundle| bundle.ids) {
            let range = ids.first..ids.first.saturating_add(ids.bytes);
            return Some(Self { file: segment.spans_file(), range, crc32: ids.crc32 });
        }
        let side = segment.side.get(TRACE_IDS)?;
        Some(Self { file: side.file.clone(), range: 0..side.bytes, crc32: side.crc32 })
    }

    /// What the bytes there say; `None` where they are damaged.
    pub(crate) fn read(&self, bytes: &[u8]) -> Option<Arc<IdHashes>> {
        let (hashes, rest) = bytes.as_chunks::<8>();
        let is_whole = rest.is_empty() && bytes.len() as u64 == self.range.end - self.range.start;
        let is_right = is_whole && crc32fast::hash(bytes) == self.crc32;
        is_right.then(|| Arc::new(IdHashes(hashes.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect())))
    }
}

/// Hashes of ids, ascending.
#[derive(Debug, Default)]
pub(crate) struct IdHashes(Vec<u64>);

impl IdHashes {
    pub(crate) fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().copied()
    }

    /// Whether any of them may be among others.
    pub(crate) fn meet(&self, others: &Self) -> bool {
        let (few, many) = if self.0.len() < others.0.len() { (&self.0, &others.0) } else { (&others.0, &self.0) };
        if many.len() / FEW < few.len() {
            // A slice of a pull is held against each segment of its project: to look each hash up takes longer than to go through both.
            let (mut one, mut other) = (0, 0);
            while let (Some(a), Some(b)) = (few.get(one), many.get(other)) {
                if a == b {
                    return true;
                }
                one += usize::from(a < b);
                other += usize::from(a > b);
            }
            return false;
        }
        let mut rest = &many[..];
        few.iter().any(|hash| {
            rest = &rest[rest.partition_point(|other| other < hash)..];
            rest.first() == Some(hash)
        })
    }

    /// Adds ids; they are in order again when they are written.
    pub(crate) fn add<'a>(&mut self, ids: impl Iterator<Item = &'a str>) {
        self.0.extend(ids.map(hash));
    }

    /// The part of a segment of one file that holds them, which begins there.
    pub(crate) fn into_bundle(self, first: u64) -> (BundledIds, Vec<u8>) {
        let bytes = self.into_bytes();
        (BundledIds { first, bytes: bytes.len() as u64, crc32: crc32fast::hash(&bytes) }, bytes)
    }

    fn into_bytes(mut self) -> Vec<u8> {
        self.0.sort_unstable();
        self.0.iter().flat_map(|hash| hash.to_le_bytes()).collect()
    }

    /// The side file of a segment that holds them.
    pub(crate) fn into_side(self, segment_id: &str) -> (SideRef, Vec<u8>) {
        let bytes = self.into_bytes();
        let file = format!("{IDS}/{segment_id}.bin");
        (SideRef { file, bytes: bytes.len() as u64, crc32: crc32fast::hash(&bytes) }, bytes)
    }

    /// Those of a segment; `None` where it has no such file.
    pub(crate) async fn load(location: &StoreLocation, segment: &Segment) -> Result<Option<Arc<Self>>> {
        let Some(place) = IdsPlace::of(segment) else { return Ok(None) };
        let bytes = location.read_range(&place.file, place.range.clone()).await?;
        let damaged = || StoreError::damaged(&place.file, "the checksum of its ids is not the one in the manifest");
        place.read(&bytes).ok_or_else(damaged).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::{IdHashes, SoughtIds};

    #[test]
    fn hashes_meet_where_ids_do() {
        let ids = |range: std::ops::Range<u32>| {
            let ids: Vec<String> = range.map(|n| format!("{n:032x}")).collect();
            SoughtIds::of(ids.iter().map(String::as_str)).hashes
        };
        assert!(ids(0..1000).meet(&ids(999..1001)) && ids(999..1001).meet(&ids(0..1000)));
        assert!(!ids(0..1000).meet(&ids(1000..3000)) && !ids(0..0).meet(&ids(0..5)));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

        #[test]
        fn sorted_hashes_meet_where_sets_do(
            one in prop::collection::btree_set(0..4_000_u64, 0..6), other in prop::collection::btree_set(0..4_000_u64, 0..400),
        ) {
            let hashes = |set: &BTreeSet<u64>| IdHashes(set.iter().copied().collect());
            prop_assert_eq!(hashes(&one).meet(&hashes(&other)), !one.is_disjoint(&other));
            let half: BTreeSet<u64> = other.iter().copied().step_by(2).map(|hash| hash + 1).collect();
            prop_assert_eq!(hashes(&half).meet(&hashes(&other)), !half.is_disjoint(&other));
        }
    }
}
