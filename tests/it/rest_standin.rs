//! A stand-in for Arize's REST API: spans by pages in the recorded shape, requests held to theirs, and faults.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::extract::{Query, Request};
use axum::http::{HeaderMap, Response};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::pull_support::{KEY, PROJECT, SPACE};
use super::support::BASE_TIME;

pub(crate) const PROJECT_ID: &str = "TW9kZWw6Nzp4eXo=";

/// What goes wrong with one request for spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// This status, with a problem, and after how many seconds to come again.
    Status(u16, Option<u64>),
    /// The connection breaks within the answer.
    Cut,
    /// The answer ends in its middle, and nothing says so.
    Half,
    /// The answer says that there is more, and not how to get it.
    NoCursor,
    /// The answer leads back to the page that it is.
    Circle,
}

/// What was asked: the query, and the body.
type Asked = (BTreeMap<String, String>, Value);

/// The server.
pub(crate) struct Standin {
    pub(crate) port: u16,
    /// What was asked for spans.
    asked: Arc<Mutex<Vec<Asked>>>,
    serving: JoinHandle<()>,
}

impl Drop for Standin {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A span in the shape that both of Arize's own clients take.
pub(crate) fn span(n: usize) -> Value {
    let at = |second: f64| {
        let nanos = BASE_TIME + n as i64 * 1_000_000_000 + (second * 1e9) as i64;
        chrono::DateTime::from_timestamp_nanos(nanos).to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
    };
    json!({
        "name": format!("step {n}"), "context": {"trace_id": format!("b{:031}", n / 4), "span_id": format!("a{n:015}")},
        "kind": "LLM", "parent_id": (!n.is_multiple_of(4)).then(|| format!("a{:015}", n - 1)),
        "start_time": at(0.0), "end_time": at(0.5), "status_code": if n.is_multiple_of(7) { "ERROR" } else { "OK" },
        "attributes": {
            "openinference.span.kind": "LLM", "session.id": format!("sess-{}", n / 8), "llm.token_count.total": 700.0,
            "llm.cost.total": 0.07, "metadata": {"tier": "free", "n": n},
            "llm.input_messages": [format!("{{\"message.role\": \"user\", \"message.content\": \"q{n}\"}}")],
            "llm.invocation_parameters": "{\"temperature\": 0}"
        },
        "annotations": [], "events": [],
        "evaluations": [{"name": "Correctness", "label": "incorrect", "score": 0.0, "explanation": "because"}]
    })
}

impl Standin {
    /// With so many spans, newest first, and faults by the number of the request for spans.
    pub(crate) async fn start(spans: usize, faults: &[Fault]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked: Arc<Mutex<Vec<_>>> = Arc::default();
        let (known, faults) = (Arc::clone(&asked), faults.to_vec());
        let router = axum::Router::new().fallback(move |request: Request| {
            let (known, faults) = (Arc::clone(&known), faults.clone());
            async move {
                let (parts, body) = request.into_parts();
                let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
                let Query(query) = Query::<BTreeMap<String, String>>::try_from_uri(&parts.uri).unwrap();
                let bearer = parts.headers.get("authorization").and_then(|value| value.to_str().ok());
                if bearer != Some(format!("Bearer {KEY}").as_str()) {
                    return problem(401, "Unauthorized", "invalid API key");
                }
                match (parts.method.as_str(), parts.uri.path()) {
                    ("GET", "/v2/projects") => projects(&query),
                    ("POST", "/v2/spans") => {
                        let body = checked(&parts.headers, &query, &body);
                        let number = {
                            let mut known = known.lock().unwrap();
                            known.push((query.clone(), body.clone()));
                            known.len() - 1
                        };
                        page(spans, faults.get(number).copied().unwrap_or(Fault::None), &query, &body)
                    }
                    (method, path) => problem(404, "Not Found", &format!("{method} {path}")),
                }
            }
        });
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { port, asked, serving }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The variables of a user that knows this server, and a Flight server on another port.
    pub(crate) fn variables(&self, flight: u16) -> Vec<(&'static str, String)> {
        let mut variables = super::pull_support::plaintext(flight);
        variables.extend([
            ("ARIZE_API_HOST", "127.0.0.1".to_owned()),
            ("ARIZE_API_SCHEME", "http".to_owned()),
            ("ARIZE_API_PORT", self.port.to_string()),
        ]);
        variables
    }
}

/// A request is of the recorded form, or the test fails.
fn checked(headers: &HeaderMap, query: &BTreeMap<String, String>, body: &Bytes) -> Value {
    for (name, value) in [("content-type", "application/json"), ("accept", "application/json")] {
        assert_eq!(headers[name], value);
    }
    assert!(query.keys().all(|name| ["limit", "cursor"].contains(&name.as_str())), "{query:?}");
    assert!((1..=500).contains(&query["limit"].parse::<u32>().unwrap()), "{query:?}");
    let body: Value = serde_json::from_slice(body).unwrap();
    let fields = ["project_id", "start_time", "end_time", "filter", "included_columns"];
    for (name, value) in body.as_object().unwrap() {
        assert!(fields.contains(&name.as_str()), "{body}");
        match value {
            Value::String(text) => assert!(!text.trim().is_empty(), "{body}"),
            Value::Array(names) => assert!((1..=1000).contains(&names.len()) && names.iter().all(Value::is_string)),
            other => panic!("{name} is {other}"),
        }
    }
    for name in ["start_time", "end_time"] {
        let time = body[name].as_str().unwrap();
        assert!(time.len() == 25 && time.ends_with("+00:00"), "{time}");
    }
    body
}

fn problem(status: u16, title: &str, detail: &str) -> Response<Body> {
    let body = json!({"type": "about:blank", "title": title, "status": status, "detail": detail, "instance": "/v2"});
    answer(status, &[("content-type", "application/problem+json".to_owned())], body.to_string().into())
}

fn answer(status: u16, headers: &[(&str, String)], body: Body) -> Response<Body> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, value);
    }
    response.body(body).unwrap()
}

fn projects(query: &BTreeMap<String, String>) -> Response<Body> {
    assert!(query.get("space_id").is_none_or(|space| space == SPACE), "{query:?}");
    let project = |id: &str, name: &str| json!({"id": id, "name": name, "space_id": SPACE, "created_at": "2026-01-01T00:00:00Z", "project_type": "APPLICATION"});
    let projects = [project(PROJECT_ID, PROJECT), project("TW9kZWw6ODphL2I=", "a/b?c#d")];
    answer(200, &[], json!({"projects": projects, "pagination": {"has_more": false}}).to_string().into())
}

fn page(spans: usize, fault: Fault, query: &BTreeMap<String, String>, body: &Value) -> Response<Body> {
    if let Fault::Status(status, after) = fault {
        let mut response = problem(status, "Trouble", "come again");
        if let Some(after) = after {
            response.headers_mut().insert("retry-after", after.into());
        }
        return response;
    }
    if body["project_id"] != PROJECT_ID {
        return problem(404, "Not Found", "project not found");
    }
    let second = |name: &str| {
        let time = chrono::DateTime::parse_from_rfc3339(body[name].as_str().unwrap()).unwrap();
        (time.timestamp() - BASE_TIME / 1_000_000_000).clamp(0, spans as i64) as usize
    };
    let (first, last) = (second("start_time"), second("end_time"));
    let spans = last - first;
    let from: usize = query.get("cursor").map_or(0, |cursor| cursor.parse().unwrap());
    let to = (from + query["limit"].parse::<usize>().unwrap()).min(spans);
    let page: Vec<Value> = (from..to).map(|at| span(last - 1 - at)).collect();
    let pagination = match fault {
        Fault::NoCursor => json!({"has_more": true}),
        Fault::Circle => json!({"has_more": true, "next_cursor": from.to_string()}),
        _ if to < spans => json!({"has_more": true, "next_cursor": to.to_string()}),
        _ => json!({"has_more": false}),
    };
    let text = json!({"spans": page, "pagination": pagination}).to_string();
    let body = match fault {
        Fault::Half => Body::from(text[..text.len() / 2].to_owned()),
        Fault::Cut => {
            let half = Bytes::from(text[..text.len() / 2].to_owned());
            let parts = [Ok(half), Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))];
            Body::from_stream(futures::stream::iter(parts))
        }
        _ => Body::from(text),
    };
    answer(200, &[("content-type", "application/json".to_owned())], body)
}
