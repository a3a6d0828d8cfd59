//! The output of a SELECT.

use datafusion::sql::sqlparser::ast::{Expr, Ident};

/// A select item, resolved.
#[derive(Debug, Clone)]
pub(super) struct Output {
    pub(super) name: String,
    pub(super) expr: Expr,
    /// Whether it holds an aggregate or a window function.
    pub(super) computed: bool,
}

/// Whether a name of the same SELECT's output may stand at a place, where FROM has no column of that name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum OutputUse {
    /// It may not: ON.
    None,
    /// It stands for the expression behind it: ORDER BY, HAVING, QUALIFY.
    Expression,
    /// It stands for the expression behind it, unless that is computed over groups: GROUP BY.
    GroupExpression,
    /// It stands for the expression behind it, inside of aggregates too unless that is computed over groups: WHERE, and
    /// the items behind the one that has the name. PostgreSQL refuses this, DuckDB does not.
    Fallback,
}

/// The output of a name: in any case, or exactly if the name has dots.
pub(super) fn named(outputs: &[Output], ident: &Ident) -> Option<usize> {
    outputs.iter().position(|output| output.name == ident.value).or_else(|| {
        let lower = ident.value.to_lowercase();
        outputs.iter().position(|output| !output.name.contains('.') && output.name.to_lowercase() == lower)
    })
}
