//! The endpoints of Opik's REST API that are asked.

use std::time::Duration;

use reqwest::{Method, Response, StatusCode};
use serde::Deserialize;

use super::search::{Kind, Search};
use crate::config::OpikSettings;
use crate::error::SourceError;
use crate::http::{Access, BY_URL, Cause, HttpClient, HttpError, Patience};
use crate::remote::Project;
use crate::retry::{MAX_ATTEMPTS_BATCH, retrying};
use spanql_filter::opik::Clause;

const PROJECTS: &str = "/v1/private/projects";
const RETRIEVE: &str = "/v1/private/projects/retrieve";
/// Projects of a page.
const PAGE: &str = "100";
/// Pages that are read before something must be wrong.
const MAX_PAGES: usize = 1000;
/// The longest list of conditions that goes into a URL, whose length servers limit.
const MAX_QUERY: usize = 6_000;
/// The longest single row that is read.
pub(super) const MAX_ROW: usize = 512 << 20;

/// Opik's REST API. Clones share their connections.
#[derive(Debug, Clone)]
pub(super) struct Rest(HttpClient);

#[derive(Deserialize)]
struct ProjectsPage {
    total: Option<u64>,
    content: Vec<WireProject>,
}

#[derive(Deserialize)]
struct WireProject {
    id: String,
    name: String,
    created_at: Option<String>,
}

#[derive(Deserialize)]
struct Total {
    total: u64,
}

impl Rest {
    pub(super) fn new(settings: &OpikSettings, timeout: Duration) -> Result<Self, SourceError> {
        let mut headers = vec![("comet-workspace".to_owned(), settings.workspace.clone())];
        // An installation of one's own may have no keys.
        headers.extend(settings.key.iter().map(|key| ("authorization".to_owned(), key.expose().to_owned())));
        let access = Access {
            headers,
            secrets: settings.key.iter().cloned().collect(),
            trust_all: !settings.verify,
            // The vendor's tools know no setting for it.
            ca_file: None,
            ca_variable: "SSL_CERT_FILE",
            elsewhere: if settings.by_url { BY_URL } else { "; OPIK_URL_OVERRIDE says where Opik is" },
            rights: "OPIK_WORKSPACE and the key's rights",
        };
        HttpClient::new(&settings.url, access, Patience::Silence(timeout)).map(Self)
    }

    pub(super) fn http(&self) -> &HttpClient {
        &self.0
    }

    /// The projects of the workspace, sorted by name.
    pub(super) async fn projects(&self) -> Result<Vec<Project>, SourceError> {
        let mut projects: Vec<Project> = vec![];
        for number in 1..=MAX_PAGES {
            let number = number.to_string();
            let query = [("page", number.as_str()), ("size", PAGE)];
            let page = || self.0.get_json::<ProjectsPage>(PROJECTS, &query);
            let page = retrying(MAX_ATTEMPTS_BATCH, page, HttpError::error).await?;
            let last = page.content.is_empty();
            projects.extend(page.content.into_iter().map(|project| Project {
                id: project.id,
                name: project.name,
                space: None,
                created: project.created_at,
            }));
            if last || page.total.is_some_and(|total| projects.len() as u64 >= total) {
                projects.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
                projects.dedup();
                return Ok(projects);
            }
        }
        Err(self.0.wrong(PROJECTS, format!("after {MAX_PAGES} pages there is still no end")).error)
    }

    /// Whether there is a project of exactly this name.
    pub(super) async fn has_project(&self, name: &str) -> Result<bool, SourceError> {
        let ask = || async {
            let request = self.0.request(Method::POST, RETRIEVE)?.json(&serde_json::json!({ "name": name }));
            self.0.send(RETRIEVE, request).await
        };
        match retrying(MAX_ATTEMPTS_BATCH, ask, HttpError::error).await {
            Ok(_) => Ok(true),
            Err(HttpError { cause: Cause::Status(StatusCode::NOT_FOUND), .. }) => Ok(false),
            Err(failed) => Err(failed.error),
        }
    }

    /// How many there are that fulfil some conditions; `None` where those are too long to be asked for.
    pub(super) async fn total(&self, kind: Kind, project: &str, filters: &[Clause]) -> Result<Option<u64>, HttpError> {
        let filters = serde_json::to_string(filters).unwrap_or_default();
        if filters.len() > MAX_QUERY {
            return Ok(None);
        }
        let query = [("page", "1"), ("size", "1"), ("project_name", project), ("filters", &filters)];
        let page = || self.0.get_json::<Total>(kind.path(), &query);
        Ok(Some(retrying(MAX_ATTEMPTS_BATCH, page, HttpError::error).await?.total))
    }

    /// One row, whole; `None` when it is not there.
    pub(super) async fn by_id(&self, kind: Kind, id: &str) -> Result<Option<String>, SourceError> {
        // Ids come from rows, and a path is made of this one.
        if !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Ok(None);
        }
        let path = format!("{}/{id}", kind.path());
        let none: [(&str, &str); 0] = [];
        let ask = || self.0.get(&path, &none, MAX_ROW);
        match retrying(MAX_ATTEMPTS_BATCH, ask, HttpError::error).await {
            Ok(answer) => {
                let text = String::from_utf8(answer.body);
                text.map(Some).map_err(|_| self.0.wrong(&path, "the answer is not UTF-8".to_owned()).error)
            }
            Err(HttpError { cause: Cause::Status(StatusCode::NOT_FOUND), .. }) => Ok(None),
            Err(failed) => Err(failed.error),
        }
    }

    /// Begins a search, whose answer is a stream of lines.
    pub(super) async fn search(&self, kind: Kind, search: &Search) -> Result<Response, HttpError> {
        let path = kind.search_path();
        self.0.send(path, self.0.request(Method::POST, path)?.json(search)).await
    }
}
