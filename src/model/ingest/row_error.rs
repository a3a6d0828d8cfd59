//! Why rows do not fit.

use super::super::json::{JsonError, Value, unescaped};

/// Why a row does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// The row's text is not JSON.
    #[error("not JSON: {0}")]
    Json(#[from] JsonError),
    /// A value cannot be what its column must hold.
    #[error("{column}: {reason}")]
    Value {
        /// Name of the column.
        column: String,
        /// The value's beginning, and what is wrong with it.
        reason: String,
    },
    /// The row as a whole is not a span.
    #[error("{0}")]
    Row(String),
}

impl RowError {
    /// A value that must be there.
    pub(super) fn missing(column: &str) -> Self {
        Self::Value { column: column.to_owned(), reason: "missing or empty".to_owned() }
    }
}

/// The beginning of a value, for messages: on one line, text in quotes.
pub(super) fn shown(value: Value<'_>) -> String {
    const SHOWN: usize = 40;
    let begin = |text: &str| -> (String, &str) {
        let cut = text.char_indices().nth(SHOWN).map(|(at, _)| at);
        (text.chars().take(SHOWN).collect(), if cut.is_some() { "…" } else { "" })
    };
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(text) => begin(text).0,
        Value::Text(text) => {
            let (text, more) = begin(text);
            format!("{text:?}{more}")
        }
        Value::Escaped(body) => {
            let text = unescaped(body);
            shown(Value::Text(&text))
        }
        Value::Nested(json) => {
            let (text, more) = begin(json);
            format!("{}{more}", text.escape_debug())
        }
    }
}
