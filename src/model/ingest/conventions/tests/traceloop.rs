use super::*;

#[test]
fn a_call() {
    check(
        &json!({
            "llm.request.type": "chat",
            "gen_ai.system": "OpenAI",
            "gen_ai.request.model": "gpt-4.1-mini",
            "gen_ai.response.model": "gpt-4.1-mini-2025-04-14",
            "gen_ai.usage.prompt_tokens": 1820,
            "gen_ai.usage.completion_tokens": 13,
            "llm.usage.total_tokens": 1840,
            "llm.top_k": 5,
            "gen_ai.request.top_p": 0.9,
            "llm.request.top_p": 0.1,
            "gen_ai.prompt.0.role": "system",
            "gen_ai.prompt.0.content": "You help.",
            "gen_ai.prompt.1.role": "assistant",
            "gen_ai.prompt.1.tool_calls.0.id": "c1",
            "gen_ai.prompt.1.tool_calls.0.name": "list",
            "gen_ai.prompt.1.tool_calls.0.arguments": "{}",
            "gen_ai.prompt.2.role": "tool",
            "gen_ai.prompt.2.content": "two",
            "gen_ai.prompt.2.tool_call_id": "c1",
            "gen_ai.completion.0.role": "assistant",
            "gen_ai.completion.0.content": "There are two.",
            "gen_ai.completion.0.finish_reason": "stop",
            "llm.request.functions.0.name": "list",
            "llm.request.functions.0.parameters": r#"{"type": "object"}"#,
            "traceloop.association.properties.session_id": "s",
            "traceloop.association.properties.user_id": "u",
        }),
        &json!({
            "openinference.span.kind": "LLM",
            "llm.provider": "OpenAI",
            "llm.model_name": "gpt-4.1-mini",
            "llm.token_count.prompt": 1820,
            "llm.token_count.completion": 13,
            "llm.token_count.total": 1840,
            "llm.invocation_parameters": {"top_p": 0.9, "top_k": 5},
            "llm.input_messages": [
                message("system", "You help."),
                {"message.role": "assistant", "message.tool_calls": [call("c1", "list", "{}")]},
                {"message.role": "tool", "message.content": "two", "message.tool_call_id": "c1"}],
            "llm.output_messages": [message("assistant", "There are two.")],
            "llm.tools": [{"tool.json_schema":
                r#"{"type":"function","function":{"name":"list","parameters":{"type":"object"}}}"#}],
            "session.id": "s",
            "user.id": "u",
        }),
    );
}

#[test]
fn what_is_around_calls() {
    for (word, kind) in [("workflow", "CHAIN"), ("task", "CHAIN"), ("agent", "AGENT"), ("tool", "TOOL")] {
        check(
            &json!({
                "traceloop.span.kind": word,
                "traceloop.entity.name": "lookup",
                "traceloop.entity.input": r#"{"args": [], "kwargs": {"q": 1}}"#,
                "traceloop.entity.output": "\"done\"",
            }),
            &json!({
                "openinference.span.kind": kind,
                "input.value": {"args": [], "kwargs": {"q": 1}},
                "input.mime_type": "application/json",
                "output.value": "\"done\"",
                "output.mime_type": null,
                "tool.name": if kind == "TOOL" { json!("lookup") } else { Value::Null },
            }),
        );
    }
    check(&json!({"traceloop.span.kind": "unknown"}), &json!({"openinference.span.kind": null}));
}

#[test]
fn numbers_of_messages_keep_their_places() {
    check(
        &json!({"llm.request.type": "completion", "gen_ai.prompt.0.content": "a", "gen_ai.prompt.2.content": "b",
            "gen_ai.prompt.10.role": "user", "gen_ai.completion.99999999999999999999.content": "far"}),
        &json!({"llm.input_messages": [{"message.content": "a"}, {}, {"message.content": "b"}, {}, {}, {}, {}, {}, {}, {},
            {"message.role": "user"}]}),
    );
    check(
        &json!({"llm.request.type": "chat", "gen_ai.prompt.4000000000.content": "a"}),
        &json!({"llm.input_messages": [{"message.content": "a"}]}),
    );
    let far: serde_json::Map<String, Value> =
        (0..3_000).map(|n| (format!("gen_ai.prompt.{}.content", n * 900), json!("a"))).collect();
    let mut far = Value::Object(far);
    far["llm.request.type"] = json!("chat");
    assert!(row(&batch(&[far]), 0)["llm.input_messages"].len() < 100_000, "holes are no way to fill a store");
}

#[test]
fn a_managed_prompt() {
    check(
        &json!({"traceloop.prompt.template": "Hi {name}", "traceloop.prompt.version": 3,
            "traceloop.prompt.template_variables": r#"{"name": "Ann"}"#}),
        &json!({"llm.prompt_template.template": "Hi {name}", "llm.prompt_template.version": "3",
            "llm.prompt_template.variables": {"name": "Ann"}}),
    );
}
