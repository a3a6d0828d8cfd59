//! The critical path of traces, one row for each stretch of it.

use std::fmt;
use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, TimestampNanosecondArray, UInt64Array,
};
use arrow::compute::{concat_batches, take, take_record_batch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimestampNanosecondType};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::TableType;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, execute_stream};
use futures::{StreamExt, stream};

use crate::scan::scan_by;
use crate::single_input::single_input;
use crate::subplan::create_subplan;
use spanql_model::columns::{self, timestamp_type};
use spanql_trace::{TreeInput, critical_path, critical_steps, elapsed_ms, group_by_trace, is_step};

/// The columns of a critical path.
fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let fields = [
            ("project", DataType::Utf8),
            ("trace_id", DataType::Utf8),
            ("step", DataType::Int64),
            ("span_id", DataType::Utf8),
            ("name", DataType::Utf8),
            ("kind", DataType::Utf8),
            ("status_code", DataType::Utf8),
            ("model", DataType::Utf8),
            ("depth", DataType::Int32),
            ("start_time", timestamp_type()),
            ("end_time", timestamp_type()),
            ("contribution_ms", DataType::Float64),
            ("share", DataType::Float64),
        ];
        Arc::new(Schema::new(fields.map(|(name, data_type)| Field::new(name, data_type, true)).to_vec()))
    });
    Arc::clone(&SCHEMA)
}

/// The critical path of every trace that a plan gives the spans of, by project and in time order.
///
/// A row is a stretch of time that a span contributes itself, or nobody (its span id is null then); `share` is its part
/// of the whole path. The stretches of a trace do not overlap, and together they are the time from the start of a top
/// span until everything below it is over.
///
/// With `steps`, time of spans without a kind goes to the steps of that moment: see [`spanql_trace::critical_steps`].
#[derive(Debug)]
pub(crate) struct CriticalPathTable {
    spans: LogicalPlan,
    steps: bool,
}

impl CriticalPathTable {
    /// The columns that the plan gives, in this order.
    pub(crate) const READ: [&'static str; 11] = [
        columns::PROJECT,
        columns::TRACE_ID,
        columns::SPAN_ID,
        columns::PARENT_ID,
        columns::NAME,
        columns::KIND,
        columns::STATUS_CODE,
        columns::MODEL,
        "tree.depth",
        columns::START_TIME,
        columns::END_TIME,
    ];

    pub(crate) fn new(spans: LogicalPlan, steps: bool) -> Self {
        Self { spans, steps }
    }

    /// The columns it shows.
    pub(crate) fn columns() -> SchemaRef {
        schema()
    }

    /// Where the spans come from.
    pub(crate) fn spans(&self) -> &LogicalPlan {
        &self.spans
    }
}

impl TableProvider for CriticalPathTable {
    fn schema(&self) -> SchemaRef {
        schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    scan_by!(CriticalPathTable::plan_scan);
}

impl CriticalPathTable {
    async fn plan_scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let spans = create_subplan(session, &self.spans).await?;
        let all = || (0..schema().fields().len()).collect();
        Ok(Arc::new(CriticalPathExec::new(spans, projection.cloned().unwrap_or_else(all), self.steps)?))
    }
}

/// Finds critical paths, when all spans of its input are there.
#[derive(Debug, Clone)]
struct CriticalPathExec {
    input: Arc<dyn ExecutionPlan>,
    shown: Vec<usize>,
    steps: bool,
    properties: Arc<PlanProperties>,
}

impl CriticalPathExec {
    fn new(input: Arc<dyn ExecutionPlan>, shown: Vec<usize>, steps: bool) -> Result<Self> {
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(Arc::new(schema().project(&shown)?)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        ));
        Ok(Self { input, shown, steps, properties })
    }

    /// The same over another input.
    fn over(&self, input: Arc<dyn ExecutionPlan>) -> Result<Self> {
        Ok(Self { input, ..self.clone() })
    }
}

impl DisplayAs for CriticalPathExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CriticalPathExec{}", if self.steps { ": of steps" } else { "" })
    }
}

impl ExecutionPlan for CriticalPathExec {
    single_input!(CriticalPathExec, no expressions);

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (input, shown, steps) = (Arc::clone(&self.input), self.shown.clone(), self.steps);
        let run = async move {
            let memory = MemoryConsumer::new("CriticalPathExec").register(context.memory_pool());
            let mut spans = execute_stream(Arc::clone(&input), context)?;
            let mut batches = vec![];
            while let Some(batch) = spans.next().await.transpose()? {
                memory.try_grow(batch.get_array_memory_size())?;
                batches.push(batch);
            }
            let spans = concat_batches(&input.schema(), &batches)?;
            Ok(paths(&spans, steps)?.project(&shown)?)
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), stream::once(run))))
    }
}

/// The critical paths of all traces of a batch in the columns of [`CriticalPathTable::READ`].
fn paths(spans: &RecordBatch, steps: bool) -> Result<RecordBatch> {
    let wrong = |error: spanql_trace::TraceError| DataFusionError::External(Box::new(error));
    let mut groups = group_by_trace(spans).map_err(wrong)?;
    let spans = match &groups.order {
        Some(order) => take_record_batch(spans, order)?,
        None => spans.clone(),
    };
    let input = TreeInput {
        span_id: spans[columns::SPAN_ID].as_string(),
        parent_id: spans[columns::PARENT_ID].as_string(),
        start_time: spans[columns::START_TIME].as_primitive::<TimestampNanosecondType>(),
        end_time: spans[columns::END_TIME].as_primitive::<TimestampNanosecondType>(),
    };
    let projects = spans[columns::PROJECT].as_string::<i32>();
    let kinds = spans[columns::KIND].as_string::<i32>();
    let is_step = |row: usize| is_step(kinds.is_valid(row).then(|| kinds.value(row)));
    groups.ranges.sort_by_key(|trace| projects.value(trace.start));
    let (mut traces, mut rows, mut step, mut start, mut end) = (vec![], vec![], vec![], vec![], vec![]);
    let (mut contribution, mut share) = (vec![], vec![]);
    for trace in groups.ranges {
        let first = trace.start as u64;
        let path = if steps { critical_steps(&input, trace, is_step) } else { critical_path(&input, trace) };
        let path = path.map_err(wrong)?;
        let whole: f64 = path.iter().map(|part| elapsed_ms(part.start_ns, part.end_ns)).sum();
        for (at, part) in path.iter().enumerate() {
            let took = elapsed_ms(part.start_ns, part.end_ns);
            traces.push(first);
            rows.push(part.row.map(|row| row as u64));
            step.push(at as i64 + 1);
            start.push(part.start_ns);
            end.push(part.end_ns);
            contribution.push(took);
            share.push(took / whole);
        }
    }
    let (traces, rows) = (UInt64Array::from(traces), UInt64Array::from(rows));
    let of_trace = |name: &str| take(&spans[name], &traces, None);
    let of_span = |name: &str| take(&spans[name], &rows, None);
    let time = |ns: Vec<i64>| -> ArrayRef { Arc::new(TimestampNanosecondArray::from(ns).with_timezone("UTC")) };
    let arrays = vec![
        of_trace(columns::PROJECT)?,
        of_trace(columns::TRACE_ID)?,
        Arc::new(Int64Array::from(step)),
        of_span(columns::SPAN_ID)?,
        of_span(columns::NAME)?,
        of_span(columns::KIND)?,
        of_span(columns::STATUS_CODE)?,
        of_span(columns::MODEL)?,
        of_span("tree.depth")?,
        time(start),
        time(end),
        Arc::new(Float64Array::from(contribution)),
        Arc::new(Float64Array::from(share)),
    ];
    Ok(RecordBatch::try_new(schema(), arrays)?)
}
