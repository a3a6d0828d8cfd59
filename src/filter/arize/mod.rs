//! The filter language of Arize: SQL conditions over the columns of a span, with CONTAINS.

mod check;
mod narrow;
mod print;
mod read;

pub use narrow::is_sayable;
pub use narrow::narrow;
pub use print::print;
pub(super) use read::lexed;
pub use read::parse;
pub use read::parse_upto;

use spanql_model::nearest::as_typed;

/// A column's name as the language has it: bare, or in double quotes as a whole.
fn name(column: &str) -> String {
    let bare = as_typed(column);
    if bare == column { bare } else { format!("\"{}\"", column.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests;
