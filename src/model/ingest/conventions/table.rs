//! Which names of which conventions fill which canonical column, in which order.
//!
//! The names are those of the OpenTelemetry semantic conventions for generative AI (registry and events, up to 1.37),
//! OpenLLMetry's `SpanAttributes`, the Vercel AI SDK's telemetry, Logfire with Pydantic AI, Langfuse's
//! `LangfuseOtelSpanAttributes`, LangSmith's metadata, and any-agent. They stand without the `attributes.` that they have
//! as columns. `docs/conventions.md` shows this table, and a test compares the two.

use crate::columns::{
    COMPLETION_TOKENS, COST, INPUT, KIND, MODEL, OUTPUT, PROMPT_TOKENS, SESSION_ID, STATUS_CODE, STATUS_MESSAGE,
    TOTAL_TOKENS, USER_ID,
};

use super::fill::{Fill, Read, Source, Spans, Words, all, at, fill, id, read, value, words};
use super::state::{SPAN_EVENTS, SPAN_METADATA};

/// The kinds of OpenInference, under the short name of their column.
const KINDS: Words = &[
    ("llm", "LLM"),
    ("chain", "CHAIN"),
    ("agent", "AGENT"),
    ("tool", "TOOL"),
    ("retriever", "RETRIEVER"),
    ("embedding", "EMBEDDING"),
    ("reranker", "RERANKER"),
    ("evaluator", "EVALUATOR"),
    ("guardrail", "GUARDRAIL"),
    ("prompt", "PROMPT"),
];
const OBSERVATIONS: Words = &[
    ("generation", "LLM"),
    ("span", "CHAIN"),
    ("chain", "CHAIN"),
    ("agent", "AGENT"),
    ("tool", "TOOL"),
    ("retriever", "RETRIEVER"),
    ("embedding", "EMBEDDING"),
    ("evaluator", "EVALUATOR"),
    ("guardrail", "GUARDRAIL"),
];
const OPERATIONS: Words = &[
    ("chat", "LLM"),
    ("text_completion", "LLM"),
    ("generate_content", "LLM"),
    ("call_llm", "LLM"),
    ("embeddings", "EMBEDDING"),
    ("execute_tool", "TOOL"),
    ("invoke_agent", "AGENT"),
    ("create_agent", "AGENT"),
    ("plan", "AGENT"),
    ("invoke_workflow", "CHAIN"),
    ("retrieval", "RETRIEVER"),
];
const TRACELOOP: Words = &[("workflow", "CHAIN"), ("task", "CHAIN"), ("agent", "AGENT"), ("tool", "TOOL")];
const VERCEL: Words = &[
    ("ai.generateText", "CHAIN"),
    ("ai.streamText", "CHAIN"),
    ("ai.generateObject", "CHAIN"),
    ("ai.streamObject", "CHAIN"),
    ("ai.embed", "CHAIN"),
    ("ai.embedMany", "CHAIN"),
    ("ai.generateText.doGenerate", "LLM"),
    ("ai.streamText.doStream", "LLM"),
    ("ai.generateObject.doGenerate", "LLM"),
    ("ai.streamObject.doStream", "LLM"),
    ("ai.embed.doEmbed", "EMBEDDING"),
    ("ai.embedMany.doEmbed", "EMBEDDING"),
    ("ai.toolCall", "TOOL"),
];
const REQUESTS: Words = &[("chat", "LLM"), ("completion", "LLM"), ("embedding", "EMBEDDING"), ("rerank", "RERANKER")];

const MODELS: &[Source] = &[
    value("gen_ai.request.model"),
    value("gen_ai.response.model"),
    value("llm.request.model"),
    value("llm.response.model"),
    value("langfuse.observation.model.name"),
    value("ai.model.id"),
    value("ai.response.model"),
    value("ls_model_name"),
    at(SPAN_METADATA, &["ls_model_name"]),
    at("request_data", &["model"]),
];

const USAGE: &str = "langfuse.observation.usage_details";
const COSTS: &str = "langfuse.observation.cost_details";

/// The table. Later rows see what earlier ones have filled.
pub(super) const TABLE: &[Fill] = &[
    all(
        KIND,
        &[
            words("langfuse.observation.type", OBSERVATIONS),
            words("gen_ai.operation.name", OPERATIONS),
            words("traceloop.span.kind", TRACELOOP),
            words("ai.operationId", VERCEL),
            words("operation.name", VERCEL),
            words("llm.request.type", REQUESTS),
            read("gen_ai.tool.call.arguments", Read::Is("TOOL")),
            read("gen_ai.tool.call.result", Read::Is("TOOL")),
            read("tool_arguments", Read::Is("TOOL")),
            read("tool_response", Read::Is("TOOL")),
            read("pydantic_ai.all_messages", Read::Is("AGENT")),
            read("all_messages_events", Read::Is("AGENT")),
            words("kind", KINDS),
        ],
    ),
    all(STATUS_CODE, &[words("langfuse.observation.level", &[("error", "ERROR")])]),
    all(STATUS_MESSAGE, &[value("langfuse.observation.status_message")]),
    fill(MODEL, Spans::NotChains, MODELS),
    fill("attributes.embedding.model_name", Spans::Embeddings, MODELS),
    all(
        "attributes.llm.provider",
        &[
            value("gen_ai.provider.name"),
            value("gen_ai.system"),
            value("ai.model.provider"),
            value("ls_provider"),
            at(SPAN_METADATA, &["ls_provider"]),
        ],
    ),
    fill(
        PROMPT_TOKENS,
        Spans::NotChains,
        &[
            value("gen_ai.usage.input_tokens"),
            value("gen_ai.usage.prompt_tokens"),
            value("llm.usage.prompt_tokens"),
            value("ai.usage.inputTokens"),
            value("ai.usage.promptTokens"),
            value("ai.usage.tokens"),
            at(USAGE, &["input", "input_tokens", "prompt_tokens", "promptTokens"]),
            at("response_data", &["usage.prompt_tokens", "usage.input_tokens"]),
        ],
    ),
    fill(
        COMPLETION_TOKENS,
        Spans::NotChains,
        &[
            value("gen_ai.usage.output_tokens"),
            value("gen_ai.usage.completion_tokens"),
            value("llm.usage.completion_tokens"),
            value("ai.usage.outputTokens"),
            value("ai.usage.completionTokens"),
            at(USAGE, &["output", "output_tokens", "completion_tokens", "completionTokens"]),
            at("response_data", &["usage.completion_tokens", "usage.output_tokens"]),
        ],
    ),
    fill(
        TOTAL_TOKENS,
        Spans::NotChains,
        &[
            value("gen_ai.usage.total_tokens"),
            value("llm.usage.total_tokens"),
            value("ai.usage.totalTokens"),
            at(USAGE, &["total", "total_tokens", "totalTokens"]),
            at("response_data", &["usage.total_tokens"]),
            read("", Read::Sum(PROMPT_TOKENS, COMPLETION_TOKENS)),
        ],
    ),
    // What results of queries are called, that come back as files.
    all(MODEL, &[read("model", Read::Text)]),
    all("attributes.llm.provider", &[read("provider", Read::Text)]),
    all(PROMPT_TOKENS, &[value("prompt_tokens")]),
    all(COMPLETION_TOKENS, &[value("completion_tokens")]),
    all(TOTAL_TOKENS, &[value("total_tokens")]),
    all(COST, &[value("cost")]),
    fill(
        "attributes.llm.cost.prompt",
        Spans::NotChains,
        &[value("gen_ai.usage.input_cost"), at(COSTS, &["input", "input_cost"])],
    ),
    fill(
        "attributes.llm.cost.completion",
        Spans::NotChains,
        &[value("gen_ai.usage.output_cost"), at(COSTS, &["output", "output_cost"])],
    ),
    fill(
        COST,
        Spans::NotChains,
        &[
            value("gen_ai.usage.cost"),
            value("gen_ai.usage.total_cost"),
            value("operation.cost"),
            at(COSTS, &["total", "total_cost"]),
            read("", Read::Sum("attributes.llm.cost.prompt", "attributes.llm.cost.completion")),
        ],
    ),
    fill(
        "attributes.llm.input_messages",
        Spans::Calls,
        &[
            read("gen_ai.input.messages", Read::Chat("gen_ai.system_instructions")),
            read("gen_ai.prompt", Read::IndexedMessages),
            read("ai.prompt.messages", Read::ObjectMessages),
            read(SPAN_EVENTS, Read::EventsIn),
            read("events", Read::EventsIn),
            read("request_data", Read::ObjectMessages),
            read("langfuse.observation.input", Read::ObjectMessages),
            read("gen_ai.prompt", Read::Messages("user")),
            read("ai.prompt", Read::Messages("user")),
        ],
    ),
    fill(
        "attributes.llm.output_messages",
        Spans::Calls,
        &[
            read("gen_ai.output.messages", Read::Chat("")),
            read("gen_ai.completion", Read::IndexedMessages),
            read("ai.response.text", Read::Answer("ai.response.toolCalls")),
            read("ai.response.object", Read::Messages("assistant")),
            read(SPAN_EVENTS, Read::EventsOut),
            read("events", Read::EventsOut),
            read("response_data", Read::ObjectMessages),
            read("langfuse.observation.output", Read::ObjectMessages),
            read("gen_ai.completion", Read::Messages("assistant")),
            read("gen_ai.output", Read::Messages("assistant")),
        ],
    ),
    all(
        "attributes.llm.tools",
        &[
            read("gen_ai.tool.definitions", Read::Tools("")),
            read("ai.prompt.tools", Read::Tools("")),
            read("llm.request.functions", Read::IndexedTools),
            read("model_request_parameters.function_tools", Read::Tools("")),
            read("model_request_parameters", Read::Tools("function_tools")),
        ],
    ),
    all(
        "attributes.llm.invocation_parameters",
        &[
            value("langfuse.observation.model.parameters"),
            read("gen_ai.request", Read::Settings(&["model"])),
            read("llm.request.max_tokens", Read::Setting("max_tokens")),
            read("llm.request.temperature", Read::Setting("temperature")),
            read("llm.request.top_p", Read::Setting("top_p")),
            read("llm.top_k", Read::Setting("top_k")),
            read("llm.frequency_penalty", Read::Setting("frequency_penalty")),
            read("llm.presence_penalty", Read::Setting("presence_penalty")),
            read("llm.chat.stop_sequences", Read::Setting("stop_sequences")),
            read("ai.settings", Read::Settings(&[])),
        ],
    ),
    all("attributes.tool.name", &[value("gen_ai.tool.name"), value("ai.toolCall.name")]),
    fill("attributes.tool.name", Spans::Tools, &[value("traceloop.entity.name")]),
    all("attributes.tool.description", &[value("gen_ai.tool.description")]),
    all(
        "attributes.tool.parameters",
        &[
            read("gen_ai.tool.call.arguments", Read::Object),
            read("tool_arguments", Read::Object),
            read("ai.toolCall.args", Read::Object),
            read("gen_ai.tool.args", Read::Object),
            read("gcp.vertex.agent.tool_call_args", Read::Object),
        ],
    ),
    all(
        INPUT,
        &[
            read("langfuse.observation.input", Read::Object),
            read("traceloop.entity.input", Read::Object),
            read("gen_ai.tool.call.arguments", Read::Object),
            read("tool_arguments", Read::Object),
            read("ai.toolCall.args", Read::Object),
            read("gen_ai.tool.args", Read::Object),
            read("gcp.vertex.agent.tool_call_args", Read::Object),
            value("ai.prompt"),
            value("ai.value"),
            value("ai.values"),
            value("gen_ai.prompt"),
            read("request_data", Read::Object),
            read("attributes.llm.input_messages", Read::Filled),
            value("langfuse.trace.input"),
            read("input", Read::Text),
        ],
    ),
    fill(
        INPUT,
        Spans::Agents,
        &[
            read("gen_ai.input.messages", Read::Chat("gen_ai.system_instructions")),
            read("pydantic_ai.all_messages", Read::Asked),
            read("all_messages_events", Read::AskedEvents),
        ],
    ),
    all("attributes.input.mime_type", &[read(INPUT, Read::MimeType)]),
    all(
        OUTPUT,
        &[
            read("langfuse.observation.output", Read::Object),
            read("traceloop.entity.output", Read::Object),
            read("gen_ai.tool.call.result", Read::Object),
            read("tool_response", Read::Object),
            read("ai.toolCall.result", Read::Object),
            read("gcp.vertex.agent.tool_response", Read::Object),
            read("final_result", Read::Object),
            value("ai.response.text"),
            value("ai.response.object"),
            value("gen_ai.completion"),
            value("gen_ai.output"),
            read("response_data", Read::Object),
            read("attributes.llm.output_messages", Read::Filled),
            value("langfuse.trace.output"),
            read("output", Read::Text),
        ],
    ),
    fill(OUTPUT, Spans::Agents, &[read("gen_ai.output.messages", Read::Chat(""))]),
    all("attributes.output.mime_type", &[read(OUTPUT, Read::MimeType)]),
    all("attributes.llm.prompt_template.template", &[value("traceloop.prompt.template")]),
    all(
        "attributes.llm.prompt_template.version",
        &[value("traceloop.prompt.version"), value("langfuse.observation.prompt.version")],
    ),
    all("attributes.llm.prompt_template.variables", &[read("traceloop.prompt.template_variables", Read::Object)]),
    all(
        SESSION_ID,
        &[
            id("langfuse.session.id"),
            id("traceloop.association.properties.session_id"),
            id("traceloop.association.properties.thread_id"),
            id("ai.telemetry.metadata.sessionId"),
            id("langsmith.trace.session_id"),
            id("session_id"),
        ],
    ),
    all(
        USER_ID,
        &[
            id("langfuse.user.id"),
            id("traceloop.association.properties.user_id"),
            id("ai.telemetry.metadata.userId"),
            id("enduser.id"),
            id("user_id"),
        ],
    ),
];
