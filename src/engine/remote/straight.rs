//! Rows of a remote go to their filters as they come.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult};
use datafusion::physical_expr::Partitioning;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::execution_plan::EmissionType;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

use super::scan::RemoteScanExec;
use crate::tree_node::physical_plan_up;

/// Takes out the exchanges that would hand the rows of a remote round to several partitions.
///
/// They gather thousands of rows for each partition before the first goes on, and read ahead for all of them: a
/// filter with a LIMIT would wait for rows that it does not need. The wire is slower than one filter.
#[derive(Debug)]
pub(crate) struct StraightFromRemote;

impl PhysicalOptimizerRule for StraightFromRemote {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        physical_plan_up(plan, &mut |node| {
            let input = node
                .downcast_ref::<RepartitionExec>()
                .filter(|exchange| matches!(exchange.partitioning(), Partitioning::RoundRobinBatch(_)))
                .map(RepartitionExec::input)
                .filter(|input| streams_from_remote(input))
                .map(Arc::clone);
            Ok(input.map_or_else(|| Transformed::no(node), Transformed::yes))
        })
        .data()
    }

    fn name(&self) -> &str {
        "straight_from_remote"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Whether a plan gives the rows of one remote scan, changed or chosen one by one.
fn streams_from_remote(mut plan: &Arc<dyn ExecutionPlan>) -> bool {
    loop {
        if plan.is::<RemoteScanExec>() {
            return true;
        }
        match plan.children().as_slice() {
            [child] if plan.pipeline_behavior() == EmissionType::Incremental => plan = child,
            _ => return false,
        }
    }
}
