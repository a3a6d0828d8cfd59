//! Spans of Opik: its REST API, and what its rows mean here.

mod cells;
mod columns;
mod listing;
mod rest;
mod row;
pub(crate) mod rows;
mod scores;
mod search;
mod source;
mod stream;
mod threads;

/// The word for Opik in the column `source` and in SQL.
pub const NAME: &str = "opik";

pub use source::Opik;
