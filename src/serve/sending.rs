//! Answers of Flight on their way: batches as they come, encoded as messages.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_flight::FlightData;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use futures::{Stream, StreamExt, TryStreamExt};
use tonic::Status;

use super::connections::Busy;
use super::outlet::Pieces;
use super::refusal::Refusal;
use super::shutdown::Shutdown;

/// A part of what is sent.
pub(super) enum Piece {
    /// The first.
    Schema(SchemaRef),
    Rows(RecordBatch),
}

/// Takes the first part of an answer: what comes before it is a refusal.
pub(super) async fn schema_of(pieces: &mut Pieces<Piece>) -> Result<SchemaRef, Refusal> {
    match pieces.next().await {
        Some(Ok(Piece::Schema(schema))) => Ok(schema),
        Some(Err(refusal)) => Err(refusal),
        _ => Err(Refusal::internal("the answer has no schema")),
    }
}

/// What is sent, as messages; the request is being answered until they are dropped.
///
/// `told` hears of the rows of each batch, and of the end as `None`; it is dropped with the messages.
pub(super) fn messages(
    pieces: Pieces<Piece>,
    schema: SchemaRef,
    told: impl Fn(Option<usize>) + Send + 'static,
    busy: Busy,
    shutdown: Shutdown,
) -> impl Stream<Item = Result<FlightData, Status>> + Send + 'static {
    let counted = futures::stream::unfold((pieces, told, busy, false), move |(mut pieces, told, busy, ended)| {
        let shutdown = shutdown.clone();
        async move {
            if ended {
                return None;
            }
            let next = tokio::select! {
                next = pieces.next() => next,
                () = shutdown.deadline() => Some(Err(Refusal::ending())),
            };
            match next {
                Some(Ok(Piece::Rows(batch))) => {
                    told(Some(batch.num_rows()));
                    Some((Ok(batch), (pieces, told, busy, false)))
                }
                Some(Ok(Piece::Schema(schema))) => {
                    Some((Ok(RecordBatch::new_empty(schema)), (pieces, told, busy, false)))
                }
                Some(Err(refusal)) => Some((Err(flight_error(refusal)), (pieces, told, busy, true))),
                None => {
                    told(None);
                    None
                }
            }
        }
    });
    FlightDataEncoderBuilder::new()
        .with_schema(schema)
        // Batches are cut by what their rows take; the encoder would count all that their buffers hold.
        .with_max_flight_data_size(usize::MAX)
        .build(counted)
        .map_err(Status::from)
}

fn flight_error(refusal: Refusal) -> FlightError {
    FlightError::Tonic(Box::new(refusal.into()))
}
