//! The pull ledger: what was asked of remotes, what they announced, what came, and what is therefore still missing.
//!
//! A pull asks for a window of a remote project and gets it in slices. Each slice that lands is recorded in the same
//! commit as its spans, so the ledger never says more than the store holds.

mod coverage;
mod missing;
mod pulls;
mod record;
#[cfg(test)]
mod tests;

pub use missing::{MissingRange, MissingReason};
pub use pulls::{Ledger, Projection, Pull, PullKey, Slice, Status};
pub(crate) use record::Record;
