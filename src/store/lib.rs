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
//! Everything that changes a store is a merge: the spans that arrive are grouped by trace and merged with what segments hold
//! of these traces. A segment much of which changes is built again; of others the traces that change are written anew into new
//! segments, and a deletion vector says which of their rows count no more. One new manifest makes all of it visible at once.
//! A crash leaves files that no manifest names, never a wrong answer.

mod assignment;
mod block_sums;
mod blocking;
mod build;
mod cache;
mod column_cache;
mod commit;
mod committed;
mod content;
mod copy_on_write;
mod creation;
mod dead_rows;
mod deleting;
mod entries;
mod error;
mod files;
mod folders;
mod held;
mod id_hashes;
mod ids;
mod import;
mod import_buffer;
mod indexed;
mod ingest;
mod join;
mod kept;
mod layout;
mod lease;
mod ledger;
mod location;
mod maintain;
mod maintained;
mod manifest;
mod merge;
mod metadata_file;
mod newest;
mod open_columns;
mod overflow;
mod packed;
mod patches;
mod pending;
mod pieces;
mod plan;
mod positioned;
mod progress;
mod publish;
mod reader;
mod retaining;
mod row_numbers;
mod segment;
mod segment_stats;
mod sink;
mod sizes;
mod snapshot;
mod sought;
mod spill;
mod store;
mod stored;
#[cfg(test)]
mod tests;
mod text_index;
mod tombstones;
mod trace_index;
mod trace_rows;
mod trim;
mod vacuum;
mod versions;

pub use column_cache::{ColumnCache, ColumnKey, KeptColumn};
pub use committed::Committed;
pub use deleting::Undeleted;
pub use entries::{Bundle, DeletionVector, FileRef, OfFiles, PatchRef, Segment, SegmentFile, SideRef};
pub use error::{Result, StoreError};
pub use import::{Import, Prepared};
pub use ingest::complete;
pub use ledger::{
    CAPS, Doubt, FileImport, FilesVerdict, ImportedFile, ImportedProject, Ledger, MissingRange, MissingReason,
    Projection, Pull, PullKey, Retained, Slice, Status,
};
pub use location::{StoreLocation, default_location};
pub use maintained::{Compacted, Vacuumed, Version};
pub use manifest::Manifest;
pub use merge::Counts;
pub use open_columns::{floats_to_text, type_of, widen};
pub use patches::{Grain, Outcome, Overlaid, Overlay, Patch, Patched, UnknownIds};
pub use progress::Progress;
pub use reader::{SegmentReader, Segments};
pub use segment_stats::{ColumnFacts, SegmentStats, TooLarge};
pub use snapshot::Snapshot;
pub use spanql_model::paths::{home_path, resolve};
pub use store::Store;
pub use text_index::{TextIndex, TextPart};
