//! The answers of built-in queries about loops and users, computed a second time from the spans as they are, without SQL.

use std::collections::{BTreeMap, BTreeSet};

use spanql::engine::Engine;

use super::queries::{demo_engine, run};
use super::queries_support::{Span, Trace, near, traces};

const ALL: [(&str, &str); 1] = [("n", "100000")];

/// Spans that do again what another one did before below the same parent, each with its turn.
fn again(trace: &Trace, counts: impl Fn(&Span) -> bool) -> Vec<(&Span, usize)> {
    let mut steps: BTreeMap<(&str, Option<&str>, &str), Vec<&Span>> = BTreeMap::new();
    for span in trace.spans.iter().filter(|span| counts(span)) {
        if let (Some(parent), Some(input)) = (span.parent(), span.get("attributes.input.value")) {
            steps.entry((parent, span.get("name"), input)).or_default().push(span);
        }
    }
    let mut again = Vec::new();
    for steps in steps.values_mut() {
        steps.sort_by_key(|span| (span.start(), span.id()));
        again.extend(steps.iter().enumerate().skip(1).map(|(at, span)| (*span, at + 1)));
    }
    again
}

fn is_wrapper(span: &Span) -> bool {
    span.get("tree.wrapper") == Some("true")
}

#[derive(Default)]
struct Loops<'a> {
    traces: BTreeSet<&'a str>,
    again: usize,
    most: usize,
    seconds: f64,
    calls: BTreeMap<(&'a str, &'a str), &'a Span>,
}

#[tokio::test(flavor = "multi_thread")]
async fn loops_of_agents() {
    let engine = demo_engine().await;
    let traces = traces(&engine).await;
    let mut agents: BTreeMap<&str, Loops<'_>> = BTreeMap::new();
    for trace in &traces {
        for (step, turn) in again(trace, |span| !is_wrapper(span)) {
            let Some(agent) = trace.above(step).into_iter().find(|span| span.kind() == "AGENT") else { continue };
            let loops = agents.entry(agent.get("name").unwrap()).or_default();
            loops.traces.insert(&trace.id);
            loops.again += 1;
            loops.most = loops.most.max(turn);
            loops.seconds += step.number("latency_ms").unwrap_or(0.0) / 1000.0;
            let within = |span: &&Span| {
                span.id() == step.id() || trace.above(span).into_iter().any(|above| above.id() == step.id())
            };
            let calls = trace.spans.iter().filter(|span| span.kind() == "LLM" && !is_wrapper(span)).filter(within);
            loops.calls.extend(calls.map(|span| ((trace.id.as_str(), span.id()), span)));
        }
    }
    let rows = run(&engine, "agent-loops", &ALL).await;
    assert_eq!(rows.iter().map(|row| row["agent"].as_str()).collect::<BTreeSet<_>>(), agents.keys().copied().collect());
    assert!(rows.len() > 1);
    for row in &rows {
        let loops = &agents[row["agent"].as_str()];
        near(row, "traces", loops.traces.len() as f64, 0.0);
        near(row, "again", loops.again as f64, 0.0);
        near(row, "most_turns", loops.most as f64, 0.0);
        near(row, "seconds", loops.seconds, 0.1);
        near(row, "llm_calls", loops.calls.len() as f64, 0.0);
        let sum = |column: &str| loops.calls.values().filter_map(|span| span.number(column)).sum::<f64>();
        if row.contains_key("cost") {
            near(row, "cost", sum("attributes.llm.cost.total"), 1e-4);
            near(row, "tokens", sum("attributes.llm.token_count.total"), 0.0);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn users_by_experience() {
    let engine = demo_engine().await;
    let traces = traces(&engine).await;
    let user = |trace: &'_ Trace| -> Option<String> {
        let mut spans: Vec<&Span> = trace.spans.iter().collect();
        spans.sort_by_key(|span| (span.start(), span.id()));
        let of = |span: &Span| span.get("attributes.user.id").map(str::to_owned);
        of(trace.root()).or_else(|| spans.into_iter().find_map(of))
    };
    let mut users: BTreeMap<String, Vec<&Trace>> = BTreeMap::new();
    for trace in &traces {
        if let Some(user) = user(trace) {
            users.entry(user).or_default().push(trace);
        }
    }
    let rows = run(&engine, "users-by-experience", &ALL).await;
    assert_eq!(rows.len(), users.len());
    for row in &rows {
        let own = &users[&row["user_id"]];
        let failed = |trace: &&&Trace| trace.spans.iter().any(Span::failed);
        near(row, "traces", own.len() as f64, 0.0);
        near(row, "error_percent", 100.0 * own.iter().filter(failed).count() as f64 / own.len() as f64, 0.1);
        let errors = own.iter().flat_map(|trace| &trace.spans).filter(|span| span.failed()).count();
        near(row, "errors", errors as f64, 0.0);
        near(row, "retries", own.iter().map(|trace| again(trace, |_| true).len()).sum::<usize>() as f64, 0.0);
    }
    let order: Vec<u64> = rows.iter().map(|row| row["errors"].parse().unwrap()).collect();
    assert!(order.is_sorted_by(|a, b| a >= b) && order[0] > 0);
}

/// Mean and variance of the mean.
fn mean(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    (mean, squares / (count - 1.0) / count)
}

#[tokio::test(flavor = "multi_thread")]
async fn before_and_after() {
    let engine = demo_engine().await;
    let traces = traces(&engine).await;
    check_windows(&engine, &traces, [7, 7], &[]).await;
    // As many days as are asked for.
    check_windows(&engine, &traces, [1, 7], &[("before", "1")]).await;
    check_windows(&engine, &traces, [3, 2], &[("before", "3"), ("after", "2")]).await;
}

async fn check_windows(engine: &Engine, traces: &[Trace], days: [i64; 2], given: &[(&str, &str)]) {
    const DAY: i64 = 86_400_000_000_000;
    let at = 1_793_440_800_000_000_000_i64;
    let given = [&[("at", "2026-10-31T10:00:00Z"), ("n", "100000")], given].concat();
    let rows = run(engine, "before-after", &given).await;
    let mut sides: BTreeMap<[Option<&str>; 3], [Vec<&Span>; 2]> = BTreeMap::new();
    for span in traces.iter().flat_map(|trace| &trace.spans).filter(|span| !is_wrapper(span)) {
        if (at - days[0] * DAY..at + days[1] * DAY).contains(&span.start()) {
            let key =
                ["attributes.openinference.span.kind", "name", "attributes.llm.model_name"].map(|name| span.get(name));
            sides.entry(key).or_default()[usize::from(span.start() >= at)].push(span);
        }
    }
    sides.retain(|_, [before, after]| !before.is_empty() && !after.is_empty());
    assert_eq!(rows.len(), sides.len());
    assert!(rows.len() > 5);
    for row in &rows {
        let of = |name: &str| row.get(name).map(String::as_str);
        let [before, after] = &sides[&[of("kind"), of("name"), of("model")]];
        let values = |spans: &[&Span]| spans.iter().filter_map(|span| span.number("latency_ms")).collect::<Vec<f64>>();
        let ((mean_before, a), (mean_after, b)) = (mean(&values(before)), mean(&values(after)));
        near(row, "before", before.len() as f64, 0.0);
        near(row, "after", after.len() as f64, 0.0);
        near(row, "mean_ms_before", mean_before, 1.0);
        near(row, "mean_ms_after", mean_after, 1.0);
        match row.contains_key("mean_ms_margin") {
            true => near(row, "mean_ms_margin", 1.96 * (a + b).sqrt(), 1.0),
            false => assert!(before.len() == 1 || after.len() == 1, "{row:?}"),
        }
    }
}
