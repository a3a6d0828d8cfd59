//! Tombstones: spans that were deleted and stay deleted when they arrive again.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::error::Result;
use super::files::WrittenFile;
use super::folders::TOMBSTONES;
use super::location::StoreLocation;
use super::manifest::{FileRef, Manifest};
use super::merge::Deleted;
use super::metadata_file;

/// All deleted spans of a store: trace ids to span ids, by project.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tombstones(BTreeMap<String, BTreeMap<String, BTreeSet<String>>>);

impl Tombstones {
    pub(crate) async fn load(location: &StoreLocation, manifest: &Manifest) -> Result<Self> {
        match &manifest.tombstones {
            Some(reference) => metadata_file::load(location, TOMBSTONES, reference).await,
            None => Ok(Self::default()),
        }
    }

    pub(crate) async fn save(&self, location: &StoreLocation, id: String) -> Result<(FileRef, WrittenFile)> {
        metadata_file::save(location, TOMBSTONES, id, self).await
    }

    pub(crate) fn add(&mut self, project: &str, trace_id: String, span_id: String) {
        self.0.entry(project.to_owned()).or_default().entry(trace_id).or_default().insert(span_id);
    }

    /// The projects that have deleted spans, sorted.
    pub(crate) fn projects(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    pub(crate) fn remove(&mut self, project: &str, spans: &Deleted) {
        let Some(traces) = self.0.get_mut(project) else { return };
        for (trace_id, span_id) in spans {
            if let Some(of_trace) = traces.get_mut(trace_id) {
                of_trace.remove(span_id);
                if of_trace.is_empty() {
                    traces.remove(trace_id);
                }
            }
        }
        if traces.is_empty() {
            self.0.remove(project);
        }
    }

    /// The deleted spans of one project; `None` when there are none.
    pub(crate) fn of(&self, project: &str) -> Option<Deleted> {
        let traces = self.0.get(project)?;
        let pairs = traces.iter().flat_map(|(trace, spans)| spans.iter().map(|span| (trace.clone(), span.clone())));
        Some(pairs.collect())
    }
}
