//! Conditions joined on the tree, never as text.

use datafusion_common::ScalarValue;
use datafusion_expr::{BinaryExpr, Expr, Operator};

/// The terms that AND joins, in order; nothing is dropped.
pub fn conjuncts(expr: Expr) -> Vec<Expr> {
    terms(expr, Operator::And)
}

/// The terms that an operator joins, without the recursion that a long chain would take.
pub(super) fn terms(expr: Expr, joined_by: Operator) -> Vec<Expr> {
    let (mut terms, mut open) = (vec![], vec![expr]);
    while let Some(expr) = open.pop() {
        match expr {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if op == joined_by => {
                open.push(*right);
                open.push(*left);
            }
            other => terms.push(other),
        }
    }
    terms
}

/// The terms that an operator joins, in order, as they stand in the condition.
pub(super) fn terms_in(expr: &Expr, joined_by: Operator) -> Vec<&Expr> {
    let (mut terms, mut open) = (vec![], vec![expr]);
    while let Some(expr) = open.pop() {
        match expr {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if *op == joined_by => {
                open.push(right);
                open.push(left);
            }
            other => terms.push(other),
        }
    }
    terms
}

/// All of the conditions; true when there are none.
pub fn all_of(conditions: Vec<Expr>) -> Expr {
    balanced(conditions, Operator::And).unwrap_or_else(|| truth(true))
}

/// Any of the conditions; false when there are none.
pub fn any_of(conditions: Vec<Expr>) -> Expr {
    balanced(conditions, Operator::Or).unwrap_or_else(|| truth(false))
}

fn truth(value: bool) -> Expr {
    Expr::Literal(ScalarValue::Boolean(Some(value)), None)
}

/// A tree as flat as it can be: whatever walks it later goes ten levels deep for a thousand terms.
fn balanced(mut terms: Vec<Expr>, op: Operator) -> Option<Expr> {
    while terms.len() > 1 {
        let mut pairs = Vec::with_capacity(terms.len().div_ceil(2));
        let mut each = terms.into_iter();
        while let Some(left) = each.next() {
            pairs.push(match each.next() {
                Some(right) => Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right))),
                None => left,
            });
        }
        terms = pairs;
    }
    terms.pop()
}

#[cfg(test)]
mod tests {
    use datafusion_expr::{col, lit};

    use super::*;

    #[test]
    fn joins_and_takes_apart() {
        let each: Vec<Expr> = (0..1_000).map(|i| col("a").eq(lit(i))).collect();
        assert_eq!(conjuncts(all_of(each.clone())), each);
        assert_eq!(terms(any_of(each.clone()), Operator::Or), each);
        assert!(terms_in(&any_of(each.clone()), Operator::Or).into_iter().eq(&each));
        assert_eq!(all_of(vec![]), lit(true));
        assert_eq!(any_of(vec![]), lit(false));
        assert_eq!(conjuncts(any_of(each.clone())).len(), 1);
    }
}
