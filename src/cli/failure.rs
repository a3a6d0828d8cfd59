//! What ends a run beside the errors of the work: wrong usage, an interruption, a result that is not as expected.

use spanql_filter::FilterError;

/// Ends that are no failure of the work itself.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("interrupted")]
    Interrupted,
    #[error("{0}")]
    Usage(String),
    #[error("{}", .0.report())]
    Filter(FilterError),
    #[error("{0}")]
    Incomplete(String),
    /// Something failed whose error was printed before.
    #[error("a statement failed")]
    AlreadyReported,
    #[error("{0}")]
    Expectation(String),
}
