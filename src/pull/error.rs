//! Why a pull stops.

use spanql_sources::SourceError;
use spanql_store::StoreError;

/// Why a pull stopped. What has landed before stays.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// The remote could not give a slice.
    #[error("{0}")]
    Source(#[from] SourceError),
    /// The store could not take one.
    #[error("{0}")]
    Store(#[from] StoreError),
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
}
