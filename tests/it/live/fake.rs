//! A remote in memory that remembers what it was asked, and misbehaves on demand.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Schema, SchemaRef, TimestampNanosecondType};
use futures::Stream;
use spanql::engine::{Engine, EngineConfig, RowFilter};
use spanql::model::columns::{canonical, spans_schema};
use spanql::model::ingest::{Origin, convert_batch, span_schema};
use spanql::sources::{ExportRequest, Project, Received, SourceError, SpanSource, SpanStream};
use spanql_filter::{Names, Unknown, arize};

/// What happened to a fake remote.
#[derive(Debug, Default)]
pub(super) struct Log {
    requests: Mutex<Vec<ExportRequest>>,
    schemas: AtomicUsize,
    batches: AtomicUsize,
    finished: AtomicUsize,
    cancelled: AtomicUsize,
}

impl Log {
    pub(super) fn requests(&self) -> Vec<ExportRequest> {
        self.requests.lock().unwrap().clone()
    }

    /// The one request there was.
    pub(super) fn request(&self) -> ExportRequest {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests[0].clone()
    }

    pub(super) fn schemas(&self) -> usize {
        self.schemas.load(Ordering::SeqCst)
    }

    pub(super) fn batches(&self) -> usize {
        self.batches.load(Ordering::SeqCst)
    }

    /// Streams read to their end, and streams dropped before it.
    pub(super) fn streams(&self) -> (usize, usize) {
        (self.finished.load(Ordering::SeqCst), self.cancelled.load(Ordering::SeqCst))
    }
}

/// One project whose batches are those of the wire.
#[derive(Debug, Clone, Default)]
pub(super) struct Fake {
    /// The word for it, if it is not `arize`.
    pub(super) name: Option<&'static str>,
    pub(super) remote_schema: Option<Schema>,
    pub(super) batches: Vec<RecordBatch>,
    pub(super) schema_error: Arc<Mutex<Option<SourceError>>>,
    pub(super) open_error: Option<SourceError>,
    /// After so many batches comes this.
    pub(super) fails: Option<(usize, SourceError)>,
    /// How many rows more than there are it announces.
    pub(super) announces_more: Option<i64>,
    pub(super) ignores_columns: bool,
    /// Whether it leaves out spans of which a filter is not true, which it need not do.
    pub(super) filters: bool,
    /// How long it takes to answer for the schema.
    pub(super) slow: Duration,
    pub(super) log: Arc<Log>,
}

pub(super) const PROJECT: &str = "my-project";

impl Fake {
    pub(super) fn of(batches: Vec<RecordBatch>) -> Self {
        Self { batches, ..Self::default() }
    }

    /// An engine with this remote only, and what will happen to it.
    pub(super) fn engine(self) -> (Engine, Arc<Log>) {
        let config = EngineConfig { target_partitions: Some(4), allow_write: true, ..EngineConfig::default() };
        let engine = Engine::new(config).unwrap();
        let log = Arc::clone(&self.log);
        engine.register_source(Arc::new(self));
        (engine, log)
    }

    fn rows(&self, request: &ExportRequest) -> Vec<RecordBatch> {
        let origin = Origin { source: self.name(), project: request.project.clone(), force_project: true };
        let convert = |batch: &RecordBatch| {
            let whole = convert_batch(&self.cut_to(request, batch), &origin).unwrap().batch;
            let batch = convert_batch(&self.project(request, &self.cut_to(request, batch)), &origin).unwrap().batch;
            if !self.filters || request.filters.is_empty() {
                return batch;
            }
            // It understands the vendor's text, and nothing else.
            let open = request.remote_schema.iter().filter(|(name, _)| canonical(name).is_none());
            let open: Vec<(String, DataType)> = open.map(|(name, kind)| (name.clone(), kind.clone())).collect();
            let schema = spans_schema(&open);
            let Some(text) = arize::narrow(&request.filters, &schema) else { return batch };
            let read = arize::parse(&text, &Names::new(&schema, &BTreeMap::new(), Unknown::Silent)).unwrap();
            // Some filters are of columns that are not sent.
            let matching = RowFilter::new(read.expr).unwrap().matching(&whole).unwrap();
            let ids = |batch: &RecordBatch| batch.column_by_name("context.span_id").unwrap().as_string::<i32>().clone();
            let kept: BTreeSet<String> = ids(&matching).iter().flatten().map(str::to_owned).collect();
            let keep: BooleanArray = ids(&batch).iter().map(|id| Some(kept.contains(id.unwrap()))).collect();
            filter_record_batch(&batch, &keep).unwrap()
        };
        self.batches.iter().map(convert).collect()
    }

    /// The rows inside the window.
    fn cut_to(&self, request: &ExportRequest, batch: &RecordBatch) -> RecordBatch {
        let times = batch.column_by_name("start_time").unwrap().as_primitive::<TimestampNanosecondType>();
        let inside = |time: Option<i64>| time.is_some_and(|t| (request.window.start..request.window.end).contains(&t));
        let keep: BooleanArray = times.iter().map(|time| Some(inside(time))).collect();
        filter_record_batch(batch, &keep).unwrap()
    }

    /// The columns of the wire that make those that are wanted.
    fn project(&self, request: &ExportRequest, batch: &RecordBatch) -> RecordBatch {
        let always = ["context.trace_id", "context.span_id", "start_time"];
        let schema = batch.schema();
        let wanted = |index: usize| {
            let field = schema.field(index).clone();
            let Some(names) = request.columns.as_ref().filter(|_| !self.ignores_columns) else { return true };
            let made = span_schema(&Schema::new(vec![field]));
            made.keys().any(|name| always.contains(&name.as_str()) || names.contains(name))
        };
        let kept: Vec<usize> = (0..batch.num_columns()).filter(|&index| wanted(index)).collect();
        batch.project(&kept).unwrap()
    }
}

#[async_trait::async_trait]
impl SpanSource for Fake {
    fn name(&self) -> &'static str {
        self.name.unwrap_or("arize")
    }

    fn endpoint(&self) -> &str {
        "memory:"
    }

    async fn projects(&self) -> Result<Vec<Project>, SourceError> {
        Ok(vec![Project { id: "1".into(), name: PROJECT.into(), space: None, created: None }])
    }

    async fn schema(&self, project: &str) -> Result<SchemaRef, SourceError> {
        self.log.schemas.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(self.slow).await;
        if let Some(error) = self.schema_error.lock().unwrap().clone() {
            return Err(error);
        }
        if !project.starts_with(PROJECT) {
            let what = format!("there is no project {project} in arize");
            return Err(SourceError::NotFound { what, suggestion: Some(PROJECT.into()) });
        }
        if let Some(remote_schema) = &self.remote_schema {
            return Ok(Arc::new(remote_schema.clone()));
        }
        let mut fields = BTreeMap::new();
        for batch in &self.batches {
            for field in batch.schema_ref().fields() {
                fields.insert(field.name().clone(), Arc::clone(field));
            }
        }
        Ok(Arc::new(Schema::new(fields.into_values().collect::<Vec<_>>())))
    }

    async fn count(&self, _: &ExportRequest) -> Result<Option<u64>, SourceError> {
        Ok(None)
    }

    async fn open(&self, request: &ExportRequest) -> Result<SpanStream, SourceError> {
        self.log.requests.lock().unwrap().push(request.clone());
        if let Some(error) = &self.open_error {
            return Err(error.clone());
        }
        let batches = self.rows(request);
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        let announced = self.announces_more.map(|more| rows.saturating_add_signed(more as isize) as u64);
        let received = Arc::new(Received::default());
        let mut items: Vec<Result<RecordBatch, SourceError>> = batches.into_iter().map(Ok).collect();
        if let Some((after, error)) = &self.fails {
            items.truncate(*after);
            items.push(Err(error.clone()));
        }
        let stream = Wire {
            items: items.into_iter(),
            received: Arc::clone(&received),
            log: Arc::clone(&self.log),
            ended: false,
            ready: false,
        };
        Ok(SpanStream::new(announced, received, stream))
    }

    fn describe(&self, request: &ExportRequest) -> Vec<(&'static str, String)> {
        vec![("modelId", request.project.clone())]
    }
}

/// Gives a batch at every second poll, as a wire does.
struct Wire {
    items: std::vec::IntoIter<Result<RecordBatch, SourceError>>,
    received: Arc<Received>,
    log: Arc<Log>,
    ended: bool,
    ready: bool,
}

impl Stream for Wire {
    type Item = Result<RecordBatch, SourceError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.ready = !self.ready;
        if self.ready {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let item = self.items.next();
        match &item {
            Some(Ok(batch)) => {
                self.log.batches.fetch_add(1, Ordering::SeqCst);
                self.received.add(batch.num_rows() as u64, batch.get_array_memory_size() as u64);
            }
            Some(Err(_)) => {}
            None => self.ended = true,
        }
        Poll::Ready(item)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let counter = if self.ended { &self.log.finished } else { &self.log.cancelled };
        counter.fetch_add(1, Ordering::SeqCst);
    }
}
