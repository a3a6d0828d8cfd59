//! DoPut: evaluations, annotations and metadata of Arize's client, written on spans by their ids.

use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow_flight::flight_descriptor::DescriptorType;
use arrow_flight::{FlightData, FlightDescriptor, PutResult};
use futures::{Stream, StreamExt};
use prost::Message;
use serde::Deserialize;
use tonic::{Code, Status};

use super::backend::Backend;
use super::command::check_space;
use super::connections::Peer;
use super::judged::{self, What};
use super::refusal::{Refusal, shown};
use super::room::Turn;
use spanql_sources::files::{Limits, ipc_batches};

/// How much more memory rows take than the messages that they came in.
const GROWTH: usize = 4;
/// What stands before each message of Arrow.
const CONTINUATION: [u8; 4] = [0xff; 4];

/// The command: a request for one of these, of which each names the project.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
enum Command {
    #[serde(rename = "writeSpanEvaluationRequest", alias = "write_span_evaluation_request")]
    Evaluations(Target),
    #[serde(rename = "writeSpanAnnotationRequest", alias = "write_span_annotation_request")]
    Annotations(Target),
    #[serde(rename = "writeSpanAttributesMetadataRequest", alias = "write_span_attributes_metadata_request")]
    Metadata(Target),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Target {
    #[serde(alias = "space_id")]
    space_id: Option<String>,
    #[serde(alias = "external_model_id")]
    external_model_id: Option<String>,
}

impl Command {
    fn parse(descriptor: Option<FlightDescriptor>) -> Result<(What, String), Refusal> {
        let descriptor = descriptor.ok_or_else(|| Refusal::invalid("the first message has no descriptor"))?;
        if descriptor.r#type() != DescriptorType::Cmd {
            return Err(Refusal::invalid("the descriptor must be a command"));
        }
        let command = serde_json::from_slice(&descriptor.cmd).map_err(|error| {
            let kinds = "evaluations, annotations and metadata of spans are written here";
            Refusal::invalid(format!("the command is not the JSON of a write ({error}): {kinds}"))
        })?;
        let (what, target) = match command {
            Self::Evaluations(target) => (What::Evaluations, target),
            Self::Annotations(target) => (What::Annotations, target),
            Self::Metadata(target) => (What::Metadata, target),
        };
        check_space(target.space_id.as_deref())?;
        let project = target.external_model_id.filter(|name| !name.is_empty());
        Ok((what, project.ok_or_else(|| Refusal::invalid("externalModelId, the name of the project, is missing"))?))
    }
}

/// Takes what a client sends to its end, and writes it: all of it in one commit, but for ids that the project has no span of.
pub(super) async fn put(
    backend: &Backend,
    messages: impl Stream<Item = Result<FlightData, Status>> + Unpin,
    peer: &Arc<Peer>,
) -> Result<PutResult, Status> {
    let began = Instant::now();
    let received = receive(messages, backend.intake().most()).await?;
    let _admitted = backend.intake().admit(peer.address()).await?;
    let (what, name) = Command::parse(received.descriptor)?;
    let part = backend.room().take(received.bytes.len().saturating_mul(GROWTH), Turn::First, peer).await?;
    // An unknown project is refused before its rows are read.
    backend.newest().await.map_err(Refusal::from)?.check_project(&name)?;
    let limits = Limits { memory: backend.intake().most(), ..Limits::default() };
    let read = tokio::task::spawn_blocking(move || read(what, received.bytes, limits));
    let rows = read.await.map_err(|error| Refusal::internal(format!("the rows were not read: {error}")))??;
    let written = judged::write(backend, &name, rows, part).await;
    backend.log(|| {
        let end = match &written {
            Ok(written) => format!("{} of {} rows", written.known(), written.rows),
            Err(refusal) => refusal.message.clone(),
        };
        format!("Flight DoPut {} {}: {end}, {} ms", shown(&name), what.word(), began.elapsed().as_millis())
    });
    let written = written?;
    let answer = match what {
        What::Evaluations | What::Annotations => written.updated().encode_to_vec(),
        What::Metadata => written.patched().encode_to_vec(),
    };
    Ok(PutResult { app_metadata: answer.into() })
}

fn read(what: What, bytes: Vec<u8>, limits: Limits) -> Result<judged::Rows, Refusal> {
    let batches: Vec<RecordBatch> =
        ipc_batches(bytes, limits).map_err(|error| Refusal::invalid(format!("the rows are not Arrow's: {error}")))?;
    judged::Rows::read(what, &batches)
}

#[derive(Debug, Default)]
pub(super) struct Received {
    descriptor: Option<FlightDescriptor>,
    /// The messages as a stream of Arrow IPC.
    pub(super) bytes: Vec<u8>,
}

/// Takes all messages: a client that stops in the middle has written nothing.
pub(super) async fn receive(
    mut messages: impl Stream<Item = Result<FlightData, Status>> + Unpin,
    most: usize,
) -> Result<Received, Status> {
    let mut received = Received::default();
    let mut is_first = true;
    while let Some(message) = messages.next().await {
        let message = message.map_err(|status| match status.code() {
            Code::OutOfRange => Refusal::too_large(most).into(),
            _ => status,
        })?;
        if std::mem::take(&mut is_first) {
            received.descriptor = message.flight_descriptor;
        }
        let length = message.data_header.len() + message.data_body.len();
        if received.bytes.len() + length > most {
            return Err(Refusal::too_large(most).into());
        }
        if message.data_header.is_empty() {
            continue;
        }
        let header = u32::try_from(message.data_header.len()).map_err(|_| Refusal::too_large(most))?;
        received.bytes.extend_from_slice(&CONTINUATION);
        received.bytes.extend_from_slice(&header.to_le_bytes());
        received.bytes.extend_from_slice(&message.data_header);
        received.bytes.extend_from_slice(&message.data_body);
    }
    Ok(received)
}
