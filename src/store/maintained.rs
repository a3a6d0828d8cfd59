//! Versions of a store, and what was done to keep it in order.

use super::manifest::Manifest;

/// One version of a store, as `store versions` lists it.
#[derive(Debug, Clone)]
pub struct Version {
    /// Its number.
    pub number: u64,
    /// Its manifest, or why it cannot be read.
    pub manifest: std::result::Result<Manifest, String>,
}

/// What a compaction did, or an upgrade.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Segments that were written again.
    pub segments_before: usize,
    /// Segments they became.
    pub segments_after: usize,
    /// Why the disk did not confirm it: every reader sees it, but it may be gone after a power failure.
    pub not_synced: Option<String>,
}

/// What a vacuum removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Vacuumed {
    /// Manifests of old versions.
    pub versions: usize,
    /// Other files.
    pub files: usize,
    /// Bytes of all of them.
    pub bytes: u64,
    /// Writers that were at work, whose files and versions stay.
    pub writers: usize,
}
