//! Random traces: every column equals what the rules say when followed one span at a time.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, StringArray};
use arrow::datatypes::{Float64Type, Int64Type};
use arrow::record_batch::RecordBatch;
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;

use super::input::TreeArrays;
use super::testing::naive::Naive;
use super::testing::sample::{Sample, batch, tree_rows, with_column};
use super::{critical_path, critical_steps, elapsed_ms, summarize, tree_columns, tree_columns_of};
use spanql_model::columns;

/// Few ids and few moments, so that doubled ids, cycles, orphans and ties are common.
fn span() -> impl Strategy<Value = Sample> {
    let id = prop_oneof![
        20 => (0..50_u8).prop_map(|n| Some(format!("s{n}"))),
        // Ids that begin alike and differ late, and ids that end where others go on.
        2 => (0..4_u8).prop_map(|n| Some(format!("12345678{}", "\0".repeat(n.into())))),
        1 => Just(None),
        1 => Just(Some(String::new())),
    ];
    let parent = prop_oneof![
        20 => (0..50_u8).prop_map(|n| Some(format!("s{n}"))),
        2 => (0..4_u8).prop_map(|n| Some(format!("12345678{}", "\0".repeat(n.into())))),
        3 => Just(None),
        1 => Just(Some(String::new())),
    ];
    let time = weighted(0.95, 0..30_i64);
    (id, parent, time, weighted(0.95, -3..20_i64)).prop_map(|(id, parent, start, length)| {
        let end = length.map(|length| start.unwrap_or(5) + length);
        Sample { trace: "t".into(), id, parent, start, end }
    })
}

/// Mostly well-formed trees: a parent is a span made before, children mostly lie inside it.
fn grown_trace(most: usize) -> impl Strategy<Value = Vec<Sample>> {
    vec((any::<prop::sample::Index>(), 0..10_i64, 0..40_i64), 1..most).prop_map(|grown| {
        let mut spans: Vec<Sample> = Vec::new();
        for (index, (parent, offset, length)) in grown.into_iter().enumerate() {
            let above = (index > 0).then(|| &spans[parent.index(index)]);
            let start = above.and_then(|span| span.start).unwrap_or(0) + offset;
            let parent = above.and_then(|span| span.id.clone());
            let (id, end) = (Some(format!("{:02}", (index * 37) % 60 + index / 60 * 60)), Some(start + length));
            spans.push(Sample { trace: "t".into(), id, parent, start: Some(start), end });
        }
        spans
    })
}

/// Deep trees of spans that begin others and end before them, some at once, some before they began.
fn handed_on_trace(most: usize) -> impl Strategy<Value = Vec<Sample>> {
    let grown = (any::<prop::sample::Index>(), weighted(0.97, -2..12_i64), weighted(0.97, -2..8_i64));
    vec(grown, 1..most).prop_map(|grown| {
        let mut spans: Vec<Sample> = Vec::new();
        for (number, (back, offset, length)) in grown.into_iter().enumerate() {
            let above = (number > 0).then(|| &spans[number - 1 - back.index(number.min(3))]);
            let start = offset.map(|offset| above.and_then(|span| span.start).unwrap_or(0) + offset);
            let end = start.zip(length).map(|(start, length)| start + length);
            let (id, parent) = (Some(format!("{:02}", number * 37 % 60)), above.and_then(|span| span.id.clone()));
            spans.push(Sample { trace: "t".into(), id, parent, start, end });
        }
        spans
    })
}

/// A trace of fewer spans than that, well-formed or anything but.
pub(super) fn trace_of(most: usize) -> impl Strategy<Value = Vec<Sample>> {
    prop_oneof![vec(span(), 0..most), grown_trace(most).prop_shuffle(), handed_on_trace(most).prop_shuffle(),]
}

fn trace() -> impl Strategy<Value = Vec<Sample>> {
    trace_of(60)
}

fn columns_of(spans: &[Sample]) -> Vec<ArrayRef> {
    let arrays = TreeArrays::read(&batch(spans)).unwrap();
    tree_columns(&arrays.input(), None, std::slice::from_ref(&(0..spans.len()))).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn tree_columns_follow_the_rules(spans in trace()) {
        prop_assert_eq!(tree_rows(&columns_of(&spans)), Naive::new(&spans).tree_rows());
    }

    #[test]
    fn nested_sets_say_who_is_below_whom(spans in trace()) {
        let rows = tree_rows(&columns_of(&spans));
        let naive = Naive::new(&spans);
        for (a, above) in rows.iter().enumerate() {
            for (d, below) in rows.iter().enumerate() {
                let nested = above.left < below.left && below.right < above.right;
                prop_assert_eq!(nested, naive.is_descendant(d, a), "{} below {}", d, a);
            }
        }
        let mut numbers: Vec<i32> = rows.iter().flat_map(|row| [row.left, row.right]).collect();
        numbers.sort_unstable();
        prop_assert_eq!(numbers, (1..=2 * spans.len() as i32).collect::<Vec<_>>());
    }

    #[test]
    fn contributions_sum_to_the_time_until_everything_is_over(spans in trace()) {
        let arrays = TreeArrays::read(&batch(&spans)).unwrap();
        let steps = critical_path(&arrays.input(), 0..spans.len()).unwrap();
        let naive = Naive::new(&spans);
        let got: Vec<_> = steps.iter().map(|step| (step.row, step.start_ns, step.end_ns)).collect();
        prop_assert_eq!(&got, &naive.critical());
        prop_assert!(got.iter().all(|(_, start, end)| start < end));
        prop_assert!(got.windows(2).all(|pair| pair[0].2 == pair[1].1), "steps overlap or leave a gap: {:?}", got);
        let whole = naive.last_ending().and_then(|top| naive.effective(top));
        let (start, end) = whole.unwrap_or_default();
        prop_assert_eq!(got.iter().map(|(_, from, to)| to - from).sum::<i64>(), end - start);
        if let (Some(first), Some(last)) = (got.first(), got.last()) {
            prop_assert_eq!((first.1, last.2), (start, end));
        }
    }

    #[test]
    fn time_of_other_spans_goes_to_the_steps_of_that_moment(spans in trace(), kinds in vec(any::<bool>(), 60)) {
        let arrays = TreeArrays::read(&batch(&spans)).unwrap();
        let is_step = |row: usize| kinds[row % kinds.len()];
        let steps = critical_steps(&arrays.input(), 0..spans.len(), is_step).unwrap();
        let got: Vec<_> = steps.iter().map(|step| (step.row, step.start_ns, step.end_ns)).collect();
        let naive = Naive::new(&spans);
        prop_assert_eq!(&got, &naive.critical_steps(is_step));
        let whole = naive.critical();
        let time = |path: &[(Option<usize>, i64, i64)], row: usize| -> i64 {
            path.iter().filter(|(owner, ..)| *owner == Some(row)).map(|(_, from, to)| to - from).sum()
        };
        for row in (0..spans.len()).filter(|&row| is_step(row)) {
            prop_assert!(time(&got, row) >= time(&whole, row), "step {row} has less than before");
        }
        let sum = |path: &[(Option<usize>, i64, i64)]| path.iter().map(|(_, from, to)| to - from).sum::<i64>();
        prop_assert_eq!(sum(&got), sum(&whole));
        // Where every span is a step, or none, it is the path as it always was.
        for all in [true, false] {
            let same = critical_steps(&arrays.input(), 0..spans.len(), |_| all).unwrap();
            prop_assert_eq!(same, critical_path(&arrays.input(), 0..spans.len()).unwrap());
        }
    }

    #[test]
    fn traces_may_lie_in_any_order(traces in vec(vec(span(), 1..12), 1..6), keys in vec(any::<u32>(), 72)) {
        let mut mixed: Vec<(u32, Sample)> = Vec::new();
        for (number, spans) in traces.iter().enumerate() {
            for span in spans {
                let trace = format!("trace {number}");
                mixed.push((keys[mixed.len()], Sample { trace, ..span.clone() }));
            }
        }
        mixed.sort_by_key(|(key, _)| *key);
        let mixed: Vec<Sample> = mixed.into_iter().map(|(_, span)| span).collect();
        let rows = tree_rows(&tree_columns_of(&batch(&mixed)).unwrap());
        for number in 0..traces.len() {
            let name = format!("trace {number}");
            let places: Vec<usize> = (0..mixed.len()).filter(|&row| mixed[row].trace == name).collect();
            let alone: Vec<Sample> = places.iter().map(|&row| mixed[row].clone()).collect();
            let got: Vec<_> = places.iter().map(|&row| rows[row].clone()).collect();
            prop_assert_eq!(got, Naive::new(&alone).tree_rows());
        }
    }

    #[test]
    fn usage_counts_where_nothing_below_repeats_it(
        spans in trace(),
        usage in vec((weighted(0.4, -1..4_i64), weighted(0.4, -1..4_i64), weighted(0.4, -1..4_i64), weighted(0.4, -1..4_i8)), 60),
        names in vec((weighted(0.3, 0..4_u8), weighted(0.3, 0..4_u8)), 60),
    ) {
        let n = spans.len();
        let (usage, names) = (&usage[..n], &names[..n]);
        let total: Vec<Option<i64>> = usage.iter().map(|u| u.2.or(u.0.zip(u.1).map(|(p, c)| p + c))).collect();
        let batch = usage_batch(&spans, usage, names);
        let summary = summarize(&batch, std::slice::from_ref(&(0..n))).unwrap().rows;
        prop_assert_eq!(summary.num_rows(), 1);
        let naive = Naive::new(&spans);
        let sum = |values: Vec<Option<i64>>| {
            let repeated = |i: usize| (0..n).any(|d| naive.is_descendant(d, i) && values[d] > Some(0));
            let counted: Vec<i64> = (0..n).filter(|&i| !repeated(i)).filter_map(|i| values[i]).collect();
            (!counted.is_empty()).then(|| counted.iter().sum::<i64>())
        };
        prop_assert_eq!(int(&summary, "prompt_tokens"), sum(usage.iter().map(|u| u.0).collect()));
        prop_assert_eq!(int(&summary, "completion_tokens"), sum(usage.iter().map(|u| u.1).collect()));
        prop_assert_eq!(int(&summary, "total_tokens"), sum(total));
        let cost = sum(usage.iter().map(|u| u.3.map(i64::from)).collect());
        let costs = summary.column_by_name("cost").unwrap().as_primitive::<Float64Type>();
        prop_assert_eq!(costs.is_valid(0).then(|| costs.value(0)), cost.map(|cost| cost as f64 / 2.0));
        let reported: Vec<i64> = usage.iter().filter_map(|u| u.2).collect();
        let reported = (!reported.is_empty()).then(|| reported.iter().sum::<i64>());
        prop_assert_eq!(int(&summary, "reported_tokens"), reported);

        let rows = naive.tree_rows();
        let count = |is: &dyn Fn(usize) -> bool| Some((0..n).filter(|&i| is(i)).count() as i64);
        prop_assert_eq!(int(&summary, "span_count"), Some(n as i64));
        prop_assert_eq!(int(&summary, "root_count"), count(&|i| naive.is_root(i)));
        prop_assert_eq!(int(&summary, "orphan_count"), count(&|i| rows[i].orphan));
        prop_assert_eq!(int(&summary, "cycle_count"), count(&|i| rows[i].cycle));
        prop_assert_eq!(int(&summary, "max_depth"), rows.iter().map(|row| i64::from(row.depth)).max());

        let mut by_time: Vec<usize> = (0..n).collect();
        by_time.sort_by_key(|&i| naive.key(i));
        let root = by_time.iter().copied().find(|&i| naive.is_root(i));
        let root = root.or_else(|| by_time.iter().copied().find(|&i| naive.is_top(i)));
        prop_assert_eq!(text(&summary, "root_span_id"), root.and_then(|i| spans[i].id.clone()));
        let session = |i: usize| names[i].0.map(|name| format!("s{name}"));
        let first = root.and_then(session).or_else(|| by_time.iter().find_map(|&i| session(i)));
        prop_assert_eq!(text(&summary, "session_id"), first);
        let user = |i: usize| names[i].1.map(|name| format!("u{name}"));
        let first = root.and_then(user).or_else(|| by_time.iter().find_map(|&i| user(i)));
        prop_assert_eq!(text(&summary, "user_id"), first);
        let start = spans.iter().filter_map(|span| span.start).min();
        let end = spans.iter().filter_map(|span| span.end).max();
        let latency = summary.column_by_name("latency_ms").unwrap().as_primitive::<Float64Type>();
        let got = latency.is_valid(0).then(|| latency.value(0));
        prop_assert_eq!(got, start.zip(end).map(|(start, end)| elapsed_ms(start, end)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn wrappers_follow_the_rule(
        spans in trace(),
        given in vec((weighted(0.9, 0..5_usize), weighted(0.7, 0..2_u8), weighted(0.3, 0..2_i64), weighted(0.2, 0..2_u8)), 60),
    ) {
        const KINDS: [&str; 5] = ["LLM", "LLM", "LLM", "TOOL", "AGENT"];
        let n = spans.len();
        let kind = |i: usize| given[i].0.map(|kind| KINDS[kind]);
        let (input, tokens, tool) = (|i: usize| given[i].1, |i: usize| given[i].2, |i: usize| given[i].3);
        let texts = |text: &dyn Fn(usize) -> Option<String>| -> ArrayRef {
            Arc::new((0..n).map(text).collect::<StringArray>())
        };
        let mut batch = batch(&spans);
        batch = with_column(&batch, columns::KIND, texts(&|i| kind(i).map(str::to_owned)));
        batch = with_column(&batch, columns::INPUT, texts(&|i| input(i).map(|text| text.to_string())));
        batch = with_column(&batch, columns::TOOL_NAME, texts(&|i| tool(i).map(|name| name.to_string())));
        batch = with_column(&batch, columns::TOTAL_TOKENS, Arc::new((0..n).map(tokens).collect::<Int64Array>()));
        let found: Vec<bool> = tree_rows(&tree_columns_of(&batch).unwrap()).iter().map(|row| row.wrapper).collect();

        let naive = Naive::new(&spans);
        let lies_within = |inner: usize, outer: usize| {
            let times = |i: usize| Some((spans[i].start?, spans[i].end?)).filter(|(start, end)| start <= end);
            matches!((times(inner), times(outer)), (Some(a), Some(b)) if b.0 <= a.0 && a.1 <= b.1)
        };
        let uses = |i: usize| tokens(i).is_some_and(|tokens| tokens > 0);
        let is_wrapper = |i: usize| {
            let alike: Vec<usize> = (0..n).filter(|&c| naive.parent(c) == Some(i) && kind(c) == kind(i)).collect();
            let &[child] = &alike[..] else { return false };
            let same_input = input(i).is_some() && input(i) == input(child);
            let calls = match kind(i) {
                Some("LLM") => same_input || (uses(child) && (!uses(i) || tokens(i) == tokens(child))),
                Some("TOOL") => same_input && (tool(i).is_none() || tool(child).is_none() || tool(i) == tool(child)),
                _ => false,
            };
            calls && lies_within(child, i) && (!uses(i) || uses(child))
        };
        prop_assert_eq!(found, (0..n).map(is_wrapper).collect::<Vec<_>>());
    }
}

type Usage = (Option<i64>, Option<i64>, Option<i64>, Option<i8>);

fn usage_batch(spans: &[Sample], usage: &[Usage], names: &[(Option<u8>, Option<u8>)]) -> RecordBatch {
    let ints =
        |value: fn(&Usage) -> Option<i64>| -> ArrayRef { Arc::new(usage.iter().map(value).collect::<Int64Array>()) };
    let mut with = batch(spans);
    with = with_column(&with, columns::PROMPT_TOKENS, ints(|u| u.0));
    with = with_column(&with, columns::COMPLETION_TOKENS, ints(|u| u.1));
    with = with_column(&with, columns::TOTAL_TOKENS, ints(|u| u.2));
    let cost = usage.iter().map(|u| u.3.map(|cost| f64::from(cost) / 2.0)).collect::<Float64Array>();
    with = with_column(&with, columns::COST, Arc::new(cost));
    let sessions = names.iter().map(|n| n.0.map(|name| format!("s{name}"))).collect::<StringArray>();
    with = with_column(&with, columns::SESSION_ID, Arc::new(sessions));
    let users = names.iter().map(|n| n.1.map(|name| format!("u{name}"))).collect::<StringArray>();
    with_column(&with, columns::USER_ID, Arc::new(users))
}

fn int(summary: &RecordBatch, name: &str) -> Option<i64> {
    let column = summary.column_by_name(name).unwrap().as_primitive::<Int64Type>();
    column.is_valid(0).then(|| column.value(0))
}

fn text(summary: &RecordBatch, name: &str) -> Option<String> {
    let column = summary.column_by_name(name).unwrap().as_string::<i32>();
    column.is_valid(0).then(|| column.value(0).to_owned())
}
