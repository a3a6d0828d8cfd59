//! Keys of grouping sets that are one value are columns, so that subtotals can make them null.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult};
use datafusion::common::{Column, Result};
use datafusion::logical_expr::{Aggregate, Expr, GroupingSet, LogicalPlan, LogicalPlanBuilder};
use datafusion::optimizer::AnalyzerRule;

use crate::tree_node::plan_up;

/// Computes keys of grouping sets that read no column ahead, so that a key is a column and can be null.
#[derive(Debug)]
pub(super) struct ConstantKeys;

impl AnalyzerRule for ConstantKeys {
    fn name(&self) -> &str {
        "constant_keys"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let computed = plan_up(plan, &mut |node| match node {
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
