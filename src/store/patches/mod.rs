//! Patches: evaluations, annotations and metadata of spans that a store holds already.

mod merge_patch;
mod patch;
mod resolve;
mod targets;
mod write;

pub use patch::{Grain, Outcome, Patch, Patched, UnknownIds};
