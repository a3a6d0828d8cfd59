//! The generated stream, recounted from its rows alone.

mod content;

use std::collections::{HashMap, HashSet};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimestampNanosecondType};

use super::clock::END_OF_TIME;
use super::{DEFAULT_SEED, Facts, Generator};
use spanql_model::columns::{self, CANONICAL, Content};

/// The seeds that small streams are tried with: each must hold every kind of broken trace.
const SEEDS: std::ops::Range<u64> = 0..6;

/// One row, as far as structure goes.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    project: String,
    trace: String,
    span: String,
    parent: Option<String>,
    kind: String,
    start: i64,
    end: i64,
    status: String,
    session: Option<String>,
    input_len: usize,
    tokens: [Option<i64>; 3],
    cost: [Option<f64>; 3],
}

fn text(batch: &RecordBatch, name: &str, row: usize) -> Option<String> {
    let column = batch.column_by_name(name).unwrap().as_string::<i32>();
    column.is_valid(row).then(|| column.value(row).to_owned())
}

fn int(batch: &RecordBatch, name: &str, row: usize) -> Option<i64> {
    let column = batch.column_by_name(name).unwrap().as_primitive::<Int64Type>();
    column.is_valid(row).then(|| column.value(row))
}

fn float(batch: &RecordBatch, name: &str, row: usize) -> Option<f64> {
    let column = batch.column_by_name(name).unwrap().as_primitive::<Float64Type>();
    column.is_valid(row).then(|| column.value(row))
}

fn time(batch: &RecordBatch, name: &str, row: usize) -> i64 {
    let column = batch.column_by_name(name).unwrap().as_primitive::<TimestampNanosecondType>();
    assert!(column.is_valid(row));
    column.value(row)
}

fn rows(batch: &RecordBatch) -> Vec<Row> {
    let row = |i| Row {
        project: text(batch, columns::PROJECT, i).unwrap(),
        trace: text(batch, columns::TRACE_ID, i).unwrap(),
        span: text(batch, columns::SPAN_ID, i).unwrap(),
        parent: text(batch, columns::PARENT_ID, i),
        kind: text(batch, columns::KIND, i).unwrap(),
        start: time(batch, columns::START_TIME, i),
        end: time(batch, columns::END_TIME, i),
        status: text(batch, columns::STATUS_CODE, i).unwrap(),
        session: text(batch, columns::SESSION_ID, i),
        input_len: text(batch, columns::INPUT, i).map_or(0, |input| input.len()),
        tokens: [columns::PROMPT_TOKENS, columns::COMPLETION_TOKENS, columns::TOTAL_TOKENS].map(|c| int(batch, c, i)),
        cost: ["attributes.llm.cost.prompt", "attributes.llm.cost.completion", columns::COST]
            .map(|c| float(batch, c, i)),
    };
    (0..batch.num_rows()).map(row).collect()
}

fn generate(seed: u64, spans: u64) -> (Vec<Row>, Facts) {
    let mut generator = Generator::new(seed, spans);
    let all = generator.by_ref().flat_map(|batch| rows(&batch)).collect();
    (all, generator.facts().clone())
}

/// Distinct spans by trace, the first row of each.
fn by_trace(all: &[Row]) -> HashMap<&str, HashMap<&str, &Row>> {
    let mut traces: HashMap<&str, HashMap<&str, &Row>> = HashMap::new();
    for row in all {
        traces.entry(&row.trace).or_default().entry(&row.span).or_insert(row);
    }
    traces
}

/// Whether following the parents of a span leads back to it.
fn on_cycle(spans: &HashMap<&str, &Row>, span: &Row) -> bool {
    let mut at = span;
    for _ in 0..spans.len() {
        let Some(parent) = at.parent.as_deref().and_then(|p| spans.get(p)) else { return false };
        if parent.span == span.span {
            return true;
        }
        at = parent;
    }
    false
}

fn depth(spans: &HashMap<&str, &Row>, span: &Row) -> u32 {
    let mut depth = 1;
    let mut at = span;
    while let Some(parent) = at.parent.as_deref().and_then(|p| spans.get(p)) {
        let is_earliest = || {
            let mut member = *parent;
            loop {
                if (member.start, &member.span) < (at.start, &at.span) {
                    return false;
                }
                if member.span == at.span {
                    return true;
                }
                member = spans[member.parent.as_deref().unwrap()];
            }
        };
        if on_cycle(spans, at) && is_earliest() {
            break;
        }
        depth += 1;
        at = parent;
    }
    depth
}

fn recount(all: &[Row]) -> Facts {
    let traces = by_trace(all);
    let mut facts = Facts { rows: all.len() as u64, traces: traces.len() as u64, ..Facts::default() };
    facts.sessions = all.iter().filter_map(|r| r.session.as_ref()).collect::<HashSet<_>>().len() as u64;
    for spans in traces.values() {
        facts.spans += spans.len() as u64;
        facts.rootless_traces += u64::from(spans.values().all(|s| s.parent.is_some()));
        for span in spans.values() {
            let parent = span.parent.as_deref().map(|p| spans.get(p));
            let cycle = on_cycle(spans, span);
            facts.roots += u64::from(parent.is_none());
            facts.orphans += u64::from(parent == Some(None));
            facts.cycle_spans += u64::from(cycle);
            facts.errors += u64::from(span.status == "ERROR");
            if let Some(Some(parent)) = parent {
                facts.outside += u64::from(!cycle && (span.start < parent.start || span.end > parent.end));
            }
            facts.max_depth = facts.max_depth.max(depth(spans, span));
            if span.kind == "LLM" {
                facts.llm_spans += 1;
                facts.prompt_tokens += span.tokens[0].unwrap_or(0);
                facts.completion_tokens += span.tokens[1].unwrap_or(0);
                facts.cost += span.cost[2].unwrap_or(0.0);
            }
        }
    }
    facts
}

#[test]
fn facts_agree_with_a_recount_of_the_rows() {
    let sizes = [(DEFAULT_SEED, 6_000), (4, 300), (5, 40)];
    for (seed, spans) in SEEDS.map(|seed| (seed, 2_000 + 50 * seed)).chain(sizes) {
        let (all, facts) = generate(seed, spans);
        let mut counted = recount(&all);
        assert!((counted.cost - facts.cost).abs() < 1e-9 * facts.cost.max(1.0));
        counted.cost = facts.cost;
        assert_eq!(counted, facts, "seed {seed}");
        if spans >= 2_000 {
            let (cycles, self_parents) = cycles(&all);
            assert!(facts.orphans > 0 && facts.rootless_traces > 0 && facts.outside > 0, "{facts:?}");
            assert!(facts.rows > facts.spans && cycles > 0 && self_parents > 0, "{facts:?}");
            assert!(facts.rows - facts.spans + facts.orphans + facts.cycle_spans < spans / 20, "{facts:?}");
        }
        assert!(facts.max_depth <= 12);
        if spans >= 6_000 {
            assert_eq!(facts.max_depth, 12);
        }
    }
}

/// Spans on cycles of two or three, and spans that are their own parents.
fn cycles(all: &[Row]) -> (usize, usize) {
    let traces = by_trace(all);
    let members = traces.values().flat_map(|spans| spans.values().filter(|s| on_cycle(spans, s)));
    let (alone, tied): (Vec<&&Row>, Vec<&&Row>) = members.partition(|s| s.parent.as_ref() == Some(&s.span));
    (tied.len(), alone.len())
}

#[test]
fn the_size_is_met_by_whole_traces() {
    for spans in [1, 2, 7, 50, 199, 200, 1_000, 12_345] {
        let (_, facts) = generate(9, spans);
        assert_eq!(facts.spans, spans);
    }
    assert_eq!(Generator::new(1, 0).count(), 0);
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let hash = |seed| {
        let mut hasher = crc32fast::Hasher::new();
        Generator::new(seed, 3_000).for_each(|batch| hash_values(&batch, &mut hasher));
        hasher.finalize()
    };
    assert_ne!(hash(5), hash(6));
    let batches = |seed| Generator::new(seed, 3_000).collect::<Vec<_>>();
    assert!(batches(5) == batches(5));
    // Fixes the stream across versions and platforms: a change here changes every demonstration and measurement.
    assert_eq!(format!("{:08x}", hash(DEFAULT_SEED)), "63040857");
}

/// Feeds every value of a batch, nulls included.
fn hash_values(batch: &RecordBatch, hasher: &mut crc32fast::Hasher) {
    for column in batch.columns() {
        for row in 0..column.len() {
            let valid = column.is_valid(row);
            hasher.update(&[u8::from(valid)]);
            match column.data_type() {
                _ if !valid => {}
                DataType::Utf8 => hasher.update(column.as_string::<i32>().value(row).as_bytes()),
                DataType::Int64 => hasher.update(&column.as_primitive::<Int64Type>().value(row).to_le_bytes()),
                DataType::Float64 => hasher.update(&column.as_primitive::<Float64Type>().value(row).to_le_bytes()),
                DataType::Boolean => hasher.update(&[u8::from(column.as_boolean().value(row))]),
                _ => hasher.update(&column.as_primitive::<TimestampNanosecondType>().value(row).to_le_bytes()),
            }
        }
    }
}

#[test]
fn conversations_grow_last_and_break_off() {
    let (all, _) = generate(14, 30_000);
    let traces = by_trace(&all);
    let mut sessions: HashMap<&str, HashSet<&str>> = HashMap::new();
    for row in &all {
        if let Some(session) = &row.session {
            sessions.entry(session).or_default().insert(&row.trace);
        }
    }
    let (mut grown, mut shrunk, mut broken_off, mut long) = (0, 0, 0, 0);
    for session in sessions.values().filter(|session| session.len() > 2) {
        let mut turns: Vec<_> = session.iter().map(|trace| &traces[trace]).collect();
        let start = |turn: &HashMap<&str, &Row>| turn.values().map(|r| r.start).min().unwrap();
        turns.sort_by_key(|turn| start(turn));
        assert!(turns.windows(2).all(|pair| pair[0].values().all(|r| r.end < start(pair[1]))), "turns overlap");
        let longest = |turn: &HashMap<&str, &Row>| turn.values().filter_map(|r| r.tokens[0]).max();
        if turns[0].values().all(|r| r.project == "support-agent")
            && let (Some(first), Some(last)) = (longest(turns[0]), longest(turns[turns.len() - 1]))
        {
            *(if last > first { &mut grown } else { &mut shrunk }) += 1;
        }
        let last = turns[turns.len() - 1];
        broken_off += u32::from(last.values().any(|r| r.parent.is_none() && r.status == "ERROR"));
        long += u32::from(start(last) - start(turns[0]) > 3_600_000_000_000);
    }
    assert!(grown > 3 * shrunk, "{grown} conversations grow, {shrunk} do not");
    assert!(broken_off > 3 && long > 10, "{broken_off} broken off, {long} longer than an hour");
}

#[test]
fn ids_are_well_formed_and_unique() {
    let (all, _) = generate(7, 10_000);
    let hex = |id: &str, len| id.len() == len && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let mut spans: HashMap<&str, &str> = HashMap::new();
    for row in &all {
        assert!(hex(&row.trace, 32) && hex(&row.span, 16) && row.parent.as_ref().is_none_or(|p| hex(p, 16)));
        assert_eq!(*spans.entry(&row.span).or_insert(&row.trace), row.trace, "a span id in two traces");
    }
    let projects: HashSet<(&str, &str)> = all.iter().map(|r| (r.trace.as_str(), r.project.as_str())).collect();
    assert_eq!(projects.len(), by_trace(&all).len(), "a trace in two projects");
    assert_eq!(
        projects.iter().map(|p| p.1).collect::<HashSet<_>>(),
        HashSet::from(["support-agent", "research-agent"])
    );
}

#[test]
fn times_are_there_in_order_and_before_the_end() {
    let (all, _) = generate(8, 20_000);
    assert!(all.iter().all(|r| r.start <= r.end && r.end < END_OF_TIME));
    let (first, last) = all.iter().fold((i64::MAX, 0), |(f, l), r| (f.min(r.start), l.max(r.end)));
    let days = (last - first) as f64 / 86_400e9;
    assert!((6.5..7.5).contains(&days), "{days} days");
    assert!(all.iter().filter(|r| r.start % 1_000 == 0).count() < all.len() / 100, "nanoseconds look rounded");

    let mut starts: Vec<i64> = Vec::new();
    let mut seen = HashSet::new();
    for row in all.iter().filter(|r| r.parent.is_none()) {
        if seen.insert(&row.trace) {
            starts.push(row.start);
        }
    }
    let mut latest = 0;
    let late = starts.iter().filter(|&&s| {
        let is_late = s < latest - 1_200_000_000_000;
        latest = latest.max(s);
        is_late
    });
    let share = late.count() as f64 / starts.len() as f64;
    assert!(share > 0.001 && share < 0.05, "{share} of traces come late");
}

#[test]
fn prompts_have_realistic_lengths() {
    let (all, _) = generate(10, 20_000);
    let mut lengths: Vec<usize> = all.iter().filter(|r| r.kind == "LLM").map(|r| r.input_len).collect();
    lengths.sort_unstable();
    let at = |share: f64| lengths[(share * (lengths.len() - 1) as f64) as usize];
    assert!((700..1_400).contains(&at(0.5)), "median {}", at(0.5));
    assert!((15_000..36_000).contains(&at(0.999)), "tail {}", at(0.999));
    assert!((15_000..36_000).contains(&at(1.0)), "longest {}", at(1.0));
}

#[test]
fn tokens_and_costs_are_sums_of_their_parts() {
    let (all, _) = generate(11, 8_000);
    let mut repeating = 0;
    for row in &all {
        let [prompt, completion, total] = row.tokens;
        assert_eq!(total, prompt.map(|p| p + completion.unwrap_or(0)));
        let [prompt, completion, total] = row.cost;
        assert_eq!(total, prompt.map(|p| p + completion.unwrap_or(0.0)));
        if row.kind == "LLM" && row.status == "OK" {
            assert!(row.tokens.iter().all(|t| t.is_some_and(|t| t > 0)) && row.cost[2].is_some_and(|c| c > 0.0));
        }
        repeating += u32::from(row.kind == "AGENT" && row.tokens[2].is_some());
    }
    assert!(repeating > 50, "{repeating} agents repeat the usage of their children");
}

#[test]
fn json_columns_hold_json_without_blanks() {
    let json: Vec<_> = CANONICAL.iter().filter(|c| c.content != Content::Scalar).map(|c| c.name).collect();
    let json = json.iter().filter(|name| !columns::DERIVED.contains(name)).copied().chain(["annotation.notes"]);
    let json: Vec<&str> = json.collect();
    let mut filled: HashMap<&str, usize> = HashMap::new();
    for batch in Generator::new(12, 6_000) {
        for &name in &json {
            let column = batch.column_by_name(name).unwrap().as_string::<i32>();
            for value in column.iter().flatten() {
                *filled.entry(name).or_default() += 1;
                let parsed: Box<serde_json::value::RawValue> = serde_json::from_str(value).expect(value);
                let tree: serde_json::Value = serde_json::from_str(value).unwrap();
                assert!(tree.is_array() || tree.is_object(), "{name}: {value}");
                // Blanks outside strings would make the text longer than its compact form, escapes aside.
                let compact: String = serde_json::to_string(&tree).unwrap();
                assert_eq!(blanks_outside_strings(parsed.get()), blanks_outside_strings(&compact), "{name}: {value}");
            }
        }
    }
    let empty: Vec<_> = json.iter().filter(|name| !filled.contains_key(*name)).collect();
    assert!(empty.is_empty(), "never filled: {empty:?}");
}

fn blanks_outside_strings(json: &str) -> usize {
    let (mut inside, mut escaped, mut blanks) = (false, false, 0);
    for c in json.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => inside = !inside,
            ' ' | '\n' if !inside => blanks += 1,
            _ => {}
        }
    }
    blanks
}
