//! stub
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::AnalyzerRule;

#[derive(Debug)]
pub(crate) struct MixedComparison;
impl AnalyzerRule for MixedComparison {
    fn name(&self) -> &str {
        "mixed_comparison"
    }
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(plan)
    }
}
