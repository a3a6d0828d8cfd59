//! Spans and traces of Opik as rows to ingest: JSON objects with flat dotted names.
//!
//! The members are those of the REST API, of the SDK's rows and of the exports of the user interface. A member that has no
//! column of its own becomes `opik.<name>`, so that nothing is lost.

use std::borrow::Cow;

use super::cells::Cells;
use super::scores;
use arrow::datatypes::DataType;
use spanql_model::columns;
use spanql_model::json::{Value, elements, members, text_of};

/// Prefix of the columns for what only Opik has.
const OWN: &str = "opik.";
/// The key of the metadata under which the intake of OTLP keeps the kind that a span came with: its own types are fewer.
const OTLP_KIND: &str = "openinference.span.kind";
/// Opik's types of spans, and the kinds that they are.
const KINDS: [(&str, &str); 4] = [("llm", "LLM"), ("tool", "TOOL"), ("guardrail", "GUARDRAIL"), ("general", "CHAIN")];
/// Columns that are never read from the metadata: Opik has them as members, and filters them as such.
const MEMBERS: [&str; 5] =
    [columns::METADATA, columns::INPUT, columns::OUTPUT, columns::MODEL, "attributes.llm.provider"];
/// Counts of tokens, and the columns that hold them. What a provider counts itself repeats them, and stays apart.
const USAGE: [(&str, &str); 8] = [
    ("prompt_tokens", columns::PROMPT_TOKENS),
    ("completion_tokens", columns::COMPLETION_TOKENS),
    ("total_tokens", columns::TOTAL_TOKENS),
    ("cache_read_input_tokens", "attributes.llm.token_count.prompt_details.cache_read"),
    ("cache_creation_input_tokens", "attributes.llm.token_count.prompt_details.cache_write"),
    ("reasoning_tokens", "attributes.llm.token_count.completion_details.reasoning"),
    ("prompt_tokens_details.audio_tokens", "attributes.llm.token_count.prompt_details.audio"),
    ("completion_tokens_details.audio_tokens", "attributes.llm.token_count.completion_details.audio"),
];

/// Appends the row of a span, given as JSON text.
///
/// The thread of its trace becomes its session. With `trace_rows` the trace is a row of its own, and the parent of spans
/// that have none. Text that is no JSON object is appended as it is: whoever ingests rows says what is wrong with it.
pub(crate) fn write_span_row(span: &str, trace_session: Option<&str>, trace_rows: bool, out: &mut String) {
    let Some(members) = members(span) else { return out.push_str(span) };
    let mut row = Row::default();
    let (mut parent, mut trace) = (Value::Null, Value::Null);
    for member in &members {
        match member.key.as_ref() {
            "id" => row.cells.set(columns::SPAN_ID, member.value),
            "trace_id" => trace = member.value,
            "parent_span_id" => parent = member.value,
            "type" => row.kind(member.value),
            "model" => row.cells.set(columns::MODEL, member.value),
            "provider" => row.cells.set("attributes.llm.provider", member.value),
            "usage" => row.usage(member.value),
            "total_estimated_cost" => row.cost(member.value),
            key => row.common(key, member.value),
        }
    }
    row.cells.set(columns::TRACE_ID, trace);
    let top = matches!(parent, Value::Null | Value::Text(""));
    row.cells.set(columns::PARENT_ID, if top && trace_rows { trace } else { parent });
    if let Some(session) = trace_session {
        row.cells.set_text(columns::SESSION_ID, session);
    }
    row.finish();
    row.cells.write(out);
}

/// Appends the row of a trace, given as JSON text: the root of its spans, whose id is that of the trace.
///
/// What it counts of its spans is kept as `opik.trace.…`: tokens and costs are those of the spans. Text that is no JSON
/// object is appended as it is.
pub(crate) fn write_trace_row(trace: &str, out: &mut String) {
    let Some(members) = members(trace) else { return out.push_str(trace) };
    let mut row = Row::default();
    for member in &members {
        match member.key.as_ref() {
            "id" => {
                row.cells.set(columns::TRACE_ID, member.value);
                row.cells.set(columns::SPAN_ID, member.value);
            }
            "usage" => row.spread("opik.trace.usage.", member.value),
            "total_estimated_cost" => row.cells.set("opik.trace.total_estimated_cost", member.value),
            "span_feedback_scores" => row.as_text("opik.trace.span_feedback_scores", member.value),
            key => row.common(key, member.value),
        }
    }
    row.cells.set_text(columns::KIND, "CHAIN");
    row.cells.set_text("opik.entity", "trace");
    row.finish();
    row.cells.write(out);
}

#[derive(Debug, Default)]
struct Row<'a> {
    cells: Cells<'a>,
    /// Opik's type of the span.
    kind: Option<&'a str>,
    input: Option<Value<'a>>,
    output: Option<Value<'a>>,
    metadata: Option<Value<'a>>,
    duration: Option<Value<'a>>,
    failed: bool,
    /// Scores as the user interface exports them.
    scores: Vec<(&'a str, Value<'a>)>,
}

impl<'a> Row<'a> {
    /// A member that spans and traces have.
    fn common(&mut self, key: &'a str, value: Value<'a>) {
        match key {
            "name" => self.cells.set(columns::NAME, value),
            "project_name" => self.cells.set(columns::PROJECT, value),
            "start_time" => self.cells.set(columns::START_TIME, value),
            "end_time" => self.cells.set(columns::END_TIME, value),
            "thread_id" => self.cells.set(columns::SESSION_ID, value),
            "input" => {
                self.cells.set(columns::INPUT, value);
                self.mime_type("attributes.input.mime_type", value);
                self.input = Some(value);
            }
            "output" => {
                self.cells.set(columns::OUTPUT, value);
                self.mime_type("attributes.output.mime_type", value);
                self.output = Some(value);
            }
            "metadata" => {
                self.cells.set(columns::METADATA, value);
                self.metadata = Some(value);
            }
            "tags" => self.cells.set("attributes.tag.tags", value),
            "error_info" => self.error(value),
            "feedback_scores" => scores::set_scores(&mut self.cells, value),
            "comments" => scores::set_notes(&mut self.cells, value),
            "duration" => self.duration = Some(value),
            "ttft" => self.cells.set("opik.ttft_ms", value),
            "experiment" => self.spread("opik.experiment.", value),
            key => match key.strip_prefix("feedback_scores.") {
                Some(score) => self.scores.push((score, value)),
                None => self.as_text(format!("{OWN}{key}"), value),
            },
        }
    }

    /// What follows from several members.
    fn finish(&mut self) {
        scores::set_exported(&mut self.cells, &std::mem::take(&mut self.scores));
        if self.kind == Some("llm") {
            self.messages("attributes.llm.input_messages", self.input);
            self.messages("attributes.llm.output_messages", self.output);
        }
        self.attributes();
        self.cells.set_text(columns::STATUS_CODE, if self.failed { "ERROR" } else { "UNSET" });
        // From its start to its end it takes what is computed here again.
        if !self.cells.has(columns::END_TIME)
            && let Some(duration) = self.duration
        {
            self.cells.set("opik.duration_ms", duration);
        }
    }

    fn kind(&mut self, value: Value<'a>) {
        let Value::Text(name) = value else { return self.cells.set(columns::KIND, value) };
        self.kind = Some(name);
        match KINDS.iter().find(|(known, _)| *known == name) {
            Some((_, kind)) => self.cells.set_text(columns::KIND, kind),
            None => self.cells.set_text(columns::KIND, &name.to_uppercase()),
        }
    }

    /// Text is text, everything else JSON.
    fn mime_type(&mut self, name: &'static str, value: Value<'a>) {
        match value {
            Value::Null => {}
            Value::Text(_) | Value::Escaped(_) => self.cells.set_text(name, "text/plain"),
            _ => self.cells.set_text(name, "application/json"),
        }
    }

    /// The messages of a call, where an object has them under that name.
    fn messages(&mut self, name: &'static str, object: Option<Value<'a>>) {
        let Some(Value::Nested(object)) = object else { return };
        let found = members(object).unwrap_or_default().into_iter().rev().find(|member| member.key == "messages");
        if let Some(Value::Nested(list)) = found.map(|member| member.value)
            && are_messages(list)
        {
            self.cells.set_json(name, list);
        }
    }

    /// Attributes that the intake of OTLP did not know, and keeps in the metadata under their own names.
    fn attributes(&mut self) {
        let Some(Value::Nested(object)) = self.metadata else { return };
        for member in members(object).unwrap_or_default() {
            if member.key == OTLP_KIND {
                self.otlp_kind(member.value);
                continue;
            }
            let name = format!("attributes.{}", member.key);
            let known = columns::canonical(&name).is_some_and(|column| column.data_type == DataType::Utf8);
            if known && !MEMBERS.contains(&name.as_str()) && !self.cells.has(&name) {
                self.cells.set(name, member.value);
            }
        }
    }

    /// The kind that a span came with counts where its type is the one that such kinds become.
    fn otlp_kind(&mut self, value: Value<'a>) {
        let Some(kind) = text_of(value).map(|kind| kind.to_uppercase()) else { return };
        let folded = !KINDS.iter().any(|(name, known)| *name != "general" && *known == kind);
        if folded && self.kind == Some("general") {
            self.cells.set_text(columns::KIND, &kind);
        }
    }

    fn usage(&mut self, value: Value<'a>) {
        let Value::Nested(object) = value else { return self.as_text("opik.usage", value) };
        for member in members(object).unwrap_or_default() {
            match USAGE.iter().find(|(key, _)| *key == member.key) {
                Some((_, column)) if is_whole(member.value) => self.cells.set(*column, member.value),
                _ => self.cells.set(format!("opik.usage.{}", member.key), member.value),
            }
        }
    }

    fn cost(&mut self, value: Value<'a>) {
        match value {
            Value::Number(_) => self.cells.set(columns::COST, value),
            _ => self.as_text("opik.total_estimated_cost", value),
        }
    }

    fn error(&mut self, value: Value<'a>) {
        let Value::Nested(object) = value else {
            self.failed = !matches!(value, Value::Null | Value::Text(""));
            return self.cells.set(columns::STATUS_MESSAGE, value);
        };
        for member in members(object).unwrap_or_default() {
            self.failed |= member.value != Value::Null;
            match member.key.as_ref() {
                "exception_type" => self.cells.set("attributes.exception.type", member.value),
                "message" => {
                    self.cells.set(columns::STATUS_MESSAGE, member.value);
                    self.cells.set("attributes.exception.message", member.value);
                }
                "traceback" => self.cells.set("attributes.exception.stacktrace", member.value),
                key => self.as_text(format!("opik.error_info.{key}"), member.value),
            }
        }
    }

    /// The members of an object, each under its own name; another value as it is.
    fn spread(&mut self, prefix: &'static str, value: Value<'a>) {
        let Value::Nested(json) = value else { return self.cells.set(prefix.trim_end_matches('.'), value) };
        match members(json) {
            Some(members) => {
                for member in members {
                    self.cells.set(format!("{prefix}{}", member.key), member.value);
                }
            }
            None => self.as_text(prefix.trim_end_matches('.'), value),
        }
    }

    /// A value in one column: an object as its text, or each of its keys would be a column.
    fn as_text(&mut self, name: impl Into<Cow<'a, str>>, value: Value<'a>) {
        match value {
            Value::Nested(json) => self.cells.set_text(name, json),
            value => self.cells.set(name, value),
        }
    }
}

fn is_whole(value: Value<'_>) -> bool {
    matches!(value, Value::Number(text) if text.parse::<i64>().is_ok())
}

/// Whether a list holds messages, each of somebody in a role.
fn are_messages(list: &str) -> bool {
    let said_by_somebody = |value: &Value<'_>| {
        let Value::Nested(json) = value else { return false };
        members(json).is_some_and(|members| members.iter().any(|member| member.key == "role"))
    };
    elements(list).is_some_and(|elements| !elements.is_empty() && elements.iter().all(said_by_somebody))
}

#[cfg(test)]
mod tests;
