//! The REST API, as far as names and ids need it: projects and spaces.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Certificate, Client, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::connection::certificates;
use crate::config::{ArizeSettings, Secret};
use crate::error::SourceError;
use crate::remote::Project;
use crate::retry::{MAX_ATTEMPTS_BATCH, retrying};

/// What is said where only the Flight server is known.
pub(super) const NO_HOST: &str = "no REST host of Arize is known beside the Flight host: set ARIZE_API_HOST";
/// Entries of a page: the most that the API gives.
const PAGE: &str = "100";
/// Pages that are read before something must be wrong.
const MAX_PAGES: usize = 1000;
/// Bytes of an answer that are read before something must be wrong.
const MAX_BODY: usize = 64 << 20;
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
    url: String,
    key: Secret,
    client: Client,
    /// How long a request may take.
    timeout: Duration,
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

/// RFC 9457.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Problem {
    title: String,
    detail: String,
}

/// Whether a URL leads to this machine.
fn is_loopback(url: &str) -> bool {
    let host = url::Url::parse(url).ok().and_then(|url| {
        url.host().map(|host| match host {
            url::Host::Domain(name) => name == "localhost",
            url::Host::Ipv4(address) => address.is_loopback(),
            url::Host::Ipv6(address) => address.is_loopback(),
        })
    });
    host.unwrap_or(false)
}

impl Rest {
    /// `None` when no REST host is known.
    pub(super) fn new(settings: &ArizeSettings, timeout: Duration) -> Result<Option<Self>, SourceError> {
        let Some(url) = settings.api.clone() else { return Ok(None) };
        let wrong = |reason: String| SourceError::Setting(reason);
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", settings.key.expose()))
            .map_err(|_| wrong("the API key holds characters that no header can".to_owned()))?;
        bearer.set_sensitive(true);
        let headers = HeaderMap::from_iter([(AUTHORIZATION, bearer)]);
        let timeout = timeout.min(TIMEOUT);
        let mut client = Client::builder()
            .user_agent(concat!("spanql/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .timeout(timeout)
            // A redirect would carry the key to wherever it points.
            .redirect(reqwest::redirect::Policy::none())
            .danger_accept_invalid_certs(!settings.verify);
        if let Some(file) = settings.ca_file.as_ref().filter(|_| settings.verify) {
            let wrong = |error: &dyn std::fmt::Display| wrong(format!("{}: {error}", file.display()));
            let pem = certificates(file)?;
            let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| wrong(&error))?;
            client = client.tls_built_in_root_certs(false);
            for certificate in certificates {
                client = client.add_root_certificate(certificate);
            }
        }
        if is_loopback(&url) {
            // A proxy is for the way out; this machine would not be reached through it.
            client = client.no_proxy();
        }
        let client = client.build().map_err(|error| wrong(error.to_string()))?;
        Ok(Some(Self { url, key: settings.key.clone(), client, timeout }))
    }

    pub(super) fn url(&self) -> &str {
        &self.url
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
            let page: Page = retrying(MAX_ATTEMPTS_BATCH, || self.get(path, &query), SourceError::itself).await?;
            let (more, pagination) = take(page);
            entries.extend(more);
            match pagination.and_then(|pagination| pagination.next_cursor).filter(|next| !next.is_empty()) {
                None => return Ok(entries),
                Some(next) if next != cursor => cursor = next,
                Some(_) => return Err(self.wrong(path, "a page leads to itself".to_owned())),
            }
        }
        Err(self.wrong(path, format!("after {MAX_PAGES} pages there is still no end")))
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T, SourceError> {
        let request = self.client.get(format!("{}{path}", self.url)).query(query);
        let response = request.send().await.map_err(|error| self.unreachable(path, &error))?;
        let status = response.status();
        if !status.is_success() {
            return Err(self.refused(path, status, response).await);
        }
        let body = self.body(path, response).await?;
        serde_json::from_slice(&body)
            .map_err(|error| self.wrong(path, format!("the answer is not what the API gives: {error}")))
    }

    /// The body of an answer, which has no business being long.
    async fn body(&self, path: &str, mut response: Response) -> Result<Vec<u8>, SourceError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(path, &error))? {
            if body.len() + chunk.len() > MAX_BODY {
                return Err(self.wrong(path, format!("the answer is longer than {} MiB", MAX_BODY >> 20)));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn endpoint(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    fn wrong(&self, path: &str, reason: String) -> SourceError {
        SourceError::Protocol { endpoint: self.endpoint(path), reason: self.key.redact(&reason) }
    }

    fn unreachable(&self, path: &str, error: &reqwest::Error) -> SourceError {
        if error.is_timeout() {
            return SourceError::silent(self.endpoint(path), self.timeout);
        }
        if let Some(error) = SourceError::untrusted(&self.endpoint(path), error) {
            return error;
        }
        let mut reason = String::new();
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            let said = error.to_string();
            if !reason.contains(&said) {
                reason = if reason.is_empty() { said } else { format!("{reason}: {said}") };
            }
            cause = error.source();
        }
        if reason.is_empty() {
            reason = "the request failed".to_owned();
        }
        SourceError::Unreachable { endpoint: self.endpoint(path), reason: self.key.redact(&reason) }
    }

    async fn refused(&self, path: &str, status: StatusCode, response: Response) -> SourceError {
        let endpoint = self.endpoint(path);
        let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let retry_after = after.map(Duration::from_secs);
        // Without a body, the status says what there is to say.
        let body = self.body(path, response).await.unwrap_or_default();
        let problem: Problem = serde_json::from_slice(&body).unwrap_or_default();
        let said = [problem.title, problem.detail].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>();
        let said =
            if said.is_empty() { status.to_string() } else { format!("{} {}", status.as_u16(), said.join(": ")) };
        let said = self.key.redact(&said);
        match status {
            StatusCode::UNAUTHORIZED => {
                SourceError::Denied { endpoint, reason: format!("the key is not accepted: {said}") }
            }
            StatusCode::FORBIDDEN => SourceError::Denied {
                endpoint,
                reason: format!("the key may not read this: {said}; check the space and the key's rights"),
            },
            StatusCode::NOT_FOUND => SourceError::NotFound { what: format!("{endpoint}: {said}"), suggestion: None },
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => SourceError::Unavailable { endpoint, reason: said, retry_after },
            _ => SourceError::Refused { endpoint, reason: said },
        }
    }
}
