//! One pull: slices fetched side by side, and merged one after the other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{RecordBatch, StringArray};
use futures::StreamExt;
use tokio::sync::{Notify, OnceCell, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;

use super::options::{add_columns, redacted, young};
use super::slices::{Next, Slices};
use super::{PullError, PullOptions, PullProgress, PullSummary};
use spanql_model::columns;
use spanql_model::window::{Window, without};
use spanql_sources::{MAX_ATTEMPTS_BATCH, Received, SourceError, SpanSource, SpanStream, retrying};
use spanql_store::{Import, Progress, Pull, Slice, Store, StoreError};

/// A pull under way.
#[derive(Debug, Clone)]
struct Run {
    store: Arc<Store>,
    source: Arc<dyn SpanSource>,
    options: PullOptions,
    pull: Pull,
    progress: Arc<PullProgress>,
    slices: Arc<Mutex<Slices>>,
    /// Slices on their way, from the first call to the commit: each holds memory or disk.
    places: Arc<Semaphore>,
    /// The remote had something to give: a pull that breaks now lacks something, even if nothing landed.
    begun: Arc<AtomicBool>,
    /// The ledger knows of the pull, so whatever stops it, killing included, it shows as one that has not ended.
    recorded: Arc<OnceCell<()>>,
    /// Slices without spans: recorded with the next that has some, for a commit each would take longer than to ask for
    /// them again, or at the end; not at all, where they are not to be recorded and there are no others.
    empty: Vec<Slice>,
    /// Something failed: no more slices are begun.
    stopped: Arc<AtomicBool>,
    /// The slices changed, or whether more are wanted.
    changed: Arc<Notify>,
}

/// Rows that are no spans, and why the first is none.
type Unfit = Option<(u64, String)>;

/// A slice that came, with its place among those on their way.
struct Fetched {
    slice: Slice,
    rows: ReadRows,
    unfit: Unfit,
    _place: OwnedSemaphorePermit,
}

/// What was read of a stream.
struct ReadRows {
    import: Import,
    /// Rows that the filter did not let through.
    unmatched: u64,
    /// Rows of what the store has let go.
    too_old: u64,
}

/// What one attempt brought, taken back from the progress unless it is kept.
struct Counted<'a> {
    progress: &'a PullProgress,
    rows: u64,
    bytes: u64,
}

/// A slice that is being asked for. Others wait for its end, so it ends whatever happens.
struct Asked<'a>(&'a Run);

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.0.slices().done();
        self.0.changed.notify_waiters();
    }
}

impl Counted<'_> {
    fn came(&mut self, received: &Received) {
        let (rows, bytes) = (received.rows(), received.bytes());
        self.progress.came(rows - self.rows, bytes - self.bytes);
        (self.rows, self.bytes) = (rows, bytes);
    }

    fn keep(&mut self) {
        (self.rows, self.bytes) = (0, 0);
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.progress.lost(self.rows, self.bytes);
    }
}

/// Pulls the times that a planned pull still lacks; `progress` says meanwhile how far it is.
///
/// Each slice that lands is recorded. Dropping the future leaves what has landed.
///
/// # Errors
/// The first error that did not pass by trying again. Slices that had been fetched then have landed.
/// [`PullError::NoSample`] before anything is asked when the remote cannot give the share of the traces that is wanted.
pub async fn pull(
    store: &Arc<Store>,
    source: &Arc<dyn SpanSource>,
    options: &PullOptions,
    todo: Pull,
    progress: &Arc<PullProgress>,
) -> Result<PullSummary, PullError> {
    options.check(source.as_ref())?;
    let kept_from = store.ledger().await?.kept_from(&options.key.into);
    let options = PullOptions { kept_from, ..options.clone() };
    Run::new(store, source, &options, todo, progress).run().await
}

/// Now, in milliseconds since the epoch.
fn now() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

impl Run {
    fn new(
        store: &Arc<Store>,
        source: &Arc<dyn SpanSource>,
        options: &PullOptions,
        pull: Pull,
        progress: &Arc<PullProgress>,
    ) -> Self {
        // A sample is the beginning of one stream: where it is cut is up to the remote.
        let (rows, jobs) =
            if options.limit.is_some() { (u64::MAX, 1) } else { (options.slice_rows, options.jobs.max(1)) };
        Self {
            store: Arc::clone(store),
            source: Arc::clone(source),
            options: options.clone(),
            slices: Arc::new(Mutex::new(Slices::new(pull.remaining(), rows))),
            pull,
            progress: Arc::clone(progress),
            places: Arc::new(Semaphore::new(jobs)),
            begun: Arc::default(),
            recorded: Arc::default(),
            empty: Vec::new(),
            stopped: Arc::default(),
            changed: Arc::default(),
        }
    }

    async fn run(mut self) -> Result<PullSummary, PullError> {
        let (sender, receiver) = mpsc::channel(1);
        let mut fetchers = JoinSet::new();
        for _ in 0..self.places.available_permits() {
            fetchers.spawn(self.clone().fetch_all(sender.clone()));
        }
        drop(sender);
        let mut summary = PullSummary { announced: Some(0), ..PullSummary::default() };
        let landed = self.commit_all(receiver, &mut summary).await;
        let mut failed = landed.err();
        if failed.is_some() {
            fetchers.abort_all();
        }
        while let Some(fetcher) = fetchers.join_next().await {
            let error = match fetcher {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => error,
                Err(ended) if ended.is_cancelled() => continue,
                Err(panic) => PullError::Internal(panic.to_string()),
            };
            failed.get_or_insert(error);
        }
        let lacks = failed.is_some() && self.begun.load(Ordering::Relaxed);
        let known = !self.pull.slices.is_empty() || self.progress.landed() > 0 || lacks;
        // The last slice that landed says by itself that the pull has ended.
        if known && self.pull.finished.is_none() {
            self.pull.error = failed.as_ref().map(ToString::to_string);
            self.pull.finished = Some(now());
            let empty = std::mem::take(&mut self.empty);
            let recorded = self.store.commit_pulled(self.store.begin(), &self.pull, empty, &Progress::default()).await;
            if failed.is_none() {
                summary.version = recorded?.version;
            }
        }
        match failed {
            Some(error) => Err(error),
            None => Ok(summary),
        }
    }

    fn slices(&self) -> MutexGuard<'_, Slices> {
        self.slices.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fetches slice after slice until none is left, or something failed.
    async fn fetch_all(self, sender: mpsc::Sender<Fetched>) -> Result<(), PullError> {
        while let Ok(place) = Arc::clone(&self.places).acquire_owned().await {
            let Some(window) = self.next().await else { break };
            let asked = Asked(&self);
            let fetched = self.fetch(window).await;
            if fetched.is_err() {
                self.stopped.store(true, Ordering::Relaxed);
            }
            drop(asked);
            let Some((slice, rows, unfit)) = fetched? else { continue };
            if sender.send(Fetched { slice, rows, unfit, _place: place }).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    /// The next slice; waits while one that is being asked for may still be cut into several.
    async fn next(&self) -> Option<Window> {
        loop {
            let changed = self.changed.notified();
            let mut changed = std::pin::pin!(changed);
            // From here on no change is missed.
            changed.as_mut().enable();
            if self.stopped.load(Ordering::Relaxed) {
                return None;
            }
            match self.slices().next() {
                Next::Slice(window) => return Some(window),
                Next::None => return None,
                Next::Wait => {}
            }
            changed.await;
        }
    }

    /// Fetches a slice, again while that can help; `None` when it was cut into smaller ones.
    async fn fetch(&self, window: Window) -> Result<Option<(Slice, ReadRows, Unfit)>, PullError> {
        let filter = self.options.filter.as_deref();
        let mut request = self.options.request(window);
        if let Some(asked) = &mut request.columns {
            add_columns(asked, filter.map(|filter| filter.columns(&self.options.remote_schema)).unwrap_or_default());
        }
        // Spans that the filter does not let through are not among those wanted.
        request.limit = self.options.limit.filter(|_| filter.is_none());
        let attempt = || async {
            let mut stream = self.source.open(&request).await?;
            if stream.announced().is_some_and(|announced| announced > 0) {
                self.begin().await?;
            }
            self.announce(stream.announced());
            if self.slices().cut(window, stream.announced()) {
                return Ok(None);
            }
            let received = Arc::clone(stream.received());
            let mut counted = Counted { progress: &self.progress, rows: 0, bytes: 0 };
            let read = self.read(&mut stream, &mut counted).await?;
            counted.keep();
            // Of a sample, the part of the last batch that was not wanted does not count.
            let limited = self.options.limit.is_some_and(|limit| read.import.rows() >= limit);
            let rows = if limited { read.import.rows() + read.unmatched + read.too_old } else { received.rows() };
            self.slices().came(window, rows);
            Ok(Some((Slice::new(window, stream.announced(), rows), read, received.unfit())))
        };
        retrying(MAX_ATTEMPTS_BATCH, attempt, PullError::source_error).await
    }

    /// Notes that the remote has something to give.
    async fn begin(&self) -> Result<(), StoreError> {
        self.begun.store(true, Ordering::Relaxed);
        // Whether a limit makes a sample of it is known only at the end.
        if self.options.limit.is_none() {
            let record = || async { self.store.record_pull(&self.pull).await.map(drop) };
            self.recorded.get_or_try_init(record).await?;
        }
        Ok(())
    }

    /// The first number that is announced is that of everything, when the pull is one window.
    fn announce(&self, announced: Option<u64>) {
        let Some(announced) = announced.filter(|_| self.pull.remaining().len() == 1) else { return };
        let known = &self.progress.announced;
        let _ = known.compare_exchange(0, announced.saturating_add(1), Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Reads a stream to its end, or the limit.
    async fn read(&self, stream: &mut SpanStream, counted: &mut Counted<'_>) -> Result<ReadRows, PullError> {
        let (mut unmatched, mut too_old) = (0, 0);
        let mut import = self.store.begin_with_memory(self.options.memory / self.options.jobs.max(1));
        let mut left = self.options.limit;
        while let Some(batch) = stream.next().await {
            counted.came(stream.received());
            let came = self.renamed(batch?)?;
            let rows = came.num_rows();
            if rows > 0 {
                self.begin().await?;
            }
            let matching = self.matching(came).await?;
            let matched = matching.num_rows();
            unmatched += (rows - matched) as u64;
            let young = young(matching, self.options.kept_from);
            let mut batch = young.map_err(|error| PullError::Internal(error.to_string()))?;
            too_old += (matched - batch.num_rows()) as u64;
            if let Some(left) = &mut left {
                batch = batch.slice(0, batch.num_rows().min(usize::try_from(*left).unwrap_or(usize::MAX)));
                *left -= batch.num_rows() as u64;
            }
            // Grouping by trace, and writing to the disk, would hold up the other streams.
            let redacting = self.options.redaction.clone();
            let pushed = tokio::task::spawn_blocking(move || {
                import.push(&redacted(batch, redacting.as_deref())?)?;
                Ok::<_, PullError>(import)
            });
            import = pushed.await.map_err(|panic| PullError::Internal(panic.to_string()))??;
            if left == Some(0) {
                break;
            }
        }
        counted.came(stream.received());
        Ok(ReadRows { import, unmatched, too_old })
    }

    /// The rows of a batch that the filter lets through.
    async fn matching(&self, batch: RecordBatch) -> Result<RecordBatch, PullError> {
        let Some(filter) = self.options.filter.clone() else { return Ok(batch) };
        let kept = tokio::task::spawn_blocking(move || filter.matching(&batch)).await;
        let kept = kept.map_err(|panic| PullError::Internal(panic.to_string()))?;
        let endpoint = self.options.key.remote.clone();
        kept.map_err(|error| SourceError::Protocol { endpoint, reason: error.to_string() }.into())
    }

    /// The batch with the project of the store.
    fn renamed(&self, batch: RecordBatch) -> Result<RecordBatch, SourceError> {
        let Ok(at) = batch.schema().index_of(columns::PROJECT) else { return Ok(batch) };
        let mut arrays = batch.columns().to_vec();
        let name = self.options.key.into.as_str();
        arrays[at] = Arc::new(StringArray::from_iter_values(std::iter::repeat_n(name, batch.num_rows())));
        RecordBatch::try_new(batch.schema(), arrays).map_err(|error| SourceError::Protocol {
            endpoint: self.options.key.remote.clone(),
            reason: error.to_string(),
        })
    }

    /// Merges slices as they come.
    async fn commit_all(
        &mut self,
        mut receiver: mpsc::Receiver<Fetched>,
        summary: &mut PullSummary,
    ) -> Result<(), PullError> {
        let mut missing = self.pull.remaining();
        while let Some(fetched) = receiver.recv().await {
            missing = without(&missing, &[fetched.slice.window]);
            if missing.is_empty() {
                self.pull.finished = Some(now());
            }
            if let Err(error) = self.commit(fetched, summary).await {
                self.pull.finished = None;
                return Err(error.into());
            }
        }
        Ok(())
    }

    async fn commit(&mut self, fetched: Fetched, summary: &mut PullSummary) -> Result<(), StoreError> {
        let Fetched { slice, rows: ReadRows { import, unmatched, too_old }, unfit, _place } = fetched;
        summary.unmatched += unmatched;
        summary.too_old += too_old;
        summary.announced = summary.announced.zip(slice.announced).map(|(sum, more)| sum.saturating_add(more));
        summary.received += slice.received;
        summary.limited = self.options.limit.is_some_and(|limit| import.rows() >= limit);
        if !summary.limited {
            // A limit that was not reached has left nothing out.
            self.pull.limit = None;
        }
        if slice.is_short() && !summary.limited {
            summary.short.push(slice.window);
        }
        if let Some((rows, reason)) = unfit {
            summary.unfit.get_or_insert((0, reason)).0 += rows;
        }
        let is_last = self.pull.finished.is_some() && (self.options.record_empty || self.progress.landed() > 0);
        if slice.received == 0 && !slice.is_short() && !is_last {
            self.empty.push(slice);
            return Ok(());
        }
        let mut slices = std::mem::take(&mut self.empty);
        slices.push(slice);
        let landed = slices.len() as u64;
        let committed = self.store.commit_pulled(import, &self.pull, slices, &Progress::default()).await?;
        let counts = committed.counts;
        summary.stored += counts.new + counts.updated + counts.same;
        summary.new += counts.new;
        summary.updated += counts.updated;
        summary.version = committed.version;
        summary.not_joined = committed.not_joined.or(summary.not_joined.take());
        summary.not_synced = committed.not_synced.or(summary.not_synced.take());
        self.progress.landed.fetch_add(landed, Ordering::Relaxed);
        Ok(())
    }
}
