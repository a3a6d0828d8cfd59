//! The connections that come in at one port, with TLS agreed on where there is any.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info;
use axum::serve::{IncomingStream, Listener};
use futures::Stream;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use super::connections::{Connections, Guarded, Peer};
use super::refusal::Refusal;

/// Connections that wait to be served.
const WAITING: usize = 64;
/// Pause after a connection that could not be accepted, e.g. because there are too many.
const PAUSE: Duration = Duration::from_millis(50);

/// Takes connections. A slow client holds up no other.
#[derive(Debug)]
pub(super) struct Incoming {
    address: SocketAddr,
    ready: mpsc::Receiver<(Io, SocketAddr)>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Incoming {
    pub(super) fn new(
        listener: TcpListener,
        tls: Option<Arc<ServerConfig>>,
        connections: Arc<Connections>,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (sender, ready) = mpsc::channel(WAITING);
        let accepting = tokio::spawn(accept_all(listener, tls.map(TlsAcceptor::from), connections, sender));
        Ok(Self { address, ready, accepting })
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept_all(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    connections: Arc<Connections>,
    sender: mpsc::Sender<(Io, SocketAddr)>,
) {
    loop {
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                connections.relieve(&error);
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        // Without it answers only come later.
        let _ = stream.set_nodelay(true);
        let Some(guarded) = connections.admit(stream, address.ip()).await else { continue };
        let (tls, sender) = (tls.clone(), sender.clone());
        tokio::spawn(async move {
            let io = match tls {
                None => Io::Plain(guarded),
                // Who speaks something else is not served, and the connection ends for who takes too long.
                Some(tls) => match tls.accept(guarded).await {
                    Ok(stream) => Io::Tls(Box::new(stream)),
                    Err(_) => return,
                },
            };
            let _ = sender.send((io, address)).await;
        });
    }
}

/// One connection.
#[derive(Debug)]
pub(super) enum Io {
    Plain(Guarded),
    Tls(Box<TlsStream<Guarded>>),
}

impl Io {
    fn peer(&self) -> Arc<Peer> {
        Arc::clone(match self {
            Self::Plain(stream) => stream.peer(),
            Self::Tls(stream) => stream.get_ref().0.peer(),
        })
    }
}

/// Who makes a request.
#[derive(Debug, Clone)]
pub(super) struct From(pub(super) Arc<Peer>);

/// Who makes a request over gRPC.
pub(super) fn peer(extensions: &tonic::Extensions) -> Result<Arc<Peer>, Refusal> {
    let from = extensions.get::<From>().ok_or_else(|| Refusal::internal("the request comes over no connection"))?;
    Ok(Arc::clone(&from.0))
}

impl Connected for Io {
    type ConnectInfo = From;

    fn connect_info(&self) -> From {
        From(self.peer())
    }
}

impl connect_info::Connected<IncomingStream<'_, Incoming>> for From {
    fn connect_info(stream: IncomingStream<'_, Incoming>) -> Self {
        Self(stream.io().peer())
    }
}

impl Listener for Incoming {
    type Io = Io;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(connection) => connection,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(self.address)
    }
}

impl Stream for Incoming {
    type Item = io::Result<Io>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.ready.poll_recv(context).map(|next| next.map(|(io, _)| Ok(io)))
    }
}

impl AsyncRead for Io {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, to),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, to),
        }
    }
}

impl AsyncWrite for Io {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
