//! Ctrl-C and SIGTERM, heard on a thread of their own: queries may keep every other thread busy.

use std::time::Duration;

use tokio::sync::watch;

use super::{exit, partial};

/// Time to remove temporary files before the process leaves.
const GRACE: Duration = Duration::from_millis(300);

/// Counts how often Ctrl-C was pressed, or the process asked to end.
#[derive(Debug, Clone)]
pub(super) struct Interrupts(watch::Receiver<u64>);

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

impl Interrupts {
    /// Begins to listen, once for a process. `leave`: the process ends soon after Ctrl-C whatever it is doing, e.g. while
    /// the reader of a pipe does not read. `terminate`: SIGTERM is the same as Ctrl-C.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn listen(leave: bool, terminate: bool) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let (sender, receiver) = watch::channel(0);
        let listen = move || {
            while runtime.block_on(asked(terminate)).is_ok() {
                sender.send_modify(|count| *count += 1);
                if leave {
                    std::thread::sleep(GRACE);
                    partial::remove_all();
                    std::process::exit(exit::INTERRUPTED);
                }
            }
        };
        std::thread::Builder::new().name("spanql-interrupt".to_owned()).spawn(listen)?;
        Ok(Self(receiver))
    }

    /// One that does not know of what was pressed before.
    pub(super) fn since_now(&self) -> Self {
        let mut now = self.clone();
        now.0.mark_unchanged();
        now
    }

    /// Waits for Ctrl-C.
    pub(super) async fn pressed(&mut self) {
        if self.0.changed().await.is_err() {
            // Nobody listens any more.
            std::future::pending::<()>().await;
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
