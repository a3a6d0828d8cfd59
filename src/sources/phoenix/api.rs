//! Calls of the REST API.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::config::{PhoenixSettings, Secret};
use crate::error::SourceError;
use crate::http::{Access, Answer, Cause, HttpClient, HttpError, MAX_LISTING, Patience};

/// Where a Phoenix is that nobody says anything of.
const DEFAULT_URL: &str = "http://localhost:6006";
/// What helps when it is not there.
const ELSEWHERE: &str = "; PHOENIX_COLLECTOR_ENDPOINT or PHOENIX_HOST says where Phoenix is";

/// Names and values of a request.
pub(super) type Query = Vec<(&'static str, String)>;

/// One Phoenix. Clones share their connections.
#[derive(Debug, Clone)]
pub(super) struct Api {
    client: HttpClient,
    /// Ids of projects whose names do not do in a path.
    ids: Arc<Mutex<HashMap<String, String>>>,
}

impl Api {
    pub(super) fn new(settings: &PhoenixSettings, timeout: Duration) -> Result<Self, SourceError> {
        let named = |name: &str| settings.headers.iter().any(|(header, _)| header.eq_ignore_ascii_case(name));
        let mut headers: Vec<(String, String)> =
            settings.headers.iter().map(|(name, value)| (name.clone(), value.expose().to_owned())).collect();
        // As the vendor's client has it: a header that was set goes before the key.
        if let Some(key) = settings.key.as_ref().filter(|_| !named("authorization")) {
            headers.push(("authorization".to_owned(), format!("Bearer {}", key.expose())));
        }
        let values = settings.headers.iter().map(|(_, value)| value.clone());
        // Of a header such as `Bearer <key>`, the key alone must not be seen either.
        let words = settings.headers.iter().filter_map(|(_, value)| value.expose().rsplit_once(' '));
        let words = words.map(|(_, word)| Secret::new(word));
        let access = Access {
            headers,
            secrets: settings.key.iter().cloned().chain(values).chain(words).collect(),
            ca_variable: "SSL_CERT_FILE",
            elsewhere: if settings.url == DEFAULT_URL { ELSEWHERE } else { "" },
            rights: "the key's rights",
            ..Access::default()
        };
        let client = HttpClient::new(&settings.url, access, Patience::Silence(timeout))?;
        Ok(Self { client, ids: Arc::default() })
    }

    /// The URL that all paths lie below.
    pub(super) fn url(&self) -> &str {
        self.client.base()
    }

    /// The id of a project that was looked up.
    pub(super) fn known(&self, project: &str) -> Option<String> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).get(project).cloned()
    }

    /// Keeps the id of a project.
    pub(super) fn know(&self, project: &str, id: &str) {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).insert(project.to_owned(), id.to_owned());
    }

    /// Where a path is.
    pub(super) fn endpoint(&self, path: &str) -> String {
        self.client.endpoint(path)
    }

    /// The error of an answer that is not what the API gives.
    pub(super) fn wrong(&self, path: &str, reason: String) -> HttpError {
        self.client.wrong(path, reason)
    }

    /// The text of an answer, of no more than so many bytes, that is JSON by what it says.
    pub(super) async fn text(&self, path: &str, query: &Query, most: usize) -> Result<String, HttpError> {
        let answer = self.client.get(path, query, most).await?;
        self.check(path, &answer)?;
        String::from_utf8(answer.body).map_err(|_| self.wrong(path, "the answer is not UTF-8".to_owned()))
    }

    /// An answer that is read at once.
    pub(super) async fn json<T: DeserializeOwned>(&self, path: &str, query: &Query) -> Result<T, HttpError> {
        let answer = self.client.get(path, query, MAX_LISTING).await?;
        self.check(path, &answer)?;
        serde_json::from_slice(&answer.body)
            .map_err(|error| self.wrong(path, format!("the answer is not what the API gives: {error}")))
    }

    /// Sends JSON, or nothing but the request where there is none.
    pub(super) async fn write(&self, method: &Method, path: &str, body: &Value, most: usize) -> Result<(), HttpError> {
        let request = self.client.request(method.clone(), path)?;
        let request = if body.is_null() { request } else { request.json(body) };
        let response = self.client.send(path, request).await?;
        self.client.body(path, response, most).await.map(drop)
    }

    fn check(&self, path: &str, answer: &Answer) -> Result<(), HttpError> {
        if answer.is_json() {
            return Ok(());
        }
        let kind = answer.header("content-type").unwrap_or("no type");
        let version = answer.header("x-phoenix-server-version").map(|version| format!(" (Phoenix {version})"));
        let version = version.unwrap_or_default();
        let reason = format!(
            "the answer is {kind}, not JSON: either this is no Phoenix{version}, or it is too old to have this, or the URL \
             lacks a path: check PHOENIX_COLLECTOR_ENDPOINT"
        );
        // Nothing smaller would be answered either.
        Err(HttpError { cause: Cause::Foreign, ..self.wrong(path, reason) })
    }
}
