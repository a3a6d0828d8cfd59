//! What a trace is: the tree of its spans, its critical path, and its one-row summary; pure functions over Arrow arrays.
//!
//! Rows of spans go in, whole traces as ranges of rows: [`group_by_trace`] makes [`TraceGroups`] of a plain batch, and a
//! [`TreeInput`] is the four columns that make trees, with what is said there about broken ones.
//! [`tree_columns`] gives the columns `tree.*`, [`summarize`] gives [`Summaries`], the rows of `traces`,
//! [`critical_path`] gives [`Step`]s, and a [`Matcher`](structure::Matcher) says which spans stand to others in a chain
//! of relations.
//!
//! ```text
//! batch ──input──▶ trees ──tree──▶ numbers ─┬─columns──▶ tree.*, with wrapper and call_input
//!                                           ├─time─────▶ own time, critical path; steps: that of the steps alone
//!                                           ├─rollup───▶ rows of traces, with the columns of schema, and words
//!                                           └─structure▶ which spans match
//! ```
//!
//! [`Calls`] tells which spans only wrap another one, so that a call is counted once; [`asked`] and [`answered`] read what a
//! call of a model was about.
//!
//! Everything is iterative (no trace is too deep for the stack) and takes O(n log n) per trace at worst.

mod call_input;
mod columns;
mod error;
mod input;
mod rollup;
mod schema;
mod steps;
pub mod structure;
mod time;
mod tree;
mod words;
mod wrapper;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod testing;

pub use call_input::CallInput;
pub use columns::{tree_columns, tree_columns_of};
pub use error::TraceError;
pub use input::{TraceGroups, TreeInput, group_by_trace};
pub use rollup::{Summaries, TEXT_CHARS, summarize};
pub use schema::traces_schema;
pub use steps::{critical_steps, is_step};
pub use time::{Step, critical_path, elapsed_ms};
pub use words::{ANSWERED_IN, ASKED_IN, answered, asked};
pub use wrapper::{Calls, WRAPPER_COLUMNS};
