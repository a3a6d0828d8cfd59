//! One observation of Langfuse, as its API and its user interface write it.
//!
//! Facts of the format: Langfuse's public API (`GET /observations`, `GET /traces/{id}`) and downloaded traces; what came through
//! OpenTelemetry lies in the metadata under `attributes`, and costs are in US dollars.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use spanql_model::columns::{
    COMPLETION_TOKENS, COST, END_TIME, INPUT, KIND, METADATA, MODEL, NAME, OUTPUT, PARENT_ID, PROMPT_TOKENS, SPAN_ID,
    START_TIME, STATUS_CODE, STATUS_MESSAGE, TOTAL_TOKENS, TRACE_ID,
};
use spanql_model::json::{Value, text_of, unescaped, write_string};

use super::described::described;
use super::parts::Parts;
use super::row::{Row, write_value};
use super::spans::{Around, Out};

/// Langfuse's types of observations, and the kinds that they are. Others are kinds of the same name.
const KINDS: [(&str, &str); 3] = [("GENERATION", "LLM"), ("SPAN", "CHAIN"), ("EVENT", "CHAIN")];
/// Counts of tokens: their column, the keys of the usage that hold them, and the observation's own keys for the same.
#[rustfmt::skip]
const USAGE: [(&str, &[&str], &[&str]); 3] = [
    (PROMPT_TOKENS, &["input", "input_tokens", "promptTokens"], &["inputUsage", "promptTokens"]),
    (COMPLETION_TOKENS, &["output", "output_tokens", "completionTokens"], &["outputUsage", "completionTokens"]),
    (TOTAL_TOKENS, &["total", "total_tokens", "totalTokens"], &["totalUsage", "totalTokens"]),
];
/// Members that are kept under the names that Langfuse's own instrumentation gives them.
const KEPT: [(&str, &str); 9] = [
    ("level", "attributes.langfuse.observation.level"),
    ("completionStartTime", "attributes.langfuse.observation.completion_start_time"),
    ("promptName", "attributes.langfuse.observation.prompt.name"),
    ("promptVersion", "attributes.langfuse.observation.prompt.version"),
    ("timeToFirstToken", "attributes.langfuse.observation.time_to_first_token"),
    ("environment", "attributes.langfuse.environment"),
    ("version", "attributes.langfuse.version"),
    ("release", "attributes.langfuse.release"),
    ("type", "attributes.langfuse.observation.type"),
];
/// The parameters of a call, as OpenInference has them.
const PARAMETERS: &str = "attributes.llm.invocation_parameters";
/// Prefix of attributes that differ from what the observation itself says under their name.
const SOURCE: &str = "attributes.source.";

/// Whether this is an observation.
pub(super) fn is_observation(parts: &Parts<'_>) -> bool {
    parts.has("id") && parts.has("traceId") && parts.has("type") && parts.has("startTime")
}

/// The name in [`Around`] of what a trace says of its root spans.
pub(super) const ROOTS: &str = "";

/// The name in [`Around`] of what is said of the observation of this id.
pub(super) fn about(id: &str) -> String {
    format!("observation {id}")
}

/// Writes the row of an observation.
pub(super) fn observation(text: &str, around: &Arc<Around>, out: &mut Out<'_>) {
    let Some(parts) = Parts::read(text).filter(is_observation) else {
        out.bad = Some(format!("not a span: {}", described(text)));
        return;
    };
    let row = &mut *out.row;
    row.begin(&around.members);
    let mut taken = Taken::default();
    for (key, name) in [
        ("traceId", TRACE_ID),
        ("id", SPAN_ID),
        ("parentObservationId", PARENT_ID),
        ("name", NAME),
        ("startTime", START_TIME),
        ("endTime", END_TIME),
        ("statusMessage", STATUS_MESSAGE),
    ] {
        if let Some(value) = parts.get(key) {
            row.value(name, value);
        }
    }
    let kind = parts.get("type").and_then(text_of).unwrap_or_default().to_ascii_uppercase();
    let known = KINDS.iter().find(|(known, _)| *known == kind).map(|(_, kind)| *kind);
    row.text(KIND, known.unwrap_or(&kind));
    let is_error = parts.get("level") == Some(Value::Text("ERROR"));
    row.text(STATUS_CODE, if is_error { "ERROR" } else { "UNSET" });
    for (key, name) in [("input", INPUT), ("output", OUTPUT), ("model", MODEL)] {
        if let Some(value) = parts.get(key) {
            taken.add(row, name, value);
        }
    }
    add_usage(row, &mut taken, &parts);
    for (key, name) in KEPT {
        if let Some(value) = parts.get(key) {
            taken.add(row, name, value);
        }
    }
    add_metadata(row, &mut taken, parts.get("metadata"));
    if let Some(parameters) = parts.get("modelParameters").filter(|value| !is_empty(*value)) {
        let known = taken.names.contains(PARAMETERS);
        row.value(if known { "attributes.langfuse.observation.model.parameters" } else { PARAMETERS }, parameters);
    }
    if parts.get("parentObservationId").is_none() {
        row.members(around.named(ROOTS).unwrap_or(""));
    }
    if let Some(id) = parts.get("id").and_then(text_of) {
        row.members(around.named(&about(&id)).unwrap_or(""));
    }
}

/// The names that a row has already, with what they hold.
#[derive(Default)]
struct Taken {
    names: HashSet<String>,
    values: Vec<(String, String)>,
}

impl Taken {
    fn add(&mut self, row: &mut Row, name: &str, value: Value<'_>) {
        row.value(name, value);
        self.names.insert(name.to_owned());
        self.values.push((name.to_owned(), text_of(value).unwrap_or_default()));
    }

    /// Whether this name has that text already.
    fn same(&self, name: &str, text: &str) -> bool {
        self.values.iter().any(|(known, value)| known == name && value == text)
    }
}

fn add_usage(row: &mut Row, taken: &mut Taken, parts: &Parts<'_>) {
    let usage = ["usageDetails", "usage"].iter().find_map(|key| match parts.get(key) {
        Some(Value::Nested(object)) => Parts::read(object).filter(|usage| !usage.members.is_empty()),
        _ => None,
    });
    // Observations without a model have zeros in the place of usage that nobody reported.
    let counted = |value: &Value<'_>| !matches!(value, Value::Number("0" | "0.0"));
    let reported = usage.is_some() || USAGE.iter().any(|(_, _, own)| parts.any(own).is_some_and(|v| counted(&v)));
    for (column, keys, own) in USAGE {
        let value = usage.as_ref().and_then(|usage| usage.any(keys)).or_else(|| parts.any(own).filter(|_| reported));
        if let Some(value) = value {
            taken.add(row, column, value);
        }
    }
    for (details, side) in [("prompt_details.", "input_"), ("completion_details.", "output_")] {
        let members = usage.iter().flat_map(|usage| &usage.members);
        for member in members.filter(|member| member.key.starts_with(details) || member.key.starts_with(side)) {
            let detail = member.key.strip_prefix(side).filter(|rest| *rest != "tokens");
            let name = match detail {
                Some(rest) => format!("attributes.llm.token_count.{details}{rest}"),
                None if member.key.starts_with(details) => format!("attributes.llm.token_count.{}", member.key),
                None => continue,
            };
            taken.add(row, &name, member.value);
        }
    }
    let cost = match parts.get("costDetails") {
        Some(Value::Nested(object)) => Parts::read(object).and_then(|cost| cost.get("total")),
        _ => None,
    };
    let own = parts.any(&["totalCost", "calculatedTotalCost"]).filter(|value| reported || counted(value));
    if let Some(cost) = cost.or(own) {
        taken.add(row, COST, cost);
    }
}

/// The metadata without the attributes that came through OpenTelemetry, which become attributes again.
fn add_metadata(row: &mut Row, taken: &mut Taken, metadata: Option<Value<'_>>) {
    let Some(metadata) = metadata else { return };
    let text = match metadata {
        Value::Escaped(body) => Cow::Owned(unescaped(body)),
        Value::Text(text) | Value::Nested(text) => Cow::Borrowed(text),
        other => return row.value(METADATA, other),
    };
    let whole = Parts::read(text.trim()).filter(|parts| !parts.is_cut());
    let Some(parts) = whole else { return row.value(METADATA, metadata) };
    let attributes = match parts.get("attributes") {
        Some(Value::Nested(object)) => Parts::read(object),
        _ => None,
    };
    for member in attributes.iter().flat_map(|attributes| &attributes.members) {
        let name = format!("attributes.{}", member.key);
        let Some(text) = text_of(member.value) else { continue };
        if !taken.names.contains(&name) {
            row.value(&name, member.value);
            taken.names.insert(name);
        } else if !taken.same(&name, &text) {
            row.under(SOURCE, &member.key, member.value);
        }
    }
    let others: Vec<_> =
        parts.members.iter().filter(|member| attributes.is_none() || member.key != "attributes").collect();
    if others.is_empty() {
        return;
    }
    row.with("", METADATA, |out| {
        for (at, member) in others.iter().enumerate() {
            out.push(if at == 0 { '{' } else { ',' });
            write_string(&member.key, out);
            out.push(':');
            write_value(member.value, out);
        }
        out.push('}');
    });
}

pub(super) fn is_empty(value: Value<'_>) -> bool {
    matches!(value, Value::Text("") | Value::Nested("{}" | "[]"))
}
