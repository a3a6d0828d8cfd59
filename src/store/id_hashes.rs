//! Hashes of the trace ids of a segment: a side file that says which segments may hold any of many traces.
//!
//! Bloom filters answer for a few ids. Of thousands, as a slice of a pull brings them, some pass every filter; sorted
//! hashes of 64 bits let hardly any pass, and cost a read of a few hundred kilobytes once.

use std::hash::Hasher;
use std::sync::Arc;

use twox_hash::XxHash64;

use super::entries::{Segment, SideRef};
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

    /// The side file of a segment that holds them.
    pub(crate) fn into_side(mut self, segment_id: &str) -> (SideRef, Vec<u8>) {
        self.0.sort_unstable();
        let bytes: Vec<u8> = self.0.iter().flat_map(|hash| hash.to_le_bytes()).collect();
        let file = format!("{IDS}/{segment_id}.bin");
        (SideRef { file, bytes: bytes.len() as u64, crc32: crc32fast::hash(&bytes) }, bytes)
    }

    /// Those of a segment; `None` where it has no such file.
    pub(crate) async fn load(location: &StoreLocation, segment: &Segment) -> Result<Option<Arc<Self>>> {
        let Some(side) = segment.side.get(TRACE_IDS) else { return Ok(None) };
        let bytes = location.read(&side.file).await?;
        if bytes.len() as u64 != side.bytes || crc32fast::hash(&bytes) != side.crc32 {
            return Err(StoreError::damaged(&side.file, "its checksum is not the one in the manifest"));
        }
        let (hashes, rest) = bytes.as_chunks::<8>();
        if !rest.is_empty() {
            return Err(StoreError::damaged(&side.file, "it is cut"));
        }
        Ok(Some(Arc::new(Self(hashes.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect()))))
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
