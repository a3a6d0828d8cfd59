//! TLS for both ports, from one certificate and its key.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::Listener;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::{Identity, ServerTlsConfig};

use super::error::ServeError;
use super::settings::TlsFiles;

/// Time that a client has to agree on TLS.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Connections that have agreed on TLS and wait to be served.
const WAITING: usize = 64;
/// Pause after a connection that could not be accepted, e.g. because there are too many.
const PAUSE: Duration = Duration::from_millis(100);

/// What both ports need, checked.
pub(super) struct Tls {
    /// For Flight.
    pub(super) flight: ServerTlsConfig,
    /// For HTTP.
    pub(super) http: Arc<ServerConfig>,
}

impl Tls {
    /// Reads certificate and key.
    ///
    /// # Errors
    /// When a file cannot be read, is not what it should be, or the two do not belong together.
    pub(super) fn load(files: &TlsFiles) -> Result<Self, ServeError> {
        let read =
            |path: &Path| std::fs::read(path).map_err(|source| ServeError::File { path: path.to_owned(), source });
        let (cert, key) = (read(&files.cert)?, read(&files.key)?);
        let wrong = |path: &Path, reason: String| ServeError::Tls { path: path.to_owned(), reason };
        let chain = CertificateDer::pem_slice_iter(&cert)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| wrong(&files.cert, format!("is no PEM file: {error}")))?;
        if chain.is_empty() {
            return Err(wrong(&files.cert, "holds no certificate".to_owned()));
        }
        // What the file holds is not repeated: it is a secret.
        let private = PrivateKeyDer::from_pem_slice(&key)
            .map_err(|_| wrong(&files.key, "holds no private key in PEM form".to_owned()))?;
        let mut http = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, private))
            .map_err(|error| wrong(&files.cert, format!("cannot be used with {}: {error}", files.key.display())))?;
        http.alpn_protocols = vec![b"http/1.1".to_vec()];
        let flight = ServerTlsConfig::new().identity(Identity::from_pem(cert, key)).timeout(HANDSHAKE);
        Ok(Self { flight, http: Arc::new(http) })
    }
}

/// Takes connections over TLS. A slow client holds up no other.
pub(super) struct TlsListener {
    address: SocketAddr,
    ready: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    accepting: tokio::task::JoinHandle<()>,
}

impl TlsListener {
    pub(super) fn new(listener: TcpListener, config: Arc<ServerConfig>) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (sender, ready) = mpsc::channel(WAITING);
        let accepting = tokio::spawn(accept_all(listener, TlsAcceptor::from(config), sender));
        Ok(Self { address, ready, accepting })
    }
}

impl Drop for TlsListener {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept_all(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    sender: mpsc::Sender<(TlsStream<TcpStream>, SocketAddr)>,
) {
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let (acceptor, sender) = (acceptor.clone(), sender.clone());
        tokio::spawn(async move {
            // Who does not agree in time, or speaks something else, is not served.
            if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                let _ = sender.send((stream, peer)).await;
            }
        });
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(connection) => connection,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}
