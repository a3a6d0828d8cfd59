//! A workspace of Opik as a source of spans.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use futures::TryStreamExt;

use super::columns::not_needed;
use super::listing::{Listing, MOST, refuses_filters};
use super::rest::Rest;
use super::search::{Kind, Search, within};
use super::stream::{NAME, Spans};
use super::threads::Threads;
use crate::config::OpikSettings;
use crate::error::SourceError;
use crate::projects::project_meant;
use crate::remote::{ExportRequest, Project, Received, Resolved, SpanSource, SpanStream};
use spanql_filter::opik::{Asked, ask};
use spanql_model::columns;
use spanql_model::window::Window;

/// How long spans may take to come in, for most of them.
const SETTLED: chrono::TimeDelta = chrono::TimeDelta::minutes(10);
/// Rows of each kind that are read to learn which columns there are.
const SAMPLE: u64 = 20;

/// The spans of one workspace of Opik, each trace as the root of its spans.
///
/// Cheap to clone: clones share their connections, which are made by the first call.
#[derive(Debug, Clone)]
pub struct Opik {
    pub(super) rest: Rest,
    trace_rows: bool,
}

impl Opik {
    /// A source for the workspace of the settings; nothing is called yet.
    ///
    /// # Errors
    /// When the certificates that are to be trusted cannot be read, or a setting cannot be a header.
    pub fn new(settings: &OpikSettings, timeout: Duration) -> Result<Self, SourceError> {
        Ok(Self { rest: Rest::new(settings, timeout)?, trace_rows: true })
    }

    /// The spans alone: traces are no rows, and top spans have no parent. For traces that came through OTLP, whose root
    /// span says the same.
    #[must_use]
    pub fn without_trace_rows(self) -> Self {
        Self { trace_rows: false, ..self }
    }

    /// What is asked of spans, and of traces if they are wanted at all.
    fn searches(&self, request: &ExportRequest) -> (Search, Option<Search>) {
        let Asked { spans, traces } = ask(&request.filters, &request.schema());
        let exclude = request.columns.as_deref().map(not_needed).unwrap_or_default();
        let limit = request.limit.map_or(MOST, |limit| usize::try_from(limit).unwrap_or(MOST).clamp(1, MOST));
        let search = |filters| {
            let filters = within(request.window).into_iter().chain(filters).collect();
            Search::new(&request.project, filters, exclude.clone(), limit)
        };
        (search(spans), traces.filter(|_| self.trace_rows).map(search))
    }

    fn spans(&self, request: &ExportRequest) -> Spans {
        let (spans, traces) = self.searches(request);
        let received = Arc::new(Received::default());
        let listing = |kind, search: Search| {
            let narrowing = search.filters.len() - within(request.window).len();
            Listing::new(self.rest.clone(), kind, search, Arc::clone(&received)).narrowed(narrowing)
        };
        let mut reading = Spans::new(self.rest.clone(), &request.project, request.window, Arc::clone(&received));
        reading.traces = traces.map(|search| listing(Kind::Traces, search));
        reading.spans = Some(listing(Kind::Spans, spans));
        reading.trace_rows = self.trace_rows;
        let sessions =
            request.columns.as_ref().is_none_or(|names| names.iter().any(|name| name == columns::SESSION_ID));
        reading.threads = sessions.then(|| Threads::new(self.rest.clone(), &request.project));
        reading
    }

    /// A project that the API does not know, in words that help.
    async fn explained(&self, error: SourceError, project: &str) -> SourceError {
        match error {
            SourceError::NotFound { .. } => self.resolve(project).await.err().unwrap_or(error),
            error => error,
        }
    }
}

#[async_trait]
impl SpanSource for Opik {
    fn name(&self) -> &'static str {
        NAME
    }

    fn endpoint(&self) -> &str {
        self.rest.http().base()
    }

    async fn projects(&self) -> Result<Vec<Project>, SourceError> {
        self.rest.projects().await
    }

    async fn resolve(&self, project: &str) -> Result<Resolved, SourceError> {
        let found = |project: &str| Resolved { space: None, project: project.to_owned(), note: None };
        if self.rest.has_project(project).await? {
            return Ok(found(project));
        }
        let projects = self.rest.projects().await?;
        project_meant(self.endpoint(), project, &projects).map(|project| found(&project.name))
    }

    /// The columns of the newest spans and traces: nothing announces those of all.
    async fn schema(&self, project: &str) -> Result<SchemaRef, SourceError> {
        let Resolved { project, .. } = self.resolve(project).await?;
        let everything = Window { start: i64::MIN, end: i64::MAX };
        let request = ExportRequest { limit: Some(SAMPLE), ..ExportRequest::new(project, everything) };
        let mut fields = BTreeMap::new();
        for kind in [Kind::Spans, Kind::Traces] {
            let mut reading = self.spans(&request);
            reading.threads = None;
            match kind {
                Kind::Spans => reading.traces = None,
                Kind::Traces => reading.spans = None,
            }
            let first = std::pin::pin!(reading.batches()).try_next().await?;
            for field in first.iter().flat_map(|batch| batch.schema_ref().fields()) {
                fields.entry(field.name().clone()).or_insert_with(|| Arc::clone(field));
            }
        }
        Ok(Arc::new(Schema::new(fields.into_values().collect::<Vec<_>>())))
    }

    async fn count(&self, request: &ExportRequest) -> Result<Option<u64>, SourceError> {
        let (spans, traces) = self.searches(request);
        let mut all = 0;
        for (kind, search) in [(Kind::Spans, Some(spans)), (Kind::Traces, traces)] {
            let Some(search) = search else { continue };
            let mut total = self.rest.total(kind, &request.project, &search.filters).await;
            let window = within(request.window);
            if search.filters.len() > window.len() && total.as_ref().is_err_and(refuses_filters) {
                total = self.rest.total(kind, &request.project, &window).await;
            }
            match total {
                Ok(Some(total)) => all += total,
                Ok(None) => return Ok(None),
                Err(failed) => return Err(self.explained(failed.error, &request.project).await),
            }
        }
        Ok(Some(all))
    }

    async fn open(&self, request: &ExportRequest) -> Result<SpanStream, SourceError> {
        // What is read to a limit only is not counted: requests are few. While spans still come in, numbers mean nothing.
        let settled = chrono::Utc::now() - SETTLED;
        let settled = settled.timestamp_nanos_opt().is_some_and(|settled| request.window.end <= settled);
        let announced = match request.limit {
            None if settled => self.count(request).await?,
            _ => None,
        };
        let reading = self.spans(request);
        Ok(SpanStream::new(announced, Arc::clone(&reading.received), reading.batches()))
    }

    fn describe(&self, request: &ExportRequest) -> Vec<(&'static str, String)> {
        let (spans, traces) = self.searches(request);
        let said = |kind: Kind, search: Search| format!("POST {} {}", kind.search_path(), search.to_json());
        let traces = traces.map(|search| ("traces", said(Kind::Traces, search)));
        traces.into_iter().chain([("spans", said(Kind::Spans, spans))]).collect()
    }
}
