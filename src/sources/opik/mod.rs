//! Opik: traces and spans over its REST API.
//!
//! Facts of the protocol are those of the vendor's Python SDK 2.2.122 and of the server's sources, as they were observed.
//! Three rule what is done here: an answer that fails half way ends with a line that says so, and with status 200; values
//! are cut unless one asks for whole ones; and traces and spans are kept apart, though the thread is one of the trace.

mod cells;
mod columns;
mod listing;
mod rest;
mod row;
pub(crate) mod rows;
mod scores;
mod search;
mod source;
mod stream;
mod threads;
mod write;

pub use source::Opik;
pub use stream::NAME;

#[cfg(test)]
mod standin;
#[cfg(test)]
mod tests;
