//! The pull ledger: what was asked of remotes, what they announced, what came, and what is therefore still missing; and
//! which files were imported, of which nobody says whether they are whole.
//!
//! A pull asks for a window of a remote project and gets it in slices. Each slice that lands is recorded in the same
//! commit as its spans, so the ledger never says more than the store holds.

mod coverage;
mod files;
mod imports;
mod missing;
mod pulls;
mod record;
mod retained;
#[cfg(test)]
mod tests;

pub use imports::{CAPS, Doubt, FileImport, FilesVerdict, ImportedFile, ImportedProject};
pub use missing::{MissingRange, MissingReason};
pub use pulls::{Ledger, Projection, Pull, PullKey, Slice, Status};
pub(crate) use record::Record;
pub use retained::Retained;
