//! A Parquet scan of segments that asks the kept columns first.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, Statistics};
use datafusion::config::ConfigOptions;
use datafusion::datasource::physical_plan::{FileScanConfig, FileSource, ParquetSource};
use datafusion::datasource::source::{DataSource, OpenArgs};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, InListExpr, Literal};
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::{
    EquivalenceProperties, Partitioning, PhysicalExpr, PhysicalSortExpr, split_conjunction,
};
use datafusion::physical_plan::DisplayFormatType;
use datafusion::physical_plan::execution_plan::SchedulingType;
use datafusion::physical_plan::filter_pushdown::FilterPushdownPropagation;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::sort_pushdown::SortOrderPushdownResult;

use super::load::BATCH_ROWS;
use super::narrow;
use super::rows::Scan;
use super::texts::Texts;
use spanql_model::columns::{PARENT_ID, SPAN_ID, TRACE_ID};
use spanql_store::{SegmentFile, Segments};

/// Columns of ids: few rows have one, and the statistics and bloom filters of the files say which.
const IDS: [&str; 5] = [TRACE_ID, SPAN_ID, PARENT_ID, "trace_id", "root_span_id"];

/// A scan of files of segments. It is planned as any Parquet scan, and says so; only how it reads differs.
#[derive(Debug)]
pub(in crate::tables) struct KeptSource {
    inner: Arc<dyn DataSource>,
    segments: Segments,
    which: SegmentFile,
    /// Whether it has none but columns of the table.
    plain: bool,
}

impl KeptSource {
    /// Over a scan of files that are planned with their segments; one that has other columns than the table's is read from the
    /// files.
    pub(in crate::tables) fn new(config: FileScanConfig, segments: Segments, which: SegmentFile, plain: bool) -> Self {
        Self { inner: Arc::new(config), segments, which, plain }
    }

    fn over(&self, inner: Arc<dyn DataSource>) -> Arc<dyn DataSource> {
        Arc::new(Self { inner, segments: self.segments.clone(), which: self.which, plain: self.plain })
    }

    fn config(&self) -> Option<(&FileScanConfig, &ParquetSource)> {
        let inner: &dyn Any = self.inner.as_ref();
        let config = inner.downcast_ref::<FileScanConfig>()?;
        let file_source: &dyn Any = config.file_source().as_ref();
        Some((config, file_source.downcast_ref::<ParquetSource>()?))
    }

    /// The scan, where kept columns serve it; all partitions get the same answer.
    fn scan(&self, context: &TaskContext) -> Result<Option<Scan>> {
        let Some((config, source)) = self.config().filter(|_| self.plain) else { return Ok(None) };
        if config.limit.is_some() || context.session_config().batch_size() != BATCH_ROWS {
            return Ok(None);
        }
        let predicate = source.filter();
        let predicate = predicate.as_ref();
        if predicate.is_some_and(|predicate| split_conjunction(predicate).into_iter().any(wants_few)) {
            return Ok(None);
        }
        Scan::new(config.clone(), predicate, self.segments.clone(), self.which).map(Some)
    }
}

/// Whether a condition names ids.
fn wants_few(condition: &Arc<dyn PhysicalExpr>) -> bool {
    let is_id =
        |expr: &Arc<dyn PhysicalExpr>| expr.downcast_ref::<Column>().is_some_and(|column| IDS.contains(&column.name()));
    if let Some(list) = condition.downcast_ref::<InListExpr>() {
        return !list.negated() && is_id(list.expr());
    }
    let Some(binary) = condition.downcast_ref::<BinaryExpr>() else { return false };
    match binary.op() {
        Operator::Eq => {
            let sides = [(binary.left(), binary.right()), (binary.right(), binary.left())];
            sides.into_iter().any(|(column, value)| is_id(column) && value.is::<Literal>())
        }
        Operator::Or => wants_few(binary.left()) && wants_few(binary.right()),
        _ => false,
    }
}

impl DataSource for KeptSource {
    fn open(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.open_with_args(OpenArgs::new(partition, context))
    }

    fn open_with_args(&self, args: OpenArgs) -> Result<SendableRecordBatchStream> {
        if let Some(scan) = self.scan(&args.context)? {
            return scan.open(args.partition, args.context);
        }
        let spans = self.config().filter(|_| self.which == SegmentFile::Spans);
        let asked = spans.and_then(|(config, source)| Some((config, Texts::of(source.filter().as_ref()?)?)));
        match asked {
            Some((config, texts)) => narrow::open(config, texts, self.segments.clone(), args.partition, args.context),
            None => self.inner.open_with_args(args),
        }
    }

    fn create_sibling_state(&self, config: &ConfigOptions) -> Option<Arc<dyn Any + Send + Sync>> {
        self.inner.create_sibling_state(config)
    }

    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        self.inner.fmt_as(format, f)
    }

    fn output_partitioning(&self) -> Partitioning {
        self.inner.output_partitioning()
    }

    fn eq_properties(&self) -> EquivalenceProperties {
        self.inner.eq_properties()
    }

    fn scheduling_type(&self) -> SchedulingType {
        self.inner.scheduling_type()
    }

    fn partition_statistics(&self, partition: Option<usize>) -> Result<Arc<Statistics>> {
        self.inner.partition_statistics(partition)
    }

    fn with_fetch(&self, limit: Option<usize>) -> Option<Arc<dyn DataSource>> {
        self.inner.with_fetch(limit).map(|inner| self.over(inner))
    }

    fn fetch(&self) -> Option<usize> {
        self.inner.fetch()
    }

    fn metrics(&self) -> ExecutionPlanMetricsSet {
        self.inner.metrics()
    }

    fn try_swapping_with_projection(&self, projection: &ProjectionExprs) -> Result<Option<Arc<dyn DataSource>>> {
        Ok(self.inner.try_swapping_with_projection(projection)?.map(|inner| self.over(inner)))
    }

    fn try_pushdown_filters(
        &self,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn DataSource>>> {
        let pushed = self.inner.try_pushdown_filters(filters, config)?;
        let updated_node = pushed.updated_node.map(|inner| self.over(inner));
        Ok(FilterPushdownPropagation { filters: pushed.filters, updated_node })
    }

    fn try_pushdown_sort(&self, order: &[PhysicalSortExpr]) -> Result<SortOrderPushdownResult<Arc<dyn DataSource>>> {
        // Rows come in the order of the files, whatever is pushed: no order is promised beyond what it was planned with.
        Ok(match self.inner.try_pushdown_sort(order)? {
            SortOrderPushdownResult::Inexact { inner } => SortOrderPushdownResult::Inexact { inner: self.over(inner) },
            SortOrderPushdownResult::Exact { inner } => SortOrderPushdownResult::Exact { inner },
            SortOrderPushdownResult::Unsupported => SortOrderPushdownResult::Unsupported,
        })
    }

    fn with_preserve_order(&self, preserve_order: bool) -> Option<Arc<dyn DataSource>> {
        self.inner.with_preserve_order(preserve_order).map(|inner| self.over(inner))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.inner.apply_expressions(f)
    }

    fn with_new_state(&self, state: Arc<dyn Any + Send + Sync>) -> Option<Arc<dyn DataSource>> {
        self.inner.with_new_state(state).map(|inner| self.over(inner))
    }
}
