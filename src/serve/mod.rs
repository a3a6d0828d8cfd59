//! A server that clients of Arize read and write spans at, and that OpenTelemetry's exporters send them to.
//!
//! ```text
//! Flight  command ── checked ── counted: FlightInfo with a ticket ── DoGet: query ── pieces ── messages
//! HTTP    request ── checked ── ids of one page: query ── their spans: query ── nested JSON
//! Flight SQL  statement ── planned: FlightInfo ── DoGet: a place, a time limit ── rows ── messages
//! DoPut   rows ── judgements, patches ──┐
//! HTTP    tables, annotations, ids ─────┼── writer: what waits together is one commit ── answered when it is on disk
//! OTLP    over gRPC and HTTP: spans ────┘
//!                       │
//!                    backend: the newest version of the store, one project of it, one engine a request
//! ```
//!
//! Clients share the server: `connections` bounds how many there are and how long they may say nothing, `room` the memory
//! of what they ask for, `outlet` and `transfers` what waits for them, and `threads` keeps their queries off the threads
//! that answer.
//!
//! But for statements of Flight SQL, which only read, nothing that a client sends becomes text of a query; no file is opened that
//! a client names.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! use std::sync::Arc;
//! use spanql::serve::{Server, Settings};
//! use spanql::store::Store;
//!
//! let store = Arc::new(Store::open("memory://")?);
//! let bound = Server::bind(store, Settings::default()).await?;
//! let flight_port = bound.ready().flight_port;
//! let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
//! let server = tokio::spawn(bound.run(async { drop(stopped.await) }));
//! tokio::net::TcpStream::connect(("127.0.0.1", flight_port)).await?;
//! drop(stop);
//! server.await??;
//! # Ok(())
//! # })
//! # }
//! ```

mod access;
mod backend;
mod batches;
mod bodies;
mod columns;
mod command;
mod connections;
mod error;
mod export;
mod exprs;
mod filter;
mod flight;
mod functions;
mod http;
mod ids;
mod incoming;
mod intake;
mod judged;
mod log;
mod messages;
mod otlp;
mod outlet;
mod pace;
mod project;
mod put;
mod refusal;
mod room;
mod rpc;
mod sending;
mod server;
mod settings;
mod shutdown;
mod sql;
mod statements;
mod threads;
mod tls;
mod transfers;
mod writer;

pub use error::ServeError;
pub use server::{Bound, OtlpAddresses, Ready, ReadyProject, Server};
pub use settings::{Log, Settings, TlsFiles, Token};
