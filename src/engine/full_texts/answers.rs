//! The columns that have the answers of searches.

use datafusion::common::Column;
use datafusion::logical_expr::Expr;

/// What the columns of answers are called, each with a number behind it.
pub(super) const ANSWER: &str = "full text: ";

/// A search, and the column that has its answer.
#[derive(Debug, Clone)]
pub(super) struct Search {
    pub(super) condition: Expr,
    pub(super) answer: String,
}

/// Whether a column is one of answers.
pub(super) fn is_answer(column: &Column) -> bool {
    column.name.starts_with(ANSWER)
}

/// Whether an expression is a search that looks at all of the texts.
pub(crate) fn is_answered(args: &[Expr]) -> bool {
    matches!(args.first(), Some(Expr::Column(column)) if is_answer(column))
}
