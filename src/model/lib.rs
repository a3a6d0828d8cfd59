//! What a span is: canonical columns, short names, ids that are none, and how types of open columns unite.

pub mod arrival;
pub mod columns;
pub mod derived;
pub mod ids;
pub mod json;
pub mod messages;
pub mod names;
pub mod nearest;
pub mod panics;
pub mod paths;
pub mod time;
pub mod types;
pub mod window;
