//! Pulls and their slices, as they are remembered.

use serde::{Deserialize, Serialize};

use super::super::error::Result;
use super::super::files::WrittenFile;
use super::super::folders::LEDGER;
use super::super::ids::new_id;
use super::super::location::StoreLocation;
use super::super::manifest::{FileRef, Manifest};
use super::super::metadata_file;
use super::imports::FileImport;
use super::retained::Retained;
use spanql_model::window::{Window, united, without};

/// From where to where spans are pulled: what is known of one key says nothing of another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PullKey {
    /// The kind of remote: `arize`, `phoenix` or `opik`.
    pub source: String,
    /// The host, with its port where that is not the usual one; never a key.
    pub remote: String,
    /// The space of the project, where the remote has spaces.
    pub space: Option<String>,
    /// The project as the remote names it.
    pub project: String,
    /// The project in the store.
    pub into: String,
}

/// Which spans of a window a pull asks for, and which of their columns; all of both by default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Projection {
    /// Only spans that match this filter, in words that are the same for the same filter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Only these columns; their order means nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    /// Only this share of the traces; 1 is the same as none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample_rate: Option<f64>,
}

/// One pull: what it asked for, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pull {
    /// Its id, see [`Pull::new`].
    pub id: String,
    /// From where to where it pulls.
    pub key: PullKey,
    /// When it was started first, ms since the epoch, UTC.
    pub started: i64,
    /// The times it asked for.
    pub window: Window,
    /// Which spans of them.
    #[serde(flatten)]
    pub projection: Projection,
    /// At most so many spans.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// What landed, in the order of recording.
    pub slices: Vec<Slice>,
    /// Why it ended early.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When it ended, ms since the epoch, UTC; not set while it runs, or if it was killed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<i64>,
}

/// A part of a pull's window that landed in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// The times of it.
    pub window: Window,
    /// Spans that the remote announced for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced: Option<u64>,
    /// Spans that came.
    pub received: u64,
    /// Spans of it that the store holds now, each counted once.
    pub stored: u64,
    /// Those of them that the store did not hold before.
    pub new: u64,
    /// Those that it held with other values.
    pub updated: u64,
    /// When it was committed, ms since the epoch, UTC.
    pub landed: i64,
    /// How many slices this one stands for: those of a complete pull are joined.
    pub parts: u64,
}

/// What became of a pull.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Everything it asked for landed, which may be the spans that match a filter.
    Complete,
    /// It asked for a part of the spans only, and that landed.
    Sampled,
    /// Something it asked for is missing.
    Incomplete,
}

impl Status {
    /// The word for it in the table `pulls`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Sampled => "sampled",
            Self::Incomplete => "incomplete",
        }
    }
}

impl Projection {
    /// The share of the traces, when it is less than all.
    pub(super) fn share(&self) -> Option<f64> {
        self.sample_rate.filter(|rate| *rate < 1.0)
    }

    /// Whether whoever asked for this got everything that whoever asks for the other wants.
    pub fn includes(&self, other: &Self) -> bool {
        let columns = match (&self.columns, &other.columns) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(own), Some(others)) => others.iter().all(|column| own.contains(column)),
        };
        columns
            && (self.filter.is_none() || self.filter == other.filter)
            && (self.share().is_none() || self.share() == other.share())
    }

    /// Whether both ask for the same.
    pub fn is_same(&self, other: &Self) -> bool {
        self.includes(other) && other.includes(self)
    }

    /// Whether every span is wanted as a whole, if maybe of a share of the traces only.
    pub(super) fn is_whole(&self) -> bool {
        self.filter.is_none() && self.columns.is_none()
    }

    /// The same without taking a sample.
    pub(super) fn unsampled(&self) -> Self {
        Self { sample_rate: None, ..self.clone() }
    }
}

impl Slice {
    /// A slice that is about to be committed, which fills in the rest.
    pub fn new(window: Window, announced: Option<u64>, received: u64) -> Self {
        Self { window, announced, received, stored: 0, new: 0, updated: 0, landed: 0, parts: 1 }
    }

    /// Whether another number of spans came than was announced: then it does not count as landed.
    pub fn is_short(&self) -> bool {
        self.announced.is_some_and(|announced| announced != self.received)
    }
}

impl Pull {
    /// A pull of everything in a window that starts now, under an id that no other has.
    pub fn new(key: PullKey, window: Window) -> Self {
        Self {
            id: new_id(),
            key,
            started: now(),
            window,
            projection: Projection::default(),
            limit: None,
            slices: Vec::new(),
            error: None,
            finished: None,
        }
    }

    /// The times for which it got all it asked for, sorted and apart from each other.
    pub fn landed(&self) -> Vec<Window> {
        united(self.slices.iter().filter(|slice| !slice.is_short()).map(|slice| slice.window))
    }

    /// The times it still has to ask for, sorted and apart from each other.
    pub fn remaining(&self) -> Vec<Window> {
        without(&[self.window], &self.landed())
    }

    /// Whether it asked for a part of the spans only: for some at most, or for a share of the traces.
    pub fn is_sample(&self) -> bool {
        self.limit.is_some() || self.projection.share().is_some()
    }

    /// What became of it.
    pub fn status(&self) -> Status {
        let all = self.remaining().is_empty();
        // A limit may be reached before the end of the window.
        let enough = self.limit.is_some() && self.error.is_none();
        match (all || enough, self.is_sample()) {
            (false, _) => Status::Incomplete,
            (true, true) => Status::Sampled,
            (true, false) => Status::Complete,
        }
    }

    /// The sum over all slices of a number of spans.
    pub(super) fn sum(&self, number: impl Fn(&Slice) -> u64) -> u64 {
        self.slices.iter().map(number).fold(0, u64::saturating_add)
    }

    /// Spans announced over all slices; `None` when the remote did not announce those of each.
    pub fn announced(&self) -> Option<u64> {
        self.slices.iter().map(|slice| slice.announced).try_fold(0, |sum: u64, next| Some(sum.saturating_add(next?)))
    }

    /// Spans received over all slices.
    pub fn received(&self) -> u64 {
        self.sum(|slice| slice.received)
    }

    /// Spans of all slices that the store holds now; those that came with several commits count for each.
    pub fn stored(&self) -> u64 {
        self.sum(|slice| slice.stored)
    }

    /// Spans that came new to the store, over all slices.
    pub fn new_spans(&self) -> u64 {
        self.sum(|slice| slice.new)
    }

    /// Spans that the store held with other values, over all slices.
    pub fn updated_spans(&self) -> u64 {
        self.sum(|slice| slice.updated)
    }

    /// How many slices landed.
    pub fn parts(&self) -> u64 {
        self.sum(|slice| slice.parts)
    }
}

/// All pulls and imports that a store remembers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// The pulls, oldest first.
    pub pulls: Vec<Pull>,
    /// The imports of files, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub imports: Vec<FileImport>,
    /// From when on traces are kept, of projects of which old ones were removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retained: Vec<Retained>,
}

impl Ledger {
    /// The ledger of a version of a store.
    pub(crate) async fn load(location: &StoreLocation, manifest: &Manifest) -> Result<Self> {
        match &manifest.ledger {
            Some(reference) => metadata_file::load(location, LEDGER, reference).await,
            None => Ok(Self::default()),
        }
    }

    pub(crate) async fn save(&self, location: &StoreLocation, id: String) -> Result<(FileRef, WrittenFile)> {
        metadata_file::save(location, LEDGER, id, self).await
    }
}

/// Milliseconds since the epoch.
pub(super) fn now() -> i64 {
    chrono::Utc::now().timestamp_millis()
}
