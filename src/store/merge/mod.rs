//! Merging rows into spans: one row a span, the later arrival winning column by column.
//!
//! A null never erases a value, an empty list of events counts as null, and UNSET does not replace OK or ERROR.
//! Columns that follow from others (`event.attributes`, unpacked metadata keys) come from the row that gave the
//! column they follow; `latency_ms` and `tree.*` are computed from the merged rows.

mod changes;
mod grouped;
mod merged;
mod metadata;
mod slim;
mod spans;
mod summary;
mod whole;

pub use merged::Counts;
pub(crate) use merged::{Deleted, Layout, Merged, Rows};
pub(crate) use metadata::set_keys;
pub(crate) use slim::slim;
pub(crate) use spans::latency_ms;
pub(crate) use summary::{Text, with_texts};
