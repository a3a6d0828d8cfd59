//! `spanql serve` as a process: what it prints, how it ends, what it refuses.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::support::{spanql, stderr};

const TOKEN: &str = "token-of-the-process";

/// A server process, killed when the test ends.
pub(super) struct Process {
    child: Child,
    pub(super) ready: Value,
}

impl Process {
    pub(super) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"));
        Self { child, ready }
    }

    /// What it says besides its addresses.
    pub(super) fn stderr(&mut self) -> impl Read {
        self.child.stderr.take().unwrap()
    }

    /// Sends a signal, and gives the exit code and what was written to stderr.
    fn end(mut self, signal: &str) -> (Option<i32>, String) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(began.elapsed() < Duration::from_secs(10), "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        };
        let mut text = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        (status.code(), text)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(super) fn serve(store: &Path) -> Command {
    let mut command = spanql(store);
    command.arg("serve").env_remove("SPANQL_SERVE_TOKEN");
    command
}

fn filled(dir: &Path) -> std::path::PathBuf {
    let file = dir.join("spans.jsonl");
    let line = r#"{"context.trace_id":"t","context.span_id":"s","name":"n","start_time":"2026-01-01T00:00:00Z"}"#;
    std::fs::write(&file, line).unwrap();
    let store = dir.join("store");
    let done = spanql(&store).arg("import").arg(&file).args(["--as", "p\u{202e}ä"]).output().unwrap();
    assert!(done.status.success(), "{}", stderr(&done));
    store
}

#[test]
fn it_says_where_it_is_and_ends_when_asked() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path());
    let mut command = serve(&store);
    command.arg("-v").env("SPANQL_SERVE_TOKEN", TOKEN);
    let process = Process::start(command);
    let ready = &process.ready;
    assert_eq!(ready["flight"], format!("grpc://127.0.0.1:{}", ready["flight_port"]));
    assert_eq!(ready["http"], format!("http://127.0.0.1:{}", ready["http_port"]));
    assert_eq!(ready["projects"][0]["name"], "p\u{202e}ä");
    let keys: Vec<&String> = ready.as_object().unwrap().keys().collect();
    assert_eq!(keys.len(), 6, "{keys:?}");

    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let client = reqwest::Client::new();
        let http = ready["http"].as_str().unwrap();
        for (key, expected) in [(TOKEN, 200), ("wrong-key-shown", 401)] {
            let response = client.get(format!("{http}/v2/projects")).bearer_auth(key).send().await.unwrap();
            assert_eq!(response.status(), expected);
        }
        let body = serde_json::json!({"project_id": ready["projects"][0]["id"], "start_time": "2026-01-01T00:00:00Z"});
        let request = client.post(format!("{http}/v2/spans")).bearer_auth(TOKEN).body(body.to_string());
        assert_eq!(request.send().await.unwrap().status(), 200);
    });
    let (code, log) = process.end("-TERM");
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("POST /v2/spans") && log.contains("1 spans: 200"), "{log}");
    assert!(!log.contains(TOKEN) && !log.contains("wrong-key-shown"), "{log}");
    assert!(!log.contains('\u{202e}'), "{log}");
}

#[test]
fn ctrl_c_ends_it_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let process = Process::start(serve(&dir.path().join("store")));
    assert_eq!(process.ready["projects"], serde_json::json!([]), "an empty store is no error");
    let began = Instant::now();
    let (code, text) = process.end("-INT");
    assert_eq!(code, Some(130), "{text}");
    assert!(began.elapsed() < Duration::from_secs(2));
    assert!(text.contains("holds no spans yet"), "{text}");
}

#[test]
fn wrong_settings_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path());
    for (arguments, code, words) in [
        (vec!["--host", "0.0.0.0"], 2, "token"),
        (vec!["--token", " "], 2, "blank"),
        (vec!["--tls-cert", "cert.pem"], 2, "--tls-key"),
        (vec!["--at-version", "1"], 2, "newest"),
        (vec!["--tls-cert", "no-cert.pem", "--tls-key", "no-key.pem"], 1, "no-cert.pem"),
        (vec!["--host", "no such host"], 1, "no such host"),
    ] {
        let done = serve(&store).args(&arguments).output().unwrap();
        assert_eq!(done.status.code(), Some(code), "{arguments:?}: {}", stderr(&done));
        assert!(stderr(&done).contains(words), "{arguments:?}: {}", stderr(&done));
        assert!(done.stdout.is_empty());
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let done = serve(&store).args(["--http-port", &port]).output().unwrap();
    assert_eq!(done.status.code(), Some(1));
    assert!(stderr(&done).contains(&format!("127.0.0.1:{port}")), "{}", stderr(&done));
}

#[cfg(target_os = "linux")]
#[test]
fn exporters_are_told_where_to_send() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    // Other servers of this machine listen at 127.0.0.1.
    let host = "127.0.43.17";
    let serve_otlp = || {
        let mut command = serve(&store);
        command.args(["--otlp", "--host", host]).env("SPANQL_SERVE_TOKEN", TOKEN);
        command
    };
    let process = Process::start(serve_otlp());
    let (grpc, http) = (format!("http://{host}:4317"), format!("http://{host}:4318"));
    assert_eq!(process.ready["otlp"], serde_json::json!({"grpc": grpc, "http": http}));
    // A second one finds the ports taken, and says which.
    let second = serve_otlp().output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(stderr(&second).contains(&format!("{host}:4317")), "{}", stderr(&second));

    let span = |id: &str| {
        let span = serde_json::json!({"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": id, "name": "n",
            "startTimeUnixNano": "1790000000000000000", "endTimeUnixNano": "1790000001000000000"});
        serde_json::json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).to_string()
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let own = process.ready["http"].as_str().unwrap();
        for (url, id) in [(http.as_str(), "b7ad6b7169203331"), (own, "b7ad6b7169203332")] {
            let request = client.post(format!("{url}/v1/traces")).header("content-type", "application/json");
            let response = request.bearer_auth(TOKEN).body(span(id)).send().await.unwrap();
            assert_eq!(response.status(), 200, "{url}");
        }
        let endpoint = tonic::transport::Endpoint::from_shared(grpc.clone()).unwrap();
        endpoint.connect().await.unwrap();
    });
    let (code, said) = process.end("-TERM");
    assert_eq!(code, Some(0), "{said}");
    for line in [
        format!("OTEL_EXPORTER_OTLP_ENDPOINT={http}"),
        "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf".to_owned(),
        "OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20<the token that may write>".to_owned(),
    ] {
        assert!(said.lines().any(|said| said.trim() == line), "{line}: {said}");
    }
    assert!(!said.contains(TOKEN), "{said}");
    let sql = "SELECT source, count(*) AS n FROM spans GROUP BY source";
    let found = spanql(&store).args(["-q", "query", sql, "-o", "csv"]).output().unwrap();
    assert_eq!(String::from_utf8(found.stdout).unwrap(), "source,n\notlp,2\n");
}
