use arrow::array::StringArray;
use std::sync::Arc;

use super::*;
use crate::columns::{CANONICAL, METADATA_PATCH};
use crate::ingest::convert_batch;

#[test]
fn what_came_wins() {
    check(
        &json!({
            "openinference.span.kind": "AGENT", "gen_ai.operation.name": "chat",
            "llm.model_name": "mine", "gen_ai.request.model": "theirs",
            "llm.token_count.prompt": 1, "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5,
            "input.value": "", "langfuse.observation.input": "Hi",
            "output.value": "text", "langfuse.observation.output": "{}",
            "output.mime_type": "text/plain",
            "llm.input_messages": "[]",
            "session.id": "s", "langfuse.session.id": "other",
        }),
        &json!({
            "openinference.span.kind": "AGENT", "llm.model_name": "mine", "llm.token_count.prompt": 1,
            "llm.token_count.completion": 5, "llm.token_count.total": 6, "input.value": "", "input.mime_type": null,
            "output.value": "text", "output.mime_type": "text/plain", "llm.input_messages": [], "session.id": "s"}),
    );
    // A total is a sum of what came alone only where its source says so.
    check(
        &json!({"llm.token_count.prompt": 1, "llm.token_count.completion": 2, "gen_ai.system": "x"}),
        &json!({"llm.token_count.total": null}),
    );
}

#[test]
fn what_does_not_fit_fills_nothing() {
    check(
        &json!({
            "gen_ai.operation.name": "chat",
            "gen_ai.usage.input_tokens": "many", "gen_ai.usage.prompt_tokens": "1e400", "llm.usage.prompt_tokens": 7,
            "gen_ai.usage.output_tokens": 1.5, "llm.usage.total_tokens": "NaN",
            "gen_ai.usage.cost": "inf", "operation.cost": "0.5",
            "gen_ai.input.messages": "{broken", "gen_ai.output.messages": "[1, 2]",
            "gen_ai.tool.definitions": "none", "langfuse.observation.model.parameters": "[1]",
            "langfuse.session.id": "0000-", "ai.telemetry.metadata.sessionId": "",
            "traceloop.association.properties.user_id": "00000000-0000-0000-0000-000000000000",
        }),
        &json!({
            "llm.token_count.prompt": 7, "llm.token_count.completion": null, "llm.token_count.total": null,
            "llm.cost.total": 0.5, "llm.input_messages": null, "llm.output_messages": null, "llm.tools": null,
            "llm.invocation_parameters": null, "session.id": "0000-", "user.id": null}),
    );
}

#[test]
fn sums_do_not_overflow() {
    check(
        &json!({"gen_ai.usage.input_tokens": i64::MAX, "gen_ai.usage.output_tokens": 1}),
        &json!({"llm.token_count.total": null}),
    );
}

#[test]
fn ids_that_stand_back() {
    check(
        &json!({"gen_ai.operation.name": "chat", "gen_ai.conversation.id": "c", "gcp.vertex.agent.session_id": "g",
            "kagent.user_id": "u"}),
        &json!({"session.id": null, "user.id": null}),
    );
}

#[test]
fn rows_of_one_batch_know_nothing_of_each_other() {
    let spans = [
        json!({"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5}),
        json!({"gen_ai.usage.input_tokens": "20", "llm.token_count.completion": 1}),
        json!({"gen_ai.usage.input_tokens": 30.0, "traceloop.span.kind": "workflow"}),
        json!({"llm.token_count.prompt": 1, "llm.token_count.completion": 1, "session_id": 12}),
        json!({"session_id": 12.5, "llm.request.type": "chat", "gen_ai.prompt.0.content": "Hi"}),
        json!({"openinference.span.kind": "TOOL", "gen_ai.request.top_k": 3, "tool_arguments": "{\"a\": 1}"}),
        json!({"gen_ai.request.top_k": 2.5, "metadata": {"ls_model_name": "gpt-5", "ls_provider": "openai"}}),
    ];
    let together = batch(&spans);
    for (number, span) in spans.iter().enumerate() {
        let canonical = |mut values: BTreeMap<String, String>| {
            values.retain(|name, _| CANONICAL.iter().any(|c| c.name.strip_prefix("attributes.") == Some(name)));
            values
        };
        let alone = canonical(row(&batch(std::slice::from_ref(span)), 0));
        assert_eq!(canonical(row(&together, number)), alone, "{span}");
        assert!(!alone.is_empty());
    }
    let values = row(&together, 6);
    assert_eq!((values["llm.model_name"].as_str(), values["llm.provider"].as_str()), ("gpt-5", "openai"));
}

#[test]
fn metadata_that_came_key_by_key() {
    let batch = batch(&[json!({"metadata.ls_model_name": "gpt-5"})]);
    assert!(batch.column_by_name(METADATA_PATCH).is_some());
    assert_eq!(row(&batch, 0)["llm.model_name"], "gpt-5");
}

#[test]
fn columns_stand_in_their_order_and_others_are_not_copied() {
    let names = [
        "context.trace_id",
        "context.span_id",
        "attributes.llm.model_name",
        "attributes.gen_ai.request.model",
        "attributes.gen_ai.system",
        "attributes.zz",
    ];
    let column = |name: &str| -> arrow::array::ArrayRef {
        Arc::new(StringArray::from(vec![Some(name), (name != "attributes.llm.model_name").then_some("other")]))
    };
    let given = RecordBatch::try_from_iter(names.map(|name| (name, column(name)))).unwrap();
    let filled = convert_batch(&given, &origin()).unwrap().batch;
    let order: Vec<&str> = filled.schema_ref().fields().iter().map(|field| field.name().as_str()).collect();
    let place = |name: &str| CANONICAL.iter().position(|column| column.name == name).unwrap_or(usize::MAX);
    assert!(order.iter().map(|name| place(name)).is_sorted(), "{order:?}");
    assert!(order.contains(&"attributes.llm.provider"));
    assert_eq!(row(&filled, 0)["llm.model_name"], "attributes.llm.model_name");
    assert_eq!(row(&filled, 1)["llm.model_name"], "other");

    let again = super::super::fill(filled.clone()).unwrap();
    for (before, after) in filled.columns().iter().zip(again.columns()) {
        assert!(Arc::ptr_eq(before, after), "nothing is left to fill");
    }
    let others = filled.project(&[0, 1, filled.num_columns() - 1]).unwrap();
    let same = super::super::fill(others.clone()).unwrap();
    assert!(Arc::ptr_eq(others.schema_ref(), same.schema_ref()));
}
