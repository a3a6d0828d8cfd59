//! What a commit is asked to delete, and what it did.

use std::collections::HashMap;

use super::merge::{Counts, Deleted};

/// Deletions to merge: spans by project.
pub(crate) type Deletions = HashMap<String, Deleted>;

/// What a commit did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The version that holds the result; the one before when nothing changed.
    pub version: u64,
    /// What happened to the spans.
    pub counts: Counts,
    /// Why small segments could not be joined after the commit; the spans are whole all the same.
    pub not_joined: Option<String>,
    /// Why the disk did not confirm the commit: every reader sees it, but it may be gone after a power failure.
    pub not_synced: Option<String>,
}

impl Committed {
    pub(crate) fn unchanged(version: u64) -> Self {
        Self { version, counts: Counts::default(), not_joined: None, not_synced: None }
    }
}
