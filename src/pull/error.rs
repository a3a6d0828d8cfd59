//! Why a pull cannot begin, or stops.

use chrono::{DateTime, SecondsFormat};

use spanql_engine::EngineError;
use spanql_sources::{SourceError, Window};
use spanql_store::StoreError;

/// Why a pull cannot begin, or stopped. What has landed before stays.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// No time lies in the window.
    #[error("the window is empty: it would begin at {} and end before {}", time(.0.start), time(.0.end))]
    EmptyWindow(Window),
    /// A column was asked for that no span can have.
    #[error("there is no column {name}{}", nearest.map(|near| format!("; did you mean {near}?")).unwrap_or_default())]
    UnknownColumn {
        /// The name as it was given.
        name: String,
        /// The nearest one that there is.
        nearest: Option<&'static str>,
    },
    /// Columns were to be chosen, and none was.
    #[error("no column is named")]
    NoColumn,
    /// A condition cannot be checked on single spans.
    #[error("filter: {0}")]
    Condition(String),
    /// A share of the traces was asked for that the remote cannot give.
    #[error("{0} cannot be asked for a share of the traces")]
    NoSample(&'static str),
    /// The remote could not give a slice.
    #[error("{0}")]
    Source(#[from] SourceError),
    /// The store could not take one.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// What is old in the store could not be found out.
    #[error("{0}")]
    Engine(#[from] EngineError),
    /// What came cannot be redacted, and so must not be stored.
    #[error("nothing is redacted: {0}")]
    NotRedacted(String),
    /// A task ended abnormally.
    #[error("internal: {0}")]
    Internal(String),
}

impl PullError {
    /// The remote's error, if it was one.
    pub fn source_error(&self) -> Option<&SourceError> {
        match self {
            Self::Source(error) => Some(error),
            _ => None,
        }
    }

    /// Whether a remote that cannot be reached now may be later.
    pub fn is_outage(&self) -> bool {
        self.source_error().is_some_and(|error| error.is_transient() || matches!(error, SourceError::Silent { .. }))
    }
}

fn time(ns: i64) -> String {
    DateTime::from_timestamp_nanos(ns).to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
