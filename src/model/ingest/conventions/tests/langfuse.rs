use super::*;

#[test]
fn a_generation() {
    check(
        &json!({
            "langfuse.observation.type": "generation",
            "langfuse.observation.level": "ERROR",
            "langfuse.observation.status_message": "too long",
            "langfuse.observation.model.name": "gpt-4o",
            "langfuse.observation.model.parameters": r#"{"temperature": 0.1}"#,
            "langfuse.observation.input": r#"[{"role": "user", "content": "Hi"}]"#,
            "langfuse.observation.output": r#"{"role": "assistant", "content": "Hello"}"#,
            "langfuse.observation.usage_details": r#"{"input": 10, "output": "5", "cache": 3, "total": 18}"#,
            "langfuse.observation.cost_details": r#"{"input": 0.25, "output": 0.5}"#,
            "langfuse.observation.prompt.version": 4,
            "langfuse.session.id": "s",
            "langfuse.user.id": "u",
        }),
        &json!({
            "openinference.span.kind": "LLM",
            "status_code": "ERROR",
            "status_message": "too long",
            "llm.model_name": "gpt-4o",
            "llm.invocation_parameters": {"temperature": 0.1},
            "llm.input_messages": [message("user", "Hi")],
            "llm.output_messages": [message("assistant", "Hello")],
            "input.value": [{"role": "user", "content": "Hi"}],
            "input.mime_type": "application/json",
            "output.value": {"role": "assistant", "content": "Hello"},
            "llm.token_count.prompt": 10,
            "llm.token_count.completion": 5,
            "llm.token_count.total": 18,
            "llm.cost.prompt": 0.25,
            "llm.cost.total": 0.75,
            "llm.prompt_template.version": "4",
            "session.id": "s",
            "user.id": "u",
        }),
    );
}

#[test]
fn kinds_of_observations() {
    for (word, kind) in [
        ("SPAN", json!("CHAIN")),
        ("GENERATION", json!("LLM")),
        ("TOOL", json!("TOOL")),
        ("AGENT", json!("AGENT")),
        ("retriever", json!("RETRIEVER")),
        ("guardrail", json!("GUARDRAIL")),
        ("EVENT", Value::Null),
    ] {
        check(&json!({"langfuse.observation.type": word}), &json!({"openinference.span.kind": kind}));
    }
}

#[test]
fn a_span_says_of_usage_what_is_below_it() {
    check(
        &json!({"langfuse.observation.type": "SPAN", "gen_ai.usage.input_tokens": "31", "gen_ai.request.model": "m",
            "operation.cost": 1.5, "langfuse.trace.input": "Hi", "langfuse.trace.output": "Hello"}),
        &json!({"llm.token_count.prompt": null, "llm.model_name": null, "llm.cost.total": null,
            "input.value": "Hi", "output.value": "Hello"}),
    );
}

#[test]
fn objects_instead_of_their_text() {
    check(
        &json!({
            "langfuse.observation.type": "generation",
            "langfuse.observation.usage_details": {"input": 10, "output": "5"},
            "langfuse.observation.input": {"messages": [{"role": "user", "content": "Hi"}], "n": 1},
            "langfuse.observation.output": [{"role": "assistant", "content": "Hello"}],
        }),
        &json!({
            "llm.token_count.total": 15,
            "llm.input_messages": [message("user", "Hi")],
            "input.value": {"messages": [{"role": "user", "content": "Hi"}], "n": 1},
            "input.mime_type": "application/json",
            "output.value": [{"role": "assistant", "content": "Hello"}],
            "llm.output_messages": [message("assistant", "Hello")],
        }),
    );
}
