//! Arize Phoenix: spans and annotations over its REST API.
//!
//! Facts of the protocol are those of arize-phoenix 20.26.1, as it was observed. Two rule what is done here: a server
//! ignores parameters that it does not know, so that nothing is taken for granted of what it sends; and whatever is not
//! its API answers 200 with a page, so that only what says it is JSON is read.

mod ahead;
mod annotation_requests;
mod annotations;
mod api;
pub(crate) mod fold;
mod listing;
mod page;
mod page_annotations;
mod projects;
mod query;
mod rows;
mod source;
mod write;

pub use source::{NAME, Phoenix};

#[cfg(test)]
mod standin;
#[cfg(test)]
mod tests;
