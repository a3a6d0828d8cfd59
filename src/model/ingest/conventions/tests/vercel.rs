use super::*;

#[test]
fn a_call() {
    let prompt = json!([
        {"role": "system", "content": "You help."},
        {"role": "user", "content": [{"type": "text", "text": "Weather in Paris?"}]},
        {"role": "assistant", "content": [
            {"type": "tool-call", "toolCallId": "c0", "toolName": "weather", "input": {"city": "Rome"}}]},
        {"role": "tool", "content": [{"type": "tool-result", "toolCallId": "c0", "toolName": "weather",
            "output": {"type": "text", "value": "sunny"}}]},
    ]);
    check(
        &json!({
            "operation.name": "ai.generateText.doGenerate my-function",
            "ai.operationId": "ai.generateText.doGenerate",
            "ai.model.id": "gpt-5",
            "ai.model.provider": "openai.responses",
            "ai.settings.maxRetries": "2",
            "ai.settings.temperature": 0.5,
            "ai.prompt.messages": prompt.to_string(),
            "ai.prompt.tools": [json!({"type": "function", "name": "weather"}).to_string()],
            "ai.response.text": "Let me see.",
            "ai.response.toolCalls":
                r#"[{"toolCallType":"function","toolCallId":"c1","toolName":"weather","args":"{\"city\":\"Paris\"}"}]"#,
            "ai.usage.promptTokens": "62",
            "ai.usage.completionTokens": "85",
            "ai.telemetry.metadata.sessionId": "s",
            "ai.telemetry.metadata.userId": "u",
        }),
        &json!({
            "openinference.span.kind": "LLM",
            "llm.model_name": "gpt-5",
            "llm.provider": "openai.responses",
            "llm.invocation_parameters": {"maxRetries": 2, "temperature": 0.5},
            "llm.input_messages": [
                message("system", "You help."),
                message("user", "Weather in Paris?"),
                {"message.role": "assistant", "message.tool_calls": [call("c0", "weather", r#"{"city":"Rome"}"#)]},
                {"message.role": "tool", "message.content": "sunny", "message.name": "weather",
                    "message.tool_call_id": "c0"}],
            "llm.output_messages": [{"message.role": "assistant", "message.content": "Let me see.",
                "message.tool_calls": [call("c1", "weather", r#"{"city":"Paris"}"#)]}],
            "llm.tools": [{"tool.json_schema": r#"{"name":"weather","type":"function"}"#}],
            "llm.token_count.prompt": 62,
            "llm.token_count.completion": 85,
            "llm.token_count.total": 147,
            "output.value": "Let me see.",
            "session.id": "s",
            "user.id": "u",
        }),
    );
}

#[test]
fn only_calls_in_an_answer() {
    check(
        &json!({"ai.operationId": "ai.streamText.doStream", "ai.response.text": "",
            "ai.response.toolCalls": r#"[{"toolCallId":"c1","toolName":"weather","input":{"city":"Paris"}}]"#}),
        &json!({
            "llm.output_messages": [{"message.role": "assistant",
                "message.tool_calls": [call("c1", "weather", r#"{"city":"Paris"}"#)]}],
            "output.value": [{"message.role": "assistant",
                "message.tool_calls": [call("c1", "weather", r#"{"city":"Paris"}"#)]}],
            "output.mime_type": "application/json"}),
    );
}

#[test]
fn what_is_around_calls() {
    check(
        &json!({"ai.operationId": "ai.generateText", "ai.prompt": r#"{"prompt":"Hi"}"#, "ai.response.text": "Hello",
            "ai.model.id": "gpt-5", "ai.usage.promptTokens": 62, "ai.usage.completionTokens": 85}),
        &json!({
            "openinference.span.kind": "CHAIN", "input.value": {"prompt": "Hi"}, "input.mime_type": "application/json",
            "output.value": "Hello", "llm.input_messages": null, "llm.model_name": null,
            "llm.token_count.prompt": null, "llm.token_count.total": null}),
    );
    check(
        &json!({"ai.operationId": "ai.toolCall", "ai.toolCall.name": "weather", "ai.toolCall.id": "c1",
            "ai.toolCall.args": r#"{"city":"Paris"}"#, "ai.toolCall.result": r#"{"sky":"grey"}"#}),
        &json!({
            "openinference.span.kind": "TOOL", "tool.name": "weather", "tool.parameters": {"city": "Paris"},
            "input.value": {"city": "Paris"}, "output.value": {"sky": "grey"}, "output.mime_type": "application/json"}),
    );
    check(
        &json!({"ai.operationId": "ai.embed.doEmbed", "ai.model.id": "e", "ai.value": "text", "ai.usage.tokens": 9}),
        &json!({"openinference.span.kind": "EMBEDDING", "embedding.model_name": "e", "input.value": "text",
            "llm.token_count.prompt": 9}),
    );
}
