//! `spans list --from`, `spans export --from`, `traces export --from`: a remote answers as the store behind it does.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::serve_process::{Process, serve};
use super::support::{spanql, stderr};

const KEY: &str = "key-of-the-export";
/// Everything that the demo makes is later.
const ALL: [&str; 2] = ["--start-time", "2020-01-01"];

/// A store of made-up spans, and a server of it.
struct Remote {
    store: PathBuf,
    project: String,
    server: Process,
    empty: PathBuf,
}

impl Remote {
    fn start(dir: &Path) -> Self {
        let store = dir.join("store");
        let mut demo = spanql(&dir.join("unused"));
        let done = demo.args(["-q", "demo", "--spans", "3000", "--keep"]).arg(&store).output().unwrap();
        assert!(done.status.success(), "{}", stderr(&done));
        let mut command = serve(&store);
        command.args(["--token", KEY]);
        let server = Process::start(command);
        let project = server.ready["projects"][0]["name"].as_str().unwrap().to_owned();
        Self { store, project, server, empty: dir.join("empty") }
    }

    /// A command over the store.
    fn of_store(&self, arguments: &[&str]) -> Command {
        let mut command = spanql(&self.store);
        command.args(["-q", "--project", &self.project]).args(arguments).args(ALL);
        command
    }

    /// The same command over the server.
    fn live(&self, arguments: &[&str]) -> Command {
        let mut command = spanql(&self.empty);
        let ready = &self.server.ready;
        command
            .env("ARIZE_API_KEY", KEY)
            .env("ARIZE_SPACE_ID", ready["space_id"].as_str().unwrap())
            .env("ARIZE_FLIGHT_HOST", "127.0.0.1")
            .env("ARIZE_FLIGHT_PORT", ready["flight_port"].to_string())
            .env("ARIZE_FLIGHT_SCHEME", "grpc")
            .env("ARIZE_API_HOST", format!("127.0.0.1:{}", ready["http_port"]))
            .env("ARIZE_API_SCHEME", "http");
        command.args(arguments).args(["--from", &format!("arize.{}", self.project)]).args(ALL);
        command
    }
}

/// The rows of JSON lines, and what was said.
fn rows(mut command: Command) -> (Vec<Value>, String) {
    let done = command.args(["-o", "jsonl"]).output().unwrap();
    assert!(done.status.success(), "{command:?}: {}", stderr(&done));
    let text = String::from_utf8(done.stdout.clone()).unwrap();
    (text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), stderr(&done))
}

/// What identifies the spans, in order.
fn ids(rows: &[Value]) -> Vec<(String, String)> {
    let id = |row: &Value, name: &str| {
        let long = row.get(format!("context.{name}"));
        long.or_else(|| row.get(name)).and_then(Value::as_str).unwrap().to_owned()
    };
    rows.iter().map(|row| (id(row, "trace_id"), id(row, "span_id"))).collect()
}

fn set<T: Ord>(rows: Vec<T>) -> BTreeSet<T> {
    rows.into_iter().collect()
}

#[test]
fn a_remote_exports_what_its_store_exports() {
    let dir = tempfile::tempdir().unwrap();
    let remote = Remote::start(dir.path());
    let (sessions, _) = rows(remote.of_store(&["sessions", "list", "--sort", "errors", "--limit", "1"]));
    let session = sessions[0]["session_id"].as_str().unwrap();
    let mut found = 0;
    for arguments in [
        vec!["traces", "export", "--filter", "status_code = 'ERROR' AND latency_ms > 50"],
        vec!["traces", "export", "--session-id", session],
        // Conditions on two spans of a trace.
        vec!["traces", "export", "--session-id", session, "--status-code", "error"],
        vec!["traces", "export", "--name", "nobody is called so"],
        vec!["traces", "export"],
        vec!["spans", "export", "--span-kind", "tool", "--status-code", "error"],
    ] {
        let (stored, _) = rows(remote.of_store(&arguments));
        let (live, _) = rows(remote.live(&arguments));
        assert_eq!(set(ids(&live)), set(ids(&stored)), "{arguments:?}");
        assert_eq!(live.len(), stored.len(), "{arguments:?}: none comes twice");
        found += live.len();
        let order: Vec<String> = ids(&live).into_iter().map(|(trace, _)| trace).collect();
        let runs = order.chunk_by(|a, b| a == b).count();
        assert!(arguments[0] == "spans" || runs == set(order).len(), "{arguments:?}: traces lie together");
    }
    assert!(found > 1_000, "{found}");

    // A limit counts traces, and cuts none.
    let few = ["traces", "export", "--status-code", "error", "--limit", "3"];
    let (live, said) = rows(remote.live(&few));
    let chosen: BTreeSet<String> = ids(&live).into_iter().map(|(trace, _)| trace).collect();
    assert_eq!(chosen.len(), 3);
    assert!(said.contains("--limit leaves the newest 3 traces"), "{said}");
    let mut whole = remote.of_store(&["traces", "export"]);
    for trace in &chosen {
        whole.args(["--trace-id", trace]);
    }
    assert_eq!(set(ids(&rows(whole).0)), set(ids(&live)));
}

#[test]
fn a_list_goes_on_page_by_page() {
    let dir = tempfile::tempdir().unwrap();
    let remote = Remote::start(dir.path());
    let filter = ["spans", "list", "--filter", "attributes.openinference.span.kind = 'LLM'"];
    let all: Vec<&str> = filter.iter().copied().chain(["--limit", "100000"]).collect();
    let (all, _) = rows(remote.of_store(&all));
    for live in [false, true] {
        let (mut seen, mut cursor) = (vec![], None::<String>);
        loop {
            let mut page: Vec<&str> = filter.iter().copied().chain(["--limit", "250"]).collect();
            if let Some(cursor) = &cursor {
                page.extend(["--cursor", cursor.as_str()]);
            }
            // Notes say where to go on.
            let mut command = if live { remote.live(&page) } else { remote.of_store(&page) };
            if !live {
                let mut loud = spanql(&remote.store);
                loud.args(["--project", &remote.project]).args(&page).args(ALL);
                command = loud;
            }
            let (more, said) = rows(command);
            seen.extend(more);
            match said.split_once("--cursor ") {
                Some((_, rest)) => cursor = Some(rest.split_whitespace().next().unwrap().to_owned()),
                None => break,
            }
        }
        assert_eq!(ids(&seen), ids(&all), "live: {live}");
    }
}

/// Both shapes of JSON, into files and to stdout.
#[test]
fn a_bulk_export_is_flat_and_whole() {
    let dir = tempfile::tempdir().unwrap();
    let remote = Remote::start(dir.path());
    let filter = ["spans", "export", "--span-kind", "tool"];
    let json = |mut command: Command, more: &[&str]| {
        let done = command.args(more).output().unwrap();
        assert!(done.status.success(), "{command:?}: {}", stderr(&done));
        (serde_json::from_slice::<Vec<Value>>(&done.stdout).unwrap_or_default(), stderr(&done))
    };
    let (stored, _) = rows(remote.of_store(&filter));
    let (nested, _) = json(remote.live(&filter), &["--stdout"]);
    let (flat, said) = json(remote.live(&filter), &["--stdout", "--all", "--limit", "3"]);
    assert!(said.contains("--all is given: --limit is ignored"), "{said}");
    assert!(nested.iter().all(|span| span["context"]["span_id"].is_string() && span["attributes"].is_object()));
    assert!(flat.iter().all(|span| span.get("context").is_none()));
    let nested: BTreeSet<String> =
        nested.iter().map(|span| span["context"]["span_id"].as_str().unwrap().to_owned()).collect();
    let wanted = ids(&stored).into_iter().map(|(_, span)| span).collect();
    assert_eq!(nested, wanted);
    assert_eq!(set(ids(&flat)), set(ids(&stored)));

    let out = dir.path().join("made").join("of-three");
    let (nothing, _) = json(remote.live(&filter), &["--all", "--output-dir", out.to_str().unwrap()]);
    assert_eq!(nothing.len(), 0, "nothing goes to stdout");
    let made: Vec<PathBuf> = std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(made.len(), 1);
    assert!(made[0].file_name().unwrap().to_str().unwrap().starts_with("spans_filtered_2"), "{made:?}");
    let file = std::fs::read(made[0].join("spans.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Vec<Value>>(&file).unwrap().len(), stored.len());
}
