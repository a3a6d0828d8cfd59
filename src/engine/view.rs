//! Views of the engine's own, which are planned when a statement first looks at them.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::ViewTable;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, LogicalPlan, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;

use super::error::EngineError;
use super::scan::scan_by;

/// Plans the query of a view.
type Plan = Box<dyn Fn() -> Result<LogicalPlan, EngineError> + Send + Sync>;

/// A view that is planned once, by whoever first asks for its columns: most statements name none.
///
/// Its query is planned over the relations of that moment, so that it must be [planned](Self::planned) before one of them is
/// replaced.
pub(super) struct LazyView {
    sql: &'static str,
    plan: Plan,
    view: OnceLock<Result<ViewTable, EngineError>>,
}

impl LazyView {
    pub(super) fn new(
        sql: &'static str,
        plan: impl Fn() -> Result<LogicalPlan, EngineError> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { sql, plan: Box::new(plan), view: OnceLock::new() })
    }

    /// The view itself, which is planned now if it was not before.
    ///
    /// # Errors
    ///
    /// When its query cannot be planned.
    pub(super) fn planned(&self) -> Result<&ViewTable, EngineError> {
        let view = self.view.get_or_init(|| Ok(ViewTable::new((self.plan)()?, Some(self.sql.to_owned()))));
        view.as_ref().map_err(Clone::clone)
    }
}

impl LazyView {
    async fn plan_scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        self.planned()?.scan(session, projection, filters, limit).await
    }
}

impl std::fmt::Debug for LazyView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LazyView").field("sql", &self.sql).finish_non_exhaustive()
    }
}

impl TableProvider for LazyView {
    fn schema(&self) -> SchemaRef {
        // A scan says why there are no columns.
        self.planned().map_or_else(|_| Arc::new(Schema::empty()), TableProvider::schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn get_table_definition(&self) -> Option<&str> {
        Some(self.sql)
    }

    fn get_logical_plan(&self) -> Option<Cow<'_, LogicalPlan>> {
        self.planned().ok()?.get_logical_plan()
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>, DataFusionError> {
        self.planned()?.supports_filters_pushdown(filters)
    }

    scan_by!(LazyView::plan_scan);
}
