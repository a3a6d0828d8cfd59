//! What can go wrong when a result is written.

use std::io;

use arrow::error::ArrowError;
use parquet::errors::ParquetError;

use spanql_trace::TraceError;

/// Why a result could not be written, or an option of its output not be understood.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No format has this name.
    #[error("unknown format '{given}': use one of table, json, jsonl, csv, tsv, md, parquet, arrow")]
    UnknownFormat {
        /// The name as given.
        given: String,
    },
    /// No time zone has this name.
    #[error("unknown time zone '{given}': use utc, local or an IANA name{}", such_as(nearest.as_deref()))]
    UnknownZone {
        /// The name as given.
        given: String,
        /// The most similar known name, if any is similar.
        nearest: Option<String>,
    },
    /// A batch does not have the columns that were announced.
    #[error("a batch of {got} columns arrived for a result of {expected} columns")]
    Columns {
        /// Columns announced.
        expected: usize,
        /// Columns of the batch.
        got: usize,
    },
    /// The destination did not take the data.
    #[error("could not write the result")]
    Io(#[source] io::Error),
    /// A column is of a kind that the format cannot hold, or its data is broken.
    #[error("could not encode the result")]
    Arrow(#[source] ArrowError),
    /// The spans are not those of a trace that can be put together.
    #[error("could not put the trace together")]
    Trace(#[source] TraceError),
    /// A column is of a kind that Parquet cannot hold.
    #[error("could not encode the result as Parquet")]
    Parquet(#[source] ParquetError),
}

fn such_as(name: Option<&str>) -> String {
    name.map(|name| format!(" such as {name}")).unwrap_or_default()
}

impl Error {
    /// Whether the reader of the output closed it, which is no failure of ours.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ArrowError> for Error {
    fn from(error: ArrowError) -> Self {
        match error {
            ArrowError::IoError(_, error) => Self::Io(error),
            other => Self::Arrow(other),
        }
    }
}

impl From<TraceError> for Error {
    fn from(error: TraceError) -> Self {
        Self::Trace(error)
    }
}

impl From<ParquetError> for Error {
    fn from(error: ParquetError) -> Self {
        match error {
            ParquetError::External(inner) => match inner.downcast::<io::Error>() {
                Ok(error) => Self::Io(*error),
                Err(inner) => Self::Parquet(ParquetError::External(inner)),
            },
            other => Self::Parquet(other),
        }
    }
}
