//! A remote in memory with one project: what holds for every source can be seen by it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{SchemaRef, TimestampNanosecondType};
use futures::{StreamExt, stream};
use spanql::model::ingest::{Origin, convert_batch};
use spanql::sources::{ExportRequest, Project, Received, SourceError, SpanSource, SpanStream, Window};

/// Spans of a batch of a stream.
const BATCH: usize = 4;

/// A remote that is asked for spans, and remembers it.
#[derive(Debug)]
pub(crate) struct Memory {
    name: &'static str,
    project: &'static str,
    spans: RecordBatch,
    announces: bool,
    /// Streams break at the first span from this time on.
    breaks_from: Mutex<Option<i64>>,
    asked: Mutex<Vec<ExportRequest>>,
    cancelled: Arc<AtomicUsize>,
}

/// Counts the streams that nobody read to their end.
struct Watched {
    ended: bool,
    cancelled: Arc<AtomicUsize>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        if !self.ended {
            self.cancelled.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Memory {
    /// A remote of this word, with the spans of a project as the wire has them; it says how many there are, or not.
    pub(crate) fn new(name: &'static str, project: &'static str, spans: RecordBatch, announces: bool) -> Arc<Self> {
        Arc::new(Self {
            name,
            project,
            spans,
            announces,
            breaks_from: Mutex::default(),
            asked: Mutex::default(),
            cancelled: Arc::default(),
        })
    }

    /// From now on, streams break at the first span from this time on, or not any more.
    pub(crate) fn breaks_from(&self, time: Option<i64>) {
        *self.breaks_from.lock().unwrap() = time;
    }

    /// The windows that it was asked for since the last time, sorted.
    pub(crate) fn asked(&self) -> Vec<Window> {
        let asked = std::mem::take(&mut *self.asked.lock().unwrap());
        let mut windows: Vec<Window> = asked.into_iter().map(|request| request.window).collect();
        windows.sort();
        windows
    }

    /// How many streams were dropped before their end.
    pub(crate) fn cancelled(&self) -> usize {
        self.cancelled.load(Ordering::SeqCst)
    }

    /// The spans that start in a window.
    fn within(&self, window: Window) -> RecordBatch {
        let start = self.spans.column_by_name("start_time").unwrap().as_primitive::<TimestampNanosecondType>();
        let inside = |time: Option<i64>| time.is_some_and(|time| window.start <= time && time < window.end);
        let keep: BooleanArray = start.iter().map(|time| Some(inside(time))).collect();
        filter_record_batch(&self.spans, &keep).unwrap()
    }

    fn broken(&self) -> SourceError {
        SourceError::Refused { endpoint: self.endpoint().to_owned(), reason: "nothing more today".to_owned() }
    }
}

#[async_trait::async_trait]
impl SpanSource for Memory {
    fn name(&self) -> &'static str {
        self.name
    }

    fn endpoint(&self) -> &str {
        "memory:"
    }

    async fn projects(&self) -> Result<Vec<Project>, SourceError> {
        Ok(vec![Project { id: "p-1".into(), name: self.project.into(), space: None, created: None }])
    }

    async fn schema(&self, project: &str) -> Result<SchemaRef, SourceError> {
        self.resolve(project).await?;
        Ok(self.spans.schema())
    }

    async fn count(&self, request: &ExportRequest) -> Result<Option<u64>, SourceError> {
        Ok(self.announces.then(|| self.within(request.window).num_rows() as u64))
    }

    async fn open(&self, request: &ExportRequest) -> Result<SpanStream, SourceError> {
        self.asked.lock().unwrap().push(request.clone());
        let rows = self.within(request.window);
        let whole = rows.num_rows();
        let breaks_from = *self.breaks_from.lock().unwrap();
        let good =
            self.within(Window { end: breaks_from.unwrap_or(i64::MAX).min(request.window.end), ..request.window });
        let origin = Origin { source: self.name, project: request.project.clone(), force_project: true };
        let received = Arc::new(Received::default());
        let count = Arc::clone(&received);
        let batches = (0..good.num_rows()).step_by(BATCH).map(move |from| {
            let batch = good.slice(from, BATCH.min(good.num_rows() - from));
            count.add(batch.num_rows() as u64, 100 * batch.num_rows() as u64);
            Ok(convert_batch(&batch, &origin).unwrap().batch)
        });
        let broken = breaks_from.filter(|from| *from < request.window.end && whole > 0).map(|_| Err(self.broken()));
        let mut watched = Watched { ended: false, cancelled: Arc::clone(&self.cancelled) };
        let end = stream::poll_fn(move |_| {
            // All of it belongs to the stream, so that it is dropped with it.
            let watched = &mut watched;
            watched.ended = true;
            std::task::Poll::Ready(None)
        });
        let batches = stream::iter(batches).chain(stream::iter(broken)).chain(end);
        Ok(SpanStream::new(self.announces.then_some(whole as u64), received, batches))
    }

    fn describe(&self, request: &ExportRequest) -> Vec<(&'static str, String)> {
        let mut said = vec![("words of", format!("{} about {}", self.name, request.project))];
        said.extend((!request.filters.is_empty()).then(|| ("filters", request.filters.len().to_string())));
        said
    }
}
