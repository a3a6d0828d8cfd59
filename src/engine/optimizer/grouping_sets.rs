//! Keys of grouping sets have no order and no constant value: subtotals make them null.
//!
//! DataFusion takes what it knows of the rows below (a key that is one value, a key that comes in order) for true of
//! the groups as well, and leaves out the sort that an ORDER BY asks for.

use std::fmt;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Aggregate, Expr, GroupingSet, LogicalPlan, LogicalPlanBuilder};
use datafusion::optimizer::AnalyzerRule;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::execution_plan::{CardinalityEffect, ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties};

/// Computes keys of grouping sets that read no column ahead, so that a key is a column and can be null.
#[derive(Debug)]
pub(super) struct ConstantKeys;

impl AnalyzerRule for ConstantKeys {
    fn name(&self) -> &str {
        "constant_keys"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let computed = plan.transform_up_with_subqueries(|node| match node {
            LogicalPlan::Aggregate(aggregate) => computed_ahead(aggregate),
            other => Ok(Transformed::no(other)),
        });
        computed.data()
    }
}

fn computed_ahead(mut aggregate: Aggregate) -> Result<Transformed<LogicalPlan>> {
    let mut ahead: Vec<Expr> = vec![];
    let mut as_column = |key: &mut Expr| {
        if !key.any_column_refs() {
            let name = key.schema_name().to_string();
            let column = Expr::Column(Column::new_unqualified(name.as_str()));
            let constant = std::mem::replace(key, column).alias(name);
            if !ahead.contains(&constant) {
                ahead.push(constant);
            }
        }
    };
    for expr in &mut aggregate.group_expr {
        match expr {
            Expr::GroupingSet(GroupingSet::Rollup(keys) | GroupingSet::Cube(keys)) => {
                keys.iter_mut().for_each(&mut as_column);
            }
            Expr::GroupingSet(GroupingSet::GroupingSets(sets)) => {
                sets.iter_mut().flatten().for_each(&mut as_column);
            }
            _ => {}
        }
    }
    if ahead.is_empty() {
        return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
    }
    let input = Arc::unwrap_or_clone(aggregate.input);
    let columns = input.schema().columns().into_iter().map(Expr::Column).chain(ahead).collect::<Vec<_>>();
    aggregate.input = Arc::new(LogicalPlanBuilder::from(input).project(columns)?.build()?);
    Ok(Transformed::yes(LogicalPlan::Aggregate(aggregate)))
}

/// Puts a node that tells nothing of its rows under each aggregate of grouping sets.
#[derive(Debug)]
pub(super) struct ForgetOrder;

impl PhysicalOptimizerRule for ForgetOrder {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
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

    fn over(inputs: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        match <[_; 1]>::try_from(inputs) {
            Ok([input]) => Ok(Arc::new(Self::new(input))),
            Err(inputs) => internal_err!("{} inputs where one is expected", inputs.len()),
        }
    }
}

impl DisplayAs for UnorderedExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnorderedExec")
    }
}

impl ExecutionPlan for UnorderedExec {
    fn name(&self) -> &'static str {
        "UnorderedExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::Equal
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Self::over(children)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Self::over(children)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.input.execute(partition, context)
    }
}
