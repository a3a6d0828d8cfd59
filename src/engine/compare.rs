//! Comparison of text with numbers, booleans and times in whole plans, ahead of DataFusion's coercion.

use datafusion::common::NullEquality;
use datafusion::common::tree_node::Transformed;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Join, LogicalPlan};
use datafusion::optimizer::AnalyzerRule;

use super::tree_node::{plan_up, with_names};
use spanql_filter::compare::{compare_at, pair, pair_as_text};
use spanql_model::time::Clock;

/// Rewrites all comparisons in a plan, ahead of DataFusion's coercion.
#[derive(Debug)]
pub(crate) struct MixedComparison {
    /// Where the data ends.
    pub(crate) data_end: Option<i64>,
}

impl AnalyzerRule for MixedComparison {
    fn name(&self) -> &str {
        "mixed_comparison"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let clock = Clock::now(self.data_end);
        plan_up(plan, &mut |plan| rewrite_node(plan, &clock)).map(|rewritten| rewritten.data)
    }
}

fn rewrite_node(plan: LogicalPlan, clock: &Clock) -> Result<Transformed<LogicalPlan>> {
    let schema = merge_schema(&plan.inputs());
    let plan = match plan {
        LogicalPlan::Join(Join {
            on,
            left,
            right,
            filter,
            join_type,
            join_constraint,
            schema: join_schema,
            null_equality,
            null_aware,
        }) => {
            let read = |(a, b)| match null_equality {
                NullEquality::NullEqualsNothing => Ok(pair(a, b, &schema, clock)?.data),
                // EXCEPT and INTERSECT compare whole rows as UNION does: number and text as text.
                NullEquality::NullEqualsNull => Ok(pair_as_text(a, b, &schema)),
            };
            let on = on.into_iter().map(read).collect::<Result<_>>()?;
            LogicalPlan::Join(Join {
                on,
                left,
                right,
                filter,
                join_type,
                join_constraint,
                schema: join_schema,
                null_equality,
                null_aware,
            })
        }
        other => other,
    };
    let rewritten = with_names(plan, &mut |expr| compare_at(expr, &schema, clock))?;
    if rewritten.transformed { rewritten.map_data(LogicalPlan::recompute_schema) } else { Ok(rewritten) }
}
