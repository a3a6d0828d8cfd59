//! What a trace is: the tree of its spans, its critical path, and its one-row summary.
//!
//! ```text
//! input.rs     rows of spans as this module reads them; grouping of plain batches by trace
//! tree.rs      parent links, cut cycles, order, nested-set numbers
//! time.rs      own time and critical path over one tree
//! columns.rs   the tree.* columns of many traces
//! rollup.rs    the rows of `traces`
//! schema.rs    the columns of `traces`
//! structure.rs which spans stand to others in a chain of relations
//! ```
//!
//! Everything works on Arrow arrays, is iterative (no trace is too deep for the stack) and takes O(n log n) per trace
//! at worst.
//!
//! # How broken traces are read
//!
//! - Every row is a span of its own, even where a span id occurs twice in a trace. A parent id means the **first row**,
//!   in row order, that has it as its span id; later rows with that id have no children.
//! - An empty parent id is no parent id. A row without a span id is nobody's parent.
//! - A row whose parent id is its own span id is its own parent (a cycle of one), whichever row the id would mean:
//!   it never becomes the child of a row that shares its id.
//! - A parent id that no row of the trace has makes an orphan, which is a top span.
//! - Every row **on** a parent cycle is flagged; the cycle's earliest row becomes a top span and is not an orphan.
//!
//! # Order
//!
//! There is one order for siblings, for top spans and for whatever is called the earliest: by start time, then by span
//! id (bytes), then by row, with null before any value.
//!
//! # Intervals
//!
//! A span has an interval when both times are there and the end is not before the start. A span without one takes up
//! none of its parent's time. On a critical path an end before the start counts as the start; a span without both
//! times is not on it, and neither are the spans below it.

mod columns;
mod error;
mod input;
mod rollup;
mod schema;
pub mod structure;
mod time;
mod tree;

#[cfg(test)]
mod naive;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod sample;

pub use columns::{tree_columns, tree_columns_of};
pub use error::TraceError;
pub use input::{TraceGroups, TreeInput, group_by_trace};
pub use rollup::{Summaries, TEXT_CHARS, summarize};
pub use schema::traces_schema;
pub use time::{Step, critical_path, elapsed_ms};
