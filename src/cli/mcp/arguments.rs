//! What the tools take. Doc comments here are what agents read.

use std::collections::BTreeMap;

use anyhow::bail;
use rmcp::schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::super::failure::Failure;
use spanql_engine::{Param, Params};

/// Nothing.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "rmcp::schemars")]
pub(super) struct Nothing {}

/// What is to be described.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "rmcp::schemars")]
pub(super) struct Describe {
    /// A table, the beginning of a column's or a function's name, or a pattern such as `eval.*`. Leave it out for the list
    /// of tables, functions in FROM and short names.
    pub(super) name: Option<String>,
}

/// A statement.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "rmcp::schemars")]
pub(super) struct Query {
    /// One statement that reads: SELECT, EXPLAIN, DESCRIBE or SHOW.
    pub(super) sql: String,
    /// Values of parameters, written $name in the statement: texts, numbers, true, false or null.
    #[serde(default)]
    pub(super) params: BTreeMap<String, Value>,
    /// Rows of the answer at most; 1000 at most.
    pub(super) max_rows: Option<usize>,
    /// Characters after which a text in a row is cut.
    pub(super) max_cell: Option<usize>,
}

/// The language of a filter.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(crate = "rmcp::schemars")]
pub(super) enum Language {
    /// Arize's: status_code = 'ERROR' AND latency_ms > 1000
    #[default]
    Arize,
    /// Opik's OQL: total_estimated_cost > 0.1 AND tags contains "slow"; or its JSON list
    Opik,
    /// Parameters of Phoenix: span_kind=LLM&status_code=ERROR
    Phoenix,
}

/// What a filter gives.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(crate = "rmcp::schemars")]
pub(super) enum Of {
    /// The spans of which it is true.
    #[default]
    Spans,
    /// The traces in which it is true of any span; in Opik's language, those of which it is true.
    Traces,
    /// The sessions, likewise.
    Sessions,
}

/// A filter.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "rmcp::schemars")]
pub(super) struct Filter {
    /// The filter, in one of the three languages.
    pub(super) filter: String,
    /// Which language it is in; arize if left out.
    #[serde(default)]
    pub(super) language: Language,
    /// What is to be found; spans if left out.
    #[serde(default)]
    pub(super) of: Of,
    /// The one project to look in; all of them if left out.
    pub(super) project: Option<String>,
    /// Rows of the answer at most; 1000 at most.
    pub(super) max_rows: Option<usize>,
    /// Characters after which a text in a row is cut.
    pub(super) max_cell: Option<usize>,
}

/// A trace.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "rmcp::schemars")]
pub(super) struct Trace {
    /// The id of the trace, or its first four characters or more.
    pub(super) id: String,
    /// Whether inputs, outputs and what failed spans say stand below each span, whole.
    #[serde(default)]
    pub(super) texts: bool,
    /// Levels of the tree that are shown.
    pub(super) depth: Option<u32>,
    /// Whether only failed spans are shown, and those above them.
    #[serde(default)]
    pub(super) errors_only: bool,
}

/// A session.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "rmcp::schemars")]
pub(super) struct Session {
    /// The id of the session, or its first four characters or more.
    pub(super) id: String,
    /// Whether what was said is shown whole, and not its beginnings.
    #[serde(default)]
    pub(super) texts: bool,
}

/// A saved query.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "rmcp::schemars")]
pub(super) struct RunSaved {
    /// Its name, as list_saved_queries gives it.
    pub(super) name: String,
    /// Values of its parameters; a list for a parameter that takes one. Those with a default may be left out.
    #[serde(default)]
    pub(super) params: BTreeMap<String, Value>,
    /// Rows of the answer at most; 1000 at most.
    pub(super) max_rows: Option<usize>,
    /// Characters after which a text in a row is cut.
    pub(super) max_cell: Option<usize>,
}

/// Parameters of a statement.
///
/// # Errors
/// For a value that is no single one.
pub(super) fn params(given: BTreeMap<String, Value>) -> anyhow::Result<Params> {
    given.into_iter().map(|(name, value)| Ok((name.clone(), param(&name, value)?))).collect()
}

fn param(name: &str, value: Value) -> anyhow::Result<Param> {
    Ok(match value {
        Value::Null => Param::Null,
        Value::Bool(flag) => Param::Boolean(flag),
        Value::String(text) => Param::Text(text),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(int), _) => Param::Int(int),
            (None, Some(float)) => Param::Float(float),
            (None, None) => bail!("the parameter {name} is a number beyond 64 bits: give it as text"),
        },
        Value::Array(_) | Value::Object(_) => {
            let why = format!("the parameter {name} is no text, number, true, false or null: write lists into the SQL");
            return Err(Failure::Usage(why).into());
        }
    })
}

/// Parameters of a saved query as a person types them.
///
/// # Errors
/// For an object, and a list of lists.
pub(super) fn typed(given: BTreeMap<String, Value>) -> anyhow::Result<Vec<(String, String)>> {
    let mut typed = Vec::new();
    for (name, value) in given {
        let items = match value {
            Value::Array(items) => items,
            one => vec![one],
        };
        for item in items {
            let text = match item {
                Value::String(text) => text,
                Value::Array(_) | Value::Object(_) => {
                    let why = format!("the parameter {name} is no text, number, true or false, and no list of these");
                    return Err(Failure::Usage(why).into());
                }
                other => other.to_string(),
            };
            typed.push((name.clone(), text));
        }
    }
    Ok(typed)
}
