//! Where rows come from.

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
