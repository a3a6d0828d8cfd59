//! IN with a subquery by its three values, and IN and EXISTS by how many rows there are.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult};
use datafusion::common::{Column, DFSchema, ExprSchema, Result, ScalarValue};
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::expr::{BinaryExpr, Exists, InSubquery};
use datafusion::logical_expr::{
    Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator, exists, lit, not, scalar_subquery, when,
};

use crate::tree_node::expr_up;
use spanql_filter::compare::compare_in_subquery;

/// Rewrites what a row must fulfil: unknown is as good as false, except under NOT and inside other expressions.
pub(super) fn condition(expr: Expr, top: bool, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::And | Operator::Or), right }) => {
            let top = top && op == Operator::And;
            let (left, right) = (condition(*left, top, schema)?, condition(*right, top, schema)?);
            let changed = left.transformed || right.transformed;
            let both = Expr::BinaryExpr(BinaryExpr::new(Box::new(left.data), op, Box::new(right.data)));
            Ok(if changed { Transformed::yes(both) } else { Transformed::no(both) })
        }
        Expr::InSubquery(InSubquery { negated: false, expr: ref left, .. }) if left.any_column_refs() => {
            Ok(Transformed::no(expr))
        }
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
pub(super) fn value(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    expr_up(expr, &mut |expr| match expr {
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
        let nulls = LogicalPlanBuilder::from(Arc::clone(&plan)).filter(element.clone().is_null())?.build()?;
        unknown.push(exists(any_row(nulls)?));
    }
    if found.expr.nullable(schema)? {
        unknown.push(found.expr.as_ref().clone().is_null().and(exists(any_row(plan.as_ref().clone())?)));
    }
    let negated = found.negated;
    let is_in = if found.expr.any_column_refs() || found.expr.contains_outer() {
        Expr::InSubquery(InSubquery { negated: false, ..found })
    } else {
        // There is nothing in the rows outside that a join could compare.
        let equal = LogicalPlanBuilder::from(plan).filter(element.eq(*found.expr))?.build()?;
        exists(any_row(equal)?)
    };
    match unknown.into_iter().reduce(Expr::or) {
        Some(unknown) => {
            let nothing = lit(ScalarValue::Boolean(None));
            when(is_in, lit(!negated)).when(unknown, nothing).otherwise(lit(negated)).map(Transformed::yes)
        }
        None if negated => Ok(Transformed::yes(not(is_in))),
        None => Ok(Transformed::yes(is_in)),
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
pub(super) fn counted(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let rewritten = value(expr, schema)?;
    let counted = expr_up(rewritten.data, &mut |expr| {
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
        let rows = LogicalPlanBuilder::from(plan).aggregate(none, [count(lit(1_i64)).alias("__rows")])?.build()?;
        let rows = scalar_subquery(Arc::new(rows));
        Ok(Transformed::yes(if negated { rows.eq(lit(0_i64)) } else { rows.gt(lit(0_i64)) }))
    })?;
    Ok(Transformed::new_transformed(counted.data, rewritten.transformed || counted.transformed))
}

/// An expression as a subquery of its rows writes it.
fn seen_from_inside(expr: Expr, schema: &DFSchema) -> Result<Expr> {
    let outer = expr_up(expr, &mut |expr| match expr {
        Expr::Column(column) => {
            let field = Arc::clone(schema.field_from_column(&column)?);
            Ok(Transformed::yes(Expr::OuterReferenceColumn(field, column)))
        }
        other => Ok(Transformed::no(other)),
    });
    outer.data()
}
