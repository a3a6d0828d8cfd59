//! Filters of a physical plan go down only where a column's name says which column it is.
//!
//! DataFusion finds the columns of a filter in the plan below by name alone. The rows of a join may have two columns
//! of one name, and then the filter lands on the first: a WHERE on the null-extended side of an outer join, or the
//! bound that an ORDER BY with a LIMIT finds, would take rows of the other side.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};

use crate::single_input::single_input;
use crate::tree_node::physical_plan_up;

/// DataFusion's pushdown of filters, kept from nodes in which names are ambiguous.
#[derive(Debug)]
pub(super) struct UnambiguousPushdown(pub(super) Arc<dyn PhysicalOptimizerRule + Send + Sync>);

impl PhysicalOptimizerRule for UnambiguousPushdown {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let mut barriers = false;
        let guarded = physical_plan_up(plan, &mut |node| {
            if is_ambiguous(&node) {
                barriers = true;
                Ok(Transformed::yes(Arc::new(FilterBarrierExec::new(node)) as Arc<dyn ExecutionPlan>))
            } else {
                Ok(Transformed::no(node))
            }
        });
        let pushed = self.0.optimize(guarded.data()?, config)?;
        if !barriers {
            return Ok(pushed);
        }
        let unguarded = physical_plan_up(pushed, &mut |node| match node.downcast_ref::<FilterBarrierExec>() {
            Some(barrier) => Ok(Transformed::yes(Arc::clone(&barrier.input))),
            None => Ok(Transformed::no(node)),
        });
        unguarded.data()
    }

    fn name(&self) -> &str {
        self.0.name()
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Whether a filter over the rows of a node may be read wrongly on its way to the nodes below.
fn is_ambiguous(node: &Arc<dyn ExecutionPlan>) -> bool {
    let children = node.children();
    if node.is::<HashJoinExec>() {
        // It tells its sides apart by position; only within a side does it go by name.
        return !children.iter().all(|child| names_are_unique(&child.schema()));
    }
    if !names_are_unique(&node.schema()) {
        return true;
    }
    if node.is::<ProjectionExec>() {
        return false;
    }
    if node.is::<UnionExec>() {
        let names = |schema: &Schema| schema.fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
        let own = names(&node.schema());
        return !children.iter().all(|child| names(&child.schema()) == own);
    }
    !children.iter().all(|child| names_are_unique(&child.schema()))
}

fn names_are_unique(schema: &Schema) -> bool {
    let mut names = HashSet::with_capacity(schema.fields().len());
    schema.fields().iter().all(|field| names.insert(field.name()))
}

/// Lets no filter through; it is there while filters are pushed, and never runs.
#[derive(Debug)]
struct FilterBarrierExec {
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl FilterBarrierExec {
    fn new(input: Arc<dyn ExecutionPlan>) -> Self {
        let properties = Arc::clone(input.properties());
        Self { input, properties }
    }

    /// The same over another input.
    fn over(&self, input: Arc<dyn ExecutionPlan>) -> Result<Self> {
        Ok(Self::new(input))
    }
}

impl DisplayAs for FilterBarrierExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FilterBarrierExec")
    }
}

impl ExecutionPlan for FilterBarrierExec {
    single_input!(FilterBarrierExec, no expressions);

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.input.execute(partition, context)
    }
}
