//! The folders of a store.

/// Pull ledgers.
pub(super) const LEDGER: &str = "ledger";
/// Leases of running writers.
pub(super) const STAGING: &str = "staging";
/// Lists of deleted spans.
pub(super) const TOMBSTONES: &str = "tombstones";

/// What a store's directory holds.
pub(super) const FOLDERS: [&str; 8] = ["manifest", "segments", "traces", "stats", TOMBSTONES, LEDGER, STAGING, "tmp"];
