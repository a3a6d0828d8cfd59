use serde_json::Value as Json;
use spanql_model::ingest::{IngestBuilder, Origin};

use super::*;

fn span(text: &str, session: Option<&str>, trace_rows: bool) -> Json {
    let mut out = String::new();
    write_span_row(text, session, trace_rows, &mut out);
    checked(&out)
}

fn trace(text: &str) -> Json {
    let mut out = String::new();
    write_trace_row(text, &mut out);
    checked(&out)
}

/// A row as JSON, once it is one that can be ingested without a change of any value.
fn checked(row: &str) -> Json {
    let mut builder = IngestBuilder::new(Origin { source: "opik", project: "p".into(), force_project: false });
    builder.push_json(row).unwrap();
    assert_eq!(builder.changes(), []);
    assert!(builder.moved().is_empty(), "{row}");
    serde_json::from_str(row).unwrap()
}

fn same(found: &Json, wanted: &str) {
    let wanted: Json = serde_json::from_str(wanted).unwrap();
    assert_eq!(*found, wanted, "\n{found:#}\n{wanted:#}");
}

#[test]
fn a_span_has_what_opik_says_of_it() {
    let found = span(
        r#"{"id": "s", "trace_id": "t", "parent_span_id": "q", "project_id": "p1", "project_name": "demo", "name": "a\"b",
            "type": "llm", "start_time": "2025-01-01T00:00:00.123456789Z", "end_time": "2025-01-01T00:00:01Z",
            "duration": 876.5, "ttft": 12.25, "model": "gpt-4o", "provider": "openai", "tags": ["x", "y"],
            "input": {"messages": [{"role": "user", "content": "hi"}], "n": 1.50}, "output": "plain",
            "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7, "cache_read_input_tokens": 1,
                "original_usage.prompt_tokens": 3, "odd": {"x": 1}},
            "metadata": {"k": "v", "user.id": "u1", "session.id": "other", "llm.token_count.total": "x"},
            "total_estimated_cost": 0.00017050, "environment": "prod", "source": "sdk", "created_by": "me",
            "last_updated_at": null, "future": {"a": [1, 2]}, "flag": true}"#,
        Some("thread 1"),
        true,
    );
    same(
        &found,
        r#"{"context.span_id": "s", "context.trace_id": "t", "parent_id": "q", "project": "demo", "opik.project_id": "p1",
            "name": "a\"b", "attributes.openinference.span.kind": "LLM", "status_code": "UNSET",
            "start_time": "2025-01-01T00:00:00.123456789Z", "end_time": "2025-01-01T00:00:01Z", "opik.ttft_ms": 12.25,
            "attributes.llm.model_name": "gpt-4o", "attributes.llm.provider": "openai",
            "attributes.tag.tags": ["x", "y"],
            "attributes.input.value": {"messages": [{"role": "user", "content": "hi"}], "n": 1.5},
            "attributes.input.mime_type": "application/json", "attributes.output.value": "plain",
            "attributes.output.mime_type": "text/plain",
            "attributes.llm.input_messages": [{"role": "user", "content": "hi"}],
            "attributes.llm.token_count.prompt": 3, "attributes.llm.token_count.completion": 4,
            "attributes.llm.token_count.total": 7, "attributes.llm.token_count.prompt_details.cache_read": 1,
            "opik.usage.original_usage.prompt_tokens": 3, "opik.usage.odd": {"x": 1},
            "attributes.metadata": {"k": "v", "user.id": "u1", "session.id": "other", "llm.token_count.total": "x"},
            "attributes.user.id": "u1", "attributes.session.id": "thread 1", "attributes.llm.cost.total": 0.0001705,
            "opik.environment": "prod", "opik.source": "sdk", "opik.created_by": "me",
            "opik.future": "{\"a\": [1, 2]}", "opik.flag": true}"#,
    );
}

#[test]
fn values_keep_their_text() {
    let mut row = String::new();
    let text =
        r#"{"id":"s","trace_id":"t","input":{ "a" : 1.50, "big":12345678901234567890123 },"metadata":{"n":1E+2}}"#;
    write_span_row(text, None, true, &mut row);
    assert!(row.contains(r#""attributes.input.value":{ "a" : 1.50, "big":12345678901234567890123 }"#), "{row}");
    assert!(row.contains(r#""attributes.metadata":{"n":1E+2}"#), "{row}");
}

#[test]
fn a_trace_is_the_root_of_its_spans() {
    let found = trace(
        r#"{"id": "t", "name": "query", "start_time": "2025-01-03T11:03:17.505404", "thread_id": "th", "span_count": 2,
            "usage": {"total_tokens": 7}, "total_estimated_cost": 0.5, "duration": 3.5, "input": [{"a": 1}],
            "span_feedback_scores": [{"name": "q", "value": 1}], "experiment": {"id": "e", "name": "n"}}"#,
    );
    same(
        &found,
        r#"{"context.trace_id": "t", "context.span_id": "t", "name": "query", "attributes.openinference.span.kind": "CHAIN",
            "start_time": "2025-01-03T11:03:17.505404", "attributes.session.id": "th", "opik.span_count": 2,
            "opik.trace.usage.total_tokens": 7, "opik.trace.total_estimated_cost": 0.5, "opik.duration_ms": 3.5,
            "attributes.input.value": [{"a": 1}], "attributes.input.mime_type": "application/json",
            "opik.trace.span_feedback_scores": "[{\"name\": \"q\", \"value\": 1}]", "opik.experiment.id": "e",
            "opik.experiment.name": "n", "opik.entity": "trace", "status_code": "UNSET"}"#,
    );
    let top = r#"{"id": "s", "trace_id": "t", "parent_span_id": null}"#;
    assert_eq!(span(top, None, true)["parent_id"], "t");
    assert_eq!(span(top, None, false).get("parent_id"), None);
    assert_eq!(span(r#"{"id": "s", "trace_id": "t", "parent_span_id": ""}"#, None, true)["parent_id"], "t");
    assert_eq!(span(r#"{"id": "s", "trace_id": "t", "thread_id": "own"}"#, None, true)["attributes.session.id"], "own");
}

#[test]
fn errors_and_scores() {
    let found = span(
        r#"{"id": "s", "trace_id": "t",
            "error_info": {"exception_type": "ValueError", "message": "no", "traceback": "line 1\nline 2"},
            "feedback_scores": [
                {"name": "Answer Relevance", "value": 0.8, "source": "online_scoring", "reason": "because",
                    "last_updated_by": "me", "last_updated_at": "2025-01-01T00:00:00.123456Z",
                    "value_by_author": {"me": {"value": 0.8}}},
                {"name": "tone", "value": 1, "category_name": "kind", "source": "ui",
                    "value_by_author": {"me": {"value": 0}, "you": {"value": 2}}},
                {"name": "", "value": 1}, {"value": 1}, 5],
            "comments": [{"id": "c", "text": "look \"here\"", "created_by": "me", "created_at": "2025-01-01T00:00:00Z"},
                {"text": "plain"}, {"id": "none"}]}"#,
        None,
        true,
    );
    same(
        &found,
        r#"{"context.span_id": "s", "context.trace_id": "t", "parent_id": "t", "status_code": "ERROR", "status_message": "no",
            "attributes.exception.type": "ValueError", "attributes.exception.message": "no",
            "attributes.exception.stacktrace": "line 1\nline 2",
            "annotation.Answer Relevance.score": 0.8, "annotation.Answer Relevance.annotator_kind": "LLM",
            "annotation.Answer Relevance.explanation": "because", "annotation.Answer Relevance.updated_by": "me",
            "annotation.Answer Relevance.updated_at": 1735689600123,
            "annotation.tone.score": 1, "annotation.tone.label": "kind", "annotation.tone.annotator_kind": "HUMAN",
            "opik.value_by_author.tone": "{\"me\": {\"value\": 0}, \"you\": {\"value\": 2}}",
            "annotation.notes": [{"text": "look \"here\"", "updated_by": "me", "updated_at": 1735689600000},
                {"text": "plain"}]}"#,
    );
    for none in ["null", "{}", "\"\"", r#"{"message": null}"#] {
        let found = span(&format!(r#"{{"id": "s", "trace_id": "t", "error_info": {none}}}"#), None, true);
        assert_eq!(found["status_code"], "UNSET", "{none}");
    }
    assert_eq!(span(r#"{"id": "s", "trace_id": "t", "error_info": "broke"}"#, None, true)["status_message"], "broke");
    let exported = r#"{"id": "s", "trace_id": "t", "feedback_scores.q": 0.5, "feedback_scores.q_reason": "so",
        "feedback_scores.none": "-"}"#;
    let found = span(exported, None, true);
    assert_eq!((&found["annotation.q.score"], &found["annotation.q.explanation"]), (&0.5.into(), &"so".into()));
    assert_eq!(found.get("annotation.none.score"), None);
}

#[test]
fn kinds_follow_from_types() {
    for (kind, metadata, wanted) in [
        ("\"llm\"", "{}", Some("LLM")),
        ("\"tool\"", "{}", Some("TOOL")),
        ("\"guardrail\"", "{}", Some("GUARDRAIL")),
        ("\"general\"", "{}", Some("CHAIN")),
        ("\"general\"", r#"{"openinference.span.kind": "agent"}"#, Some("AGENT")),
        // The intake would have made it a span of that type: somebody else wrote it.
        ("\"general\"", r#"{"openinference.span.kind": "LLM"}"#, Some("CHAIN")),
        ("\"llm\"", r#"{"openinference.span.kind": "AGENT"}"#, Some("LLM")),
        ("\"something\"", "{}", Some("SOMETHING")),
        ("null", "{}", None),
    ] {
        let found = span(&format!(r#"{{"id":"s","trace_id":"t","type":{kind},"metadata":{metadata}}}"#), None, true);
        let found = found.get("attributes.openinference.span.kind").and_then(Json::as_str);
        assert_eq!(found, wanted, "{kind} {metadata}");
    }
}

#[test]
fn odd_values_are_kept_elsewhere() {
    let found = span(
        r#"{"id": "s", "trace_id": "t", "usage": {"total_tokens": 1.5}, "total_estimated_cost": "n/a",
            "metadata": "text", "input": [], "output": null, "type": "llm", "name": null}"#,
        None,
        true,
    );
    same(
        &found,
        r#"{"context.span_id": "s", "context.trace_id": "t", "parent_id": "t", "opik.usage.total_tokens": 1.5,
            "opik.total_estimated_cost": "n/a", "attributes.metadata": "text", "attributes.input.value": [],
            "attributes.input.mime_type": "application/json", "attributes.openinference.span.kind": "LLM",
            "status_code": "UNSET"}"#,
    );
}

#[test]
fn what_is_no_object_stays_as_it_is() {
    for text in ["", "[1]", "{\"id\": ", "5", "null"] {
        let (mut of_span, mut of_trace) = (String::new(), String::new());
        write_span_row(text, None, true, &mut of_span);
        write_trace_row(text, &mut of_trace);
        assert_eq!((of_span.as_str(), of_trace.as_str()), (text, text));
    }
}

proptest::proptest! {
    #[test]
    fn any_values_make_a_row(values in proptest::collection::vec(value(), 30)) {
        let keys = ["type", "parent_span_id", "name", "input", "output", "metadata", "usage", "tags", "error_info",
            "feedback_scores", "comments", "duration", "ttft", "experiment", "total_estimated_cost", "thread_id",
            "span_feedback_scores", "feedback_scores.q", "feedback_scores.q_reason", "other", "", "a\nb", "model",
            "provider", "project_name", "environment", "source", "created_at", "id2", "trace_id2"];
        let members = keys.iter().zip(&values).map(|(key, value)| format!("{}:{value}", Json::from(*key)));
        let text = format!("{{\"id\":\"s\",\"trace_id\":\"t\",{}}}", members.collect::<Vec<_>>().join(","));
        for trace_rows in [true, false] {
            let mut out = String::new();
            write_span_row(&text, None, trace_rows, &mut out);
            proptest::prop_assert!(serde_json::from_str::<Json>(&out).is_ok(), "{}", out);
        }
        let mut out = String::new();
        write_trace_row(&text, &mut out);
        proptest::prop_assert!(serde_json::from_str::<Json>(&out).is_ok(), "{}", out);
    }
}

/// JSON text of any kind.
fn value() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        ".{0,8}".prop_map(Json::from),
    ];
    let key = prop_oneof![
        proptest::sample::select(vec![
            "name",
            "value",
            "text",
            "role",
            "messages",
            "message",
            "openinference.span.kind"
        ])
        .prop_map(str::to_owned),
        ".{0,4}",
    ];
    let nested = leaf.prop_recursive(3, 12, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::Array),
            prop::collection::btree_map(key.clone(), inner, 0..4)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    });
    nested.prop_map(|value| value.to_string())
}
