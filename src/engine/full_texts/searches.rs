//! What of an expression is a search: a condition on a text that any part of it may fulfil.

use std::collections::HashSet;

use datafusion::common::Column;
use datafusion::common::tree_node::Transformed;
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::logical_expr::expr::{BinaryExpr, ScalarFunction};
use datafusion::logical_expr::{Expr, Operator};

use super::answers::is_answer;
use crate::tree_node::{each_expr, expr_down};

/// Functions that search a text.
const SEARCHES: [&str; 9] = [
    "contains",
    "starts_with",
    "ends_with",
    "prefix",
    "suffix",
    "regexp_like",
    "regexp_matches",
    "similar_to",
    "array_contains",
];
/// Functions that say where or how often something is found.
const PLACES: [&str; 5] = ["strpos", "position", "instr", "regexp_count", "regexp_instr"];

/// A search in one column.
#[derive(Debug)]
pub(super) struct Searched {
    pub(super) column: Column,
    /// The search, of this column alone.
    pub(super) condition: Expr,
    /// A text that is searched instead of the column where there is one, and the search of it.
    pub(super) first: Option<(Expr, Expr)>,
}

/// Reads an expression as a search in one column; one below AND, OR and NOT is found by looking at what these hold.
pub(super) fn searched(expr: &Expr) -> Option<Searched> {
    if !is_search(expr) || expr.is_volatile() || asks_a_query(expr) {
        return None;
    }
    let columns: HashSet<&Column> = expr.column_refs();
    let mut columns = columns.into_iter();
    let (column, more) = (columns.next()?, columns.next());
    if more.is_none() {
        let searched = || Searched { column: column.clone(), condition: expr.clone(), first: None };
        return (!is_answer(column)).then(searched);
    }
    // `coalesce(text, column)`, as what a root has itself and what stands for it.
    let mut inner = None;
    each_expr(expr, &mut |node| {
        if let Expr::ScalarFunction(ScalarFunction { func, args }) = node
            && func.name() == "coalesce"
            && let Some((Expr::Column(last), others @ [_, ..])) = args.split_last()
            && inner.is_none()
        {
            inner = Some((node.clone(), last.clone(), others.to_vec()));
        }
    });
    let (whole, column, others) = inner?;
    let with = |text: Expr| {
        let replaced = expr_down(expr.clone(), &mut |node| {
            Ok(if node == whole { Transformed::yes(text.clone()) } else { Transformed::no(node) })
        });
        replaced.ok().map(|replaced| replaced.data)
    };
    let condition = with(Expr::Column(column.clone()))?;
    let text = match others.as_slice() {
        [only] => only.clone(),
        _ => coalesce(others),
    };
    let of_text = with(text.clone())?;
    (condition.column_refs().len() == 1).then_some(Searched { column, condition, first: Some((text, of_text)) })
}

/// Whether an expression asks for a part of a text.
pub(super) fn is_search(expr: &Expr) -> bool {
    match expr {
        Expr::Like(_) | Expr::SimilarTo(_) => true,
        Expr::ScalarFunction(ScalarFunction { func, .. }) => SEARCHES.contains(&func.name()),
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
            Operator::RegexMatch
            | Operator::RegexIMatch
            | Operator::RegexNotMatch
            | Operator::RegexNotIMatch
            | Operator::LikeMatch
            | Operator::ILikeMatch
            | Operator::NotLikeMatch
            | Operator::NotILikeMatch => true,
            Operator::Eq | Operator::NotEq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq => {
                is_place(left) || is_place(right)
            }
            _ => false,
        },
        _ => false,
    }
}

fn is_place(expr: &Expr) -> bool {
    matches!(expr, Expr::ScalarFunction(ScalarFunction { func, .. }) if PLACES.contains(&func.name()))
}

/// Whether it asks a subquery, or a row outside of its own.
pub(super) fn asks_a_query(expr: &Expr) -> bool {
    let mut found = false;
    each_expr(expr, &mut |node| {
        found |= matches!(
            node,
            Expr::ScalarSubquery(_)
                | Expr::InSubquery(_)
                | Expr::Exists(_)
                | Expr::SetComparison(_)
                | Expr::OuterReferenceColumn(..)
                | Expr::AggregateFunction(_)
                | Expr::WindowFunction(_)
        );
    });
    found
}
