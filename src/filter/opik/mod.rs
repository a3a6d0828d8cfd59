//! Opik's query language (OQL), and the JSON filter list of its REST API.

mod bounds;
mod chars;
mod clause;
mod columns;
mod compare;
mod json;
mod list;
mod lower;
mod path;
mod placed;
mod places;
mod print;
mod printer;
mod read;
mod scores;
#[cfg(test)]
mod tests;
mod values;
mod wording;

pub use clause::{Clause, Entity};
pub use json::udfs;
pub use lower::{AnySpan, Oql, parse};
pub use print::print;
pub use read::compile;
