//! A proxy that breaks connections.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// What becomes of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    /// Nothing happens to it.
    Through,
    /// It is reset when so many bytes have come from the server.
    Reset(u64),
    /// It is closed when so many bytes have come from the server.
    Close(u64),
    /// It is accepted, and nothing ever comes.
    Silent,
}

/// Passes connections on to a port of this machine.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

struct Shared {
    target: AtomicU16,
    /// What becomes of the next connections, and of all after them.
    ways: Mutex<(VecDeque<Way>, Way)>,
    connections: AtomicUsize,
}

impl Proxy {
    pub(crate) async fn start(target: u16, way: Way) -> Self {
        Self::start_at(0, target, way).await
    }

    /// On a certain port.
    pub(crate) async fn start_at(port: u16, target: u16, way: Way) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            target: target.into(),
            ways: Mutex::new((VecDeque::new(), way)),
            connections: AtomicUsize::new(0),
        });
        let accepting = tokio::spawn(accept_all(listener, Arc::clone(&shared)));
        Self { port, shared, accepting }
    }

    /// What becomes of the next connections, and of all after them. Those that there are stay as they are.
    pub(crate) fn set(&self, next: impl IntoIterator<Item = Way>, then: Way) {
        *self.shared.ways.lock().unwrap() = (next.into_iter().collect(), then);
    }

    /// Passes the next connections on to another port.
    pub(crate) fn aim(&self, target: u16) {
        self.shared.target.store(target, Ordering::Relaxed);
    }

    /// Connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept_all(listener: TcpListener, shared: Arc<Shared>) {
    // Dropped with the proxy, and the connections with it.
    let mut connections = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.unwrap();
        shared.connections.fetch_add(1, Ordering::Relaxed);
        let way = {
            let mut ways = shared.ways.lock().unwrap();
            ways.0.pop_front().unwrap_or(ways.1)
        };
        let target = shared.target.load(Ordering::Relaxed);
        connections.spawn(async move {
            // A peer that goes away ends the connection, which is no error here.
            let _ = carry(client, target, way).await;
        });
    }
}

async fn carry(mut client: TcpStream, target: u16, way: Way) -> std::io::Result<()> {
    let budget = match way {
        Way::Through => u64::MAX,
        Way::Reset(bytes) | Way::Close(bytes) => bytes,
        Way::Silent => std::future::pending().await,
    };
    client.set_nodelay(true)?;
    let mut server = TcpStream::connect(("127.0.0.1", target)).await?;
    server.set_nodelay(true)?;
    {
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.split();
        let up = async {
            tokio::io::copy(&mut from_client, &mut to_server).await?;
            to_server.shutdown().await
        };
        let down = async {
            let mut limited = (&mut from_server).take(budget);
            tokio::io::copy(&mut limited, &mut to_client).await
        };
        let mut up = std::pin::pin!(up);
        let mut down = std::pin::pin!(down);
        tokio::select! {
            ended = &mut down => drop(ended?),
            ended = &mut up => {
                ended?;
                down.await?;
            }
        }
    }
    match way {
        Way::Reset(_) => client.set_zero_linger(),
        _ => {
            client.shutdown().await?;
            // What still comes is read, because a close with unread bytes is a reset.
            tokio::io::copy(&mut client, &mut tokio::io::sink()).await.map(drop)
        }
    }
}
