//! Names of columns as they are written.

use spanql_model::nearest::as_typed;

/// A column's name as the language has it: bare, or in double quotes as a whole.
pub(super) fn name(column: &str) -> String {
    let bare = as_typed(column);
    if bare == column { bare } else { format!("\"{}\"", column.replace('"', "\"\"")) }
}
