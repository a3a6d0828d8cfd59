//! A space of Arize as a source of spans.

use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{Schema, SchemaRef};
use arrow_flight::{FlightDescriptor, FlightInfo};
use async_trait::async_trait;
use tokio::sync::OnceCell;

use super::super::error::SourceError;
use super::super::remote::{ExportRequest, Project, Resolved, SpanSource, SpanStream};
use super::command::Command;
use super::connection::Connection;
use super::rest::Rest;
use super::stream;
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
/// Cheap to clone: clones share their connection, which is made by the first call.
#[derive(Debug, Clone)]
pub struct Arize {
    pub(super) flight: Connection,
    pub(super) rest: Option<Rest>,
    /// The space as it was named, if it was.
    pub(super) named: Option<String>,
    /// Its id, once it is known.
    pub(super) space: Arc<OnceCell<String>>,
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
            named: space.or(settings.space.as_deref()).map(str::to_owned),
            space: Arc::default(),
        })
    }

    async fn info(&self, request: &ExportRequest) -> Result<FlightInfo, SourceError> {
        let space = self.space().await?;
        let command = Command::new(space, request).to_json();
        self.flight.info(FlightDescriptor::new_cmd(command)).await
    }
}

#[async_trait]
impl SpanSource for Arize {
    fn name(&self) -> &'static str {
        NAME
    }

    /// The URL of the Flight server.
    fn endpoint(&self) -> &str {
        self.flight.name()
    }

    fn can_sample(&self) -> bool {
        true
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
        let info = match self.info(&request).await {
            Ok(info) => info,
            Err(error @ SourceError::NotFound { .. }) if self.rest.is_some() => {
                // The listing knows which name was meant.
                return Err(self.resolved(project).await.err().unwrap_or(error));
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

    async fn count(&self, request: &ExportRequest) -> Result<Option<u64>, SourceError> {
        Ok(stream::announced(&self.info(request).await?))
    }

    async fn open(&self, request: &ExportRequest) -> Result<SpanStream, SourceError> {
        let info = self.info(request).await?;
        let origin = Origin { source: NAME, project: request.project.clone(), force_project: false };
        stream::open(&self.flight, &info, origin, request.window)
    }

    fn describe(&self, request: &ExportRequest) -> Vec<(&'static str, String)> {
        Command::new("", request).described()
    }
}
