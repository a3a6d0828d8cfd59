//! The port of gRPC: Flight, and OpenTelemetry's export of traces, behind one check of keys. What is no gRPC is answered as on
//! the port of HTTP, so that one URL is enough to know.

use std::task::{Context, Poll};

use axum::Router;
use axum::extract::ConnectInfo;
use futures::future::BoxFuture;
use futures::{FutureExt, TryFutureExt};
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::metadata::MetadataMap;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Status};

use super::access::{Access, KEY_HEADERS, Keys, basic, bearer, is_of_machine};
use super::bodies::Counted;
use super::export::{Exports, PATH};
use super::flight::Flight;
use super::incoming::{From, peer};
use super::intake::Incomplete;
use super::refusal::Refusal;
use arrow_flight::flight_service_server::FlightServiceServer;

/// The metadata that carries a client's key.
const KEY: &str = "auth-token-bin";

/// The name by which the server was called.
#[derive(Debug, Clone)]
struct Authority(String);

type Flights = InterceptedService<Counted<FlightServiceServer<Flight>>, KeyCheck>;
type Exporting = InterceptedService<Counted<Exports>, KeyCheck>;

/// All services of the port.
#[derive(Debug, Clone)]
pub(super) struct Services {
    flight: Flights,
    export: Exporting,
    rest: Router,
}

impl Services {
    pub(super) fn new(
        flight: FlightServiceServer<Flight>,
        export: Exports,
        keys: Keys,
        incomplete: &Incomplete,
        rest: Router,
    ) -> Self {
        let check = KeyCheck(keys);
        let counted = Counted::new(flight, incomplete.clone());
        Self {
            flight: InterceptedService::new(counted, check.clone()),
            export: InterceptedService::new(Counted::new(export, incomplete.clone()), check),
            rest,
        }
    }
}

impl Service<http::Request<Body>> for Services {
    type Response = http::Response<Body>;
    type Error = std::convert::Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        // Both are, always.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        let host = || request.headers().get(http::header::HOST).and_then(|host| host.to_str().ok());
        let authority = request.uri().authority().map(http::uri::Authority::as_str).or_else(host);
        let authority = authority.map(str::to_owned);
        if !is_grpc(request.headers()) {
            return over_rest(&mut self.rest, request, authority);
        }
        if let Some(authority) = authority.map(Authority) {
            request.extensions_mut().insert(authority);
        }
        match request.uri().path().starts_with(PATH) {
            true => self.export.call(request).map_ok(|response| response.map(Body::new)).boxed(),
            false => self.flight.call(request).map_ok(|response| response.map(Body::new)).boxed(),
        }
    }
}

fn is_grpc(headers: &http::HeaderMap) -> bool {
    headers.get(http::header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

/// Answers a request that is no gRPC.
fn over_rest(
    rest: &mut Router,
    mut request: http::Request<Body>,
    authority: Option<String>,
) -> BoxFuture<'static, Result<http::Response<Body>, std::convert::Infallible>> {
    if let Some(from) = request.extensions().get::<From>().cloned() {
        request.extensions_mut().insert(ConnectInfo(from));
    }
    // The name by which the server was called is looked at there, and HTTP/2 has it elsewhere.
    let named = authority.and_then(|name| http::HeaderValue::try_from(name).ok());
    if let (Some(name), false) = (named, request.headers().contains_key(http::header::HOST)) {
        request.headers_mut().insert(http::header::HOST, name);
    }
    let answer = rest.call(request.map(axum::body::Body::new));
    answer.map_ok(|response| response.map(Body::new)).boxed()
}

/// Lets calls through that show a key, and says what it allows; without keys, all calls.
#[derive(Debug, Clone)]
pub(super) struct KeyCheck(Keys);

impl Interceptor for KeyCheck {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        // Clients of Arize say there what they are, which is no address of a page.
        let origin = request.metadata().get("origin").and_then(|origin| origin.to_str().ok());
        if origin.is_some_and(|origin| origin == "null" || origin.contains("://")) {
            return Err(Refusal::foreign().into());
        }
        let shown = keys(request.metadata());
        let mut access = self.0.access(shown.iter().map(Vec::as_slice))?;
        // A web page can have its own name lead to this machine.
        let authority = request.extensions().get::<Authority>();
        if self.0.is_open() && authority.is_some_and(|Authority(name)| !is_of_machine(name)) {
            access = Access::Read;
        }
        peer(request.extensions())?.is_known();
        request.extensions_mut().insert(access);
        Ok(request)
    }
}

fn keys(metadata: &MetadataMap) -> Vec<Vec<u8>> {
    let binary = metadata.get_bin(KEY).and_then(|value| value.to_bytes().ok()).map(|key| key.to_vec());
    let bearer = metadata.get("authorization").map(|value| {
        let value = value.as_bytes();
        basic(value).unwrap_or_else(|| bearer(value).to_vec())
    });
    let plain = KEY_HEADERS.iter().filter_map(|name| metadata.get(*name)).map(|value| value.as_bytes().to_vec());
    binary.into_iter().chain(bearer).chain(plain).collect()
}
