//! A server from its start to its end.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, try_join_all};
use futures::{FutureExt, TryFutureExt};
use rustls::ServerConfig;
use serde::Serialize;
use tokio::net::{TcpListener, lookup_host};

use super::access::Keys;
use super::backend::Backend;
use super::connections::Connections;
use super::error::ServeError;
use super::export::Exports;
use super::ids::{project_id, space_id};
use super::incoming::{From, Incoming};
use super::rpc::Services;
use super::settings::Settings;
use super::shutdown::{self, Shutdown, Trigger};
use super::tls::Tls;
use super::writer::Writer;
use super::{flight, http};
use spanql_store::Store;

/// Time for the threads of requests to see that the server has ended.
const LEAVE: Duration = Duration::from_millis(100);
/// Calls of Flight that one connection makes at the same time.
const STREAMS: u32 = 8;
/// Bytes of the metadata of a call.
const HEADERS: u32 = 32 << 10;
/// The ports of OpenTelemetry: of gRPC and of HTTP.
const OTLP_PORTS: (u16, u16) = (4317, 4318);

/// Serves a store to clients of Arize.
#[derive(Debug)]
pub struct Server;

/// A server that listens, and answers once it runs.
pub struct Bound {
    backend: Arc<Backend>,
    connections: Arc<Connections>,
    trigger: Trigger,
    shutdown: Shutdown,
    keys: Keys,
    tls: Option<Tls>,
    grace: Duration,
    /// Those of gRPC.
    flight: Vec<TcpListener>,
    http: Vec<TcpListener>,
    ready: Ready,
}

impl std::fmt::Debug for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bound").field("ready", &self.ready).finish_non_exhaustive()
    }
}

/// Where a server is reached, and what it serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ready {
    /// The address of Flight, `grpc://…` or `grpc+tls://…`.
    pub flight: String,
    /// The address of HTTP, `http://…` or `https://…`.
    pub http: String,
    /// The port of Flight.
    pub flight_port: u16,
    /// The port of HTTP.
    pub http_port: u16,
    /// The addresses of OpenTelemetry's ports, if the server listens there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otlp: Option<OtlpAddresses>,
    /// The id of the one space.
    pub space_id: String,
    /// The projects at the start, by name; later ones are served too.
    pub projects: Vec<ReadyProject>,
}

/// Where exporters of OpenTelemetry send spans. The other two ports take them as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OtlpAddresses {
    /// The address of gRPC, `http://…` or `https://…` as exporters want it.
    pub grpc: String,
    /// The address of HTTP, without the path `/v1/traces`.
    pub http: String,
}

/// A project that is served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReadyProject {
    /// Its id over HTTP.
    pub id: String,
    /// Its name.
    pub name: String,
}

impl Server {
    /// Listens on both ports. Clients that connect are answered once [`Bound::run`] is called.
    ///
    /// # Errors
    /// When there is no token and others than this machine could connect, a port is taken, certificate or key cannot
    /// be used, or the store cannot be read.
    pub async fn bind(store: Arc<Store>, settings: Settings) -> Result<Bound, ServeError> {
        let tls = settings.tls.as_ref().map(Tls::load).transpose()?;
        let (trigger, shutdown) = shutdown::channel();
        let no_thread = |error: std::io::Error| ServeError::Stopped { transport: "writing", reason: error.to_string() };
        let writer = Writer::start(Arc::clone(&store)).map_err(no_thread)?;
        let backend = Backend::new(store, writer, &settings, shutdown.clone())?;
        let connections = Connections::new(settings.log.clone());
        let names: Vec<String> = backend.newest().await?.projects().into_iter().map(str::to_owned).collect();
        let mut flight = vec![listen(&settings, settings.flight_port).await?];
        let mut http = vec![listen(&settings, settings.http_port).await?];
        let port = |listener: &TcpListener| {
            let address = format!("{}:0", settings.host);
            listener.local_addr().map(|local| local.port()).map_err(|source| ServeError::Bind { address, source })
        };
        let (flight_port, http_port) = (port(&flight[0])?, port(&http[0])?);
        let host = match settings.host.parse() {
            Ok(IpAddr::V6(address)) => format!("[{address}]"),
            _ => settings.host.clone(),
        };
        let (grpc, web) = if tls.is_some() { ("grpc+tls", "https") } else { ("grpc", "http") };
        let mut otlp = None;
        if settings.otlp {
            let (of_grpc, of_http) = OTLP_PORTS;
            // One of these may be the port that was asked for.
            for (port, known, all) in [(of_grpc, flight_port, &mut flight), (of_http, http_port, &mut http)] {
                if port != known {
                    all.push(listen(&settings, port).await?);
                }
            }
            let address = |port| format!("{web}://{host}:{port}");
            otlp = Some(OtlpAddresses { grpc: address(of_grpc), http: address(of_http) });
        }
        let ready = Ready {
            flight: format!("{grpc}://{host}:{flight_port}"),
            http: format!("{web}://{host}:{http_port}"),
            flight_port,
            http_port,
            otlp,
            space_id: space_id(),
            projects: names.into_iter().map(|name| ReadyProject { id: project_id(&name), name }).collect(),
        };
        let backend = Arc::new(backend);
        Ok(Bound {
            backend,
            connections,
            trigger,
            shutdown,
            keys: Keys::new(settings.token, settings.write_token),
            tls,
            grace: settings.grace,
            flight,
            http,
            ready,
        })
    }
}

async fn listen(settings: &Settings, port: u16) -> Result<TcpListener, ServeError> {
    let address = format!("{}:{port}", settings.host);
    let failed = |source| ServeError::Bind { address: address.clone(), source };
    let found: Vec<SocketAddr> = lookup_host((settings.host.as_str(), port)).await.map_err(failed)?.collect();
    // With a key for writing alone, everybody reads.
    if settings.token.is_none() && !found.iter().all(|address| address.ip().is_loopback()) {
        return Err(ServeError::Unprotected { host: settings.host.clone() });
    }
    TcpListener::bind(found.as_slice()).await.map_err(failed)
}

impl Bound {
    /// Where the server is reached.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Answers until `shutdown` resolves; transfers that are under way then have [`Settings::grace`] more.
    ///
    /// # Errors
    /// When a listener fails.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), ServeError> {
        let Self { backend, connections, trigger, shutdown: signal, keys, tls, grace, flight, http, .. } = self;
        let (flight_tls, http_tls) = match tls {
            Some(tls) => (Some(tls.flight), Some(tls.http)),
            None => (None, None),
        };
        let exports = Exports(Arc::clone(&backend));
        let incomplete = backend.intake().incomplete();
        let reads = flight::service(Arc::clone(&backend), signal.clone());
        let router = http::router(backend, keys.clone());
        let services = Services::new(reads, exports, keys, &incomplete, router.clone());
        let mut servers: Vec<BoxFuture<'_, Result<(), ServeError>>> = Vec::new();
        for listener in flight {
            let incoming = incoming("Flight", listener, flight_tls.clone(), &connections)?;
            servers.push(serve_flight(incoming, services.clone(), &signal).boxed());
        }
        for listener in http {
            let incoming = incoming("HTTP", listener, http_tls.clone(), &connections)?;
            servers.push(serve_http(incoming, router.clone(), &signal).boxed());
        }
        drop((services, router));
        let servers = try_join_all(servers).map_ok(|_| ());
        tokio::pin!(servers);
        tokio::select! {
            ended = &mut servers => return ended,
            () = connections.watch() => {}
            () = shutdown => trigger.begin(),
        }
        let ended = tokio::time::timeout(grace, servers).await;
        trigger.finish();
        connections.close();
        // Threads of requests end now; the caller may end the runtime that they wait on.
        tokio::time::sleep(LEAVE).await;
        ended.unwrap_or(Ok(()))
    }
}

fn incoming(
    transport: &'static str,
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    connections: &Arc<Connections>,
) -> Result<Incoming, ServeError> {
    Incoming::new(listener, tls, Arc::clone(connections))
        .map_err(|error| ServeError::Stopped { transport, reason: error.to_string() })
}

async fn serve_flight(incoming: Incoming, service: Services, signal: &Shutdown) -> Result<(), ServeError> {
    let stopped = |error: tonic::transport::Error| {
        let mut reason = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            reason += &format!(": {cause}");
            source = cause.source();
        }
        ServeError::Stopped { transport: "Flight", reason }
    };
    let server = tonic::transport::Server::builder()
        .accept_http1(true)
        .max_concurrent_streams(STREAMS)
        .http2_max_header_list_size(HEADERS);
    server.serve_with_incoming_shutdown(service, incoming, signal.clone().begun()).await.map_err(stopped)
}

async fn serve_http(incoming: Incoming, router: axum::Router, signal: &Shutdown) -> Result<(), ServeError> {
    let stopped = |error: std::io::Error| ServeError::Stopped { transport: "HTTP", reason: error.to_string() };
    let service = router.into_make_service_with_connect_info::<From>();
    axum::serve(incoming, service).with_graceful_shutdown(signal.clone().begun()).await.map_err(stopped)
}
