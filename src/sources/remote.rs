//! What every remote place of spans has in common: a request, a stream of spans, and how it ended.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion_expr::Expr;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};

use super::error::SourceError;
use super::projects::project_meant;
use spanql_filter::or_null;
use spanql_model::columns::{self, METADATA_PREFIX};
use spanql_model::ingest::{Fillers, fillers};
use spanql_model::window::Window;

pub use super::projects::Project;

/// Which spans of a remote project are wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportRequest {
    /// The project as the remote knows it.
    pub project: String,
    /// Spans that start inside.
    pub window: Window,
    /// Conditions over columns by their canonical names, which all hold for the spans wanted. The remote may leave out
    /// spans for which one is not true; it may send more: who asks checks again.
    pub filters: Vec<Expr>,
    /// The columns that the remote announces for the project, with their types here, as far as they are known: only
    /// canonical columns and these can be named in what is asked of it.
    pub remote_schema: Arc<BTreeMap<String, DataType>>,
    /// Names of the columns wanted, in canonical spelling; all of them if not set. The columns that identify a span
    /// and its start time come in any case. Names that the remote knows no column of are no error: they do not come.
    pub columns: Option<Vec<String>>,
    /// How many spans will be read at most; a remote that sends them by pages need not be asked for more.
    pub limit: Option<u64>,
    /// The share of traces wanted, above 0 and at most 1: whole traces, the same ones every time.
    pub sample_rate: Option<f64>,
}

/// The columns that spans have whether they are announced or not.
const ALWAYS: [&str; 10] = [
    columns::TRACE_ID,
    columns::SPAN_ID,
    columns::PARENT_ID,
    columns::NAME,
    columns::KIND,
    columns::START_TIME,
    columns::END_TIME,
    columns::LATENCY_MS,
    columns::STATUS_CODE,
    columns::STATUS_MESSAGE,
];

impl ExportRequest {
    /// Everything in a window of a project.
    pub fn new(project: impl Into<String>, window: Window) -> Self {
        Self {
            project: project.into(),
            window,
            filters: Vec::new(),
            remote_schema: Arc::default(),
            columns: None,
            limit: None,
            sample_rate: None,
        }
    }

    /// The conditions for a remote that may be asked whether a column is null: spans in which a column is null that is
    /// filled from other names when they come are let through, too.
    pub fn filters_before_filling(&self) -> Vec<Expr> {
        let filled = |column: &str| {
            // Nobody knows which names there are where none is announced.
            let may_be = |fillers: &Fillers| {
                self.remote_schema.is_empty() || fillers.are_among(self.remote_schema.keys().map(String::as_str))
            };
            fillers(column).is_some_and(may_be)
        };
        self.filters.iter().map(|filter| or_null(filter, &filled)).collect()
    }

    /// The columns that filters may name when they are said to the remote: those that every span has, those announced,
    /// and keys of announced metadata; all canonical ones where nothing is announced.
    pub fn schema(&self) -> Schema {
        let schema = remote_table_schema(&self.remote_schema);
        // A remote may refuse a filter that names what none of its spans has.
        let there = |name: &str| self.remote_schema.contains_key(name) || ALWAYS.contains(&name);
        let fields =
            schema.fields().iter().filter(|field| self.remote_schema.is_empty() || there(field.name())).cloned();
        let schema = Schema::new(fields.collect::<Vec<_>>());
        if !self.remote_schema.contains_key(columns::METADATA) {
            return schema;
        }
        // Nobody announces the keys of the metadata. What is deeper in it is looked for here alone.
        let named: BTreeSet<String> = self.filters.iter().flat_map(spanql_filter::columns).collect();
        let key = |name: &str| name.strip_prefix(METADATA_PREFIX).is_some_and(|key| !key.contains('.'));
        let keys = named.iter().filter(|name| key(name) && schema.index_of(name).is_err());
        let keys = keys.map(|name| Arc::new(Field::new(name, DataType::Utf8, true)));
        Schema::new(schema.fields().iter().cloned().chain(keys).collect::<Vec<_>>())
    }
}

/// The columns of a remote project here: the canonical ones without `tree.*`, then the open ones that it announces.
pub fn remote_table_schema(remote_schema: &BTreeMap<String, DataType>) -> Schema {
    let canonical = columns::CANONICAL.iter().map(|column| Field::new(column.name, column.data_type.clone(), true));
    // Keys that share one column of JSON are read key by key.
    let open = remote_schema.iter().filter(|(name, _)| columns::canonical(name).is_none() && *name != columns::REST);
    let open = open.map(|(name, data_type)| Field::new(name, data_type.clone(), true));
    Schema::new(canonical.chain(open).collect::<Vec<_>>())
}

/// A project of a remote as requests name it, and how it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The id of its space, where the remote has spaces.
    pub space: Option<String>,
    /// Its name.
    pub project: String,
    /// What the reader should know about how it was found.
    pub note: Option<String>,
}

/// A remote place that holds spans.
#[async_trait]
pub trait SpanSource: fmt::Debug + Send + Sync {
    /// The word for it in the column `source` and in SQL: `arize`, `phoenix` or `opik`.
    fn name(&self) -> &'static str;

    /// The URL of what is called, without a key: pulls are remembered by it.
    fn endpoint(&self) -> &str;

    /// Whether it can be asked for a share of the traces, whole ones and the same ones every time.
    fn can_sample(&self) -> bool {
        false
    }

    /// Whether [`schema`](Self::schema) tells all columns: else a span may have one that none of those has that were
    /// looked at.
    fn announces_columns(&self) -> bool {
        false
    }

    /// The projects that the key can see, sorted by name; of one space where one is named.
    async fn projects(&self) -> Result<Vec<Project>, SourceError>;

    /// Finds a project by its name or id.
    ///
    /// # Errors
    /// [`SourceError::NotFound`] with the nearest name.
    async fn resolve(&self, project: &str) -> Result<Resolved, SourceError> {
        let projects = self.projects().await?;
        let project = project_meant(self.endpoint(), project, &projects)?.name.clone();
        Ok(Resolved { space: None, project, note: None })
    }

    /// The columns of a project's spans as far as the remote tells them: names and types as on the wire.
    ///
    /// Columns that are missing here may still come in a stream. Planning waits for it: it answers or fails soon.
    async fn schema(&self, project: &str) -> Result<SchemaRef, SourceError>;

    /// How many spans a request would give, where the remote says so; transfers none.
    async fn count(&self, request: &ExportRequest) -> Result<Option<u64>, SourceError>;

    /// Starts a request. Dropping the stream cancels it.
    async fn open(&self, request: &ExportRequest) -> Result<SpanStream, SourceError>;

    /// What would be sent for a request, in the remote's own words: pairs of a name and a value, without keys.
    fn describe(&self, request: &ExportRequest) -> Vec<(&'static str, String)>;
}

/// How much came so far, for whoever watches from elsewhere.
#[derive(Debug, Default)]
pub struct Received {
    rows: AtomicU64,
    bytes: AtomicU64,
    unfit: Mutex<Option<(u64, String)>>,
    remark: Mutex<Option<String>>,
}

impl Received {
    /// Adds what one message brought: rows, and bytes on the wire.
    pub fn add(&self, rows: u64, bytes: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Says of rows that they are no spans; the reason of the first is kept.
    pub fn add_unfit(&self, rows: u64, reason: impl FnOnce() -> String) {
        if rows > 0 {
            let mut unfit = self.unfit.lock().unwrap_or_else(PoisonError::into_inner);
            unfit.get_or_insert_with(|| (0, reason())).0 += rows;
        }
    }

    /// How many rows were no spans, and why the first was none.
    pub fn unfit(&self) -> Option<(u64, String)> {
        self.unfit.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says what the reader of the spans should know of how they came: a line without a full stop.
    pub fn remark(&self, text: String) {
        *self.remark.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
    }

    /// What the reader of the spans should know of how they came, if anything.
    pub fn remarked(&self) -> Option<String> {
        self.remark.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Rows so far, before any is cut away here, also those that are no spans.
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Bytes so far, about as many as came over the wire.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Everything the remote announced came, or it announced nothing and ended well.
    Complete,
    /// It ended well, but with another number of rows than were announced.
    Miscounted {
        /// Rows announced.
        announced: u64,
        /// Rows that came.
        received: u64,
    },
    /// It was not read to its end: an error, a limit, or nobody read on.
    Cut,
}

/// Spans as they arrive: batches in the form that [`convert_batch`](spanql_model::ingest::convert_batch) gives,
/// cut to the window that was asked for.
///
/// The first error ends it. Dropping it cancels the request.
pub struct SpanStream {
    announced: Option<u64>,
    received: Arc<Received>,
    batches: BoxStream<'static, Result<RecordBatch, SourceError>>,
    ended: bool,
}

impl SpanStream {
    /// A stream of ingest batches; whatever makes them counts what it received in `received`.
    pub fn new(
        announced: Option<u64>,
        received: Arc<Received>,
        batches: impl Stream<Item = Result<RecordBatch, SourceError>> + Send + 'static,
    ) -> Self {
        Self { announced, received, batches: batches.boxed(), ended: false }
    }

    /// Rows the remote announced for the whole request.
    pub fn announced(&self) -> Option<u64> {
        self.announced
    }

    /// What came so far.
    pub fn received(&self) -> &Arc<Received> {
        &self.received
    }

    /// How it ended, or that it has not.
    pub fn ending(&self) -> Ending {
        match (self.ended, self.announced, self.received.rows()) {
            (false, ..) => Ending::Cut,
            (true, Some(announced), received) if announced != received => Ending::Miscounted { announced, received },
            (true, ..) => Ending::Complete,
        }
    }
}

impl fmt::Debug for SpanStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpanStream")
            .field("announced", &self.announced)
            .field("received", &self.received)
            .finish_non_exhaustive()
    }
}

impl Stream for SpanStream {
    type Item = Result<RecordBatch, SourceError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.batches.poll_next_unpin(cx);
        if let Poll::Ready(None) = next {
            self.ended = true;
        }
        next
    }
}
