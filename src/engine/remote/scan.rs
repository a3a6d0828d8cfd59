//! The plan that reads a remote: one request, sent when the plan is run.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use chrono::{DateTime, SecondsFormat};
use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, ReplaceChildrenOptions};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, Count, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet, RecordOutput,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{StreamExt, stream};

use super::fit::{FitError, fit, with_held};
use super::outcome::{Outcome, Remark};
use super::window::Start;
use crate::EngineError;
use crate::rows::in_words;
use spanql_filter::columns;
use spanql_model::columns::{METADATA_PREFIX, START_TIME};
use spanql_model::nearest::as_typed;
use spanql_sources::{ExportRequest, MAX_ATTEMPTS_INTERACTIVE, SourceError, SpanSource, SpanStream, Window, retrying};
use spanql_store::complete;

/// What a table of a source is called in messages.
pub(super) fn title(source: &dyn SpanSource, project: &str) -> String {
    format!("{}.{project}", source.name())
}

/// Reads the spans of a request, in one partition.
///
/// Nothing is sent before the plan is run; dropping its stream cancels the request.
#[derive(Debug, Clone)]
pub(super) struct RemoteScanExec {
    source: Arc<dyn SpanSource>,
    request: ExportRequest,
    start: Start,
    schema: SchemaRef,
    /// Columns of the schema that nobody announced.
    unannounced: Vec<String>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
    outcome: Arc<Outcome>,
}

impl RemoteScanExec {
    pub(super) fn new(
        source: Arc<dyn SpanSource>,
        request: ExportRequest,
        start: Start,
        schema: SchemaRef,
        unannounced: Vec<String>,
    ) -> Self {
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        let (metrics, outcome) = (ExecutionPlanMetricsSet::new(), Arc::default());
        Self { source, request, start, schema, unannounced, properties, metrics, outcome }
    }

    /// The times that it asks for.
    pub(super) fn window(&self) -> Window {
        self.request.window
    }

    /// The same with one more condition; its runs count as runs of this one.
    pub(super) fn with_filter(&self, filter: Expr) -> Self {
        let mut scan = self.clone();
        scan.request.filters.push(filter);
        scan
    }

    /// What its runs count.
    pub(super) fn metrics_set(&self) -> &ExecutionPlanMetricsSet {
        &self.metrics
    }

    fn title(&self) -> String {
        title(self.source.as_ref(), &self.request.project)
    }

    /// Says that a window was chosen where the statement gives none.
    pub(super) fn note(&self) -> Option<String> {
        let days = match self.start {
            Start::Asked => return None,
            Start::BeforeNow => "the last 30 days".to_owned(),
            Start::BeforeEnd => format!("the 30 days before {}", rfc3339(self.request.window.end)),
        };
        Some(format!("no lower bound on start_time: {days} are read ({})", self.title()))
    }

    pub(super) fn remarks(&self) -> Vec<Remark> {
        self.outcome.remarks(&self.title(), &self.unannounced)
    }

    /// The request in words: what is asked of the source, what the source makes of it, then the conditions that are
    /// checked on what comes.
    pub(super) fn described(&self) -> Vec<(&'static str, String)> {
        let ExportRequest { project, window, filters, columns: wanted, limit, .. } = &self.request;
        let start = match self.start {
            Start::Asked => "",
            Start::BeforeNow | Start::BeforeEnd => " (no lower bound given)",
        };
        let wanted = wanted.as_ref().map_or("all".to_owned(), |columns| format!("[{}]", columns.join(", ")));
        let mut described = vec![
            ("source", self.source.name().to_owned()),
            ("project", project.clone()),
            ("window", format!("[{}, {}){start}", rfc3339(window.start), rfc3339(window.end))),
            ("columns", wanted),
        ];
        described.extend(limit.map(|limit| ("limit", limit.to_string())));
        let sent: Vec<String> =
            self.source.describe(&self.request).iter().map(|(name, value)| format!("{name}: {value}")).collect();
        if !sent.is_empty() {
            described.push(("request", format!("{{{}}}", sent.join(", "))));
        }
        // The window is cut again by the source.
        let beyond_window = |filter: &&Expr| columns(filter).iter().any(|name| name != START_TIME);
        let rest: Vec<String> = filters.iter().filter(beyond_window).map(in_words).collect();
        if !rest.is_empty() {
            described.push(("rest", format!("[{}]", rest.join(", "))));
        }
        described
    }
}

/// A time in RFC 3339, UTC, with as many digits as it needs.
fn rfc3339(nanos: i64) -> String {
    DateTime::from_timestamp_nanos(nanos).to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

impl DisplayAs for RemoteScanExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let described = self.described().into_iter().map(|(name, value)| format!("{name}={value}"));
        match format {
            DisplayFormatType::Default | DisplayFormatType::Verbose => {
                write!(f, "RemoteScanExec: {}", described.collect::<Vec<_>>().join(", "))
            }
            DisplayFormatType::TreeRender => described.into_iter().try_for_each(|line| writeln!(f, "{line}")),
        }
    }
}

impl ExecutionPlan for RemoteScanExec {
    fn name(&self) -> &'static str {
        "RemoteScanExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn fetch(&self) -> Option<usize> {
        self.request.limit.and_then(|limit| usize::try_from(limit).ok())
    }

    fn with_fetch(&self, limit: Option<usize>) -> Option<Arc<dyn ExecutionPlan>> {
        let mut scan = self.clone();
        scan.request.limit = limit.map(|limit| limit as u64);
        Some(Arc::new(scan))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(&self, partition: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let reading = Reading {
            title: self.title(),
            left: self.request.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX)),
            baseline: BaselineMetrics::new(&self.metrics, partition),
            rows: MetricBuilder::new(&self.metrics).counter("rows_received", partition),
            bytes: MetricBuilder::new(&self.metrics).counter("bytes_received", partition),
            scan: self.clone(),
            stream: None,
        };
        let batches = stream::try_unfold(reading, |mut reading| async move {
            let next = reading.next().await?;
            Ok(next.map(|batch| (batch, reading)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches)))
    }
}

/// One run of a scan.
struct Reading {
    scan: RemoteScanExec,
    title: String,
    /// `None` before the request is sent.
    stream: Option<SpanStream>,
    /// How many rows are wanted yet.
    left: usize,
    baseline: BaselineMetrics,
    rows: Count,
    bytes: Count,
}

impl Reading {
    /// The next batch that has rows; after the last one the request is over.
    async fn next(&mut self) -> Result<Option<RecordBatch>, DataFusionError> {
        while self.left > 0 {
            let stream = match &mut self.stream {
                Some(stream) => stream,
                None => {
                    let open = || self.scan.source.open(&self.scan.request);
                    let opened = retrying(MAX_ATTEMPTS_INTERACTIVE, open, SourceError::itself).await;
                    let opened = opened.map_err(|error| EngineError::from(&error))?;
                    self.scan.outcome.opened(opened.received().remarked());
                    self.stream.insert(opened)
                }
            };
            let next = stream.next().await;
            let (rows, bytes) = (stream.received().rows() as usize, stream.received().bytes() as usize);
            self.rows.add(rows.saturating_sub(self.rows.value()));
            self.bytes.add(bytes.saturating_sub(self.bytes.value()));
            let batch = match next {
                Some(batch) => batch.map_err(|error| EngineError::from(&error))?,
                None => {
                    self.scan.outcome.ended(stream.ending(), stream.received().unfit());
                    break;
                }
            };
            let elapsed = self.baseline.elapsed_compute().clone();
            let timer = elapsed.timer();
            let batch = self.fitted(&batch)?;
            timer.done();
            if batch.num_rows() > 0 {
                let batch = batch.slice(0, batch.num_rows().min(self.left));
                self.left -= batch.num_rows();
                if self.left == 0 {
                    // The rest is not wanted: this cancels the request.
                    self.stream = None;
                }
                return Ok(Some(batch.record_output(&self.baseline)));
            }
        }
        self.left = 0;
        self.stream = None;
        Ok(None)
    }

    fn fitted(&self, batch: &RecordBatch) -> Result<RecordBatch, EngineError> {
        let unfit = |error: String| {
            EngineError::new("remote-protocol", format!("{} sent spans that do not fit", self.title)).why(error)
        };
        let rows = complete(batch).map_err(|error| unfit(error.to_string()))?;
        let rows = with_held(rows, &self.scan.unannounced).map_err(|error| unfit(error.to_string()))?;
        let filled = self.scan.unannounced.iter().filter(|name| rows.column_by_name(name).is_some()).cloned().collect();
        let left_out = match self.scan.request.columns {
            // Only what was asked for is left out knowingly; keys of the metadata are in the metadata.
            None => rows
                .schema_ref()
                .fields()
                .iter()
                .map(|field| field.name())
                .filter(|name| !name.starts_with(METADATA_PREFIX) && self.scan.schema.index_of(name).is_err())
                .cloned()
                .collect(),
            Some(_) => vec![],
        };
        self.scan.outcome.batch(rows.num_rows(), filled, left_out);
        fit(&rows, &self.scan.schema).map_err(|fit_error| match fit_error {
            FitError::Lost { column, promised, came } => {
                let column = as_typed(&column);
                EngineError::new("changed-type", format!("{column} of {} cannot be read", self.title))
                    .why(format!("it is announced as {promised}, and came as {came} with values that are none"))
                    .help("pull the project first: a store takes both")
            }
            FitError::Arrow(error) => unfit(error.to_string()),
        })
    }
}
