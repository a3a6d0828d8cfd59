//! A store that is served and pulled into another one: everything is there again, but for where it came from.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use spanql::model::ingest::{Origin, convert_batch};
use spanql::serve::Settings;
use spanql::sources::Window;
use spanql::store::Store;

use super::pull_support::{PROJECT, Puller, SECOND, empty, plaintext, remote, wire};
use super::pull_tls::{Authority, encrypted};
use super::serve_support::Running;
use super::support::{self, ALL_SESSIONS, BASE_TIME, Cell, Row, ask_text, assert_same, batch, demo, import, row};

const SPANS: &str = "SELECT * EXCEPT (source) FROM spans ORDER BY project, context.trace_id, context.span_id";

const TRACES: &str = "SELECT * EXCEPT (source) FROM traces ORDER BY project, trace_id";

async fn everything(store: &Store) -> String {
    let engine = support::engine(store.snapshot().await.unwrap()).await;
    let mut text = String::new();
    for sql in [SPANS, TRACES, ALL_SESSIONS] {
        text.push_str(&ask_text(&engine, sql).await.unwrap());
    }
    text
}

/// From the first span to the last.
async fn times(store: &Store) -> Window {
    let engine = support::engine(store.snapshot().await.unwrap()).await;
    let sql = "SELECT min(start_time) AS first, max(start_time) AS last FROM spans";
    let row = support::ask_rows(&engine, sql).await.unwrap().remove(0);
    Window { start: row["first"].parse().unwrap(), end: row["last"].parse::<i64>().unwrap() + 1 }
}

/// Pulls all projects of a store into another one, over TLS if there is an authority, in slices of about so many spans.
async fn round_trip(from: Arc<Store>, authority: Option<&Authority>, slice_rows: u64, what: &str) {
    let settings = authority.map_or_else(Settings::default, |authority| authority.settings("127.0.0.1", |_| {}));
    let server = Running::start(&from, settings).await;
    let port = server.ready.flight_port;
    let variables = match authority {
        Some(authority) => {
            [encrypted(port), vec![("ARIZE_SSL_CA_CERT", authority.file().display().to_string())]].concat()
        }
        None => plaintext(port),
    };
    let window = times(&from).await;
    let into = empty();
    for project in &server.ready.projects {
        let puller = Puller::new(remote(&variables)).sliced(slice_rows, 3).project(&project.name);
        let outcome = puller.pull(&into, window).await.unwrap();
        assert!(outcome.short.is_empty() && outcome.unfit.is_none(), "{what}: {outcome:?}");
    }
    assert_same(&everything(&into).await, &everything(&from).await, what);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn generated_spans_with_tls_and_without() {
    let store = empty();
    import(&store, &demo(7, 700)).await.unwrap();
    let authority = Authority::new("own");
    round_trip(Arc::clone(&store), Some(&authority), 150, "TLS").await;
    round_trip(store, None, 10_000, "plaintext").await;
}

/// Rows with everything that a span can have.
fn rich() -> Vec<Row> {
    let mut rows = Vec::new();
    for n in 0..40_i64 {
        let mut row = row(PROJECT, &format!("t{}", n / 4), &format!("s{n}"));
        let mut set = |name: &str, cell: Cell| drop(row.insert(name.to_owned(), cell));
        if n % 4 > 0 {
            set("parent_id", Cell::text(if n % 9 == 5 { "lost".to_owned() } else { format!("s{}", n - 1) }));
        }
        set("name", Cell::text(["", "a name", "\u{1F980} ünï\u{0}code\n", "x".repeat(3_000).as_str()][n as usize % 4]));
        set("start_time", Cell::Time(BASE_TIME + n * SECOND + n));
        if n % 5 > 0 {
            set("end_time", Cell::Time(BASE_TIME + n * SECOND + 3 * n + 1));
        }
        set("attributes.openinference.span.kind", Cell::text(["LLM", "CHAIN", "WEIRD kind", "TOOL"][n as usize % 4]));
        if n % 3 > 0 {
            set("status_code", Cell::text(["OK", "ERROR", "UNSET"][n as usize % 3]));
            set("status_message", Cell::text(["", "broke"][n as usize % 2]));
        }
        let event = "{\"name\": \"exception\", \"attributes\": {\"exception.type\": \"E\", \"a\":[1,{\"b\":null}]}}";
        set("events", Cell::text(format!("[{event},{{\"n\":{n}}}]")));
        set("attributes.input.value", Cell::text(["", "  blanks  ", "[1, 2]", "null"][n as usize % 4]));
        let messages = "{\"message.role\":\"user\",\"message.content\":\"a \\\"quoted\\\" \\u00e9 word\"}";
        set(
            "attributes.llm.input_messages",
            Cell::text(["[]".to_owned(), format!("[{messages},{messages}]")][n as usize % 2].clone()),
        );
        set("attributes.llm.tools", Cell::text("[{\"tool.json_schema\":\"{\\\"a\\\": 1}\"}]"));
        set("attributes.llm.invocation_parameters", Cell::text("{ \"temperature\" : 0.10 }"));
        set("attributes.llm.prompt_template.variables", Cell::text("{\"x\": [1, 2,3]}"));
        set("attributes.llm.token_count.prompt", Cell::Int(n));
        set("attributes.llm.cost.total", Cell::Float(0.1 * n as f64));
        set(
            "attributes.retrieval.documents",
            Cell::text("[{\"document.id\":\"1\",\"document.score\":0.50,\"document.metadata\":{\"k\":[ ]}}]"),
        );
        set(
            "attributes.embedding.embeddings",
            Cell::text("[{\"embedding.vector\":[0.1,-2e-7,3],\"embedding.text\":\"t\"}]"),
        );
        set("attributes.session.id", Cell::text(format!("session {}", n / 8)));
        set("attributes.user.id", Cell::text(format!("user {}", n % 3)));
        set("attributes.exception.escaped", Cell::Bool(n % 2 == 0));
        set(
            "attributes.metadata",
            Cell::text(
                ["{\"tier\": \"free\", \"n\": 1, \"deep\": {\"a\": [1, 2]}}", "{}", "{\"n\": 2.5}", "{\"tier\": true}"]
                    [n as usize % 4],
            ),
        );
        set("attributes.metadata.flat", Cell::Int(n));
        set("attributes.an int", Cell::Int(i64::MAX - n));
        set("attributes.a float", Cell::Float(if n == 7 { f64::INFINITY } else { 1.5e300 / (n + 1) as f64 }));
        set("attributes.a flag", Cell::Bool(n % 3 == 0));
        set("attributes.a text", Cell::text(format!("{n}")));
        set(
            "attributes.mixed",
            [Cell::Int(n), Cell::Float(0.5), Cell::Bool(true), Cell::text("text")][n as usize % 4].clone(),
        );
        set("eval.Answer Relevance.label", Cell::text("relevant"));
        set("eval.Answer Relevance.score", Cell::Float(n as f64 / 8.0));
        set("eval.Answer Relevance.explanation", Cell::text("because\tof it"));
        set("trace_eval.Q.score", Cell::Int(n));
        set("session_eval.Q.label", Cell::text("good"));
        set("annotation.quality.label", Cell::text("good"));
        set("annotation.quality.score", Cell::Float(1.0));
        set("annotation.quality.text", Cell::text(""));
        set("annotation.quality.updated_by", Cell::text("a@example.com"));
        set("annotation.quality.updated_at", Cell::Int(1_767_225_600_000 + n));
        set(
            "annotation.notes",
            Cell::text(
                ["[\"{\\\"text\\\": \\\"a note\\\"}\",\"plain\"]", "[]", "[{\"text\":1}]", "[\"\", null, 5]"]
                    [n as usize % 4],
            ),
        );
        rows.push(row);
    }
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_column() {
    let store = empty();
    let origin = Origin { source: "file", project: PROJECT.to_owned(), force_project: false };
    let converted = convert_batch(&wire(&rich()), &origin).unwrap();
    assert!(converted.bad.is_empty() && converted.moved.is_empty(), "{:?}", converted.moved);
    import(&store, &[converted.batch]).await.unwrap();
    round_trip(store, None, 7, "rich").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_keys() {
    let rows: Vec<Row> = (0..30_i64)
        .map(|n| {
            let mut row = row(PROJECT, &format!("t{n}"), &format!("s{n}"));
            row.insert("start_time".to_owned(), Cell::Time(BASE_TIME + n * SECOND));
            for key in n * 100..(n + 1) * 100 {
                let cell = [Cell::Int(key), Cell::text(format!("{key}")), Cell::Bool(true), Cell::Float(0.25)];
                row.insert(format!("attributes.key {key}"), cell[key as usize % 4].clone());
            }
            row
        })
        .collect();
    let store = empty();
    import(&store, &[batch(&rows)]).await.unwrap();
    round_trip(store, None, 10_000, "keys").await;
}

/// Where shared test data is, if it is.
fn shared() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    std::env::var_os("SPANQL_SHARED").map_or_else(beside, PathBuf::from)
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_spans() {
    let real = shared().join("data/real");
    let Ok(entries) = std::fs::read_dir(&real) else {
        println!("skipped: no directory {} (set SPANQL_SHARED to the shared data)", real.display());
        return;
    };
    let is_set = |path: &PathBuf| path.to_str().unwrap().ends_with(".spans.jsonl.gz");
    let files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(is_set).collect();
    assert!(!files.is_empty());
    for file in files {
        let dir = tempfile::TempDir::new().unwrap();
        support::succeed(support::spanql(dir.path()).args(["import", "--project", "real"]).arg(&file));
        let store = Arc::new(Store::open(&dir.path().display().to_string()).unwrap());
        round_trip(store, None, 10_000, &file.display().to_string()).await;
    }
}
