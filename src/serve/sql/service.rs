//! The calls.

use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow_flight::sql::{
    ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult, Any, Command,
    DoPutPreparedStatementResult, ProstMessageExt, TicketStatementQuery,
};
use arrow_flight::{
    Action, ActionType, FlightData, FlightDescriptor, FlightEndpoint, FlightInfo, HandshakeResponse, IpcMessage,
    PutResult, Result as ActionResult, SchemaAsIpc, Ticket,
};
use bytes::Bytes;
use datafusion::arrow::datatypes::{DataType, Field};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt};
use prost::Message;
use tonic::metadata::MetadataMap;
use tonic::{Response, Status};

use super::super::access::{basic, bearer};
use super::super::backend::{Backend, View};
use super::super::batches::{MAX_ROWS, pieces};
use super::super::connections::Peer;
use super::super::outlet::{self, Outlet};
use super::super::put;
use super::super::refusal::Refusal;
use super::super::sending::{Piece, messages, schema_of};
use super::super::shutdown::Shutdown;
use super::super::threads::apart_with;
use super::asked::Asked;
use super::{catalog, values};
use spanql_engine::{EngineError, Prepared};
use spanql_output::{common_schema, to_schema};
use spanql_sources::files::{Limits, ipc_batches};

/// What the types of commands begin with.
const PREFIX: &str = "type.googleapis.com/arrow.flight.protocol.sql.";
/// The biggest command or ticket that is taken.
const MOST: usize = 2 << 20;
/// Memory of the parameters of a statement.
const PARAMETERS: usize = 1 << 20;
/// Lines on what is missing.
const MISSING: usize = 3;
/// The metadata of a result's schema in which notes are, as a JSON list.
const NOTES: &str = "spanql.notes";
/// The metadata in which is what is known to be missing of the spans that the result rests on.
const INCOMPLETE: &str = "spanql.incomplete";

const CREATE: &str = "CreatePreparedStatement";
const CLOSE: &str = "ClosePreparedStatement";

/// The command of Flight SQL in a descriptor or a ticket; `None` where it is something else.
pub(in crate::serve) fn command(bytes: &[u8]) -> Result<Option<Command>, Refusal> {
    let Some(any) = Any::decode(bytes).ok().filter(|any| any.type_url.starts_with(PREFIX)) else { return Ok(None) };
    if bytes.len() > MOST {
        return Err(Refusal::too_large(MOST));
    }
    let wrong = |error| Refusal::invalid(format!("the command cannot be read: {error}"));
    Command::try_from(any).map(Some).map_err(wrong)
}

/// Answers who shows a name and a password with the key to show from then on: it was right, or the call would not be here.
pub(in crate::serve) fn handshake(
    metadata: &MetadataMap,
) -> Result<Response<BoxStream<'static, Result<HandshakeResponse, Status>>>, Status> {
    let shown = metadata.get("authorization").map(|value| value.as_bytes());
    let key = shown.map(|value| basic(value).unwrap_or_else(|| bearer(value).to_vec())).unwrap_or_default();
    let answer = HandshakeResponse { protocol_version: 0, payload: Bytes::from(key.clone()) };
    let mut response = Response::new(futures::stream::iter([Ok(answer)]).boxed());
    // What is no header is a key that nobody asked for.
    let header = String::from_utf8(key).ok().and_then(|key| format!("Bearer {key}").parse().ok());
    if let Some(header) = header {
        response.metadata_mut().insert("authorization", header);
    }
    Ok(response)
}

/// What DoAction does.
pub(in crate::serve) fn actions() -> [ActionType; 2] {
    let action = |name: &str, description: &str| ActionType { r#type: name.into(), description: description.into() };
    [action(CREATE, "prepares a statement that reads"), action(CLOSE, "forgets a prepared statement")]
}

/// Answers calls of Flight SQL.
pub(in crate::serve) struct Sql {
    backend: Arc<Backend>,
    shutdown: Shutdown,
}

impl Sql {
    pub(in crate::serve) fn new(backend: Arc<Backend>, shutdown: Shutdown) -> Self {
        Self { backend, shutdown }
    }

    /// Plans what is asked: its schema, and the ticket that its rows are fetched with.
    pub(in crate::serve) async fn info(
        &self,
        command: Command,
        descriptor: FlightDescriptor,
        peer: Arc<Peer>,
    ) -> Result<FlightInfo, Refusal> {
        let began = Instant::now();
        let asked = asked(&command)?;
        let ticket = descriptor.cmd.clone();
        let work = move |backend: Arc<Backend>| async move {
            let view = backend.newest().await?;
            match asked {
                Some(mut asked) => {
                    let _part = backend.room_to_ask(&view, &peer).await?;
                    let statement = asked.plan(&view.engine().await?).await?;
                    let schema = schema(&view, &statement).await?;
                    asked.version = Some(view.snapshot().manifest.version);
                    let ticket = TicketStatementQuery { statement_handle: asked.to_bytes()?.into() };
                    Ok::<_, Refusal>((schema, Bytes::from(ticket.as_any().encode_to_vec())))
                }
                None => Ok((listed(&command, &view).await?.schema(), ticket)),
            }
        };
        let planned = self.run(work).await;
        self.log("GetFlightInfo", began, planned.as_ref().map(|_| "planned".to_owned()));
        let (schema, ticket) = planned?;
        let info = FlightInfo::new().with_descriptor(descriptor).with_total_records(-1).with_ordered(true);
        let info = info.with_endpoint(FlightEndpoint::new().with_ticket(Ticket::new(ticket)));
        info.try_with_schema(&schema).map_err(|error| Refusal::internal(format!("the schema does not encode: {error}")))
    }

    /// Runs what a ticket stands for, and sends its rows as they come.
    pub(in crate::serve) async fn get(
        &self,
        command: Command,
        peer: Arc<Peer>,
    ) -> Result<BoxStream<'static, Result<FlightData, Status>>, Refusal> {
        let began = Instant::now();
        let busy = peer.busy();
        let asked = asked(&command)?;
        let threads = self.backend.statements().threads();
        let mut pieces = outlet::run_with(threads, &self.backend, peer, move |backend, out| async move {
            let work = send(&backend, asked, command, out);
            backend.statements().in_time(work).await
        });
        let schema = schema_of(&mut pieces).await;
        if let Err(refusal) = &schema {
            self.log("DoGet", began, Err(refusal));
        }
        let transfer =
            Transfer { backend: Arc::clone(&self.backend), began, rows: 0_usize.into(), complete: false.into() };
        let told = move |rows: Option<usize>| transfer.tell(rows);
        Ok(messages(pieces, schema?, told, busy, self.shutdown.clone()).boxed())
    }

    /// Takes the values of parameters, and gives a handle that holds them.
    pub(in crate::serve) async fn put(
        &self,
        command: Command,
        messages: impl Stream<Item = Result<FlightData, Status>> + Unpin,
    ) -> Result<PutResult, Status> {
        let Command::CommandPreparedStatementQuery(prepared) = command else {
            return Err(Refusal::writes_through_sql().into());
        };
        let mut asked = Asked::parse(&prepared.prepared_statement_handle)?;
        let received = put::receive(messages, PARAMETERS).await?;
        let limits = Limits { memory: 4 * PARAMETERS, ..Limits::default() };
        let batches = ipc_batches(received.bytes, limits)
            .map_err(|error| Refusal::invalid(format!("the parameters are not Arrow's: {error}")))?;
        let handle = self.run(move |backend| async move {
            let engine = backend.newest().await?.engine().await?;
            asked.values = values::read(&batches, &asked.parameters(&engine).await?)?;
            asked.to_bytes()
        });
        let answer = DoPutPreparedStatementResult { prepared_statement_handle: Some(handle.await?.into()) };
        Ok(PutResult { app_metadata: answer.encode_to_vec().into() })
    }

    /// Prepares a statement, or forgets one.
    pub(in crate::serve) async fn act(&self, action: Action, peer: Arc<Peer>) -> Result<Option<ActionResult>, Refusal> {
        match action.r#type.as_str() {
            CREATE => {}
            // Nothing is kept of it.
            CLOSE => return Ok(None),
            other => {
                let known = format!("{CREATE} and {CLOSE} are");
                let why = format!("DoAction {} is not served: {known}", super::super::refusal::shown(other));
                return Err(Refusal::unreadable(why));
            }
        }
        if action.body.len() > MOST {
            return Err(Refusal::too_large(MOST));
        }
        let unread = || Refusal::invalid("the action has no statement");
        let any = Any::decode(&*action.body).map_err(|_| unread())?;
        let request: ActionCreatePreparedStatementRequest = any.unpack().ok().flatten().ok_or_else(unread)?;
        let began = Instant::now();
        let asked = Asked { sql: request.query, ..Asked::default() };
        let prepared = self.run(move |backend| async move {
            let view = backend.newest().await?;
            let _part = backend.room_to_ask(&view, &peer).await?;
            let engine = view.engine().await?;
            let names = asked.parameters(&engine).await?;
            // Without its values, a statement has no types.
            let dataset_schema = match names.is_empty() {
                true => {
                    let schema = schema(&view, &asked.plan(&engine).await?).await?;
                    encoded(&schema)?
                }
                false => Bytes::new(),
            };
            let fields = names.iter().map(|name| Field::new(name, DataType::Null, true));
            let parameter_schema = encoded(&Schema::new(fields.collect::<Vec<_>>()))?;
            let prepared_statement_handle = asked.to_bytes()?.into();
            Ok(ActionCreatePreparedStatementResult { prepared_statement_handle, dataset_schema, parameter_schema })
        });
        let prepared = prepared.await;
        self.log(CREATE, began, prepared.as_ref().map(|_| "prepared".to_owned()));
        Ok(Some(ActionResult::new(prepared?.as_any().encode_to_vec())))
    }

    /// Does what does not take long, in its turn and in time, where statements run.
    async fn run<T, F>(&self, work: impl FnOnce(Arc<Backend>) -> F + Send + 'static) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Refusal>> + 'static,
    {
        let backend = Arc::clone(&self.backend);
        let threads = backend.statements().threads();
        let in_turn = move || async move {
            let statements = backend.statements();
            let in_time = async {
                let _place = statements.place().await?;
                work(Arc::clone(&backend)).await
            };
            statements.in_time(in_time).await
        };
        apart_with(threads, self.shutdown.clone(), in_turn).await.flatten()
    }

    fn log(&self, call: &str, began: Instant, outcome: Result<String, &Refusal>) {
        self.backend.log(|| {
            let outcome = outcome.unwrap_or_else(|refusal| refusal.message.clone());
            format!("Flight SQL {call}: {outcome}, {} ms", began.elapsed().as_millis())
        });
    }
}

/// The statement that a command asks for; `None` for what is asked about the catalog.
fn asked(command: &Command) -> Result<Option<Asked>, Refusal> {
    match command {
        Command::CommandStatementQuery(statement) => {
            Ok(Some(Asked { sql: statement.query.clone(), ..Asked::default() }))
        }
        Command::CommandPreparedStatementQuery(prepared) => Asked::parse(&prepared.prepared_statement_handle).map(Some),
        Command::TicketStatementQuery(ticket) => Asked::parse(&ticket.statement_handle).map(Some),
        Command::CommandStatementUpdate(_)
        | Command::CommandPreparedStatementUpdate(_)
        | Command::CommandStatementIngest(_) => Err(Refusal::writes_through_sql()),
        Command::CommandStatementSubstraitPlan(_) => {
            Err(Refusal::unreadable("plans of Substrait are not served: ask in SQL"))
        }
        _ => Ok(None),
    }
}

async fn listed(command: &Command, view: &View<'_>) -> Result<RecordBatch, Refusal> {
    let rows = catalog::rows(command, &view.engine().await?).await?;
    rows.ok_or_else(|| Refusal::unreadable(format!("{} is not served", command.type_url())))
}

/// The schema of a result as it is sent: in types that every client reads, with what is to be known beside it.
async fn schema(view: &View<'_>, statement: &Prepared) -> Result<SchemaRef, Refusal> {
    let schema = common_schema(&statement.schema());
    let mut metadata = schema.metadata().clone();
    let list = |lines: Vec<String>| serde_json::Value::from(lines).to_string();
    if !statement.notes().is_empty() {
        metadata.insert(NOTES.to_owned(), list(statement.notes().to_vec()));
    }
    if statement.reads_spans() {
        let missing = view.missing().await?;
        if !missing.is_empty() {
            metadata.insert(INCOMPLETE.to_owned(), list(missing.into_iter().take(MISSING).collect()));
        }
    }
    Ok(Arc::new(Schema::new_with_metadata(schema.fields().clone(), metadata)))
}

fn encoded(schema: &Schema) -> Result<Bytes, Refusal> {
    let options = arrow::ipc::writer::IpcWriteOptions::default();
    let message: Result<IpcMessage, _> = SchemaAsIpc::new(schema, &options).try_into();
    let IpcMessage(bytes) =
        message.map_err(|error| Refusal::internal(format!("the schema does not encode: {error}")))?;
    Ok(bytes)
}

/// Sends the rows of a statement, or of a catalog.
async fn send(backend: &Backend, asked: Option<Asked>, command: Command, out: Outlet<Piece>) -> Result<(), Refusal> {
    let place = out.unless_gone(backend.statements().place()).await??;
    let view = match asked.as_ref().and_then(|asked| asked.version) {
        Some(version) => backend.version(version).await?,
        None => backend.newest().await?,
    };
    let Some(asked) = asked else {
        let rows = listed(&command, &view).await?;
        out.send(Piece::Schema(rows.schema())).await?;
        if rows.num_rows() > 0 {
            out.send(Piece::Rows(rows)).await?;
        }
        return out.end().await;
    };
    let part = out.unless_gone(backend.room_to_ask(&view, out.peer())).await??;
    let statement = out.unless_gone(async { asked.plan(&view.engine().await?).await }).await??;
    let schema = schema(&view, &statement).await?;
    let mut rows = statement.execute().await.map_err(|error| Refusal::of_statement(&error))?;
    let failed = |error| Refusal::of_statement(&EngineError::from_datafusion(&error));
    // Where the first rows cannot be made, there is no answer.
    let mut next = out.unless_gone(rows.try_next()).await?.map_err(failed)?;
    out.send(Piece::Schema(Arc::clone(&schema))).await?;
    while let Some(batch) = next {
        let batch = to_schema(&batch, &schema)
            .map_err(|error| Refusal::internal(format!("the answer does not fit: {error}")))?;
        for piece in pieces(&batch, MAX_ROWS) {
            out.send(Piece::Rows(piece)).await?;
        }
        next = out.unless_gone(rows.try_next()).await?.map_err(failed)?;
    }
    drop((rows, part, place));
    out.end().await
}

/// Tells the log how an answer ended, also when the client goes away in the middle.
struct Transfer {
    backend: Arc<Backend>,
    began: Instant,
    rows: std::sync::atomic::AtomicUsize,
    complete: std::sync::atomic::AtomicBool,
}

impl Transfer {
    fn tell(&self, rows: Option<usize>) {
        use std::sync::atomic::Ordering::Relaxed;
        match rows {
            Some(rows) => {
                self.rows.fetch_add(rows, Relaxed);
            }
            None => self.complete.store(true, Relaxed),
        }
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        let (rows, complete) = (*self.rows.get_mut(), *self.complete.get_mut());
        let end = if complete { "" } else { " (cut)" };
        let began = self.began;
        self.backend.log(|| format!("Flight SQL DoGet: {rows} rows{end}, {} ms", began.elapsed().as_millis()));
    }
}
