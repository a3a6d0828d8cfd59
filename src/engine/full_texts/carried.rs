//! The way of a column from `traces` to where it is searched, on which the answers come along.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Aggregate, Expr, JoinType, LogicalPlan, LogicalPlanBuilder, Projection};

use super::answers::{Search, is_answer};
use super::lookup::with_lookup;
use super::searches::{asks_a_query, is_search};
use crate::tree_node::{each_expr, expr_up};

/// Aggregates that give one of the values they are given, by what stands beside it.
const PICKS: [&str; 2] = ["first_value", "last_value"];

/// A plan with the answers of searches in one of its columns, and the columns that these are.
type WithAnswers = Option<(LogicalPlan, Vec<Column>)>;

/// The conditions that are all true of the rows that a predicate lets through, of those that can be asked elsewhere:
/// a search that is not answered yet would ask the beginnings of texts.
pub(super) fn conjuncts(predicate: &Expr) -> Vec<Expr> {
    let settled = |expr: &&Expr| !expr.is_volatile() && !asks_more(expr);
    split_conjunction(predicate).into_iter().filter(settled).cloned().collect()
}

fn asks_more(expr: &Expr) -> bool {
    let mut found = asks_a_query(expr);
    each_expr(expr, &mut |node| {
        found |= is_search(node) || matches!(node, Expr::Column(column) if is_answer(column));
    });
    found
}

/// Adds the answers to a plan where the column is, all along, one of `traces`. Only rows for which the conditions are
/// true need them.
pub(super) fn with_answers(
    plan: &LogicalPlan,
    column: &Column,
    conditions: &[Expr],
    searches: &[Search],
) -> Result<WithAnswers> {
    let inner =
        |input: &LogicalPlan, column: &Column, conditions: &[Expr]| with_answers(input, column, conditions, searches);
    let around = |input: LogicalPlan| plan.with_new_exprs(plan.expressions(), vec![input]);
    match plan {
        LogicalPlan::TableScan(scan) => {
            let has = |expr: &&Expr| expr.column_refs().iter().all(|column| of_relation(column, plan.schema()));
            let conditions: Vec<Expr> = conditions.iter().filter(has).cloned().collect();
            let columns = searches.iter().map(|search| Column::new_unqualified(&search.answer)).collect();
            Ok(with_lookup(scan, &column.name, &conditions, searches)?.map(|plan| (plan, columns)))
        }
        LogicalPlan::SubqueryAlias(alias) => {
            let below = |column: &Column| {
                let at = alias.schema.maybe_index_of_column(column)?;
                Some(Expr::Column(Column::from(alias.input.schema().qualified_field(at))))
            };
            let Some(Expr::Column(column)) = below(column) else { return Ok(None) };
            let conditions = said_below(conditions, &below)?;
            let Some((input, answers)) = inner(&alias.input, &column, &conditions)? else { return Ok(None) };
            let named = |answer: Column| Column::new(Some(alias.alias.clone()), answer.name);
            Ok(Some((around(input)?, answers.into_iter().map(named).collect())))
        }
        LogicalPlan::Projection(projection) => {
            let below = |column: &Column| {
                let at = projection.schema.maybe_index_of_column(column)?;
                let expr = unaliased(projection.expr.get(at)?);
                matches!(expr, Expr::Column(_)).then(|| expr.clone())
            };
            let Some(Expr::Column(column)) = below(column) else { return Ok(None) };
            let conditions = said_below(conditions, &below)?;
            let Some((input, answers)) = inner(&projection.input, &column, &conditions)? else { return Ok(None) };
            let shown = projection.expr.iter().cloned().chain(answers.iter().cloned().map(Expr::Column)).collect();
            let projection = Projection::try_new(shown, Arc::new(input))?;
            Ok(Some((LogicalPlan::Projection(projection), answers)))
        }
        LogicalPlan::Filter(filter) => {
            let conditions = [conditions, &conjuncts(&filter.predicate)].concat();
            let Some((input, answers)) = inner(&filter.input, column, &conditions)? else { return Ok(None) };
            Ok(Some((around(input)?, answers)))
        }
        LogicalPlan::Sort(_) | LogicalPlan::Limit(_) | LogicalPlan::Window(_) | LogicalPlan::Unnest(_) => {
            let Some(input) = plan.inputs().into_iter().next() else { return Ok(None) };
            let below = |column: &Column| same_below(column, plan, input);
            let Some(Expr::Column(column)) = below(column) else { return Ok(None) };
            let conditions = said_below(conditions, &below)?;
            let Some((with, answers)) = inner(input, &column, &conditions)? else { return Ok(None) };
            Ok(Some((around(with)?, answers)))
        }
        LogicalPlan::Join(join) => {
            let (from_left, from_right) = match join.join_type {
                JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => (true, true),
                JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => (true, false),
                JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => (false, true),
            };
            let sides = [(&join.left, from_left), (&join.right, from_right)];
            for (at, (side, _)) in sides.into_iter().enumerate().filter(|(_, (_, shown))| *shown) {
                if !of_relation(column, side.schema()) {
                    continue;
                }
                let below = |column: &Column| of_relation(column, side.schema()).then(|| Expr::Column(column.clone()));
                let conditions = said_below(conditions, &below)?;
                let Some((with, answers)) = inner(side, column, &conditions)? else { continue };
                let mut both = [join.left.as_ref().clone(), join.right.as_ref().clone()];
                both[at] = with;
                return Ok(Some((plan.with_new_exprs(plan.expressions(), both.into())?, answers)));
            }
            Ok(None)
        }
        LogicalPlan::Aggregate(aggregate) => of_picked(aggregate, column, conditions, searches),
        _ => Ok(None),
    }
}

/// The answers for a text that is picked from each group: those that stand beside it.
fn of_picked(aggregate: &Aggregate, column: &Column, conditions: &[Expr], searches: &[Search]) -> Result<WithAnswers> {
    let groups = aggregate.group_expr.len();
    let place = aggregate.schema.maybe_index_of_column(column).and_then(|at| at.checked_sub(groups));
    let Some(picked) = place.and_then(|at| aggregate.aggr_expr.get(at)) else { return Ok(None) };
    let Expr::AggregateFunction(AggregateFunction { func, params }) = unaliased(picked) else { return Ok(None) };
    let [Expr::Column(text)] = params.args.as_slice() else { return Ok(None) };
    if !PICKS.contains(&func.name()) || params.distinct {
        return Ok(None);
    }
    let below = |column: &Column| {
        let at = aggregate.schema.maybe_index_of_column(column)?;
        let expr = aggregate.group_expr.get(at)?;
        matches!(expr, Expr::Column(_)).then(|| expr.clone())
    };
    let conditions = said_below(conditions, &below)?;
    let Some((input, answers)) = with_answers(&aggregate.input, text, &conditions, searches)? else { return Ok(None) };
    let beside = answers.iter().zip(searches).map(|(answer, search)| {
        let params = AggregateFunctionParams { args: vec![Expr::Column(answer.clone())], ..params.clone() };
        Expr::AggregateFunction(AggregateFunction { func: Arc::clone(func), params }).alias(&search.answer)
    });
    let picked: Vec<Expr> = aggregate.aggr_expr.iter().cloned().chain(beside).collect();
    let plan = LogicalPlanBuilder::from(input).aggregate(aggregate.group_expr.clone(), picked)?.build()?;
    let columns = searches.iter().map(|search| Column::new_unqualified(&search.answer)).collect();
    Ok(Some((plan, columns)))
}

/// The conditions as they are said of an input, as far as all of their columns are there.
fn said_below(conditions: &[Expr], below: &dyn Fn(&Column) -> Option<Expr>) -> Result<Vec<Expr>> {
    let there = |expr: &&Expr| expr.column_refs().iter().all(|column| below(column).is_some());
    let said = conditions.iter().filter(there).map(|expr| {
        let said = expr_up(expr.clone(), &mut |expr| {
            Ok(match &expr {
                Expr::Column(column) => match below(column) {
                    Some(inner) => Transformed::yes(inner),
                    None => Transformed::no(expr),
                },
                _ => Transformed::no(expr),
            })
        });
        Ok(said?.data)
    });
    said.collect()
}

fn same_below(column: &Column, plan: &LogicalPlan, input: &LogicalPlan) -> Option<Expr> {
    let at = plan.schema().maybe_index_of_column(column)?;
    let here = plan.schema().qualified_field(at);
    let there = input.schema().maybe_index_of_column(column)?;
    // What is unnested is another column of the same name.
    let same = here.1.data_type() == input.schema().qualified_field(there).1.data_type();
    same.then(|| Expr::Column(column.clone()))
}

fn of_relation(column: &Column, schema: &DFSchema) -> bool {
    schema.maybe_index_of_column(column).is_some()
}

fn unaliased(mut expr: &Expr) -> &Expr {
    while let Expr::Alias(alias) = expr {
        expr = &alias.expr;
    }
    expr
}
