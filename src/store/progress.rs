//! How far a commit is.

use std::sync::atomic::{AtomicU64, Ordering};

/// How far a commit is, for whoever watches it from another thread.
#[derive(Debug, Default)]
pub struct Progress {
    planned: AtomicU64,
    built: AtomicU64,
}

impl Progress {
    pub(crate) fn planned(&self, pieces: u64) {
        self.planned.store(pieces, Ordering::Relaxed);
        self.built.store(0, Ordering::Relaxed);
    }

    pub(crate) fn built(&self) {
        self.built.fetch_add(1, Ordering::Relaxed);
    }

    /// Pieces of work done, and pieces planned; both 0 before the plan is made.
    pub fn pieces(&self) -> (u64, u64) {
        (self.built.load(Ordering::Relaxed), self.planned.load(Ordering::Relaxed))
    }
}
