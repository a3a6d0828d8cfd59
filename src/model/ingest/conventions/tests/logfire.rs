use super::*;

#[test]
fn a_call_with_events_in_an_attribute() {
    let events = json!([
        {"content": "Be clear.", "role": "system", "gen_ai.system": "openai", "event.name": "gen_ai.system.message"},
        {"content": "What is it?", "role": "user", "gen_ai.message.index": 0, "event.name": "gen_ai.user.message"},
        {"content": "42", "role": "tool", "id": "c1", "name": "ask", "event.name": "gen_ai.tool.message"},
        {"index": 0, "message": {"role": "assistant", "content": "A tool.", "tool_calls": [
            {"id": "c2", "type": "function", "function": {"name": "more", "arguments": {"n": 1}}}]},
            "event.name": "gen_ai.choice"},
    ]);
    let span = json!({
        "gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "operation.cost": "0.00009435",
        "gen_ai.usage.input_tokens": "31", "gen_ai.usage.output_tokens": "96",
        "model_request_parameters": r#"{"function_tools": [{"name": "ask"}], "output_tools": []}"#,
    });
    // The helper knows events of spans alone.
    let mut builder = IngestBuilder::new(origin());
    let mut span = span.as_object().unwrap().clone();
    span.insert("events".to_owned(), json!(events.to_string()));
    let whole = json!({"context": {"trace_id": "t", "span_id": "s"}, "attributes": span});
    builder.push_json(&whole.to_string()).unwrap();
    let values = row(&builder.finish().unwrap().unwrap(), 0);
    let json = |name: &str| serde_json::from_str::<Value>(&values[name]).unwrap();
    assert_eq!(
        json("llm.input_messages"),
        json!([message("system", "Be clear."), message("user", "What is it?"),
            {"message.role": "tool", "message.content": "42", "message.name": "ask", "message.tool_call_id": "c1"}])
    );
    assert_eq!(
        json("llm.output_messages"),
        json!([{"message.role": "assistant", "message.content": "A tool.",
            "message.tool_calls": [call("c2", "more", r#"{"n":1}"#)]}])
    );
    assert_eq!(json("llm.tools"), json!([{"tool.json_schema": r#"{"name":"ask"}"#}]));
    assert_eq!(values["llm.token_count.total"], "127");
    assert_eq!(values["llm.cost.total"].parse::<f64>().unwrap(), 0.00009435);
    assert_eq!(values["events"], events.to_string());
}

#[test]
fn a_run_of_an_agent() {
    let messages = json!([
        {"role": "system", "parts": [{"type": "text", "content": "Be funny."}]},
        {"role": "user", "parts": [{"type": "text", "content": "A joke"}]},
        {"role": "assistant", "parts": [{"type": "text", "content": "Knock."}]},
    ]);
    check(
        &json!({
            "agent_name": "joker", "model_name": "gpt-4o", "pydantic_ai.all_messages": messages.to_string(),
            "final_result": "Knock.", "gen_ai.usage.input_tokens": 5, "gen_ai.usage.output_tokens": 2,
        }),
        &json!({
            "openinference.span.kind": "AGENT",
            "input.value": [message("system", "Be funny."), message("user", "A joke")],
            "input.mime_type": "application/json",
            "output.value": "Knock.",
            "llm.token_count.total": 7,
        }),
    );
    let events = json!([
        {"content": "Hi", "role": "user", "event.name": "gen_ai.user.message"},
        {"content": "Hello", "role": "assistant", "event.name": "gen_ai.assistant.message"},
    ]);
    check(
        &json!({"all_messages_events": events.to_string(), "final_result": {"quality": "good", "score": 2}}),
        &json!({"openinference.span.kind": "AGENT", "input.value": [message("user", "Hi")],
            "output.value": {"quality": "good", "score": 2}}),
    );
}

#[test]
fn a_tool() {
    check(
        &json!({"gen_ai.tool.name": "pun", "gen_ai.tool.call.id": "c", "tool_arguments": {"topic": "code"},
            "tool_response": "A bug."}),
        &json!({"openinference.span.kind": "TOOL", "tool.name": "pun", "input.value": {"topic": "code"},
            "tool.parameters": {"topic": "code"}, "output.value": "A bug."}),
    );
    check(&json!({"tool_arguments": "{}"}), &json!({"input.value": {}, "tool.parameters": {}}));
}

#[test]
fn a_client_that_is_watched() {
    check(
        &json!({
            "request_data": r#"{"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}"#,
            "response_data": r#"{"message": {"role": "assistant", "content": "Hello"},
                "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}}"#,
        }),
        &json!({"llm.model_name": "gpt-4o", "llm.token_count.total": 3, "llm.input_messages": [message("user", "Hi")],
            "llm.output_messages": [message("assistant", "Hello")]}),
    );
}
