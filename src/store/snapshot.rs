//! One version of a store: its segments, its ledger, and what is known of its columns without reading spans.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};

use super::error::Result;
#[cfg(doc)]
use super::error::StoreError;
use super::ledger::Ledger;
use super::manifest::{Manifest, Segment};
use super::merge::Deleted;
use super::reader::Segments;
use super::segment::unite;
use super::segment_stats::{SegmentStats, TooLarge};
use super::tombstones::Tombstones;
use super::versions;

/// Footers that are read at the same time.
const FOOTERS: usize = 8;

/// One version of a store: what it reads never changes.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// What the version holds.
    pub manifest: Arc<Manifest>,
    /// Access to its segments.
    pub segments: Segments,
}

impl Snapshot {
    /// The (trace id, span id) of the spans of a project that have one of the given span ids.
    pub(crate) async fn find_spans(&self, project: &str, span_ids: &[&str]) -> Result<Deleted> {
        let mut lookups = Vec::new();
        for segment in self.manifest.segments.iter().filter(|segment| segment.project == project) {
            lookups.push(self.segments.find_spans(segment, span_ids));
        }
        let mut found = stream::iter(lookups).buffer_unordered(FOOTERS);
        let mut spans = Deleted::new();
        while let Some(more) = found.try_next().await? {
            spans.extend(more);
        }
        Ok(spans)
    }

    /// The projects in which spans are deleted and stay deleted when they arrive again.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::Damaged`] or [`StoreError::Storage`] when that cannot be read.
    pub async fn projects_with_deletions(&self) -> Result<Vec<String>> {
        Ok(Tombstones::load(&self.segments.location, &self.manifest).await?.projects())
    }

    /// The spans that are deleted and stay deleted when they arrive again, as project, trace id and span id, sorted.
    ///
    /// # Errors
    /// As [`projects_with_deletions`](Self::projects_with_deletions).
    pub async fn deleted_spans(&self) -> Result<Vec<(String, String, String)>> {
        let tombstones = Tombstones::load(&self.segments.location, &self.manifest).await?;
        let mut deleted = Vec::new();
        for project in tombstones.projects() {
            let of = tombstones.of(&project).unwrap_or_default().into_iter();
            deleted.extend(of.map(|(trace, span)| (project.clone(), trace, span)));
        }
        deleted.sort_unstable();
        Ok(deleted)
    }

    /// The pull ledger of the version: what was pulled into it, and what is missing.
    ///
    /// # Errors
    /// [`StoreError::Removed`] when the version is gone; [`StoreError::Missing`], [`StoreError::Damaged`] or
    /// [`StoreError::Storage`] when its file cannot be read.
    pub async fn ledger(&self) -> Result<Ledger> {
        let Segments { location, version, .. } = &self.segments;
        match Ledger::load(location, &self.manifest).await {
            Ok(ledger) => Ok(ledger),
            Err(error) => Err(versions::explain(location, *version, error).await),
        }
    }

    /// Sums of traces of one project, or of all, that are null because no Int64 holds them.
    ///
    /// # Errors
    /// [`StoreError::Removed`] when the version is gone; [`StoreError::Missing`], [`StoreError::Damaged`] or
    /// [`StoreError::Storage`] when a segment's facts cannot be read.
    pub async fn too_large(&self, project: Option<&str>) -> Result<Vec<TooLarge>> {
        let mut found = Vec::new();
        for segment in self.manifest.segments.iter().filter(|segment| segment.too_large > 0) {
            if project.is_none_or(|project| segment.project == project) {
                let stats = self.segments.stats(segment).await?;
                let live = self.segments.live_trace_ids(segment).await?;
                let counts = |sum: &&TooLarge| live.as_ref().is_none_or(|live| live.contains(&sum.trace_id));
                found.extend(stats.too_large.iter().filter(counts).cloned());
            }
        }
        Ok(found)
    }

    /// Facts about the columns of each segment.
    pub async fn segment_stats(&self) -> Result<Vec<(&Segment, Arc<SegmentStats>)>> {
        let mut reads = Vec::with_capacity(self.manifest.segments.len());
        for segment in &self.manifest.segments {
            reads.push(async move { Ok((segment, self.segments.stats(segment).await?)) });
        }
        stream::iter(reads).buffered(FOOTERS).try_collect().await
    }

    /// How many bytes of each column of a project's spans are read together, at most.
    pub async fn chunk_bytes(&self, project: &str) -> Result<HashMap<String, u64>> {
        let mut largest: HashMap<String, u64> = HashMap::new();
        let segments = self.manifest.segments.iter().filter(|segment| segment.project == project);
        let mut chunks =
            stream::iter(segments.map(|segment| self.segments.chunk_bytes(segment))).buffer_unordered(FOOTERS);
        while let Some(of_segment) = chunks.try_next().await? {
            for (column, bytes) in of_segment {
                let most = largest.entry(column).or_default();
                *most = bytes.max(*most);
            }
        }
        Ok(largest)
    }

    /// All values of the columns that have few, by name, from what was noted when the segments were written; those of
    /// one project, or of all.
    ///
    /// # Errors
    /// [`StoreError::Removed`] when the version is gone; [`StoreError::Missing`], [`StoreError::Damaged`] or
    /// [`StoreError::Storage`] when a segment's facts cannot be read.
    pub async fn few_values(&self, project: Option<&str>) -> Result<BTreeMap<String, Vec<String>>> {
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (segment, stats) in self.segment_stats().await? {
            if project.is_some_and(|project| segment.project != project) {
                continue;
            }
            for (name, facts) in &stats.columns {
                match found.entry(name.clone()) {
                    Entry::Occupied(mut known) => unite(known.get_mut(), facts.values.clone()),
                    Entry::Vacant(new) => drop(new.insert(facts.values.clone())),
                }
            }
        }
        found.retain(|_, values| !values.is_empty());
        Ok(found)
    }
}
