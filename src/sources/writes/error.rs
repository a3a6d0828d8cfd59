//! What can be wrong with rows that say something of spans.

use crate::files::FileError;

/// An error in what is to be written. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The columns are none that say anything of a span.
    #[error("{0}")]
    Shape(String),
    /// A row does not fit.
    #[error("{place}: {reason}")]
    Row {
        /// The file and line, or the row's number.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A batch holds what cannot be read.
    #[error("the rows cannot be read: {0}")]
    Batch(String),
}
