//! What traces and sessions are estimated to cost, computed a second time from their spans, without SQL.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use spanql::config::PriceFile;
use spanql::engine::StoreEngine;
use spanql::store::Store;

use super::queries_support::{Span, Trace, traces};
use super::support::{ask_rows, demo, import};

/// Prices of some models only, in USD for a token.
const PRICES: [(&str, f64, f64); 4] = [
    ("claude-sonnet-4-5", 3e-6, 1.5e-5),
    ("gpt-4o", 2.5e-6, 1e-5),
    ("gemini-2.5", 1.25e-6, 1e-5),
    ("text-embedding-3-small", 2e-8, 0.0),
];

fn price(model: &str) -> Option<(f64, f64)> {
    let begins = |name: &str| model == name || model.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'));
    let (_, input, output) =
        PRICES.into_iter().filter(|(name, ..)| begins(name)).max_by_key(|(name, ..)| name.len())?;
    Some((input, output))
}

fn estimate(span: &Span) -> Option<f64> {
    let model = span.get("attributes.llm.model_name").or(span.get("attributes.embedding.model_name"))?;
    let count = |name: &str| span.number(&format!("attributes.llm.token_count.{name}"));
    let (prompt, completion) = (count("prompt"), count("completion"));
    prompt.or(completion)?;
    let (input, output) = price(model)?;
    Some(prompt.unwrap_or(0.0) * input + completion.unwrap_or(0.0) * output)
}

/// The sum over the spans that have nothing estimated below them.
fn of_trace(trace: &Trace) -> Option<f64> {
    let mut covered = HashSet::new();
    for span in trace.spans.iter().filter(|span| estimate(span).is_some_and(|cost| cost > 0.0)) {
        covered.extend(trace.above(span).into_iter().map(|span| span.id().to_owned()));
    }
    let counted = trace.spans.iter().filter(|span| !covered.contains(span.id())).filter_map(estimate);
    counted.fold(None, |sum, cost| Some(sum.unwrap_or(0.0) + cost))
}

fn close(found: Option<&String>, wanted: Option<f64>, of: &str) {
    let found: Option<f64> = found.map(|text| text.parse().unwrap());
    let same = match (found, wanted) {
        (Some(found), Some(wanted)) => (found - wanted).abs() <= 1e-9 * wanted.abs().max(1e-6),
        (found, wanted) => found == wanted,
    };
    assert!(same, "{of}: {found:?}, not {wanted:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_and_sessions_cost_what_their_spans_do() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("prices.csv");
    let rows = PRICES.map(|(model, input, output)| format!("{model},{input:e},{output:e}\n"));
    std::fs::write(&file, format!("model,input_cost_per_token,output_cost_per_token\n{}", rows.concat())).unwrap();

    let store = Store::open("memory://").unwrap();
    import(&store, &demo(7, 3_000)).await.unwrap();
    let settings = StoreEngine { prices: Some(Arc::new(PriceFile::new(file))), ..StoreEngine::default() };
    let engine = settings.open(store.snapshot().await.unwrap()).await.unwrap();
    let all = traces(&engine).await;

    let rows = ask_rows(&engine, "SELECT trace_id, estimated_cost FROM traces").await.unwrap();
    assert_eq!(rows.len(), all.len());
    let found: BTreeMap<&str, _> =
        rows.iter().map(|row| (row["trace_id"].as_str(), row.get("estimated_cost"))).collect();
    let mut priced = 0;
    for trace in &all {
        let wanted = of_trace(trace);
        priced += usize::from(wanted.is_some());
        close(found[trace.id.as_str()], wanted, &trace.id);
    }
    assert!(priced > 0 && priced < all.len(), "some have a price and some have none: {priced} of {}", all.len());

    let mut sessions: BTreeMap<&str, Option<f64>> = BTreeMap::new();
    for trace in &all {
        for session in trace.sessions() {
            let sum = sessions.entry(session).or_default();
            *sum = match (*sum, of_trace(trace)) {
                (Some(a), Some(b)) => Some(a + b),
                (a, b) => a.or(b),
            };
        }
    }
    let rows = ask_rows(&engine, "SELECT session_id, estimated_cost FROM sessions").await.unwrap();
    assert_eq!(rows.len(), sessions.len());
    for row in &rows {
        close(row.get("estimated_cost"), sessions[row["session_id"].as_str()], &row["session_id"]);
    }
    let spans = ask_rows(&engine, "SELECT span_id, estimated_cost FROM spans WHERE estimated_cost IS NOT NULL").await;
    let estimated = all.iter().flat_map(|trace| &trace.spans).filter(|span| estimate(span).is_some()).count();
    assert_eq!(spans.unwrap().len(), estimated);
}
