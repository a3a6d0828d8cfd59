//! Rows in an order that stays, whatever a query around them does.

use std::fmt;
use std::sync::Arc;

use arrow::compute::SortOptions;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Column, Result, internal_err};
use datafusion::datasource::TableType;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, TableProviderFilterPushDown};
use datafusion::physical_expr::expressions::col;
use datafusion::physical_expr::{
    EquivalenceProperties, LexOrdering, OrderingRequirements, Partitioning, PhysicalExpr, PhysicalSortExpr,
};
use datafusion::physical_plan::execution_plan::CardinalityEffect;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
};

use crate::scan::scan_by;
use crate::single_input::single_input;
use crate::subplan::create_subplan;

/// A column that rows are ordered by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct By {
    /// Its name in the plan.
    pub(crate) name: &'static str,
    /// Which way, and where null is.
    pub(crate) options: SortOptions,
}

impl By {
    /// The least first, null before.
    pub(crate) fn least(name: &'static str) -> Self {
        Self { name, options: SortOptions { descending: false, nulls_first: true } }
    }

    /// The least first, null behind.
    pub(crate) fn least_known(name: &'static str) -> Self {
        Self { name, options: SortOptions { descending: false, nulls_first: false } }
    }

    /// The greatest first, null behind.
    pub(crate) fn greatest_known(name: &'static str) -> Self {
        Self { name, options: SortOptions { descending: true, nulls_first: false } }
    }
}

/// The rows of a plan, in order: a subquery's ORDER BY would be planned away.
#[derive(Debug)]
pub(crate) struct InOrderTable {
    rows: LogicalPlan,
    order: Vec<By>,
    schema: SchemaRef,
}

impl InOrderTable {
    /// A table of the first `shown` columns of a plan; what it is ordered by may lie behind them.
    pub(crate) fn new(rows: LogicalPlan, order: Vec<By>, shown: usize) -> Self {
        let fields: Vec<_> = rows.schema().fields().iter().take(shown).cloned().collect();
        Self { rows, order, schema: Arc::new(Schema::new(fields)) }
    }

    /// Where the rows come from.
    pub(crate) fn rows(&self) -> &LogicalPlan {
        &self.rows
    }
}

impl TableProvider for InOrderTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Exact; filters.len()])
    }

    scan_by!(InOrderTable::plan_scan);
}

impl InOrderTable {
    async fn plan_scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = self.rows.schema();
        let mut read: Vec<usize> = projection.cloned().unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        let shown = read.len();
        for by in &self.order {
            let index = schema.as_arrow().index_of(by.name)?;
            if !read.contains(&index) {
                read.push(index);
            }
        }
        let mut rows = LogicalPlanBuilder::from(self.rows.clone());
        if let Some(filter) = conjunction(filters.iter().cloned()) {
            rows = rows.filter(filter)?;
        }
        let columns = read.iter().map(|&index| Expr::Column(Column::from(schema.qualified_field(index))));
        let rows = create_subplan(session, &rows.project(columns)?.build()?).await?;
        let ordered: Arc<dyn ExecutionPlan> = Arc::new(InOrderExec::new(rows, &self.order)?);
        if shown == read.len() {
            return Ok(ordered);
        }
        let fields = ordered.schema();
        let columns = fields.fields().iter().take(shown).map(|field| Ok((col(field.name(), &fields)?, field.name())));
        let columns =
            columns.map(|column| column.map(|(expr, name)| (expr, name.clone()))).collect::<Result<Vec<_>>>()?;
        Ok(Arc::new(ProjectionExec::try_new(columns, ordered)?))
    }
}

/// Asks for its rows in order, and hands them on.
#[derive(Debug, Clone)]
struct InOrderExec {
    input: Arc<dyn ExecutionPlan>,
    order: LexOrdering,
    properties: Arc<PlanProperties>,
}

impl InOrderExec {
    fn new(input: Arc<dyn ExecutionPlan>, order: &[By]) -> Result<Self> {
        let schema = input.schema();
        let by = order.iter().map(|by| Ok(PhysicalSortExpr::new(col(by.name, &schema)?, by.options)));
        let Some(order) = LexOrdering::new(by.collect::<Result<Vec<_>>>()?) else {
            return internal_err!("rows in order need something to be ordered by");
        };
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new_with_orderings(schema, [order.clone()]),
            Partitioning::UnknownPartitioning(1),
            input.pipeline_behavior(),
            input.boundedness(),
        ));
        Ok(Self { input, order, properties })
    }

    /// The same over another input.
    fn over(&self, input: Arc<dyn ExecutionPlan>) -> Result<Self> {
        Ok(Self { input, ..self.clone() })
    }
}

impl DisplayAs for InOrderExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InOrderExec: {}", self.order)
    }
}

impl ExecutionPlan for InOrderExec {
    single_input!(InOrderExec);

    fn required_input_distribution(&self) -> Vec<Distribution> {
        vec![Distribution::SinglePartition]
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        vec![Some(self.order.clone().into())]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::Equal
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        let mut go_on = TreeNodeRecursion::Continue;
        for by in &self.order {
            go_on = go_on.visit_sibling(|| f(&by.expr))?;
        }
        Ok(go_on)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.input.execute(partition, context)
    }
}
