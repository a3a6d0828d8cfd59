//! Opik's query language (OQL), and the JSON filter list of its REST API.

mod ask;
mod bounds;
mod chars;
mod clause;
mod columns;
mod compare;
mod field_ref;
mod json;
mod list;
mod lower;
mod path;
mod print;
mod printer;
mod read;
mod resolved_clause;
mod scores;
#[cfg(test)]
mod tests;
mod values;
mod wording;

pub use ask::{Asked, ask};
pub use clause::{Clause, Entity};
pub use json::udfs;
pub use lower::{AnySpan, Oql, parse};
pub use print::print;
pub use read::compile;
