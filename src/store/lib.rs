//! The store: spans and trace summaries in immutable Parquet files, and manifests that say which of them are live.
//!
//! Ingest batches go into an [`Import`], a commit of the [`Store`] makes a version of them, and a [`Snapshot`] reads one: its
//! [`Manifest`] lists the segments, its [`Ledger`] says what was pulled or imported and what is missing. A [`StoreLocation`] is a directory,
//! memory, or a bucket.
//!
//! ```text
//! batches ──▶ Import ──commit──▶ merged with the segments that hold their traces ──▶ manifest ──▶ Snapshot ──▶ batches
//! ```
//!
//! Everything that changes a store is a merge: the spans that arrive are grouped by trace, the segments that hold any
//! of those traces are built again, the others become new segments, and one new manifest makes all of it visible at
//! once. A crash leaves files that no manifest names, never a wrong answer.

mod blocking;
mod build;
mod commit;
mod committed;
mod content;
mod creation;
mod error;
mod files;
mod folders;
mod ids;
mod import;
mod import_buffer;
mod indexed;
mod ingest;
mod layout;
mod lease;
mod ledger;
mod location;
mod maintain;
mod maintained;
mod manifest;
mod merge;
mod metadata_file;
mod open_columns;
mod packed;
mod patches;
mod pieces;
mod plan;
mod progress;
mod publish;
mod reader;
mod segment;
mod segment_stats;
mod sink;
mod sizes;
mod snapshot;
mod spill;
mod store;
mod stored;
#[cfg(test)]
mod tests;
mod tombstones;
mod vacuum;

pub use committed::Committed;
pub use error::{Result, StoreError};
pub use import::Import;
pub use ingest::complete;
pub use ledger::{
    CAPS, Doubt, FileImport, FilesVerdict, ImportedFile, ImportedProject, Ledger, MissingRange, MissingReason,
    Projection, Pull, PullKey, Slice, Status,
};
pub use location::{StoreLocation, default_location};
pub use maintained::{Compacted, Vacuumed, Version};
pub use manifest::{FileRef, Manifest, OfFiles, Segment};
pub use merge::Counts;
pub use open_columns::{floats_to_text, type_of, widen};
pub use patches::{Grain, Outcome, Patch, Patched, UnknownIds};
pub use progress::Progress;
pub use reader::{SegmentFile, SegmentReader, Segments};
pub use segment_stats::{ColumnFacts, SegmentStats, TooLarge};
pub use snapshot::Snapshot;
pub use spanql_model::paths::{home_path, resolve};
pub use store::Store;
