//! The plan that makes rows of spans into rows of a long table.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::{Transformed, TransformedResult};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::filter_pushdown::{ChildFilterDescription, FilterDescription, FilterPushdownPhase};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};

use super::columns::{Cell, Long};
use super::out::Out;
use super::reads::Reads;
use super::source::{Expand, Made, Source};
use crate::per_trace::{Traces, whole_traces};
use crate::single_input::single_input;
use crate::tree_node::physical_expr_up;

/// Makes rows of spans into rows of a table, batch by batch, in the order of the spans.
///
/// Where the table needs traces, each of them lies together in one partition of the input, and is held whole.
#[derive(Debug, Clone)]
pub(super) struct ExpandExec {
    table: Long,
    /// The columns of the table that are made.
    projection: Arc<[usize]>,
    schema: SchemaRef,
    source: Arc<dyn Source>,
    reads: Reads,
    whole_traces: bool,
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl ExpandExec {
    /// The rows of `made`, which reads `input`.
    pub(super) fn new(
        table: Long,
        projection: Vec<usize>,
        schema: SchemaRef,
        made: Made,
        input: Arc<dyn ExecutionPlan>,
    ) -> Self {
        let properties = properties(&schema, &input);
        let Made { source, reads, whole_traces, condition: _ } = made;
        let metrics = ExecutionPlanMetricsSet::new();
        Self { table, projection: projection.into(), schema, source, reads, whole_traces, input, properties, metrics }
    }

    /// A condition on the rows as one on the input, as far as it says the same of all spans that belong together; what
    /// does not is out of the input's reach.
    fn of_spans(&self, filter: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
        let (columns, pushed) = (self.table.columns(), self.table.pushed(self.whole_traces));
        let spans = self.input.schema();
        physical_expr_up(filter, &mut |expr| {
            let Some(column) = expr.downcast_ref::<Column>() else { return Ok(Transformed::no(expr)) };
            let cell = columns.iter().find(|(name, _)| *name == column.name() && pushed.contains(name));
            let found = match cell {
                Some((_, Cell::Of(name))) => spans.index_of(name).ok().map(|place| Column::new(name, place)),
                _ => None,
            };
            let of_spans: Arc<dyn PhysicalExpr> =
                Arc::new(found.unwrap_or_else(|| Column::new(column.name(), usize::MAX)));
            Ok(Transformed::yes(of_spans))
        })
        .data()
    }

    /// The same over another input.
    fn over(&self, input: Arc<dyn ExecutionPlan>) -> Result<Self> {
        let properties = properties(&self.schema, &input);
        Ok(Self { input, properties, metrics: ExecutionPlanMetricsSet::new(), ..self.clone() })
    }
}

fn properties(schema: &SchemaRef, input: &Arc<dyn ExecutionPlan>) -> Arc<PlanProperties> {
    Arc::new(PlanProperties::new(
        EquivalenceProperties::new(Arc::clone(schema)),
        Partitioning::UnknownPartitioning(input.output_partitioning().partition_count()),
        input.pipeline_behavior(),
        input.boundedness(),
    ))
}

impl DisplayAs for ExpandExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: Vec<&str> = self.schema.fields().iter().map(|field| field.name().as_str()).collect();
        match format {
            DisplayFormatType::Default | DisplayFormatType::Verbose => {
                write!(f, "ExpandExec: {}, columns=[{}]", self.table.name(), columns.join(", "))?;
                if self.whole_traces { write!(f, ", whole traces") } else { Ok(()) }
            }
            DisplayFormatType::TreeRender => writeln!(f, "{}", self.table.name()),
        }
    }
}

impl ExecutionPlan for ExpandExec {
    single_input!(ExpandExec, no expressions);

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn gather_filters_for_pushdown(
        &self,
        _: FilterPushdownPhase,
        parent_filters: Vec<Arc<dyn PhysicalExpr>>,
        _: &ConfigOptions,
    ) -> Result<FilterDescription> {
        let of_spans = parent_filters.into_iter().map(|filter| self.of_spans(filter));
        let of_spans = of_spans.collect::<Result<Vec<_>>>()?;
        Ok(FilterDescription::new().with_child(ChildFilterDescription::from_child(&of_spans, &self.input)?))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, Arc::clone(&context))?;
        let traces: BoxStream<'static, Result<Traces>> = if self.whole_traces {
            whole_traces(input, MemoryConsumer::new("ExpandExec").register(context.memory_pool()))
        } else {
            input.map_ok(|batch| (batch, vec![])).boxed()
        };
        let expanding = Expanding {
            traces,
            source: Arc::clone(&self.source),
            reads: self.reads.clone(),
            out: Out::new(self.table, &self.projection, Arc::clone(&self.schema)),
            spans: None,
            baseline: BaselineMetrics::new(&self.metrics, partition),
        };
        let batches = futures::stream::try_unfold(expanding, |mut expanding| async move {
            let next = expanding.next().await?;
            Ok(next.map(|batch| (batch, expanding)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches)))
    }
}

/// One run.
struct Expanding {
    traces: BoxStream<'static, Result<Traces>>,
    source: Arc<dyn Source>,
    reads: Reads,
    out: Out,
    spans: Option<Spans>,
    baseline: BaselineMetrics,
}

/// A batch of spans, expanded as far as to the next one.
struct Spans {
    batch: RecordBatch,
    rows: Box<dyn Expand>,
    /// The traces that have not begun.
    traces: VecDeque<Range<usize>>,
    next: usize,
}

impl Expanding {
    /// The next batch that has rows.
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if self.spans.is_none() {
                let Some((batch, traces)) = self.traces.try_next().await? else { return Ok(None) };
                let rows = self.source.open(self.reads.values(&batch)?)?;
                self.spans = Some(Spans { batch, rows, traces: traces.into(), next: 0 });
            }
            if let Some(batch) = self.expand()? {
                return Ok(Some(batch.record_output(&self.baseline)));
            }
        }
    }

    /// Expands spans of the batch until there are rows enough, or no more spans.
    fn expand(&mut self) -> Result<Option<RecordBatch>> {
        let _timer = self.baseline.elapsed_compute().timer();
        let Some(spans) = &mut self.spans else { return Ok(None) };
        while spans.next < spans.batch.num_rows() && !self.out.is_full() {
            if let Some(trace) = spans.traces.pop_front_if(|trace| trace.start == spans.next) {
                spans.rows.begin(trace);
            }
            spans.rows.expand(spans.next, &mut self.out);
            spans.next += 1;
        }
        let rows = self.out.finish(&spans.batch)?;
        if spans.next == spans.batch.num_rows() {
            self.spans = None;
        }
        Ok(rows)
    }
}
