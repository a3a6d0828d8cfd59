//! What Opik is asked of conditions on rows.

use std::collections::BTreeMap;

use crate::opik::{Asked, Clause, ask};
use crate::{Names, Unknown, arize, conjuncts};
use spanql_model::columns::spans_schema;

fn written(clauses: &[Clause]) -> Vec<String> {
    let dotted = |clause: &Clause| match clause.key.as_str() {
        "" => clause.field.clone(),
        key => format!("{}.{key}", clause.field),
    };
    clauses.iter().map(|clause| format!("{} {} {}", dotted(clause), clause.operator, clause.value)).collect()
}

/// What is asked of spans and of traces, as clauses.
fn asked(filter: &str) -> (Vec<String>, Option<Vec<String>>) {
    let (schema, rest) = (spans_schema(&[]), BTreeMap::new());
    let filter = arize::parse(filter, &Names::new(&schema, &rest, Unknown::Silent)).unwrap();
    let Asked { spans, traces } = ask(&conjuncts(filter.expr), &schema);
    (written(&spans), traces.map(|traces| written(&traces)))
}

#[test]
fn what_traces_have_is_asked_of_them_too() {
    for (filter, said, of_traces) in [
        ("name = 'chat'", vec!["name = chat"], Some(vec!["name = chat"])),
        ("context.trace_id = 'T1'", vec!["trace_id = T1"], Some(vec!["id = T1"])),
        ("status_code = 'ERROR'", vec!["error_info is_not_empty "], Some(vec!["error_info is_not_empty "])),
        ("latency_ms > 10.5", vec!["duration >= 10"], Some(vec!["duration >= 10"])),
        ("attributes.input.value CONTAINS ' hello '", vec!["input contains hello"], Some(vec!["input contains hello"])),
        ("attributes.output.value = 'hello'", vec!["output contains hello"], Some(vec!["output contains hello"])),
        ("annotation.q.score > 0.5", vec!["feedback_scores.q > 0.5"], Some(vec!["feedback_scores.q > 0.5"])),
        // Metadata may name the model and who provides it.
        ("model = 'gpt-4o'", vec![], Some(vec![])),
        ("provider = 'openai' AND name = 'a'", vec!["name = a"], Some(vec!["name = a"])),
        ("total_tokens >= 5", vec!["usage.total_tokens >= 5"], None),
        ("cost < 1", vec!["total_estimated_cost < 1"], None),
        ("kind = 'LLM'", vec!["type = llm"], None),
        ("kind IN ('LLM', 'TOOL')", vec!["type in llm,tool"], None),
        ("opik.environment = 'prod'", vec!["environment = prod"], Some(vec!["environment = prod"])),
    ] {
        let found = asked(filter);
        let wanted: (Vec<String>, Option<Vec<String>>) = (
            said.into_iter().map(str::to_owned).collect(),
            of_traces.map(|said| said.into_iter().map(str::to_owned).collect()),
        );
        assert_eq!(found, wanted, "{filter}");
    }
}

#[test]
fn nothing_is_asked_that_the_server_may_have_otherwise() {
    for filter in [
        "kind = 'CHAIN'",
        "kind = 'AGENT'",
        "kind IN ('LLM', 'AGENT')",
        "attributes.input.value = '[1]'",
        "attributes.input.value CONTAINS '\"a\": 1'",
        "attributes.input.value CONTAINS '1.5'",
        "attributes.output.value CONTAINS 'naïve'",
        "attributes.output.value NOT CONTAINS 'x'",
        "annotation.q.score IS NULL",
        "annotation.q.score != 1",
        "attributes.session.id = 's'",
        "parent_id IS NULL",
        "attributes.anything = 'x'",
        "name = 'a' OR model = 'b'",
    ] {
        assert_eq!(asked(filter), (vec![], Some(vec![])), "{filter}");
    }
}
