//! Walks over plans and expressions with functions that are trait objects.
//!
//! DataFusion's walks are generic over the function that they call: each is compiled anew, with all that it calls, for
//! every closure, which takes long and makes much machine code. Here every walk is compiled once. A walk that is done in
//! one place only is not here.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::utils::NamePreserver;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;

/// What a rewrite makes of a node, and whether that is another one.
type Rewritten<T> = Result<Transformed<T>>;

/// Rewrites the nodes of a plan and of its subqueries, inputs first.
pub(crate) fn plan_up(
    plan: LogicalPlan,
    rewrite: &mut dyn FnMut(LogicalPlan) -> Rewritten<LogicalPlan>,
) -> Rewritten<LogicalPlan> {
    plan.transform_up_with_subqueries(rewrite)
}

/// Rewrites the expressions of one node, as wholes, which keep their names.
pub(crate) fn with_names(
    plan: LogicalPlan,
    rewrite: &mut dyn FnMut(Expr) -> Rewritten<Expr>,
) -> Rewritten<LogicalPlan> {
    let names = NamePreserver::new(&plan);
    plan.map_expressions(|expr| {
        let name = names.save(&expr);
        Ok(rewrite(expr)?.update_data(|expr| name.restore(expr)))
    })
}

/// Rewrites an expression, from what it is made of to the whole.
pub(crate) fn expr_up(expr: Expr, rewrite: &mut dyn FnMut(Expr) -> Rewritten<Expr>) -> Rewritten<Expr> {
    expr.transform_up(rewrite)
}

/// Rewrites an expression, from the whole to what it is made of.
pub(crate) fn expr_down(expr: Expr, rewrite: &mut dyn FnMut(Expr) -> Rewritten<Expr>) -> Rewritten<Expr> {
    expr.transform_down(rewrite)
}

/// Rewrites the nodes of a physical plan, inputs first.
pub(crate) fn physical_plan_up(
    plan: Arc<dyn ExecutionPlan>,
    rewrite: &mut dyn FnMut(Arc<dyn ExecutionPlan>) -> Rewritten<Arc<dyn ExecutionPlan>>,
) -> Rewritten<Arc<dyn ExecutionPlan>> {
    plan.transform_up(rewrite)
}

/// Rewrites a physical expression, from what it is made of to the whole.
pub(crate) fn physical_expr_up(
    expr: Arc<dyn PhysicalExpr>,
    rewrite: &mut dyn FnMut(Arc<dyn PhysicalExpr>) -> Rewritten<Arc<dyn PhysicalExpr>>,
) -> Rewritten<Arc<dyn PhysicalExpr>> {
    expr.transform_up(rewrite)
}

/// Shows the nodes of a plan and of its subqueries, from the top down.
pub(crate) fn each_plan(
    plan: &LogicalPlan,
    see: &mut dyn FnMut(&LogicalPlan) -> Result<TreeNodeRecursion>,
) -> Result<()> {
    plan.apply_with_subqueries(see)?;
    Ok(())
}

/// Shows all expressions of a plan and of its subqueries, and all that they are made of.
pub(crate) fn each_expr_of(plan: &LogicalPlan, see: &mut dyn FnMut(&Expr)) -> Result<()> {
    each_plan(plan, &mut |node| {
        node.apply_expressions(|expr| {
            each_expr(expr, see);
            Ok(TreeNodeRecursion::Continue)
        })
    })
}

/// Shows an expression and all that it is made of, from the top down.
pub(crate) fn each_expr(expr: &Expr, see: &mut dyn FnMut(&Expr)) {
    // The visitor cannot fail.
    let _ = expr.apply(|expr| {
        see(expr);
        Ok(TreeNodeRecursion::Continue)
    });
}
