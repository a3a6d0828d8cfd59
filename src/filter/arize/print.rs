//! From conditions to Arize's filter text.

use arrow::datatypes::Schema;
use datafusion::logical_expr::Expr;

use crate::filter::Said;

/// Says conditions over rows of this schema in Arize's language, with everything the language has.
pub fn print(conditions: &[Expr], schema: &Schema) -> Said<String> {
    let _ = schema;
    Said { said: None, rest: conditions.to_vec() }
}
