//! EXCEPT ALL and INTERSECT ALL count.
//!
//! DataFusion keeps or drops all rows that are equal. Here equal rows are numbered on either side, and the number is
//! compared as well: the second `x` of the left goes with the second `x` of the right.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, NullEquality, Result};
use datafusion::config::ConfigOptions;
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{Distinct, Expr, ExprFunctionExt, Join, JoinType, LogicalPlan, LogicalPlanBuilder};
use datafusion::optimizer::AnalyzerRule;

use crate::tree_node::plan_up;

/// The number of a row among those that are equal.
const NUMBER: &str = "__number";

/// Numbers the rows of EXCEPT ALL and INTERSECT ALL, behind the coercion of their types.
#[derive(Debug)]
pub(super) struct MultisetOperations;

impl AnalyzerRule for MultisetOperations {
    fn name(&self) -> &str {
        "multiset_operations"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let counted = plan_up(plan, &mut |node| match node {
            LogicalPlan::Join(join) if compares_multisets(&join) => numbered(join).map(Transformed::yes),
            other => Ok(Transformed::no(other)),
        });
        counted.map(|counted| counted.data)
    }
}

/// Whether a join stands for one of the two, and its rows are not numbered yet: without ALL, and where it makes no
/// difference, its left side is distinct.
fn compares_multisets(join: &Join) -> bool {
    matches!(join.join_type, JoinType::LeftSemi | JoinType::LeftAnti)
        && join.null_equality == NullEquality::NullEqualsNull
        && join.filter.is_none()
        && !matches!(join.left.as_ref(), LogicalPlan::Distinct(Distinct::All(_)))
        && !join.on.iter().any(|(key, _)| matches!(key, Expr::Column(column) if column.name == NUMBER))
}

fn numbered(join: Join) -> Result<LogicalPlan> {
    let columns = join.left.schema().columns();
    let (left_keys, right_keys): (Vec<Expr>, Vec<Expr>) = join.on.into_iter().unzip();
    let number = |side: Arc<LogicalPlan>, keys: &[Expr]| {
        let number = row_number().partition_by(keys.to_vec()).build()?.alias(NUMBER);
        LogicalPlanBuilder::from(side).window([number])?.build()
    };
    let left = number(join.left, &left_keys)?;
    let right = number(join.right, &right_keys)?;
    let key = || Expr::Column(Column::new_unqualified(NUMBER));
    let on = left_keys.into_iter().zip(right_keys).chain([(key(), key())]).collect();
    let joined = Join::try_new(
        Arc::new(left),
        Arc::new(right),
        on,
        None,
        join.join_type,
        join.join_constraint,
        NullEquality::NullEqualsNull,
        false,
    )?;
    LogicalPlanBuilder::from(LogicalPlan::Join(joined)).project(columns.into_iter().map(Expr::Column))?.build()
}
