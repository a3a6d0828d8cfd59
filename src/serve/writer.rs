//! What clients write, on its way into the store: one writer, and one commit for all that wait at the same time.
//!
//! A request is answered when its commit is on disk. Requests that come meanwhile wait, and the next commit takes them
//! together: the busier the server, the fewer commits a request.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::refusal::Refusal;
use super::room::Part;
use spanql_store::{Committed, Patch, Patched, Progress, Store, StoreError, UnknownIds};

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
    Patch(Patch, UnknownIds, oneshot::Sender<Result<Patched, Refusal>>),
    Delete { project: String, span_ids: Vec<String> },
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

    /// Writes on spans that are there, as [`Store::patch`] does.
    ///
    /// # Errors
    /// As [`spans`](Self::spans), and when ids are refused that name nothing.
    pub(super) async fn patch(&self, patch: Patch, unknown: UnknownIds, part: Part) -> Result<Patched, Refusal> {
        let (patched, outcome) = oneshot::channel();
        self.hand_over(Work::Patch(patch, unknown, patched), 0, part).await?;
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

/// How many of those that wait are committed next: spans together, all else one by one, in their order.
fn together(waiting: &VecDeque<Job>) -> usize {
    let mut bytes = 0;
    let spans = waiting.iter().take_while(|job| {
        bytes += job.bytes;
        matches!(job.work, Work::Spans(_)) && bytes <= TOGETHER
    });
    spans.count().max(1)
}

async fn store_group(store: &Store, group: Vec<Job>) {
    let batches = group.iter().flat_map(|job| match &job.work {
        Work::Spans(batches) => batches.as_slice(),
        _ => &[],
    });
    let batches: Vec<&RecordBatch> = batches.collect();
    if group.len() > 1 && store_spans(store, &batches).await.is_ok() {
        group.into_iter().for_each(|job| answer(job.done, Ok(())));
        return;
    }
    // Of several, one may be at fault and the others not.
    for job in group {
        let done = match job.work {
            Work::Spans(batches) => store_spans(store, &batches.iter().collect::<Vec<_>>()).await,
            Work::Patch(patch, unknown, outcome) => {
                answer(outcome, patched(store.patch(&patch, unknown, OPERATION).await));
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

fn answer<T>(to: oneshot::Sender<Result<T, Refusal>>, done: Result<T, Refusal>) {
    // The client may have gone.
    drop(to.send(done));
}

async fn store_spans(store: &Store, batches: &[&RecordBatch]) -> Result<(), Refusal> {
    let mut import = store.begin_with_memory(MEMORY);
    for batch in batches {
        import.push(batch).map_err(not_stored)?;
    }
    confirmed(store.commit(import, OPERATION, &Progress::default()).await)
}

fn patched(done: Result<Patched, StoreError>) -> Result<Patched, Refusal> {
    let patched = match done {
        Err(error @ (StoreError::Patch(_) | StoreError::UnknownIds { .. })) => return Err(error.into()),
        done => done.map_err(not_stored)?,
    };
    confirmed(Ok(patched.committed.clone()))?;
    Ok(patched)
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
