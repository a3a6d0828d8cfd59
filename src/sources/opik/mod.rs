//! Spans of Opik: its REST API, and what its rows mean here.

mod cells;
pub(crate) mod rows;
mod scores;
