//! Where rows come from.

use crate::json::Value;

/// Words that the `source` column may hold.
pub const SOURCES: [&str; 7] = ["arize", "phoenix", "opik", "file", "demo", "otlp", "local"];

/// What rows say of themselves when they do not say it.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Where the rows come from, one of [`SOURCES`]; a row's own `source` wins.
    pub source: &'static str,
    /// The project of rows that name none.
    pub project: String,
    /// Whether `project` overrides what rows say.
    pub force_project: bool,
}

/// The word if a value is one that the source column may hold.
pub(super) fn known_source(value: Value<'_>) -> Option<&'static str> {
    match value {
        Value::Text(text) => SOURCES.into_iter().find(|word| *word == text),
        _ => None,
    }
}
