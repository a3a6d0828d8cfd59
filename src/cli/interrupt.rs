//! Ctrl-C, heard on a thread of its own: queries may keep every other thread busy.

use std::time::Duration;

use tokio::sync::watch;

use super::exit;

/// Time to remove temporary files before the process leaves.
const GRACE: Duration = Duration::from_millis(300);

/// Counts how often Ctrl-C was pressed.
#[derive(Debug, Clone)]
pub(super) struct Interrupts(watch::Receiver<u64>);

impl Interrupts {
    /// Begins to listen, once for a process. `leave`: the process ends soon after Ctrl-C whatever it is doing, e.g. while
    /// the reader of a pipe does not read.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn listen(leave: bool) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let (sender, receiver) = watch::channel(0);
        let listen = move || {
            while runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
                sender.send_modify(|count| *count += 1);
                if leave {
                    std::thread::sleep(GRACE);
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
