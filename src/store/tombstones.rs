//! Tombstones: spans that were deleted and stay deleted when they arrive again.

use std::collections::{BTreeMap, BTreeSet};

use object_store::ObjectStoreExt;
use serde::{Deserialize, Serialize};

use super::error::{Result, StoreError};
use super::manifest::{FileRef, Manifest};
use super::merge::Deleted;
use super::place::Place;
use super::segment::new_id;

/// All deleted spans of a store: trace ids to span ids, by project.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tombstones(BTreeMap<String, BTreeMap<String, BTreeSet<String>>>);

impl Tombstones {
    pub(crate) async fn load(place: &Place, manifest: &Manifest) -> Result<Self> {
        let Some(reference) = &manifest.tombstones else { return Ok(Self::default()) };
        let file = file_of(reference);
        let get = async { place.objects.get(&place.path(&file)).await?.bytes().await };
        let bytes = get.await.map_err(|error| StoreError::storage(&file, error))?;
        if crc32fast::hash(&bytes) != reference.crc32 {
            return Err(StoreError::damaged(file, "its checksum is not the one in the manifest"));
        }
        serde_json::from_slice(&bytes).map_err(|error| StoreError::damaged(file, error))
    }

    pub(crate) async fn save(&self, place: &Place) -> Result<FileRef> {
        let bytes = serde_json::to_vec(self)
            .map_err(|error| StoreError::Internal(format!("tombstones do not encode: {error}")))?;
        let reference = FileRef { id: new_id(), crc32: crc32fast::hash(&bytes) };
        place.put(&file_of(&reference), bytes.into()).await?;
        Ok(reference)
    }

    pub(crate) fn add(&mut self, project: &str, trace_id: String, span_id: String) {
        self.0.entry(project.to_owned()).or_default().entry(trace_id).or_default().insert(span_id);
    }

    /// The deleted spans of one project; `None` when there are none.
    pub(crate) fn of(&self, project: &str) -> Option<Deleted> {
        let traces = self.0.get(project)?;
        let pairs = traces.iter().flat_map(|(trace, spans)| spans.iter().map(|span| (trace.clone(), span.clone())));
        Some(pairs.collect())
    }
}

pub(crate) fn file_of(reference: &FileRef) -> String {
    format!("tombstones/{}.json", reference.id)
}
