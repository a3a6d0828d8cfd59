//! The parameters of the search.

use serde::{Deserialize, Deserializer, Serialize};
use url::form_urlencoded;

use super::super::{FilterError, MAX_BYTES};
use spanql_model::nearest::nearest;

/// The span kinds that the search knows; any other kind is `UNKNOWN` to it.
pub(super) const KINDS: [&str; 12] = [
    "LLM",
    "CHAIN",
    "TOOL",
    "RETRIEVER",
    "EMBEDDING",
    "AGENT",
    "RERANKER",
    "GUARDRAIL",
    "EVALUATOR",
    "DECISION",
    "PROMPT",
    UNKNOWN,
];
pub(super) const UNKNOWN: &str = "UNKNOWN";
/// The status codes that the search knows.
pub(super) const STATUSES: [&str; 3] = ["OK", "ERROR", UNSET];
pub(super) const UNSET: &str = "UNSET";
/// What `parent_id` is for spans without a parent.
pub(super) const NO_PARENT: &str = "null";

/// The parameters that select spans; values of one parameter are alternatives, but all of `attribute` must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    /// Kinds of spans, in any case.
    #[serde(deserialize_with = "one_or_several", skip_serializing_if = "Vec::is_empty")]
    pub span_kind: Vec<String>,
    /// Status codes, in any case.
    #[serde(deserialize_with = "one_or_several", skip_serializing_if = "Vec::is_empty")]
    pub status_code: Vec<String>,
    /// Names, exactly.
    #[serde(deserialize_with = "one_or_several", skip_serializing_if = "Vec::is_empty")]
    pub name: Vec<String>,
    /// Trace ids, exactly.
    #[serde(deserialize_with = "one_or_several", skip_serializing_if = "Vec::is_empty")]
    pub trace_id: Vec<String>,
    /// Span ids, exactly.
    #[serde(deserialize_with = "one_or_several", skip_serializing_if = "Vec::is_empty")]
    pub span_id: Vec<String>,
    /// `key:value`: the value as JSON, else as text.
    #[serde(deserialize_with = "one_or_several", skip_serializing_if = "Vec::is_empty")]
    pub attribute: Vec<String>,
    /// The span id of the parent; `null` for spans that have none.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
}

/// The names of the parameters.
const NAMES: [&str; 7] = ["span_kind", "status_code", "name", "trace_id", "span_id", "attribute", "parent_id"];
/// Parameters of the search that say something else than what spans to select.
const OTHERS: [&str; 6] = ["start_time", "end_time", "limit", "cursor", "sort", "order"];

fn one_or_several<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a text or a list of texts")]
    enum Texts {
        One(String),
        Several(Vec<String>),
    }
    Ok(match Texts::deserialize(deserializer)? {
        Texts::One(text) => vec![text],
        Texts::Several(texts) => texts,
    })
}

/// A null would be taken for no filter by some, and for no parent by others.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}

impl Parameters {
    /// Reads a JSON object, or a query string such as `span_kind=LLM&attribute=llm.model_name:gpt-4o`.
    ///
    /// # Errors
    /// When it is neither, has a parameter that does not select spans, or is too long.
    pub fn read(text: &str) -> Result<Self, FilterError> {
        if text.len() > MAX_BYTES {
            let what = format!("the filter is too long: it has {} bytes, the limit is {MAX_BYTES}", text.len());
            return Err(FilterError::new("limit", what));
        }
        if text.trim().is_empty() {
            return Err(FilterError::new("syntax", "the filter is empty").help("leave it out to select everything"));
        }
        if text.trim_start().starts_with('{') { Self::read_json(text) } else { Self::read_query(text) }
    }

    fn read_json(text: &str) -> Result<Self, FilterError> {
        let wrong = |error: serde_json::Error| {
            let line = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum::<usize>();
            let mut at = (line + error.column().saturating_sub(1)).min(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            let message = error.to_string();
            let what = message.split(" at line ").next().unwrap_or_default();
            FilterError::new("syntax", format!("the parameters cannot be read: {what}")).at(text, at..at)
        };
        let members: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).map_err(wrong)?;
        if let Some(name) = members.keys().find(|name| !NAMES.contains(&name.as_str())) {
            let written = serde_json::Value::from(name.as_str()).to_string();
            return Err(match text.find(&written) {
                Some(from) => unknown(name).at(text, from..from + written.len()),
                None => unknown(name),
            });
        }
        serde_json::from_str(text).map_err(wrong)
    }

    fn read_query(text: &str) -> Result<Self, FilterError> {
        let mut parameters = Self::default();
        let mut from = text.len() - text.trim_start().len();
        from += usize::from(text[from..].starts_with('?'));
        for part in text[from..].trim_end().split('&') {
            let place = from..from + part.len();
            from = place.end + 1;
            let Some((name, value)) = form_urlencoded::parse(part.as_bytes()).next() else { continue };
            if !part.contains('=') {
                let error = FilterError::new("syntax", "expected name=value").at(text, place);
                return Err(error.help("write it like span_kind=LLM&status_code=ERROR"));
            }
            let value = value.into_owned();
            match name.as_ref() {
                "span_kind" => parameters.span_kind.push(value),
                "status_code" => parameters.status_code.push(value),
                "name" => parameters.name.push(value),
                "trace_id" => parameters.trace_id.push(value),
                "span_id" => parameters.span_id.push(value),
                "attribute" => parameters.attribute.push(value),
                // The last one wins.
                "parent_id" => parameters.parent_id = Some(value),
                other => return Err(unknown(other).at(text, place)),
            }
        }
        Ok(parameters)
    }

    /// Names and values for a request, not yet encoded.
    pub fn pairs(&self) -> Vec<(&'static str, &str)> {
        let several = [
            ("span_kind", &self.span_kind),
            ("status_code", &self.status_code),
            ("name", &self.name),
            ("trace_id", &self.trace_id),
            ("span_id", &self.span_id),
            ("attribute", &self.attribute),
        ];
        let several = several.into_iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
        let parent = self.parent_id.iter().map(|value| ("parent_id", value));
        several.chain(parent).map(|(name, value)| (name, value.as_str())).collect()
    }
}

fn unknown(name: &str) -> FilterError {
    if OTHERS.contains(&name) {
        let error = FilterError::new("unknown-parameter", format!("{name} is not part of a filter"));
        return error.help("the window and the limit have options of their own");
    }
    let shown: String = name.chars().take(60).collect();
    let error = FilterError::new("unknown-parameter", format!("unknown parameter {shown}"));
    match nearest(name, NAMES) {
        Some(near) => error.suggest(Some(near)),
        None => error.help(format!("a filter has {}", NAMES.join(", "))),
    }
}
