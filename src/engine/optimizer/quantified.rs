//! Subqueries that DataFusion has no joins for, said by aggregates: `x > ALL (SELECT …)`, and the first row of a
//! subquery that looks outside.

use std::sync::Arc;

use datafusion::common::{Column, Result, ScalarValue};
use datafusion::functions_aggregate::expr_fn::{count, max, min};
use datafusion::functions_aggregate::first_last::first_value_udaf;
use datafusion::logical_expr::expr::{InSubquery, SetComparison, SetQuantifier};
use datafusion::logical_expr::logical_plan::FetchType;
use datafusion::logical_expr::{
    Expr, ExprFunctionExt, LogicalPlan, LogicalPlanBuilder, Operator, Subquery, binary_expr, lit, not, scalar_subquery,
    when,
};

/// A comparison with ANY or ALL rows of a subquery, as IN, or as a comparison with the smallest or the largest.
pub(super) fn compared(found: SetComparison) -> Result<Expr> {
    use Operator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    let SetComparison { expr, subquery, op, quantifier } = found;
    let any = quantifier == SetQuantifier::Any;
    match (op, any) {
        (Eq, true) => return Ok(Expr::InSubquery(InSubquery { expr, subquery, negated: false })),
        (NotEq, false) => return Ok(Expr::InSubquery(InSubquery { expr, subquery, negated: true })),
        _ => {}
    }
    let plan = subquery.subquery.as_ref();
    let element = Expr::Column(Column::from(plan.schema().qualified_field(0)));
    let value = |aggregate: Expr| -> Result<Expr> {
        let none: [Expr; 0] = [];
        let plan = LogicalPlanBuilder::from(plan.clone()).aggregate(none, [aggregate])?.build()?;
        Ok(scalar_subquery(Arc::new(plan)))
    };
    let against = |extreme: Expr| -> Result<Expr> { Ok(binary_expr(expr.as_ref().clone(), op, value(extreme)?)) };
    let holds = match (op, any) {
        (Gt | GtEq, true) | (Lt | LtEq, false) => against(min(element.clone()))?,
        (Lt | LtEq, true) | (Gt | GtEq, false) => against(max(element.clone()))?,
        // Equal to all is equal to both ends; unequal to any is unequal to one of them.
        (_, false) => against(min(element.clone()))?.and(against(max(element.clone()))?),
        (_, true) => against(min(element.clone()))?.or(against(max(element.clone()))?),
    };
    let (all, known) = (value(count(lit(1_i64)))?, value(count(element))?);
    let decided = if any { holds.clone() } else { not(holds.clone()) };
    when(all.clone().eq(lit(0_i64)), lit(!any))
        .when(decided, lit(any))
        .when(known.lt(all), lit(ScalarValue::Boolean(None)))
        .otherwise(holds)
}

/// The value of a subquery's first row as an aggregate, which DataFusion can join: `… ORDER BY x LIMIT 1`.
pub(super) fn first_row(found: &Subquery) -> Result<Option<Expr>> {
    let LogicalPlan::Limit(limit) = found.subquery.as_ref() else { return Ok(None) };
    if limit.skip.is_some() || !matches!(limit.get_fetch_type()?, FetchType::Literal(Some(1))) {
        return Ok(None);
    }
    let own = |plan: &LogicalPlan| Expr::Column(Column::from(plan.schema().qualified_field(0)));
    let (value, order, base) = match limit.input.as_ref() {
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => (own(&limit.input), sort.expr.clone(), &sort.input),
        LogicalPlan::Projection(projection) => match projection.input.as_ref() {
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => {
                (projection.expr[0].clone().unalias(), sort.expr.clone(), &sort.input)
            }
            _ => (own(&limit.input), vec![], &limit.input),
        },
        _ => (own(&limit.input), vec![], &limit.input),
    };
    let first = first_value_udaf().call(vec![value]);
    let first = if order.is_empty() { first } else { first.order_by(order).build()? };
    let none: [Expr; 0] = [];
    let plan = LogicalPlanBuilder::from(base.as_ref().clone()).aggregate(none, [first])?.build()?;
    Ok(Some(scalar_subquery(Arc::new(plan))))
}
