//! What is kept of segments that were opened: their files never change.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use parquet::file::metadata::ParquetMetaData;

use super::column_cache::ColumnCache;
use super::dead_rows::DeadRows;
use super::entries::{Segment, SegmentFile};
use super::error::Result;
use super::id_hashes::{IdHashes, IdsPlace};
use super::kept::Kept;
use super::location::StoreLocation;
use super::patches::Overlay;
use super::segment_stats::{CheckedFile, SegmentStats};
use super::stored::{checked_bundle, dead_rows};
use super::text_index::TextIndex;
use super::trace_rows::TraceRows;

/// What is kept of segments that were opened.
#[derive(Debug)]
pub(crate) struct Cache {
    segment_stats: Mutex<HashMap<String, Arc<SegmentStats>>>,
    footers: Mutex<HashMap<(String, SegmentFile), Arc<ParquetMetaData>>>,
    /// By the ids of their files.
    dead: Mutex<HashMap<String, Arc<DeadRows>>>,
    ids: Mutex<HashMap<String, Arc<IdHashes>>>,
    /// By the segment and the ids of its patches.
    pub(crate) overlays: Kept<Vec<String>, Arc<Overlay>>,
    pub(crate) traces: Kept<String, Arc<TraceRows>>,
    /// Segments of one file, whole: they are small, and whoever opens one reads most of it.
    bundles: Kept<String, Bytes>,
    texts: Kept<String, Arc<TextIndex>>,
    pub(crate) columns: ColumnCache,
}

/// Bytes that are kept of patches, of ids of traces, and of segments of one file, at most.
const KEPT_OVERLAYS: usize = 128 << 20;
const KEPT_TRACES: usize = 64 << 20;
const KEPT_BUNDLES: usize = 32 << 20;
/// The same of indexes of texts.
const KEPT_TEXTS: usize = 128 << 20;

impl Default for Cache {
    fn default() -> Self {
        Self {
            segment_stats: Mutex::default(),
            footers: Mutex::default(),
            dead: Mutex::default(),
            ids: Mutex::default(),
            overlays: Kept::new(KEPT_OVERLAYS),
            traces: Kept::new(KEPT_TRACES),
            bundles: Kept::new(KEPT_BUNDLES),
            texts: Kept::new(KEPT_TEXTS),
            columns: ColumnCache::default(),
        }
    }
}

/// Segments of which something is kept, at most: those of a store that is written all day come and go.
const KEPT: usize = 4096;

fn keep<K: std::hash::Hash + Eq, V>(kept: &Mutex<HashMap<K, V>>, key: K, value: V) {
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.len() >= KEPT {
        kept.clear();
    }
    kept.insert(key, value);
}

impl Cache {
    pub(crate) async fn stats(&self, location: &StoreLocation, segment: &Segment) -> Result<Arc<SegmentStats>> {
        if let Some(stats) = self.segment_stats.lock().unwrap_or_else(PoisonError::into_inner).get(&segment.id) {
            return Ok(Arc::clone(stats));
        }
        let stats = Arc::new(match (self.bundle(location, segment, SegmentFile::Spans).await?, &segment.bundle) {
            (Some(whole), Some(bundle)) => SegmentStats::load_from(&whole, bundle, segment).await?,
            _ => SegmentStats::load(location, segment).await?,
        });
        keep(&self.segment_stats, segment.id.clone(), Arc::clone(&stats));
        Ok(stats)
    }

    pub(crate) async fn dead(&self, location: &StoreLocation, segment: &Segment) -> Result<Arc<DeadRows>> {
        let file = segment.deletions.as_ref().and_then(|deletions| deletions.file.as_ref());
        let Some(file) = file else { return dead_rows(location, segment).await };
        if let Some(dead) = self.dead.lock().unwrap_or_else(PoisonError::into_inner).get(&file.id) {
            return Ok(Arc::clone(dead));
        }
        let dead = dead_rows(location, segment).await?;
        keep(&self.dead, file.id.clone(), Arc::clone(&dead));
        Ok(dead)
    }

    /// Reads the ids of the traces of small segments, each a few bytes of a file on a disk, in one step: to look into them one
    /// by one takes longer. What cannot be read so is read, or refused, when it is asked for.
    pub(crate) async fn read_ids(&self, location: &StoreLocation, segments: &[&Segment]) -> Result<()> {
        let is_new = |segment: &&&Segment| {
            let known = self.ids.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&segment.id);
            segment.bundle.is_some() && !known && self.traces.get(segment.id.as_str()).is_none()
        };
        let places: Vec<(&str, IdsPlace)> = segments
            .iter()
            .filter(is_new)
            .filter_map(|segment| Some((segment.id.as_str(), IdsPlace::of(segment)?)))
            .collect();
        let ranges = places.iter().map(|(_, place)| (place.file.clone(), place.range.clone())).collect();
        let read = location.read_plain_ranges(ranges).await?;
        for ((id, place), bytes) in places.iter().zip(read) {
            if let Some(ids) = bytes.and_then(|bytes| place.read(&bytes)) {
                keep(&self.ids, (*id).to_owned(), ids);
            }
        }
        Ok(())
    }

    pub(crate) async fn ids(&self, location: &StoreLocation, segment: &Segment) -> Result<Option<Arc<IdHashes>>> {
        if let Some(ids) = self.ids.lock().unwrap_or_else(PoisonError::into_inner).get(&segment.id) {
            return Ok(Some(Arc::clone(ids)));
        }
        let ids = IdHashes::load(location, segment).await?;
        if let Some(ids) = &ids {
            keep(&self.ids, segment.id.clone(), Arc::clone(ids));
        }
        Ok(ids)
    }

    pub(crate) async fn texts(&self, location: &StoreLocation, segment: &Segment) -> Result<Option<Arc<TextIndex>>> {
        if let Some(texts) = self.texts.get(segment.id.as_str()) {
            return Ok(Some(texts));
        }
        let texts = TextIndex::load(location, segment).await?;
        if let Some(texts) = &texts {
            self.texts.keep(segment.id.clone(), texts, texts.bytes());
        }
        Ok(texts)
    }

    /// One of the Parquet files of a segment that is one file.
    pub(crate) async fn bundle(
        &self,
        location: &StoreLocation,
        segment: &Segment,
        which: SegmentFile,
    ) -> Result<Option<CheckedFile>> {
        let Some(file) = checked_bundle(location, segment, which) else { return Ok(None) };
        if let Some(bytes) = self.bundles.get(segment.id.as_str()) {
            return Ok(Some(file.held(bytes)));
        }
        let Some(whole) = checked_bundle(location, segment, SegmentFile::Spans) else { return Ok(None) };
        let bytes = whole.bytes().await?;
        self.bundles.keep(segment.id.clone(), &bytes, bytes.len());
        Ok(Some(file.held(bytes)))
    }

    pub(crate) fn footer(&self, key: &(String, SegmentFile)) -> Option<Arc<ParquetMetaData>> {
        self.footers.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    pub(crate) fn keep_footer(&self, key: (String, SegmentFile), footer: &Arc<ParquetMetaData>) {
        keep(&self.footers, key, Arc::clone(footer));
    }
}
