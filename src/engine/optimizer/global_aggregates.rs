//! Conditions stay above an aggregate that gives a row even for no rows.
//!
//! DataFusion takes a condition that reads none of its columns to the rows below: where it is false, the aggregate
//! then runs over nothing, and its one row is in the answer.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

/// DataFusion's pushdown of filters, stopped at such aggregates.
#[derive(Debug)]
pub(super) struct NotBelowGlobalAggregates(pub(super) Arc<dyn OptimizerRule + Send + Sync>);

impl OptimizerRule for NotBelowGlobalAggregates {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.0.apply_order()
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        if let LogicalPlan::Filter(filter) = &plan {
            let mut input = filter.input.as_ref();
            while let LogicalPlan::Filter(filter) = input {
                input = filter.input.as_ref();
            }
            if matches!(input, LogicalPlan::Aggregate(aggregate) if gives_a_row_for_none(aggregate)) {
                return Ok(Transformed::no(plan));
            }
        }
        self.0.rewrite(plan, config)
    }
}

fn gives_a_row_for_none(aggregate: &Aggregate) -> bool {
    aggregate.group_expr.iter().all(|expr| matches!(expr, Expr::GroupingSet(_)))
}
