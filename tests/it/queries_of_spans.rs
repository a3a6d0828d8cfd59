//! The answers of built-in queries about spans, computed a second time from the spans as they are, without SQL.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::queries::{demo_engine, run};
use super::queries_support::{
    DAY, Row, Span, Trace, column, errors, grouped, near, percent, percentile, sum, tool, traces,
};

#[tokio::test(flavor = "multi_thread")]
async fn models_and_their_days() {
    let engine = demo_engine().await;
    let traces = traces(&engine).await;
    let model = |span: &Span| span.get("attributes.llm.model_name").unwrap().to_owned();

    let rows = run(&engine, "models", &[]).await;
    let groups = grouped(&traces, "LLM", model);
    assert_eq!(
        column(&rows, "model").into_iter().collect::<BTreeSet<_>>(),
        groups.keys().map(String::as_str).collect()
    );
    for row in &rows {
        let calls = &groups[&row["model"]];
        near(row, "calls", calls.len() as f64, 0.0);
        near(row, "error_percent", percent(errors(calls), calls.len()), 0.1);
        near(row, "p50_ms", percentile(calls, 0.5), 1.0);
        near(row, "p95_ms", percentile(calls, 0.95), 1.0);
        near(row, "tokens", sum(calls, "attributes.llm.token_count.total"), 0.0);
        near(row, "cost", sum(calls, "attributes.llm.cost.total"), 1e-4);
    }

    let by_day = |span: &Span| format!("{} {}", span.start().div_euclid(DAY) * DAY, model(span));
    let groups = grouped(&traces, "LLM", by_day);
    for query in ["errors-by-model", "cost-by-day"] {
        let rows = run(&engine, query, &[]).await;
        let keys: Vec<String> = rows.iter().map(|row| format!("{} {}", row["day"], row["model"])).collect();
        assert_eq!(keys, groups.keys().cloned().collect::<Vec<_>>(), "{query}");
        for (key, row) in keys.iter().zip(&rows) {
            let calls = &groups[key];
            near(row, "calls", calls.len() as f64, 0.0);
            if query == "cost-by-day" {
                near(row, "cost", sum(calls, "attributes.llm.cost.total"), 1e-4);
            } else {
                near(row, "errors", errors(calls), 0.0);
                near(row, "error_percent", percent(errors(calls), calls.len()), 0.1);
            }
        }
    }
    let only = run(&engine, "cost-by-day", &[("models", "gpt-4o"), ("models", "gpt-4o-mini, nothing")]).await;
    let found: BTreeSet<&str> = column(&only, "model").into_iter().collect();
    assert_eq!(found, BTreeSet::from(["gpt-4o", "gpt-4o-mini"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn latency_by_kind() {
    let engine = demo_engine().await;
    let traces = traces(&engine).await;
    let rows = run(&engine, "latency-by-kind", &[]).await;
    let mut groups = grouped(&traces, "", |span| span.kind().to_owned());
    for spans in groups.values_mut() {
        spans.retain(|span| span.number("latency_ms").is_some());
    }
    assert_eq!(rows.len(), groups.values().filter(|spans| !spans.is_empty()).count());
    for row in &rows {
        let spans = &groups[row.get("kind").map_or("", String::as_str)];
        near(row, "spans", spans.len() as f64, 0.0);
        for (column, share) in [("p50_ms", 0.5), ("p90_ms", 0.9), ("p95_ms", 0.95), ("p99_ms", 0.99), ("max_ms", 1.0)] {
            near(row, column, percentile(spans, share), 0.1);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tools() {
    let engine = demo_engine().await;
    let traces = traces(&engine).await;
    let groups = grouped(&traces, "TOOL", tool);
    let rows = run(&engine, "tool-failures", &[]).await;
    assert_eq!(rows.len(), groups.len());
    for row in &rows {
        let calls = &groups[&row["tool"]];
        near(row, "calls", calls.len() as f64, 0.0);
        near(row, "errors", errors(calls), 0.0);
        near(row, "error_percent", percent(errors(calls), calls.len()), 0.1);
        near(row, "p95_ms", percentile(calls, 0.95), 1.0);
    }

    // Each call is a retry if the same was asked before in its trace.
    #[derive(Default)]
    struct Tries {
        calls: usize,
        retries: usize,
        after_errors: usize,
        recovered: usize,
    }
    /// When it began, which it is, and whether it failed.
    type Call<'a> = (i64, &'a str, bool);
    let mut wanted: BTreeMap<String, Tries> = BTreeMap::new();
    for trace in &traces {
        let mut asked: HashMap<(String, &str), Vec<Call<'_>>> = HashMap::new();
        for span in trace.spans.iter().filter(|span| span.kind() == "TOOL") {
            if let Some(input) = span.get("attributes.input.value") {
                asked.entry((tool(span), input)).or_default().push((span.start(), span.id(), span.failed()));
            }
        }
        for ((tool, _), mut calls) in asked {
            calls.sort_unstable();
            let failed: Vec<bool> = calls.into_iter().map(|(_, _, failed)| failed).collect();
            let tries = wanted.entry(tool).or_default();
            tries.calls += failed.len();
            tries.retries += failed.len() - 1;
            let (last, before) = failed.split_last().unwrap();
            let again = before.contains(&true);
            tries.after_errors += usize::from(again);
            tries.recovered += usize::from(again && !last);
        }
    }
    let rows = run(&engine, "tool-retries", &[]).await;
    assert_eq!(rows.len(), wanted.len());
    for row in &rows {
        let tries = &wanted[&row["tool"]];
        near(row, "calls", tries.calls as f64, 0.0);
        near(row, "retries", tries.retries as f64, 0.0);
        near(row, "retry_percent", percent(tries.retries as f64, tries.calls), 0.1);
        near(row, "after_errors", tries.after_errors as f64, 0.0);
        near(row, "recovered", tries.recovered as f64, 0.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_that_lack_something() {
    let engine = demo_engine().await;
    let traces = traces(&engine).await;
    let all = [("n", "100000")];
    let newest_first = |mut spans: Vec<(&Span, &Trace)>| -> Vec<String> {
        spans.sort_by_key(|(span, trace)| (-span.start(), trace.id.clone(), span.id().to_owned()));
        spans.into_iter().map(|(span, _)| span.id().to_owned()).collect()
    };
    let of = |kind: &'static str| {
        let spans = traces.iter().flat_map(|trace| trace.spans.iter().map(move |span| (span, trace)));
        spans.filter(move |(span, _)| span.kind() == kind)
    };

    let empty = of("RETRIEVER").filter(|(span, _)| {
        span.get("attributes.retrieval.documents")
            .is_none_or(|list| serde_json::from_str::<Vec<serde_json::Value>>(list).unwrap().is_empty())
    });
    assert_eq!(column(&run(&engine, "empty-retrievals", &all).await, "span_id"), newest_first(empty.collect()));

    let mut with_tools = HashSet::new();
    for (span, trace) in of("TOOL") {
        with_tools.extend(trace.above(span).into_iter().map(|above| (&trace.id, above.id())));
    }
    let without = of("AGENT").filter(|(span, trace)| !with_tools.contains(&(&trace.id, span.id())));
    assert_eq!(column(&run(&engine, "agents-without-tools", &all).await, "span_id"), newest_first(without.collect()));

    let mut broken: BTreeMap<&str, [usize; 4]> = BTreeMap::new();
    for trace in &traces {
        let count = |is: &dyn Fn(&Span) -> bool| trace.spans.iter().filter(|span| is(span)).count();
        let found = [
            count(&|span| span.parent().is_none()),
            count(&|span| trace.is_orphan(span)),
            count(&|span| trace.is_in_cycle(span)),
            count(&|span| span.time("end_time").is_none()),
        ];
        if found != [1, 0, 0, 0] {
            broken.insert(&trace.id, found);
        }
    }
    let rows = run(&engine, "broken-traces", &all).await;
    let found = rows.iter().map(|row| {
        let counts = ["roots", "orphans", "in_cycles", "unfinished"].map(|column| row[column].parse().unwrap());
        (row["trace_id"].as_str(), counts)
    });
    assert_eq!(found.collect::<BTreeMap<&str, [usize; 4]>>(), broken);
    assert!(broken.values().any(|found| found[1] > 0) && broken.values().any(|found| found[2] > 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn evaluations() {
    let engine = demo_engine().await;
    let traces = traces(&engine).await;
    let spans: Vec<&Span> = traces.iter().flat_map(|trace| &trace.spans).collect();
    let mut labels: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for span in &spans {
        for (column, value) in &span.0 {
            if let Some(name) = column.strip_prefix("eval.").and_then(|rest| rest.strip_suffix(".label")) {
                *labels.entry((name, value)).or_default() += 1;
            }
        }
    }
    let rows = run(&engine, "evaluations", &[]).await;
    let of_spans: Vec<&Row> = rows.iter().filter(|row| row["level"] == "span").collect();
    let found = of_spans
        .iter()
        .map(|row| ((row["evaluation"].as_str(), row["label"].as_str()), row["evaluated"].parse().unwrap()));
    assert_eq!(found.collect::<BTreeMap<_, usize>>(), labels);

    let low = |name: &str, is_low: &dyn Fn(f64) -> bool| -> BTreeSet<&str> {
        let score = format!("eval.{name}.score");
        spans.iter().filter(|span| span.number(&score).is_some_and(is_low)).map(|span| span.id()).collect()
    };
    for (name, wanted) in [
        ("Correctness", low("Correctness", &|score| score < 0.5)),
        ("Hallucination", low("Hallucination", &|score| score > 0.5)),
        ("Answer Relevance", low("Answer Relevance", &|score| score < 0.5)),
    ] {
        let rows = run(&engine, "low-scores", &[("names", name), ("n", "100000")]).await;
        assert_eq!(column(&rows, "span_id").into_iter().collect::<BTreeSet<_>>(), wanted, "{name}");
        assert!(!wanted.is_empty());
    }
}
