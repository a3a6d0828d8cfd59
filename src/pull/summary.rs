//! How far a pull is, and what it did.

use std::sync::atomic::{AtomicU64, Ordering};

use spanql_sources::Window;

/// How far a pull is, for whoever watches it.
#[derive(Debug, Default)]
pub struct PullProgress {
    rows: AtomicU64,
    bytes: AtomicU64,
    /// Rows announced for everything that is pulled, plus 1; 0 while nobody knows.
    pub(super) announced: AtomicU64,
    pub(super) landed: AtomicU64,
}

impl PullProgress {
    /// Spans that came over the wire.
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Bytes that came over the wire.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Spans announced for the whole pull, once known.
    pub fn announced(&self) -> Option<u64> {
        self.announced.load(Ordering::Relaxed).checked_sub(1)
    }

    /// Slices that landed.
    pub fn landed(&self) -> u64 {
        self.landed.load(Ordering::Relaxed)
    }

    pub(super) fn came(&self, rows: u64, bytes: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Takes back what came for an attempt that failed.
    pub(super) fn lost(&self, rows: u64, bytes: u64) {
        self.rows.fetch_sub(rows, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// What a pull did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PullSummary {
    /// Spans announced for what was asked for now; `None` when the remote did not say it of every slice.
    pub announced: Option<u64>,
    /// Spans that came.
    pub received: u64,
    /// Those of them that the filter did not let through, and the remote did all the same.
    pub unmatched: u64,
    /// Those of the rest that ended before the time from which on the store keeps traces.
    pub too_old: u64,
    /// Those of the rest that the store has now: others were repeated, deleted before, or outside the window.
    pub stored: u64,
    /// Spans that are new to the store.
    pub new: u64,
    /// Spans that the store had with other values.
    pub updated: u64,
    /// Slices of which another number of spans came than was announced.
    pub short: Vec<Window>,
    /// Whether the limit was reached: there may be more.
    pub limited: bool,
    /// Rows that are no spans, and why the first is none.
    pub unfit: Option<(u64, String)>,
    /// The store's version afterwards.
    pub version: u64,
    /// Why small segments could not be joined; the spans are whole all the same.
    pub not_joined: Option<String>,
    /// Why the disk did not confirm a commit: the spans are there, but may be gone after a power failure.
    pub not_synced: Option<String>,
}
