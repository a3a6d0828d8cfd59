//! Random imports: what a store holds does not depend on how its spans arrived, and follows from them by simple rules.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use proptest::prelude::*;
use spanql::store::Store;
use spanql_model::columns;

use super::cases::cases;
use super::support::{
    ALL_SPANS, ALL_TRACES, BASE_TIME, Cell, Row, ask_rows, ask_text, assert_same, batch, dump, engine, import, row,
};

const COMMITS: usize = 5;

/// The columns that random rows fill, each with the values it is filled with.
fn pool() -> Vec<(&'static str, Vec<Cell>)> {
    let texts = |texts: &[&str]| texts.iter().map(|text| Cell::text(*text)).collect::<Vec<_>>();
    let times = |offsets: &[i64]| offsets.iter().map(|offset| Cell::Time(BASE_TIME + offset)).collect::<Vec<_>>();
    let open = || {
        // 2^53 + 1 has no float of its own, and 2^53 is the float nearest to it.
        let mut values = vec![Cell::Int(5), Cell::Int(-3), Cell::Int((1 << 53) + 1), Cell::Float(5.0)];
        values.extend([Cell::Float(1.5), Cell::Float(9_007_199_254_740_992.0), Cell::Bool(true)]);
        values.extend(texts(&["abc", "5", "", "true"]));
        values
    };
    vec![
        (columns::NAME, texts(&["plan", "act", ""])),
        (columns::PARENT_ID, texts(&["s0", "s1", "s2", "gone"])),
        (columns::START_TIME, times(&[0, 1, 1_000_000, 5_000_000_000])),
        (columns::END_TIME, times(&[1, 2_500_000, 9_000_000_000])),
        (columns::STATUS_CODE, texts(&["OK", "ERROR", "UNSET"])),
        (columns::STATUS_MESSAGE, texts(&["", "boom"])),
        (columns::EVENTS, texts(&["[]", r#"[{"name":"e","attributes":{"k":1}}]"#, r#"[{"name":"f"}]"#])),
        (columns::INPUT, texts(&["question", "{\"a\": 1}"])),
        (columns::MODEL, texts(&["m1", "m2"])),
        (columns::SESSION_ID, texts(&["c1", "c2"])),
        (columns::TOTAL_TOKENS, vec![Cell::Int(0), Cell::Int(7)]),
        (columns::COST, vec![Cell::Float(0.25), Cell::Float(2.0)]),
        (columns::METADATA, texts(&[r#"{"a":1}"#, r#"{"a":"x","b":true}"#, r#"{"b":[1],"c":2.5}"#, "no object"])),
        ("attributes.x", open()),
        ("attributes.y", vec![Cell::Int(5), Cell::Float(1.5)]),
        ("eval.q.score", vec![Cell::Float(0.5), Cell::Float(1.0), Cell::Int(1)]),
        ("annotation.notes", texts(&["n"])),
    ]
}

/// Which value of the pool, by column; some columns get none.
pub(crate) fn picks() -> impl Strategy<Value = Vec<Option<usize>>> {
    let choices: Vec<_> =
        pool().into_iter().map(|(_, values)| proptest::option::weighted(0.5, 0..values.len()).boxed()).collect();
    choices
}

pub(crate) fn key() -> impl Strategy<Value = (usize, usize, usize)> {
    (0..2_usize, 0..3_usize, 0..4_usize)
}

fn base_row((project, trace, span): (usize, usize, usize)) -> Row {
    // The same trace id in two projects means two traces.
    row(["p", "q"][project], &format!("t{trace}"), &format!("s{span}"))
}

pub(crate) fn filled(key: (usize, usize, usize), picks: &[Option<usize>]) -> Row {
    let mut row = base_row(key);
    for ((name, values), pick) in pool().into_iter().zip(picks) {
        row.extend(pick.map(|pick| (name.to_owned(), values[pick].clone())));
    }
    row
}

/// A copy of a span: the commit it comes with, which of its values it has, and whether it says `[]` and UNSET where
/// it has no events and no status.
type Copy = (usize, u32, bool);

/// Copies of one span that do not contradict each other and together have all its values.
fn copies_of(truth: &Row, copies: &[Copy]) -> Vec<(usize, Row)> {
    let mut missing: BTreeSet<&String> = truth.keys().collect();
    let required = base_row((0, 0, 0));
    let mut rows = Vec::new();
    for (number, (commit, mask, weak)) in copies.iter().enumerate() {
        let last = number + 1 == copies.len();
        let mut copy = Row::new();
        for (at, (name, cell)) in truth.iter().enumerate() {
            if required.contains_key(name) || mask >> at & 1 == 1 || (last && missing.contains(name)) {
                copy.insert(name.clone(), cell.clone());
                missing.remove(name);
            }
        }
        for (name, value) in [(columns::EVENTS, "[]"), (columns::STATUS_CODE, "UNSET")] {
            if *weak && truth.contains_key(name) && !copy.contains_key(name) {
                copy.insert(name.to_owned(), Cell::text(value));
            }
        }
        rows.push((*commit, copy));
    }
    rows
}

pub(crate) async fn commit(store: &Store, rows: &[Row], batch_rows: usize) {
    let batches: Vec<_> = rows.chunks(batch_rows).map(batch).collect();
    import(store, &batches).await.unwrap();
}

pub(crate) async fn version(store: &Store) -> u64 {
    store.snapshot().await.unwrap().manifest.version
}

pub(crate) fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(work)
}

/// What a store must hold, by the rules: rows by project, trace and span, in order of arrival.
#[derive(Clone, Default)]
pub(crate) struct Oracle(pub(crate) BTreeMap<(String, String, String), Row>);

impl Oracle {
    pub(crate) fn take(&mut self, arrived: &Row) {
        let id = |name: &str| arrived[name].plain();
        let key = (id(columns::PROJECT), id(columns::TRACE_ID), id(columns::SPAN_ID));
        let held = self.0.entry(key).or_default();
        for (name, cell) in arrived.iter().filter(|(name, _)| *name != columns::METADATA_PATCH) {
            let weak = match name.as_str() {
                columns::EVENTS => *cell == Cell::text("[]"),
                columns::STATUS_CODE => *cell == Cell::text("UNSET"),
                _ => false,
            };
            if !weak || !held.contains_key(name) {
                held.insert(name.clone(), cell.clone());
            }
        }
        if let Some(patch) = arrived.get(columns::METADATA_PATCH) {
            let parse = |text: &str| serde_json::from_str::<IndexMap<String, serde_json::Value>>(text).ok();
            let mut object = held.get(columns::METADATA).and_then(|cell| parse(&cell.plain())).unwrap_or_default();
            object.extend(parse(&patch.plain()).unwrap());
            held.insert(columns::METADATA.to_owned(), Cell::Text(serde_json::to_string(&object).unwrap()));
        }
    }

    /// All cells that SQL shows but for `tree.*`, as text.
    pub(crate) fn cells(&self) -> Vec<BTreeMap<String, String>> {
        let mut rows = Vec::new();
        for held in self.0.values() {
            let mut cells: BTreeMap<String, String> =
                held.iter().map(|(name, cell)| (name.clone(), cell.plain())).collect();
            if let (Some(Cell::Time(start)), Some(Cell::Time(end))) =
                (held.get(columns::START_TIME), held.get(columns::END_TIME))
            {
                cells.insert(columns::LATENCY_MS.into(), ((end - start) as f64 / 1e6).to_string());
            }
            if held.get(columns::EVENTS).is_some_and(|cell| cell.plain().contains("attributes")) {
                cells.insert(columns::EVENT_ATTRIBUTES.into(), r#"[{"k":1}]"#.into());
            }
            let metadata = held.get(columns::METADATA).map(Cell::plain).unwrap_or_default();
            for (key, value) in
                serde_json::from_str::<BTreeMap<String, serde_json::Value>>(&metadata).unwrap_or_default()
            {
                let text = match value {
                    serde_json::Value::String(text) => text,
                    value if value.is_array() || value.is_object() || value.is_null() => continue,
                    value => value.to_string(),
                };
                cells.insert(format!("{}{key}", columns::METADATA_PREFIX), text);
            }
            rows.push(cells);
        }
        rows
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(28) as u32, failure_persistence: None, ..ProptestConfig::default() })]

    /// Spans that do not contradict each other give the same store in parts, repeated and in any order.
    #[test]
    fn parts_repeats_and_order_do_not_matter(
        spans in proptest::collection::btree_map(
            key(),
            (picks(), proptest::collection::vec((0..COMMITS, any::<u32>(), any::<bool>()), 1..4)),
            1..12,
        ),
        order in proptest::collection::vec(0..COMMITS, 0..8),
        batch_rows in 1..6_usize,
    ) {
        let mut commits: Vec<Vec<Row>> = vec![Vec::new(); COMMITS];
        let mut all = Vec::new();
        for (key, (picks, copies)) in &spans {
            let truth = filled(*key, picks);
            for (number, copy) in copies_of(&truth, copies) {
                commits[number].push(copy);
            }
            all.push(truth);
        }
        let mut order = order;
        for number in 0..COMMITS {
            if !order.contains(&number) {
                order.push(number);
            }
        }
        wait(async {
            let at_once = Store::open("memory://").unwrap();
            commit(&at_once, &all, 1000).await;
            let in_parts = Store::open("memory://").unwrap();
            for number in &order {
                commit(&in_parts, &commits[*number], batch_rows).await;
            }
            assert_same(&dump(&in_parts).await.unwrap(), &dump(&at_once).await.unwrap(), "in parts");
            let before = version(&in_parts).await;
            for number in &order {
                commit(&in_parts, &commits[*number], batch_rows).await;
            }
            commit(&in_parts, &all, batch_rows).await;
            assert_eq!(version(&in_parts).await, before, "nothing was new");
        });
    }

    /// Where copies differ, every cell is what the rules say: the later value wins, and no null erases one.
    #[test]
    fn every_cell_follows_from_the_arrivals(
        arrivals in proptest::collection::vec(
            proptest::collection::vec((key(), picks(), proptest::option::weighted(0.15, 0..3_usize)), 1..8),
            1..6,
        ),
        batch_rows in 1..6_usize,
    ) {
        let patches = [r#"{"a":1}"#, r#"{"a":"y","d":3}"#, r#"{"b":false}"#];
        let mut oracle = Oracle::default();
        wait(async {
            let store = Store::open("memory://").unwrap();
            for rows in &arrivals {
                let rows: Vec<Row> = rows
                    .iter()
                    .map(|(key, picks, patch)| {
                        let mut row = filled(*key, picks);
                        row.extend(patch.map(|at| (columns::METADATA_PATCH.to_owned(), Cell::text(patches[at]))));
                        row
                    })
                    .collect();
                commit(&store, &rows, batch_rows).await;
                rows.iter().for_each(|row| oracle.take(row));
            }
            let held = engine(store.snapshot().await.unwrap()).await;
            let mut rows = ask_rows(&held, ALL_SPANS).await.unwrap();
            for row in &mut rows {
                row.retain(|name, _| !name.starts_with("tree."));
            }
            assert_eq!(rows, oracle.cells());

            // What follows from whole traces is as if only the merged rows had ever come.
            let merged: Vec<Row> = oracle.0.values().cloned().collect();
            let fresh = Store::open("memory://").unwrap();
            commit(&fresh, &merged, 1000).await;
            let fresh = engine(fresh.snapshot().await.unwrap()).await;
            let tree: Vec<&str> = columns::TREE.iter().map(|column| column.name).collect();
            let tree = format!(
                "SELECT context.span_id, {} FROM spans ORDER BY project, context.trace_id, context.span_id",
                tree.join(", ")
            );
            for sql in [&tree, ALL_TRACES] {
                assert_same(&ask_text(&held, sql).await.unwrap(), &ask_text(&fresh, sql).await.unwrap(), sql);
            }
        });
    }
}
