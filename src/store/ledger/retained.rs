//! What was let go because it was old.

use serde::{Deserialize, Serialize};

/// From which time on traces of a project are kept: older ones were removed, and pulls leave them out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retained {
    /// The project in the store.
    pub project: String,
    /// Traces that ended before this time went, ns since the epoch.
    pub before: i64,
    /// When that was done last, ms since the epoch, UTC.
    pub at: i64,
    /// Traces that went, over all times that it was done.
    pub traces: u64,
    /// Their spans.
    pub spans: u64,
}

impl Retained {
    /// That nothing older than `before` is kept of a project, for a commit that removes so much of it.
    pub fn new(project: &str, before: i64, traces: u64, spans: u64) -> Self {
        Self { project: project.to_owned(), before, at: chrono::Utc::now().timestamp_millis(), traces, spans }
    }
}
