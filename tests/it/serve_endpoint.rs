//! What `spanql serve` prints is all that another spanql needs to know.

use std::io::{BufRead, BufReader};
use std::path::Path;

use crate::serve_process::{Process, serve};
use crate::support::{fail, spanql, stderr, succeed};

const TOKEN: &str = "token-of-the-endpoint";
const COUNT: &str = "SELECT count(*) AS n, count(DISTINCT trace_id) AS traces, sum(total_tokens) AS tokens FROM";

fn filled(dir: &Path) -> std::path::PathBuf {
    let store = dir.join("store");
    succeed(spanql(&store).args(["-q", "demo", "--spans", "400", "--keep"]).arg(&store));
    store
}

/// Pulls a project and asks for it live, with nothing but a URL and these variables; compares with the store itself.
fn check(from: &Path, url: &str, variables: &[(&str, &str)]) {
    let dir = tempfile::tempdir().unwrap();
    let into = dir.path().join("into");
    let copy = || {
        let mut command = spanql(&into);
        command.current_dir(dir.path()).env("HOME", dir.path()).envs(variables.iter().copied());
        command
    };
    let expected = succeed(spanql(from).args(["query", &format!("{COUNT} spans WHERE project = 'support-agent'")]));
    succeed(copy().args(["-q", "pull", "arize", "support-agent", "--days", "3650", "--endpoint", url]));
    assert_eq!(succeed(copy().args(["query", &format!("{COUNT} spans")])), expected, "pulled from {url}");
    let live = format!("{COUNT} arize.\"support-agent\" WHERE start_time > '2000-01-01'");
    assert_eq!(succeed(copy().args(["-q", "query", &live, "--endpoint", url])), expected, "asked live at {url}");
    let projects = succeed(copy().args(["projects", "arize", "--endpoint", url, "-o", "csv"]));
    assert!(projects.contains("support-agent"), "{projects}");
}

#[test]
fn one_url_is_enough() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path());
    let server = Process::start(serve(&store));
    let (flight, http) = (server.ready["flight"].as_str().unwrap(), server.ready["http"].as_str().unwrap());
    // Settings that are there are of another server, and so is the space.
    check(&store, flight, &[("ARIZE_REGION", "eu-west-1a"), ("ARIZE_SPACE_ID", "elsewhere"), ("ARIZE_API_KEY", "any")]);
    check(&store, flight, &[]);
    let live = format!("{COUNT} arize.\"support-agent\" WHERE start_time > '2000-01-01'");
    let mut over_rest = spanql(&dir.path().join("none"));
    succeed(over_rest.args(["-q", "query", &live, "--endpoint", http]));
}

#[test]
fn a_key_and_a_certificate_come_from_the_environment() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path());
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let mut command = serve(&store);
    command.args(["--host", "localhost", "--token", TOKEN, "--tls-cert"]).arg(&cert).arg("--tls-key").arg(&key);
    let server = Process::start(command);
    let url = server.ready["flight"].as_str().unwrap();
    assert!(url.starts_with("grpc+tls://localhost:"), "{url}");
    let trusted = [("ARIZE_API_KEY", TOKEN), ("ARIZE_SSL_CA_CERT", cert.to_str().unwrap())];
    check(&store, url, &trusted);
    check(&store, &url.replace("grpc+tls", "grpcs"), &trusted);
    let done = spanql(&dir.path().join("none"))
        .args(["projects", "arize", "--endpoint", url])
        .env("ARIZE_SSL_CA_CERT", &cert)
        .output();
    let done = done.unwrap();
    assert!(!done.status.success() && !stderr(&done).contains(TOKEN), "{}", stderr(&done));
}

#[test]
fn clients_of_arize_are_told_their_variables() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path());
    let mut server = Process::start(serve(&store));
    let mut lines = BufReader::new(server.stderr()).lines().map_while(Result::ok);
    let first = lines.by_ref().find(|line| line.contains("Arize's clients")).unwrap();
    assert!(first.starts_with("note: "), "{first}");
    let found: Vec<String> = lines.take(7).map(|line| line.trim().to_owned()).collect();
    let (flight, http) = (server.ready["flight_port"].to_string(), server.ready["http_port"].to_string());
    let expected = [
        "ARIZE_FLIGHT_HOST=127.0.0.1".to_owned(),
        format!("ARIZE_FLIGHT_PORT={flight}"),
        "ARIZE_FLIGHT_SCHEME=grpc+tcp".to_owned(),
        "ARIZE_API_HOST=127.0.0.1".to_owned(),
        format!("ARIZE_API_PORT={http}"),
        "ARIZE_API_SCHEME=http".to_owned(),
        "ARIZE_API_KEY=any".to_owned(),
    ];
    assert_eq!(found, expected);
}

#[test]
fn what_is_pulled_is_redacted_with_the_key_of_this_machine() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let file = dir.path().join("a.jsonl");
    let span = r#"{"trace_id":"t","span_id":"s","name":"n","start_time":"2026-11-01T00:00:00Z","attributes.input.value":"to ada@example.org"}"#;
    std::fs::write(&file, span).unwrap();
    succeed(spanql(&store).args(["-q", "--project", "shop", "import"]).arg(&file));
    let server = Process::start(serve(&store));
    let url = server.ready["flight"].as_str().unwrap();
    let into = dir.path().join("into");
    let copy = || {
        let mut command = spanql(&into);
        command.current_dir(dir.path()).env("HOME", dir.path()).env("XDG_CONFIG_HOME", dir.path().join("config"));
        command
    };
    succeed(copy().args(["-q", "--redact", "pull", "arize", "shop", "--days", "3650", "--endpoint", url]));
    let pulled = succeed(copy().args(["-q", "query", "SELECT input FROM spans", "-o", "csv"]));
    assert!(pulled.starts_with("input\nto [email-") && !pulled.contains("ada"), "{pulled}");
    let asked = succeed(
        spanql(&store)
            .args(["-q", "--redact", "query", "SELECT input FROM spans", "-o", "csv"])
            .env("HOME", dir.path())
            .env("XDG_CONFIG_HOME", dir.path().join("config")),
    );
    assert_eq!(asked, pulled, "one key for all");
}

#[test]
fn what_is_no_address_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for (url, words) in [
        ("127.0.0.1:4711", "grpc://127.0.0.1:4711"),
        ("ftp://host", "grpc://"),
        ("grpc://me:secret-of-mine@host", "ARIZE_API_KEY"),
    ] {
        let done = spanql(&dir.path().join("none")).args(["projects", "arize", "--endpoint", url]).output().unwrap();
        let text = stderr(&done);
        assert_eq!(done.status.code(), Some(2), "{url}: {text}");
        assert!(text.contains(words), "{url}: {text}");
    }
}

/// Texts that nothing makes smaller.
fn incompressible(seed: u64, length: usize) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'0' + (state % 64) as u8)
    };
    std::iter::repeat_with(&mut next).filter(|c| *c != '\\').take(length).collect()
}

#[test]
fn the_oldest_go_when_what_is_followed_takes_more_than_its_budget() {
    const TRACES: u64 = 24;
    let dir = tempfile::tempdir().unwrap();
    let (from, into) = (dir.path().join("from"), dir.path().join("into"));
    let spans = (0..TRACES).map(|n| {
        let text = incompressible(n + 1, 1 << 20);
        let start = format!("2026-01-{:02}T00:00:00Z", n + 1);
        let end = format!("2026-01-{:02}T00:00:01Z", n + 1);
        serde_json::json!({"context.trace_id": format!("t{n:02}"), "context.span_id": "s", "name": "n",
            "start_time": start, "end_time": end, "attributes.input.value": text})
        .to_string()
            + "\n"
    });
    let file = dir.path().join("spans.jsonl");
    std::fs::write(&file, spans.collect::<String>()).unwrap();
    succeed(spanql(&from).args(["-q", "import", "--as", "p"]).arg(&file));
    let server = Process::start(serve(&from));
    let url = server.ready["flight"].as_str().unwrap();
    succeed(spanql(&into).args(["-q", "pull", "arize", "p", "--days", "3650", "--endpoint", url]));
    let mut pull = spanql(&into);
    pull.args(["pull", "arize", "p", "--follow", "--max-store-size", "16MiB", "--endpoint", url]);
    let mut pull = pull.stderr(std::process::Stdio::piped()).stdout(std::process::Stdio::null()).spawn().unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    let lines = BufReader::new(pull.stderr.take().unwrap()).lines();
    let listening = std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            // Nobody waits any more once it was said.
            drop(tell.send(line));
        }
    });
    let mut said = String::new();
    while !said.contains("the store took more than") {
        let Ok(line) = told.recv_timeout(std::time::Duration::from_secs(60)) else { break };
        said += &line;
        said.push('\n');
    }
    pull.kill().unwrap();
    pull.wait().unwrap();
    listening.join().unwrap();
    assert!(said.contains("the store took more than 16.00 MiB"), "{said}");
    let left = succeed(spanql(&into).args(["query", "-o", "csv", "SELECT trace_id FROM traces ORDER BY 1"]));
    let left: Vec<&str> = left.lines().skip(1).collect();
    // What is left are the newest, and not all.
    let all: Vec<String> = (0..TRACES).map(|n| format!("t{n:02}")).collect();
    assert!(!left.is_empty() && left.len() < all.len(), "{left:?}");
    assert_eq!(left, all[all.len() - left.len()..], "{said}");
}

#[test]
fn nobody_at_a_url_is_said_of_the_url() {
    let dir = tempfile::tempdir().unwrap();
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let ask = |url: String, arguments: Vec<&str>| {
        let mut command = spanql(&dir.path().join("none"));
        let said = fail(command.current_dir(dir.path()).args(&arguments).args(["--endpoint", &url]));
        assert!(said.contains("--endpoint") && said.contains(&format!("127.0.0.1:{port}")), "{arguments:?}: {said}");
        assert!(!["ARIZE_", "OPIK_", "PHOENIX_"].iter().any(|name| said.contains(name)), "{arguments:?}: {said}");
    };
    let ask = &ask;
    // Each waits between its attempts.
    std::thread::scope(|scope| {
        for (scheme, arguments) in [
            ("grpc", vec!["pull", "arize", "p", "--days", "1"]),
            ("http", vec!["projects", "arize"]),
            ("http", vec!["projects", "opik"]),
            ("grpc", vec!["query", "SELECT 1 FROM arize.p"]),
        ] {
            scope.spawn(move || ask(format!("{scheme}://127.0.0.1:{port}"), arguments));
        }
    });
}
