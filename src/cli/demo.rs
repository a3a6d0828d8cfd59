//! `spanql demo`: the whole tour. Generated spans are served over Flight, pulled into a store, and asked about.

use std::collections::hash_map::RandomState;
use std::fs::File;
use std::hash::{BuildHasher, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use arrow::array::{AsArray, RecordBatch};
use futures::TryStreamExt;
use indicatif::HumanCount;

use super::args::DemoArguments;
use super::context::Context;
use super::failure::Failure;
use super::pulling::Pulling;
use super::target::stdout;
use super::{import, query};
use crate::pull::{PullOptions, Puller, resolve};
use crate::report::Checks;
use crate::serve::{Server, Settings, Token};
use spanql_demo::Generator;
use spanql_engine::{Engine, EngineError, Param, Params};
use spanql_model::window::Window;
use spanql_output::{SessionView, ViewOptions, write_trace};
use spanql_sources::arize::{Arize, DEFAULT_TIMEOUT};
use spanql_sources::config::{ArizeSettings, FlightEndpoint, Secret};
use spanql_store::{Segment, Snapshot, Store};

/// Columns of the demo's tables where there is no terminal.
const PIPE_WIDTH: usize = 120;

/// What the demo asks: a heading and a query. The built-in queries ask the same, and take parameters.
const QUESTIONS: [(&str, &str); 3] = [
    (
        "Which models fail, how often, and what do they cost?",
        "\
SELECT model,
       count(*) AS calls,
       round(100.0 * count(*) FILTER (WHERE status_code = 'ERROR') / count(*), 1) AS error_percent,
       round(approx_percentile_cont(0.95) WITHIN GROUP (ORDER BY latency_ms)) AS p95_ms,
       sum(total_tokens) AS tokens,
       round(sum(cost), 2) AS cost
FROM spans
WHERE kind = 'LLM'
GROUP BY model
ORDER BY cost DESC NULLS LAST",
    ),
    (
        "Which traces took longest?",
        "\
SELECT trace_id, name, round(latency_ms / 1000, 1) AS seconds, span_count AS spans, error_count AS errors, input
FROM traces
ORDER BY latency_ms DESC NULLS LAST
LIMIT 10",
    ),
    (
        "Which sessions cost most?",
        "\
SELECT session_id, user_id, trace_count AS turns, span_count, error_count, round(cost, 3) AS cost, first_input
FROM sessions
ORDER BY cost DESC NULLS LAST
LIMIT 10",
    ),
];

/// A trace that is worth a look: an error, a few levels, and not too long for a screen.
const A_TRACE: &str = "SELECT trace_id FROM traces ORDER BY error_count > 0 AND max_depth > 2 AND span_count BETWEEN 8 AND 20 DESC, \
     start_time DESC, trace_id LIMIT 1";
/// A session of a few turns.
const A_SESSION: &str = "SELECT session_id FROM sessions ORDER BY trace_count BETWEEN 2 AND 4 DESC, cost DESC NULLS LAST, session_id LIMIT 1";
/// How the names of its temporary directories begin.
const TEMPORARY: &str = "spanql-demo";
/// The age from which such a directory is locked by whoever runs.
const SETTLED: Duration = Duration::from_secs(60);
/// Where the demo serves.
const HOST: &str = "127.0.0.1";

pub(super) async fn run(context: &Context, arguments: DemoArguments) -> anyhow::Result<()> {
    clear_after_the_killed();
    // Removed when it goes out of scope.
    let temporary =
        tempfile::Builder::new().prefix(TEMPORARY).tempdir().context("cannot make a temporary directory")?;
    let _running = lock(temporary.path());
    let place: PathBuf = arguments.keep.clone().unwrap_or_else(|| temporary.path().join("store"));
    let context = context.with_place(&place);
    let store = Arc::new(Store::open(&place.display().to_string())?);
    if store.snapshot().await?.manifest.version > 0 {
        let place = place.display();
        return Err(Failure::Usage(format!("--keep {place}: there is a store already; name a new directory")).into());
    }
    let remote = Arc::new(Store::open(&temporary.path().join("remote").display().to_string())?);
    generate(&context, &remote, arguments.spans, arguments.seed).await?;
    pull_all(&context, remote, store).await?;
    ask(&context).await?;
    if arguments.keep.is_some() {
        say_next(&context, &place);
    } else {
        context.report("\nThe store is removed now; `spanql demo --keep DIR` keeps it for your own questions.");
    }
    Ok(())
}

/// Locks a directory as long as the file is open, where the system can do that; `None` when another process has.
fn lock(dir: &Path) -> Option<File> {
    File::open(dir).ok().filter(|dir| dir.try_lock().is_ok())
}

/// Removes the directories of demos that were killed: whoever runs holds a lock.
fn clear_after_the_killed() {
    for entry in std::fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let ours = entry.file_name().to_string_lossy().starts_with(TEMPORARY);
        // One that was made just now may not be locked yet.
        let settled = |entry: &std::fs::DirEntry| {
            let metadata = entry.metadata().ok().filter(std::fs::Metadata::is_dir);
            metadata.and_then(|found| found.modified().ok()?.elapsed().ok()).is_some_and(|age| age > SETTLED)
        };
        if ours && settled(&entry) && lock(&entry.path()).is_some() {
            // What cannot be removed may be somebody else's.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

async fn generate(context: &Context, store: &Store, spans: u64, seed: u64) -> anyhow::Result<()> {
    let began = Instant::now();
    let bar = context.progress("generating {pos}/{len} spans [{bar:30}]")?;
    bar.set_length(spans);
    let import = store.begin();
    let work = {
        let bar = bar.clone();
        move || {
            import::feed(import, |send| {
                Generator::new(seed, spans).try_for_each(|batch| {
                    bar.inc(batch.num_rows() as u64);
                    send(batch)
                })
            })
        }
    };
    let (import, ()) = tokio::task::spawn_blocking(work).await.context("generating stopped")??;
    bar.finish_and_clear();
    let committed = import::commit(context, store, import, "demo").await?;
    let (spans, seconds) = (HumanCount(committed.counts.new), began.elapsed().as_secs_f64());
    context.report(&format!("generated {spans} spans of two made-up applications in {seconds:.1} s"));
    Ok(())
}

/// Serves a store as Arize would, and pulls everything out of it into another one.
async fn pull_all(context: &Context, remote: Arc<Store>, store: Arc<Store>) -> anyhow::Result<()> {
    let window = hours_around(&remote.snapshot().await?);
    let key = key_of_this_run();
    let server = Server::bind(remote, Settings { token: Token::new(&key), ..Settings::default() }).await?;
    let ready = server.ready().clone();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    // It ends when told to, or when this command does.
    let serving = tokio::spawn(server.run(async {
        stopped.await.ok();
    }));
    context.report(&format!("serving them at {} (Arrow Flight), and pulling them from there", ready.flight));
    let settings = ArizeSettings {
        key: Secret::new(&key),
        flight: Some(FlightEndpoint { host: HOST.to_owned(), port: ready.flight_port, tls: false }),
        api: Some(ready.http),
        space: Some(ready.space_id),
        verify: true,
        ca_file: None,
        by_url: true,
    };
    let source = Arize::new(&settings, None, DEFAULT_TIMEOUT)?;
    for project in ready.projects {
        let (key, _) = resolve(&source, &project.name, None).await?;
        let options = PullOptions { jobs: 2, ..PullOptions::new(key) };
        let puller = Puller { store: Arc::clone(&store), source: Arc::new(source.clone()), options };
        Pulling::new(context, &puller).window(window).await?;
    }
    drop(stop);
    Ok(serving.await.context("the server stopped")??)
}

async fn ask(context: &Context) -> anyhow::Result<()> {
    let (engine, _) = query::engine(context, false).await?;
    let target = context.target(Some("table"))?;
    let mut options = context.options(&target);
    options.width.get_or_insert(PIPE_WIDTH);
    for (heading, sql) in QUESTIONS {
        context.report(&format!("\n{heading}\n\n{sql}\n"));
        for prepared in engine.prepare(sql, &Params::new()).await? {
            query::show(context, &prepared, &target, options, &mut Checks::default()).await?;
        }
    }
    let view = ViewOptions { width: options.width, color: options.color, zone: options.zone, ..ViewOptions::default() };
    if let Some(trace) = first_text(&engine, A_TRACE).await? {
        context.report("\nWhat happened in one trace?\n");
        let spans = rows(&engine, "SELECT * FROM spans WHERE trace_id = $id", &trace).await?;
        write_trace(&mut stdout()?.lock(), &spans, &view)?;
    }
    if let Some(session) = first_text(&engine, A_SESSION).await? {
        context.report("\nAnd what was said in one session?\n");
        let whole = rows(&engine, "SELECT * FROM sessions WHERE session_id = $id", &session).await?;
        let whole = whole.first().context("the session is there")?;
        let turns = "SELECT * FROM traces WHERE session_id = $id ORDER BY start_time, trace_id";
        let mut shown = SessionView::new(stdout()?, whole, view)?;
        rows(&engine, turns, &session).await?.iter().try_for_each(|turns| shown.write(turns))?;
        shown.finish()?;
    }
    Ok(())
}

/// All rows of a statement about one id.
async fn rows(engine: &Engine, sql: &str, id: &str) -> anyhow::Result<Vec<RecordBatch>> {
    let params = Params::from([("id".to_owned(), Param::Text(id.to_owned()))]);
    let mut batches = Vec::new();
    for prepared in engine.prepare(sql, &params).await? {
        let found: Result<Vec<_>, _> = prepared.execute().await?.try_collect().await;
        batches.extend(found.map_err(|error| EngineError::from_datafusion(&error))?);
    }
    Ok(batches)
}

/// The first value of a statement's first row, if it is text.
async fn first_text(engine: &Engine, sql: &str) -> anyhow::Result<Option<String>> {
    let batches = rows(engine, sql, "").await?;
    let column = batches.iter().find(|batch| batch.num_rows() > 0).map(|batch| batch.column(0));
    Ok(column.and_then(|column| column.as_string_opt::<i32>()).map(|texts| texts.value(0).to_owned()))
}

/// The whole hours in which all spans start.
fn hours_around(snapshot: &Snapshot) -> Window {
    const HOUR: i64 = 3600 * 1_000_000_000;
    let starts = |time: fn(&Segment) -> Option<i64>| snapshot.manifest.segments.iter().filter_map(time);
    let first = starts(|segment| segment.min_start).min().unwrap_or_default();
    let last = starts(|segment| segment.max_start).max().unwrap_or_default();
    Window { start: first.div_euclid(HOUR) * HOUR, end: (last.div_euclid(HOUR) + 1) * HOUR }
}

/// A key that nobody knows: others on this machine can reach the server, too.
fn key_of_this_run() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}

fn say_next(context: &Context, place: &Path) {
    let place = place.display();
    context.report(&format!(
        "\nTry next:\n  spanql --store {place} query \"SELECT name, count(*) FROM spans GROUP BY name\"\n  \
         spanql --store {place} query \"SELECT * FROM columns\"\n  spanql --store {place} store info"
    ));
}
