//! Patches: evaluations, annotations and metadata of spans that a store holds already.
//!
//! A patch file has values of some columns of some rows of segments; the manifest names, on each segment, the files that
//! have values for it. Whoever reads a column that is patched lays these values over what the segment's file has.

mod facts;
mod file;
mod layers;
mod merge_patch;
mod notes;
mod overlay;
mod patch;
mod reads;
mod resolve;
mod targets;
mod write;
mod written;

pub use overlay::{Overlaid, Overlay};
pub use patch::{Grain, Outcome, Patch, Patched, UnknownIds};
pub(crate) use written::PatchFiles;
