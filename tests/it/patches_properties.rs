//! Random patches between imports, deletions, compactions and restored versions, against a map of rows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use proptest::prelude::*;
use serde_json::value::RawValue;
use spanql::engine::Engine;
use spanql::store::{Grain, Patch, Store, StoreError, UnknownIds};
use spanql_model::columns;

use super::cases::cases;
use super::store_properties::{Oracle, commit, filled, key, picks, version, wait};
use super::support::{ALL_SPANS, ALL_TRACES, Cell, Row, ask_rows, ask_text, assert_same, engine};

/// The columns that patches fill, each with the values it is filled with.
fn pool() -> Vec<(&'static str, Vec<Cell>)> {
    let texts = |texts: &[&str]| texts.iter().map(|text| Cell::text(*text)).collect::<Vec<_>>();
    vec![
        ("eval.q.score", vec![Cell::Float(0.5), Cell::Float(0.25), Cell::Int(1)]),
        ("eval.q.label", texts(&["good", "bad", ""])),
        (
            "eval.mixed.score",
            vec![Cell::Int(5), Cell::Float(1.5), Cell::Bool(true), Cell::text("5"), Cell::text("abc")],
        ),
        ("trace_eval.goal.label", texts(&["reached"])),
        (columns::NOTES, texts(&["[]", r#"[{"text":"n"}]"#, r#"[{"text":"m"},{"text":"n"}]"#])),
        (
            columns::METADATA_PATCH,
            texts(&[r#"{"a":1}"#, r#"{"a":null}"#, r#"{"b":{"x":1}}"#, r#"{"b":{"y":2}}"#, r#"{"d":"text"}"#, "{}"]),
        ),
    ]
}

/// Values by their number in the pool of a column; none where the column has none.
type Picks = Vec<Option<usize>>;
/// Trace where one is named, span, values.
type PatchRow = (Option<usize>, usize, Picks);

#[derive(Debug, Clone)]
enum Step {
    Import(Vec<((usize, usize, usize), Picks)>),
    /// Project, and rows.
    Patch(usize, Vec<PatchRow>),
    Delete(usize, usize),
    Compact,
    /// One of the versions there were.
    Restore(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let values = || -> Vec<BoxedStrategy<Option<usize>>> {
        let one = |(_, values): (_, Vec<Cell>)| proptest::option::weighted(0.4, 0..values.len()).boxed();
        pool().into_iter().map(one).collect()
    };
    let patched = (proptest::option::weighted(0.3, 0..3_usize), 0..5_usize, values());
    let step = prop_oneof![
        3 => proptest::collection::vec((key(), picks()), 1..6).prop_map(Step::Import),
        6 => (0..2_usize, proptest::collection::vec(patched, 1..5)).prop_map(|(project, rows)| Step::Patch(project, rows)),
        1 => (0..2_usize, 0..4_usize).prop_map(|(project, span)| Step::Delete(project, span)),
        1 => Just(Step::Compact),
        1 => any::<usize>().prop_map(Step::Restore),
    ];
    proptest::collection::vec(step, 2..14)
}

/// One row of a patch as a batch.
pub(crate) fn patch_row(trace: Option<&str>, span: &str, values: &[(&str, &Cell)]) -> RecordBatch {
    let text = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
    let mut fields = vec![(columns::SPAN_ID, text(span), true)];
    fields.extend(trace.map(|trace| (columns::TRACE_ID, text(trace), true)));
    for (name, cell) in values {
        let array: ArrayRef = match cell {
            Cell::Text(value) => text(value),
            Cell::Int(value) => Arc::new(Int64Array::from(vec![*value])),
            Cell::Float(value) => Arc::new(Float64Array::from(vec![*value])),
            Cell::Bool(value) => Arc::new(BooleanArray::from(vec![*value])),
            Cell::Time(_) => panic!("no patch has times"),
        };
        fields.push((*name, array, true));
    }
    RecordBatch::try_from_iter_with_nullable(fields).unwrap()
}

/// What is true of a store, and what was of each of its versions.
#[derive(Clone, Default)]
struct World {
    spans: Oracle,
    deleted: BTreeSet<(String, String, String)>,
}

impl World {
    fn import(&mut self, row: &Row) {
        let id = |name: &str| row[name].plain();
        if !self.deleted.contains(&(id(columns::PROJECT), id(columns::TRACE_ID), id(columns::SPAN_ID))) {
            self.spans.take(row);
        }
    }

    /// Whether the project has the span.
    fn patch(&mut self, project: &str, trace: Option<&str>, span: &str, values: &[(&str, &Cell)]) -> bool {
        let is_meant = |key: &(String, String, String)| {
            key.0 == project && trace.is_none_or(|trace| key.1 == trace) && key.2 == span
        };
        let mut is_known = false;
        for (_, row) in self.spans.0.iter_mut().filter(|(key, _)| is_meant(key)) {
            is_known = true;
            for (name, cell) in values {
                if *name == columns::METADATA_PATCH {
                    let held = row.get(columns::METADATA).map(Cell::plain);
                    row.insert(columns::METADATA.into(), Cell::Text(merged(held.as_deref(), &cell.plain())));
                } else if *name == columns::NOTES {
                    let held = row.get(columns::NOTES).map(Cell::plain);
                    row.insert(columns::NOTES.into(), Cell::Text(noted(held.as_deref(), &cell.plain())));
                } else {
                    row.insert((*name).to_owned(), (*cell).clone());
                }
            }
        }
        is_known
    }
}

/// A document merged into an object, whose keys keep their order on every level.
fn merged(held: Option<&str>, document: &str) -> String {
    type Object = indexmap::IndexMap<String, Box<RawValue>>;
    let mut object: Object = held.and_then(|held| serde_json::from_str(held).ok()).unwrap_or_default();
    for (key, value) in serde_json::from_str::<Object>(document).unwrap() {
        let value = match object.get(&key) {
            Some(known) if known.get().starts_with('{') && value.get().starts_with('{') => {
                RawValue::from_string(merged(Some(known.get()), value.get())).unwrap()
            }
            _ => value,
        };
        object.insert(key, value);
    }
    serde_json::to_string(&object).unwrap()
}

/// Notes behind those that there are, each once; text that is no list is one note.
fn noted(held: Option<&str>, new: &str) -> String {
    let Some(held) = held else { return new.to_owned() };
    let list = |text: &str| {
        serde_json::from_str::<Vec<serde_json::Value>>(text).unwrap_or_else(|_| vec![serde_json::Value::from(text)])
    };
    let mut notes = list(held);
    let before = notes.len();
    for note in list(new) {
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    if notes.len() == before { held.to_owned() } else { serde_json::to_string(&notes).unwrap() }
}

async fn check(store: &Store, world: &World) {
    let held = engine(store.snapshot().await.unwrap()).await;
    let mut rows = ask_rows(&held, ALL_SPANS).await.unwrap();
    for row in &mut rows {
        row.retain(|name, _| !name.starts_with("tree."));
    }
    let cells = world.spans.cells();
    assert_eq!(rows, cells);
    check_facts(&held, &cells).await;
    for (column, value) in [("eval.q.label", "bad"), ("attributes.metadata.a", "1"), ("eval.q.label", "")] {
        let sql = format!("SELECT count(*) AS n FROM spans WHERE CAST({column} AS varchar) = '{value}'");
        let n = ask_rows(&held, &sql).await.unwrap()[0]["n"].clone();
        let expected = cells.iter().filter(|row| row.get(column).is_some_and(|cell| cell == value)).count();
        assert_eq!(n, expected.to_string(), "{sql}");
    }
    let fresh = Store::open("memory://").unwrap();
    commit(&fresh, &world.spans.0.values().cloned().collect::<Vec<_>>(), 1000).await;
    let fresh = engine(fresh.snapshot().await.unwrap()).await;
    assert_same(&ask_text(&held, ALL_TRACES).await.unwrap(), &ask_text(&fresh, ALL_TRACES).await.unwrap(), ALL_TRACES);
    let evals = "SELECT project, trace_id, span_id, name, label, CAST(score AS varchar) AS score FROM evals \
                 WHERE name = 'q' ORDER BY project, trace_id, span_id";
    assert_same(&ask_text(&held, evals).await.unwrap(), &ask_text(&fresh, evals).await.unwrap(), evals);
}

/// The table `columns` counts what is there.
async fn check_facts(held: &Engine, cells: &[BTreeMap<String, String>]) {
    let mut filled: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut spans: BTreeMap<String, usize> = BTreeMap::new();
    for row in cells {
        *spans.entry(row[columns::PROJECT].clone()).or_default() += 1;
        for name in row.keys() {
            *filled.entry((row[columns::PROJECT].clone(), name.clone())).or_default() += 1;
        }
    }
    let facts = ask_rows(held, "SELECT project, name, filled FROM columns WHERE name NOT LIKE 'tree.%'").await.unwrap();
    let facts: BTreeMap<(String, String), f64> = facts
        .into_iter()
        .map(|row| ((row["project"].clone(), row["name"].clone()), row["filled"].parse().unwrap()))
        .collect();
    let expected: BTreeMap<(String, String), f64> = filled
        .into_iter()
        .map(|((project, name), count)| {
            let share = count as f64 / spans[&project] as f64;
            ((project, name), share)
        })
        .collect();
    assert_eq!(facts, expected);
}

async fn run(steps: &[Step]) {
    let store = Store::open("memory://").unwrap();
    let mut world = World::default();
    let mut versions: BTreeMap<u64, World> = BTreeMap::new();
    for step in steps {
        match step {
            Step::Import(rows) => {
                let rows: Vec<Row> = rows.iter().map(|(key, picks)| filled(*key, picks)).collect();
                commit(&store, &rows, 3).await;
                rows.iter().for_each(|row| world.import(row));
            }
            Step::Patch(project, rows) => patch(&store, &mut world, ["p", "q"][*project], rows).await,
            Step::Delete(project, span) => {
                let (project, span) = (["p", "q"][*project], format!("s{span}"));
                store.delete_spans(project, &[&span]).await.unwrap();
                let gone: Vec<_> =
                    world.spans.0.keys().filter(|key| key.0 == project && key.2 == span).cloned().collect();
                for key in gone {
                    world.spans.0.remove(&key);
                    world.deleted.insert(key);
                }
            }
            Step::Compact => drop(store.compact().await.unwrap()),
            Step::Restore(which) => {
                let Some((number, before)) = versions.iter().nth(which % versions.len().max(1)) else { continue };
                store.restore(*number).await.unwrap();
                world = before.clone();
            }
        }
        let now = version(&store).await;
        if now > 0 {
            versions.insert(now, world.clone());
            check(&store, &world).await;
        }
    }
}

async fn patch(store: &Store, world: &mut World, project: &str, rows: &[PatchRow]) {
    let pool = pool();
    let mut patch = Patch::new(project, Grain::Span);
    let before = world.clone();
    let mut known: BTreeMap<String, bool> = BTreeMap::new();
    for (trace, span, picks) in rows {
        let (trace, span) = (trace.map(|trace| format!("t{trace}")), format!("s{span}"));
        let values: Vec<(&str, &Cell)> =
            pool.iter().zip(picks).filter_map(|((name, values), pick)| Some((*name, &values[(*pick)?]))).collect();
        patch.push(&patch_row(trace.as_deref(), &span, &values)).unwrap();
        let is_known = world.patch(project, trace.as_deref(), &span, &values);
        *known.entry(span).or_default() |= is_known;
    }
    let unknown: Vec<String> = known.iter().filter(|(_, known)| !**known).map(|(id, _)| id.clone()).collect();
    let refused = store.patch(&patch, UnknownIds::Refuse, "patch").await;
    match refused {
        Ok(_) => assert!(unknown.is_empty()),
        Err(StoreError::UnknownIds { mut ids, .. }) => {
            ids.sort();
            assert_eq!(ids, unknown);
            check(store, &before).await;
            let patched = store.patch(&patch, UnknownIds::Skip, "patch").await.unwrap();
            assert_eq!(patched.unknown().collect::<BTreeSet<_>>(), unknown.iter().map(String::as_str).collect());
        }
        Err(error) => panic!("{error}"),
    }
    // Once more changes nothing.
    let now = version(store).await;
    store.patch(&patch, UnknownIds::Skip, "patch").await.unwrap();
    let is_settled = rows.iter().map(|(_, span, _)| span).collect::<BTreeSet<_>>().len() == rows.len();
    assert!(!is_settled || version(store).await == now, "what is there is not written again");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(12) as u32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_store_holds_what_was_written(steps in steps()) {
        wait(run(&steps));
    }
}
