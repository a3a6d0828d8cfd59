//! The rules that make a plan, and where they differ from DataFusion's.
//!
//! Each of our own stands in for something that gives a wrong answer there; `docs/datafusion.md` lists them, with the
//! tests that tell when one is needed no more.

mod ahead;
mod correlated;
mod global_aggregates;
mod grouping_sets;
mod in_lists;
mod multisets;
mod nullability;
mod pushdown;
mod quantified;
mod statistics;
mod subqueries;
mod three_valued;
mod unordered;

use std::sync::Arc;

use datafusion::optimizer::{Analyzer, AnalyzerRule, Optimizer, OptimizerRule};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;

use super::balance::BalanceChains;
use super::compare::MixedComparison;
use super::functions::bounded::Limit;
use super::overflow::{CheckedArithmetic, SignedDifferences};
use super::remote::StraightFromRemote;
use super::zeros::OneZero;

/// What is done to a logical plan before it is optimized.
pub(super) fn analyzer_rules(limit: Limit, data_end: Option<i64>) -> Vec<Arc<dyn AnalyzerRule + Send + Sync>> {
    // IN with a subquery becomes comparisons, for mixed comparison to see; and DataFusion's coercion casts text and
    // fails on the first odd one, so ours comes first.
    let mut rules: Vec<Arc<dyn AnalyzerRule + Send + Sync>> =
        vec![Arc::new(SignedDifferences), Arc::new(subqueries::ThreeValuedIn), Arc::new(MixedComparison { data_end })];
    rules.extend(Analyzer::new().rules);
    rules.push(Arc::new(multisets::MultisetOperations));
    rules.push(Arc::new(grouping_sets::ConstantKeys));
    rules.push(Arc::new(OneZero));
    rules.push(Arc::new(in_lists::ThreeValuedLists));
    rules.push(Arc::new(CheckedArithmetic(limit)));
    rules.push(Arc::new(nullability::Nullability));
    rules.push(Arc::new(BalanceChains));
    rules
}

/// What makes a logical plan cheaper.
pub(super) fn optimizer_rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let mut rules: Vec<Arc<dyn OptimizerRule + Send + Sync>> = vec![];
    for rule in Optimizer::new().rules {
        rules.push(match rule.name() {
            "push_down_filter" => Arc::new(global_aggregates::NotBelowGlobalAggregates(rule)),
            _ => rule,
        });
    }
    rules.push(Arc::new(BalanceChains));
    rules
}

/// What makes a physical plan of one that came from the logical plan.
pub(super) fn physical_rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let mut rules: Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> = vec![Arc::new(unordered::ForgetOrder)];
    for rule in PhysicalOptimizer::new().rules {
        rules.push(match rule.name() {
            "aggregate_statistics" => Arc::new(statistics::UnfilteredStatistics(rule)),
            "FilterPushdown" | "FilterPushdown(Post)" => Arc::new(pushdown::UnambiguousPushdown(rule)),
            _ => rule,
        });
    }
    rules.push(Arc::new(StraightFromRemote));
    rules.push(Arc::new(BalanceChains));
    rules
}
