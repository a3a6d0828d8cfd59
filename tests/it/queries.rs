//! The built-in queries: their answers on generated spans, in `tests/queries/`, and none of them fails on no spans.

use std::collections::BTreeMap;
use std::path::Path;

use datafusion::logical_expr::{ident, lit};
use spanql::engine::{Engine, Params, Selected};
use spanql::model::columns;
use spanql::model::time::Clock;
use spanql::output::{Format, Options, ResultWriter};
use spanql::report::{Document, Library, Origin, Saved, bind, list_reports};
use spanql::store::Store;

use super::shell::check_file;
use super::support::{BASE_TIME, Cell, Row, ask_rows, ask_with, batch, demo, engine, import, row, rows_of};

const SEED: u64 = 42;
const SPANS: u64 = 2_000;

/// Characters of a cell in the files.
const MAX_CELL: usize = 80;

/// A store of generated spans, the same every time.
pub(crate) async fn demo_engine() -> Engine {
    let store = Store::open("memory://").unwrap();
    import(&store, &demo(SEED, SPANS)).await.unwrap();
    engine(store.snapshot().await.unwrap()).await
}

/// What is built in.
pub(crate) fn built_in() -> Vec<Saved> {
    let nowhere = tempfile::tempdir().unwrap();
    Library::of(nowhere.path(), Some(nowhere.path())).list().into_iter().map(Result::unwrap).collect()
}

/// The values of a built-in query's parameters: those given, and a table of spans in the place of one of a remote, which
/// has all but the calls of models.
async fn bound(engine: &Engine, saved: &Saved, given: &[(&str, &str)]) -> Params {
    let mut given: Vec<_> = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    if saved.params.iter().any(|param| param.name == "remote") {
        let shown = Selected::Spans(ident(columns::KIND).not_eq(lit("LLM")));
        engine.register_selected("shown", "spans", shown).await.unwrap();
        let first = ask_rows(engine, "SELECT min(project) AS project FROM spans").await.unwrap();
        let project = first[0].get("project").cloned().unwrap_or_default();
        given.extend([("remote".to_owned(), "shown".to_owned()), ("project".to_owned(), project)]);
    }
    bind(&saved.params, &given, &Clock::now(engine.data_end())).unwrap()
}

/// The rows of a built-in query, each with its values by column; nulls are left out.
pub(crate) async fn run(engine: &Engine, name: &str, given: &[(&str, &str)]) -> Vec<BTreeMap<String, String>> {
    let saved = built_in().into_iter().find(|saved| saved.name == name).unwrap();
    let params = bound(engine, &saved, given).await;
    rows_of(&ask_with(engine, &saved.sql, &params).await.unwrap().1)
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_known() {
    let engine = demo_engine().await;
    for saved in built_in() {
        let params = bound(&engine, &saved, &[]).await;
        let (schema, batches) = ask_with(&engine, &saved.sql, &params).await.unwrap();
        let mut text = Vec::new();
        let options = Options { max_cell: Some(MAX_CELL), ..Options::default() };
        let mut writer = ResultWriter::new(&mut text, Format::Csv, schema, options).unwrap();
        for batch in &batches {
            writer.write(batch).unwrap();
        }
        assert!(writer.finish().unwrap().rows > 0, "{} answers nothing on generated spans", saved.name);
        check_file(&format!("tests/queries/{}.csv", saved.name), &String::from_utf8(text).unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_gives_nothing() {
    let store = Store::open("memory://").unwrap();
    let engine = engine(store.snapshot().await.unwrap()).await;
    for saved in built_in() {
        let params = bound(&engine, &saved, &[]).await;
        let rows = ask_with(&engine, &saved.sql, &params).await.map(|(_, batches)| rows_of(&batches));
        assert_eq!(rows, Ok(vec![]), "{}", saved.name);
    }
}

/// All of their time is the window; before it there is nothing.
#[tokio::test(flavor = "multi_thread")]
async fn windows_are_windows() {
    let engine = demo_engine().await;
    for saved in built_in().iter().filter(|saved| saved.params.iter().any(|param| param.name == "since")) {
        let all = run(&engine, &saved.name, &[]).await;
        let window = [("since", "2026-10-01"), ("until", "2026-11-01T02:00+02:00")];
        assert_eq!(run(&engine, &saved.name, &window).await, all, "{}", saved.name);
        assert_eq!(run(&engine, &saved.name, &[("until", "2026-10-01")]).await, vec![], "{}", saved.name);
        assert_eq!(run(&engine, &saved.name, &[("since", "2026-11-01")]).await, vec![], "{}", saved.name);
    }
}

/// Spans of a project that are, but for what the project is called, the same in all: ids, times, kinds.
fn alike(project: &str) -> Vec<Row> {
    let span = |trace: usize, at: usize| {
        let mut row = row(project, &format!("t{trace}"), &format!("t{trace}s{at}"));
        let mut set = |name: &str, cell: Cell| drop(row.insert(name.to_owned(), cell));
        set("name", Cell::text(if at == 0 { format!("root of {project}") } else { "step".to_owned() }));
        set("attributes.openinference.span.kind", Cell::text(["AGENT", "RETRIEVER", "LLM", "LLM"][at]));
        if at > 0 {
            set(columns::PARENT_ID, Cell::text(format!("t{trace}s0")));
        }
        // The last has not even begun.
        if at < 3 {
            set(columns::START_TIME, Cell::Time(BASE_TIME));
            set(columns::END_TIME, Cell::Time(BASE_TIME + 1_000_000_000));
        }
        set("status_code", Cell::text("ERROR"));
        set("status_message", Cell::text(format!("{project} {trace} {at}")));
        set("attributes.session.id", Cell::text("session"));
        set("attributes.user.id", Cell::text(format!("user of {project}")));
        set("attributes.input.value", Cell::text(format!("{}{project}", "a".repeat(300))));
        set("attributes.output.value", Cell::text(format!("{project} {trace}")));
        set("eval.Correctness.score", Cell::Float(0.0));
        set("trace_eval.Correctness.score", Cell::Float(0.0));
        row
    };
    (0..3).flat_map(|trace| (0..4).map(move |at| (trace, at))).map(|(trace, at)| span(trace, at)).collect()
}

/// The reports that are built in.
pub(crate) fn built_in_reports() -> Vec<Document> {
    let nowhere = tempfile::tempdir().unwrap();
    list_reports(&Library::of(nowhere.path(), Some(nowhere.path()))).into_iter().map(Result::unwrap).collect()
}

/// What is equal by all that a query orders by comes in one order all the same, however it is stored.
#[tokio::test(flavor = "multi_thread")]
async fn order_is_settled() {
    let mut answers: Vec<BTreeMap<String, Vec<BTreeMap<String, String>>>> = vec![];
    for projects in [["a", "b", "c"], ["c", "b", "a"], ["b", "c", "a"]] {
        let store = Store::open("memory://").unwrap();
        for project in projects {
            import(&store, &[batch(&alike(project))]).await.unwrap();
        }
        let engine = engine(store.snapshot().await.unwrap()).await;
        let mut found = BTreeMap::new();
        for saved in built_in() {
            found.insert(saved.name.clone(), run(&engine, &saved.name, &[]).await);
        }
        for report in built_in_reports() {
            let params = bind(&report.params, &[], &Clock::now(None)).unwrap();
            for block in report.blocks() {
                let rows = rows_of(&ask_with(&engine, &block.sql, &params).await.unwrap().1);
                found.insert(format!("{} {}", report.name, block.name), rows);
            }
        }
        answers.push(found);
    }
    for (name, rows) in &answers[0] {
        assert!(*rows == answers[1][name] && *rows == answers[2][name], "{name}");
    }
    let last = &answers[0]["overview what-failed"];
    let messages: Vec<&str> = last.iter().filter_map(|row| row.get("last_message").map(String::as_str)).collect();
    assert!(!messages.iter().any(|message| message.ends_with('3')), "one without a start is not the last: {last:?}");
}

#[test]
fn what_is_built_in_is_what_is_there() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("queries");
    let mut files: Vec<String> = std::fs::read_dir(directory)
        .unwrap()
        .filter_map(|entry| Some(entry.unwrap().file_name().to_str()?.strip_suffix(".sql")?.to_owned()))
        .collect();
    files.sort();
    let queries = built_in();
    assert_eq!(queries.iter().map(|saved| saved.name.as_str()).collect::<Vec<_>>(), files);
    for saved in queries {
        assert_eq!(saved.origin, Origin::BuiltIn);
        assert!(saved.description.is_some_and(|text| text.len() <= 100 && !text.ends_with('.')), "{}", saved.name);
        for param in saved.params {
            assert!(param.default.is_some() && param.description.is_some(), "{}: {param}", saved.name);
        }
    }
}
