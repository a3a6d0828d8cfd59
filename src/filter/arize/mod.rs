//! The filter language of Arize: SQL conditions over the columns of a span, with CONTAINS.

mod ask;
mod check;
mod name;
mod narrow;
mod print;
mod read;
mod reader;

pub use narrow::is_sayable;
pub use narrow::narrow;
pub use print::print;
pub(super) use read::lexed;
pub use read::parse;
pub use read::parse_upto;

#[cfg(test)]
mod tests;
