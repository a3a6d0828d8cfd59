//! Tables, filtered: the functions that FROM can call, and conditions that were read elsewhere.
//!
//! ```text
//! call.rs      arguments of the functions
//! selected.rs  rows of a table, by what is asked of them
//! trees.rs     the spans of whole traces in tree order, a critical path
//! pattern.rs   spans by their place among others
//! traces_sessions.rs  rows of `traces` and `sessions`
//! table.rs     the tables they are made of
//! ```

mod call;
mod pattern;
mod selected;
mod table;
mod traces_sessions;
mod trees;

pub(crate) use call::{FUNCTIONS, call};
pub use selected::Selected;
pub(crate) use selected::{Filtered, span_columns};
