//! Spans over REST and over Flight from one server: the same, wherever REST has them.

use std::sync::Arc;

use spanql::config::{ArizeSettings, FlightEndpoint, Secret};
use spanql::engine::Engine;
use spanql::pull::resolve;
use spanql::sources::Window;
use spanql::sources::arize::{Arize, DEFAULT_TIMEOUT};
use spanql::store::Store;

use super::pull_support::{Puller, empty};
use super::serve_support::{KEY, Running};
use super::support::{ask_rows, ask_text, assert_same, demo, engine, import};

/// All that the demo makes is of these days.
const DAYS: Window = Window { start: 1_793_232_000_000_000_000, end: 1_793_491_200_000_000_000 };
const SINCE: &str = "start_time >= '2026-10-01'";

async fn served() -> (Arc<Store>, Running) {
    let store = empty();
    import(&store, &demo(11, 3_000)).await.unwrap();
    let running = Running::with_key(&store).await;
    (store, running)
}

fn source(running: &Running) -> Arize {
    let ready = &running.ready;
    let settings = ArizeSettings {
        key: Secret::new(KEY),
        flight: Some(FlightEndpoint { host: "127.0.0.1".into(), port: ready.flight_port, tls: false }),
        api: Some(ready.http.clone()),
        space: Some(ready.space_id.clone()),
        verify: true,
        ca_file: None,
        by_url: true,
    };
    Arize::new(&settings, None, DEFAULT_TIMEOUT).unwrap()
}

/// A store that has pulled every project, and a note on how they were found.
async fn pulled(running: &Running, arize: Arize) -> (Engine, Option<String>) {
    let store = empty();
    let mut said = None;
    for project in &running.ready.projects {
        let (key, note) = resolve(&arize, &project.name, None).await.unwrap();
        said = note;
        let mut puller = Puller::new(arize.clone());
        puller.options.key = key;
        puller.pull(&store, DAYS).await.unwrap();
    }
    (engine(store.snapshot().await.unwrap()).await, said)
}

/// Whether REST has a column as Flight has it.
fn same(name: &str) -> bool {
    let others = ["trace_eval.", "session_eval.", "annotation.notes", "event"];
    !others.iter().any(|other| name.starts_with(other)) && !name.ends_with(".annotator_kind")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_over_rest_brings_what_flight_brings() {
    let (_store, running) = served().await;
    let (flight, nothing) = pulled(&running, source(&running)).await;
    let (rest, note) = pulled(&running, source(&running).over_rest()).await;
    assert_eq!(nothing, None);
    assert!(note.unwrap().contains("come without evaluations of traces and sessions"));
    let names = ask_rows(&flight, "SELECT DISTINCT name FROM columns WHERE filled > 0 ORDER BY name").await.unwrap();
    let names: Vec<String> =
        names.into_iter().map(|mut row| row.remove("name").unwrap()).filter(|name| same(name)).collect();
    assert!(names.len() > 40, "{names:?}");
    let columns: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    let sql = format!("SELECT {} FROM spans ORDER BY project, trace_id, span_id", columns.join(", "));
    assert_same(&ask_text(&rest, &sql).await.unwrap(), &ask_text(&flight, &sql).await.unwrap(), "columns");
    let counts = "SELECT project, count(*) AS spans, sum(CASE WHEN events <> '[]' THEN 1 ELSE 0 END) AS events
        FROM spans GROUP BY project ORDER BY project";
    assert_eq!(ask_rows(&rest, counts).await.unwrap(), ask_rows(&flight, counts).await.unwrap());
}

/// An engine without a store that reads a source live.
async fn live(arize: Arize) -> Engine {
    let engine = engine(empty().snapshot().await.unwrap()).await;
    engine.register_source(Arc::new(arize));
    engine
}

#[tokio::test(flavor = "multi_thread")]
async fn little_is_asked_for_over_rest_and_is_the_same() {
    let (store, running) = served().await;
    let project = running.ready.projects[0].name.clone();
    let stored = engine(store.snapshot().await.unwrap()).await;
    let some = format!(
        "SELECT trace_id, span_id, session_id FROM spans WHERE project = '{project}' AND session_id IS NOT NULL AND status_code = 'ERROR' ORDER BY 2 LIMIT 1"
    );
    let some = ask_rows(&stored, &some).await.unwrap().remove(0);
    let (trace, span, session) = (&some["trace_id"], &some["span_id"], &some["session_id"]);
    let (flight, either) = (live(source(&running)).await, live(source(&running).or_rest()).await);
    let table = format!("arize.\"{project}\"");
    const COLUMNS: &str = "span_id, parent_id, name, kind, start_time, end_time, latency_ms, status_code, model, cost, \
        total_tokens, session_id, input, output, attributes.llm.input_messages, attributes.metadata, attributes.llm.tools";
    let over_rest = |plan: &str| plan.contains("request={project: ");
    for (condition, small) in [
        (format!("trace_id = '{trace}'"), true),
        (format!("trace_id IN ('{trace}', 'none') AND kind <> 'LLM'"), true),
        (format!("span_id = '{span}'"), true),
        (format!("session_id = '{session}' AND latency_ms > 10"), true),
        ("status_code = 'ERROR'".to_owned(), false),
        (format!("trace_id <> '{trace}'"), false),
    ] {
        let sql = format!("SELECT {COLUMNS} FROM {table} WHERE {SINCE} AND {condition} ORDER BY span_id");
        let plan = ask_text(&either, &format!("EXPLAIN {sql}")).await.unwrap();
        assert_eq!(over_rest(&plan), small, "{condition}: {plan}");
        let (ours, theirs) = (ask_text(&either, &sql).await.unwrap(), ask_text(&flight, &sql).await.unwrap());
        assert!(theirs.lines().count() > 17, "{condition} matches nothing");
        assert_same(&ours, &theirs, &condition);
    }
    // REST may not find what came late.
    let past =
        format!("SELECT span_id FROM {table} WHERE {SINCE} AND start_time < '2026-11-01' AND trace_id = '{trace}'");
    assert!(!over_rest(&ask_text(&either, &format!("EXPLAIN {past}")).await.unwrap()));
    // What REST has in another form, or not at all, is Flight's.
    for columns in ["events", "event.attributes", "trace_eval.Correctness.label", "*"] {
        let sql = format!("SELECT {columns} FROM {table} WHERE {SINCE} AND trace_id = '{trace}'");
        let plan = ask_text(&either, &format!("EXPLAIN {sql}")).await.unwrap();
        assert!(!over_rest(&plan), "{columns}: {plan}");
    }
    let few = ask_rows(&either, &format!("SELECT span_id, name FROM {table} WHERE {SINCE} LIMIT 7")).await.unwrap();
    assert_eq!(few.len(), 7);

    // A project by its id, over both.
    let id = &running.ready.projects[0].id;
    for condition in [format!("trace_id = '{trace}'"), "status_code = 'ERROR'".to_owned()] {
        let sql = |table: &str| format!("SELECT span_id FROM {table} WHERE {SINCE} AND {condition} ORDER BY 1");
        let by_id = ask_rows(&either, &sql(&format!("arize.\"{id}\""))).await.unwrap();
        assert_eq!(by_id, ask_rows(&flight, &sql(&table)).await.unwrap(), "{condition}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_remote_does_not_show_is_found() {
    let (store, running) = served().await;
    let project = running.ready.projects[0].name.clone();
    let shown = live(source(&running).or_rest()).await;
    let sql = include_str!("../../queries/missing_at_remote.sql");
    let stored = engine(store.snapshot().await.unwrap()).await;
    stored.register_source(Arc::new(source(&running)));
    let missing = |engine: &Engine, since: Option<i64>| {
        let time = |time: Option<i64>| match time {
            Some(nanos) => spanql::engine::Param::Time(nanos),
            None => spanql::engine::Param::NullOf(spanql::engine::ParamType::Time),
        };
        let params = [
            ("remote", spanql::engine::Param::Text(format!("arize.\"{project}\""))),
            ("project", spanql::engine::Param::NullOf(spanql::engine::ParamType::Text)),
            ("since", time(since)),
            ("until", time(None)),
            ("n", spanql::engine::Param::Int(1_000)),
        ];
        let params = params.map(|(name, value)| (name.to_owned(), value)).into();
        let engine = engine.clone();
        async move {
            super::support::ask_with(&engine, sql, &params).await.map(|(_, batches)| super::support::rows_of(&batches))
        }
    };
    assert_eq!(missing(&stored, None).await, Ok(vec![]), "all are shown");
    assert_eq!(missing(&shown, None).await, Ok(vec![]), "a store without spans misses none");

    // Ten that the app sent, and the remote never showed.
    let more = empty();
    import(&more, &demo(11, 3_000)).await.unwrap();
    let late: Vec<_> = (0..10)
        .map(|n| {
            let mut row = super::support::row(&project, "ffff1111", &format!("lost{n}"));
            row.insert("start_time".into(), super::support::Cell::Time(DAYS.end + n * 3_600_000_000_000));
            row
        })
        .collect();
    import(&more, &[super::support::batch(&late)]).await.unwrap();
    let more = engine(more.snapshot().await.unwrap()).await;
    more.register_source(Arc::new(source(&running)));
    let found = missing(&more, None).await.unwrap();
    assert_eq!(found.len(), 10);
    assert_eq!((found[0]["span_id"].as_str(), found[0]["missing"].as_str()), ("lost9", "10"));
    assert_eq!(missing(&more, Some(DAYS.end + 18_000_000_000_000)).await.unwrap().len(), 5);
}
