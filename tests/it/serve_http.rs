//! What a client of HTTP reads: listings by pages, the form of spans and traces, errors.

use std::sync::Arc;

use reqwest::{Client, Method};
use serde_json::{Value, json};
use spanql::model::columns;
use spanql::serve::Settings;
use spanql::store::Store;

use super::serve_support::{KEY, PROJECT, Running};
use super::support::{BASE_TIME, Cell, Row, batch, import, row};

/// A server and a client that shows its key.
struct Web {
    server: Running,
    client: Client,
    key: &'static str,
}

impl Web {
    async fn over(rows: &[Row]) -> Self {
        let store = Arc::new(Store::open("memory://").unwrap());
        if !rows.is_empty() {
            import(&store, &[batch(rows)]).await.unwrap();
        }
        Self { server: Running::with_key(&store).await, client: Client::new(), key: KEY }
    }

    async fn call(&self, method: Method, path: &str, body: Option<String>) -> (u16, String, Value) {
        let url = format!("http://127.0.0.1:{}{path}", self.server.ready.http_port);
        let mut request = self.client.request(method, url);
        if !self.key.is_empty() {
            request = request.bearer_auth(self.key);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let response = request.send().await.unwrap();
        let (status, kind) =
            (response.status().as_u16(), response.headers()["content-type"].to_str().unwrap().to_owned());
        let text = response.text().await.unwrap();
        assert!(!text.contains(KEY), "{text}");
        (status, kind, serde_json::from_str(&text).unwrap())
    }

    async fn get(&self, path: &str) -> Value {
        let (status, kind, body) = self.call(Method::GET, path, None).await;
        assert_eq!((status, kind.as_str()), (200, "application/json"), "{path}: {body}");
        body
    }

    /// The body of a request for the whole project, with changes.
    fn body(&self, changes: &Value) -> String {
        let mut body = json!({
            "project_id": self.server.ready.projects.first().map(|project| project.id.clone()),
            "start_time": "2000-01-01T00:00:00Z", "end_time": "2100-01-01T00:00:00+00:00",
        });
        for (name, value) in changes.as_object().unwrap() {
            body[name] = value.clone();
        }
        body.to_string()
    }

    async fn post(&self, path: &str, changes: Value) -> Value {
        let (status, kind, body) = self.call(Method::POST, path, Some(self.body(&changes))).await;
        assert_eq!((status, kind.as_str()), (200, "application/json"), "{path}: {body}");
        body
    }

    /// The status and detail of an error.
    async fn refused(&self, path: &str, changes: Value) -> (u16, String) {
        let (status, kind, body) = self.call(Method::POST, path, Some(self.body(&changes))).await;
        assert_eq!(kind, "application/problem+json", "{body}");
        assert_eq!(body["status"], status);
        assert!(body["title"].is_string() && body["type"].is_string(), "{body}");
        (status, body["detail"].as_str().unwrap().to_owned())
    }

    /// The entries of all pages, none of which is longer than asked for.
    async fn pages(&self, what: &str, limit: usize, changes: Value) -> Vec<Value> {
        let mut all = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.post(&format!("/v2/{what}?limit={limit}&cursor={cursor}"), changes.clone()).await;
            let entries = page[what].as_array().unwrap();
            assert!(entries.len() <= limit);
            all.extend(entries.iter().cloned());
            let next = page["pagination"]["next_cursor"].as_str();
            assert_eq!(page["pagination"]["has_more"], next.is_some());
            match next {
                Some(next) => cursor = next.to_owned(),
                None => return all,
            }
        }
    }
}

/// A span that starts so many seconds after the base time.
fn span(trace: &str, id: &str, parent: Option<&str>, second: i64) -> Row {
    let mut row = row(PROJECT, trace, id);
    row.insert(columns::NAME.to_owned(), Cell::text(format!("span {id}")));
    row.insert(columns::START_TIME.to_owned(), Cell::Time(BASE_TIME + second * 1_000_000_000));
    row.insert(columns::END_TIME.to_owned(), Cell::Time(BASE_TIME + second * 1_000_000_000 + 500_000_001));
    if let Some(parent) = parent {
        row.insert(columns::PARENT_ID.to_owned(), Cell::text(parent));
    }
    row
}

fn with(mut row: Row, cells: &[(&str, Cell)]) -> Row {
    row.extend(cells.iter().map(|(name, cell)| ((*name).to_owned(), cell.clone())));
    row
}

fn ids(spans: &[Value]) -> Vec<&str> {
    spans.iter().map(|span| span["context"]["span_id"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_spans_are_in_order_and_complete() {
    // Several start at once: then the ids decide.
    let rows: Vec<Row> = (0..23).map(|n| span(&format!("t{}", n % 3), &format!("s{n:02}"), None, n / 4)).collect();
    let web = Web::over(&rows).await;
    let mut expected: Vec<(i64, String, String)> =
        (0..23).map(|n| (-(n / 4), format!("t{}", n % 3), format!("s{n:02}"))).collect();
    expected.sort();
    let expected: Vec<&str> = expected.iter().map(|(_, _, id)| id.as_str()).collect();
    for limit in [1, 5, 23, 500] {
        let spans = web.pages("spans", limit, json!({})).await;
        assert_eq!(ids(&spans), expected, "pages of {limit}");
    }
    let time = |second: i64| chrono::DateTime::from_timestamp_nanos(BASE_TIME + second * 1_000_000_000).to_rfc3339();
    let part = web.pages("spans", 3, json!({"start_time": time(1), "end_time": time(3)})).await;
    assert_eq!(part.len(), 8, "the start is inside, the end is not");
    let page = web.post("/v2/spans?limit=4", json!({})).await;
    let cursor = page["pagination"]["next_cursor"].as_str().unwrap();
    for change in [json!({"start_time": "2001-01-01T00:00:00Z"}), json!({"excluded_columns": ["x"]})] {
        let (status, detail) = web.refused(&format!("/v2/spans?cursor={cursor}"), change).await;
        assert_eq!(status, 400, "{detail}");
        assert!(detail.contains("cursor"), "{detail}");
    }
    assert_eq!(web.refused("/v2/spans?cursor=Mw", json!({})).await.0, 400);
    assert_eq!(web.refused(&format!("/v2/traces?cursor={cursor}"), json!({})).await.0, 400);
    let same = web.post(&format!("/v2/spans?limit=9&cursor={cursor}"), json!({})).await;
    assert_eq!(ids(same["spans"].as_array().unwrap()), expected[4..13], "the limit may change");
}

/// A span with something in every part of its form.
fn rich() -> Row {
    with(
        span("t", "s", Some("p"), 0),
        &[
            (columns::KIND, Cell::text("LLM")),
            (columns::STATUS_CODE, Cell::text("ERROR")),
            (columns::STATUS_MESSAGE, Cell::text("boom, at some length")),
            (columns::INPUT, Cell::text("größere Eingabe")),
            ("attributes.llm.input_messages", Cell::text(r#"[{"message.role": "user"},null]"#)),
            ("attributes.metadata", Cell::text(r#"{"tier": "free", "deep": {"list": ["abcdefgh", 1.50]}}"#)),
            ("attributes.llm.invocation_parameters", Cell::text(r#"{"temperature": 0}"#)),
            ("attributes.custom.n", Cell::Int(5)),
            ("attributes.custom.flag", Cell::Bool(true)),
            ("eval.Correctness.label", Cell::text("incorrect")),
            ("eval.Correctness.score", Cell::Float(0.5)),
            ("annotation.Quality.label", Cell::text("good")),
            ("annotation.Quality.updated_at", Cell::Int(1_767_225_600_000)),
            ("annotation.Quality.updated_by", Cell::text("a@example.com")),
            ("events", Cell::text(r#"[{"name":"exception","timestamp":"2026-01-01T00:00:00Z","attributes":{"n":1}}]"#)),
        ],
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_span_has_its_nested_form() {
    let plain = with(
        span("t2", "s2", None, 5),
        &[(columns::KIND, Cell::text("ODD")), (columns::STATUS_CODE, Cell::text("Fine"))],
    );
    let web = Web::over(&[rich(), plain]).await;
    let spans = web.pages("spans", 50, json!({})).await;
    let expected = json!({
        "name": "span s", "context": {"trace_id": "t", "span_id": "s"}, "kind": "LLM", "parent_id": "p",
        "start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T00:00:00.500000001Z", "latency_ms": 500.000001,
        "status_code": "ERROR", "status_message": "boom, at some length",
        "attributes": {
            "openinference.span.kind": "LLM", "input.value": "größere Eingabe",
            "llm.input_messages": [r#"{"message.role": "user"}"#, null],
            "metadata": {"tier": "free", "deep": {"list": ["abcdefgh", 1.5]}},
            "llm.invocation_parameters": r#"{"temperature": 0}"#, "custom.n": 5, "custom.flag": true,
        },
        "annotations": [{
            "name": "Quality", "label": "good", "updated_at": "2026-01-01T00:00:00Z",
            "annotator": {"email": "a@example.com"},
        }],
        "trace_annotations": [],
        "evaluations": [{"name": "Correctness", "label": "incorrect", "score": 0.5}],
        "events": [{"name": "exception", "timestamp": "2026-01-01T00:00:00Z", "attributes": {"n": 1}}],
    });
    assert_eq!(spans[1], expected);
    assert_eq!(spans[0]["kind"], "UNKNOWN");
    assert_eq!(spans[0]["attributes"]["openinference.span.kind"], "ODD");
    assert_eq!(spans[0].get("status_code"), None);
    assert_eq!(spans[0].get("parent_id"), None, "a root has none, not an empty one");
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_are_chosen_and_texts_cut() {
    let web = Web::over(&[rich()]).await;
    let attributes = |span: &Value| span["attributes"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let named = json!({"included_columns": ["attributes.custom.n", "eval.Correctness.score", "attributes.metadata.tier", "nothing"]});
    let span = &web.pages("spans", 50, named).await[0];
    assert_eq!(attributes(span), ["custom.n", "metadata.tier"]);
    assert_eq!(span["evaluations"], json!([{"name": "Correctness", "score": 0.5}]));
    assert_eq!((&span["annotations"], &span["name"], &span["kind"]), (&json!([]), &json!("span s"), &json!("LLM")));
    let without = json!({"excluded_columns": ["attributes.metadata", "eval.Correctness.label", "name"]});
    let span = &web.pages("spans", 50, without).await[0];
    assert!(!attributes(span).contains(&"metadata".to_owned()) && attributes(span).contains(&"custom.n".to_owned()));
    assert_eq!(span["evaluations"], json!([{"name": "Correctness", "score": 0.5}]));
    assert_eq!(span["name"], "span s", "fixed fields stay");

    let span = &web.pages("spans", 50, json!({"truncate_string_length": 4})).await[0];
    assert_eq!(span["attributes"]["input.value"], "grö…");
    assert_eq!(span["attributes"]["metadata"]["deep"]["list"], json!(["abc…", 1.5]));
    assert_eq!(span["attributes"]["llm.input_messages"], json!(["{\"m…", null]));
    assert_eq!(span["attributes"]["openinference.span.kind"], "LLM");
    assert_eq!(span["status_message"], "boom, at some length", "only attributes are cut");
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_come_whole_by_their_roots() {
    let rows = [
        // Its root starts late, but is the earliest span without a parent.
        span("a", "a1", None, 10),
        span("a", "a2", Some("a1"), 1),
        span("a", "a3", None, 20),
        // No root: the earliest orphan speaks for it.
        span("b", "b2", Some("gone"), 6),
        span("b", "b1", Some("gone"), 7),
        span("c", "c1", None, 3),
    ];
    let web = Web::over(&rows).await;
    for limit in [1, 2, 50] {
        let traces = web.pages("traces", limit, json!({})).await;
        let roots: Vec<&str> = traces.iter().map(|trace| trace["root_span_id"].as_str().unwrap()).collect();
        assert_eq!(roots, ["a1", "b2", "c1"], "the newest root first, one entry a trace");
        assert_eq!(ids(traces[0]["spans"].as_array().unwrap()), ["a1", "a2", "a3"]);
        assert_eq!((&traces[0]["trace_id"], &traces[0]["spans_truncated"]), (&json!("a"), &json!(false)));
        assert_eq!(traces[0]["start_time"], "2026-01-01T00:00:01Z");
        assert_eq!(traces[0]["end_time"], "2026-01-01T00:00:20.500000001Z");
    }
    let time = |second: i64| chrono::DateTime::from_timestamp_nanos(BASE_TIME + second * 1_000_000_000).to_rfc3339();
    let part = web.pages("traces", 50, json!({"start_time": time(1), "end_time": time(2)})).await;
    assert_eq!(part.len(), 1);
    assert_eq!(part[0]["spans"].as_array().unwrap().len(), 3, "all spans of a trace with one in the window");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_big_trace_is_cut_and_keeps_its_root() {
    let mut rows: Vec<Row> = (0..1_100).map(|n| span("big", &format!("s{n:04}"), Some("root"), n)).collect();
    rows.push(span("big", "root", None, 5_000));
    rows.push(span("small", "s", None, 0));
    let web = Web::over(&rows).await;
    let traces = web.pages("traces", 50, json!({"included_columns": ["attributes.x"]})).await;
    assert_eq!(traces[0]["spans_truncated"], true);
    let spans = traces[0]["spans"].as_array().unwrap();
    assert_eq!(spans.len(), 1_000);
    assert_eq!(ids(&spans[..3]), ["root", "s0000", "s0001"]);
    assert_eq!((&traces[1]["trace_id"], &traces[1]["spans_truncated"]), (&json!("small"), &json!(false)));
}

#[tokio::test(flavor = "multi_thread")]
async fn projects_and_spaces_are_listed() {
    let rows: Vec<Row> = ["Alpha", "beta", "alphabet", "größe 1"].map(|project| row(project, "t", "s")).to_vec();
    let web = Web::over(&rows).await;
    let names = |body: &Value| {
        let projects = body["projects"].as_array().unwrap().iter();
        projects.map(|project| project["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&web.get("/v2/projects").await), ["Alpha", "alphabet", "beta", "größe 1"]);
    assert_eq!(names(&web.get("/v2/projects?name=ALPHA").await), ["Alpha", "alphabet"]);
    assert_eq!(names(&web.get("/v2/projects?name=gr%C3%B6%C3%9Fe").await), ["größe 1"]);
    assert_eq!(names(&web.get("/v2/projects?space_name=SPAN").await).len(), 4);
    assert_eq!(names(&web.get("/v2/projects?space_name=other").await).len(), 0);
    let space = web.server.ready.space_id.replace('=', "%3D");
    let first = web.get(&format!("/v2/projects?limit=3&space_id={space}")).await;
    assert_eq!((names(&first).len(), &first["pagination"]["has_more"]), (3, &json!(true)));
    let cursor = first["pagination"]["next_cursor"].as_str().unwrap();
    let second = web.get(&format!("/v2/projects?limit=3&space_id={space}&cursor={cursor}")).await;
    assert_eq!((names(&second), &second["pagination"]), (vec!["größe 1".to_owned()], &json!({"has_more": false})));
    let known: Vec<_> = web.server.ready.projects.iter().map(|project| &project.id).collect();
    let listed = web.get("/v2/projects").await;
    for (project, id) in listed["projects"].as_array().unwrap().iter().zip(known) {
        assert_eq!((&project["id"], &project["space_id"]), (&json!(id), &json!(web.server.ready.space_id)));
    }
    let spaces = web.get("/v2/spaces?limit=15").await;
    assert_eq!(spaces["spaces"][0]["id"], json!(web.server.ready.space_id));
    assert_eq!(web.get("/v2/spaces?name=nothing").await["spaces"], json!([]));
    for path in ["/v2/projects?limit=101", "/v2/projects?limit=0", "/v2/spaces?limit=x"] {
        assert_eq!(web.call(Method::GET, path, None).await.0, 422, "{path}");
    }
    assert_eq!(web.call(Method::GET, "/v2/projects?space_id=x", None).await.0, 404);
    let empty = Web::over(&[]).await;
    assert_eq!(empty.get("/v2/projects").await["projects"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_answered_is_a_problem() {
    let mut web = Web::over(&[rich()]).await;
    let unknown = "TW9kZWw6OTk5OTk5OTk6bm9wZQ==";
    for (path, change, status, word) in [
        ("/v2/spans", json!({"project_id": unknown}), 404, "project"),
        ("/v2/traces", json!({"project_id": unknown}), 404, "project"),
        ("/v2/spans", json!({"project_id": null}), 400, "project_id"),
        ("/v2/spans", json!({"filter": "  "}), 400, "blank"),
        ("/v2/traces", json!({"filter": "nmae = 'x'"}), 400, "did you mean name?"),
        ("/v2/spans", json!({"start_time": "soon"}), 400, "start_time"),
        ("/v2/spans", json!({"end_time": "1999-01-01T00:00:00Z"}), 400, "before"),
        ("/v2/spans", json!({"start_time": 5}), 400, "JSON"),
        ("/v2/spans", json!({"included_columns": ["a"], "excluded_columns": ["a"]}), 422, "exclude each other"),
        ("/v2/spans", json!({"included_columns": []}), 422, "columns"),
        ("/v2/spans", json!({"truncate_string_length": 0}), 422, "truncate"),
        ("/v2/spans?limit=501", json!({}), 422, "500"),
        ("/v2/traces?limit=51", json!({}), 422, "50"),
        ("/v2/nothing", json!({}), 404, "nothing"),
        ("/v2/projects", json!({}), 405, "method"),
    ] {
        let (found, detail) = web.refused(path, change.clone()).await;
        assert_eq!(found, status, "{path} {change}: {detail}");
        assert!(detail.contains(word), "{path} {change}: {detail}");
    }
    let long = " ".repeat((1 << 20) + 1);
    assert_eq!(web.call(Method::POST, "/v2/spans", Some(long)).await.0, 413);
    assert_eq!(web.call(Method::POST, "/v2/spans", Some("{".to_owned())).await.0, 400);
    for key in ["", "another", "key-of-the-test"] {
        web.key = key;
        for path in ["/v2/spaces", "/v2/projects", "/v2/nothing"] {
            let (status, kind, _) = web.call(Method::GET, path, None).await;
            assert_eq!((status, kind.as_str()), (401, "application/problem+json"), "{path} with {key:?}");
        }
    }
    let store = Arc::new(Store::open("memory://").unwrap());
    let open = Web { server: Running::start(&store, Settings::default()).await, client: Client::new(), key: "any" };
    assert_eq!(open.get("/v2/spaces").await["spaces"].as_array().unwrap().len(), 1, "without a token any key will do");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_week_is_what_is_meant_without_a_window() {
    let now = chrono::Utc::now().timestamp_nanos_opt().unwrap();
    let day = 86_400_000_000_000;
    let at = |id: &str, start: i64| {
        let mut row = row(PROJECT, "t", id);
        row.insert(columns::START_TIME.to_owned(), Cell::Time(start));
        row
    };
    let web =
        Web::over(&[at("old", now - 8 * day), at("new", now - 6 * day), at("newer", now - day), at("next", now + day)])
            .await;
    let whole = json!({"start_time": null, "end_time": null});
    // The window of the first page is that of all: one that ends now would move.
    assert_eq!(ids(&web.pages("spans", 1, whole).await), ["newer", "new"]);
}
