//! Ctrl-C and SIGTERM, heard on a thread of their own: queries may keep every other thread busy.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use super::{exit, partial};

/// Time to remove temporary files before the process leaves.
const GRACE: Duration = Duration::from_millis(300);

/// Counts how often Ctrl-C was pressed, or the process asked to end.
#[derive(Debug, Clone)]
pub(super) struct Interrupts {
    /// How often it was, as soon as it was.
    count: Arc<AtomicU64>,
    /// What was counted when it was heard, a moment later.
    heard: watch::Receiver<u64>,
    /// What was counted before anybody listened here.
    known: u64,
}

/// Waits for Ctrl-C, or for SIGTERM as well.
async fn asked(terminate: bool) -> std::io::Result<()> {
    #[cfg(unix)]
    if terminate {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminated = signal(SignalKind::terminate())?;
        return tokio::select! {
            pressed = tokio::signal::ctrl_c() => pressed,
            _ = terminated.recv() => Ok(()),
        };
    }
    tokio::signal::ctrl_c().await
}

/// Counts signals while they are delivered: whoever hears of one later must not take it for a newer one.
#[cfg(unix)]
#[allow(
    unsafe_code,
    reason = "what runs in a handler of signals must be safe there, and adding to an atomic number is"
)]
fn count_signals(count: &Arc<AtomicU64>, terminate: bool) -> std::io::Result<()> {
    let signals = if terminate { &[libc::SIGINT, libc::SIGTERM][..] } else { &[libc::SIGINT] };
    for &signal in signals {
        let count = Arc::clone(count);
        let add = move || {
            count.fetch_add(1, Ordering::SeqCst);
        };
        // SAFETY: the action allocates nothing, takes no lock and cannot panic.
        unsafe { signal_hook_registry::register(signal, add) }?;
    }
    Ok(())
}

impl Interrupts {
    /// Begins to listen, once for a process. `leave`: the process ends soon after Ctrl-C whatever it is doing, e.g. while
    /// the reader of a pipe does not read. `terminate`: SIGTERM is the same as Ctrl-C.
    ///
    /// # Errors
    /// When the system gives no thread, or does not say when it is pressed.
    pub(super) fn listen(leave: bool, terminate: bool) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let (sender, heard) = watch::channel(0);
        let count = Arc::new(AtomicU64::new(0));
        // Ahead of what wakes the thread below, which then finds the number.
        #[cfg(unix)]
        count_signals(&count, terminate)?;
        let counted = Arc::clone(&count);
        let listen = move || {
            while runtime.block_on(asked(terminate)).is_ok() {
                #[cfg(not(unix))]
                counted.fetch_add(1, Ordering::SeqCst);
                sender.send_replace(counted.load(Ordering::SeqCst));
                if leave {
                    std::thread::sleep(GRACE);
                    partial::remove_all();
                    std::process::exit(exit::INTERRUPTED);
                }
            }
        };
        std::thread::Builder::new().name("spanql-interrupt".to_owned()).spawn(listen)?;
        Ok(Self { count, heard, known: 0 })
    }

    /// One that does not know of what was pressed before.
    pub(super) fn since_now(&self) -> Self {
        Self { known: self.count.load(Ordering::SeqCst), ..self.clone() }
    }

    /// Waits for Ctrl-C.
    pub(super) async fn pressed(&mut self) {
        let known = self.known;
        match self.heard.wait_for(|heard| *heard > known).await {
            Ok(heard) => self.known = *heard,
            // Nobody listens any more.
            Err(_) => std::future::pending().await,
        }
    }
}

/// Waits so long for work that was told to stop. The time is measured on a thread of its own: timers of the runtime stand
/// still while queries keep all of its threads busy.
pub(super) async fn wait_at_most<T>(time: Duration, work: impl Future<Output = T>) {
    let (over, is_over) = tokio::sync::oneshot::channel::<()>();
    let wait = move || {
        std::thread::sleep(time);
        drop(over);
    };
    if std::thread::Builder::new().name("spanql-timer".to_owned()).spawn(wait).is_err() {
        return;
    }
    tokio::select! {
        _ = work => {}
        _ = is_over => {}
    }
}
