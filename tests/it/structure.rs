//! Patterns of structure through SQL: what every pair of spans says, however rows lie, and no more is read than needed.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{RecordBatch, UInt64Array};
use arrow::compute::{concat_batches, take_record_batch};
use datafusion::datasource::MemTable;
use spanql::engine::{Engine, EngineConfig, Params, Relation, Selected};
use spanql::filter::{Names, Unknown, pattern};
use spanql::store::Store;

use super::support::{BASE_TIME, Cell, Random, Row, ask, ask_rows, ask_text, batch, demo, engine, import, row};

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

fn reading(engine: &Engine, rows: usize) {
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
        for number in 0..40 {
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
        assert!(some > 20, "only {some} patterns give any span");
    }
}

async fn plan(engine: &Engine, sql: &str) -> String {
    let lines = ask_rows(engine, &format!("EXPLAIN {sql}")).await.unwrap();
    let physical = lines.into_iter().find(|row| row["plan_type"] == "physical_plan").unwrap();
    physical["plan"].clone()
}

/// A store of generated spans in several segments.
async fn demo_engine() -> Engine {
    let store = Store::open("memory://").unwrap();
    for seed in [1, 2, 3] {
        import(&store, &demo(seed, 2_000)).await.unwrap();
    }
    let engine = engine(store.snapshot().await.unwrap()).await;
    reading(&engine, 1_000);
    engine
}

/// The lines of a plan from an operator on.
fn below<'a>(plan: &'a str, operator: &str) -> Vec<&'a str> {
    let mut lines = plan.lines().map(str::trim).skip_while(|line| !line.starts_with(operator));
    assert!(lines.next().is_some(), "no {operator} in\n{plan}");
    lines.collect()
}

#[tokio::test]
async fn traces_go_from_the_scan_to_the_pattern_as_they_lie() {
    let engine = demo_engine().await;
    for (sql, columns) in [
        (
            "SELECT count(*) FROM structure('{kind = ''AGENT''} >> {kind = ''TOOL''}')",
            "project, context.trace_id, tree.left, tree.right, attributes.openinference.span.kind",
        ),
        (
            "SELECT name, span_id FROM structure('{kind = ''AGENT''} !>> {status_code = ''ERROR'' AND latency_ms > 5}') \
             WHERE name LIKE 'a%' AND latency_ms > 7",
            "context.span_id, name, latency_ms, project, context.trace_id, tree.left, tree.right, \
             attributes.openinference.span.kind, status_code",
        ),
        ("SELECT tree.left FROM structure('{} ~ {}')", "tree.left, project, context.trace_id, tree.right"),
    ] {
        let plan = plan(&engine, sql).await;
        let below = below(&plan, "StructureExec: pattern={");
        let [scan] = below.as_slice() else { panic!("more than a scan below:\n{plan}") };
        assert!(scan.starts_with("DataSourceExec: file_groups={3 groups:"), "{scan}");
        let read = scan.split("projection=[").nth(1).and_then(|rest| rest.split(']').next()).unwrap();
        assert_eq!(names(read), names(columns), "{sql}\n{plan}");
        assert!(!scan.contains("predicate="), "{scan}");
        assert!(!plan.contains("SortExec"), "{plan}");
    }
}

/// The names in a list, sorted.
fn names(list: &str) -> BTreeSet<&str> {
    list.split(", ").map(|name| name.split('@').next().unwrap().trim()).collect()
}

#[tokio::test]
async fn only_what_is_the_same_for_a_whole_trace_reaches_the_scan() {
    let engine = demo_engine().await;
    let pattern = "structure('{} > {kind = ''TOOL''}')";
    let predicate = async |condition: &str| {
        let plan = plan(&engine, &format!("SELECT name FROM {pattern} WHERE {condition}")).await;
        let scan = below(&plan, "StructureExec").join("\n");
        (scan.split("predicate=").nth(1).map(|rest| rest.split(", pruning").next().unwrap().to_owned()), plan)
    };
    for (condition, expected) in [
        ("trace_id = 'x'", Some("context.trace_id")),
        ("project = 'support-agent' AND trace_id IN ('x', 'y')", Some("context.trace_id")),
        ("name = 'x'", None),
        ("latency_ms > 5", None),
        ("start_time >= '2020-01-01' AND span_id = 'x'", None),
        ("trace_id = 'x' OR name = 'y'", None),
        ("trace_id = span_id", None),
        ("random() < 0.5", None),
        ("trace_id = 'x' OR random() < 0.5", None),
    ] {
        let (predicate, plan) = predicate(condition).await;
        match (predicate, expected) {
            (Some(predicate), Some(expected)) => assert!(predicate.contains(expected), "{condition}: {predicate}"),
            (None, None) => {}
            (found, _) => panic!("{condition}: {found:?}\n{plan}"),
        }
    }
    // Both kinds: the one goes down, the other stays.
    let (predicate, plan) = predicate("trace_id > 'x' AND name = 'y'").await;
    assert!(predicate.is_some_and(|predicate| !predicate.contains("name")), "{plan}");
    assert!(plan.contains("FilterExec: name@"), "{plan}");
    // A time that no segment has spans of needs none.
    let (_, plan) = plan_and(&engine, pattern, "start_time > '2100-01-01'").await;
    assert!(!plan.contains("DataSourceExec"), "{plan}");
    let prepared = engine.prepare(&format!("SELECT * FROM {pattern}"), &Params::new()).await.unwrap();
    assert!(prepared[0].reads_spans(), "the answer rests on what was pulled");
}

async fn plan_and(engine: &Engine, rows: &str, condition: &str) -> (String, String) {
    let sql = format!("SELECT name FROM {rows} WHERE {condition}");
    let plan = plan(engine, &sql).await;
    (sql, plan)
}

/// Questions about many traces, and the columns of `spans` that each reads.
const QUESTIONS: [(&str, Option<&str>); 5] = [
    ("SELECT tree.depth, count(*) FROM spans GROUP BY 1 ORDER BY 1", Some("tree.depth")),
    (
        "SELECT count(*) FROM structure('{kind=''AGENT''} >> {kind=''TOOL''}')",
        Some("project, context.trace_id, attributes.openinference.span.kind, tree.left, tree.right"),
    ),
    (
        "SELECT count(*) FROM structure('{kind=''AGENT''} !>> {kind=''TOOL''}')",
        Some("project, context.trace_id, attributes.openinference.span.kind, tree.left, tree.right"),
    ),
    ("SELECT trace_id, cost FROM traces ORDER BY cost DESC NULLS LAST, trace_id LIMIT 10", None),
    ("SELECT session_id, cost FROM sessions ORDER BY cost DESC NULLS LAST, session_id LIMIT 10", None),
];

#[tokio::test]
async fn nothing_sorts_or_hashes_all_spans_by_trace() {
    let engine = demo_engine().await;
    for (sql, columns) in QUESTIONS {
        let plan = plan(&engine, sql).await;
        let scan = plan.lines().find(|line| line.contains("DataSourceExec")).unwrap();
        assert_eq!(plan.matches("DataSourceExec").count(), 1, "{plan}");
        assert_eq!(scan.contains("/segments/") || scan.contains("segments/"), columns.is_some(), "{plan}");
        if let Some(columns) = columns {
            let read = scan.split("projection=[").nth(1).and_then(|rest| rest.split(']').next()).unwrap();
            assert_eq!(names(read), names(columns), "{plan}");
            for line in plan.lines().filter(|line| {
                ["SortExec", "AggregateExec", "RepartitionExec", "WindowAggExec", "HashJoinExec"]
                    .iter()
                    .any(|operator| line.trim().starts_with(operator))
            }) {
                assert!(!line.contains("trace_id"), "{plan}");
            }
        }
    }
}

#[tokio::test]
async fn a_pattern_that_was_read_elsewhere_is_the_same() {
    let engine = demo_engine().await;
    let (schema, rest) = engine.span_columns("spans").await.unwrap();
    let names = Names::new(&schema, &rest, Unknown::Error);
    let pattern = pattern::parse("{kind = 'AGENT'} > {kind = 'LLM'}", None, &names).unwrap();
    let condition = spanql::filter::arize::parse("latency_ms > 5", &names).unwrap().expr;
    let notes = engine.register_selected("listed", "spans", Selected::Structure { pattern, condition }).await.unwrap();
    assert!(notes.is_empty(), "{notes:?}");
    let ours = ask_text(&engine, "SELECT * FROM listed ORDER BY trace_id, span_id").await.unwrap();
    let theirs = "SELECT * FROM structure('{kind = ''AGENT''} > {kind = ''LLM''}') WHERE latency_ms > 5 \
                  ORDER BY trace_id, span_id";
    assert_eq!(ours, ask_text(&engine, theirs).await.unwrap());
    let by_join = "SELECT c.* FROM spans c JOIN spans p ON c.project = p.project AND c.trace_id = p.trace_id \
                   AND c.parent_id = p.span_id WHERE p.kind = 'AGENT' AND c.kind = 'LLM' AND c.latency_ms > 5 \
                   ORDER BY c.trace_id, c.span_id";
    assert_eq!(ours, ask_text(&engine, by_join).await.unwrap());
    assert!(ours.lines().count() > 200, "{}", ours.lines().count());
}
