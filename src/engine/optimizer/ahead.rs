//! Subqueries of nodes that DataFusion cannot join with: each becomes a column of what the node reads.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNodeRecursion};
use datafusion::common::{Column, Result, not_impl_err};
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Expr, Join, JoinType, LogicalPlan, LogicalPlanBuilder, Sort};

use super::three_valued::{condition, counted};
use crate::tree_node::{each_expr, expr_down, with_names};

/// Whether this is a subquery that must be computed row by row: a value that depends on no row may stand anywhere.
fn is_of_rows(expr: &Expr) -> bool {
    match expr {
        Expr::Exists(_) | Expr::InSubquery(_) => true,
        Expr::ScalarSubquery(subquery) => !subquery.subquery.all_out_ref_exprs().is_empty(),
        _ => false,
    }
}

fn has_subqueries(expr: &Expr) -> bool {
    let mut found = false;
    each_expr(expr, &mut |expr| found |= is_of_rows(expr));
    found
}

/// Takes the subqueries out of an expression, each of them a column that is computed ahead.
fn taken_out(expr: Expr, ahead: &mut Vec<(String, Expr)>, prefix: &str) -> Result<Transformed<Expr>> {
    expr_down(expr, &mut |expr| {
        if !is_of_rows(&expr) {
            return Ok(Transformed::no(expr));
        }
        let name = format!("{prefix}{}", ahead.len());
        ahead.push((name.clone(), expr));
        Ok(Transformed::new(Expr::Column(Column::new_unqualified(name)), true, TreeNodeRecursion::Jump))
    })
}

/// The rows of a plan with more columns, each a subquery's answer.
fn with_answers(input: Arc<LogicalPlan>, subqueries: Vec<(String, Expr)>) -> Result<Arc<LogicalPlan>> {
    if subqueries.is_empty() {
        return Ok(input);
    }
    let mut columns = shown(&input);
    for (name, expr) in subqueries {
        columns.push(counted(expr, input.schema())?.data.alias(name));
    }
    LogicalPlanBuilder::from(Arc::unwrap_or_clone(input)).project(columns)?.build().map(Arc::new)
}

fn shown(plan: &LogicalPlan) -> Vec<Expr> {
    plan.schema().columns().into_iter().map(Expr::Column).collect()
}

/// Computes the subqueries in keys and aggregates row by row before there are groups.
pub(super) fn of_groups(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let mut ahead = vec![];
    let rewritten = with_names(plan, &mut |expr| taken_out(expr, &mut ahead, "__subquery_"))?;
    let LogicalPlan::Aggregate(mut aggregate) = rewritten.data else { return Ok(rewritten) };
    aggregate.input = with_answers(aggregate.input, ahead)?;
    Ok(Transformed::new_transformed(LogicalPlan::Aggregate(aggregate), rewritten.transformed))
}

/// Whether a sort orders by the answers of subqueries.
pub(super) fn sorts_by_subqueries(sort: &Sort) -> bool {
    sort.expr.iter().any(|by| has_subqueries(&by.expr))
}

/// Computes what is sorted by before it is sorted.
pub(super) fn of_sort(mut sort: Sort) -> Result<Transformed<LogicalPlan>> {
    let kept = shown(&sort.input);
    let mut ahead = vec![];
    for by in &mut sort.expr {
        by.expr = taken_out(std::mem::take(&mut by.expr), &mut ahead, "__subquery_by_")?.data;
    }
    sort.input = match sort.input.as_ref() {
        // What a subquery looks at need not be shown.
        LogicalPlan::Projection(shown) if !ahead.iter().all(|(_, expr)| looks_at(expr, &sort.input)) => {
            let answers = ahead.iter().map(|(name, _)| Expr::Column(Column::new_unqualified(name)));
            let columns: Vec<Expr> = shown.expr.iter().cloned().chain(answers).collect();
            let input = Arc::unwrap_or_clone(with_answers(Arc::clone(&shown.input), ahead)?);
            Arc::new(LogicalPlanBuilder::from(input).project(columns)?.build()?)
        }
        _ => with_answers(sort.input, ahead)?,
    };
    LogicalPlanBuilder::from(LogicalPlan::Sort(sort)).project(kept)?.build().map(Transformed::yes)
}

/// Whether a window function is given the answers of subqueries, or ordered by them.
pub(super) fn windows_over_subqueries(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::Window(window) if window.window_expr.iter().any(has_subqueries))
}

/// Computes what window functions are given before there are windows.
pub(super) fn of_windows(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let kept = shown(&plan);
    let mut ahead = vec![];
    let rewritten = with_names(plan, &mut |expr| taken_out(expr, &mut ahead, "__subquery_over_"))?;
    let LogicalPlan::Window(window) = rewritten.data else { return Ok(rewritten) };
    let input = Arc::unwrap_or_clone(with_answers(window.input, ahead)?);
    LogicalPlanBuilder::from(input).window(window.window_expr)?.project(kept)?.build().map(Transformed::yes)
}

pub(super) fn joins_by_subqueries(join: &Join) -> bool {
    join.filter.as_ref().is_some_and(has_subqueries)
}

/// Computes the subqueries in ON for each row of the side that they look at, before the sides meet; those that look at
/// both sides of an inner join when they have met.
pub(super) fn of_join(mut join: Join) -> Result<Transformed<LogicalPlan>> {
    let kept: Vec<Expr> = join.schema.columns().into_iter().map(Expr::Column).collect();
    let (mut left, mut right, mut inside, mut above) = (vec![], vec![], vec![], vec![]);
    for conjunct in join.filter.take().map(split_conjunction_owned).unwrap_or_default() {
        let mut ahead = vec![];
        let rest = taken_out(conjunct.clone(), &mut ahead, "__subquery_on_")?.data;
        let sides: Option<Vec<bool>> = ahead.iter().map(|(_, expr)| side(&join, expr)).collect();
        match sides {
            Some(sides) => {
                // One name each, over all conjuncts.
                let (first, mut renamed) = (left.len() + right.len(), rest);
                for (at, ((old, expr), is_left)) in ahead.into_iter().zip(sides).enumerate() {
                    let name = format!("__subquery_on_{}_{}", first, at);
                    renamed = column_renamed(renamed, &old, &name)?;
                    if is_left { left.push((name, expr)) } else { right.push((name, expr)) }
                }
                inside.push(renamed);
            }
            None if join.join_type == JoinType::Inner => above.push(conjunct),
            None => return not_impl_err!("a subquery in ON of an outer join that looks at both sides of it"),
        }
    }
    join.left = with_answers(join.left, left)?;
    join.right = with_answers(join.right, right)?;
    let joined = Join::try_new(
        join.left,
        join.right,
        join.on,
        conjunction(inside),
        join.join_type,
        join.join_constraint,
        join.null_equality,
        join.null_aware,
    )?;
    let mut joined = LogicalPlanBuilder::from(LogicalPlan::Join(joined)).project(kept)?.build()?;
    if let Some(above) = conjunction(above) {
        let schema = Arc::clone(joined.schema());
        let above = condition(above, true, &schema)?.data;
        joined = LogicalPlanBuilder::from(joined).filter(above)?.build()?;
    }
    Ok(Transformed::yes(joined))
}

/// Whether a subquery in ON looks at the left side alone (or at none), or at the right one; nothing if at both.
fn side(join: &Join, expr: &Expr) -> Option<bool> {
    if looks_at(expr, &join.left) { Some(true) } else { looks_at(expr, &join.right).then_some(false) }
}

/// Whether all that a subquery looks at outside of it is among the columns of a plan.
fn looks_at(expr: &Expr, plan: &LogicalPlan) -> bool {
    let mut columns = expr.column_refs().into_iter().cloned().collect::<Vec<_>>();
    each_expr(expr, &mut |expr| {
        let subquery = match expr {
            Expr::Exists(Exists { subquery, .. }) | Expr::InSubquery(InSubquery { subquery, .. }) => subquery,
            Expr::ScalarSubquery(subquery) => subquery,
            _ => return,
        };
        let outer = subquery.outer_ref_columns.iter();
        columns.extend(outer.filter_map(|expr| match expr {
            Expr::OuterReferenceColumn(_, column) => Some(column.clone()),
            _ => None,
        }));
    });
    columns.iter().all(|column| plan.schema().has_column(column))
}

fn column_renamed(expr: Expr, old: &str, new: &str) -> Result<Expr> {
    expr_down(expr, &mut |expr| match &expr {
        Expr::Column(column) if column.relation.is_none() && column.name == old => {
            Ok(Transformed::yes(Expr::Column(Column::new_unqualified(new))))
        }
        _ => Ok(Transformed::no(expr)),
    })
    .data()
}
