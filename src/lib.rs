//! An embedded query engine over exported LLM spans.

pub mod engine;
pub mod model;
