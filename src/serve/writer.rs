//! What clients write, on its way into the store: one writer, and one commit for all that wait at the same time.
//!
//! A request is answered when its commit is on disk. Requests that come meanwhile wait, and the next commit takes them
//! together: the busier the server, the fewer commits a request.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use tokio::sync::{mpsc, oneshot};

use super::refusal::Refusal;
use super::room::Part;
use spanql_store::{Committed, Progress, Store, StoreError};

/// Requests that wait for the writer.
const WAITING: usize = 256;
/// Bytes of requests that are committed together.
const TOGETHER: usize = 64 << 20;
/// How long a request waits for its place.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes of spans that wait in memory for a commit; more are put aside on disk.
const MEMORY: usize = 64 << 20;

/// Hands writes to the one who commits them.
#[derive(Debug)]
pub(super) struct Writer {
    queue: mpsc::Sender<Job>,
}

/// Spans of one request.
#[derive(Debug)]
struct Job {
    batches: Vec<RecordBatch>,
    bytes: usize,
    done: oneshot::Sender<Result<(), Refusal>>,
    /// The memory of the request, also when its client has gone.
    _part: Part,
}

impl Writer {
    /// Starts the writer of a store; it ends with the last who can write.
    pub(super) fn start(store: Arc<Store>) -> Self {
        let (queue, jobs) = mpsc::channel(WAITING);
        tokio::spawn(run(store, jobs));
        Self { queue }
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
        let (done, answer) = oneshot::channel();
        let job = Job { batches, bytes, done, _part: part };
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
        let mut bytes = 0;
        let together = waiting.iter().take_while(|job| {
            let first = bytes == 0;
            bytes += job.bytes;
            first || bytes <= TOGETHER
        });
        let count = together.count();
        let group: Vec<Job> = waiting.drain(..count).collect();
        store_group(&store, group).await;
    }
}

async fn store_group(store: &Store, group: Vec<Job>) {
    let stored = store_spans(store, group.iter().flat_map(|job| &job.batches)).await;
    match stored {
        Err(_) if group.len() > 1 => {
            // One of them may be at fault, and the others not.
            for job in group {
                let stored = store_spans(store, job.batches.iter()).await;
                answer(job, stored);
            }
        }
        stored => group.into_iter().for_each(|job| answer(job, stored.clone())),
    }
}

fn answer(job: Job, stored: Result<(), Refusal>) {
    // The client may have gone.
    drop(job.done.send(stored));
}

async fn store_spans(store: &Store, batches: impl Iterator<Item = &RecordBatch>) -> Result<(), Refusal> {
    let mut import = store.begin_with_memory(MEMORY);
    for batch in batches {
        import.push(batch).map_err(not_stored)?;
    }
    confirmed(store.commit(import, "serve", &Progress::default()).await)
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
