//! Subqueries that look outside, where DataFusion's joins for them would be wrong.
//!
//! It moves the conditions that look outside above what lies between. Above an aggregate without GROUP BY there is then
//! no row where nothing matches, above OFFSET and window functions other rows count. The first is written in another
//! way if it is all that the subquery does; what remains is refused.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::utils::take_function_args;
use datafusion::common::{DFSchema, not_impl_err};
use datafusion::error::Result;
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::logical_plan::FetchType;
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, LogicalPlanBuilder, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Subquery, Volatility, lit, scalar_subquery,
};

use super::quantified::{compared, first_row};
use crate::tree_node::expr_up;
use spanql_filter::compare::compare_in_subquery;

/// Rewrites the subqueries in an expression that can be said better, and refuses those that cannot be answered.
pub(super) fn settled(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    expr_up(expr, &mut |expr| match expr {
        Expr::Exists(Exists { mut subquery, negated }) if looks_outside(&subquery.subquery) => {
            if is_one_row(&subquery.subquery) {
                return Ok(Transformed::yes(lit(!negated)));
            }
            // A limit of one row or more changes nothing here, and hides from DataFusion what looks outside.
            if let LogicalPlan::Limit(limit) = subquery.subquery.as_ref()
                && limit.skip.is_none()
                && matches!(limit.get_fetch_type()?, FetchType::Literal(Some(1..)))
            {
                subquery.subquery = Arc::clone(&limit.input);
            }
            refuse_what_moves(&subquery.subquery, true)?;
            Ok(Transformed::yes(Expr::Exists(Exists { subquery, negated })))
        }
        Expr::InSubquery(found) if !looks_outside(&found.subquery.subquery) => named(found),
        Expr::InSubquery(found) => {
            if is_one_row(&found.subquery.subquery) {
                let InSubquery { expr, subquery, negated } = compare_in_subquery(found, schema)?.data;
                let value = scalar_subquery(subquery.subquery);
                return Ok(Transformed::yes(if negated { (*expr).not_eq(value) } else { (*expr).eq(value) }));
            }
            refuse_what_moves(&found.subquery.subquery, true)?;
            Ok(Transformed::no(Expr::InSubquery(found)))
        }
        Expr::SetComparison(found) => Ok(Transformed::yes(settled(compared(found)?, schema)?.data)),
        Expr::ScalarSubquery(ref found) => {
            let plan = &found.subquery;
            if looks_outside(plan)
                && let Some(first) = first_row(found)?
            {
                return Ok(Transformed::yes(settled(first, schema)?.data));
            }
            if looks_outside(plan) {
                refuse_what_moves(plan, false)?;
            }
            let nullable = plan.schema().fields().first().is_none_or(|field| field.is_nullable());
            if nullable || is_one_row(plan) { Ok(Transformed::no(expr)) } else { Ok(Transformed::yes(or_null(expr))) }
        }
        other => Ok(Transformed::no(other)),
    })
}

/// Names the relation that a subquery of IN is, if nothing does: DataFusion takes its column for two otherwise.
fn named(found: InSubquery) -> Result<Transformed<Expr>> {
    if found.subquery.subquery.schema().qualified_field(0).0.is_some() {
        return Ok(Transformed::no(Expr::InSubquery(found)));
    }
    let plan = LogicalPlanBuilder::from(found.subquery.subquery.as_ref().clone()).alias("__in")?.build()?;
    let subquery = Subquery { subquery: Arc::new(plan), ..found.subquery };
    Ok(Transformed::yes(Expr::InSubquery(InSubquery { subquery, ..found })))
}

fn looks_outside(plan: &LogicalPlan) -> bool {
    !plan.all_out_ref_exprs().is_empty()
}

/// Whether a plan gives one row, whatever it reads.
fn is_one_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(projection) => is_one_row(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => is_one_row(&alias.input),
        LogicalPlan::Sort(sort) => sort.fetch.is_none() && is_one_row(&sort.input),
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
        _ => false,
    }
}

fn refuse_what_moves(plan: &LogicalPlan, aggregates: bool) -> Result<()> {
    plan.apply(|node| {
        let what = match node {
            LogicalPlan::Window(_) => "a window function",
            LogicalPlan::Limit(limit) if limit.skip.is_some() => "OFFSET",
            LogicalPlan::Aggregate(aggregate) if aggregates && aggregate.group_expr.is_empty() => {
                "an aggregate without GROUP BY"
            }
            _ => return Ok(TreeNodeRecursion::Continue),
        };
        if looks_outside(node) {
            return not_impl_err!("{what} in a subquery whose conditions look outside it");
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

/// The value of a subquery that may have no row: DataFusion takes it for not null where its column is.
fn or_null(value: Expr) -> Expr {
    static OR_NULL: LazyLock<Arc<ScalarUDF>> =
        LazyLock::new(|| Arc::new(ScalarUDF::from(OrNull { signature: Signature::any(1, Volatility::Immutable) })));
    OR_NULL.call(vec![value])
}

/// Its argument, which may be null whatever its type says.
#[derive(Debug, PartialEq, Eq, Hash)]
struct OrNull {
    signature: Signature,
}

impl ScalarUDFImpl for OrNull {
    fn name(&self) -> &str {
        "or_null"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let [only] = take_function_args(self.name(), types)?;
        Ok(only.clone())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let [only] = take_function_args(self.name(), args.arg_fields)?;
        Ok(Arc::new(Field::new(self.name(), only.data_type().clone(), true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [value] = take_function_args(self.name(), args.args)?;
        Ok(value)
    }
}
