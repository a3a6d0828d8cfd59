//! A Flight server that does what it is told, right or wrong.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Schema, TimestampNanosecondType};
use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::utils::batches_to_flight_data;
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightEndpoint, FlightInfo, HandshakeRequest,
    HandshakeResponse, PollInfo, PutResult, Result as ActionResult, SchemaResult, Ticket,
};
use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use serde_json::Value;
use spanql::sources::Window;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::codegen::{Body as HttpBody, BoxFuture, Context, Poll, Service, StdError, http};
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

/// A call of GetFlightInfo.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// How many were made before it.
    pub(crate) number: usize,
    /// What it asks for.
    pub(crate) command: Value,
    /// The key that it shows.
    pub(crate) key: String,
}

impl Call {
    /// The window it asks for, ns since the epoch.
    pub(crate) fn window(&self) -> Window {
        let time = |name: &str| {
            let text = self.command[name].as_str().unwrap();
            chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_nanos_opt().unwrap()
        };
        Window { start: time("startTime"), end: time("endTime") }
    }

    /// Those spans of a batch that start in the window it asks for; none if there are none.
    pub(crate) fn spans_of(&self, batch: &RecordBatch) -> Vec<RecordBatch> {
        let window = self.window();
        let starts = batch.column_by_name("start_time").unwrap().as_primitive::<TimestampNanosecondType>();
        let inside = |start: Option<i64>| start.map(|start| window.start <= start && start < window.end);
        let keep: BooleanArray = starts.iter().map(inside).collect();
        let kept = filter_record_batch(batch, &keep).unwrap();
        if kept.num_rows() == 0 { Vec::new() } else { vec![kept] }
    }
}

/// What follows on a call.
pub(crate) enum Answer {
    /// FlightInfo, and a stream for its ticket.
    Play(Play),
    /// An error.
    Status(Status),
    /// Nothing, ever.
    Silence,
}

/// An answer with a stream.
pub(crate) struct Play {
    /// `total_records`.
    pub(crate) announced: i64,
    pub(crate) schema: Option<Schema>,
    /// Whether there is an endpoint with a ticket.
    pub(crate) ticket: bool,
    pub(crate) data: Vec<FlightData>,
    pub(crate) end: End,
}

/// How a stream ends after its last message.
pub(crate) enum End {
    Well,
    Status(Status),
    /// It does not.
    Silence,
}

impl Play {
    /// What a good server does with these batches of one schema.
    pub(crate) fn of(batches: &[RecordBatch]) -> Self {
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        let Some(first) = batches.first() else {
            return Self { announced: 0, schema: None, ticket: false, data: Vec::new(), end: End::Well };
        };
        Self {
            announced: rows as i64,
            schema: Some(first.schema().as_ref().clone()),
            ticket: true,
            data: messages(batches),
            end: End::Well,
        }
    }

    pub(crate) fn announcing(self, announced: i64) -> Self {
        Self { announced, ..self }
    }

    pub(crate) fn ending(self, end: End) -> Self {
        Self { end, ..self }
    }

    /// With more messages.
    pub(crate) fn then(mut self, more: Vec<FlightData>) -> Self {
        self.data.extend(more);
        self
    }
}

/// A schema and batches as messages.
pub(crate) fn messages(batches: &[RecordBatch]) -> Vec<FlightData> {
    batches_to_flight_data(&batches[0].schema(), batches.to_vec()).unwrap()
}

type Script = Arc<dyn Fn(&Call) -> Answer + Send + Sync>;

/// The server.
pub(crate) struct Rogue {
    pub(crate) port: u16,
    stage: Arc<Stage>,
    serving: JoinHandle<()>,
}

struct Stage {
    script: Mutex<Script>,
    calls: Mutex<Vec<Call>>,
    gets: AtomicUsize,
    /// Streams by ticket; each is redeemed once.
    plays: Mutex<Vec<Option<Play>>>,
    /// What the next DoGet is answered with instead: the bytes of a body, without anything that says how it ended.
    raw: Mutex<Option<Vec<u8>>>,
}

impl Rogue {
    pub(crate) async fn start(script: impl Fn(&Call) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let stage = Arc::new(Stage {
            script: Mutex::new(Arc::new(script)),
            calls: Mutex::default(),
            gets: AtomicUsize::new(0),
            plays: Mutex::default(),
            raw: Mutex::default(),
        });
        let flight = FlightServiceServer::new(Actor(Arc::clone(&stage))).max_encoding_message_size(usize::MAX);
        let service = Raw { flight, stage: Arc::clone(&stage) };
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let serving = tokio::spawn(async move {
            tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming).await.unwrap();
        });
        Self { port, stage, serving }
    }

    /// A good server of these batches, whatever it is asked for.
    pub(crate) async fn good(batches: Vec<RecordBatch>) -> Self {
        Self::start(move |_| Answer::Play(Play::of(&batches))).await
    }

    /// Behaves otherwise from now on, and forgets the calls so far.
    pub(crate) fn set(&self, script: impl Fn(&Call) -> Answer + Send + Sync + 'static) {
        *self.stage.script.lock().unwrap() = Arc::new(script);
        self.stage.calls.lock().unwrap().clear();
        self.stage.gets.store(0, Ordering::Relaxed);
        *self.stage.raw.lock().unwrap() = None;
    }

    /// Answers the next DoGet with the bytes of a body that just ends.
    pub(crate) fn set_raw(&self, body: Vec<u8>) {
        *self.stage.raw.lock().unwrap() = Some(body);
    }

    /// Calls of GetFlightInfo since the script was set.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.stage.calls.lock().unwrap().clone()
    }

    /// How often GetFlightInfo and DoGet were called since the script was set.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.calls().len(), self.stage.gets.load(Ordering::Relaxed))
    }
}

impl Drop for Rogue {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

struct Actor(Arc<Stage>);

fn key<T>(request: &Request<T>) -> String {
    let shown = request.metadata().get_bin("auth-token-bin").and_then(|value| value.to_bytes().ok());
    String::from_utf8(shown.unwrap_or_default().to_vec()).unwrap()
}

#[async_trait]
impl FlightService for Actor {
    type HandshakeStream = BoxStream<'static, Result<HandshakeResponse, Status>>;
    type ListFlightsStream = BoxStream<'static, Result<FlightInfo, Status>>;
    type DoGetStream = BoxStream<'static, Result<FlightData, Status>>;
    type DoPutStream = BoxStream<'static, Result<PutResult, Status>>;
    type DoExchangeStream = BoxStream<'static, Result<FlightData, Status>>;
    type DoActionStream = BoxStream<'static, Result<ActionResult, Status>>;
    type ListActionsStream = BoxStream<'static, Result<ActionType, Status>>;

    async fn get_flight_info(&self, request: Request<FlightDescriptor>) -> Result<Response<FlightInfo>, Status> {
        let key = key(&request);
        let command = serde_json::from_slice(&request.into_inner().cmd).unwrap();
        let call = {
            let mut calls = self.0.calls.lock().unwrap();
            let call = Call { number: calls.len(), command, key };
            calls.push(call.clone());
            call
        };
        let script = Arc::clone(&self.0.script.lock().unwrap());
        let play = match script(&call) {
            Answer::Play(play) => play,
            Answer::Status(status) => return Err(status),
            Answer::Silence => std::future::pending().await,
        };
        let mut info = FlightInfo::new().with_total_records(play.announced);
        if let Some(schema) = &play.schema {
            info = info.try_with_schema(schema).unwrap();
        }
        if play.ticket {
            let mut plays = self.0.plays.lock().unwrap();
            info = info.with_endpoint(FlightEndpoint::new().with_ticket(Ticket::new(plays.len().to_string())));
            plays.push(Some(play));
        }
        Ok(Response::new(info))
    }

    async fn do_get(&self, request: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        self.0.gets.fetch_add(1, Ordering::Relaxed);
        let number: usize = std::str::from_utf8(&request.into_inner().ticket).unwrap().parse().unwrap();
        let play = self.0.plays.lock().unwrap()[number].take().expect("a ticket was redeemed twice");
        let data = stream::iter(play.data.into_iter().map(Ok));
        let end = match play.end {
            End::Well => stream::empty().boxed(),
            End::Status(status) => stream::once(async { Err(status) }).boxed(),
            End::Silence => stream::pending().boxed(),
        };
        Ok(Response::new(data.chain(end).boxed()))
    }

    async fn handshake(
        &self,
        _: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        Err(Status::unimplemented("handshake"))
    }

    async fn list_flights(&self, _: Request<Criteria>) -> Result<Response<Self::ListFlightsStream>, Status> {
        Err(Status::unimplemented("list_flights"))
    }

    async fn poll_flight_info(&self, _: Request<FlightDescriptor>) -> Result<Response<PollInfo>, Status> {
        Err(Status::unimplemented("poll_flight_info"))
    }

    async fn get_schema(&self, _: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        Err(Status::unimplemented("get_schema"))
    }

    async fn do_put(&self, _: Request<Streaming<FlightData>>) -> Result<Response<Self::DoPutStream>, Status> {
        Err(Status::unimplemented("do_put"))
    }

    async fn do_exchange(&self, _: Request<Streaming<FlightData>>) -> Result<Response<Self::DoExchangeStream>, Status> {
        Err(Status::unimplemented("do_exchange"))
    }

    async fn do_action(&self, _: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        Err(Status::unimplemented("do_action"))
    }

    async fn list_actions(&self, _: Request<Empty>) -> Result<Response<Self::ListActionsStream>, Status> {
        Err(Status::unimplemented("list_actions"))
    }
}

/// Answers DoGet with bytes that no Flight library would write, when there are any.
#[derive(Clone)]
struct Raw {
    flight: FlightServiceServer<Actor>,
    stage: Arc<Stage>,
}

impl tonic::server::NamedService for Raw {
    const NAME: &'static str = <FlightServiceServer<Actor> as tonic::server::NamedService>::NAME;
}

impl<B> Service<http::Request<B>> for Raw
where
    B: HttpBody + Send + 'static,
    B::Error: Into<StdError> + Send + 'static,
{
    type Response = http::Response<tonic::body::Body>;
    type Error = std::convert::Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let of_stream = request.uri().path().ends_with("/DoGet");
        let raw = if of_stream { self.stage.raw.lock().unwrap().take() } else { None };
        match raw {
            None => self.flight.call(request),
            Some(bytes) => {
                self.stage.gets.fetch_add(1, Ordering::Relaxed);
                let body = tonic::body::Body::new(axum::body::Body::from(bytes));
                let response = http::Response::builder().header("content-type", "application/grpc").body(body);
                Box::pin(async { Ok(response.unwrap()) })
            }
        }
    }
}
