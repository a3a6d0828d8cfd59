//! Spans that OpenTelemetry's exporters send, the same over gRPC and HTTP.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::backend::Backend;
use super::connections::Peer;
use super::messages::{Exported, PartialSuccess};
use super::refusal::Refusal;
use super::room::Turn;
use spanql_sources::files::{OtlpEncoding, OtlpError, OtlpReader};

/// How much more memory spans take than the request that they came in.
const GROWTH: usize = 3;
/// The project of spans that name none, on a server of all projects.
const PROJECT: &str = "default";

/// Takes a request: when this returns, its spans are on disk.
pub(super) async fn take(
    backend: &Backend,
    bytes: Bytes,
    encoding: OtlpEncoding,
    peer: &Arc<Peer>,
) -> Result<Exported, Refusal> {
    let began = Instant::now();
    let size = bytes.len();
    let part = backend.room().take(size.saturating_mul(GROWTH), Turn::First, peer).await?;
    let project = backend.only().unwrap_or(PROJECT).to_owned();
    let reader = OtlpReader { project, max_value: backend.intake().most() };
    let read = tokio::task::spawn_blocking(move || reader.read(&bytes, encoding));
    let read = read.await.map_err(|error| Refusal::internal(format!("the request was not read: {error}")))?;
    let read = read.map_err(|error| match error {
        OtlpError::Malformed(_) => Refusal::invalid(error.to_string()),
        OtlpError::Arrow(_) => Refusal::internal(error.to_string()),
    })?;
    let stored = backend.writer().spans(read.batches, part).await;
    backend.log(|| {
        let (spans, rejected, milliseconds) = (read.spans, read.rejected, began.elapsed().as_millis());
        let end = stored.as_ref().err().map(|refusal| format!(": {}", refusal.message)).unwrap_or_default();
        format!("OTLP {size} bytes, {spans} spans, {rejected} refused{end}, {milliseconds} ms")
    });
    stored?;
    Ok(Exported {
        partial_success: (read.rejected > 0).then(|| PartialSuccess {
            rejected_spans: i64::try_from(read.rejected).unwrap_or(i64::MAX),
            error_message: read.reason.unwrap_or_default(),
        }),
    })
}
