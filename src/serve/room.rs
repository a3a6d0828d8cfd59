//! The memory of a server, given out to requests before they take it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, watch};

use super::connections::Peer;
use super::refusal::Refusal;

/// How long a request waits for others to end before it is refused.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes of the unit in which memory is counted.
const UNIT: usize = 64 << 10;
/// The memory of a server that was told no limit.
const UNLIMITED: usize = 4 << 30;
/// The most requests that read at the same time, whatever the memory: more would only slow each other down.
const READERS: usize = 32;
/// A part is large that is more than one in so many of the whole.
const LARGE: usize = 8;
/// Bytes that one who reads takes at least.
const LEAST: usize = 4 << 20;

/// What the requests of a server may hold together.
///
/// Large parts are given out of three quarters of it: who asks for little finds place however many ask for much.
#[derive(Debug)]
pub(super) struct Room {
    units: Arc<Semaphore>,
    large: Arc<Semaphore>,
    total: usize,
    for_large: usize,
    /// How many wait for a part, and how many of them for their first.
    waiting: watch::Sender<usize>,
    first: watch::Sender<usize>,
    /// Held by the one that waits for a further part.
    further: Mutex<()>,
}

/// Which part of a request it is: who has had one comes behind who has had none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    First,
    Further,
}

/// A part of the room, given back when it is dropped.
#[derive(Debug)]
#[expect(dead_code, reason = "held for its end")]
pub(super) struct Part(OwnedSemaphorePermit, Option<OwnedSemaphorePermit>);

impl Room {
    /// The room of a server whose queries may take `limit` bytes: as much again as they sort and join in.
    pub(super) fn new(limit: Option<usize>) -> Self {
        let total = (limit.unwrap_or(UNLIMITED) / UNIT).clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        let for_large = (total - total / 4).max(1);
        Self {
            units: Arc::new(Semaphore::new(total)),
            large: Arc::new(Semaphore::new(for_large)),
            total,
            for_large,
            waiting: watch::Sender::new(0),
            first: watch::Sender::new(0),
            further: Mutex::new(()),
        }
    }

    /// Takes as many bytes, or all there are if that is less; waits for others a while. The requests of one connection
    /// wait one after the other.
    ///
    /// # Errors
    /// When there is no room in time.
    pub(super) async fn take(&self, bytes: usize, turn: Turn, peer: &Peer) -> Result<Part, Refusal> {
        let units = bytes.max(LEAST).div_ceil(UNIT).max(self.total / READERS).clamp(1, self.for_large);
        let is_large = units > self.total / LARGE;
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        // Nobody is overtaken that asks for the first time.
        let overtakes = turn == Turn::Further && *self.first.borrow() > 0;
        if !overtakes && let Some(part) = self.try_take(units, is_large) {
            return Ok(part);
        }
        let _waiting = Waiting::begin(&self.waiting);
        let taken = tokio::time::timeout(PATIENCE, async {
            let _one_of_peer = peer.turn().await;
            let _first = (turn == Turn::First).then(|| Waiting::begin(&self.first));
            let _further = match turn {
                Turn::First => None,
                Turn::Further => {
                    let further = self.further.lock().await;
                    // The sender lives as long as the room.
                    let _ = self.first.subscribe().wait_for(|first| *first == 0).await;
                    Some(further)
                }
            };
            let large = match is_large {
                true => Some(Arc::clone(&self.large).acquire_many_owned(units).await?),
                false => None,
            };
            Arc::clone(&self.units).acquire_many_owned(units).await.map(|permit| Part(permit, large))
        });
        match taken.await {
            Ok(Ok(part)) => Ok(part),
            _ => Err(Refusal::busy("the memory of the server is taken by other requests: ask again")),
        }
    }

    fn try_take(&self, units: u32, is_large: bool) -> Option<Part> {
        let large = match is_large {
            true => Some(Arc::clone(&self.large).try_acquire_many_owned(units).ok()?),
            false => None,
        };
        Some(Part(Arc::clone(&self.units).try_acquire_many_owned(units).ok()?, large))
    }

    /// Resolves when somebody waits for a part.
    pub(super) async fn wanted(&self) {
        let mut waiting = self.waiting.subscribe();
        // The sender lives as long as the room.
        let _ = waiting.wait_for(|waiting| *waiting > 0).await;
    }
}

struct Waiting<'a>(&'a watch::Sender<usize>);

impl<'a> Waiting<'a> {
    fn begin(count: &'a watch::Sender<usize>) -> Self {
        count.send_modify(|waiting| *waiting += 1);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|waiting| *waiting -= 1);
    }
}
