//! Plans inside a plan: what a table computes its rows from.

use std::sync::Arc;

use datafusion::catalog::Session;
use datafusion::common::Result;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;

/// Plans what a table computes its rows from, for a plan around it.
///
/// The rules for physical plans are left to that plan: they see all of it, and some of them fail on what they have seen
/// before.
pub(crate) async fn create_subplan(session: &dyn Session, plan: &LogicalPlan) -> Result<Arc<dyn ExecutionPlan>> {
    let Some(state) = session.as_any().downcast_ref::<SessionState>() else {
        return session.create_physical_plan(plan).await;
    };
    let state = SessionStateBuilder::new_from_existing(state.clone()).with_physical_optimizer_rules(vec![]).build();
    state.create_physical_plan(plan).await
}
