//! What is known of rows is forgotten where it is not known of the rows above.
//!
//! DataFusion takes a key of grouping sets that is one value below, or comes in order, for the same above, where
//! subtotals are null; and a column that is another value in each branch of a union for one that needs no sorting. It
//! then leaves out the sort that an ORDER BY asks for.

use std::fmt;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::execution_plan::{CardinalityEffect, ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterDescription, FilterPushdownPhase, FilterPushdownPropagation,
};
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties};

use crate::single_input::single_input;
use crate::tree_node::physical_plan_up;

/// Puts a node that tells nothing of its rows under aggregates of grouping sets, and above unions.
#[derive(Debug)]
pub(super) struct ForgetOrder;

impl PhysicalOptimizerRule for ForgetOrder {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        physical_plan_up(plan, &mut |node| {
            if node.is::<UnionExec>() {
                return Ok(Transformed::yes(Arc::new(UnorderedExec::new(node)) as Arc<dyn ExecutionPlan>));
            }
            let input = node
                .downcast_ref::<AggregateExec>()
                .filter(|aggregate| aggregate.group_expr().groups().iter().flatten().any(|is_null| *is_null))
                .map(AggregateExec::input);
            match input {
                Some(input) => {
                    let unordered = Arc::new(UnorderedExec::new(Arc::clone(input)));
                    let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
                    node.replace_children(vec![unordered], options).map(Transformed::yes)
                }
                None => Ok(Transformed::no(node)),
            }
        })
        .data()
    }

    fn name(&self) -> &str {
        "forget_order"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Hands its rows on, and says nothing of them.
#[derive(Debug)]
struct UnorderedExec {
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl UnorderedExec {
    fn new(input: Arc<dyn ExecutionPlan>) -> Self {
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(input.schema()),
            input.output_partitioning().clone(),
            input.pipeline_behavior(),
            input.boundedness(),
        ));
        Self { input, properties }
    }

    /// The same over another input.
    fn over(&self, input: Arc<dyn ExecutionPlan>) -> Result<Self> {
        Ok(Self::new(input))
    }
}

impl DisplayAs for UnorderedExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnorderedExec")
    }
}

impl ExecutionPlan for UnorderedExec {
    single_input!(UnorderedExec, no expressions);

    fn supports_limit_pushdown(&self) -> bool {
        true
    }

    fn gather_filters_for_pushdown(
        &self,
        _: FilterPushdownPhase,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        _: &ConfigOptions,
    ) -> Result<FilterDescription> {
        FilterDescription::from_children(filters, &self.children())
    }

    fn handle_child_pushdown_result(
        &self,
        _: FilterPushdownPhase,
        result: ChildPushdownResult,
        _: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        Ok(FilterPushdownPropagation::if_all(result))
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::Equal
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.input.execute(partition, context)
    }
}
