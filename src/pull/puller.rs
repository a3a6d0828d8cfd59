//! Pulls from one project of a remote into one store: of a window, of what is new, or of what is new again and again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;

use super::fetch::pull;
use super::plan::{LATE, LATE_BRIEFLY, plan, plan_new};
use super::window::{DEFAULT_DAYS, last_days, now};
use super::{PullError, PullOptions, PullProgress, PullSummary};
use spanql_model::window::Window;
use spanql_sources::SpanSource;
use spanql_store::{Pull, Store};

/// Between two looks of [`Puller::follow`].
pub const FOLLOW_PAUSE: Duration = Duration::from_secs(30);
/// Between two looks that reach back for spans that came late.
const FAR_LOOKS: Duration = Duration::from_secs(3600);

/// What happens while it is pulled.
#[derive(Debug)]
pub enum PullEvent {
    /// What is pulled next takes up a pull that was broken off.
    Resuming {
        /// When that one was started, ms since the epoch.
        started: i64,
        /// How many slices landed then.
        landed: u64,
    },
    /// A window is being pulled now.
    Started {
        /// Which one.
        window: Window,
        /// How far it is, whenever somebody looks.
        progress: Arc<PullProgress>,
    },
    /// The window that was started last has been pulled.
    Done {
        /// Which one.
        window: Window,
        /// What that did.
        summary: PullSummary,
        /// How long it took.
        elapsed: Duration,
    },
    /// An outage of the remote stopped a look of [`Puller::follow`]: it looks again after [`FOLLOW_PAUSE`].
    Retrying {
        /// What the remote said.
        error: PullError,
    },
}

/// Pulls by the same options from one remote into one store.
///
/// What happens meanwhile is told to a function. Dropping a future leaves what has landed.
#[derive(Debug, Clone)]
pub struct Puller {
    /// Where spans go.
    pub store: Arc<Store>,
    /// Where they come from.
    pub source: Arc<dyn SpanSource>,
    /// What is pulled, and how.
    pub options: PullOptions,
}

impl Puller {
    /// Pulls a window, or what an interrupted pull of it has left.
    ///
    /// # Errors
    /// The first error that did not pass by trying again. Slices that had been fetched then have landed.
    pub async fn pull_window(&self, window: Window, mut on: impl FnMut(PullEvent)) -> Result<PullSummary, PullError> {
        let ledger = self.store.ledger().await?;
        let planned = plan(&ledger, &self.options, window, Utc::now().timestamp_millis());
        if let Some(started) = planned.resumes {
            let landed = planned.pull.slices.iter().map(|slice| slice.parts).sum();
            on(PullEvent::Resuming { started, landed });
        }
        self.pull(window, planned.pull, &mut on).await
    }

    /// Pulls what is new since the last pulls, from [`LATE`] before on for spans that came late, and what they lack; gives
    /// what was done, window by window. `otherwise` is pulled when nothing was before.
    ///
    /// # Errors
    /// The first error that did not pass by trying again. Windows and slices that had been fetched then have landed.
    pub async fn pull_new(
        &self,
        otherwise: Window,
        mut on: impl FnMut(PullEvent),
    ) -> Result<Vec<PullSummary>, PullError> {
        self.look(otherwise, LATE, &mut on).await
    }

    /// Pulls what is new again and again, from the last [`DEFAULT_DAYS`] on when nothing was pulled before, and waits out
    /// outages of the remote; gives the error that ended it.
    ///
    /// With [`PullOptions::record_empty`], every look is recorded.
    pub async fn follow(&self, on: impl FnMut(PullEvent)) -> PullError {
        self.follow_with(on, async || Ok(())).await
    }

    /// The same, doing something else after each look, such as making room.
    pub async fn follow_with(
        &self,
        mut on: impl FnMut(PullEvent),
        mut after: impl AsyncFnMut() -> Result<(), PullError>,
    ) -> PullError {
        let mut looked_far = None;
        loop {
            let far = looked_far.is_none_or(|then: Instant| then.elapsed() >= FAR_LOOKS);
            let late = if far { LATE } else { LATE_BRIEFLY };
            match self.look(last_days(DEFAULT_DAYS, now()), late, &mut on).await {
                Ok(_) if far => looked_far = Some(Instant::now()),
                Ok(_) => {}
                Err(error) if error.is_outage() => on(PullEvent::Retrying { error }),
                Err(error) => return error,
            }
            if let Err(error) = after().await {
                return error;
            }
            tokio::time::sleep(FOLLOW_PAUSE).await;
        }
    }

    async fn look(
        &self,
        otherwise: Window,
        late: i64,
        on: &mut impl FnMut(PullEvent),
    ) -> Result<Vec<PullSummary>, PullError> {
        let ledger = self.store.ledger().await?;
        let mut summaries = Vec::new();
        for planned in plan_new(&ledger, &self.options, now(), late, otherwise) {
            summaries.push(self.pull(planned.pull.window, planned.pull, on).await?);
        }
        Ok(summaries)
    }

    async fn pull(&self, window: Window, todo: Pull, on: &mut impl FnMut(PullEvent)) -> Result<PullSummary, PullError> {
        let (progress, began) = (Arc::new(PullProgress::default()), Instant::now());
        on(PullEvent::Started { window, progress: Arc::clone(&progress) });
        let summary = pull(&self.store, &self.source, &self.options, todo, &progress).await?;
        on(PullEvent::Done { window, summary: summary.clone(), elapsed: began.elapsed() });
        Ok(summary)
    }
}
