//! A stand-in for the write side of the REST APIs of Arize, Phoenix and Opik: requests held to their recorded shapes,
//! faults, and what was taken.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, Response};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::pull_support::{KEY, SPACE};

pub(crate) const PROJECT_ID: &str = "TW9kZWw6Nzp4eXo=";

/// A request that was taken: method and path, and the body.
pub(crate) type Taken = (String, Value);

#[derive(Debug, Default)]
pub(crate) struct State {
    /// Ids of spans, traces and sessions that are there.
    pub(crate) known: BTreeSet<String>,
    pub(crate) taken: Vec<Taken>,
    /// Statuses of the next requests that write, instead of an answer; 0 lets one through.
    pub(crate) faults: VecDeque<u16>,
    /// How many spans one request to delete deletes at most.
    pub(crate) at_once: usize,
    /// The status of an answer that not all is deleted yet, if not 200.
    pub(crate) gives_up: Option<u16>,
    /// Annotations that a Phoenix has.
    pub(crate) annotated: Vec<Value>,
    /// What no client of the vendor would send.
    pub(crate) wrong: Vec<String>,
}

/// The server.
pub(crate) struct Standin {
    pub(crate) port: u16,
    state: Arc<Mutex<State>>,
    serving: JoinHandle<()>,
}

impl Drop for Standin {
    fn drop(&mut self) {
        self.serving.abort();
        let state = self.state.lock().unwrap();
        assert!(std::thread::panicking() || state.wrong.is_empty(), "{:#?}", state.wrong);
    }
}

impl Standin {
    pub(crate) async fn start(known: &[&str]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let known = known.iter().map(|id| (*id).to_owned()).collect();
        let state = Arc::new(Mutex::new(State { known, at_once: 5_000, ..State::default() }));
        let shared = Arc::clone(&state);
        let router = axum::Router::new().fallback(move |request: Request| {
            let state = Arc::clone(&shared);
            async move {
                let (parts, body) = request.into_parts();
                let body = axum::body::to_bytes(body, 64 << 20).await.unwrap();
                let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() };
                let path = parts.uri.path_and_query().unwrap().as_str().to_owned();
                answer(&mut state.lock().unwrap(), parts.method.as_str(), &path, &parts.headers, &body)
            }
        });
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { port, state, serving }
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    /// What was taken so far.
    pub(crate) fn taken(&self) -> Vec<Taken> {
        std::mem::take(&mut self.state.lock().unwrap().taken)
    }

    /// The variables of a user that knows it as all three.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        let url = format!("http://127.0.0.1:{}", self.port);
        vec![
            ("ARIZE_API_HOST", "127.0.0.1".to_owned()),
            ("ARIZE_API_SCHEME", "http".to_owned()),
            ("ARIZE_API_PORT", self.port.to_string()),
            ("PHOENIX_COLLECTOR_ENDPOINT", url.clone()),
            ("PHOENIX_API_KEY", KEY.to_owned()),
            ("OPIK_URL_OVERRIDE", format!("{url}/api")),
            ("OPIK_API_KEY", KEY.to_owned()),
            ("OPIK_WORKSPACE", "ws1".to_owned()),
        ]
    }
}

fn answer(state: &mut State, method: &str, path: &str, headers: &HeaderMap, body: &Value) -> Response<Body> {
    let of_opik = path.starts_with("/api/");
    let key = if of_opik { KEY.to_owned() } else { format!("Bearer {KEY}") };
    if headers.get("authorization").and_then(|value| value.to_str().ok()) != Some(key.as_str()) {
        return problem(401, "invalid API key");
    }
    if (method, path.split('?').next()) == ("GET", Some("/v2/projects")) {
        let project = json!({"id": PROJECT_ID, "name": "shop", "space_id": SPACE});
        return sent(200, &json!({"projects": [project], "pagination": {"has_more": false}}).to_string());
    }
    if method == "GET" && path.starts_with("/v1/projects?") {
        let project = json!({"id": "UHJvamVjdDoy", "name": "shop"});
        return sent(200, &json!({"data": [project], "next_cursor": null}).to_string());
    }
    if method == "GET" && path.starts_with("/v1/projects/") {
        return of_phoenix(state, path);
    }
    if let Some(status @ 1..) = state.faults.pop_front() {
        return problem(status, "told to fail");
    }
    let wrong = match (method, path) {
        ("POST", "/v2/spans/annotate") => check_annotations(body),
        ("DELETE", "/v2/spans") => check_keys(body, &["project_id", "span_ids", "start_time", "end_time"]),
        ("POST", path) if path.ends_with("_annotations?sync=true") => check_phoenix(body),
        ("POST", path) if path.starts_with("/v1/") && path.ends_with("_notes") => {
            check_keys(&body["data"], &["span_id", "note"])
        }
        ("PUT", path) if path.ends_with("/feedback-scores") => check_scores(body),
        ("POST", path) if of_opik && path.ends_with("/comments") => check_keys(body, &["text"]),
        ("DELETE", path) if path.starts_with("/v1/spans/") => None,
        _ => Some("no such path".to_owned()),
    };
    if let Some(wrong) = wrong {
        state.wrong.push(format!("{method} {path}: {wrong}: {body}"));
        return problem(422, &wrong);
    }
    let ids: Vec<String> = match path {
        "/v2/spans/annotate" => texts(&body["annotations"], "record_id"),
        "/v2/spans" => body["span_ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect(),
        path if path.ends_with("_annotations?sync=true") => {
            ["span_id", "trace_id", "session_id"].iter().flat_map(|key| texts(&body["data"], key)).collect()
        }
        path if path.ends_with("/comments") => vec![path.rsplit('/').nth(1).unwrap().to_owned()],
        path if method == "DELETE" => vec![path.rsplit('/').next().unwrap().to_owned()],
        _ => vec![],
    };
    let unknown: Vec<&str> = ids.iter().map(String::as_str).filter(|id| !state.known.contains(*id)).collect();
    if method == "DELETE" && path == "/v2/spans" {
        let deleted: Vec<String> =
            ids.iter().filter(|id| state.known.contains(*id)).take(state.at_once).cloned().collect();
        state.known.retain(|id| !deleted.contains(id));
        let left: Vec<&String> = ids.iter().filter(|id| !deleted.contains(id)).collect();
        let completed = !left.iter().any(|id| state.known.contains(*id));
        state.taken.push((format!("{method} {path}"), body.clone()));
        let answer = json!({"completed": completed, "deleted_span_ids": deleted, "not_deleted_span_ids": left});
        let status = state.gives_up.filter(|_| !completed).unwrap_or(200);
        return sent(status, &answer.to_string());
    }
    if !unknown.is_empty() {
        return match path.starts_with("/v2/") {
            true => problem(404, &format!("spans not found: {unknown:?}")),
            false => text(404, &format!("Spans with IDs {} do not exist.", unknown.join(", "))),
        };
    }
    state.taken.push((format!("{method} {path}"), body.clone()));
    match path {
        "/v2/spans/annotate" => sent(202, ""),
        path if path.ends_with("_annotations?sync=true") => {
            let data = body["data"].as_array().unwrap();
            for new in data {
                // As a Phoenix does, it forgets what it had of the same name.
                let is_same = |old: &Value| {
                    ["span_id", "trace_id", "session_id", "name", "identifier"].iter().all(|key| old[*key] == new[*key])
                };
                state.annotated.retain(|old| !is_same(old));
                state.annotated.push(new.clone());
            }
            let rows = data.iter().map(|_| json!({"id": "U3BhbkFubm90YXRpb246MQ=="}));
            sent(200, &json!({"data": rows.collect::<Vec<_>>()}).to_string())
        }
        path if path.ends_with("_notes") => sent(200, r#"{"data":{"id":"1"}}"#),
        _ => sent(204, ""),
    }
}

/// The project `shop` of a Phoenix, and what is said of its spans, traces and sessions, two a page.
fn of_phoenix(state: &State, path: &str) -> Response<Body> {
    let url = url::Url::parse(&format!("http://x{path}")).unwrap();
    let Some(rest) = url.path().strip_prefix("/v1/projects/shop") else { return text(404, "Project not found") };
    if rest.is_empty() {
        return sent(200, &json!({"data": {"id": "UHJvamVjdDoy", "name": "shop"}}).to_string());
    }
    let level = rest.trim_start_matches('/').trim_end_matches("_annotations").to_owned();
    let get =
        |name: String| url.query_pairs().filter(move |(key, _)| *key == name).map(|(_, value)| value.into_owned());
    let ids: BTreeSet<String> = get(format!("{level}_ids")).collect();
    if !ids.iter().any(|id| state.known.contains(id)) {
        return text(404, "None of them is there");
    }
    let is_asked = |row: &&Value| row[format!("{level}_id")].as_str().is_some_and(|id| ids.contains(id));
    let rows: Vec<&Value> = state.annotated.iter().filter(is_asked).collect();
    let start: usize = get("cursor".to_owned()).next().map_or(0, |cursor| cursor.parse().unwrap());
    let end = rows.len().min(start + 2);
    let next = (end < rows.len()).then(|| end.to_string());
    sent(200, &json!({"data": rows[start..end], "next_cursor": next}).to_string())
}

fn texts(list: &Value, key: &str) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|item| item[key].as_str()).map(str::to_owned).collect()
}

fn check_keys(object: &Value, known: &[&str]) -> Option<String> {
    let Some(object) = object.as_object() else { return Some("no object".to_owned()) };
    let other = object.keys().find(|key| !known.contains(&key.as_str()));
    other.map(|key| format!("{key} is not in the API"))
}

fn check_annotations(body: &Value) -> Option<String> {
    let of_sessions = body["granularity"] == "SESSION";
    let most = if of_sessions { 100 } else { 1_000 };
    let records = body["annotations"].as_array().unwrap();
    if !(1..=most).contains(&records.len()) {
        return Some(format!("{} records", records.len()));
    }
    let ids: BTreeSet<&str> = records.iter().filter_map(|record| record["record_id"].as_str()).collect();
    if ids.len() != records.len() {
        return Some("an id is there twice, or is no text".to_owned());
    }
    let known = ["project_id", "annotations", "start_time", "end_time", "granularity"];
    check_keys(body, &known)
        .or((body["project_id"] != PROJECT_ID).then(|| "another project".to_owned()))
        .or(records.iter().find_map(|record| check_keys(record, &["record_id", "values"])))
        .or(records.iter().flat_map(|record| record["values"].as_array().unwrap()).find_map(|value| {
            let wrong = value.as_object().unwrap().iter().any(|(key, value)| match key.as_str() {
                "score" => !value.is_number(),
                _ => !value.is_string(),
            });
            check_keys(value, &["name", "label", "score", "text"]).or(wrong.then(|| "a wrong type".to_owned()))
        }))
}

fn check_phoenix(body: &Value) -> Option<String> {
    let known = ["span_id", "trace_id", "session_id", "name", "annotator_kind", "result", "metadata", "identifier"];
    body["data"].as_array().unwrap().iter().find_map(|item| {
        let kind = ["LLM", "CODE", "HUMAN"].iter().any(|kind| item["annotator_kind"] == *kind);
        check_keys(item, &known)
            .or(check_keys(&item["result"], &["label", "score", "explanation"]))
            .or((!kind).then(|| "no kind".to_owned()))
            .or((item["name"] == "note").then(|| "the name is reserved".to_owned()))
    })
}

fn check_scores(body: &Value) -> Option<String> {
    let known = [
        "id",
        "thread_id",
        "project_name",
        "name",
        "value",
        "source",
        "category_name",
        "reason",
        "author",
        "project_id",
    ];
    let scores = body["scores"].as_array().unwrap();
    if !(1..=1_000).contains(&scores.len()) {
        return Some(format!("{} scores", scores.len()));
    }
    scores.iter().find_map(|score| {
        let number = (!score["value"].is_number()).then(|| "a value that is no number".to_owned());
        check_keys(score, &known).or(number).or((score["source"] != "sdk").then(|| "another source".to_owned()))
    })
}

fn problem(status: u16, detail: &str) -> Response<Body> {
    let body = json!({"type": "about:blank", "title": "Problem", "status": status, "detail": detail, "instance": "/"});
    let answer = Response::builder().status(status).header("content-type", "application/problem+json");
    answer.body(Body::from(body.to_string())).unwrap()
}

fn text(status: u16, text: &str) -> Response<Body> {
    let answer = Response::builder().status(status).header("content-type", "text/plain; charset=utf-8");
    answer.body(Body::from(text.to_owned())).unwrap()
}

fn sent(status: u16, body: &str) -> Response<Body> {
    let answer = Response::builder().status(status).header("content-type", "application/json");
    answer.body(Body::from(body.to_owned())).unwrap()
}
