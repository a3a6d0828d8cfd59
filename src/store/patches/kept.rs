//! Patches that were read, kept for the next reader.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::overlay::Overlay;

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
    pub(super) fn get(&self, key: &[String]) -> Option<Arc<Overlay>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).known.get(key).cloned()
    }

    pub(super) fn keep(&self, key: Vec<String>, overlay: &Arc<Overlay>) {
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
