//! From FlightInfo to spans: the stream of DoGet, converted batch by batch.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::{FlightInfo, Ticket};
use futures::{Stream, StreamExt, TryStreamExt, stream};

use super::connection::Connection;
use super::lists::joined;
use super::status::from_flight;
use crate::cut::cut_to;
use crate::error::SourceError;
use crate::messages::check_buffers;
use crate::remote::{Received, SpanStream};
use spanql_model::ingest::{Origin, convert_batch};
use spanql_model::panics;
use spanql_model::window::Window;

/// The rows that a server announces; `None` when it does not know.
pub(super) fn announced(info: &FlightInfo) -> Option<u64> {
    u64::try_from(info.total_records).ok()
}

/// The schema that a server announces, which may be none.
pub(super) fn announced_schema(info: &FlightInfo) -> Option<SchemaRef> {
    if info.schema.is_empty() {
        return None;
    }
    // What cannot be read is as good as nothing: the stream has a schema of its own.
    let decoded = panics::caught(|| info.clone().try_decode_schema());
    decoded.ok()?.ok().map(Arc::new)
}

/// The ticket to redeem; `None` when there is nothing.
fn ticket(connection: &Connection, info: &FlightInfo) -> Result<Option<Ticket>, SourceError> {
    if info.total_records == 0 {
        return Ok(None);
    }
    let ticket = info.endpoint.first().and_then(|endpoint| endpoint.ticket.clone());
    ticket.map(Some).ok_or_else(|| SourceError::Protocol {
        endpoint: connection.name().to_owned(),
        reason: match announced(info) {
            Some(rows) => format!("{rows} rows are announced, and there is no ticket to get them with"),
            None => "there is no ticket to get the rows with".to_owned(),
        },
    })
}

/// The schema in the first message of a stream that is not read any further; `None` when there is nothing to read.
pub(super) async fn first_schema(connection: &Connection, info: FlightInfo) -> Result<Option<SchemaRef>, SourceError> {
    let Some(ticket) = ticket(connection, &info)? else { return Ok(None) };
    let mut batches = std::pin::pin!(batches(connection, ticket, Arc::default()));
    match batches.next().await {
        Some(batch) => Ok(Some(batch?.schema())),
        None => Ok(None),
    }
}

/// The spans of what a server announced; they are asked for when the stream is first read.
pub(super) fn open(
    connection: &Connection,
    info: &FlightInfo,
    origin: Origin,
    window: Window,
) -> Result<SpanStream, SourceError> {
    let received = Arc::new(Received::default());
    let announced = announced(info);
    let Some(ticket) = ticket(connection, info)? else {
        return Ok(SpanStream::new(announced, received, stream::empty()));
    };
    let endpoint = connection.name().to_owned();
    let spans = {
        let received = Arc::clone(&received);
        batches(connection, ticket, Arc::clone(&received))
            .and_then(move |batch| futures::future::ready(ingest_batch(&endpoint, &batch, &origin, window, &received)))
            .try_filter(|batch| futures::future::ready(batch.num_rows() > 0))
    };
    Ok(SpanStream::new(announced, received, spans))
}

/// The batches that a ticket stands for, their bytes counted; a server that falls silent is an error.
fn batches(
    connection: &Connection,
    ticket: Ticket,
    received: Arc<Received>,
) -> impl Stream<Item = Result<RecordBatch, SourceError>> + Send + 'static {
    let connection = connection.clone();
    let begin = async move {
        let data = connection.get(ticket).await?.map_err(FlightError::from).and_then(move |message| {
            received.add(0, (message.data_header.len() + message.data_body.len()) as u64);
            let checked = check_buffers(&message.data_header, &message.data_body).map_err(FlightError::DecodeError);
            futures::future::ready(checked.map(|()| message))
        });
        let batches = FlightRecordBatchStream::new_from_flight_data(data);
        Ok::<_, SourceError>(stream::try_unfold((batches, connection), |(mut batches, connection)| async move {
            // Bytes that nobody vouches for: should their reader panic, that is an error of the stream.
            let next = panics::caught_async(batches.next());
            let Ok(next) = tokio::time::timeout(connection.timeout, next).await else {
                return Err(connection.silent());
            };
            let no_sense = |_| Some(Err(FlightError::DecodeError("its content makes no sense".to_owned())));
            match next.unwrap_or_else(no_sense) {
                None => Ok(None),
                Some(Ok(batch)) => Ok(Some((batch, (batches, connection)))),
                Some(Err(error)) => Err(from_flight(connection.name(), connection.key(), &error)),
            }
        }))
    };
    stream::once(begin).try_flatten()
}

/// A batch as it is ingested, without the rows outside the window.
fn ingest_batch(
    endpoint: &str,
    batch: &RecordBatch,
    origin: &Origin,
    window: Window,
    received: &Received,
) -> Result<RecordBatch, SourceError> {
    let wrong = |reason: String| SourceError::Protocol { endpoint: endpoint.to_owned(), reason };
    let unreadable = |error| wrong(format!("a batch cannot be read: {error}"));
    let converted = joined(batch).and_then(|batch| convert_batch(&batch, origin)).map_err(unreadable)?;
    if let Some((_, row_error)) = converted.bad.first() {
        received.add_unfit(converted.bad.len() as u64, || row_error.to_string());
    }
    received.add(batch.num_rows() as u64, 0);
    cut_to(&converted.batch, window).map_err(|error| wrong(error.to_string()))
}
