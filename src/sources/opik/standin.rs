//! A server on this machine that answers as Opik does, refuses what Opik refuses, and fails where it is told to.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value as Json, json};

/// The key that it takes.
pub(crate) const KEY: &str = "opik-secret-key-7d1f";
/// The workspace that the key is for.
pub(crate) const WORKSPACE: &str = "ws1";
/// Members of rows that can be left out.
const EXCLUDABLE: [&str; 5] = ["input", "output", "metadata", "feedback_scores", "comments"];
/// What a server leaves of a value that it cuts.
const CUT_TO: usize = 12;

/// How an answer to a search goes wrong, after so many of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing goes wrong.
    Fine,
    /// A status instead of an answer, with headers.
    Status(u16, &'static [(&'static str, &'static str)]),
    /// The connection is lost within a row.
    Cut(usize),
    /// The connection ends between rows, and does not say how long the answer was to be.
    EndsEarly(usize),
    /// It ends within a row in the same way.
    EndsWithinRow(usize),
    /// A row that says that it failed.
    FailedRow(usize),
    /// A row that is no JSON.
    BrokenRow(usize),
    /// Nothing is said.
    Silent,
    /// Rows come oldest first.
    OldestFirst,
    /// Blank lines between the rows, and no line end behind the last.
    OddLines,
}

/// What was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) body: Json,
}

#[derive(Default)]
struct State {
    projects: Vec<(String, String)>,
    traces: Vec<Json>,
    spans: Vec<Json>,
    asked: Vec<Asked>,
    /// Each strikes one search of paths that contain its text.
    faults: VecDeque<(&'static str, Fault)>,
    /// Values are cut whatever is asked for.
    cuts: bool,
    /// What no client of Opik would send.
    wrong: Vec<String>,
}

/// The server; it stops with the process.
#[derive(Clone)]
pub(crate) struct Standin {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
}

struct Request {
    method: String,
    path: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    body: Json,
}

struct Refusal(u16, String);

impl Standin {
    /// One project, `demo`, with these traces and spans.
    pub(crate) fn new(traces: Vec<Json>, spans: Vec<Json>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/api", listener.local_addr().expect("an address"));
        let projects = vec![("0190aaaa-0000-7000-8000-000000000001".to_owned(), "demo".to_owned())];
        let state = Arc::new(Mutex::new(State { projects, traces, spans, ..State::default() }));
        let standin = Self { url, state };
        let server = standin.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = server.clone();
                thread::spawn(move || drop(server.serve(stream)));
            }
        });
        standin
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next search of a path that contains a text goes wrong.
    pub(crate) fn fail(&self, path: &'static str, fault: Fault) {
        self.state().faults.push_back((path, fault));
    }

    /// Values are cut from now on.
    pub(crate) fn cut_values(&self) {
        self.state().cuts = true;
    }

    /// Another project of this name; it has no rows.
    pub(crate) fn add_project(&self, name: &str) {
        let id = format!("0190aaaa-0000-7000-8000-0000000000{:02}", self.state().projects.len() + 1);
        self.state().projects.push((id, name.to_owned()));
    }

    /// What was asked so far of paths that contain a text; fails when anything was that Opik would not understand.
    pub(crate) fn asked(&self, path: &str) -> Vec<Asked> {
        let state = self.state();
        assert!(state.wrong.is_empty(), "{:?}", state.wrong);
        state.asked.iter().filter(|asked| asked.path.contains(path)).cloned().collect()
    }

    fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let Some(request) = read_request(&mut reader)? else { return Ok(()) };
        self.state().asked.push(Asked { path: request.path.clone(), body: request.body.clone() });
        match self.answer(&request) {
            Ok(Answer::Json(body)) => whole(&stream, 200, &[], &body.to_string()),
            Ok(Answer::Rows(rows)) => self.rows(&stream, &request, &rows),
            Err(Refusal(code, message)) => {
                if code == 400 {
                    self.state().wrong.push(format!("{} {}: {message}", request.method, request.path));
                }
                whole(&stream, code, &[], &json!({ "code": code, "message": message }).to_string())
            }
        }
    }

    fn rows(&self, stream: &TcpStream, request: &Request, rows: &[String]) -> std::io::Result<()> {
        let fault = {
            let mut state = self.state();
            let at = state.faults.iter().position(|(path, _)| request.path.contains(path));
            at.and_then(|at| state.faults.remove(at)).map(|(_, fault)| fault)
        };
        let lines = |rows: &[String]| rows.iter().map(|row| format!("{row}\r\n")).collect::<String>();
        let some = |count: usize| lines(&rows[..count.min(rows.len())]);
        let half = |count: usize| rows.get(count).map(|row| row[..row.len() / 2].to_owned()).unwrap_or_default();
        let mut stream = stream;
        match fault {
            None | Some(Fault::Fine) => whole(stream, 200, &[], &lines(rows)),
            Some(Fault::Status(code, headers)) => {
                let body = r#"{"errors": ["You have exceeded the rate limit for this operation."]}"#;
                whole(stream, code, headers, body)
            }
            Some(Fault::Cut(count)) => {
                let body = some(count) + &half(count);
                write!(stream, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n", body.len())?;
                stream.flush()
            }
            Some(Fault::EndsEarly(count)) => {
                write!(stream, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}", some(count))
            }
            Some(Fault::EndsWithinRow(count)) => {
                write!(stream, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}{}", some(count), half(count))
            }
            Some(Fault::FailedRow(count)) => {
                let failed = "{\"code\": 500, \"message\": \"Streaming operation timed out\"}\r\n";
                whole(stream, 200, &[], &(some(count) + failed))
            }
            Some(Fault::BrokenRow(count)) => whole(stream, 200, &[], &(some(count) + "{\"id\": \"broken\r\n")),
            Some(Fault::Silent) => {
                thread::sleep(Duration::from_secs(60));
                Ok(())
            }
            Some(Fault::OldestFirst) => {
                let reversed: Vec<String> = rows.iter().rev().cloned().collect();
                whole(stream, 200, &[], &lines(&reversed))
            }
            Some(Fault::OddLines) => whole(stream, 200, &[], rows.join("\n\n").as_str()),
        }
    }

    fn answer(&self, request: &Request) -> Result<Answer, Refusal> {
        let header =
            |name: &str| request.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        if header("authorization") != Some(KEY) {
            return Err(Refusal(401, "API key is missing or wrong".to_owned()));
        }
        if header("comet-workspace") != Some(WORKSPACE) {
            return Err(Refusal(403, "User has no access to the workspace".to_owned()));
        }
        let wrong = |what: String| Err(Refusal(400, what));
        if request.method == "POST" && header("content-type") != Some("application/json") {
            return wrong("a body that is not JSON".to_owned());
        }
        let query = |name: &str| request.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/api/v1/private/projects") => {
                let number = |name: &str| query(name).and_then(|value| value.parse::<usize>().ok());
                let (Some(page), Some(size)) = (number("page"), number("size")) else {
                    return wrong("a page".to_owned());
                };
                let state = self.state();
                let projects: Vec<Json> = state
                    .projects
                    .iter()
                    .map(|(id, name)| json!({"id": id, "name": name, "created_at": "2025-01-01T00:00:00Z"}))
                    .collect();
                let content: Vec<Json> = projects.iter().skip((page - 1) * size).take(size).cloned().collect();
                let total = projects.len();
                Ok(Answer::Json(json!({"page": page, "size": content.len(), "total": total, "content": content})))
            }
            ("POST", "/api/v1/private/projects/retrieve") => {
                let name = request.body["name"].as_str().unwrap_or_default();
                self.project(name).map(|id| Answer::Json(json!({"id": id, "name": name})))
            }
            ("POST", "/api/v1/private/traces/search") => self.search(request, false),
            ("POST", "/api/v1/private/spans/search") => self.search(request, true),
            ("GET", path @ ("/api/v1/private/traces" | "/api/v1/private/spans")) => {
                if request
                    .query
                    .iter()
                    .any(|(name, _)| !["page", "size", "project_name", "filters"].contains(&name.as_str()))
                {
                    return wrong("a parameter that nobody knows".to_owned());
                }
                self.project(query("project_name").unwrap_or_default())?;
                let filters: Json = serde_json::from_str(query("filters").unwrap_or("[]")).unwrap_or_default();
                let rows =
                    self.matching(path.ends_with("spans"), query("project_name").unwrap_or_default(), &filters)?;
                let content: Vec<&Json> = rows.iter().take(1).collect();
                Ok(Answer::Json(json!({"page": 1, "size": content.len(), "total": rows.len(), "content": content})))
            }
            ("GET", path) => {
                let state = self.state();
                let id = path.rsplit('/').next().unwrap_or_default();
                let rows = if path.contains("/spans/") { &state.spans } else { &state.traces };
                let row = rows.iter().find(|row| row["id"] == id);
                row.map(|row| Answer::Json(row.clone())).ok_or_else(|| Refusal(404, format!("{id} is not there")))
            }
            (method, path) => wrong(format!("nothing answers {method} {path}")),
        }
    }

    fn project(&self, name: &str) -> Result<String, Refusal> {
        let state = self.state();
        let found = state.projects.iter().find(|(_, known)| known == name).map(|(id, _)| id.clone());
        found.ok_or_else(|| Refusal(404, format!("Project '{name}' not found")))
    }

    fn search(&self, request: &Request, spans: bool) -> Result<Answer, Refusal> {
        let wrong = |what: String| Err(Refusal(400, what));
        let Some(body) = request.body.as_object() else { return wrong("no body".to_owned()) };
        let known = ["project_name", "filters", "last_retrieved_id", "limit", "truncate", "exclude"];
        if let Some(odd) = body.keys().find(|key| !known.contains(&key.as_str())) {
            return wrong(format!("the member {odd}"));
        }
        let name = body.get("project_name").and_then(Json::as_str).unwrap_or_default();
        self.project(name)?;
        let Some(limit) = body.get("limit").and_then(Json::as_u64).filter(|limit| (1..=2000).contains(limit)) else {
            return wrong("limit is 1 to 2000".to_owned());
        };
        let cut = body.get("truncate") != Some(&Json::Bool(false)) || self.state().cuts;
        let exclude: Vec<&str> =
            body.get("exclude").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str).collect();
        if let Some(odd) = exclude.iter().find(|name| !EXCLUDABLE.contains(name)) {
            return wrong(format!("{odd} cannot be left out"));
        }
        let mut rows = self.matching(spans, name, body.get("filters").unwrap_or(&Json::Null))?;
        let id = |row: &Json| row["id"].as_str().unwrap_or_default().to_owned();
        rows.sort_by_key(|row| std::cmp::Reverse(id(row)));
        let after = body.get("last_retrieved_id").and_then(Json::as_str);
        let rows = rows.into_iter().filter(|row| after.is_none_or(|after| id(row).as_str() < after));
        let rows = rows.take(usize::try_from(limit).unwrap_or(1)).map(|mut row| {
            let Some(members) = row.as_object_mut() else { return row.to_string() };
            members.retain(|name, _| !exclude.contains(&name.as_str()));
            for name in ["input", "output"] {
                if let Some(value) = members.get_mut(name).filter(|value| cut && value.to_string().len() > CUT_TO) {
                    *value = value.to_string()[..CUT_TO].into();
                }
            }
            row.to_string()
        });
        Ok(Answer::Rows(rows.collect()))
    }

    /// The rows of a project that fulfil filters.
    fn matching(&self, spans: bool, project: &str, filters: &Json) -> Result<Vec<Json>, Refusal> {
        let state = self.state();
        let rows = if spans { &state.spans } else { &state.traces };
        let mut rows = if project == "demo" { rows.clone() } else { vec![] };
        for filter in filters.as_array().into_iter().flatten() {
            let members = filter.as_object().map(|members| members.iter().all(|(_, value)| value.is_string()));
            if members != Some(true) || filter.as_object().map(serde_json::Map::len) != Some(5) {
                return Err(Refusal(400, format!("a filter has five members that are text: {filter}")));
            }
            let text = |name: &str| filter[name].as_str().unwrap_or_default().to_lowercase();
            let (field, operator, value) = (text("field"), text("operator"), text("value"));
            let of_row = |row: &Json| row[field.as_str()].as_str().unwrap_or_default().to_lowercase();
            let time = |text: &str| chrono::DateTime::parse_from_rfc3339(text).ok();
            let holds: Box<dyn Fn(&Json) -> bool> = match (field.as_str(), operator.as_str(), text("type").as_str()) {
                ("start_time", ">=", "date_time") => Box::new(|row| time(&of_row(row)) >= time(&value)),
                ("start_time", "<", "date_time") => Box::new(|row| time(&of_row(row)) < time(&value)),
                ("name" | "id" | "trace_id" | "model", "=", "string") | ("type", "=", "enum") => {
                    Box::new(|row| of_row(row) == value)
                }
                ("input", "contains", "string") => {
                    Box::new(|row| row["input"].to_string().to_lowercase().contains(&value))
                }
                ("usage.total_tokens", ">", "number") => {
                    let bound: f64 = value.parse().unwrap_or(f64::NAN);
                    Box::new(move |row| row["usage"]["total_tokens"].as_f64().is_some_and(|tokens| tokens > bound))
                }
                ("error_info", "is_not_empty", "error_container") => Box::new(|row| row.get("error_info").is_some()),
                // Servers differ in what they filter by.
                _ => return Err(Refusal(422, format!("this filter is not known: {filter}"))),
            };
            rows.retain(|row| holds(row));
        }
        Ok(rows)
    }
}

enum Answer {
    Json(Json),
    Rows(Vec<String>),
}

fn whole(mut stream: &TcpStream, code: u16, headers: &[(&str, &str)], body: &str) -> std::io::Result<()> {
    let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {code} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n{more}\r\n{body}"
    )
}

fn read_request(reader: &mut impl BufRead) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (Some(method), Some(target)) = (words.next().map(str::to_owned), words.next().map(str::to_owned)) else {
        return Ok(None);
    };
    let mut headers: Vec<(String, String)> = vec![];
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        headers.push((name.trim().to_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let url = reqwest::Url::parse(&format!("http://standin{target}")).map_err(std::io::Error::other)?;
    let query = url.query_pairs().into_owned().collect();
    let path = url.path().to_owned();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    Ok(Some(Request { method, path, query, headers, body }))
}
