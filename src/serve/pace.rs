//! How slowly a client may send.

use std::time::Duration;

use tokio::time::Instant;

use super::refusal::Refusal;

/// Time that a request has to come,
const TIME: Duration = Duration::from_secs(20);
/// and how many bytes give it a second more.
const BYTES_A_SECOND: u64 = 64 << 10;

/// The time in which a request must have come: the more of it is there, the longer.
#[derive(Debug)]
pub(super) struct Pace {
    began: Instant,
    bytes: u64,
}

impl Pace {
    pub(super) fn begin() -> Self {
        Self { began: Instant::now(), bytes: 0 }
    }

    /// Says that so many bytes have come.
    pub(super) fn add(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// When the rest must have come.
    pub(super) fn ends(&self) -> Instant {
        self.began + TIME + Duration::from_secs(self.bytes / BYTES_A_SECOND)
    }

    /// Waits for what comes next.
    ///
    /// # Errors
    /// When the time is over.
    pub(super) async fn within<T>(&self, next: impl Future<Output = T>) -> Result<T, Refusal> {
        tokio::time::timeout_at(self.ends(), next).await.map_err(|_| Refusal::too_slow())
    }
}

#[cfg(test)]
impl Pace {
    /// One that began so long ago.
    pub(super) fn begun(ago: Duration) -> Self {
        Self { began: Instant::now() - ago, bytes: 0 }
    }
}
