//! The connections of a server: how many there may be, and how long each may keep its place without a request.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::settings::Log;

/// The fewest and the most connections, however many files the system allows.
const MOST: std::ops::RangeInclusive<usize> = 16..=1_024;
/// Time that a client has to agree on TLS, to send its first request and to show its key.
const UNKNOWN: Duration = Duration::from_secs(10);
/// Time that a client whose key is known has to send its next request.
const IDLE: Duration = Duration::from_secs(60);
/// Time that a connection has for its first request before another may take its place.
const UNSETTLED: Duration = Duration::from_millis(300);
/// Time in which a client must take something of what is sent.
const STALLED: Duration = Duration::from_secs(60);
/// How often the times are looked at.
const ROUND: Duration = Duration::from_secs(1);
/// How often the log is told that there are too many connections.
const NOTE: Duration = Duration::from_secs(10);

/// All connections of both ports.
pub(super) struct Connections {
    most: usize,
    of_one: usize,
    open: Mutex<HashMap<u64, Arc<Peer>>>,
    next: AtomicU64,
    noted: Mutex<Option<Instant>>,
    log: Option<Log>,
}

/// The other end of a connection.
#[derive(Debug)]
pub(super) struct Peer {
    address: IpAddr,
    state: Mutex<State>,
    closed: AtomicBool,
    waker: AtomicWaker,
    /// Held by the one of its requests that waits for memory.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct State {
    /// Whether a key was shown, or none is needed and a request was made.
    known: bool,
    /// Requests that are being answered.
    busy: usize,
    /// Since when there is none.
    idle: Instant,
    /// Since when the client takes nothing of what is sent.
    stalled: Option<Instant>,
    why: String,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Connections {
    pub(super) fn new(log: Option<Log>) -> Arc<Self> {
        let most = (files() / 2).clamp(*MOST.start(), *MOST.end());
        Arc::new(Self {
            most,
            of_one: most - most / 4,
            open: Mutex::default(),
            next: AtomicU64::new(0),
            noted: Mutex::default(),
            log,
        })
    }

    /// Takes a connection on. Of too many, the one ends that has been without a request for longest, those without a
    /// key first; where all are busy, the new one is not taken.
    pub(super) async fn admit(self: &Arc<Self>, stream: TcpStream, address: IpAddr) -> Option<Guarded> {
        let began = Instant::now();
        while !self.has_place(address) {
            self.note(&format!("there are {} connections, as many as there may be", self.most));
            if began.elapsed() >= UNSETTLED * 2 {
                return None;
            }
            // Others that come meanwhile wait with the system, in order.
            tokio::time::sleep(UNSETTLED / 10).await;
        }
        let peer = Arc::new(Peer::new(address));
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        lock(&self.open).insert(number, Arc::clone(&peer));
        Some(Guarded { stream, peer, number, all: Arc::clone(self) })
    }

    /// Whether there is a place for a further connection, now that one has ended for it if one can.
    fn has_place(&self, address: IpAddr) -> bool {
        let mut open = lock(&self.open);
        let of_one = open.values().filter(|peer| peer.address == address).count();
        if of_one < self.of_one && open.len() < self.most {
            return true;
        }
        end_one(&mut open, (of_one >= self.of_one).then_some(address))
    }

    /// Ends a connection because the system has no more files.
    pub(super) fn relieve(&self, error: &io::Error) {
        end_one(&mut lock(&self.open), None);
        self.note(&format!("a connection cannot be taken: {error}"));
    }

    fn note(&self, text: &str) {
        let mut noted = lock(&self.noted);
        if noted.is_none_or(|last| last.elapsed() >= NOTE) {
            *noted = Some(Instant::now());
            if let Some(log) = &self.log {
                log(text);
            }
        }
    }

    /// Ends connections whose time is over, for ever.
    pub(super) async fn watch(&self) {
        loop {
            tokio::time::sleep(ROUND).await;
            for peer in lock(&self.open).values() {
                if let Some(why) = peer.overdue() {
                    peer.close(why);
                }
            }
        }
    }

    /// Ends all connections.
    pub(super) fn close(&self) {
        for peer in lock(&self.open).values() {
            peer.close("the server ends");
        }
    }
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connections").field("most", &self.most).finish_non_exhaustive()
    }
}

/// Ends the connection that is without a request for longest, of one address or any; one that has only just come may
/// be about to make one.
fn end_one(open: &mut HashMap<u64, Arc<Peer>>, only: Option<IpAddr>) -> bool {
    let idle = open.iter().filter(|(_, peer)| only.is_none_or(|address| peer.address == address));
    let idle = idle.filter_map(|(number, peer)| {
        let state = lock(&peer.state);
        (state.busy == 0 && state.idle.elapsed() >= UNSETTLED).then_some((state.known, state.idle, *number))
    });
    let Some((_, _, number)) = idle.min() else { return false };
    // Its place is free at once; the file is closed a moment later.
    if let Some(peer) = open.remove(&number) {
        peer.close("others wait");
    }
    true
}

/// How many files the process may have open.
#[cfg(unix)]
fn files() -> usize {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: fills in what it is given, and nothing else.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } == 0;
    if known { usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX) } else { usize::MAX }
}

#[cfg(not(unix))]
fn files() -> usize {
    usize::MAX
}

impl Peer {
    fn new(address: IpAddr) -> Self {
        let state =
            State { known: false, busy: 0, idle: Instant::now(), stalled: None, why: "it was closed".to_owned() };
        Self {
            address,
            state: Mutex::new(state),
            closed: AtomicBool::new(false),
            waker: AtomicWaker::new(),
            turn: tokio::sync::Mutex::new(()),
        }
    }

    /// Where it is.
    pub(super) fn address(&self) -> IpAddr {
        self.address
    }

    /// Waits until no other of its requests waits for memory.
    pub(super) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Says that the client makes a request, and has shown its key.
    pub(super) fn is_known(&self) {
        let mut state = lock(&self.state);
        state.known = true;
        state.idle = Instant::now();
    }

    /// Says that a request is being answered until what is returned is dropped.
    pub(super) fn busy(self: &Arc<Self>) -> Busy {
        lock(&self.state).busy += 1;
        Busy(Arc::clone(self))
    }

    /// Ends the connection.
    pub(super) fn close(&self, why: &str) {
        why.clone_into(&mut lock(&self.state).why);
        self.closed.store(true, Ordering::Release);
        self.waker.wake();
    }

    fn overdue(&self) -> Option<&'static str> {
        let state = lock(&self.state);
        if state.stalled.is_some_and(|since| since.elapsed() >= STALLED) {
            return Some("it takes nothing of what is sent");
        }
        let (limit, why) = match state.known {
            true => (IDLE, "it asks for nothing"),
            false => (UNKNOWN, "it has shown no key"),
        };
        (state.busy == 0 && state.idle.elapsed() >= limit).then_some(why)
    }

    fn check(&self, context: &Context<'_>) -> io::Result<()> {
        self.waker.register(context.waker());
        match self.closed.load(Ordering::Acquire) {
            true => Err(io::Error::new(io::ErrorKind::ConnectionAborted, lock(&self.state).why.clone())),
            false => Ok(()),
        }
    }

    fn stalls(&self, stalls: bool) {
        let mut state = lock(&self.state);
        match stalls {
            true => drop(state.stalled.get_or_insert_with(Instant::now)),
            false => state.stalled = None,
        }
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct Busy(Arc<Peer>);

impl Drop for Busy {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        state.busy -= 1;
        state.idle = Instant::now();
    }
}

/// A connection that can be ended from outside.
#[derive(Debug)]
pub(super) struct Guarded {
    stream: TcpStream,
    peer: Arc<Peer>,
    number: u64,
    all: Arc<Connections>,
}

impl Guarded {
    pub(super) fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        lock(&self.all.open).remove(&self.number);
    }
}

impl AsyncRead for Guarded {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.peer.check(context)?;
        Pin::new(&mut self.stream).poll_read(context, to)
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.peer.check(context)?;
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.peer.stalls(written.is_pending());
        Poll::Ready(ready!(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.peer.check(context)?;
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.peer.stalls(written.is_pending());
        Poll::Ready(ready!(written))
    }
}
