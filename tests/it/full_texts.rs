//! Searches in texts that `traces` and `sessions` have the beginnings of, beside the same searches in what made them.

use std::collections::BTreeSet;

use proptest::prelude::*;
use spanql::engine::{Engine, Params};
use spanql::model::columns;
use spanql::store::Store;

use super::support::{BASE_TIME, Cell, Row, ask_rows, batch, engine, import, row};

const NEEDLE: &str = "Needle";

/// A text of so many characters with a needle at a place in it, if that is inside.
fn text(length: usize, at: usize) -> String {
    let mut text = "é".repeat(at.min(length));
    if at + NEEDLE.len() <= length {
        text.push_str(NEEDLE);
    }
    let more = length - text.chars().count();
    text.push_str(&"ü".repeat(more));
    text
}

/// What a span says, as its input and as its output.
#[derive(Debug, Clone)]
enum Says {
    Nothing,
    /// As it is.
    Plain(String),
    /// In a list of messages, or in one of another convention.
    Listed(String, bool),
}

#[derive(Debug, Clone)]
struct Span {
    is_call: bool,
    input: Says,
    output: Says,
}

fn says() -> impl Strategy<Value = Says> {
    let length = prop_oneof![1..30_usize, 1_010..1_040_usize, 2_000..3_000_usize];
    let place = prop_oneof![Just(0_usize), 1_000..1_040_usize, 0..3_100_usize];
    let text = (length, place).prop_map(|(length, place)| text(length, place));
    prop_oneof![
        2 => Just(Says::Nothing),
        2 => text.clone().prop_map(Says::Plain),
        2 => (text, any::<bool>()).prop_map(|(text, other)| Says::Listed(text, other)),
    ]
}

fn traces() -> impl Strategy<Value = Vec<Vec<Span>>> {
    let span = (any::<bool>(), says(), says()).prop_map(|(is_call, input, output)| Span { is_call, input, output });
    proptest::collection::vec(proptest::collection::vec(span, 1..5), 1..10)
}

/// What stands for a trace: what its root has itself, else the words of its calls.
fn wanted<'a>(own: &'a Says, mut calls: impl Iterator<Item = &'a Says>) -> Option<&'a str> {
    let words = |says: &'a Says| match says {
        Says::Nothing => None,
        Says::Plain(text) | Says::Listed(text, _) => Some(text.as_str()),
    };
    match own {
        Says::Plain(text) => Some(text),
        _ => calls.find_map(words),
    }
}

fn rows(number: usize, spans: &[Span]) -> Vec<Row> {
    let cells = |says: &Says, value: &str, lists: [&str; 2], role: &str, row: &mut Row| match says {
        Says::Nothing => {}
        Says::Plain(text) => {
            row.insert(value.to_owned(), Cell::text(text));
        }
        Says::Listed(text, other) => {
            let list = match other {
                false => serde_json::json!([{"message": {"role": role, "content": text}}]),
                true => serde_json::json!([{"role": role, "parts": [{"type": "text", "content": text}]}]),
            };
            row.insert(lists[usize::from(*other)].to_owned(), Cell::text(list.to_string()));
        }
    };
    let of_span = |(at, span): (usize, &Span)| {
        let mut row = row(if number.is_multiple_of(3) { "p" } else { "q" }, &format!("t{number}"), &format!("s{at}"));
        row.insert(columns::START_TIME.to_owned(), Cell::Time(BASE_TIME + (number * 100 + at) as i64));
        row.insert(columns::SESSION_ID.to_owned(), Cell::text(format!("session {number}")));
        if at > 0 {
            row.insert(columns::PARENT_ID.to_owned(), Cell::text("s0"));
        }
        if span.is_call {
            row.insert(columns::KIND.to_owned(), Cell::text("LLM"));
        }
        let asked = ["attributes.llm.input_messages", "attributes.gen_ai.input.messages"];
        let answered = ["attributes.llm.output_messages", "attributes.gen_ai.output.messages"];
        cells(&span.input, columns::INPUT, asked, "user", &mut row);
        cells(&span.output, columns::OUTPUT, answered, "assistant", &mut row);
        row
    };
    spans.iter().enumerate().map(of_span).collect()
}

async fn store(traces: &[Vec<Span>]) -> Engine {
    let store = Store::open("memory://").unwrap();
    // In two files, of which the later one has the later traces.
    for half in [0, 1] {
        let of_half = traces.iter().enumerate().filter(|(number, _)| number % 2 == half);
        let rows: Vec<Row> = of_half.flat_map(|(number, spans)| rows(number, spans)).collect();
        if !rows.is_empty() {
            import(&store, &[batch(&rows)]).await.unwrap();
        }
    }
    engine(store.snapshot().await.unwrap()).await
}

async fn ids(engine: &Engine, sql: &str) -> BTreeSet<String> {
    let rows = ask_rows(engine, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let found: BTreeSet<String> = rows.iter().map(|row| row["id"].clone()).collect();
    assert_eq!(found.len(), rows.len(), "{sql}: no row comes twice");
    found
}

/// A condition in SQL on a column, and what it means of a text.
type Condition = (&'static str, fn(&str) -> bool);

const CONDITIONS: [Condition; 12] = [
    ("@ CONTAINS 'Needle'", |text| text.contains(NEEDLE)),
    ("@ NOT CONTAINS 'Needle'", |text| !text.contains(NEEDLE)),
    ("@ LIKE '%Needle%'", |text| text.contains(NEEDLE)),
    ("NOT (@ LIKE '%Needle%')", |text| !text.contains(NEEDLE)),
    ("@ ILIKE '%needle%'", |text| text.contains(NEEDLE)),
    ("lower(@) LIKE '%needle'", |text| text.ends_with(NEEDLE)),
    ("@ ~ 'Ne+dle.'", |text| text.find(NEEDLE).is_some_and(|at| at + NEEDLE.len() < text.len())),
    ("starts_with(@, 'Needle')", |text| text.starts_with(NEEDLE)),
    ("ends_with(@, 'Needle')", |text| text.ends_with(NEEDLE)),
    ("strpos(@, 'Needle') > 1024", |text| text.find(NEEDLE).is_some_and(|at| text[..at].chars().count() >= 1_024)),
    ("@ SIMILAR TO '%(Needle|Nothing)%'", |text| text.contains(NEEDLE)),
    ("(@ CONTAINS 'Needle' OR @ LIKE 'ü%')", |text| text.contains(NEEDLE) || text.starts_with('ü')),
];

async fn check(traces: &[Vec<Span>]) {
    let engine = store(traces).await;
    let of = |spans: &[Span], output: bool| -> Option<String> {
        let said = |span: &'_ Span| if output { span.output.clone() } else { span.input.clone() };
        let mut calls: Vec<Says> = spans.iter().filter(|span| span.is_call).map(said).collect();
        if output {
            calls.reverse();
        }
        let own = said(&spans[0]);
        wanted(&own, calls.iter()).map(str::to_owned)
    };
    for (column, of_session, output) in [("input", "first_input", false), ("output", "last_output", true)] {
        let texts: Vec<Option<String>> = traces.iter().map(|spans| of(spans, output)).collect();
        for (number, (condition, holds)) in CONDITIONS.into_iter().enumerate() {
            let true_of = |prefix: &str| -> BTreeSet<String> {
                let fit = texts.iter().enumerate().filter(|(_, text)| text.as_deref().is_some_and(holds));
                fit.map(|(number, _)| format!("{prefix}{number}")).collect()
            };
            let (of_traces, of_sessions) = (true_of("t"), true_of("session "));
            let asked = |name: &str| condition.replace('@', name);
            let plain = asked(column);
            let forms = [
                format!("SELECT trace_id AS id FROM traces WHERE {plain}"),
                format!("SELECT trace_id AS id FROM (SELECT {column} AS x, * FROM traces) t WHERE {}", asked("t.x")),
                format!("SELECT id FROM (SELECT trace_id AS id, {plain} AS fits FROM traces) WHERE fits"),
                format!(
                    "WITH t AS (SELECT * FROM traces WHERE span_count > 0) SELECT t.trace_id AS id FROM t JOIN traces u ON u.trace_id = t.trace_id AND {}",
                    asked(&format!("u.{column}"))
                ),
                format!("SELECT trace_id AS id FROM traces GROUP BY ALL HAVING count(*) FILTER (WHERE {plain}) > 0"),
                format!("SELECT trace_id AS id FROM turns WHERE {plain}"),
            ];
            // Each in one form of several: all of them take long.
            let sql = &forms[(number + usize::from(output)) % forms.len()];
            assert_eq!(ids(&engine, sql).await, of_traces, "{sql}\n{traces:?}");
            if number % 3 == 0 {
                let sql = format!("SELECT session_id AS id FROM sessions WHERE {}", asked(of_session));
                assert_eq!(ids(&engine, &sql).await, of_sessions, "{sql}\n{traces:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2, ..ProptestConfig::default() })]

    #[test]
    fn searches_look_at_whole_texts(traces in traces()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(check(&traces));
    }
}

fn plain(input: String) -> Vec<Span> {
    vec![Span { is_call: false, input: Says::Plain(input), output: Says::Nothing }]
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_of_other_languages_look_at_whole_texts() {
    let listed = |text: String| vec![Span { is_call: true, input: Says::Listed(text, false), output: Says::Nothing }];
    let engine = store(&[plain(text(2_000, 1_500)), listed(text(2_000, 1_500)), plain(text(2_000, 1_999))]).await;
    for (entity, filter, id) in [
        ("traces", r#"input contains "needle""#, "trace_id"),
        ("threads", r#"first_message contains "needle""#, "session_id"),
    ] {
        let sql = format!("SELECT {id} AS id FROM oql('{filter}', '{entity}')");
        assert_eq!(ids(&engine, &sql).await.len(), 2, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_looks_at_the_beginning_is_said() {
    let engine = store(&[plain(text(2_000, 1_500)), plain(text(10, 0))]).await;
    for (sql, is_cut) in [
        ("SELECT 1 FROM traces WHERE input CONTAINS 'Needle'", false),
        ("SELECT 1 FROM traces WHERE input = 'Needle'", true),
        ("SELECT 1 FROM traces WHERE input CONTAINS 'Needle' AND input <> 'x'", true),
        ("SELECT 1 FROM (SELECT DISTINCT input FROM traces) WHERE input CONTAINS 'Needle'", true),
    ] {
        let prepared = engine.prepare(sql, &Params::new()).await.unwrap().remove(0);
        let notes = prepared.cut_texts().await.unwrap();
        assert_eq!(!notes.is_empty(), is_cut, "{sql}: {notes:?}");
    }
    // What stands nowhere in the beginnings may well stand in the texts.
    let sql = "SELECT 1 FROM traces WHERE input CONTAINS 'Needleü'";
    let prepared = engine.prepare(sql, &Params::new()).await.unwrap().remove(0);
    assert!(prepared.unmatched(true).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_that_other_conditions_leave_out_are_not_read() {
    let engine = store(&[plain(text(2_000, 1_500)), plain(text(2_000, 1_500))]).await;
    let sql = "EXPLAIN SELECT trace_id FROM traces WHERE start_time >= '2026-01-01T00:00:00.0000001Z' \
               AND input CONTAINS 'Needle'";
    let rows = ask_rows(&engine, sql).await.unwrap();
    let plan = &rows.iter().find(|row| row["plan_type"] == "physical_plan").unwrap()["plan"];
    // Wherever rows of `traces` are read, they are of that time.
    let of_traces = |line: &&str| line.contains("DataSourceExec") && line.contains("projection=[project, trace_id");
    let scans: Vec<&str> = plan.lines().filter(of_traces).collect();
    assert!(scans.len() > 1 && scans.iter().all(|line| line.contains("start_time_max")), "{plan}");
}
