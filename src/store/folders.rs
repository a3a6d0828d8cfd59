//! The folders of a store.

/// Pull ledgers.
pub(super) const LEDGER: &str = "ledger";
/// Leases of running writers.
pub(super) const STAGING: &str = "staging";
/// Lists of deleted spans.
pub(super) const TOMBSTONES: &str = "tombstones";

/// Deletion vectors that are too long for a manifest.
pub(super) const DELETIONS: &str = "deletions";
/// Values that count instead of those of segments.
pub(super) const PATCHES: &str = "patches";
/// Hashes of the ids of segments.
pub(super) const IDS: &str = "ids";
/// Signatures of the texts of segments.
pub(super) const TEXTS: &str = "texts";

/// What a store's directory holds.
pub(super) const FOLDERS: [&str; 12] =
    ["manifest", "segments", "traces", "stats", DELETIONS, PATCHES, IDS, TEXTS, TOMBSTONES, LEDGER, STAGING, "tmp"];
