//! What the plans of one input have in common.

use std::sync::Arc;

use datafusion::common::{Result, internal_err};
use datafusion::physical_plan::ExecutionPlan;

/// The one input among these.
pub(crate) fn only(inputs: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
    match <[_; 1]>::try_from(inputs) {
        Ok([input]) => Ok(input),
        Err(inputs) => internal_err!("{} inputs where one is expected", inputs.len()),
    }
}

/// The methods of an `ExecutionPlan` that are the same whatever a plan does with its input; the one for expressions among
/// them if it has none.
///
/// The plan has the fields `input` and `properties`, and a method `over(&self, input) -> Result<Self>`, which gives the
/// same plan over another input. Its file imports `Arc`, `ExecutionPlan`, `PlanProperties` and `Result`.
macro_rules! single_input {
    ($name:ident, no expressions) => {
        $crate::single_input::single_input!($name);

        fn apply_expressions(
            &self,
            _: &mut dyn FnMut(
                &Arc<dyn datafusion::physical_expr::PhysicalExpr>,
            ) -> Result<datafusion::common::tree_node::TreeNodeRecursion>,
        ) -> Result<datafusion::common::tree_node::TreeNodeRecursion> {
            Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
        }
    };
    ($name:ident) => {
        fn name(&self) -> &'static str {
            stringify!($name)
        }

        fn properties(&self) -> &Arc<PlanProperties> {
            &self.properties
        }

        fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
            vec![&self.input]
        }

        fn replace_children(
            self: Arc<Self>,
            children: Vec<Arc<dyn ExecutionPlan>>,
            _: datafusion::physical_plan::execution_plan::ReplaceChildrenOptions,
        ) -> Result<Arc<dyn ExecutionPlan>> {
            Ok(Arc::new(self.over($crate::single_input::only(children)?)?))
        }

        fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
            Ok(Arc::new(self.over($crate::single_input::only(children)?)?))
        }
    };
}

pub(crate) use single_input;
