//! What the tests of pulls share: who pulls, from where, and what a store holds afterwards.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use arrow::array::RecordBatch;
use spanql::config::{ArizeSettings, Environment};
use spanql::model::columns;
use spanql::pull::{PullError, PullOptions, PullProgress, PullSummary, plan, pull};
use spanql::sources::arize::Arize;
use spanql::sources::{SpanSource, Window};
use spanql::store::{PullKey, Store};
use tempfile::TempDir;

use super::support::{self, BASE_TIME, Cell, Row, batch, row};

/// The key that all pulls show, in a form that is easy to look for.
pub(crate) const KEY: &str = "spanql-secret-key-51f0c7d2";
/// The id of the space: base64 of text with a colon.
pub(crate) const SPACE: &str = "U3BhY2U6MTpzcGFucWw=";
pub(crate) const PROJECT: &str = "checkout";
pub(crate) const SECOND: i64 = 1_000_000_000;
/// Spans of [`rows`] in each trace.
pub(crate) const TRACE_SPANS: usize = 5;

/// The day from [`BASE_TIME`] on, as arguments.
pub(crate) const DAY: [&str; 4] = ["--start-time", "2026-01-01", "--end-time", "2026-01-02"];

/// The day from [`BASE_TIME`] on.
pub(crate) fn day() -> Window {
    seconds(0, 86_400)
}

/// A window in seconds after [`BASE_TIME`].
pub(crate) fn seconds(start: i64, end: i64) -> Window {
    Window { start: BASE_TIME + start * SECOND, end: BASE_TIME + end * SECOND }
}

/// Spans that start `step` seconds after each other; each trace has five, of which the next trace's lie between.
pub(crate) fn rows(count: usize, step: i64) -> Vec<Row> {
    (0..count).map(|n| span(n, step)).collect()
}

/// The id of the span with this number: none is all zeros, which would be no id, or holds enough of them to be asked for
/// where no parent is.
pub(crate) fn span_id(n: usize) -> String {
    format!("5555555555555{n:03x}")
}

/// The id of the trace with this number.
pub(crate) fn trace_id(trace: usize) -> String {
    format!("a{trace:031x}")
}

fn span(n: usize, step: i64) -> Row {
    // Two traces at a time take turns, so that every cut in time cuts a trace.
    let (pair, within) = (n / (2 * TRACE_SPANS), n % (2 * TRACE_SPANS));
    let (trace, place) = (2 * pair + within % 2, within / 2);
    let mut row = row(PROJECT, &trace_id(trace), &span_id(n));
    let start = BASE_TIME + n as i64 * step * SECOND;
    let mut set = |name: &str, cell: Cell| drop(row.insert(name.to_owned(), cell));
    if place > 0 {
        set(columns::PARENT_ID, Cell::text(span_id(n - 2)));
    }
    set("name", Cell::text(format!("step {place}")));
    set("attributes.openinference.span.kind", Cell::text(["CHAIN", "LLM", "TOOL"][n % 3]));
    set(columns::START_TIME, Cell::Time(start));
    set(columns::END_TIME, Cell::Time(start + 1_500_000_000));
    set("status_code", Cell::text(if n.is_multiple_of(7) { "ERROR" } else { "OK" }));
    set("attributes.input.value", Cell::text(format!("question {n}")));
    set("attributes.llm.token_count.total", Cell::Int(n as i64));
    set("attributes.session.id", Cell::text(format!("session {}", trace / 3)));
    set("attributes.n", Cell::Int(n as i64));
    set("attributes.metadata", Cell::text(format!("{{\"tier\": \"{}\"}}", ["free", "paid"][n % 2])));
    row
}

/// Rows as they come over the wire: without what only a store knows.
pub(crate) fn wire(rows: &[Row]) -> RecordBatch {
    let sent = |row: &Row| {
        let mut row = row.clone();
        row.remove(columns::PROJECT);
        row.remove(columns::SOURCE);
        row
    };
    batch(&rows.iter().map(sent).collect::<Vec<_>>())
}

/// The settings that variables give, with the tests' key and space unless they say otherwise.
pub(crate) fn settings(variables: &[(&str, &str)]) -> ArizeSettings {
    let all = [&[("ARIZE_API_KEY", KEY), ("ARIZE_SPACE_ID", SPACE)], variables].concat();
    ArizeSettings::find(&Environment::with(&all), None).unwrap()
}

/// The variables of a plaintext Flight server on a port of this machine.
pub(crate) fn plaintext(port: u16) -> Vec<(&'static str, String)> {
    vec![
        ("ARIZE_FLIGHT_HOST", "127.0.0.1".to_owned()),
        ("ARIZE_FLIGHT_SCHEME", "grpc".to_owned()),
        ("ARIZE_FLIGHT_PORT", port.to_string()),
    ]
}

/// A remote with a connection of its own, by its variables.
pub(crate) fn remote(variables: &[(&'static str, String)]) -> Arize {
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Arize::new(&settings(&variables), None, std::time::Duration::from_secs(20)).unwrap()
}

/// One who pulls [`PROJECT`] through the library.
#[derive(Clone)]
pub(crate) struct Puller {
    pub(crate) source: Arc<dyn SpanSource>,
    pub(crate) options: PullOptions,
}

impl Puller {
    pub(crate) fn new(arize: Arize) -> Self {
        let key = PullKey {
            source: "arize".to_owned(),
            remote: arize.endpoint().to_owned(),
            space: Some(SPACE.to_owned()),
            project: PROJECT.to_owned(),
            into: PROJECT.to_owned(),
        };
        Self { source: Arc::new(arize), options: PullOptions::new(key) }
    }

    /// From a plaintext server on a port.
    pub(crate) fn of_port(port: u16) -> Self {
        Self::new(remote(&plaintext(port)))
    }

    /// The same with about so many spans in a slice.
    pub(crate) fn sliced(mut self, rows: u64, jobs: usize) -> Self {
        (self.options.slice_rows, self.options.jobs) = (rows, jobs);
        self
    }

    /// The same for another project, under the same name in the store.
    pub(crate) fn project(mut self, name: &str) -> Self {
        self.options.key.project = name.to_owned();
        self.options.key.into = name.to_owned();
        self
    }

    /// Pulls a window, or what is left of it.
    pub(crate) async fn pull(&self, store: &Arc<Store>, window: Window) -> Result<PullSummary, PullError> {
        let now = chrono::Utc::now().timestamp_millis();
        let planned = plan(&store.ledger().await.unwrap(), &self.options, window, now);
        pull(store, &self.source, &self.options, planned.pull, &Arc::new(PullProgress::default())).await
    }
}

/// An empty store in memory.
pub(crate) fn empty() -> Arc<Store> {
    Arc::new(Store::open("memory://").unwrap())
}

/// Everything that a store holds after a pull that nothing disturbs.
pub(crate) async fn undisturbed(port: u16) -> String {
    let store = empty();
    Puller::of_port(port).pull(&store, day()).await.unwrap();
    support::dump(&store).await.unwrap()
}

/// A user of the binary, with a store and no settings but some variables.
pub(crate) struct User {
    /// What lies in the home directory, and the store.
    dir: TempDir,
    variables: Vec<(&'static str, String)>,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl User {
    pub(crate) fn new(variables: Vec<(&'static str, String)>) -> Self {
        let dir = TempDir::new().unwrap();
        std::fs::create_dir(dir.path().join("home")).unwrap();
        Self { dir, variables }
    }

    /// One who knows a plaintext Flight server and nothing else.
    pub(crate) fn of_port(port: u16) -> Self {
        Self::new(plaintext(port))
    }

    /// Sets a variable from now on.
    pub(crate) fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.variables.retain(|(known, _)| *known != name);
        self.variables.push((name, value.into()));
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    /// The directory of the store and all that was written beside it.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let home = self.dir.path().join("home");
        let mut command = support::spanql(&self.store());
        let of_remotes = ["ARIZE_", "PHOENIX_", "OPIK_", "SPANQL_"];
        for (name, _) in std::env::vars().filter(|(name, _)| of_remotes.iter().any(|prefix| name.starts_with(prefix))) {
            command.env_remove(name);
        }
        command.env_remove("REQUESTS_CA_BUNDLE").env_remove("SSL_CERT_FILE");
        command.env("HOME", &home).env("XDG_CONFIG_HOME", &home).env("XDG_DATA_HOME", &home).current_dir(&home);
        command.env("ARIZE_API_KEY", KEY).env("ARIZE_SPACE_ID", SPACE);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.args(arguments);
        command
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = self.command(arguments);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Pulls [`DAY`] of [`PROJECT`].
    pub(crate) async fn pull(&self, arguments: &[&str]) -> Ran {
        self.run(&[&["pull", "arize", PROJECT], &DAY[..], arguments].concat()).await
    }

    /// Everything in the store.
    pub(crate) async fn dump(&self) -> String {
        support::dump_dir(&self.store()).await
    }

    /// The values of a column of the table `pulls`, oldest pull first.
    pub(crate) async fn pulls(&self, column: &str) -> Vec<String> {
        let sql = format!("SELECT {column} AS value FROM pulls ORDER BY started_at");
        let ran = self.run(&["query", "-q", &sql]).await;
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let value = |line: &str| {
            let value = serde_json::from_str::<serde_json::Value>(line).unwrap()["value"].clone();
            value.as_str().map_or_else(|| value.to_string(), str::to_owned)
        };
        ran.stdout.lines().map(value).collect()
    }
}

impl Ran {
    /// It went well.
    #[track_caller]
    pub(crate) fn succeeded(&self, what: &str) {
        assert_eq!(self.code, Some(0), "{what}: {self:?}");
        self.is_clean(what);
    }

    /// It failed with one error that says these things.
    #[track_caller]
    pub(crate) fn failed(&self, what: &str, said: &[&str]) {
        assert_eq!(self.code, Some(1), "{what}: {self:?}");
        self.says(what, said);
        let errors = self.stderr.lines().filter(|line| line.starts_with("error: ")).count();
        assert_eq!(errors, 1, "{what}: {}", self.stderr);
        assert_eq!(self.stdout, "", "{what}");
        self.is_clean(what);
    }

    #[track_caller]
    pub(crate) fn says(&self, what: &str, said: &[&str]) {
        for said in said {
            assert!(self.stderr.contains(said), "{what}: {said:?} is not in {}", self.stderr);
        }
    }

    /// It did not panic, and did not show the key.
    #[track_caller]
    fn is_clean(&self, what: &str) {
        assert!(!self.stderr.contains("panicked") && !self.stderr.contains("internal"), "{what}: {}", self.stderr);
        assert!(!self.stderr.contains(KEY) && !self.stdout.contains(KEY), "{what}: the key is shown: {self:?}");
    }
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
