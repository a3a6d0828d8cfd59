//! The searches of a plan, and what they become.

use std::collections::HashMap;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result};
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};

use super::answers::{ANSWER, Search};
use super::carried::{conjuncts, with_answers};
use super::lookup::stored_traces;
use super::searches::{Searched, searched};
use crate::tree_node::{each_plan, expr_down, plan_up, with_names};

/// Lets the searches in a plan look at the texts that `traces` has the beginnings of.
pub(crate) fn over_full_texts(plan: LogicalPlan) -> Result<LogicalPlan> {
    let mut any = false;
    each_plan(&plan, &mut |node| {
        any |= matches!(node, LogicalPlan::TableScan(scan) if stored_traces(&scan.source).is_some());
        Ok(if any { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    if !any {
        return Ok(plan);
    }
    let mut numbers = 0..;
    let rewritten = plan_up(plan, &mut |node| rewrite_node(node, &mut numbers))?;
    Ok(rewritten.data)
}

fn rewrite_node(node: LogicalPlan, numbers: &mut dyn Iterator<Item = usize>) -> Result<Transformed<LogicalPlan>> {
    let has_searches = matches!(
        node,
        LogicalPlan::Filter(_)
            | LogicalPlan::Projection(_)
            | LogicalPlan::Aggregate(_)
            | LogicalPlan::Join(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::Window(_)
    );
    if !has_searches {
        return Ok(Transformed::no(node));
    }
    // By the column that is searched.
    let mut searches: Vec<(Column, Vec<Search>)> = vec![];
    node.apply_expressions(|expr| {
        expr.apply(|expr| {
            let Some(Searched { column, condition, .. }) = searched(expr) else {
                return Ok(TreeNodeRecursion::Continue);
            };
            let known = searches.iter().position(|(of, _)| *of == column);
            let at = known.unwrap_or_else(|| {
                searches.push((column, vec![]));
                searches.len() - 1
            });
            let of_column = &mut searches[at].1;
            if of_column.iter().all(|search| search.condition != condition) {
                let number = numbers.next().unwrap_or_default();
                of_column.push(Search { condition, answer: format!("{ANSWER}{number}") });
            }
            Ok(TreeNodeRecursion::Jump)
        })
    })?;
    if searches.is_empty() {
        return Ok(Transformed::no(node));
    }
    let kept: Vec<Expr> = node.schema().columns().into_iter().map(Expr::Column).collect();
    let mut inputs: Vec<LogicalPlan> = node.inputs().into_iter().cloned().collect();
    let conditions = match &node {
        LogicalPlan::Filter(filter) => conjuncts(&filter.predicate),
        _ => vec![],
    };
    let mut answers: HashMap<Expr, Expr> = HashMap::new();
    for (column, of_column) in &searches {
        for input in inputs.iter_mut().filter(|input| input.schema().has_column(column)) {
            if let Some((with, columns)) = with_answers(input, column, &conditions, of_column)? {
                *input = with;
                let found = of_column.iter().zip(columns);
                answers.extend(found.map(|(search, column)| (search.condition.clone(), Expr::Column(column))));
                break;
            }
        }
    }
    if answers.is_empty() {
        return Ok(Transformed::no(node));
    }
    let expressions = node.expressions();
    let node = node.with_new_exprs(expressions, inputs)?;
    let answered = with_names(node, &mut |expr| expr_down(expr, &mut |expr| answer(expr, &answers)))?;
    // What a node adds nothing to has the answers of its input, too.
    let node = match answered.data {
        node @ (LogicalPlan::Projection(_) | LogicalPlan::Aggregate(_)) => node.recompute_schema()?,
        node => LogicalPlanBuilder::from(node.recompute_schema()?).project(kept)?.build()?,
    };
    Ok(Transformed::yes(node))
}

/// A search as its answer, or what it says itself of a text that is whole.
fn answer(expr: Expr, answers: &HashMap<Expr, Expr>) -> Result<Transformed<Expr>> {
    let Some(Searched { condition, first, .. }) = searched(&expr) else { return Ok(Transformed::no(expr)) };
    let Some(answer) = answers.get(&condition) else { return Ok(Transformed::no(expr)) };
    let answered = coalesce(vec![answer.clone(), condition]);
    let answered = match first {
        Some((text, condition)) => datafusion::logical_expr::when(text.is_not_null(), condition).otherwise(answered)?,
        None => answered,
    };
    Ok(Transformed::new(answered, true, TreeNodeRecursion::Jump))
}
