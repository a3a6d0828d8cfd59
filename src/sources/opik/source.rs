//! A workspace of Opik as a source of spans.

use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use futures::TryStreamExt;

use super::NAME;
use super::columns::not_needed;
use super::listing::{Listing, MOST};
use super::rest::Rest;
use super::search::{Kind, Search, within};
use super::stream::Spans;
use super::threads::Threads;
use crate::config::OpikSettings;
use crate::error::SourceError;
use crate::remote::{ExportRequest, Project, Received, SpanSource, SpanStream};
use spanql_filter::opik::{Asked, ask};
use spanql_model::columns;
use spanql_model::nearest::nearest;
use spanql_model::window::Window;

/// Rows of each kind that are read to learn which columns there are.
const SAMPLE: u64 = 20;
/// How many names a message lists.
const LISTED: usize = 8;

/// The spans of one workspace of Opik, each trace as the root of its spans.
///
/// Cheap to clone: clones share their connections, which are made by the first call.
#[derive(Debug, Clone)]
pub struct Opik {
    rest: Rest,
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

    /// Where spans come from: the URL of the API.
    pub fn endpoint(&self) -> &str {
        self.rest.http().base()
    }

    /// The name of a project that was named by its name or its id.
    ///
    /// # Errors
    /// [`SourceError::NotFound`] with the nearest name.
    pub async fn project_name(&self, typed: &str) -> Result<String, SourceError> {
        if self.rest.has_project(typed).await? {
            return Ok(typed.to_owned());
        }
        let projects = self.rest.projects().await?;
        let found = projects.iter().find(|project| project.name == typed || project.id == typed);
        found.map(|project| project.name.clone()).ok_or_else(|| self.no_project(typed, &projects))
    }

    fn no_project(&self, typed: &str, projects: &[Project]) -> SourceError {
        let names = || projects.iter().map(|project| project.name.as_str());
        let mut listed: Vec<&str> = names().take(LISTED).collect();
        if projects.len() > LISTED {
            listed.push("…");
        }
        let there = if listed.is_empty() { "none".to_owned() } else { listed.join(", ") };
        SourceError::NotFound {
            what: format!("{} has no project {typed}; it has {there}", self.endpoint()),
            suggestion: nearest(typed, names()).map(str::to_owned),
        }
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
        let listing = |kind, search| Listing::new(self.rest.clone(), kind, search, Arc::clone(&received));
        let mut reading = Spans::new(self.rest.clone(), &request.project, request.window, Arc::clone(&received));
        reading.traces = traces.map(|search| listing(Kind::Traces, search));
        reading.spans = Some(listing(Kind::Spans, spans));
        reading.trace_rows = self.trace_rows;
        let sessions = request.columns.as_ref().is_none_or(|names| names.iter().any(|name| name == columns::SESSION_ID));
        reading.threads = sessions.then(|| Threads::new(self.rest.clone(), &request.project));
        reading
    }

    /// A project that the API does not know, in words that help.
    async fn explained(&self, error: SourceError, project: &str) -> SourceError {
        match error {
            SourceError::NotFound { .. } => match self.project_name(project).await {
                Err(not_found @ SourceError::NotFound { .. }) => not_found,
                _ => error,
            },
            error => error,
        }
    }
}

#[async_trait]
impl SpanSource for Opik {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn projects(&self) -> Result<Vec<Project>, SourceError> {
        self.rest.projects().await
    }

    async fn schema(&self, project: &str) -> Result<SchemaRef, SourceError> {
        let project = self.project_name(project).await?;
        let everything = Window { start: i64::MIN, end: i64::MAX };
        let request = ExportRequest { limit: Some(SAMPLE), ..ExportRequest::new(project, everything) };
        let mut schemas = vec![];
        for kind in [Kind::Spans, Kind::Traces] {
            let mut reading = self.spans(&request);
            match kind {
                Kind::Spans => reading.traces = None,
                Kind::Traces => reading.spans = None,
            }
            let first = std::pin::pin!(reading.batches()).try_next().await?;
            schemas.extend(first.map(|batch| batch.schema().as_ref().clone()));
        }
        let mut fields = std::collections::BTreeMap::new();
        for field in schemas.iter().flat_map(|schema| schema.fields()) {
            fields.entry(field.name().clone()).or_insert_with(|| Arc::clone(field));
        }
        Ok(Arc::new(Schema::new(fields.into_values().collect::<Vec<_>>())))
    }

    async fn count(&self, request: &ExportRequest) -> Result<Option<u64>, SourceError> {
        let (spans, traces) = self.searches(request);
        let mut all = 0;
        for (kind, search) in [(Kind::Spans, Some(spans)), (Kind::Traces, traces)] {
            let Some(search) = search else { continue };
            let filters = search.filters.unwrap_or_default();
            match self.rest.total(kind, &request.project, &filters).await {
                Ok(Some(total)) => all += total,
                Ok(None) => return Ok(None),
                Err(error) => return Err(self.explained(error, &request.project).await),
            }
        }
        Ok(Some(all))
    }

    async fn open(&self, request: &ExportRequest) -> Result<SpanStream, SourceError> {
        // What is read to a limit only is not counted: it costs requests, which are few.
        let announced = match request.limit {
            Some(_) => None,
            None => self.count(request).await?,
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
