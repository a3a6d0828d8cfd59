//! An embedded query engine over exported LLM spans.

pub mod cli;
pub mod engine;
pub mod model;
pub mod output;
pub mod sources;
pub mod store;
pub mod trace;
