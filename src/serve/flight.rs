//! The Flight service: GetFlightInfo says how many spans there are, DoGet sends them. Commands of Flight SQL are told from the
//! JSON of exports by their type.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use arrow::array::RecordBatch;
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
use futures::{StreamExt, TryStreamExt};
use tonic::{Request, Response, Status, Streaming};

use super::access::to_write;
use super::backend::{Backend, Project, column, starts_in};
use super::batches::pieces;
use super::columns::Selection;
use super::command::{Export, Ticket};
use super::connections::Peer;
use super::filter;
use super::functions::sampled;
use super::incoming::peer;
use super::log::window_text;
use super::outlet::{self, Offered, Outlet};
use super::put;
use super::refusal::{Refusal, shown};
use super::room::Turn;
use super::sending::{Piece, messages, schema_of};
use super::shutdown::Shutdown;
use super::sql::{self, Sql};
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

impl Flight {
    /// What is asked in SQL.
    fn sql(&self) -> Sql {
        Sql::new(Arc::clone(&self.backend), self.shutdown.clone())
    }
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
        if let Some(command) = sql::command(&request.get_ref().cmd)? {
            return Ok(Response::new(self.sql().info(command, request.into_inner(), peer).await?));
        }
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
        if let Some(command) = sql::command(&request.get_ref().ticket)? {
            return Ok(Response::new(self.sql().get(command, peer).await?));
        }
        let ticket = Ticket::parse(&request.into_inner().ticket)?;
        let export = ticket.export.clone();
        let mut pieces = outlet::run(&self.backend, peer, move |backend, out| send(backend, ticket, out));
        let schema = schema_of(&mut pieces).await.inspect_err(|refusal| {
            log(&self.backend, "DoGet", &export, began, &refusal.message);
        })?;
        let transfer = Transfer {
            backend: Arc::clone(&self.backend),
            export,
            began,
            rows: AtomicU64::new(0),
            complete: AtomicBool::new(false),
        };
        let told = move |rows: Option<usize>| match rows {
            Some(rows) => {
                transfer.rows.fetch_add(rows as u64, Ordering::Relaxed);
            }
            None => transfer.complete.store(true, Ordering::Relaxed),
        };
        Ok(Response::new(messages(pieces, schema, told, busy, self.shutdown.clone()).boxed()))
    }

    async fn handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        sql::handshake(request.metadata())
    }

    async fn list_flights(&self, _: Request<Criteria>) -> Result<Response<Self::ListFlightsStream>, Status> {
        refuse("ListFlights", "GET /v2/projects on the HTTP port lists the projects")
    }

    async fn poll_flight_info(&self, _: Request<FlightDescriptor>) -> Result<Response<PollInfo>, Status> {
        refuse("PollFlightInfo", READ)
    }

    async fn get_schema(&self, request: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        let peer = peer(request.extensions())?;
        let _busy = peer.busy();
        match sql::command(&request.get_ref().cmd)? {
            Some(command) => {
                let info = self.sql().info(command, request.into_inner(), peer).await?;
                Ok(Response::new(SchemaResult { schema: info.schema }))
            }
            None => refuse("GetSchema", "GetFlightInfo announces the schema"),
        }
    }

    async fn do_put(&self, request: Request<Streaming<FlightData>>) -> Result<Response<Self::DoPutStream>, Status> {
        let access = to_write(request.extensions());
        let peer = peer(request.extensions())?;
        let _busy = peer.busy();
        let mut messages = request.into_inner().peekable();
        // What it is about stands in the first message.
        let first = Pin::new(&mut messages).peek().await;
        let command = first.and_then(|first| first.as_ref().ok()).and_then(|first| first.flight_descriptor.as_ref());
        let command = command.map(|descriptor| sql::command(&descriptor.cmd)).transpose()?.flatten();
        let answer = match command {
            Some(command) => self.sql().put(command, messages).await?,
            None => {
                access?;
                put::put(&self.backend, messages, &peer).await?
            }
        };
        Ok(Response::new(futures::stream::iter([Ok(answer)]).boxed()))
    }

    async fn do_exchange(&self, _: Request<Streaming<FlightData>>) -> Result<Response<Self::DoExchangeStream>, Status> {
        refuse("DoExchange", READ)
    }

    async fn do_action(&self, request: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        let peer = peer(request.extensions())?;
        let _busy = peer.busy();
        let answer = self.sql().act(request.into_inner(), peer).await?;
        Ok(Response::new(futures::stream::iter(answer.map(Ok)).boxed()))
    }

    async fn list_actions(&self, _: Request<Empty>) -> Result<Response<Self::ListActionsStream>, Status> {
        Ok(Response::new(futures::stream::iter(sql::actions().map(Ok)).boxed()))
    }
}
