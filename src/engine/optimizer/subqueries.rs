//! IN and NOT IN with a subquery, and EXISTS, where DataFusion has no join for them.
//!
//! DataFusion turns `x IN (SELECT …)` into a join that marks a row or does not, which knows no unknown: where the
//! difference between false and unknown shows, a null on either side gives a wrong answer. There, the three values are
//! written out: true where a row is equal, unknown where there is a null that might have been, false otherwise. In
//! SELECT lists, where DataFusion has no such joins, rows are counted.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, ExprSchema, Result, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::expr::{BinaryExpr, Exists, InSubquery};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator, exists, lit, not, scalar_subquery, when,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::optimizer::utils::NamePreserver;

use crate::engine::compare::compare_in_subquery;

/// Rewrites the subqueries of IN and EXISTS in a plan, ahead of anything that compares types.
#[derive(Debug)]
pub(super) struct ThreeValuedIn;

impl AnalyzerRule for ThreeValuedIn {
    fn name(&self) -> &str {
        "three_valued_in"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(rewrite_node).map(|rewritten| rewritten.data)
    }
}

fn rewrite_node(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let schema = merge_schema(&plan.inputs());
    match plan {
        LogicalPlan::Filter(_) => with_names(plan, |expr| condition(expr, true, &schema)),
        LogicalPlan::Projection(_) => with_names(plan, |expr| counted(expr, &schema)),
        LogicalPlan::Aggregate(_) => ahead_of_groups(plan, &schema),
        other => with_names(other, |expr| value(expr, &schema)),
    }
}

/// Rewrites the expressions of a node, which keep their names.
fn with_names(
    plan: LogicalPlan,
    mut rewrite: impl FnMut(Expr) -> Result<Transformed<Expr>>,
) -> Result<Transformed<LogicalPlan>> {
    let names = NamePreserver::new(&plan);
    plan.map_expressions(|expr| {
        let name = names.save(&expr);
        Ok(rewrite(expr)?.update_data(|expr| name.restore(expr)))
    })
}

/// Computes the subqueries in keys and aggregates row by row before there are groups.
fn ahead_of_groups(plan: LogicalPlan, schema: &DFSchema) -> Result<Transformed<LogicalPlan>> {
    let mut ahead: Vec<Expr> = vec![];
    let rewritten = with_names(plan, |expr| {
        expr.transform_down(|expr| match expr {
            Expr::Exists(_) | Expr::InSubquery(_) => {
                let name = format!("__subquery_{}", ahead.len());
                ahead.push(counted(expr, schema)?.data.alias(&name));
                Ok(Transformed::new(Expr::Column(Column::new_unqualified(name)), true, TreeNodeRecursion::Jump))
            }
            other => Ok(Transformed::no(other)),
        })
    })?;
    let LogicalPlan::Aggregate(mut aggregate) = rewritten.data else { return Ok(rewritten) };
    if !ahead.is_empty() {
        let input = Arc::unwrap_or_clone(aggregate.input);
        let columns = input.schema().columns().into_iter().map(Expr::Column).chain(ahead).collect::<Vec<_>>();
        aggregate.input = Arc::new(LogicalPlanBuilder::from(input).project(columns)?.build()?);
    }
    Ok(Transformed::new_transformed(LogicalPlan::Aggregate(aggregate), rewritten.transformed))
}

/// Rewrites what a row must fulfil: unknown is as good as false, except under NOT and inside other expressions.
fn condition(expr: Expr, top: bool, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::And | Operator::Or), right }) => {
            let top = top && op == Operator::And;
            let (left, right) = (condition(*left, top, schema)?, condition(*right, top, schema)?);
            let changed = left.transformed || right.transformed;
            let both = Expr::BinaryExpr(BinaryExpr::new(Box::new(left.data), op, Box::new(right.data)));
            Ok(if changed { Transformed::yes(both) } else { Transformed::no(both) })
        }
        Expr::InSubquery(InSubquery { negated: false, .. }) => Ok(Transformed::no(expr)),
        Expr::InSubquery(found) if top && has_null_aware_join(&found) => Ok(Transformed::no(Expr::InSubquery(found))),
        Expr::Not(inner) => match *inner {
            Expr::InSubquery(found) => {
                let negated = Expr::InSubquery(InSubquery { negated: !found.negated, ..found });
                Ok(Transformed::yes(condition(negated, top, schema)?.data))
            }
            inner => value(not(inner), schema),
        },
        other => value(other, schema),
    }
}

/// Whether DataFusion's anti join for NOT IN knows nulls: it compares one column of each side and nothing else.
fn has_null_aware_join(found: &InSubquery) -> bool {
    found.expr.any_column_refs() && found.subquery.subquery.all_out_ref_exprs().is_empty()
}

/// Rewrites every IN in an expression whose three values all count.
fn value(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    expr.transform_up(|expr| match expr {
        Expr::InSubquery(found) => three_valued(found, schema),
        other => Ok(Transformed::no(other)),
    })
}

fn three_valued(found: InSubquery, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let found = compare_in_subquery(found, schema)?.data;
    let plan = Arc::clone(&found.subquery.subquery);
    let (qualifier, field) = plan.schema().qualified_field(0);
    let element = Expr::Column(Column::from((qualifier, field)));
    let mut unknown = vec![];
    if field.is_nullable() {
        let nulls = LogicalPlanBuilder::from(Arc::clone(&plan)).filter(element.is_null())?.build()?;
        unknown.push(exists(any_row(nulls)?));
    }
    if found.expr.nullable(schema)? {
        unknown.push(found.expr.as_ref().clone().is_null().and(exists(any_row(plan.as_ref().clone())?)));
    }
    let negated = found.negated;
    let is_in = Expr::InSubquery(InSubquery { negated: false, ..found });
    match unknown.into_iter().reduce(Expr::or) {
        Some(unknown) => {
            let nothing = lit(ScalarValue::Boolean(None));
            when(is_in, lit(!negated)).when(unknown, nothing).otherwise(lit(negated)).map(Transformed::yes)
        }
        None if negated => Ok(Transformed::yes(not(is_in))),
        None => Ok(Transformed::no(is_in)),
    }
}

/// A plan of which one row is enough.
fn any_row(plan: LogicalPlan) -> Result<Arc<LogicalPlan>> {
    if plan.all_out_ref_exprs().is_empty() {
        return LogicalPlanBuilder::from(plan).limit(0, Some(1))?.build().map(Arc::new);
    }
    Ok(Arc::new(plan))
}

/// Says IN and EXISTS by the number of rows that there are.
fn counted(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let rewritten = value(expr, schema)?;
    let counted = rewritten.data.transform_up(|expr| {
        let (plan, negated) = match expr {
            Expr::Exists(Exists { subquery, negated }) => (subquery.subquery.as_ref().clone(), negated),
            Expr::InSubquery(InSubquery { expr, subquery, negated }) => {
                let plan = subquery.subquery.as_ref().clone();
                let element = Expr::Column(Column::from(plan.schema().qualified_field(0)));
                let equal = element.eq(seen_from_inside(*expr, schema)?);
                (LogicalPlanBuilder::from(plan).filter(equal)?.build()?, negated)
            }
            other => return Ok(Transformed::no(other)),
        };
        let none: [Expr; 0] = [];
        let rows = LogicalPlanBuilder::from(plan).aggregate(none, [count(lit(1_i64))])?.build()?;
        let rows = scalar_subquery(Arc::new(rows));
        Ok(Transformed::yes(if negated { rows.eq(lit(0_i64)) } else { rows.gt(lit(0_i64)) }))
    })?;
    Ok(Transformed::new_transformed(counted.data, rewritten.transformed || counted.transformed))
}

/// An expression as a subquery of its rows writes it.
fn seen_from_inside(expr: Expr, schema: &DFSchema) -> Result<Expr> {
    let outer = expr.transform_up(|expr| match expr {
        Expr::Column(column) => {
            let field = Arc::clone(schema.field_from_column(&column)?);
            Ok(Transformed::yes(Expr::OuterReferenceColumn(field, column)))
        }
        other => Ok(Transformed::no(other)),
    });
    outer.data()
}
