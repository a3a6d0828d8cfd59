//! The REST API: its clients, and the listings of projects and spaces.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::config::ArizeSettings;
use crate::error::{CA_VARIABLE, SourceError};
use crate::http::{Access, BY_URL, HttpClient, HttpError, Patience};
use crate::remote::Project;
use crate::retry::{MAX_ATTEMPTS_BATCH, retrying};

/// What is said where only the Flight server is known.
pub(super) const NO_HOST: &str = "no REST host of Arize is known beside the Flight host: set ARIZE_API_HOST";
/// What helps when it is not there.
const ELSEWHERE: &str =
    "; ARIZE_API_HOST, ARIZE_API_SCHEME and ARIZE_API_PORT say where the REST API is, or ARIZE_REGION";
/// Entries of a page: the most that the API gives.
const PAGE: &str = "100";
/// Pages that are read before something must be wrong.
const MAX_PAGES: usize = 1000;
/// A listing takes no longer than this, whatever patience a stream of spans is given.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A space: what projects lie in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Space {
    /// Its id.
    pub id: String,
    /// The name people gave it.
    pub name: String,
    /// When it was made, as the remote says it.
    #[serde(rename = "created_at")]
    pub created: Option<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Rest {
    client: HttpClient,
    /// The same for spans, of which a page takes as long as it takes.
    pub(super) spans: HttpClient,
}

#[derive(Deserialize)]
struct Pagination {
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct ProjectsPage {
    projects: Vec<WireProject>,
    pagination: Option<Pagination>,
}

#[derive(Deserialize)]
struct WireProject {
    id: String,
    name: String,
    space_id: Option<String>,
    created_at: Option<String>,
}

#[derive(Deserialize)]
struct SpacesPage {
    spaces: Vec<Space>,
    pagination: Option<Pagination>,
}

impl Rest {
    /// `None` when no REST host is known.
    pub(super) fn new(settings: &ArizeSettings, timeout: Duration) -> Result<Option<Self>, SourceError> {
        let Some(url) = settings.api.clone() else { return Ok(None) };
        let access = Access {
            headers: vec![("authorization".to_owned(), format!("Bearer {}", settings.key.expose()))],
            secrets: vec![settings.key.clone()],
            trust_all: !settings.verify,
            ca_file: settings.ca_file.clone(),
            ca_variable: CA_VARIABLE,
            rights: "the space and the key's rights",
            elsewhere: if settings.by_url { BY_URL } else { ELSEWHERE },
        };
        let spans = HttpClient::new(&url, access.clone(), Patience::Silence(timeout))?;
        let client = HttpClient::new(&url, access, Patience::Answer(timeout.min(TIMEOUT)))?;
        Ok(Some(Self { client, spans }))
    }

    pub(super) fn url(&self) -> &str {
        self.client.base()
    }

    /// The projects of a space, or of all spaces, sorted by name.
    pub(super) async fn projects(&self, space: Option<&str>) -> Result<Vec<Project>, SourceError> {
        let query: Vec<(&str, &str)> = space.iter().map(|space| ("space_id", *space)).collect();
        let page = |page: ProjectsPage| (page.projects, page.pagination);
        let projects: Vec<WireProject> = self.pages("/v2/projects", &query, page).await?;
        let mut projects: Vec<Project> = projects
            .into_iter()
            .map(|project| Project {
                id: project.id,
                name: project.name,
                space: project.space_id,
                created: project.created_at,
            })
            .collect();
        projects.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        Ok(projects)
    }

    /// The spaces that the key can see, sorted by name.
    pub(super) async fn spaces(&self) -> Result<Vec<Space>, SourceError> {
        let mut spaces = self.pages("/v2/spaces", &[], |page: SpacesPage| (page.spaces, page.pagination)).await?;
        spaces.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        Ok(spaces)
    }

    async fn pages<Page: DeserializeOwned, Entry>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        take: impl Fn(Page) -> (Vec<Entry>, Option<Pagination>),
    ) -> Result<Vec<Entry>, SourceError> {
        let mut entries = Vec::new();
        let mut cursor = String::new();
        for _ in 0..MAX_PAGES {
            let mut query = [query, &[("limit", PAGE)]].concat();
            if !cursor.is_empty() {
                query.push(("cursor", &cursor));
            }
            let page: Page =
                retrying(MAX_ATTEMPTS_BATCH, || self.client.get_json(path, &query), HttpError::error).await?;
            let (more, pagination) = take(page);
            entries.extend(more);
            match pagination.and_then(|pagination| pagination.next_cursor).filter(|next| !next.is_empty()) {
                None => return Ok(entries),
                Some(next) if next != cursor => cursor = next,
                Some(_) => return Err(self.client.wrong(path, "a page leads to itself".to_owned()).error),
            }
        }
        Err(self.client.wrong(path, format!("after {MAX_PAGES} pages there is still no end")).error)
    }
}
