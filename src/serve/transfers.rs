//! Answers that wait for their clients: of too many, one makes place.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Memory that an answer takes which waits to be read: a piece that waits, one before it, and one on the connection.
const WAITING_BYTES: usize = 3 << 20;
/// The fewest and the most answers that wait.
const MOST: std::ops::RangeInclusive<usize> = 8..=256;
/// The answers that wait for their clients.
#[derive(Debug)]
pub(super) struct Transfers {
    most: usize,
    /// In the order in which they began to wait.
    stalled: Mutex<Vec<Arc<Notify>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Transfers {
    /// As many as fit into the memory for what is read and sent.
    pub(super) fn new(limit: Option<usize>) -> Self {
        let most = limit.map_or(*MOST.end(), |limit| limit / WAITING_BYTES).clamp(*MOST.start(), *MOST.end());
        Self { most, stalled: Mutex::default() }
    }

    /// Notes that one waits, until what is returned is dropped; of too many, the one that waits for longest is cut.
    pub(super) fn stall(&self) -> Stalled<'_> {
        let cut = Arc::new(Notify::new());
        let mut stalled = lock(&self.stalled);
        if stalled.len() >= self.most {
            stalled.remove(0).notify_one();
        }
        stalled.push(Arc::clone(&cut));
        Stalled { all: self, cut }
    }
}

/// One that waits.
pub(super) struct Stalled<'a> {
    all: &'a Transfers,
    /// Tells when it is cut.
    pub(super) cut: Arc<Notify>,
}

impl Drop for Stalled<'_> {
    fn drop(&mut self) {
        lock(&self.all.stalled).retain(|other| !Arc::ptr_eq(other, &self.cut));
    }
}
