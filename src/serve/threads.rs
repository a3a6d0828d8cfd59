//! Work on threads of its own: whatever a query does, the threads that take connections and send answers go on.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::refusal::Refusal;
use super::shutdown::Shutdown;

/// The stack of a thread that plans and runs a query; what it does not use takes no memory.
pub(super) const STACK: usize = 32 << 20;

/// How much a query comes behind what takes connections and sends answers.
pub(super) const BEHIND: i32 = 2;
/// How long a query runs before those that began later come first, and how much it comes behind them.
pub(super) const SOON: Duration = Duration::from_millis(500);
pub(super) const LATER: i32 = 10;

/// Runs work on a thread of its own until it is done, its caller has gone, or the server ends.
///
/// # Errors
/// When there is no thread for it, or the server ends.
pub(super) async fn apart<T, F>(shutdown: Shutdown, work: impl FnOnce() -> F + Send + 'static) -> Result<T, Refusal>
where
    F: Future<Output = T>,
    T: Send + 'static,
{
    apart_with(Handle::current(), shutdown, work).await
}

/// The same, with the threads of a runtime for what the work does beside.
pub(super) async fn apart_with<T, F>(
    handle: Handle,
    shutdown: Shutdown,
    work: impl FnOnce() -> F + Send + 'static,
) -> Result<T, Refusal>
where
    F: Future<Output = T>,
    T: Send + 'static,
{
    let (mut sender, receiver) = oneshot::channel();
    let run = move || {
        yield_to_others(BEHIND);
        let done = handle.block_on(async {
            tokio::select! {
                done = work() => Some(done),
                () = sender.closed() => None,
                () = shutdown.deadline() => None,
            }
        });
        if let Some(done) = done {
            // The caller may have gone meanwhile.
            drop(sender.send(done));
        }
    };
    std::thread::Builder::new()
        .name("spanql-request".to_owned())
        .stack_size(STACK)
        .spawn(run)
        .map_err(|error| Refusal::busy(format!("there is no thread for the request ({error}): ask again")))?;
    receiver.await.map_err(|_| Refusal::ending())
}

/// Lets other threads of the machine come before this one; cannot be taken back.
#[cfg(target_os = "linux")]
pub(super) fn yield_to_others(steps: i32) {
    // Linux does this for the thread, not for the process; where it is refused the thread goes on as before.
    // SAFETY: changes a number of the scheduler, and touches no memory.
    let _ = unsafe { libc::nice(steps) };
}

#[cfg(not(target_os = "linux"))]
pub(super) fn yield_to_others(_: i32) {}
