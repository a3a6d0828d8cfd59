//! gRPC statuses and transport errors, as errors of a source.

use std::error::Error as _;

use arrow_flight::error::FlightError;
use tonic::{Code, Status};

use crate::config::Secret;
use crate::error::SourceError;
use crate::http::BY_URL;

/// What helps where TLS is spoken: by settings, and by the URL of a server.
const TLS: &str = "; does it expect TLS? ARIZE_FLIGHT_SCHEME=grpc+tls";
const TLS_BY_URL: &str = "; does it expect TLS? --endpoint grpc+tls://…";

/// The error of a connection to a server that was named by its URL: no setting helps.
pub(super) fn by_url(error: SourceError) -> SourceError {
    match error {
        SourceError::Unreachable { endpoint, reason } => {
            SourceError::Unreachable { endpoint, reason: format!("{reason}{BY_URL}") }
        }
        SourceError::Untrusted { endpoint, reason } => {
            SourceError::Untrusted { endpoint, reason: reason.replace(TLS, TLS_BY_URL) }
        }
        other => other,
    }
}

/// The error that a status stands for.
pub(super) fn from_status(endpoint: &str, key: &Secret, status: &Status) -> SourceError {
    let endpoint = endpoint.to_owned();
    let said = key.redact(status.message());
    let said = if said.is_empty() { format!("{:?}", status.code()) } else { said };
    // A status that was made here has a cause; one that came over the wire has none.
    if status.source().is_some() {
        return unreachable(endpoint, "the connection broke: ", causes(status, key), status);
    }
    match status.code() {
        Code::Unauthenticated => SourceError::Denied { endpoint, reason: format!("the key is not accepted: {said}") },
        Code::PermissionDenied => SourceError::Denied {
            endpoint,
            reason: format!("the key may not read this: {said}; check the space and the key's rights"),
        },
        Code::NotFound => SourceError::NotFound { what: format!("{endpoint}: {said}"), suggestion: None },
        Code::Unavailable | Code::Aborted | Code::DeadlineExceeded => {
            SourceError::Unavailable { endpoint, reason: format!("not available: {said}"), retry_after: None }
        }
        Code::ResourceExhausted => {
            SourceError::Unavailable { endpoint, reason: format!("over a limit: {said}"), retry_after: None }
        }
        // tonic's own refusal of a message that is longer than the limit for decoding.
        Code::OutOfRange if said.contains("decoded message length too large") => {
            SourceError::Protocol { endpoint, reason: format!("a message is too long to be read: {said}") }
        }
        // A proxy or a server that goes away ends a stream in one of these, mostly.
        Code::Unknown | Code::Internal | Code::Cancelled if broke(&said) => {
            SourceError::Unreachable { endpoint, reason: format!("the connection broke: {said}") }
        }
        code => SourceError::Refused { endpoint, reason: format!("refused ({code:?}): {said}") },
    }
}

/// Whether a message is what transports say when a connection ends.
fn broke(said: &str) -> bool {
    let said = said.to_lowercase();
    [
        "h2 protocol error",
        "transport error",
        "connection reset",
        "broken pipe",
        "connection closed",
        "unexpected eof",
        "stream closed",
        "rst_stream",
        // What comes instead of the end when a proxy gives up.
        "missing grpc-status",
    ]
    .iter()
    .any(|sign| said.contains(sign))
}

/// The error that a broken stream of batches stands for.
pub(super) fn from_flight(endpoint: &str, key: &Secret, error: &FlightError) -> SourceError {
    match error {
        FlightError::Tonic(status) => from_status(endpoint, key, status),
        other => SourceError::Protocol {
            endpoint: endpoint.to_owned(),
            reason: format!("the stream is not what Flight sends: {}", key.redact(&other.to_string())),
        },
    }
}

/// The error of a connection that could not be made.
pub(super) fn from_transport(endpoint: &str, key: &Secret, error: &tonic::transport::Error) -> SourceError {
    unreachable(endpoint.to_owned(), "", causes(error, key), error)
}

/// The error of a connection that failed for these causes, said in words.
fn unreachable(endpoint: String, what: &str, causes: String, error: &(dyn std::error::Error + 'static)) -> SourceError {
    if let Some(error) = SourceError::untrusted(&endpoint, error) {
        return error;
    }
    // So the first bytes of TLS read, to whom they are not explained.
    if causes.contains("frame with invalid size") {
        return SourceError::Untrusted { endpoint, reason: format!("{causes}{TLS}") };
    }
    SourceError::Unreachable { endpoint, reason: format!("{what}{causes}") }
}

/// All causes of an error, outermost first, without those that only repeat the one before.
fn causes(error: &(dyn std::error::Error + 'static), key: &Secret) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let said = error.to_string();
        if !said.is_empty() && said != "transport error" && !text.contains(&said) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&said);
        }
        next = error.source();
    }
    key.redact(if text.is_empty() { "transport error" } else { &text })
}
