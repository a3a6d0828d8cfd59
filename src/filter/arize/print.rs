//! From conditions to Arize's filter text.

use arrow::datatypes::Schema;
use datafusion::logical_expr::Expr;

use crate::filter::Said;

/// Says conditions over rows of this schema in Arize's language, with everything the language has.
pub fn print(conditions: &[Expr], schema: &Schema) -> Said<String> {
    let _ = schema;
    Said { said: None, rest: conditions.to_vec() }
}

/// Says of conditions what a remote may be asked whose semantics nobody has confirmed: it lets through all that they
/// do, whatever the remote makes of case, of text against numbers, or of rounded times.
pub fn narrow(conditions: &[Expr], schema: &Schema) -> Option<String> {
    let _ = (conditions, schema);
    None
}
