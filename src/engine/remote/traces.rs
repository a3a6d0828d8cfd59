//! The plan that reads whole traces of a remote: which have a span that matches, then all of their spans.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{SchemaRef, TimestampNanosecondType};
use datafusion::common::{Column, Result, internal_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, lit};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{BaselineMetrics, Count, MetricBuilder, MetricsSet, RecordOutput};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, execute_stream};
use futures::{StreamExt, TryStreamExt, stream};

use super::scan::RemoteScanExec;
use crate::single_input::single_input;
use spanql_filter::arize;
use spanql_model::columns::TRACE_ID;

/// The ids of a request, in bytes of the text that names them.
const MOST_BYTES: usize = 32 << 10;
/// The ids of a request.
const MOST_IDS: usize = 1_000;
/// The conditions of which one number notes whether they are met.
const BITS: usize = u64::BITS as usize;

/// Reads the spans of the traces whose ids its input gives, some traces a request, one request after the other.
///
/// Nothing is asked of a remote before it is run, nor for spans before all ids are known; dropping its stream cancels
/// the request that is under way.
#[derive(Debug, Clone)]
pub(super) struct TracesWhereExec {
    input: Arc<dyn ExecutionPlan>,
    /// The requests for spans, but for the ids.
    spans: RemoteScanExec,
    /// Where the trace's id is among the columns that are read: behind those that are shown, if it is not one of them.
    id: usize,
    schema: SchemaRef,
    limit: Option<usize>,
    properties: Arc<PlanProperties>,
}

impl TracesWhereExec {
    pub(super) fn new(
        input: Arc<dyn ExecutionPlan>,
        spans: RemoteScanExec,
        id: usize,
        schema: SchemaRef,
        limit: Option<usize>,
    ) -> Self {
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        Self { input, spans, id, schema, limit, properties }
    }

    /// The requests for spans, but for the ids.
    pub(super) fn spans(&self) -> &RemoteScanExec {
        &self.spans
    }

    /// The same over another input.
    fn over(&self, input: Arc<dyn ExecutionPlan>) -> Result<Self> {
        Ok(Self { input, ..self.clone() })
    }

    /// The request for the spans of these traces.
    fn spans_of<'a>(&self, ids: impl Iterator<Item = &'a str>) -> RemoteScanExec {
        let ids: Vec<Expr> = ids.map(lit).collect();
        self.spans.with_filter(trace_id().in_list(ids, false))
    }
}

/// The column of a trace's id.
pub(super) fn trace_id() -> Expr {
    Expr::Column(Column::new_unqualified(TRACE_ID))
}

impl DisplayAs for TracesWhereExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let described = self.spans_of(["…", "…"].into_iter()).described();
        let most = ("requests", format!("{MOST_IDS} traces or {} kB of their ids each", MOST_BYTES >> 10));
        let newest = self.limit.map(|limit| ("traces", limit.to_string()));
        let described =
            newest.into_iter().chain([most]).chain(described).map(|(name, value)| format!("{name}={value}"));
        match format {
            DisplayFormatType::Default | DisplayFormatType::Verbose => {
                write!(f, "TracesWhereExec: {}", described.collect::<Vec<_>>().join(", "))
            }
            DisplayFormatType::TreeRender => described.into_iter().try_for_each(|line| writeln!(f, "{line}")),
        }
    }
}

impl ExecutionPlan for TracesWhereExec {
    single_input!(TracesWhereExec, no expressions);

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn metrics(&self) -> Option<MetricsSet> {
        self.spans.metrics()
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let metrics = self.spans.metrics_set();
        let reading = Reading {
            plan: self.clone(),
            ids: MemoryConsumer::new("TracesWhereExec").register(context.memory_pool()),
            waiting: None,
            asked: None,
            baseline: BaselineMetrics::new(metrics, partition),
            traces: MetricBuilder::new(metrics).counter("traces", partition),
            requests: MetricBuilder::new(metrics).counter("requests", partition),
            context,
        };
        let batches = stream::try_unfold(reading, |mut reading| async move {
            let next = reading.next().await?;
            Ok(next.map(|batch| (batch, reading)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches)))
    }
}

/// One run.
struct Reading {
    plan: TracesWhereExec,
    context: Arc<TaskContext>,
    /// The memory of all ids.
    ids: MemoryReservation,
    /// Traces not yet asked for, the next one last; `None` before they are known.
    waiting: Option<Vec<String>>,
    /// The traces that are asked for, and their spans.
    asked: Option<(HashSet<String>, SendableRecordBatchStream)>,
    baseline: BaselineMetrics,
    traces: Count,
    requests: Count,
}

impl Reading {
    /// The next batch that has rows.
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            let (wanted, spans) = match &mut self.asked {
                Some(asked) => asked,
                None => match self.ask().await? {
                    Some(asked) => self.asked.insert(asked),
                    None => return Ok(None),
                },
            };
            let Some(batch) = spans.try_next().await? else {
                self.asked = None;
                continue;
            };
            let batch = self.plan.of_traces(&batch, wanted)?;
            if batch.num_rows() > 0 {
                return Ok(Some(batch.record_output(&self.baseline)));
            }
        }
    }

    /// Asks for the spans of the next traces.
    async fn ask(&mut self) -> Result<Option<(HashSet<String>, SendableRecordBatchStream)>> {
        if self.waiting.is_none() {
            self.waiting = Some(self.matching().await?);
        }
        let wanted: HashSet<String> = self.waiting.as_mut().map(next_chunk).unwrap_or_default().into_iter().collect();
        if wanted.is_empty() {
            return Ok(None);
        }
        self.requests.add(1);
        let mut ids: Vec<&str> = wanted.iter().map(String::as_str).collect();
        ids.sort_unstable();
        let spans = self.plan.spans_of(ids.into_iter()).execute(0, Arc::clone(&self.context))?;
        Ok(Some((wanted, spans)))
    }

    /// The traces that match, each once, in the order of their ids.
    async fn matching(&mut self) -> Result<Vec<String>> {
        let mut found: HashMap<String, Found> = HashMap::new();
        let mut input = execute_stream(Arc::clone(&self.plan.input), Arc::clone(&self.context))?;
        let conditions = input.schema().fields().len() - 1 - usize::from(self.plan.limit.is_some());
        while let Some(batch) = input.next().await.transpose()? {
            let Some(ids) = batch.column(0).as_string_opt::<i32>() else {
                return internal_err!("ids of traces are {}", batch.column(0).data_type());
            };
            let starts = batch.column(1.min(batch.num_columns() - 1)).as_primitive_opt::<TimestampNanosecondType>();
            let which = &batch.columns()[batch.num_columns() - conditions..];
            let which: Vec<Option<&BooleanArray>> = which.iter().map(|column| column.as_boolean_opt()).collect();
            for (row, id) in ids.iter().enumerate() {
                let Some(id) = id else { continue };
                if !found.contains_key(id) {
                    let new = Found::of(conditions);
                    self.ids.try_grow(id.len() + size_of_val(&*new.which) + 2 * size_of::<(String, Found)>())?;
                    found.insert(id.to_owned(), new);
                }
                let Some(trace) = found.get_mut(id) else { continue };
                trace.latest = trace.latest.max(starts.filter(|starts| starts.is_valid(row)).map(|s| s.value(row)));
                for (at, is) in which.iter().enumerate() {
                    if is.is_some_and(|is| is.is_valid(row) && is.value(row)) {
                        trace.note(at);
                    }
                }
            }
        }
        found.retain(|_, trace| trace.met() == conditions);
        let mut matching: Vec<(Option<i64>, String)> = found.into_iter().map(|(id, t)| (t.latest, id)).collect();
        if let Some(limit) = self.plan.limit {
            matching.sort_unstable_by(|(a, a_id), (b, b_id)| b.cmp(a).then_with(|| a_id.cmp(b_id)));
            matching.truncate(limit);
        }
        self.traces.add(matching.len());
        let mut matching: Vec<String> = matching.into_iter().map(|(_, id)| id).collect();
        // Taken from the end: those that can be said first.
        matching.sort_unstable_by(|a, b| (is_sayable(a), b).cmp(&(is_sayable(b), a)));
        Ok(matching)
    }
}

/// What is known of a trace with spans that match.
#[derive(Debug)]
struct Found {
    /// The latest start among them.
    latest: Option<i64>,
    /// The conditions that are true of one of them, a bit each.
    which: Box<[u64]>,
}

impl Found {
    /// Nothing yet of so many conditions.
    fn of(conditions: usize) -> Self {
        Self { latest: None, which: vec![0; conditions.div_ceil(BITS)].into() }
    }

    /// Notes that a condition is true of a span.
    fn note(&mut self, condition: usize) {
        self.which[condition / BITS] |= 1 << (condition % BITS);
    }

    /// How many conditions are true of a span, each of any.
    fn met(&self) -> usize {
        self.which.iter().map(|bits| bits.count_ones() as usize).sum()
    }
}

/// Whether a request can name an id.
fn is_sayable(id: &str) -> bool {
    id.len() < MOST_BYTES && arize::is_sayable(id)
}

/// Takes the ids of the next request, at least one if there is any.
fn next_chunk(waiting: &mut Vec<String>) -> Vec<String> {
    let (mut chunk, mut bytes) = (Vec::<String>::new(), 0);
    while let Some(id) = waiting.pop() {
        // One that cannot be said makes a request ask for every trace.
        let apart = chunk.first().is_some_and(|first| is_sayable(first) != is_sayable(&id));
        // In quotes, quotes doubled, with a comma and a blank.
        bytes += id.len() + id.matches('\'').count() + 4;
        if apart || chunk.len() == MOST_IDS || (bytes > MOST_BYTES && !chunk.is_empty()) {
            waiting.push(id);
            break;
        }
        chunk.push(id);
    }
    chunk
}

impl TracesWhereExec {
    /// The rows of these traces, with the columns that are shown.
    fn of_traces(&self, batch: &RecordBatch, wanted: &HashSet<String>) -> Result<RecordBatch> {
        let Some(ids) = batch.column(self.id).as_string_opt::<i32>() else {
            return internal_err!("ids of traces are {}", batch.column(self.id).data_type());
        };
        let keep: BooleanArray = ids.iter().map(|id| Some(id.is_some_and(|id| wanted.contains(id)))).collect();
        let shown: Vec<usize> = (0..self.schema.fields().len()).collect();
        Ok(filter_record_batch(batch, &keep)?.project(&shown)?)
    }
}

#[cfg(test)]
mod tests;
