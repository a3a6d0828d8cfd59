//! Trying again what may pass, with growing pauses, and never what cannot.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};

use super::error::SourceError;

/// How often a request is made at most.
const ATTEMPTS: usize = 5;
/// The first pause; each one after is about twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A remote that wants to be left alone for longer is not waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Makes a request again while its error may pass, and as the remote asks for it; gives the last error.
pub async fn retrying<T, Call>(request: impl FnMut() -> Call) -> Result<T, SourceError>
where
    Call: Future<Output = Result<T, SourceError>>,
{
    // Scattered, so that clients do not come back all at once.
    let pauses = ExponentialBuilder::default()
        .with_min_delay(FIRST_PAUSE)
        .with_max_delay(LONGEST_PAUSE)
        .with_max_times(ATTEMPTS - 1)
        .with_jitter();
    request.retry(pauses).when(SourceError::is_transient).adjust(pause_after).await
}

/// The pause after an error: as long as the remote asks for, if that is bearable.
fn pause_after(error: &SourceError, planned: Option<Duration>) -> Option<Duration> {
    match error {
        SourceError::Unavailable { retry_after: Some(wanted), .. } => {
            planned.filter(|_| *wanted <= LONGEST_WAIT).map(|_| *wanted)
        }
        _ => planned,
    }
}
