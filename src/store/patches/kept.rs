//! Patches that were read, kept for the next reader.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::overlay::Overlay;
use crate::error::Result;
use crate::manifest::{self, Segment};
use crate::reader::Segments;

/// Bytes of patches that are kept, at most.
const KEPT_BYTES: usize = 128 << 20;

/// Patches of segments that were read: files never change, so neither do they.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<Overlays>);

#[derive(Debug, Default)]
struct Overlays {
    /// By the segment and the ids of its patches.
    known: HashMap<Vec<String>, Arc<Overlay>>,
    bytes: usize,
}

impl Kept {
    fn get(&self, key: &[String]) -> Option<Arc<Overlay>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).known.get(key).cloned()
    }

    fn keep(&self, key: Vec<String>, overlay: &Arc<Overlay>) {
        let bytes = overlay.bytes();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.bytes + bytes > KEPT_BYTES {
            *kept = Overlays::default();
        }
        if bytes <= KEPT_BYTES && kept.known.insert(key, Arc::clone(overlay)).is_none() {
            kept.bytes += bytes;
        }
    }
}

impl Segments {
    /// What patches say of a segment.
    ///
    /// # Errors
    /// [`StoreError::Removed`](crate::StoreError::Removed) when the version is gone;
    /// [`StoreError::Missing`](crate::StoreError::Missing), [`StoreError::Damaged`](crate::StoreError::Damaged) or
    /// [`StoreError::Storage`](crate::StoreError::Storage) when a patch cannot be read.
    pub async fn overlay(&self, segment: &Segment) -> Result<Arc<Overlay>> {
        if segment.patches.is_empty() {
            return Ok(Arc::default());
        }
        let ids = segment.patches.iter().map(|patch| patch.id.clone());
        let key: Vec<String> = std::iter::once(segment.id.clone()).chain(ids).collect();
        if let Some(known) = self.cache.overlays.get(&key) {
            return Ok(known);
        }
        let overlay = match Overlay::load(&self.location, segment).await {
            Ok(overlay) => Arc::new(overlay),
            Err(error) => return Err(manifest::explain(&self.location, self.version, error).await),
        };
        self.cache.overlays.keep(key, &overlay);
        Ok(overlay)
    }
}
