//! 0.0 and -0.0 as the one number that they are, in groups, orders, joins and comparisons.
//!
//! What a table holds has one zero: spans are stored so. What a statement computes may have two; it gets one where it
//! becomes a column, a key or a side of a comparison.

use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::{
    AggregateFunction, Alias, BinaryExpr, Case, Cast, InList, InSubquery, ScalarFunction, TryCast, WindowFunction,
};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Between, Expr, ExprSchemable, LogicalPlan, Operator};
use datafusion::optimizer::AnalyzerRule;

use super::functions::zero::{ONE_ZERO, one_zero};
use super::tree_node::{expr_up, plan_up, with_names};
use spanql_filter::numbers::{AS_NUMBER, TEXT_TO_NUMBER};

/// Gives computed floats one zero, after DataFusion's coercion.
#[derive(Debug)]
pub(super) struct OneZero;

impl AnalyzerRule for OneZero {
    fn name(&self) -> &str {
        "one_zero"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let rewritten = plan_up(plan, &mut |node| {
            let schema = merge_schema(&node.inputs());
            let keys = matches!(
                node,
                LogicalPlan::Projection(_)
                    | LogicalPlan::Aggregate(_)
                    | LogicalPlan::Window(_)
                    | LogicalPlan::Sort(_)
                    | LogicalPlan::Distinct(_)
                    | LogicalPlan::Join(_)
                    | LogicalPlan::Values(_)
            );
            let rewritten = with_names(node, &mut |expr| {
                let inside = expr_up(expr, &mut |expr| Ok(sides(expr, &schema)))?;
                if keys { inside.transform_data(|expr| Ok(key(expr, &schema))) } else { Ok(inside) }
            })?;
            if rewritten.transformed { rewritten.map_data(LogicalPlan::recompute_schema) } else { Ok(rewritten) }
        })?;
        Ok(rewritten.data)
    }
}

/// Whether a float is one that may have two zeros.
fn has_two(expr: &Expr, schema: &DFSchema) -> bool {
    expr.get_type(schema).is_ok_and(|data_type| data_type.is_floating()) && !has_one(expr, schema)
}

/// Whether a number has one zero, as far as its expression tells.
fn has_one(expr: &Expr, schema: &DFSchema) -> bool {
    let all = |args: &[Expr]| args.iter().all(|arg| has_one(arg, schema));
    match expr {
        Expr::Literal(ScalarValue::Float64(Some(number)), _) => !is_odd(*number),
        Expr::Literal(ScalarValue::Float32(Some(number)), _) => !is_odd((*number).into()),
        Expr::Literal(..)
        | Expr::Column(_)
        | Expr::OuterReferenceColumn(..)
        | Expr::ScalarSubquery(_)
        | Expr::AggregateFunction(_)
        | Expr::WindowFunction(_) => true,
        Expr::Alias(alias) => has_one(&alias.expr, schema),
        Expr::Cast(Cast { expr, .. }) | Expr::TryCast(TryCast { expr, .. }) => match expr.get_type(schema) {
            Ok(from) if from.is_floating() => has_one(expr, schema),
            Ok(from) => !from.is_string(),
            Err(_) => false,
        },
        Expr::Case(case) => {
            let mut results = case.when_then_expr.iter().map(|(_, then)| then).chain(&case.else_expr);
            results.all(|result| has_one(result, schema))
        }
        Expr::ScalarFunction(ScalarFunction { func, args }) => match func.name() {
            ONE_ZERO | AS_NUMBER | TEXT_TO_NUMBER => true,
            "coalesce" | "greatest" | "least" => all(args),
            "nullif" => args.first().is_some_and(|first| has_one(first, schema)),
            _ => false,
        },
        // A sum is -0.0 only if both are, a difference only if the first is.
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Plus, right }) => {
            has_one(left, schema) || has_one(right, schema)
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Minus, .. }) => has_one(left, schema),
        _ => false,
    }
}

fn is_odd(number: f64) -> bool {
    number.is_sign_negative() && (number == 0.0 || number.is_nan())
}

fn plain(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    if has_two(&expr, schema) { Transformed::yes(one_zero(expr)) } else { Transformed::no(expr) }
}

fn plain_all(exprs: Vec<Expr>, schema: &DFSchema) -> Transformed<Vec<Expr>> {
    let mut changed = false;
    let plain = exprs.into_iter().map(|expr| {
        let plain = plain(expr, schema);
        changed |= plain.transformed;
        plain.data
    });
    let plain = plain.collect();
    Transformed::new_transformed(plain, changed)
}

/// What becomes a column, or is a key.
fn key(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    match expr {
        Expr::Alias(Alias { expr, relation, name, metadata }) => {
            key(*expr, schema).update_data(|expr| Expr::Alias(Alias { expr: Box::new(expr), relation, name, metadata }))
        }
        Expr::GroupingSet(_) => Transformed::no(expr),
        other => plain(other, schema),
    }
}

/// The sides of a comparison, and the arguments of a function that compares or passes on.
fn sides(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    let boxed = |expr: Box<Expr>| plain(*expr, schema).update_data(Box::new);
    match expr {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: op @ (Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom),
            right,
        }) => {
            let (left, right) = (boxed(left), boxed(right));
            let changed = left.transformed || right.transformed;
            Transformed::new_transformed(Expr::BinaryExpr(BinaryExpr::new(left.data, op, right.data)), changed)
        }
        Expr::InList(InList { expr, list, negated }) => {
            let (expr, list) = (boxed(expr), plain_all(list, schema));
            let changed = expr.transformed || list.transformed;
            Transformed::new_transformed(Expr::InList(InList { expr: expr.data, list: list.data, negated }), changed)
        }
        Expr::Between(Between { expr, negated, low, high }) => {
            let (expr, low, high) = (boxed(expr), boxed(low), boxed(high));
            let changed = expr.transformed || low.transformed || high.transformed;
            let between = Between { expr: expr.data, negated, low: low.data, high: high.data };
            Transformed::new_transformed(Expr::Between(between), changed)
        }
        Expr::InSubquery(InSubquery { expr, subquery, negated }) => {
            boxed(expr).update_data(|expr| Expr::InSubquery(InSubquery { expr, subquery, negated }))
        }
        Expr::Case(Case { expr: Some(expr), when_then_expr, else_expr }) => {
            let expr = boxed(expr);
            let mut changed = expr.transformed;
            let whens = when_then_expr.into_iter().map(|(when, then)| {
                let when = boxed(when);
                changed |= when.transformed;
                (when.data, then)
            });
            let whens = whens.collect();
            Transformed::new_transformed(
                Expr::Case(Case { expr: Some(expr.data), when_then_expr: whens, else_expr }),
                changed,
            )
        }
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == "nullif" => {
            plain_all(args, schema).update_data(|args| Expr::ScalarFunction(ScalarFunction { func, args }))
        }
        // The sign of a zero is lost in these anyway.
        Expr::AggregateFunction(AggregateFunction { func, params })
            if !params.distinct && matches!(func.name(), "sum" | "avg") =>
        {
            Transformed::no(Expr::AggregateFunction(AggregateFunction { func, params }))
        }
        Expr::AggregateFunction(AggregateFunction { func, mut params }) => {
            let args = plain_all(std::mem::take(&mut params.args), schema);
            params.args = args.data;
            let mut changed = args.transformed;
            for sort in &mut params.order_by {
                let expr = plain(std::mem::take(&mut sort.expr), schema);
                changed |= expr.transformed;
                sort.expr = expr.data;
            }
            Transformed::new_transformed(Expr::AggregateFunction(AggregateFunction { func, params }), changed)
        }
        Expr::WindowFunction(function) => {
            let WindowFunction { fun, mut params } = *function;
            let (args, partition) = (
                plain_all(std::mem::take(&mut params.args), schema),
                plain_all(std::mem::take(&mut params.partition_by), schema),
            );
            let mut changed = args.transformed || partition.transformed;
            (params.args, params.partition_by) = (args.data, partition.data);
            for sort in &mut params.order_by {
                let expr = plain(std::mem::take(&mut sort.expr), schema);
                changed |= expr.transformed;
                sort.expr = expr.data;
            }
            Transformed::new_transformed(Expr::WindowFunction(Box::new(WindowFunction { fun, params })), changed)
        }
        other => Transformed::no(other),
    }
}
