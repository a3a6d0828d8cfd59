//! Trying again what may pass, with growing pauses, and never what cannot.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder, Retryable};

use super::error::SourceError;

/// How often a request is made at most where nobody waits at a prompt.
pub const MAX_ATTEMPTS_BATCH: usize = 5;
/// How often a request is made at most where somebody does.
pub const MAX_ATTEMPTS_INTERACTIVE: usize = 2;
/// The first pause; each one after is about twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A remote that wants to be left alone for longer is not waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Does something again while its error may pass, and as the remote asks for it, up to `attempts` times in all; gives
/// the last error.
///
/// `cause` finds the remote's error in that of the work; other errors do not pass.
pub async fn retrying<T, E, Work>(
    attempts: usize,
    work: impl FnMut() -> Work,
    cause: impl Fn(&E) -> Option<&SourceError>,
) -> Result<T, E>
where
    Work: Future<Output = Result<T, E>>,
{
    let pauses = pauses(attempts);
    let may_pass = |error: &E| cause(error).is_some_and(SourceError::is_transient);
    work.retry(pauses).when(may_pass).adjust(|error, planned| pause_after(cause(error), planned)).await
}

/// The pauses between so many attempts: scattered, so that clients do not come back all at once.
fn pauses(attempts: usize) -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_min_delay(FIRST_PAUSE)
        .with_max_delay(LONGEST_PAUSE)
        .with_max_times(attempts.saturating_sub(1))
        .with_jitter()
}

/// How long to wait after an error that followed so many others, before something goes on that cannot begin anew; `None`
/// when it is not to be tried again.
pub(crate) fn pause(error: &SourceError, failures: usize) -> Option<Duration> {
    let planned = pauses(MAX_ATTEMPTS_BATCH).build().nth(failures);
    pause_after(Some(error), planned).filter(|_| error.is_transient())
}

/// The pause after an error: as long as the remote asks for, if that is bearable.
fn pause_after(error: Option<&SourceError>, planned: Option<Duration>) -> Option<Duration> {
    match error {
        Some(SourceError::Unavailable { retry_after: Some(wanted), .. }) => {
            planned.filter(|_| *wanted <= LONGEST_WAIT).map(|_| *wanted)
        }
        _ => planned,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use super::{FIRST_PAUSE, MAX_ATTEMPTS_BATCH, retrying};
    use crate::SourceError;

    fn unavailable(retry_after: Option<Duration>) -> SourceError {
        SourceError::Unavailable { endpoint: "e".into(), reason: "r".into(), retry_after }
    }

    async fn attempts(fail: usize, error: SourceError) -> (usize, bool) {
        let made = Cell::new(0);
        let work = || async {
            made.set(made.get() + 1);
            if made.get() <= fail { Err(error.clone()) } else { Ok(()) }
        };
        let done = retrying(MAX_ATTEMPTS_BATCH, work, SourceError::itself).await;
        (made.get(), done.is_ok())
    }

    /// As soon as possible.
    const NOW: Option<Duration> = Some(Duration::from_millis(1));

    #[tokio::test]
    async fn only_what_may_pass_is_tried_again() {
        let refused = SourceError::Refused { endpoint: "e".into(), reason: "r".into() };
        assert_eq!(attempts(1, refused).await, (1, false));
        assert_eq!(attempts(2, unavailable(NOW)).await, (3, true));
        assert_eq!(attempts(99, unavailable(NOW)).await, (MAX_ATTEMPTS_BATCH, false));
    }

    #[tokio::test]
    async fn a_remote_is_left_alone_as_long_as_it_asks_for() {
        let began = std::time::Instant::now();
        assert_eq!(attempts(1, unavailable(None)).await, (2, true));
        assert_eq!(attempts(1, unavailable(Some(FIRST_PAUSE * 2))).await, (2, true));
        assert!(began.elapsed() >= FIRST_PAUSE * 3);
        assert_eq!(attempts(1, unavailable(Some(Duration::from_secs(3600)))).await, (1, false));
    }
}
