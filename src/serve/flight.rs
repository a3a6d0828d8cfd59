//! The Flight service: GetFlightInfo says how many spans there are, DoGet sends them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::flight_descriptor::DescriptorType;
use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightEndpoint, FlightInfo, HandshakeRequest,
    HandshakeResponse, PollInfo, PutResult, Result as ActionResult, SchemaResult,
};
use async_trait::async_trait;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::prelude::DataFrame;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt};
use tonic::{Request, Response, Status, Streaming};

use super::access::to_write;
use super::backend::{Backend, Project, column, starts_in};
use super::batches::pieces;
use super::columns::Selection;
use super::command::{Export, Ticket};
use super::connections::{Busy, Peer};
use super::filter;
use super::functions::sampled;
use super::incoming::peer;
use super::log::window_text;
use super::outlet::{self, Offered, Outlet, Pieces};
use super::put;
use super::refusal::{Refusal, shown};
use super::room::Turn;
use super::shutdown::Shutdown;
use super::threads::{LATER, SOON, apart, yield_to_others};
use spanql_filter::Filter;
use spanql_model::columns::TRACE_ID;

/// The biggest request to read that is taken.
const MAX_REQUEST: usize = 2 << 20;

/// The service.
pub(super) fn service(backend: Arc<Backend>, shutdown: Shutdown) -> FlightServiceServer<Flight> {
    // What is written may be larger than a request to read.
    let most = backend.intake().most().saturating_add(MAX_REQUEST);
    FlightServiceServer::new(Flight { backend, shutdown })
        .max_decoding_message_size(most)
        // A message holds one row at least, and a row may be of any size.
        .max_encoding_message_size(usize::MAX)
}

/// Answers the calls of Flight.
#[derive(Debug)]
pub(super) struct Flight {
    backend: Arc<Backend>,
    shutdown: Shutdown,
}

/// Counts what is asked for, and tells of it.
async fn count(
    backend: &Backend,
    export: &Export,
    descriptor: FlightDescriptor,
    peer: &Peer,
) -> Result<(FlightInfo, u64), Refusal> {
    let view = backend.newest().await?;
    let _part = backend.room_to_find(&view, export.filter.as_deref(), peer).await?;
    let project = view.project(&export.project).await?;
    let filter = filter::read(&project, export.filter.as_deref())?;
    let selection = select(&project, export, filter.as_ref())?;
    let rows = match export.window().is_empty() {
        true => 0,
        false => wanted(project.spans_for(filter.as_ref())?, export, filter.as_ref())?.count().await? as u64,
    };
    let total = i64::try_from(rows).unwrap_or(i64::MAX);
    let mut info = FlightInfo::new().with_descriptor(descriptor).with_total_records(total);
    info = info
        .try_with_schema(&selection.schema)
        .map_err(|error| Refusal::internal(format!("the schema does not encode: {error}")))?;
    if rows > 0 {
        let ticket = Ticket { version: project.version, export: export.clone() }.to_bytes()?;
        info = info.with_endpoint(FlightEndpoint::new().with_ticket(arrow_flight::Ticket::new(ticket)));
    }
    Ok((info, rows))
}

/// A part of what is sent.
enum Piece {
    /// The first.
    Schema(SchemaRef),
    Rows(RecordBatch),
}

/// Sends what a ticket stands for.
///
/// The query ends while the client takes nothing and others wait for its memory, and is asked again when it does: it reads
/// one version of the store on one thread, so its rows come in the same order.
async fn send(backend: Arc<Backend>, ticket: Ticket, out: Outlet<Piece>) -> Result<(), Refusal> {
    let began = Instant::now();
    let view = backend.version(ticket.version).await?;
    let project = view.project(&ticket.export.project).await?;
    let (columns, filter) = (ticket.export.columns.as_deref(), ticket.export.filter.as_deref());
    let (mut sent, mut first, mut long) = (0, true, false);
    loop {
        let turn = if first { Turn::First } else { Turn::Further };
        let part = out.unless_gone(backend.room_to_read(&project, columns, filter, turn, out.peer())).await??;
        let (selection, mut stream) = open(&project, &ticket.export).await?;
        if std::mem::take(&mut first) {
            out.send(Piece::Schema(Arc::clone(&selection.schema))).await?;
        }
        let mut skipped = 0;
        let waits = 'query: loop {
            let Some(batch) = out.unless_gone(stream.try_next()).await?? else { break None };
            if !long && began.elapsed() > SOON {
                long = true;
                yield_to_others(LATER);
            }
            let known = batch.num_rows().min(sent - skipped);
            skipped += known;
            let batch = RecordBatch::try_new(Arc::clone(&selection.schema), batch.columns().to_vec())
                .map_err(|error| Refusal::internal(format!("the answer does not fit: {error}")))?;
            for piece in pieces(&batch.slice(known, batch.num_rows() - known), ticket.export.chunk) {
                sent += piece.num_rows();
                skipped += piece.num_rows();
                match out.offer(true).await? {
                    Offered::Place(place) => place.send(Piece::Rows(piece)),
                    Offered::Wanted => break 'query Some(piece),
                }
            }
        };
        drop((stream, selection, part));
        match waits {
            Some(piece) => out.send(Piece::Rows(piece)).await?,
            None => return out.end().await,
        }
    }
}

async fn open(project: &Project, export: &Export) -> Result<(Selection, SendableRecordBatchStream), Refusal> {
    let filter = filter::read(project, export.filter.as_deref())?;
    let selection = select(project, export, filter.as_ref())?;
    let spans = wanted(project.read(Arc::clone(&selection.table))?, export, filter.as_ref())?;
    let stream = spans.select(selection.exprs.clone())?.execute_stream().await?;
    Ok((selection, stream))
}

fn select(project: &Project, export: &Export, filter: Option<&Filter>) -> Result<Selection, Refusal> {
    let read = filter.map(Filter::columns).unwrap_or_default();
    match &export.columns {
        Some(names) => Selection::named(project, names, read),
        None => Selection::all(project, read),
    }
}

/// The spans of the window and the sample that match.
fn wanted(spans: DataFrame, export: &Export, filter: Option<&Filter>) -> Result<DataFrame, Refusal> {
    let mut condition = starts_in(export.window());
    if let Some(rate) = export.rate.filter(|rate| *rate < 1.0) {
        condition = condition.and(sampled(column(TRACE_ID), rate));
    }
    filter::matching(spans.filter(condition)?, filter)
}

/// Tells the log how a transfer ended, also when the client goes away in the middle.
struct Transfer {
    backend: Arc<Backend>,
    export: Export,
    began: Instant,
    rows: AtomicU64,
    complete: AtomicBool,
}

impl Drop for Transfer {
    fn drop(&mut self) {
        let end = if self.complete.load(Ordering::Relaxed) { "" } else { " (cut)" };
        let rows = self.rows.load(Ordering::Relaxed);
        log(&self.backend, "DoGet", &self.export, self.began, &format!("{rows} rows{end}"));
    }
}

fn log(backend: &Backend, call: &str, export: &Export, began: Instant, outcome: &str) {
    backend.log(|| {
        let milliseconds = began.elapsed().as_millis();
        let project = shown(&export.project);
        format!("Flight {call} {project} {}: {outcome}, {milliseconds} ms", window_text(export.window()))
    });
}

/// What is sent, as messages; the request is being answered until they are dropped.
fn messages(
    pieces: Pieces<Piece>,
    schema: SchemaRef,
    transfer: Transfer,
    busy: Busy,
    shutdown: Shutdown,
) -> impl Stream<Item = Result<FlightData, Status>> + Send + 'static {
    let counted =
        futures::stream::unfold((pieces, transfer, busy, false), move |(mut pieces, transfer, busy, ended)| {
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
                        transfer.rows.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
                        Some((Ok(batch), (pieces, transfer, busy, false)))
                    }
                    Some(Ok(Piece::Schema(schema))) => {
                        Some((Ok(RecordBatch::new_empty(schema)), (pieces, transfer, busy, false)))
                    }
                    Some(Err(refusal)) => Some((Err(flight_error(refusal)), (pieces, transfer, busy, true))),
                    None => {
                        transfer.complete.store(true, Ordering::Relaxed);
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

fn refuse<T>(call: &str, instead: &str) -> Result<T, Status> {
    Err(Status::unimplemented(format!("{call} is not served: {instead}")))
}

const READ: &str = "spans are read with GetFlightInfo and DoGet";

#[async_trait]
impl FlightService for Flight {
    type HandshakeStream = BoxStream<'static, Result<HandshakeResponse, Status>>;
    type ListFlightsStream = BoxStream<'static, Result<FlightInfo, Status>>;
    type DoGetStream = BoxStream<'static, Result<FlightData, Status>>;
    type DoPutStream = BoxStream<'static, Result<PutResult, Status>>;
    type DoExchangeStream = BoxStream<'static, Result<FlightData, Status>>;
    type DoActionStream = BoxStream<'static, Result<ActionResult, Status>>;
    type ListActionsStream = BoxStream<'static, Result<ActionType, Status>>;

    async fn get_flight_info(&self, request: Request<FlightDescriptor>) -> Result<Response<FlightInfo>, Status> {
        let began = Instant::now();
        let peer = peer(request.extensions())?;
        let _busy = peer.busy();
        let descriptor = request.into_inner();
        if descriptor.r#type() != DescriptorType::Cmd {
            return Err(Refusal::invalid("the descriptor must be a command").into());
        }
        if descriptor.cmd.len() > MAX_REQUEST {
            return Err(Refusal::too_large(MAX_REQUEST).into());
        }
        let export = Export::parse(&descriptor.cmd)?;
        let (backend, asked) = (Arc::clone(&self.backend), export.clone());
        let work = move || async move { count(&backend, &asked, descriptor, &peer).await };
        let counted = apart(self.shutdown.clone(), work).await.flatten();
        let outcome = match &counted {
            Ok((_, rows)) => format!("{rows} rows"),
            Err(refusal) => refusal.message.clone(),
        };
        log(&self.backend, "GetFlightInfo", &export, began, &outcome);
        Ok(Response::new(counted?.0))
    }

    async fn do_get(&self, request: Request<arrow_flight::Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        let began = Instant::now();
        let peer = peer(request.extensions())?;
        let busy = peer.busy();
        let ticket = Ticket::parse(&request.into_inner().ticket)?;
        let export = ticket.export.clone();
        let mut pieces = outlet::run(&self.backend, peer, move |backend, out| send(backend, ticket, out));
        let schema = match pieces.next().await {
            Some(Ok(Piece::Schema(schema))) => schema,
            Some(Err(refusal)) => {
                log(&self.backend, "DoGet", &export, began, &refusal.message);
                return Err(refusal.into());
            }
            _ => return Err(Refusal::internal("the answer has no schema").into()),
        };
        let transfer = Transfer {
            backend: Arc::clone(&self.backend),
            export,
            began,
            rows: AtomicU64::new(0),
            complete: AtomicBool::new(false),
        };
        Ok(Response::new(messages(pieces, schema, transfer, busy, self.shutdown.clone()).boxed()))
    }

    async fn handshake(
        &self,
        _: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        refuse("Handshake", "send the key as auth-token-bin with every call")
    }

    async fn list_flights(&self, _: Request<Criteria>) -> Result<Response<Self::ListFlightsStream>, Status> {
        refuse("ListFlights", "GET /v2/projects on the HTTP port lists the projects")
    }

    async fn poll_flight_info(&self, _: Request<FlightDescriptor>) -> Result<Response<PollInfo>, Status> {
        refuse("PollFlightInfo", READ)
    }

    async fn get_schema(&self, _: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        refuse("GetSchema", "GetFlightInfo announces the schema")
    }

    async fn do_put(&self, request: Request<Streaming<FlightData>>) -> Result<Response<Self::DoPutStream>, Status> {
        to_write(request.extensions())?;
        let peer = peer(request.extensions())?;
        let _busy = peer.busy();
        let answer = put::put(&self.backend, request.into_inner(), &peer).await?;
        Ok(Response::new(futures::stream::iter([Ok(answer)]).boxed()))
    }

    async fn do_exchange(&self, _: Request<Streaming<FlightData>>) -> Result<Response<Self::DoExchangeStream>, Status> {
        refuse("DoExchange", READ)
    }

    async fn do_action(&self, _: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        refuse("DoAction", READ)
    }

    async fn list_actions(&self, _: Request<Empty>) -> Result<Response<Self::ListActionsStream>, Status> {
        refuse("ListActions", READ)
    }
}
