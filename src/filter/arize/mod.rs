//! The filter language of Arize: SQL conditions over the columns of a span, with CONTAINS.

mod check;
mod print;
mod read;

pub use print::{narrow, print};
pub use read::parse;
