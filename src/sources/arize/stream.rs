//! From FlightInfo to spans: the stream of DoGet, converted batch by batch.

use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::{FlightInfo, Ticket};
use futures::{Stream, StreamExt, TryStreamExt, stream};

use super::connection::Connection;
use super::status::from_flight;
use crate::cut::cut_to;
use crate::error::SourceError;
use crate::messages::check_buffers;
use crate::remote::{Received, SpanStream};
use spanql_model::ingest::{Origin, convert_batch_of_json_lists};
use spanql_model::panics;
use spanql_model::window::Window;

/// Messages that are taken together at most; servers end one at some megabytes.
const TOGETHER: usize = 8;
/// Bytes that are put together at most: to do so copies all of them, and is worth the while where columns are short.
const TOGETHER_BYTES: usize = 1 << 20;

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
        together(batches(connection, ticket, Arc::clone(&received)))
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

/// Batches that have come already as one: a batch costs something for each of its columns, however few rows it has.
///
/// None waits for others: who reads more slowly than they come gets larger ones.
fn together(
    batches: impl Stream<Item = Result<RecordBatch, SourceError>> + Send + 'static,
) -> impl Stream<Item = Result<RecordBatch, SourceError>> + Send + 'static {
    batches.ready_chunks(TOGETHER).flat_map(|come| stream::iter(joined_batches(come)))
}

/// Batches of one schema that follow each other as one, if they can be.
fn joined_batches(come: Vec<Result<RecordBatch, SourceError>>) -> Vec<Result<RecordBatch, SourceError>> {
    let Ok(batches) = come.iter().map(Result::as_ref).collect::<Result<Vec<_>, _>>() else { return come };
    match batches.as_slice() {
        [first, _, ..] if batches.iter().map(|batch| bytes(batch)).sum::<usize>() <= TOGETHER_BYTES => {
            match concat_batches(first.schema_ref(), batches.iter().copied()) {
                Ok(joined) => vec![Ok(joined)],
                // Another schema, or more text than a column can have.
                Err(_) => come,
            }
        }
        _ => come,
    }
}

/// What the values of a batch take.
fn bytes(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(|column| column.to_data().get_slice_memory_size().unwrap_or_default()).sum()
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
    let converted = convert_batch_of_json_lists(batch, origin).map_err(unreadable)?;
    if let Some((_, row_error)) = converted.bad.first() {
        received.add_unfit(converted.bad.len() as u64, || row_error.to_string());
    }
    received.add(batch.num_rows() as u64, 0);
    cut_to(&converted.batch, window).map_err(|error| wrong(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, AsArray, Int64Array, StringArray};
    use arrow::datatypes::Int64Type;

    use super::*;

    fn numbers(from: i64, rows: i64) -> Result<RecordBatch, SourceError> {
        let column: ArrayRef = Arc::new(Int64Array::from_iter_values(from..from + rows));
        Ok(RecordBatch::try_from_iter([("n", column)]).unwrap())
    }

    async fn come(batches: Vec<Result<RecordBatch, SourceError>>) -> Vec<Result<RecordBatch, SourceError>> {
        together(stream::iter(batches)).collect().await
    }

    #[tokio::test]
    async fn what_is_there_is_taken_together_in_order() {
        let taken = come((0..20).map(|n| numbers(n * 3, 3)).collect()).await;
        let rows: Vec<usize> = taken.iter().map(|batch| batch.as_ref().unwrap().num_rows()).collect();
        assert_eq!(rows, [24, 24, 12]);
        let all = taken.iter().flat_map(|batch| batch.as_ref().unwrap().column(0).as_primitive::<Int64Type>().values());
        assert!(all.copied().eq(0..60));
    }

    #[tokio::test]
    async fn what_cannot_be_one_batch_stays_apart() {
        let text: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(TOGETHER_BYTES)]));
        let large = || Ok(RecordBatch::try_from_iter([("n", Arc::clone(&text))]).unwrap());
        assert_eq!(come(vec![numbers(0, 1), large()]).await.len(), 2, "too large");
        let other: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
        let other = || Ok(RecordBatch::try_from_iter([("n", Arc::clone(&other))]).unwrap());
        assert_eq!(come(vec![numbers(0, 1), other()]).await.len(), 2, "another type");
        let silent = SourceError::silent("here", std::time::Duration::from_secs(1));
        let taken = come(vec![numbers(0, 1), numbers(1, 1), Err(silent)]).await;
        assert_eq!(taken.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, false], "an error");
    }
}
