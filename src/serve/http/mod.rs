//! The HTTP side: projects and spaces, spans and traces by pages, and what writes.

mod annotate;
mod answer;
mod cursor;
mod delete;
mod fetch;
mod listing;
mod named;
mod noted;
mod otlp;
mod page;
mod pandas;
mod problem;
mod query;
mod spans;
mod traces;
mod upload;

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
use super::access::{KEY_HEADERS, Keys, bearer, is_of_machine};
use super::backend::Backend;
use super::incoming::From;
use super::refusal::Refusal;

/// The biggest body that is read.
const MAX_BODY: usize = 1 << 20;
/// Time in which a body must have come.
const BODY_TIME: Duration = Duration::from_secs(20);
/// Characters of a path that the log shows.
const MAX_PATH: usize = 200;

/// All routes. Every one of them, also one that is not there, wants the key; those that write look at what it allows.
pub(super) fn router(backend: Arc<Backend>, keys: Keys) -> Router {
    let small = Router::new()
        .route("/v2/projects", get(listing::projects))
        .route("/v2/spaces", get(listing::spaces))
        .route("/v2/spans", post(spans::list).delete(delete::delete))
        .route("/v2/traces", post(traces::list))
        // The body is read, and no longer than that, before anything else is done.
        .layer(from_fn(read_body))
        .layer(DefaultBodyLimit::max(MAX_BODY));
    Router::new()
        .merge(small)
        .route("/v2/spans/annotate", post(annotate::annotate))
        .route("/v1/pandas_arrow", post(pandas::upload))
        .route("/v1/traces", post(otlp::traces))
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "there is nothing at this address"))
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "the method is not served at this address")
        })
        .layer(from_fn_with_state(Arc::new(keys), check_key))
        .layer(from_fn_with_state(Arc::clone(&backend), log))
        .with_state(backend)
}

async fn check_key(State(keys): State<Arc<Keys>>, mut request: Request, next: Next) -> Response {
    if is_foreign(request.headers()) {
        return Problem::from(Refusal::foreign()).into_response();
    }
    let headers = request.headers();
    let shown = headers.get(header::AUTHORIZATION).map(|value| bearer(value.as_bytes()));
    let plain = KEY_HEADERS.iter().filter_map(|name| headers.get(*name)).map(|value| value.as_bytes());
    let access = match keys.access(shown.into_iter().chain(plain)) {
        Ok(access) => access,
        Err(refusal) => return Problem::from(refusal).into_response(),
    };
    // A web page can have its own name lead to this machine, and would read along.
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    if keys.is_open() && !host.is_none_or(is_of_machine) {
        let why = "without a token, only localhost and addresses are answered";
        return Problem::new(StatusCode::FORBIDDEN, why).into_response();
    }
    request.extensions_mut().insert(access);
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

    use super::{HeaderMap, is_foreign};

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
}
