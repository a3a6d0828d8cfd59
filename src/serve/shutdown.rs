//! The end of a server: no new connections, then a short grace for what is under way, then none.

use tokio::sync::watch;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Phase {
    Running,
    Ending,
    Over,
}

/// Knows when the server ends; clones know the same.
#[derive(Debug, Clone)]
pub(super) struct Shutdown(watch::Receiver<Phase>);

/// Ends the server. Dropping it ends it at once.
#[derive(Debug)]
pub(super) struct Trigger(watch::Sender<Phase>);

/// A server that runs, and the means to end it.
pub(super) fn channel() -> (Trigger, Shutdown) {
    let (sender, receiver) = watch::channel(Phase::Running);
    (Trigger(sender), Shutdown(receiver))
}

impl Trigger {
    /// Takes no new connections any more.
    pub(super) fn begin(&self) {
        self.0.send_replace(Phase::Ending);
    }

    /// Ends what is under way.
    pub(super) fn finish(&self) {
        self.0.send_replace(Phase::Over);
    }
}

impl Shutdown {
    /// Resolves when no new connections are taken any more.
    pub(super) async fn begun(mut self) {
        // The sender is gone only when the server is.
        let _ = self.0.wait_for(|phase| *phase >= Phase::Ending).await;
    }

    /// Resolves when nothing may go on.
    pub(super) async fn deadline(mut self) {
        let _ = self.0.wait_for(|phase| *phase >= Phase::Over).await;
    }
}
