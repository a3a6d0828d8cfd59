//! Readers of other people's, on bytes that nobody vouches for: should one panic, that is an error of the bytes.

use std::any::Any;
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::thread;

thread_local! {
    static EXPECTED: Cell<u32> = const { Cell::new(0) };
}

/// Whether a panic on this thread becomes an error, so that nothing is to be said of it.
pub fn are_expected() -> bool {
    EXPECTED.get() > 0
}

/// What a panic says, if it says anything.
pub fn message(payload: &(dyn Any + Send)) -> Option<&str> {
    payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}

/// Runs a reader; a panic is given back, and not reported.
///
/// What the reader holds must not be used again after a panic.
pub fn caught<T>(run: impl FnOnce() -> T) -> thread::Result<T> {
    EXPECTED.set(EXPECTED.get() + 1);
    let outcome = catch_unwind(AssertUnwindSafe(run));
    EXPECTED.set(EXPECTED.get() - 1);
    outcome
}

/// Runs a reader that waits; as [`caught`].
pub async fn caught_async<T>(run: impl Future<Output = T>) -> thread::Result<T> {
    let mut run = pin!(run);
    poll_fn(|context| match caught(|| run.as_mut().poll(context)) {
        Ok(Poll::Ready(outcome)) => Poll::Ready(Ok(outcome)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_given_back_with_what_it_says() {
        let said = |outcome: thread::Result<()>| message(&*outcome.unwrap_err()).map(str::to_owned);
        assert_eq!(said(caught(|| std::panic::panic_any("plain"))).as_deref(), Some("plain"));
        assert_eq!(said(caught(|| std::panic::panic_any(format!("row {}", 7)))).as_deref(), Some("row 7"));
        assert_eq!(said(caught(|| std::panic::panic_any(7))), None);
        assert_eq!(caught(|| 7).unwrap(), 7);
    }

    #[test]
    fn panics_are_expected_while_a_reader_runs() {
        assert!(!are_expected());
        let inside = caught(|| {
            let inner = caught(are_expected).unwrap();
            (inner, are_expected())
        });
        assert_eq!(inside.unwrap(), (true, true));
        assert!(!are_expected());
    }
}
