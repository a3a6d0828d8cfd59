//! IN lists have three values.
//!
//! DataFusion makes one list of two over the same value: `x IN (a) AND x NOT IN (b)` becomes `x IN (a)`, and
//! `x IN (1) AND x IN (2)` becomes false. The first is wrong unless the elements are constants other than null, the second
//! where `x` is null and it matters that the answer is neither true nor false. So elements that are no constants are
//! compared one by one, and outside conditions a list stands behind the question whether its value is null.

use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::expr::{BinaryExpr, Cast, InList};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, Operator, lit, not, when};
use datafusion::optimizer::AnalyzerRule;

use crate::tree_node::{each_expr_of, expr_up, plan_up, with_names};

/// Keeps lists from being taken together where that changes an answer, behind the coercion of types.
#[derive(Debug)]
pub(super) struct ThreeValuedLists;

impl AnalyzerRule for ThreeValuedLists {
    fn name(&self) -> &str {
        "three_valued_lists"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        // One list alone is never taken together with another.
        if count_lists(&plan)? < 2 {
            return Ok(plan);
        }
        let rewritten = plan_up(plan, &mut |node| {
            let schema = merge_schema(&node.inputs());
            let condition = match &node {
                LogicalPlan::Filter(filter) => Some(filter.predicate.clone()),
                LogicalPlan::Join(join) => join.filter.clone(),
                _ => None,
            };
            with_names(node, &mut |expr| {
                if condition.as_ref() == Some(&expr) {
                    in_condition(expr, false, &schema)
                } else {
                    expr_up(expr, &mut |expr| outside_condition(expr, &schema))
                }
            })
        })?;
        Ok(rewritten.data)
    }
}

/// How many lists a plan has, and pairs of comparisons that DataFusion makes one of.
fn count_lists(plan: &LogicalPlan) -> Result<usize> {
    let mut lists = 0;
    each_expr_of(plan, &mut |expr| lists += usize::from(matches!(expr, Expr::InList(_)) || is_pair(expr)))?;
    Ok(lists)
}

/// What a row must fulfil: null is as good as false there, but where a list of OR would become true.
fn in_condition(expr: Expr, below_or: bool, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::And | Operator::Or), right }) => {
            let below_or = below_or || op == Operator::Or;
            let (left, right) = (in_condition(*left, below_or, schema)?, in_condition(*right, below_or, schema)?);
            let changed = left.transformed || right.transformed;
            let both = BinaryExpr::new(Box::new(left.data), op, Box::new(right.data));
            Ok(Transformed::new_transformed(Expr::BinaryExpr(both), changed))
        }
        Expr::Not(inner) => match *inner {
            Expr::InList(InList { expr, list, negated }) => {
                let list = Expr::InList(InList { expr, list, negated: !negated });
                Ok(Transformed::yes(in_condition(list, below_or, schema)?.data))
            }
            inner => expr_up(not(inner), &mut |expr| outside_condition(expr, schema)),
        },
        Expr::InList(list) if !list.expr.is_volatile() && (!list.negated || !below_or) => {
            let ours = |element: &Expr| is_constant(element) && !(list.negated && is_null(element));
            if list.list.iter().all(ours) {
                return Ok(Transformed::no(Expr::InList(list)));
            }
            one_by_one(list, |list| Ok(Expr::InList(list))).map(Transformed::yes)
        }
        other => expr_up(other, &mut |expr| outside_condition(expr, schema)),
    }
}

/// A value, where null is another than false.
fn outside_condition(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    if let Some(of) = side_of_pair(&expr) {
        let of = of.clone();
        return behind_null(expr, &of, schema).map(Transformed::yes);
    }
    match expr {
        Expr::InList(list) if !list.expr.is_volatile() => {
            let guarded = |list: InList| {
                let of = list.expr.clone();
                behind_null(Expr::InList(list), &of, schema)
            };
            one_by_one(list, guarded).map(Transformed::yes)
        }
        other => Ok(Transformed::no(other)),
    }
}

/// A list of its constants, and its other elements and nulls compared one by one.
fn one_by_one(list: InList, constants: impl FnOnce(InList) -> Result<Expr>) -> Result<Expr> {
    let InList { expr, list, negated } = list;
    let (op, joined) = if negated { (Operator::NotEq, Operator::And) } else { (Operator::Eq, Operator::Or) };
    let (plain, others): (Vec<_>, Vec<_>) =
        list.into_iter().partition(|element| is_constant(element) && !is_null(element));
    let mut terms = vec![];
    if !plain.is_empty() {
        terms.push(constants(InList { expr: expr.clone(), list: plain, negated })?);
    }
    for element in others {
        terms.push(if is_null(&element) {
            lit(ScalarValue::Boolean(None))
        } else {
            Expr::BinaryExpr(BinaryExpr::new(expr.clone(), op, Box::new(element)))
        });
    }
    let join = |left, right| Expr::BinaryExpr(BinaryExpr::new(Box::new(left), joined, Box::new(right)));
    Ok(terms.into_iter().reduce(join).unwrap_or_else(|| lit(negated)))
}

/// The same as a comparison with `of`, in a form that is not taken together with another.
fn behind_null(comparison: Expr, of: &Expr, schema: &DFSchema) -> Result<Expr> {
    if !of.nullable(schema).unwrap_or(true) {
        return Ok(comparison);
    }
    when(of.clone().is_null(), lit(ScalarValue::Boolean(None))).otherwise(comparison)
}

/// Whether DataFusion makes a list of this: `x = 1 OR x = 2`.
fn is_pair(expr: &Expr) -> bool {
    side_of_pair(expr).is_some()
}

fn side_of_pair(expr: &Expr) -> Option<&Expr> {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) = expr else { return None };
    let (left, right) = (compared_column(left)?, compared_column(right)?);
    (left == right).then_some(left)
}

fn compared_column(expr: &Expr) -> Option<&Expr> {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = expr else { return None };
    match (left.as_ref(), right.as_ref()) {
        (column @ Expr::Column(_), constant) | (constant, column @ Expr::Column(_)) if is_constant(constant) => {
            Some(column)
        }
        _ => None,
    }
}

fn is_constant(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(..) => true,
        Expr::Cast(Cast { expr, .. }) => is_constant(expr),
        _ => false,
    }
}

fn is_null(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(value, _) => value.is_null(),
        Expr::Cast(Cast { expr, .. }) => is_null(expr),
        _ => false,
    }
}
