//! HTTP as the REST APIs of remotes need it: bounded answers, errors in words, and no key in any of them.

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Client, ClientBuilder, Method, RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;

use crate::config::Secret;
use crate::error::SourceError;

mod said;
mod wait;

/// Bytes of a listing that are read before something must be wrong.
pub(crate) const MAX_LISTING: usize = 64 << 20;

/// What to do where nobody is at the place that a URL names.
pub(crate) const BY_URL: &str = "; --endpoint says where the server is";

/// What a remote is called with, and whom it must be.
#[derive(Debug, Clone, Default)]
pub(crate) struct Access {
    /// Headers of every request: names and values. Values are never shown.
    pub(crate) headers: Vec<(String, String)>,
    /// What must not occur in an error.
    pub(crate) secrets: Vec<Secret>,
    /// Takes any certificate.
    pub(crate) trust_all: bool,
    /// File of certificates that are trusted instead of the system's.
    pub(crate) ca_file: Option<PathBuf>,
    /// The variable that names such a file.
    pub(crate) ca_variable: &'static str,
    /// What to do where nobody is there.
    pub(crate) elsewhere: &'static str,
    /// What to check where the key may not read something.
    pub(crate) rights: &'static str,
}

/// How long to wait for a remote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// For a whole answer.
    Answer(Duration),
    /// For anything at all; while something comes, an answer takes as long as it takes.
    Silence(Duration),
}

impl Patience {
    fn time(self) -> Duration {
        match self {
            Self::Answer(time) | Self::Silence(time) => time,
        }
    }
}

/// What is made of a builder when it is first asked for: making it reads all certificates of the system, and most statements
/// ask no remote.
type LazyClient = LazyLock<Result<Client, String>, Box<dyn FnOnce() -> Result<Client, String> + Send>>;

/// A client for one REST API. Clones share their connections.
#[derive(Clone)]
pub(crate) struct HttpClient {
    /// Without a slash at its end.
    base: String,
    access: Access,
    client: Arc<LazyClient>,
    patience: Patience,
}

/// An answer that was read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// A header that is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Whether it says of itself that it is JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.header("content-type").is_some_and(|kind| kind.to_ascii_lowercase().starts_with("application/json"))
    }
}

/// Why a request failed, and what of it a caller may go by.
#[derive(Debug, Clone)]
pub(crate) struct HttpError {
    pub(crate) cause: Cause,
    pub(crate) error: SourceError,
}

/// What kind of failure it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// An answer with a status that is no success.
    Status(StatusCode),
    /// An answer that is longer than allowed.
    TooLong,
    /// No whole answer.
    Connection,
    /// An answer that is not what the API gives.
    Content,
    /// An answer of something that is not the API, such as a page for browsers.
    Foreign,
}

impl HttpError {
    /// The source's error, for [`retrying`](crate::retrying).
    pub(crate) fn error(&self) -> Option<&SourceError> {
        Some(&self.error)
    }
}

impl From<HttpError> for SourceError {
    fn from(failed: HttpError) -> Self {
        failed.error
    }
}

impl std::fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpClient").field("base", &self.base).finish_non_exhaustive()
    }
}

fn lazy(builder: ClientBuilder) -> LazyClient {
    LazyLock::new(Box::new(move || builder.build().map_err(|error| error.to_string())))
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

/// A file of certificates to trust, which must hold one.
pub(crate) fn certificates(file: &std::path::Path) -> Result<Vec<u8>, SourceError> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;

    let wrong = |reason: &dyn std::fmt::Display| SourceError::Setting(format!("{}: {reason}", file.display()));
    let pem = std::fs::read(file).map_err(|error| wrong(&error))?;
    match CertificateDer::pem_slice_iter(&pem).next() {
        Some(Ok(_)) => Ok(pem),
        _ => Err(wrong(&"it holds no certificate in PEM form")),
    }
}

impl HttpClient {
    /// A client for the API below a URL, which may have a path; nothing is called yet.
    ///
    /// # Errors
    /// When a header cannot be one, or the certificates to trust cannot be read.
    pub(crate) fn new(base: &str, access: Access, patience: Patience) -> Result<Self, SourceError> {
        let wrong = |reason: String| SourceError::Setting(reason);
        let mut headers = HeaderMap::new();
        for (name, value) in &access.headers {
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| wrong("a header has a name that no header can have".to_owned()))?;
            let mut value = HeaderValue::from_str(value).map_err(|_| {
                let what =
                    if name == "authorization" { "the API key".to_owned() } else { format!("the header {name}") };
                wrong(format!("{what} holds characters that no header can"))
            })?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let mut client = Client::builder()
            .user_agent(concat!("spanql/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            // A redirect would carry the key to wherever it points.
            .redirect(reqwest::redirect::Policy::none())
            .danger_accept_invalid_certs(access.trust_all);
        client = match patience {
            Patience::Answer(time) => client.timeout(time),
            Patience::Silence(time) => client.connect_timeout(time).read_timeout(time),
        };
        if let Some(file) = access.ca_file.as_ref().filter(|_| !access.trust_all) {
            let wrong = |error: &dyn std::fmt::Display| wrong(format!("{}: {error}", file.display()));
            let certificates = Certificate::from_pem_bundle(&certificates(file)?).map_err(|error| wrong(&error))?;
            client = client.tls_built_in_root_certs(false);
            for certificate in certificates {
                client = client.add_root_certificate(certificate);
            }
        }
        if is_loopback(base) {
            // A proxy is for the way out; this machine would not be reached through it.
            client = client.no_proxy();
        }
        let client = Arc::new(lazy(client));
        Ok(Self { base: base.trim_end_matches('/').to_owned(), access, client, patience })
    }

    /// The URL that all paths lie below.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// A request for a path, which begins with a slash and is encoded already.
    ///
    /// # Errors
    /// When TLS cannot be set up on this machine.
    pub(crate) fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, HttpError> {
        match self.client.as_ref().as_ref() {
            Ok(client) => Ok(client.request(method, self.endpoint(path))),
            Err(reason) => {
                Err(HttpError { cause: Cause::Connection, error: SourceError::Setting(self.redact(reason)) })
            }
        }
    }

    /// Sends a request; gives the answer if its status is a success.
    pub(crate) async fn send(&self, path: &str, request: RequestBuilder) -> Result<Response, HttpError> {
        let response = request.send().await.map_err(|error| self.unreachable(path, &error))?;
        let status = response.status();
        if status.is_success() { Ok(response) } else { Err(self.refused(path, status, response).await) }
    }

    /// Asks for a path, and reads the answer up to so many bytes.
    pub(crate) async fn get<Q: serde::Serialize + ?Sized>(
        &self,
        path: &str,
        query: &Q,
        most: usize,
    ) -> Result<Answer, HttpError> {
        let response = self.send(path, self.request(Method::GET, path)?.query(query)).await?;
        let headers = response.headers().clone();
        Ok(Answer { headers, body: self.body(path, response, most).await? })
    }

    /// Asks for a listing, and reads its JSON.
    pub(crate) async fn get_json<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, HttpError> {
        let answer = self.get(path, query, MAX_LISTING).await?;
        serde_json::from_slice(&answer.body)
            .map_err(|error| self.wrong(path, format!("the answer is not what the API gives: {error}")))
    }

    /// The body of an answer of no more than so many bytes.
    pub(crate) async fn body(&self, path: &str, mut response: Response, most: usize) -> Result<Vec<u8>, HttpError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(path, &error))? {
            if body.len() + chunk.len() > most {
                let error = self.wrong(path, format!("the answer is longer than {} MiB", most >> 20)).error;
                return Err(HttpError { cause: Cause::TooLong, error });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// Where a path is.
    pub(crate) fn endpoint(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The error of an answer that is not what the API gives.
    pub(crate) fn wrong(&self, path: &str, reason: String) -> HttpError {
        let error = SourceError::Protocol { endpoint: self.endpoint(path), reason: self.redact(&reason) };
        HttpError { cause: Cause::Content, error }
    }

    /// The error of a request that got no whole answer.
    pub(crate) fn unreachable(&self, path: &str, error: &reqwest::Error) -> HttpError {
        HttpError { cause: Cause::Connection, error: self.lost(path, error) }
    }

    fn lost(&self, path: &str, error: &reqwest::Error) -> SourceError {
        if error.is_timeout() {
            return SourceError::silent(self.endpoint(path), self.patience.time());
        }
        if let Some(error) = SourceError::untrusted_by(&self.endpoint(path), error, self.access.ca_variable) {
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
        reason += self.access.elsewhere;
        SourceError::Unreachable { endpoint: self.endpoint(path), reason: self.redact(&reason) }
    }

    /// The text without the keys.
    pub(crate) fn redact(&self, text: &str) -> String {
        self.access.secrets.iter().fold(text.to_owned(), |text, secret| secret.redact(&text))
    }

    /// The error of an answer whose status is no success.
    pub(crate) async fn refused(&self, path: &str, status: StatusCode, response: Response) -> HttpError {
        let endpoint = self.endpoint(path);
        let retry_after = wait::wanted(response.headers());
        // Without a body, the status says what there is to say.
        let html = response.headers().get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
        let body = self.body(path, response, MAX_LISTING).await.unwrap_or_default();
        let said = said::said(&body).filter(|_| !html);
        let said = match said {
            Some(said) => format!("{} {said}", status.as_u16()),
            None => status.to_string(),
        };
        let said = self.redact(&said);
        let error = match status {
            StatusCode::UNAUTHORIZED => {
                SourceError::Denied { endpoint, reason: format!("the key is not accepted: {said}") }
            }
            StatusCode::FORBIDDEN => SourceError::Denied {
                endpoint,
                reason: format!("the key may not read this: {said}; check {}", self.access.rights),
            },
            StatusCode::NOT_FOUND => SourceError::NotFound { what: format!("{endpoint}: {said}"), suggestion: None },
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => SourceError::Unavailable { endpoint, reason: said, retry_after },
            _ => SourceError::Refused { endpoint, reason: said },
        };
        HttpError { cause: Cause::Status(status), error }
    }
}
