//! Answers on their way: who takes nothing holds little, and makes place for others.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::{FutureExt, Stream};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, Permit};
use tokio::sync::oneshot;

use super::backend::Backend;
use super::connections::Peer;
use super::refusal::Refusal;
use super::threads::apart_with;

/// How long a client may take nothing before its query makes place for others.
const STALLED: Duration = Duration::from_millis(200);
/// How long a client may take nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where a query puts the pieces of its answer.
pub(super) struct Outlet<T> {
    to: mpsc::Sender<T>,
    peer: Arc<Peer>,
    backend: Arc<Backend>,
}

/// What became of a piece that was offered.
pub(super) enum Offered<'a, T> {
    /// The client has place for it.
    Place(Permit<'a, T>),
    /// The client takes nothing, and others wait for memory.
    Wanted,
}

impl<T> Outlet<T> {
    /// Whom it leads to.
    pub(super) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Waits until the client has place for a piece. `holding`: whether the caller holds memory that others may want.
    ///
    /// # Errors
    /// When the client has gone, or has taken nothing for too long.
    pub(super) async fn offer(&self, holding: bool) -> Result<Offered<'_, T>, Refusal> {
        if let Ok(permit) = self.to.try_reserve() {
            return Ok(Offered::Place(permit));
        }
        let stalled = self.backend.transfers().stall();
        let wanted = async {
            tokio::time::sleep(STALLED).await;
            self.backend.room().wanted().await;
        };
        tokio::select! {
            place = self.to.reserve() => place.map(Offered::Place).map_err(|_| gone()),
            () = stalled.cut.notified() => Err(self.cut("others wait, and it takes nothing")),
            () = tokio::time::sleep(PATIENCE) => Err(self.cut("it has taken nothing for a minute")),
            () = wanted, if holding => Ok(Offered::Wanted),
        }
    }

    /// Sends a piece when the client has place for it; the caller holds no memory that others want.
    pub(super) async fn send(&self, piece: T) -> Result<(), Refusal> {
        if let Offered::Place(place) = self.offer(false).await? {
            place.send(piece);
        }
        Ok(())
    }

    /// Waits until the client has taken everything.
    pub(super) async fn end(self) -> Result<(), Refusal> {
        self.offer(false).await.map(|_| ())
    }

    /// Does something that takes time, unless the client goes meanwhile.
    pub(super) async fn unless_gone<R>(&self, work: impl Future<Output = R>) -> Result<R, Refusal> {
        tokio::select! {
            done = work => Ok(done),
            () = self.to.closed() => Err(gone()),
        }
    }

    /// Ends the connection too: what waits on it would stay in memory.
    fn cut(&self, why: &str) -> Refusal {
        self.peer.close(why);
        self.backend.log(|| format!("a transfer was cut: {why}"));
        Refusal::busy(format!("the transfer was cut: {why}; ask again"))
    }
}

fn gone() -> Refusal {
    Refusal::busy("the client has gone")
}

/// The pieces of an answer as they come, the last of which may be an error.
pub(super) struct Pieces<T> {
    pieces: mpsc::Receiver<T>,
    end: Option<oneshot::Receiver<Result<(), Refusal>>>,
}

/// Runs a query on a thread of its own; its answer comes in pieces.
pub(super) fn run<T, F>(
    backend: &Arc<Backend>,
    peer: Arc<Peer>,
    work: impl FnOnce(Arc<Backend>, Outlet<T>) -> F + Send + 'static,
) -> Pieces<T>
where
    T: Send + 'static,
    F: Future<Output = Result<(), Refusal>>,
{
    run_with(Handle::current(), backend, peer, work)
}

/// The same, with the threads of a runtime for what the query does beside.
pub(super) fn run_with<T, F>(
    handle: Handle,
    backend: &Arc<Backend>,
    peer: Arc<Peer>,
    work: impl FnOnce(Arc<Backend>, Outlet<T>) -> F + Send + 'static,
) -> Pieces<T>
where
    T: Send + 'static,
    F: Future<Output = Result<(), Refusal>>,
{
    let (to, pieces) = mpsc::channel(1);
    let (tell, end) = oneshot::channel();
    let outlet = Outlet { to, peer, backend: Arc::clone(backend) };
    let backend = Arc::clone(backend);
    tokio::spawn(async move {
        let ended = apart_with(handle, backend.shutdown(), move || work(backend, outlet)).await.flatten();
        // The client may have gone.
        drop(tell.send(ended));
    });
    Pieces { pieces, end: Some(end) }
}

impl<T> Stream for Pieces<T> {
    type Item = Result<T, Refusal>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(piece) = ready!(self.pieces.poll_recv(context)) {
            return Poll::Ready(Some(Ok(piece)));
        }
        let Some(end) = &mut self.end else { return Poll::Ready(None) };
        let ended = ready!(end.poll_unpin(context)).unwrap_or_else(|_| Err(Refusal::ending()));
        self.end = None;
        Poll::Ready(ended.err().map(Err))
    }
}
