//! How much clients may send: the size of a request, how many at a time, how fast, and what all of them hold together.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::refusal::Refusal;

/// The largest request that is taken, also once it is unpacked, however much memory there is.
const REQUEST: std::ops::RangeInclusive<usize> = 4 << 20..=64 << 20;
/// The share of the memory that one request may be.
const SHARE: usize = 32;
/// Bytes of requests that have not ended, of all clients together, that there is always room for.
const INCOMPLETE: usize = 32 << 20;
/// Writes that are worked on at the same time.
const WRITES: usize = 128;
/// Requests that are unpacked at the same time: what that takes is known only afterwards.
const UNPACKED: usize = 2;
/// How long a write waits for others before it is refused.
const PATIENCE: Duration = Duration::from_secs(5);
/// Time between the writes of one address, once it has made more than [`BURST`] at once.
const INTERVAL: Duration = Duration::from_micros(200);
const BURST: u32 = 10_000;
/// Addresses whose writes are counted before those are forgotten that have made none lately.
const ADDRESSES: usize = 1_024;

/// What limits the writes of all clients.
#[derive(Debug)]
pub(super) struct Intake {
    most: usize,
    incomplete: Incomplete,
    writes: Arc<Semaphore>,
    unpacked: Semaphore,
    /// When each address may make its next write.
    next: Mutex<HashMap<IpAddr, Instant>>,
}

/// The right to work on a write.
#[derive(Debug)]
#[expect(dead_code, reason = "held for its end")]
pub(super) struct Admitted(OwnedSemaphorePermit);

impl Intake {
    /// Limits for a server that may take so many bytes of memory.
    pub(super) fn new(memory: Option<usize>) -> Self {
        let most = memory.map_or(*REQUEST.end(), |bytes| (bytes / SHARE).clamp(*REQUEST.start(), *REQUEST.end()));
        Self {
            most,
            incomplete: Incomplete { bytes: Arc::default(), most: INCOMPLETE.max(2 * most) },
            writes: Arc::new(Semaphore::new(WRITES)),
            unpacked: Semaphore::new(UNPACKED),
            next: Mutex::default(),
        }
    }

    /// Bytes of the largest request.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// Counts what clients have sent of requests that have not ended.
    pub(super) fn incomplete(&self) -> Incomplete {
        self.incomplete.clone()
    }

    /// Waits until a write of this address may be worked on.
    ///
    /// # Errors
    /// When that takes too long, because this client or all of them make too many.
    pub(super) async fn admit(&self, address: IpAddr) -> Result<Admitted, Refusal> {
        let wait = self.reserve(address, Instant::now()).ok_or_else(Refusal::too_fast)?;
        tokio::time::sleep(wait).await;
        match tokio::time::timeout(PATIENCE, Arc::clone(&self.writes).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Admitted(permit)),
            _ => Err(Refusal::busy("as many requests are being stored as may be at a time: send it again")),
        }
    }

    /// How long the next write of an address must wait; `None` if that is too long.
    fn reserve(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if next.len() >= ADDRESSES {
            next.retain(|_, time| *time > now);
        }
        let place = next.entry(address).or_insert(now);
        let at = (*place).max(now);
        let wait = at.duration_since(now).saturating_sub(INTERVAL * BURST);
        if wait > PATIENCE {
            return None;
        }
        *place = at + INTERVAL;
        Some(wait)
    }

    /// Unpacks with `unpack` while few others do so.
    pub(super) async fn unpacking<T>(&self, unpack: impl Future<Output = T>) -> Result<T, Refusal> {
        let _one = self.unpacked.acquire().await.map_err(|_| Refusal::ending())?;
        Ok(unpack.await)
    }
}

/// The bytes of requests that are in memory and have not ended, of all clients together.
#[derive(Debug, Clone)]
pub(super) struct Incomplete {
    bytes: Arc<AtomicUsize>,
    most: usize,
}

impl Incomplete {
    /// Begins a request.
    pub(super) fn begin(&self) -> Held {
        Held { of: self.clone(), bytes: 0 }
    }
}

/// What one request has brought, which counts until this is dropped.
#[derive(Debug)]
pub(super) struct Held {
    of: Incomplete,
    bytes: usize,
}

impl Held {
    /// Counts bytes that have come.
    ///
    /// # Errors
    /// When all clients together hold too many.
    pub(super) fn add(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.bytes += bytes;
        if self.of.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes > self.of.most {
            let why = "requests of other clients that have not ended take the memory for them: ask again";
            return Err(Refusal::overfull(why));
        }
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.of.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::{Duration, Instant};

    use super::{BURST, INTERVAL, Intake, PATIENCE};

    #[test]
    fn who_is_too_fast_waits_and_is_refused_at_last() {
        let intake = Intake::new(None);
        let (one, other) = (IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)));
        let now = Instant::now();
        for _ in 0..=BURST {
            assert_eq!(intake.reserve(one, now), Some(Duration::ZERO));
        }
        assert_eq!(intake.reserve(one, now), Some(INTERVAL));
        assert_eq!(intake.reserve(other, now), Some(Duration::ZERO));
        let waiting = PATIENCE.as_micros() / INTERVAL.as_micros();
        for _ in 1..waiting {
            assert!(intake.reserve(one, now).is_some());
        }
        assert_eq!(intake.reserve(one, now), None);
        assert_eq!(intake.reserve(one, now + 2 * INTERVAL), Some(PATIENCE - INTERVAL));
    }

    #[test]
    fn what_requests_hold_is_given_back() {
        let intake = Intake::new(Some(0));
        let incomplete = intake.incomplete();
        let mut held = incomplete.begin();
        held.add(30 << 20).unwrap();
        assert!(incomplete.begin().add(3 << 20).is_err());
        drop(held);
        assert!(incomplete.begin().add(3 << 20).is_ok());
    }
}
