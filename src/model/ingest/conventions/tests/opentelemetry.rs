use super::*;

#[test]
fn a_call_with_messages_in_attributes() {
    let input = json!([
        {"role": "user", "parts": [{"type": "text", "content": "Weather in Paris?"}]},
        {"role": "assistant", "parts": [
            {"type": "reasoning", "content": "I need a tool."},
            {"type": "text", "content": "One moment."},
            {"type": "tool_call", "id": "c1", "name": "weather", "arguments": {"city": "Paris"}}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "rainy"}]},
    ]);
    let output =
        json!([{"role": "assistant", "parts": [{"type": "text", "content": "Rain."}], "finish_reason": "stop"}]);
    let messages = json!([
        message("system", "Be short."),
        message("user", "Weather in Paris?"),
        {"message.role": "assistant", "message.content": "One moment.",
            "message.contents": [
                {"message_content.type": "reasoning", "message_content.text": "I need a tool."},
                {"message_content.type": "text", "message_content.text": "One moment."}],
            "message.tool_calls": [call("c1", "weather", r#"{"city":"Paris"}"#)]},
        {"message.role": "tool", "message.content": "rainy", "message.tool_call_id": "c1"},
    ]);
    check(
        &json!({
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.system": "az.ai.openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.response.model": "gpt-4o-2024-08-06",
            "gen_ai.request.temperature": 0.5,
            "gen_ai.request.max_tokens": 100,
            "gen_ai.request.stop_sequences": ["END"],
            "gen_ai.usage.input_tokens": 10,
            "gen_ai.usage.output_tokens": 4,
            "gen_ai.system_instructions": json!([{"type": "text", "content": "Be short."}]).to_string(),
            "gen_ai.input.messages": input.to_string(),
            "gen_ai.output.messages": output.to_string(),
            "gen_ai.tool.definitions": r#"[{"type":"function","name":"weather"}]"#,
            "gen_ai.conversation.id": "c-1",
        }),
        &json!({
            "openinference.span.kind": "LLM",
            "llm.provider": "openai",
            "llm.model_name": "gpt-4o",
            "llm.invocation_parameters": {"max_tokens": 100, "stop_sequences": ["END"], "temperature": 0.5},
            "llm.token_count.prompt": 10,
            "llm.token_count.completion": 4,
            "llm.token_count.total": 14,
            "llm.input_messages": messages,
            "llm.output_messages": [message("assistant", "Rain.")],
            "llm.tools": [{"tool.json_schema": r#"{"type":"function","name":"weather"}"#}],
            "input.value": messages,
            "input.mime_type": "application/json",
            "output.value": [message("assistant", "Rain.")],
            "output.mime_type": "application/json",
            "session.id": null,
        }),
    );
}

#[test]
fn parts_of_other_types() {
    let parts = json!([{"role": "user", "parts": [
        {"type": "uri", "modality": "image", "uri": "https://x/y.png"},
        {"type": "blob", "modality": "audio", "content": "AAAA"}]}]);
    check(
        &json!({"gen_ai.operation.name": "chat", "gen_ai.input.messages": parts.to_string()}),
        &json!({"llm.input_messages": [{"message.role": "user", "message.contents": [
            {"message_content.type": "image", "message_content.image.image.url": "https://x/y.png"},
            {"message_content.type": "blob",
                "message_content.text": r#"{"content":"AAAA","modality":"audio","type":"blob"}"#}]}]}),
    );
}

#[test]
fn text_beside_an_image() {
    let content = json!([
        {"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": "https://x/y.png"}}]);
    check(
        &json!({"gen_ai.operation.name": "chat",
            "gen_ai.input.messages": json!([{"role": "user", "content": content}]).to_string()}),
        &json!({"llm.input_messages": [{"message.role": "user", "message.content": "What is it?\n[image_url]",
            "message.contents": [
                {"message_content.type": "text", "message_content.text": "What is it?"},
                {"message_content.type": "image", "message_content.image.image.url": "https://x/y.png"}]}]}),
    );
}

#[test]
fn messages_as_events_of_the_span() {
    let event = |name: &str, attributes: Value| json!({"name": name, "timestamp": 1, "attributes": attributes});
    let calls = r#"[{"id":"c1","type":"function","function":{"name":"weather","arguments":"{}"}}]"#;
    check(
        &json!({"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "events": [
            event("gen_ai.system.message", json!({"content": "Be short.", "gen_ai.system": "openai"})),
            event("gen_ai.user.message", json!({"gen_ai.event.content": r#"{"content":"Weather?","role":"user"}"#})),
            event("gen_ai.assistant.message", json!({"tool_calls": calls})),
            event("gen_ai.tool.message", json!({"content": "rainy", "id": "c1"})),
            event("gen_ai.choice", json!({"index": 0, "finish_reason": "stop", "message": {"content": "Rain."}})),
        ]}),
        &json!({
            "llm.input_messages": [
                message("system", "Be short."),
                message("user", "Weather?"),
                {"message.role": "assistant", "message.tool_calls": [call("c1", "weather", "{}")]},
                {"message.role": "tool", "message.content": "rainy", "message.tool_call_id": "c1"}],
            "llm.output_messages": [message("assistant", "Rain.")],
            "output.mime_type": "application/json",
        }),
    );
    check(
        &json!({"gen_ai.operation.name": "text_completion", "events": [
            event("gen_ai.content.prompt", json!({"gen_ai.prompt": r#"[{"role":"user","content":"Hi"}]"#})),
            event("gen_ai.content.completion", json!({"gen_ai.completion": "Hello"}))]}),
        &json!({
            "llm.input_messages": [message("user", "Hi")], "llm.output_messages": [message("assistant", "Hello")]}),
    );
    let details = json!({
        "gen_ai.system_instructions": "Be short.",
        "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}],
        "gen_ai.output.messages": r#"[{"role":"assistant","parts":[{"type":"text","content":"Hello"}]}]"#,
    });
    check(
        &json!({"gen_ai.operation.name": "chat",
            "events": [event("gen_ai.client.inference.operation.details", details)]}),
        &json!({
            "llm.input_messages": [message("system", "Be short."), message("user", "Hi")],
            "llm.output_messages": [message("assistant", "Hello")]}),
    );
}

#[test]
fn tools_agents_and_embeddings() {
    check(
        &json!({
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "weather",
            "gen_ai.tool.description": "Tells the weather",
            "gen_ai.tool.call.id": "c1",
            "gen_ai.tool.call.arguments": {"city": "Paris", "days": 2},
            "gen_ai.tool.call.result": "rainy",
        }),
        &json!({
            "openinference.span.kind": "TOOL",
            "tool.name": "weather",
            "tool.description": "Tells the weather",
            "tool.parameters": {"city": "Paris", "days": 2},
            "input.value": {"city": "Paris", "days": 2},
            "input.mime_type": "application/json",
            "output.value": "rainy",
            "output.mime_type": null,
            "llm.input_messages": null,
        }),
    );
    let asked = r#"[{"role":"user","parts":[{"type":"text","content":"Go"}]}]"#;
    check(
        &json!({"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "a", "gen_ai.input.messages": asked,
            "gen_ai.usage.input_tokens": 3}),
        &json!({
            "openinference.span.kind": "AGENT", "input.value": [message("user", "Go")],
            "llm.input_messages": null, "llm.token_count.prompt": 3, "llm.token_count.total": null}),
    );
    check(
        &json!({"gen_ai.operation.name": "embeddings", "gen_ai.request.model": "e", "gen_ai.usage.input_tokens": 7}),
        &json!({"openinference.span.kind": "EMBEDDING", "embedding.model_name": "e", "llm.model_name": "e"}),
    );
    for (operation, kind) in [("generate_content", "LLM"), ("call_llm", "LLM"), ("create_agent", "AGENT")] {
        check(&json!({"gen_ai.operation.name": operation}), &json!({"openinference.span.kind": kind}));
    }
    check(
        &json!({"gen_ai.operation.name": "other", "gen_ai.agent.name": "x"}),
        &json!({"openinference.span.kind": null}),
    );
}

#[test]
fn a_run_of_any_agent() {
    check(
        &json!({
            "gen_ai.operation.name": "call_llm",
            "gen_ai.request.model": "mistral/small",
            "gen_ai.usage.input_tokens": 395, "gen_ai.usage.output_tokens": 16,
            "gen_ai.usage.input_cost": 0.25, "gen_ai.usage.output_cost": 0.5,
            "gen_ai.input.messages": r#"[{"role": "user", "content": "What time is it?"}]"#,
            "gen_ai.output": r#"[{"tool.name": "now", "tool.args": "{\"zone\": \"UTC\"}"}]"#,
        }),
        &json!({
            "llm.token_count.total": 411,
            "llm.cost.prompt": 0.25, "llm.cost.completion": 0.5, "llm.cost.total": 0.75,
            "llm.input_messages": [message("user", "What time is it?")],
            "llm.output_messages": [{"message.role": "assistant", "message.tool_calls": [
                {"tool_call.function.name": "now", "tool_call.function.arguments": r#"{"zone": "UTC"}"#}]}],
        }),
    );
    check(
        &json!({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.args": r#"{"zone": "UTC"}"#, "gen_ai.output": "12:00"}),
        &json!({"input.value": {"zone": "UTC"}, "tool.parameters": {"zone": "UTC"}, "output.value": "12:00"}),
    );
}
