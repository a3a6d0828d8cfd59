//! Patterns of structure through SQL: what every pair of spans says, however rows lie.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{RecordBatch, UInt64Array};
use arrow::compute::{concat_batches, take_record_batch};
use datafusion::datasource::MemTable;
use spanql::engine::{Engine, EngineConfig, Relation};
use spanql::store::Store;

use super::cases::cases;
use super::support::{BASE_TIME, Cell, Random, Row, ask, ask_rows, batch, engine, import, row};

/// A span as the tests see it.
struct Span {
    trace: usize,
    id: String,
    parent: Option<String>,
    start: i64,
    n: Option<i64>,
}

/// Traces with everything that can be odd about a parent, the last one larger; no id is there twice in a trace.
fn forest(random: &mut Random, traces: usize, most: usize) -> Vec<Span> {
    let mut spans = vec![];
    for trace in 0..traces {
        let size = if trace + 1 == traces { most } else { 1 + random.below(30) };
        for at in 0..size {
            let parent = match random.below(12) {
                0 => None,
                1 => Some("lost".to_owned()),
                // Itself, or one that may lie below it.
                2 => Some(format!("s{}", random.below(size))),
                3 => Some(format!("s{at}")),
                // Long chains as well as wide fans.
                4..=7 => Some(format!("s{}", at.saturating_sub(1))),
                _ => Some(format!("s{}", random.below(at + 1))),
            };
            let n = (random.below(10) > 0).then(|| random.below(10) as i64);
            spans.push(Span { trace, id: format!("s{at}"), parent, start: random.below(20) as i64, n });
        }
    }
    spans
}

/// The parent of each span, cycles cut above their earliest members.
fn parents(spans: &[Span]) -> Vec<Option<usize>> {
    let named = |span: &Span| {
        spans.iter().position(|other| other.trace == span.trace && Some(&other.id) == span.parent.as_ref())
    };
    let mut parents: Vec<Option<usize>> = spans.iter().map(named).collect();
    for span in 0..spans.len() {
        let (mut members, mut at) = (vec![span], parents[span]);
        while let Some(next) = at.filter(|next| !members.contains(next)) {
            members.push(next);
            at = parents[next];
        }
        if at == Some(span) {
            let earliest = members.into_iter().min_by_key(|&member| (spans[member].start, &spans[member].id));
            parents[earliest.unwrap()] = None;
        }
    }
    parents
}

const OPERATORS: [&str; 5] = [">", ">>", "<", "<<", "~"];

fn related(parents: &[Option<usize>], operator: &str, a: usize, b: usize) -> bool {
    let is_above =
        |above: usize, below: usize| std::iter::successors(parents[below], |&at| parents[at]).any(|at| at == above);
    match operator {
        ">" => parents[b] == Some(a),
        ">>" => is_above(a, b),
        "<" => parents[a] == Some(b),
        "<<" => is_above(b, a),
        _ => a != b && parents[a].is_some() && parents[a] == parents[b],
    }
}

/// A pattern whose places are bounds on `attributes.n`.
struct Pattern {
    /// At least so much; `None` for every span.
    places: Vec<Option<i64>>,
    operators: Vec<&'static str>,
    negated: bool,
    side: &'static str,
}

impl Pattern {
    fn random(random: &mut Random) -> Self {
        let operators: Vec<&str> = (0..random.below(4)).map(|_| OPERATORS[random.below(5)]).collect();
        let places = (0..=operators.len()).map(|_| (random.below(5) > 0).then(|| random.below(11) as i64)).collect();
        let negated = !operators.is_empty() && random.below(3) == 0;
        Self { places, operators, negated, side: ["left", "right", "both"][random.below(3)] }
    }

    fn sql(&self) -> String {
        let place = |place: &Option<i64>| match place {
            Some(least) => format!("{{ attributes.n >= {least} }}"),
            None => "{ }".to_owned(),
        };
        let mut text = place(&self.places[0]);
        for (at, operator) in self.operators.iter().enumerate() {
            let not = if self.negated && at + 1 == self.operators.len() { "!" } else { "" };
            text += &format!(" {not}{operator} {}", place(&self.places[at + 1]));
        }
        if self.negated { format!("structure('{text}')") } else { format!("structure('{text}', '{}')", self.side) }
    }

    /// The spans it gives, by asking of every pair.
    fn given(&self, spans: &[Span], pairs: &dyn Fn(&str, usize, usize) -> bool) -> BTreeSet<usize> {
        let fits = |place: usize| -> BTreeSet<usize> {
            let is = |span: &usize| self.places[place].is_none_or(|least| spans[*span].n >= Some(least));
            (0..spans.len()).filter(is).collect()
        };
        let last = self.operators.len();
        let forward = |to: usize| {
            (0..to).fold(fits(0), |led, at| {
                let is = |b: &usize| led.iter().any(|a| pairs(self.operators[at], *a, *b));
                fits(at + 1).into_iter().filter(is).collect()
            })
        };
        let backward = || {
            (0..last).rev().fold(fits(last), |going, at| {
                let is = |a: &usize| going.iter().any(|b| pairs(self.operators[at], *a, *b));
                fits(at).into_iter().filter(is).collect()
            })
        };
        match self.side {
            _ if self.negated => {
                let without = |a: &usize| !fits(last).iter().any(|b| pairs(self.operators[last - 1], *a, *b));
                forward(last - 1).into_iter().filter(without).collect()
            }
            "left" => backward(),
            "right" => forward(last),
            _ => backward().union(&forward(last)).copied().collect(),
        }
    }
}

fn rows(spans: &[Span]) -> Vec<Row> {
    let row = |span: &Span| {
        // Traces of two projects share their ids.
        let mut row = row(["p", "q"][span.trace % 2], &format!("t{}", span.trace / 2), &span.id);
        let start = BASE_TIME + span.start * 1_000_000_000;
        row.insert("start_time".into(), Cell::Time(start));
        row.insert("end_time".into(), Cell::Time(start + 1_000_000_000));
        row.extend(span.parent.clone().map(|parent| ("parent_id".to_owned(), Cell::Text(parent))));
        row.extend(span.n.map(|n| ("attributes.n".to_owned(), Cell::Int(n))));
        row
    };
    spans.iter().map(row).collect()
}

/// An engine over a store of some segments that reads so many rows at a time.
async fn stored(spans: &[Span], segments: usize, read: usize) -> Engine {
    let store = Store::open("memory://").unwrap();
    for segment in 0..segments {
        let of_segment = rows(spans).into_iter().zip(spans).filter(|(_, span)| span.trace % segments == segment);
        import(&store, &[batch(&of_segment.map(|(row, _)| row).collect::<Vec<_>>())]).await.unwrap();
    }
    let engine = engine(store.snapshot().await.unwrap()).await;
    reading(&engine, read);
    engine
}

pub(super) fn reading(engine: &Engine, rows: usize) {
    let state = engine.context().state_ref();
    let mut state = state.write();
    let options = state.config_mut().options_mut();
    options.set("datafusion.execution.batch_size", &rows.to_string()).unwrap();
    options.set("datafusion.execution.target_partitions", "3").unwrap();
}

/// An engine over the same spans in any order, without the columns of the tree.
async fn scattered(stored: &Engine, random: &mut Random, read: usize) -> Engine {
    let (schema, batches) =
        ask(stored, "SELECT * EXCLUDE (tree.depth, tree.left, tree.right) FROM spans").await.unwrap();
    let all = concat_batches(&schema, &batches).unwrap();
    let mut order: Vec<u64> = (0..all.num_rows() as u64).collect();
    for at in (1..order.len()).rev() {
        order.swap(at, random.below(at + 1));
    }
    let all = take_record_batch(&all, &UInt64Array::from(order)).unwrap();
    let pieces: Vec<RecordBatch> =
        (0..all.num_rows()).step_by(50).map(|at| all.slice(at, 50.min(all.num_rows() - at))).collect();
    let partitions = pieces.chunks(3).map(<[_]>::to_vec).collect();
    let engine = Engine::new(EngineConfig::default()).unwrap();
    let table = Arc::new(MemTable::try_new(schema, partitions).unwrap());
    engine.register("spans", Relation::Spans { table, rest: Arc::default() }).await.unwrap();
    reading(&engine, read);
    engine
}

fn ids(spans: &[Span], given: impl IntoIterator<Item = usize>) -> Vec<String> {
    let id = |span: usize| {
        let Span { trace, id, .. } = &spans[span];
        format!("{} t{} {id}", ["p", "q"][trace % 2], trace / 2)
    };
    let mut ids: Vec<String> = given.into_iter().map(id).collect();
    ids.sort();
    ids
}

async fn answer(engine: &Engine, rows: &str) -> Vec<String> {
    let sql = format!("SELECT project || ' ' || trace_id || ' ' || span_id AS id FROM {rows} ORDER BY 1");
    let rows = ask_rows(engine, &sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    rows.into_iter().map(|row| row["id"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn patterns_give_what_every_pair_of_spans_says() {
    let mut random = Random(11);
    for (segments, read, most) in [(1, 7, 300), (5, 100, 60)] {
        let spans = forest(&mut random, 12, most);
        let store = stored(&spans, segments, read).await;
        let memory = scattered(&store, &mut random, read).await;
        let parents = parents(&spans);
        let n = spans.len();
        let table =
            |operator| -> Vec<bool> { (0..n * n).map(|at| related(&parents, operator, at / n, at % n)).collect() };
        let tables = OPERATORS.map(table);
        let pairs = |operator: &str, a: usize, b: usize| {
            tables[OPERATORS.iter().position(|known| *known == operator).unwrap()][a * n + b]
        };
        let mut some = 0;
        let patterns = cases(40).max(14);
        for number in 0..patterns {
            let mut pattern = Pattern::random(&mut random);
            // Each operator and its negation for certain.
            if number < 10 {
                pattern.operators = vec![OPERATORS[number % 5]];
                pattern.places = vec![Some(4), Some(6)];
                pattern.negated = number >= 5;
            }
            let given = pattern.given(&spans, &pairs);
            some += usize::from(!given.is_empty());
            let expected = ids(&spans, given.iter().copied());
            let sql = pattern.sql();
            assert_eq!(answer(&store, &sql).await, expected, "{sql} of a store");
            assert_eq!(answer(&memory, &sql).await, expected, "{sql} of rows in any order");

            // Conditions around choose among what is given, and never cut a trace before.
            for (around, is) in [
                ("trace_id = 't1' AND project = 'q'", &(|span: &Span| span.trace == 3) as &dyn Fn(&Span) -> bool),
                ("start_time >= '2026-01-01T00:00:10Z'", &|span: &Span| span.start >= 10),
                ("attributes.n < 5 OR trace_id = 't0'", &|span: &Span| span.n.is_some_and(|n| n < 5) || span.trace < 2),
            ] {
                let expected = ids(&spans, given.iter().copied().filter(|&span| is(&spans[span])));
                let rows = format!("{sql} WHERE {around}");
                assert_eq!(answer(&store, &rows).await, expected, "{rows} of a store");
            }
        }
        assert!(some > patterns / 2, "only {some} patterns give any span");
    }
}
