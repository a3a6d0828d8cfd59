//! Long chains of AND and OR as balanced trees.
//!
//! The parser nests `a OR b OR c …` to the left, a level for each term, and evaluation recurses over the levels on
//! threads with ordinary stacks. As a balanced tree a thousand terms are ten levels.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::BinaryExpr;
use datafusion::logical_expr::{Expr, LogicalPlan, Operator};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{AnalyzerRule, OptimizerConfig, OptimizerRule};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::BinaryExpr as PhysicalBinaryExpr;
use datafusion::physical_expr::split_conjunction;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::{FilterExec, FilterExecBuilder};

use super::tree_node::{expr_down, physical_plan_up, plan_up, with_names};

/// Chains up to this depth stay as they are; a balanced tree of all terms the limits allow is far below.
const MAX_DEPTH: usize = 32;

/// Balances the chains in all expressions of a plan.
///
/// Runs after the analyzer, which makes the work of the optimizer rules shorter too, after these, and on the physical
/// filters: both kinds of optimisation take conditions apart and join them to chains again.
#[derive(Debug)]
pub(crate) struct BalanceChains;

fn operands(expr: &Expr, chain: Operator) -> Option<[&Expr; 2]> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if *op == chain => Some([left, right]),
        _ => None,
    }
}

/// How deep the operands of the same operator nest.
fn chain_depth(expr: &Expr, chain: Operator) -> usize {
    let mut deepest = 0;
    let mut open = vec![(expr, 0)];
    while let Some((expr, depth)) = open.pop() {
        deepest = deepest.max(depth);
        open.extend(operands(expr, chain).into_iter().flatten().map(|operand| (operand, depth + 1)));
    }
    deepest
}

/// The operands of a whole chain, left to right.
fn chain_terms(expr: Expr, chain: Operator) -> Vec<Expr> {
    let mut terms = vec![];
    let mut open = vec![expr];
    while let Some(expr) = open.pop() {
        match expr {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if op == chain => open.extend([*right, *left]),
            term => terms.push(term),
        }
    }
    terms
}

fn balanced<T>(mut terms: Vec<T>, join: impl Fn(T, T) -> T) -> Option<T> {
    while terms.len() > 1 {
        let mut pairs = Vec::with_capacity(terms.len().div_ceil(2));
        let mut rest = terms.into_iter();
        while let Some(left) = rest.next() {
            pairs.push(match rest.next() {
                Some(right) => join(left, right),
                None => left,
            });
        }
        terms = pairs;
    }
    terms.pop()
}

/// Makes a chain that is too deep a balanced tree.
pub(super) fn balance(expr: Expr) -> Result<Transformed<Expr>> {
    expr_down(expr, &mut |expr| {
        let chain = match &expr {
            Expr::BinaryExpr(BinaryExpr { op: op @ (Operator::And | Operator::Or), .. }) => *op,
            _ => return Ok(Transformed::no(expr)),
        };
        if chain_depth(&expr, chain) <= MAX_DEPTH {
            return Ok(Transformed::no(expr));
        }
        let whole = expr.clone();
        let join = |left, right| Expr::BinaryExpr(BinaryExpr::new(Box::new(left), chain, Box::new(right)));
        Ok(Transformed::yes(balanced(chain_terms(expr, chain), join).unwrap_or(whole)))
    })
}

fn balance_node(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    with_names(plan, &mut balance)
}

impl AnalyzerRule for BalanceChains {
    fn name(&self) -> &str {
        "balance_chains"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan_up(plan, &mut balance_node).map(|balanced| balanced.data)
    }
}

impl OptimizerRule for BalanceChains {
    fn name(&self) -> &str {
        "balance_chains"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        balance_node(plan)
    }
}

impl PhysicalOptimizerRule for BalanceChains {
    fn name(&self) -> &str {
        "balance_chains"
    }

    fn schema_check(&self) -> bool {
        true
    }

    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let balanced = physical_plan_up(plan, &mut |node| match node.downcast_ref::<FilterExec>() {
            Some(filter) => {
                let terms: Vec<Arc<dyn PhysicalExpr>> =
                    split_conjunction(filter.predicate()).into_iter().cloned().collect();
                if terms.len() <= MAX_DEPTH {
                    return Ok(Transformed::no(node));
                }
                let join = |left, right| -> Arc<dyn PhysicalExpr> {
                    Arc::new(PhysicalBinaryExpr::new(left, Operator::And, right))
                };
                match balanced(terms, join) {
                    Some(predicate) => Ok(Transformed::yes(Arc::new(
                        FilterExecBuilder::from(filter).with_predicate(predicate).build()?,
                    ))),
                    None => Ok(Transformed::no(node)),
                }
            }
            None => Ok(Transformed::no(node)),
        });
        balanced.map(|balanced| balanced.data)
    }
}

#[cfg(test)]
mod tests {
    use datafusion::logical_expr::{col, lit};

    use super::*;

    #[test]
    fn keeps_terms_and_order() {
        let terms: Vec<Expr> = (0..999).map(|i| col("a").gt(lit(i))).collect();
        let chain = terms.iter().cloned().reduce(Expr::or).unwrap();
        assert_eq!(chain_depth(&chain, Operator::Or), 998);
        let balanced = balance(chain).unwrap().data;
        assert_eq!(chain_depth(&balanced, Operator::Or), 10);
        assert_eq!(chain_terms(balanced, Operator::Or), terms);
    }

    #[test]
    fn leaves_short_chains_alone() {
        let chain = (0..20).map(|i| col("a").gt(lit(i))).reduce(Expr::and).unwrap();
        assert!(!balance(chain).unwrap().transformed);
    }
}
