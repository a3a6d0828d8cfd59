//! The store: spans and trace summaries in immutable Parquet files, and manifests that say which of them are live.
//!
//! Arrivals go into an [`Import`], a commit of the [`Store`] makes a version of them, and a [`Snapshot`] reads one: its
//! [`Manifest`] lists the segments, its [`Ledger`] says what was pulled and what is missing. A [`Place`] is a directory,
//! memory, or a bucket.
//!
//! ```text
//! arrivals ──▶ Import ──commit──▶ merged with the segments that hold their traces ──▶ manifest ──▶ Snapshot ──▶ batches
//! ```
//!
//! Everything that changes a store is a merge: the spans that arrive are grouped by trace, the segments that hold any
//! of those traces are built again, the others become new segments, and one new manifest makes all of it visible at
//! once. A crash leaves files that no manifest names, never a wrong answer.

mod arrival;
mod blocking;
mod build;
mod card;
mod commit;
mod committed;
mod content;
mod creation;
mod error;
mod files;
mod folders;
mod heads;
mod ids;
mod import;
mod indexed;
mod layout;
mod lease;
mod ledger;
mod maintain;
mod maintained;
mod manifest;
mod merge;
mod open_columns;
mod packed;
mod pieces;
mod place;
mod plan;
mod pool;
mod progress;
mod publish;
mod reader;
mod segment;
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

pub use arrival::complete;
pub use card::{Card, ColumnFacts, TooLarge};
pub use committed::Committed;
pub use error::{Result, StoreError};
pub use import::Import;
pub use ledger::{Gap, Ledger, Projection, Pull, PullKey, Slice, Status, Why};
pub use maintained::{Compacted, Vacuumed, Version};
pub use manifest::{FileRef, Manifest, Segment};
pub use merge::Counts;
pub use open_columns::{floats_to_text, type_of, widen};
pub use place::{Place, found_place};
pub use progress::Progress;
pub use reader::{SegmentReader, Segments, Which};
pub use snapshot::Snapshot;
pub use spanql_model::paths::{home_path, resolve};
pub use store::Store;
