//! The answers of built-in queries, computed a second time from the spans as they are, without SQL.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::queries::{demo_engine, run};
use super::support::ask_rows;

type Row = BTreeMap<String, String>;

/// A span: its values by column.
struct Span(Row);

impl Span {
    fn get(&self, column: &str) -> Option<&str> {
        self.0.get(column).map(String::as_str)
    }

    fn number(&self, column: &str) -> Option<f64> {
        self.get(column).map(|text| text.parse().unwrap())
    }

    fn time(&self, column: &str) -> Option<i64> {
        self.get(column).map(|text| text.parse().unwrap())
    }

    fn id(&self) -> &str {
        self.get("context.span_id").unwrap()
    }

    fn parent(&self) -> Option<&str> {
        self.get("parent_id")
    }

    fn kind(&self) -> &str {
        self.get("attributes.openinference.span.kind").unwrap_or_default()
    }

    fn failed(&self) -> bool {
        self.get("status_code") == Some("ERROR")
    }

    fn start(&self) -> i64 {
        self.time("start_time").unwrap()
    }
}

/// The spans of a trace.
struct Trace {
    id: String,
    spans: Vec<Span>,
}

impl Trace {
    fn span(&self, id: &str) -> Option<&Span> {
        self.spans.iter().find(|span| span.id() == id)
    }

    /// What is met on the way up by the ids as they are, until something is met again.
    fn way_up(&self, span: &Span) -> Vec<&Span> {
        let mut seen = HashSet::from([span.id().to_owned()]);
        let mut way = Vec::new();
        let mut next = span.parent().and_then(|id| self.span(id));
        while let Some(span) = next.filter(|span| seen.insert(span.id().to_owned())) {
            way.push(span);
            next = span.parent().and_then(|id| self.span(id));
        }
        way
    }

    fn is_orphan(&self, span: &Span) -> bool {
        span.parent().is_some_and(|id| self.span(id).is_none())
    }

    /// Whether going up from it comes back to it.
    fn is_in_cycle(&self, span: &Span) -> bool {
        let last = self.way_up(span).last().copied().unwrap_or(span);
        last.parent() == Some(span.id())
    }

    /// Whether it is where a cycle is cut: its earliest member has nothing above it.
    fn is_cut(&self, span: &Span) -> bool {
        let place = |span: &Span| (span.start(), span.id().to_owned());
        self.is_in_cycle(span) && self.way_up(span).into_iter().all(|other| place(span) <= place(other))
    }

    /// Spans above one in the tree, the nearest first.
    fn above(&self, span: &Span) -> Vec<&Span> {
        let mut above = Vec::new();
        if !self.is_cut(span) {
            for next in self.way_up(span) {
                above.push(next);
                if self.is_cut(next) {
                    break;
                }
            }
        }
        above
    }

    fn root(&self) -> &Span {
        let earliest = |spans: Vec<&'_ Span>| spans.into_iter().map(|span| (span.start(), span.id().to_owned())).min();
        let roots = self.spans.iter().filter(|span| span.parent().is_none()).collect();
        let tops = self.spans.iter().filter(|span| self.is_orphan(span)).collect();
        let (_, id) = earliest(roots).or_else(|| earliest(tops)).unwrap();
        self.span(&id).unwrap()
    }

    fn start(&self) -> i64 {
        self.spans.iter().map(Span::start).min().unwrap()
    }

    fn latency_ms(&self) -> f64 {
        let end = self.spans.iter().filter_map(|span| span.time("end_time")).max().unwrap();
        (end - self.start()) as f64 / 1e6
    }

    /// The sum of a column over the spans that have nothing of it below them.
    fn total(&self, column: &str) -> f64 {
        let mut covered = HashSet::new();
        for span in self.spans.iter().filter(|span| span.number(column).is_some_and(|value| value > 0.0)) {
            covered.extend(self.above(span).into_iter().map(|span| span.id().to_owned()));
        }
        let counted = self.spans.iter().filter(|span| !covered.contains(span.id()));
        counted.filter_map(|span| span.number(column)).sum()
    }

    fn sessions(&self) -> BTreeSet<&str> {
        self.spans.iter().filter_map(|span| span.get("attributes.session.id")).collect()
    }
}

async fn traces(engine: &spanql::engine::Engine) -> Vec<Trace> {
    let mut by_id: BTreeMap<String, Vec<Span>> = BTreeMap::new();
    for row in ask_rows(engine, "SELECT * FROM spans").await.unwrap() {
        by_id.entry(row["context.trace_id"].clone()).or_default().push(Span(row));
    }
    by_id.into_iter().map(|(id, spans)| Trace { id, spans }).collect()
}

/// The spans of a kind by some text.
fn grouped<'a>(traces: &'a [Trace], kind: &str, by: impl Fn(&'a Span) -> String) -> BTreeMap<String, Vec<&'a Span>> {
    let mut groups: BTreeMap<String, Vec<&Span>> = BTreeMap::new();
    for span in traces.iter().flat_map(|trace| &trace.spans).filter(|span| kind.is_empty() || span.kind() == kind) {
        groups.entry(by(span)).or_default().push(span);
    }
    groups
}

const DAY: i64 = 86_400_000_000_000;

fn tool(span: &Span) -> String {
    span.get("attributes.tool.name").or(span.get("name")).unwrap().to_owned()
}

fn sum(spans: &[&Span], column: &str) -> f64 {
    spans.iter().filter_map(|span| span.number(column)).sum()
}

fn errors(spans: &[&Span]) -> f64 {
    spans.iter().filter(|span| span.failed()).count() as f64
}

fn percent(part: f64, whole: usize) -> f64 {
    100.0 * part / whole as f64
}

/// The value below which a share of the values lies, between the two nearest ones.
fn percentile(spans: &[&Span], share: f64) -> f64 {
    let mut values: Vec<f64> = spans.iter().filter_map(|span| span.number("latency_ms")).collect();
    values.sort_by(f64::total_cmp);
    let at = share * (values.len() - 1) as f64;
    let (low, high) = (values[at.floor() as usize], values[at.ceil() as usize]);
    low + (high - low) * at.fract()
}

/// A number of a result is one that was computed, as far as it is rounded.
#[track_caller]
fn near(row: &Row, column: &str, wanted: f64, step: f64) {
    let found: f64 = row.get(column).unwrap_or_else(|| panic!("no {column} in {row:?}")).parse().unwrap();
    assert!((found - wanted).abs() <= step * 0.500_001, "{column} is {found}, not {wanted}: {row:?}");
}

fn column<'a>(rows: &'a [Row], name: &str) -> Vec<&'a str> {
    rows.iter().map(|row| row[name].as_str()).collect()
}

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
    let mut wanted: BTreeMap<String, Tries> = BTreeMap::new();
    for trace in &traces {
        let mut asked: HashMap<(String, &str), Vec<bool>> = HashMap::new();
        for span in trace.spans.iter().filter(|span| span.kind() == "TOOL") {
            if let Some(input) = span.get("attributes.input.value") {
                asked.entry((tool(span), input)).or_default().push(span.failed());
            }
        }
        for ((tool, _), failed) in asked {
            let tries = wanted.entry(tool).or_default();
            tries.calls += failed.len();
            tries.retries += failed.len() - 1;
            let any_failed = failed.len() > 1 && failed.contains(&true);
            tries.after_errors += usize::from(any_failed);
            tries.recovered += usize::from(any_failed && failed.contains(&false));
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
