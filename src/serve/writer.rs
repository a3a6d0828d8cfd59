//! What clients write, on its way into the store: one writer, and one commit for all that wait at the same time.
//!
//! A request is answered when its commit is on disk. Requests that come meanwhile wait, and the next commit takes them
//! together: the busier the server, the fewer commits a request.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::refusal::Refusal;
use super::room::Part;
use spanql_store::{Committed, Grain, Patch, Progress, Store, StoreError, UnknownIds};

/// Requests that wait for the writer.
const WAITING: usize = 256;
/// Bytes of requests that are committed together.
const TOGETHER: usize = 64 << 20;
/// How long a request waits for its place.
const PATIENCE: Duration = Duration::from_secs(20);
/// What versions of the store say of themselves that are made here.
const OPERATION: &str = "serve";
/// Bytes of spans that wait in memory for a commit; more are put aside on disk.
const MEMORY: usize = 64 << 20;

/// Hands writes to the one who commits them.
#[derive(Debug)]
pub(super) struct Writer {
    queue: mpsc::Sender<Job>,
}

/// What one request writes.
#[derive(Debug)]
enum Work {
    Spans(Vec<RecordBatch>),
    Patch(Labels, oneshot::Sender<Result<Unknown, Refusal>>),
    Delete { project: String, span_ids: Vec<String> },
}

/// Ids that a project has nothing of.
pub(super) type Unknown = Arc<HashSet<String>>;

/// What is to be written on spans that are there: a batch as [`Patch::push`] takes it.
#[derive(Debug)]
pub(super) struct Labels {
    pub(super) project: String,
    pub(super) grain: Grain,
    pub(super) batch: RecordBatch,
    pub(super) unknown: UnknownIds,
}

impl Labels {
    /// Whether what these and others say can be written at once: neither refuses the other.
    fn goes_with(&self, other: &Self) -> bool {
        let skip = self.unknown == UnknownIds::Skip && other.unknown == UnknownIds::Skip;
        skip && self.project == other.project && self.grain == other.grain
    }
}

#[derive(Debug)]
struct Job {
    work: Work,
    bytes: usize,
    done: oneshot::Sender<Result<(), Refusal>>,
    /// The memory of the request, also when its client has gone.
    _part: Part,
}

impl Writer {
    /// Starts the writer of a store, on a thread of its own; it ends with the last who can write.
    ///
    /// # Errors
    /// When there is no thread for it.
    pub(super) fn start(store: Arc<Store>) -> io::Result<Self> {
        let (queue, jobs) = mpsc::channel(WAITING);
        let runtime = Handle::current();
        let work = move || runtime.block_on(run(store, jobs));
        std::thread::Builder::new().name("spanql-writer".to_owned()).spawn(work)?;
        Ok(Self { queue })
    }

    /// Stores spans. When this returns, they are on disk.
    ///
    /// # Errors
    /// When they are not: nothing of them is in the store then, unless the disk did not confirm what is there. They may be sent
    /// again in any case.
    pub(super) async fn spans(&self, batches: Vec<RecordBatch>, part: Part) -> Result<(), Refusal> {
        if batches.is_empty() {
            return Ok(());
        }
        let bytes = batches.iter().map(RecordBatch::get_array_memory_size).sum();
        self.hand_over(Work::Spans(batches), bytes, part).await
    }

    /// Writes on spans that are there, as [`Store::patch`] does, and returns which are not.
    ///
    /// # Errors
    /// As [`spans`](Self::spans), and when ids are refused that name nothing.
    pub(super) async fn patch(&self, labels: Labels, part: Part) -> Result<Unknown, Refusal> {
        let (patched, outcome) = oneshot::channel();
        let bytes = labels.batch.get_array_memory_size();
        self.hand_over(Work::Patch(labels, patched), bytes, part).await?;
        outcome.await.map_err(|_| Refusal::ending())?
    }

    /// Deletes spans of a project.
    ///
    /// # Errors
    /// As [`spans`](Self::spans).
    pub(super) async fn delete(&self, project: String, span_ids: Vec<String>, part: Part) -> Result<(), Refusal> {
        self.hand_over(Work::Delete { project, span_ids }, 0, part).await
    }

    async fn hand_over(&self, work: Work, bytes: usize, part: Part) -> Result<(), Refusal> {
        let (done, answer) = oneshot::channel();
        let job = Job { work, bytes, done, _part: part };
        match tokio::time::timeout(PATIENCE, self.queue.send(job)).await {
            Ok(Ok(())) => answer.await.map_err(|_| Refusal::ending())?,
            Ok(Err(_)) => Err(Refusal::ending()),
            Err(_) => Err(Refusal::busy("other requests wait to be stored: send it again")),
        }
    }
}

async fn run(store: Arc<Store>, mut jobs: mpsc::Receiver<Job>) {
    let mut waiting = VecDeque::new();
    loop {
        if waiting.is_empty() {
            match jobs.recv().await {
                Some(job) => waiting.push_back(job),
                None => return,
            }
        }
        while let Ok(job) = jobs.try_recv() {
            waiting.push_back(job);
        }
        let count = together(&waiting);
        let group: Vec<Job> = waiting.drain(..count).collect();
        store_group(&store, group).await;
    }
}

/// How many of those that wait are committed next: spans together, labels of one project together, all else one by one, in
/// their order.
fn together(waiting: &VecDeque<Job>) -> usize {
    let Some(first) = waiting.front() else { return 0 };
    let mut bytes = 0;
    let joined = waiting.iter().take_while(|job| {
        bytes += job.bytes;
        let fits = match (&first.work, &job.work) {
            (Work::Spans(_), Work::Spans(_)) => true,
            (Work::Patch(first, _), Work::Patch(labels, _)) => first.goes_with(labels),
            _ => false,
        };
        fits && bytes <= TOGETHER
    });
    joined.count().max(1)
}

async fn store_group(store: &Store, group: Vec<Job>) {
    if group.len() > 1
        && let Ok(unknown) = store_together(store, &group).await
    {
        for job in group {
            if let Work::Patch(_, outcome) = job.work {
                answer(outcome, Ok(Arc::clone(&unknown)));
            }
            answer(job.done, Ok(()));
        }
        return;
    }
    // Of several, one may be at fault and the others not.
    for job in group {
        let done = match job.work {
            Work::Spans(batches) => store_spans(store, batches.iter()).await,
            Work::Patch(labels, outcome) => {
                answer(outcome, patch(store, [&labels].into_iter()).await);
                Ok(())
            }
            Work::Delete { project, span_ids } => {
                let ids: Vec<&str> = span_ids.iter().map(String::as_str).collect();
                confirmed(store.delete_spans(&project, &ids).await)
            }
        };
        answer(job.done, done);
    }
}

/// Commits several at once, and returns the ids that are unknown, of labels.
async fn store_together(store: &Store, group: &[Job]) -> Result<Unknown, Refusal> {
    let labels = group.iter().filter_map(|job| match &job.work {
        Work::Patch(labels, _) => Some(labels),
        _ => None,
    });
    let labels: Vec<&Labels> = labels.collect();
    if !labels.is_empty() {
        return patch(store, labels.into_iter()).await;
    }
    let batches = group.iter().flat_map(|job| match &job.work {
        Work::Spans(batches) => batches.as_slice(),
        _ => &[],
    });
    store_spans(store, batches).await.map(|()| Unknown::default())
}

fn answer<T>(to: oneshot::Sender<Result<T, Refusal>>, done: Result<T, Refusal>) {
    // The client may have gone.
    drop(to.send(done));
}

async fn store_spans(store: &Store, batches: impl Iterator<Item = &RecordBatch>) -> Result<(), Refusal> {
    let mut import = store.begin_with_memory(MEMORY);
    for batch in batches {
        import.push(batch).map_err(not_stored)?;
    }
    confirmed(store.commit(import, OPERATION, &Progress::default()).await)
}

/// Writes labels of one project and grain.
async fn patch(store: &Store, labels: impl Iterator<Item = &Labels>) -> Result<Unknown, Refusal> {
    let mut labels = labels.peekable();
    let Some(Labels { project, grain, unknown, .. }) = labels.peek() else { return Ok(Unknown::default()) };
    let (mut patch, unknown) = (Patch::new(project, *grain), *unknown);
    for labels in labels {
        patch.push(&labels.batch)?;
    }
    let patched = match store.patch(&patch, unknown, OPERATION).await {
        Err(error @ (StoreError::Patch(_) | StoreError::UnknownIds { .. })) => return Err(error.into()),
        done => done.map_err(not_stored)?,
    };
    let unknown = patched.unknown().map(str::to_owned).collect();
    confirmed(Ok(patched.committed))?;
    Ok(Arc::new(unknown))
}

fn confirmed(committed: Result<Committed, StoreError>) -> Result<(), Refusal> {
    match committed.map_err(not_stored)?.not_synced {
        // It is there, and may be gone after a power failure: sent again, it is confirmed.
        Some(why) => Err(Refusal::busy(format!("the disk did not confirm what was written ({why}): send it again"))),
        None => Ok(()),
    }
}

/// Exporters try again what is unavailable: when there is room on the disk again, nothing is lost.
fn not_stored(error: StoreError) -> Refusal {
    Refusal::busy(format!("nothing was stored: {error}"))
}
