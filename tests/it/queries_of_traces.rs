//! The answers of built-in queries about traces and sessions, computed a second time from the spans as they are,
//! without SQL.

use std::collections::BTreeMap;

use super::queries::{demo_engine, run};
use super::queries_support::{DAY, Span, Trace, column, near, traces};

#[tokio::test(flavor = "multi_thread")]
async fn traces_and_days() {
    let engine = demo_engine().await;
    let mut traces = traces(&engine).await;

    let rows = run(&engine, "tokens-by-day", &[]).await;
    let mut days: BTreeMap<i64, Vec<&Trace>> = BTreeMap::new();
    for trace in &traces {
        days.entry(trace.start().div_euclid(DAY) * DAY).or_default().push(trace);
    }
    assert_eq!(column(&rows, "day"), days.keys().map(ToString::to_string).collect::<Vec<_>>());
    for (row, traces) in rows.iter().zip(days.values()) {
        let total = |column: &str| traces.iter().map(|trace| trace.total(column)).sum::<f64>();
        near(row, "traces", traces.len() as f64, 0.0);
        near(row, "prompt_tokens", total("attributes.llm.token_count.prompt"), 0.0);
        near(row, "completion_tokens", total("attributes.llm.token_count.completion"), 0.0);
        near(row, "cost", total("attributes.llm.cost.total"), 1e-4);
    }

    let rows = run(&engine, "traffic-by-hour", &[]).await;
    let mut hours = BTreeMap::new();
    for trace in &traces {
        let hour: &mut (usize, usize) = hours.entry(trace.start() % DAY / 3_600_000_000_000).or_default();
        hour.0 += 1;
        hour.1 += usize::from(trace.spans.iter().any(Span::failed));
    }
    assert_eq!(rows.len(), hours.len());
    for (row, (hour, (all, failed))) in rows.iter().zip(hours) {
        near(row, "hour", hour as f64, 0.0);
        near(row, "traces", all as f64, 0.0);
        near(row, "with_errors", failed as f64, 0.0);
    }

    let mut inputs: BTreeMap<&str, usize> = BTreeMap::new();
    for trace in &traces {
        if let Some(input) = trace.root().get("attributes.input.value") {
            *inputs.entry(input).or_default() += 1;
        }
    }
    // Some are as long as a page, and differ at its end.
    let begins = |text: &str| text.chars().take(200).collect::<String>();
    let mut wanted: Vec<(String, usize)> =
        inputs.into_iter().filter(|(_, times)| *times > 1).map(|(input, times)| (begins(input), times)).collect();
    wanted.sort();
    let rows = run(&engine, "duplicate-inputs", &[("n", "1000")]).await;
    let mut found: Vec<(String, usize)> =
        rows.iter().map(|row| (row["input"].clone(), row["traces"].parse().unwrap())).collect();
    found.sort();
    assert_eq!(found, wanted);

    traces.sort_by(|a, b| b.latency_ms().total_cmp(&a.latency_ms()).then_with(|| a.id.cmp(&b.id)));
    let rows = run(&engine, "slowest-traces", &[("n", "7")]).await;
    assert_eq!(column(&rows, "trace_id"), traces.iter().take(7).map(|trace| trace.id.as_str()).collect::<Vec<_>>());
    for (row, trace) in rows.iter().zip(&traces) {
        near(row, "seconds", trace.latency_ms() / 1000.0, 0.1);
        near(row, "spans", trace.spans.len() as f64, 0.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions() {
    let engine = demo_engine().await;
    let traces = traces(&engine).await;
    let mut sessions: BTreeMap<&str, Vec<&Trace>> = BTreeMap::new();
    for trace in &traces {
        for session in trace.sessions() {
            sessions.entry(session).or_default().push(trace);
        }
    }
    for turns in sessions.values_mut() {
        turns.sort_by_key(|trace| (trace.start(), &trace.id));
    }
    let all = [("n", "100000")];
    let rows = run(&engine, "longest-conversations", &all).await;
    let found: BTreeMap<&str, usize> =
        rows.iter().map(|row| (row["session_id"].as_str(), row["turns"].parse().unwrap())).collect();
    assert_eq!(found, sessions.iter().map(|(id, turns)| (*id, turns.len())).collect());
    assert!(rows.is_sorted_by_key(|row| std::cmp::Reverse(row["turns"].parse::<usize>().unwrap())));

    let rows = run(&engine, "costly-sessions", &all).await;
    for row in rows.iter().filter(|row| row.contains_key("cost")) {
        let turns = &sessions[row["session_id"].as_str()];
        near(row, "cost", turns.iter().map(|trace| trace.total("attributes.llm.cost.total")).sum(), 1e-4);
    }

    let rows = run(&engine, "abandoned-sessions", &all).await;
    let found: BTreeMap<&str, &str> =
        rows.iter().map(|row| (row["session_id"].as_str(), row["last_trace"].as_str())).collect();
    let last = sessions.iter().map(|(id, turns)| (*id, turns[turns.len() - 1]));
    let wanted = last.filter(|(_, trace)| trace.spans.iter().any(Span::failed));
    assert_eq!(found, wanted.map(|(id, trace)| (id, trace.id.as_str())).collect());
}
