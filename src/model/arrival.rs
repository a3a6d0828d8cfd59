//! Spans on their way in: batches in the canonical columns' names and types, made from whatever a source wrote.
//!
//! An *arrival* is a record batch with some of the canonical columns in their exact types (never the ones that are
//! computed: `latency_ms`, `event.attributes`, `tree.*`, `attributes.metadata.<key>`) and any open columns, each
//! Utf8, Int64, Float64 or Boolean. `project`, `source`, `context.trace_id` and `context.span_id` are there and
//! never null. Ids that are [none](super::ids) are null, too. Row order is the order of arrival, and a span may occur more
//! than once. Metadata that came only as single keys stands in [`METADATA_PATCH`](super::columns::METADATA_PATCH) instead
//! of `attributes.metadata`.
//!
//! ```text
//! JSON text, cells   -> ArrivalBuilder --+
//!                                        +-> arrival
//! any record batch   -> convert_batch  --+
//! ```
//!
//! Both ways share the rules for names (`keys`) and values (`fixed`), so that the same span written as JSON and as
//! Parquet becomes the same row.

mod announced;
mod arrays;
mod batch;
mod cells;
mod changes;
mod fixed;
mod keys;
mod metadata;
mod open;
mod rows;

pub use announced::announced_columns;
pub use batch::{Converted, convert_batch, convert_batch_strictly};
pub use changes::{Change, ChangeCounts};
pub use rows::{ArrivalBuilder, Key};

use super::json::{JsonError, Value};

/// Words that the `source` column may hold.
pub const SOURCES: [&str; 5] = ["arize", "phoenix", "opik", "file", "demo"];

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

/// Why a row does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
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

impl Misfit {
    fn missing(column: &str) -> Self {
        Self::Value { column: column.to_owned(), reason: "missing or empty".to_owned() }
    }
}

/// The beginning of a value, for messages: on one line, text in quotes.
fn shown(value: Value<'_>) -> String {
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
            let text = super::json::unescaped(body);
            shown(Value::Text(&text))
        }
        Value::Nested(json) => {
            let (text, more) = begin(json);
            format!("{}{more}", text.escape_debug())
        }
    }
}
