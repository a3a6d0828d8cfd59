//! What a span is: canonical columns, short names, and how types of open columns unite.

pub mod columns;
pub mod names;
pub mod types;
