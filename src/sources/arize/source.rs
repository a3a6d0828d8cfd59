//! A space of Arize as a source of spans.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow_flight::{FlightDescriptor, FlightInfo};
use async_trait::async_trait;
use futures::TryStreamExt;
use tokio::sync::OnceCell;

use super::super::error::SourceError;
use super::super::remote::{ExportRequest, Project, Received, Resolved, SpanSource, SpanStream};
use super::command::Command;
use super::connection::Connection;
use super::rest::Rest;
use super::rest_spans::{self, MAX_PAGE, SpansBody};
use super::stream;
use super::transport::{self, LACKS, Transport};
use crate::config::ArizeSettings;
use spanql_model::ingest::Origin;
use spanql_model::window::Window;

/// The word for Arize in the column `source` and in SQL.
pub const NAME: &str = "arize";
/// How long a remote may say nothing before it is given up.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(120);
/// How far back the columns of a project are looked for.
const SCHEMA_WINDOW: i64 = 30 * 24 * 3600 * 1_000_000_000;

/// The spans of one space of Arize.
///
/// Cheap to clone: clones share their connections, which are made by the first call.
#[derive(Debug, Clone)]
pub struct Arize {
    pub(super) flight: Connection,
    pub(super) rest: Option<Rest>,
    pub(super) transport: Transport,
    /// The space as it was named, if it was.
    pub(super) named: Option<String>,
    /// Its id, once it is known.
    pub(super) space: Arc<OnceCell<String>>,
    /// Projects that were looked up, by what was typed.
    pub(super) projects: Arc<Mutex<HashMap<String, Project>>>,
    reached: Arc<Reached>,
}

/// What is known of the Flight server.
#[derive(Debug, Default)]
struct Reached {
    /// It has answered.
    flight: AtomicBool,
    /// It could not be reached, and REST answered instead.
    rest_instead: AtomicBool,
}

impl Arize {
    /// A source for a space by its name or id, else that of the settings; nothing is called yet.
    ///
    /// # Errors
    /// When the certificates that are to be trusted cannot be read.
    pub fn new(settings: &ArizeSettings, space: Option<&str>, timeout: Duration) -> Result<Self, SourceError> {
        Ok(Self {
            flight: Connection::new(settings, timeout)?,
            rest: Rest::new(settings, timeout)?,
            transport: Transport::default(),
            named: space.or(settings.space.as_deref()).map(str::to_owned),
            space: Arc::default(),
            projects: Arc::default(),
            reached: Arc::default(),
        })
    }

    /// The same, asking for spans over REST only: by pages, and without evaluations of traces and sessions and notes,
    /// which REST does not have.
    #[must_use]
    pub fn over_rest(self) -> Self {
        Self { transport: Transport::Rest, ..self }
    }

    /// The same, asking over REST for what is small (a limit, ids), where the answer is the same as over Flight; and for
    /// everything when the Flight server cannot be reached, which a remark on the stream then says.
    #[must_use]
    pub fn or_rest(self) -> Self {
        self.reached.rest_instead.store(!self.flight.is_known(), Ordering::Relaxed);
        Self { transport: Transport::Either, ..self }
    }

    async fn info(&self, request: &ExportRequest) -> Result<FlightInfo, SourceError> {
        let space = self.space().await?;
        let project = self.project_name(&request.project).await?;
        let command = Command::new(space, &ExportRequest { project, ..request.clone() }).to_json();
        let info = self.flight.info(FlightDescriptor::new_cmd(command)).await?;
        self.reached.flight.store(true, Ordering::Relaxed);
        Ok(info)
    }

    fn origin(request: &ExportRequest) -> Origin {
        Origin { source: NAME, project: request.project.clone(), force_project: false }
    }

    async fn open_flight(&self, request: &ExportRequest) -> Result<SpanStream, SourceError> {
        let info = self.info(request).await?;
        stream::open(&self.flight, &info, Self::origin(request), request.window)
    }

    async fn open_rest(&self, request: &ExportRequest) -> Result<SpanStream, SourceError> {
        let rest = self.rest()?;
        let refused = |reason: String| SourceError::Refused { endpoint: rest.url().to_owned(), reason };
        let missing = transport::missing(request);
        if !missing.is_empty() {
            let why = if self.transport == Transport::Rest { "" } else { ", and the Flight server cannot be reached" };
            let names = missing.join(", ");
            return Err(refused(format!("REST has no {names}{why}: only Flight brings {LACKS}")));
        }
        if request.sample_rate.is_some_and(|rate| rate < 1.0) {
            return Err(refused("REST gives no share of the traces: only Flight does".to_owned()));
        }
        let project = self.project_id(rest, &request.project).await?;
        let received = Arc::new(Received::default());
        if self.transport == Transport::Either && self.is_rest_instead() {
            let flight = self.flight.name();
            let now = chrono::Utc::now().timestamp_nanos_opt().unwrap_or(i64::MAX);
            let late =
                if transport::reaches(request.window, now) { "" } else { ", and perhaps without spans that came late" };
            received.remark(format!(
                "{flight} is not reachable: read over REST, without {LACKS}{late}; times of events may be written otherwise"
            ));
        }
        let body = SpansBody::new(&project, request);
        rest_spans::open(&rest.spans, &body, request, Self::origin(request), received).await
    }

    /// Whether REST is asked because Flight cannot be.
    fn is_rest_instead(&self) -> bool {
        self.reached.rest_instead.load(Ordering::Relaxed)
    }

    /// Whether a request that Flight could answer is made over REST.
    fn is_better_over_rest(&self, request: &ExportRequest) -> bool {
        match self.transport {
            Transport::Flight => false,
            Transport::Rest => true,
            Transport::Either if self.is_rest_instead() => true,
            Transport::Either => {
                let now = chrono::Utc::now().timestamp_nanos_opt().unwrap_or(i64::MAX);
                self.rest.is_some()
                    && transport::is_small(request)
                    && transport::is_equal(request)
                    && transport::reaches(request.window, now)
            }
        }
    }

    /// Does over REST what Flight could not, because its server was never there; gives the error of Flight otherwise.
    async fn instead<T>(
        &self,
        error: SourceError,
        over_rest: impl Future<Output = Result<T, SourceError>>,
    ) -> Result<T, SourceError> {
        let away = matches!(
            &error,
            SourceError::Unreachable { endpoint, .. } | SourceError::Silent { endpoint, .. }
                if endpoint == self.flight.name()
        );
        let known = self.reached.flight.load(Ordering::Relaxed);
        if self.transport != Transport::Either || self.rest.is_none() || !away || known {
            return Err(error);
        }
        self.reached.rest_instead.store(true, Ordering::Relaxed);
        match over_rest.await {
            Err(SourceError::Unreachable { .. } | SourceError::Silent { .. } | SourceError::Unavailable { .. }) => {
                self.reached.rest_instead.store(false, Ordering::Relaxed);
                Err(error)
            }
            answer => answer,
        }
    }

    async fn schema_over_flight(&self, request: &ExportRequest) -> Result<SchemaRef, SourceError> {
        let info = match self.info(request).await {
            Ok(info) => info,
            Err(error @ SourceError::NotFound { .. }) if self.rest.is_some() => {
                // The listing knows which name was meant.
                return Err(self.resolved(&request.project).await.err().unwrap_or(error));
            }
            Err(error) => return Err(error),
        };
        let announced = stream::announced_schema(&info);
        if let Some(schema) = announced.filter(|schema| !schema.fields().is_empty()) {
            return Ok(schema);
        }
        // Nothing announced: the first message of a stream says it, and the rest is not read.
        match stream::first_schema(&self.flight, info).await? {
            Some(schema) => Ok(schema),
            None => Ok(Schema::empty().into()),
        }
    }

    /// The columns of the newest page: REST announces none.
    async fn schema_over_rest(&self, request: &ExportRequest) -> Result<SchemaRef, SourceError> {
        let mut spans = self.open_rest(&ExportRequest { limit: Some(MAX_PAGE), ..request.clone() }).await?;
        match spans.try_next().await? {
            Some(batch) => Ok(with_wide_scores(&batch.schema())),
            None => Ok(Schema::empty().into()),
        }
    }
}

/// The schema with scores that may have a fraction, also where those that were seen have none.
fn with_wide_scores(schema: &Schema) -> SchemaRef {
    let is_score = |name: &str| name.ends_with(".score") && !name.starts_with("attributes.");
    let fields = schema.fields().iter().map(|field| match is_score(field.name()) {
        true => Arc::new(Field::new(field.name(), DataType::Float64, true)),
        false => Arc::clone(field),
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

#[async_trait]
impl SpanSource for Arize {
    fn name(&self) -> &'static str {
        NAME
    }

    /// The URL of the Flight server, or of the REST API where only that is asked.
    fn endpoint(&self) -> &str {
        match (self.transport, &self.rest) {
            (Transport::Rest, Some(rest)) => rest.url(),
            _ => self.flight.name(),
        }
    }

    /// Only Flight can.
    fn can_sample(&self) -> bool {
        self.transport != Transport::Rest
    }

    fn announces_columns(&self) -> bool {
        self.transport != Transport::Rest && !self.is_rest_instead()
    }

    /// Those of the space if one is named, else those of all spaces.
    async fn projects(&self) -> Result<Vec<Project>, SourceError> {
        let rest = self.rest()?;
        match self.named {
            Some(_) => self.projects_of(rest, self.space().await?).await,
            None => rest.projects(None).await,
        }
    }

    async fn resolve(&self, project: &str) -> Result<Resolved, SourceError> {
        self.resolved(project).await
    }

    async fn schema(&self, project: &str) -> Result<SchemaRef, SourceError> {
        let now = chrono::Utc::now().timestamp_nanos_opt().unwrap_or(i64::MAX);
        let request = ExportRequest::new(project, Window { start: now - SCHEMA_WINDOW, end: now });
        if self.transport == Transport::Rest || self.is_rest_instead() {
            return self.schema_over_rest(&request).await;
        }
        match self.schema_over_flight(&request).await {
            Err(error) => self.instead(error, self.schema_over_rest(&request)).await,
            schema => schema,
        }
    }

    async fn count(&self, request: &ExportRequest) -> Result<Option<u64>, SourceError> {
        if self.transport == Transport::Rest || self.is_rest_instead() {
            return Ok(None);
        }
        Ok(stream::announced(&self.info(request).await?))
    }

    async fn open(&self, request: &ExportRequest) -> Result<SpanStream, SourceError> {
        if self.is_better_over_rest(request) {
            match self.open_rest(request).await {
                // Flight is there for it, too.
                Err(_) if self.transport == Transport::Either && !self.is_rest_instead() => {}
                opened => return opened,
            }
        }
        match self.open_flight(request).await {
            Err(error) => self.instead(error, self.open_rest(request)).await,
            opened => opened,
        }
    }

    fn describe(&self, request: &ExportRequest) -> Vec<(&'static str, String)> {
        if self.is_better_over_rest(request) {
            SpansBody::new(&request.project, request).described()
        } else {
            Command::new("", request).described()
        }
    }
}
