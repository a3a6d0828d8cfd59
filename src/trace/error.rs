//! What can go wrong when traces are computed.

use arrow::datatypes::DataType;
use arrow::error::ArrowError;

/// Why the trees or summaries of a batch could not be computed.
///
/// Broken traces (orphans, cycles, doubled ids, odd times) are never an error.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// A column that the tree cannot do without is not in the batch.
    #[error("column {0} is missing: a trace needs it to find its tree")]
    MissingColumn(&'static str),
    /// A column has a type that cannot be read as the canonical one.
    #[error("column {name} is {found} and cannot be read as {expected}")]
    WrongType {
        /// Name of the column.
        name: &'static str,
        /// Its type in the batch.
        found: DataType,
        /// Its canonical type.
        expected: DataType,
    },
    /// A trace has more spans than nested-set numbers reach.
    #[error("a trace of {0} spans is too large: its tree numbers would exceed 32 bits")]
    TooLarge(usize),
    /// A result does not fit an Arrow array.
    #[error(transparent)]
    Arrow(#[from] ArrowError),
}
