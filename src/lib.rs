//! An embedded query engine over exported LLM spans.

pub mod model;
pub mod sources;
