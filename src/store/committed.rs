//! What a commit is asked to delete, and what it did.

use std::collections::HashMap;

use super::merge::{Counts, Deleted};

/// Deletions to merge, and deletions to take back: spans by project.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Deletions {
    pub(crate) spans: HashMap<String, Deleted>,
    /// Spans whose tombstones go.
    pub(crate) taken_back: HashMap<String, Deleted>,
    /// Whether what is deleted is not listed as such: nothing keeps it out when it comes again.
    pub(crate) lists_none: bool,
}

impl Deletions {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Whether the merge deletes nothing, and takes no deletion back.
    pub(crate) fn is_empty(&self) -> bool {
        self.spans.is_empty() && self.taken_back.is_empty()
    }
}

impl From<HashMap<String, Deleted>> for Deletions {
    fn from(spans: HashMap<String, Deleted>) -> Self {
        Self { spans, ..Self::default() }
    }
}

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
