//! Why a request is not answered, said once for both transports.

use std::time::Duration;

use datafusion::error::DataFusionError;
use tonic::{Code, Status};

use spanql_engine::EngineError;
use spanql_store::StoreError;

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
    /// Others are being answered: the same request may be answered later.
    Busy,
    /// Its origin is a web page of somebody else.
    Foreign,
    /// The key is one to read with.
    ReadOnly,
    /// It is larger than a request may be.
    TooLarge,
    /// Requests come too fast.
    TooFast,
    /// A request does not come to its end.
    TooSlow,
    /// What has been sent to the server takes all memory there is for it.
    Overfull,
    /// It is written in a way that is not read.
    Unreadable,
    /// There is not enough memory for it.
    Memory,
    /// It failed here.
    Internal,
}

/// Characters of a message, whatever a client gave it to say.
const MAX_MESSAGE: usize = 2_000;
/// Characters of a text by a client in a message.
const MAX_SHOWN: usize = 100;

/// A text by a client, quoted, as far as a message shows it.
pub(super) fn shown(text: &str) -> String {
    format!("{:?}", short(text, MAX_SHOWN))
}

fn short(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A request that is not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) kind: Kind,
    pub(super) message: String,
}

impl Refusal {
    fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: short(&message.into(), MAX_MESSAGE) }
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

    pub(super) fn busy(message: impl Into<String>) -> Self {
        Self::new(Kind::Busy, message)
    }

    pub(super) fn foreign() -> Self {
        Self::new(Kind::Foreign, "requests of web pages are not answered: send no Origin header")
    }

    pub(super) fn read_only() -> Self {
        Self::new(Kind::ReadOnly, "this key only reads: show the one that was given as --write-token")
    }

    pub(super) fn too_large(most: usize) -> Self {
        let most = bytesize::ByteSize(most as u64);
        Self::new(Kind::TooLarge, format!("the request has more than {most}: send it in parts"))
    }

    pub(super) fn too_fast() -> Self {
        Self::new(Kind::TooFast, "requests come too fast: send larger ones, less often")
    }

    pub(super) fn too_slow() -> Self {
        Self::new(Kind::TooSlow, "the body did not come in time")
    }

    pub(super) fn out_of_time(most: Duration) -> Self {
        let why = "ask for less, or let the server give statements more time (--statement-timeout)";
        Self::new(Kind::TooSlow, format!("the statement was stopped after {} s: {why}", most.as_secs()))
    }

    /// A statement that is not run, in the words of the engine.
    pub(super) fn of_statement(error: &EngineError) -> Self {
        let kind = match error.code() {
            "memory" => Kind::Memory,
            "removed" => Kind::Busy,
            "not-read-only" => Kind::ReadOnly,
            "internal" => Kind::Internal,
            _ => Kind::Invalid,
        };
        Self::new(kind, error.to_string())
    }

    pub(super) fn writes_through_sql() -> Self {
        Self::new(
            Kind::ReadOnly,
            "SQL only reads here: spans are written as clients of Arize and OpenTelemetry write them",
        )
    }

    pub(super) fn overfull(message: impl Into<String>) -> Self {
        Self::new(Kind::Overfull, message)
    }

    pub(super) fn unreadable(message: impl Into<String>) -> Self {
        Self::new(Kind::Unreadable, message)
    }

    pub(super) fn internal(message: impl Into<String>) -> Self {
        Self::new(Kind::Internal, message)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Patch(reason) => Self::invalid(reason),
            StoreError::UnknownIds { .. } => Self::not_found(error.to_string()),
            _ => Self::internal(error.to_string()),
        }
    }
}

impl From<EngineError> for Refusal {
    fn from(error: EngineError) -> Self {
        let kind = match error.code() {
            "memory" => Kind::Memory,
            "removed" => Kind::Busy,
            // What a filter asks for is more than an engine takes.
            "bad-pattern" | "limit" => Kind::Invalid,
            _ => Kind::Internal,
        };
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
            Kind::Ending | Kind::Busy => Code::Unavailable,
            Kind::Foreign | Kind::ReadOnly => Code::PermissionDenied,
            // Exporters try again what is UNAVAILABLE, and give up what is not.
            Kind::TooFast => Code::Unavailable,
            Kind::TooSlow => Code::DeadlineExceeded,
            Kind::Memory | Kind::Overfull | Kind::TooLarge => Code::ResourceExhausted,
            Kind::Unreadable => Code::Unimplemented,
            Kind::Internal => Code::Internal,
        };
        Self::new(code, refusal.message)
    }
}
