//! A Phoenix as a source of spans.

use std::time::Duration;

use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use futures::TryStreamExt;
use spanql_model::ingest::Origin;
use spanql_model::window::Window;

use super::api::Api;
use super::listing::Listing;
use super::projects::{needs_id, segment};
use super::query::{of_filters, of_window};
use crate::config::PhoenixSettings;
use crate::error::SourceError;
use crate::remote::{ExportRequest, Project, SpanSource, SpanStream};

/// The word for Phoenix in the column `source` and in SQL.
pub const NAME: &str = "phoenix";
/// Spans that are looked at for the columns of a project.
const LOOKED_AT: u64 = 20;

/// The spans of one Phoenix.
///
/// Cheap to clone: clones share their connections, which are made by the first call.
#[derive(Debug, Clone)]
pub struct Phoenix {
    pub(super) api: Api,
}

impl Phoenix {
    /// A source by these settings, which is given up after it said nothing for so long; nothing is called yet.
    ///
    /// # Errors
    /// When a key or a header holds characters that no header can.
    pub fn new(settings: &PhoenixSettings, timeout: Duration) -> Result<Self, SourceError> {
        Api::new(settings, timeout).map(|api| Self { api })
    }
}

#[async_trait]
impl SpanSource for Phoenix {
    fn name(&self) -> &'static str {
        NAME
    }

    fn endpoint(&self) -> &str {
        self.api.url()
    }

    async fn projects(&self) -> Result<Vec<Project>, SourceError> {
        self.api.projects().await
    }

    /// The columns of the spans that came last: nothing announces those of all.
    async fn schema(&self, project: &str) -> Result<SchemaRef, SourceError> {
        let always = Window { start: i64::MIN, end: i64::MAX };
        let request = ExportRequest { limit: Some(LOOKED_AT), ..ExportRequest::new(project, always) };
        let first = self.open(&request).await?.try_next().await?;
        Ok(first.map_or_else(|| Schema::empty().into(), |batch| batch.schema()))
    }

    /// It does not say.
    async fn count(&self, _: &ExportRequest) -> Result<Option<u64>, SourceError> {
        Ok(None)
    }

    /// The first page is there when this returns.
    async fn open(&self, request: &ExportRequest) -> Result<SpanStream, SourceError> {
        let origin = Origin { source: NAME, project: request.project.clone(), force_project: true };
        Listing::begin(&self.api, request, origin).await
    }

    fn describe(&self, request: &ExportRequest) -> Vec<(&'static str, String)> {
        let project = match needs_id(&request.project) {
            true => self.api.known(&request.project).unwrap_or_else(|| format!("<id of {}>", request.project)),
            false => segment(&request.project),
        };
        let mut said = vec![("path", format!("/v1/projects/{project}/spans"))];
        said.extend(of_window(request.window));
        said.extend(of_filters(request));
        said
    }
}
