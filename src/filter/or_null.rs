//! Conditions weakened for a remote whose nulls may be filled after it was asked.

use datafusion_common::ScalarValue;
use datafusion_expr::{BinaryExpr, Expr, Operator};

use crate::condition::columns;
use crate::join::{all_of, any_of, terms_in};
use crate::with_stack;

/// The condition, or that a column is null which it is about and of which `filled` says that its nulls may become values.
///
/// What a remote lets through by it are all rows that the condition may hold of once they are filled.
pub fn or_null(condition: &Expr, filled: &dyn Fn(&str) -> bool) -> Expr {
    with_stack(|| weakened(condition, filled))
}

fn weakened(condition: &Expr, filled: &dyn Fn(&str) -> bool) -> Expr {
    match condition {
        Expr::BinaryExpr(BinaryExpr { op: Operator::And, .. }) => {
            all_of(terms_in(condition, Operator::And).into_iter().map(|term| weakened(term, filled)).collect())
        }
        Expr::BinaryExpr(BinaryExpr { op: Operator::Or, .. }) => {
            any_of(terms_in(condition, Operator::Or).into_iter().map(|term| weakened(term, filled)).collect())
        }
        Expr::IsTrue(inner) => weakened(inner, filled),
        Expr::IsNotNull(inner) if matches!(inner.as_ref(), Expr::Column(column) if filled(&column.name)) => {
            Expr::Literal(ScalarValue::Boolean(Some(true)), None)
        }
        Expr::IsNull(inner) if matches!(inner.as_ref(), Expr::Column(_)) => condition.clone(),
        other => {
            let null = columns(other).into_iter().filter(|name| filled(name)).map(|name| column(&name).is_null());
            any_of(std::iter::once(other.clone()).chain(null).collect())
        }
    }
}

fn column(name: &str) -> Expr {
    Expr::Column(datafusion_common::Column::new_unqualified(name))
}

#[cfg(test)]
mod tests {
    use datafusion_expr::lit;

    use super::*;

    #[test]
    fn rows_that_may_be_filled_are_let_through() {
        let (a, b) = (|| column("a"), || column("b"));
        for (condition, want) in [
            (a().eq(lit(1)), a().eq(lit(1)).or(a().is_null())),
            (b().eq(lit(1)), b().eq(lit(1))),
            (a().eq(lit(1)).and(b().gt(lit(2))), a().eq(lit(1)).or(a().is_null()).and(b().gt(lit(2)))),
            (a().is_null(), a().is_null()),
            (a().is_not_null().or(b().is_null()), lit(true).or(b().is_null())),
            (b().is_not_null(), b().is_not_null()),
        ] {
            assert_eq!(or_null(&condition, &|name| name == "a"), want);
        }
    }
}
