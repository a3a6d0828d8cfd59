//! The HTTP side: projects and spaces, and spans and traces by pages.

mod answer;
mod cursor;
mod fetch;
mod listing;
mod noted;
mod page;
mod problem;
mod query;
mod spans;
mod traces;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{RequestExt, Router};

use self::noted::Noted;
use self::problem::Problem;
use super::backend::Backend;
use super::incoming::From;
use super::refusal::Refusal;
use super::settings::Token;

/// The biggest body that is read.
const MAX_BODY: usize = 1 << 20;
/// Time in which a body must have come.
const BODY_TIME: Duration = Duration::from_secs(20);
/// Characters of a path that the log shows.
const MAX_PATH: usize = 200;

/// All routes. Every one of them, also one that is not there, wants the key.
pub(super) fn router(backend: Arc<Backend>, token: Option<Token>) -> Router {
    Router::new()
        .route("/v2/projects", get(listing::projects))
        .route("/v2/spaces", get(listing::spaces))
        .route("/v2/spans", post(spans::list))
        .route("/v2/traces", post(traces::list))
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "there is nothing at this address"))
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this server only reads: the method is not served here")
        })
        // It is read, and no longer than that, before anything else is done.
        .layer(from_fn(read_body))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(token.map(Arc::new), check_key))
        .layer(from_fn_with_state(Arc::clone(&backend), log))
        .with_state(backend)
}

async fn check_key(State(token): State<Option<Arc<Token>>>, request: Request, next: Next) -> Response {
    if is_foreign(request.headers()) {
        return Problem::from(Refusal::foreign()).into_response();
    }
    match &token {
        Some(token) => {
            let shown = request.headers().get(header::AUTHORIZATION).and_then(|value| bearer(value.as_bytes()));
            if !shown.is_some_and(|shown| token.matches(shown)) {
                return Problem::from(Refusal::key()).into_response();
            }
        }
        // A web page can have its own name lead to this machine, and would read along.
        None => {
            let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
            if !host.is_none_or(is_of_machine) {
                let why = "without a token, only localhost and addresses are answered";
                return Problem::new(StatusCode::FORBIDDEN, why).into_response();
            }
        }
    }
    if let Some(ConnectInfo(From(peer))) = request.extensions().get::<ConnectInfo<From>>() {
        peer.is_known();
    }
    next.run(request).await
}

/// Whether a request is made by a web page that is none of this server: it serves none, but a proxy before it may.
fn is_foreign(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let Ok(origin) = origin.to_str() else { return true };
    match origin.split_once("://") {
        Some((_, page)) => host != Some(page),
        // Clients of Arize say there what they are, which is no address of a page.
        None => origin == "null",
    }
}

/// Reads the body of a request, for which there is not much time.
async fn read_body(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let read = Request::from_parts(parts.clone(), body).extract::<Bytes, _>();
    match tokio::time::timeout(BODY_TIME, read).await {
        Ok(Ok(bytes)) => next.run(Request::from_parts(parts, Body::from(bytes))).await,
        Ok(Err(rejection)) => Problem::new(rejection.status(), rejection.body_text()).into_response(),
        Err(_) => Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time").into_response(),
    }
}

/// Whether a Host header, which may have a port, names an address or `localhost`: no page on the web can be called so.
fn is_of_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok()
}

/// The key behind the word `Bearer`, in any case.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, key) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| key.trim_ascii())
}

async fn log(State(backend): State<Arc<Backend>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().chars().take(MAX_PATH).collect::<String>());
    let response = next.run(request).await;
    backend.log(|| {
        let note = response.extensions().get::<Noted>().map(|Noted(note)| format!(" {note}")).unwrap_or_default();
        let (status, milliseconds) = (response.status().as_u16(), began.elapsed().as_millis());
        format!("HTTP {method} {path}{note}: {status}, {milliseconds} ms")
    });
    response
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::{HeaderMap, is_foreign, is_of_machine};

    #[test]
    fn pages_of_others_are_foreign() {
        let foreign = |origin: Option<&str>, host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("host", HeaderValue::from_str(host).unwrap());
            if let Some(origin) = origin {
                headers.insert("origin", HeaderValue::from_str(origin).unwrap());
            }
            is_foreign(&headers)
        };
        assert!(!foreign(None, "localhost:80"));
        assert!(!foreign(Some("arize-sdk"), "localhost:80"));
        assert!(!foreign(Some("http://localhost:80"), "localhost:80"));
        for origin in ["http://evil.example", "https://localhost", "null", "file://"] {
            assert!(foreign(Some(origin), "localhost:80"), "{origin}");
        }
    }

    #[test]
    fn only_names_that_no_page_has_are_of_this_machine() {
        for host in ["localhost", "LOCALHOST:80", "127.0.0.1", "127.0.0.1:8051", "[::1]:8051", "[::1]"] {
            assert!(is_of_machine(host), "{host}");
        }
        for host in ["evil.example", "evil.example:8051", "localhost.evil.example", "", "127.0.0.1.evil.example:1"] {
            assert!(!is_of_machine(host), "{host}");
        }
    }
}
