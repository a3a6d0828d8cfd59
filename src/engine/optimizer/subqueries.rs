//! IN and NOT IN with a subquery, and EXISTS, where DataFusion has no join for them.
//!
//! DataFusion turns `x IN (SELECT …)` into a join that marks a row or does not, which knows no unknown: where the
//! difference between false and unknown shows, a null on either side gives a wrong answer. There, the three values are
//! written out: true where a row is equal, unknown where there is a null that might have been, false otherwise. In
//! SELECT lists, where DataFusion has no such joins, rows are counted.

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TransformedResult};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::optimizer::AnalyzerRule;

use super::ahead;
use super::correlated::settled;
use super::three_valued::{condition, counted, value};
use crate::tree_node::{plan_up, with_names};

/// Rewrites the subqueries of IN and EXISTS in a plan, ahead of anything that compares types.
#[derive(Debug)]
pub(super) struct ThreeValuedIn;

impl AnalyzerRule for ThreeValuedIn {
    fn name(&self) -> &str {
        "three_valued_in"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let settled = plan_up(plan, &mut |node| {
            let schema = merge_schema(&node.inputs());
            with_names(node, &mut |expr| settled(expr, &schema))
        });
        plan_up(settled?.data, &mut rewrite_node).data()
    }
}

fn rewrite_node(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let schema = merge_schema(&plan.inputs());
    match plan {
        LogicalPlan::Filter(_) => with_names(plan, &mut |expr| condition(expr, true, &schema)),
        LogicalPlan::Projection(_) => with_names(plan, &mut |expr| counted(expr, &schema)),
        LogicalPlan::Aggregate(_) => ahead::of_groups(plan),
        LogicalPlan::Join(join) if ahead::joins_by_subqueries(&join) => ahead::of_join(join),
        LogicalPlan::Sort(sort) if ahead::sorts_by_subqueries(&sort) => ahead::of_sort(sort),
        plan if ahead::windows_over_subqueries(&plan) => ahead::of_windows(plan),
        other => with_names(other, &mut |expr| value(expr, &schema)),
    }
}
