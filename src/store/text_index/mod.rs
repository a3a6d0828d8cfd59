//! Where in a segment a text may be: signatures of the trigrams in blocks of its long texts, in a side file.
//!
//! ```text
//! trigrams.rs   trigrams of texts, and signatures of sets of them
//! build.rs      signatures of the blocks of a segment that is written
//! file.rs       the side file
//! part.rs       what is looked for
//! ```

mod build;
mod file;
mod part;
#[cfg(test)]
mod tests;
mod trigrams;

pub(crate) use build::{TextIndexBuilder, is_indexed};
pub use file::TextIndex;
pub(crate) use file::{TEXT_TRIGRAMS, side};
pub use part::TextPart;
