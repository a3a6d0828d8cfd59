//! Why a request is not answered, said once for both transports.

use datafusion::error::DataFusionError;
use tonic::{Code, Status};

use crate::engine::EngineError;
use crate::store::StoreError;

/// What kind of refusal it is: each transport has a code for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The key is missing or wrong.
    Key,
    /// The request cannot be read, or contradicts itself.
    Invalid,
    /// The request can be read, and asks for what is out of bounds.
    OutOfBounds,
    /// What is asked about is not there.
    NotFound,
    /// What was there when the request began is there no more.
    Gone,
    /// The server ends: another one may answer.
    Ending,
    /// There is not enough memory for it.
    Memory,
    /// It failed here.
    Internal,
}

/// A request that is not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) kind: Kind,
    pub(super) message: String,
}

impl Refusal {
    fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub(super) fn key() -> Self {
        Self::new(Kind::Key, "the API key is missing or wrong")
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
    }

    pub(super) fn out_of_bounds(message: impl Into<String>) -> Self {
        Self::new(Kind::OutOfBounds, message)
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, message)
    }

    pub(super) fn gone(message: impl Into<String>) -> Self {
        Self::new(Kind::Gone, message)
    }

    pub(super) fn ending() -> Self {
        Self::new(Kind::Ending, "the server is shutting down")
    }

    pub(super) fn internal(message: impl Into<String>) -> Self {
        Self::new(Kind::Internal, message)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::internal(error.to_string())
    }
}

impl From<EngineError> for Refusal {
    fn from(error: EngineError) -> Self {
        let kind = if error.code() == "memory" { Kind::Memory } else { Kind::Internal };
        Self::new(kind, error.to_string())
    }
}

impl From<DataFusionError> for Refusal {
    fn from(error: DataFusionError) -> Self {
        EngineError::from_datafusion(&error).into()
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal.kind {
            Kind::Key => Code::Unauthenticated,
            Kind::Invalid | Kind::OutOfBounds => Code::InvalidArgument,
            Kind::NotFound => Code::NotFound,
            Kind::Gone => Code::FailedPrecondition,
            Kind::Ending => Code::Unavailable,
            Kind::Memory => Code::ResourceExhausted,
            Kind::Internal => Code::Internal,
        };
        Self::new(code, refusal.message)
    }
}
