//! Calls under way: a thread for each, so many at a time, each for so long.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::answer::Answer;
use super::arguments::{self as given, Describe, Filter, Nothing, Query, RunSaved, Session, Trace};
use super::opened::Opened;
use super::rows::{self, Size};
use super::{catalog, filter, saved, views};
use crate::cli::failure::Failure;
use spanql_engine::EngineError;

/// Calls that are worked on at the same time.
const PLACES: usize = 4;
/// How many times as long as it may take a call waits for a place.
const PATIENCE: u32 = 10;

/// A call of a tool, read.
#[derive(Debug)]
pub(super) enum Call {
    ListProjects(Nothing),
    Describe(Describe),
    Query(Query),
    Filter(Filter),
    Trace(Trace),
    Session(Session),
    ListSaved(Nothing),
    RunSaved(RunSaved),
}

/// Answers calls.
pub(super) struct Calls {
    opened: Opened,
    size: Size,
    timeout: Duration,
    places: Arc<Semaphore>,
    /// The numbers of the places that are free.
    free: Mutex<Vec<usize>>,
}

/// A place, free again when this is dropped.
struct Place {
    calls: Arc<Calls>,
    number: usize,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.calls.free.lock().unwrap_or_else(PoisonError::into_inner).push(self.number);
    }
}

impl Calls {
    pub(super) fn new(opened: Opened, size: Size, timeout: Duration) -> Arc<Self> {
        let places = Arc::new(Semaphore::new(PLACES));
        Arc::new(Self { opened, size, timeout, places, free: Mutex::new((0..PLACES).collect()) })
    }

    /// Answers a call, unless it is dropped meanwhile: then what it runs ends.
    ///
    /// # Errors
    /// What the call ends with; and when it takes too long.
    pub(super) async fn answer(self: &Arc<Self>, call: Call) -> anyhow::Result<Answer> {
        let place = tokio::time::timeout(self.timeout * PATIENCE, self.place()).await;
        let place = place.map_err(|_| EngineError::new("busy", "other calls take all places: ask again later"))??;
        let (mut tell, told) = oneshot::channel();
        let handle = Handle::current();
        tokio::task::spawn_blocking(move || {
            let place = place;
            let answered = handle.block_on(async {
                tokio::select! {
                    answered = place.calls.work(call, place.number) => Some(answered),
                    () = tell.closed() => None,
                }
            });
            drop(place);
            if let Some(answered) = answered {
                // Nobody may wait any more.
                drop(tell.send(answered));
            }
        });
        match tokio::time::timeout(self.timeout, told).await {
            Ok(answered) => answered.unwrap_or_else(|_| Err(EngineError::new("internal", "the call broke off").into())),
            Err(_) => {
                let why = format!(
                    "the call was stopped after {} s: ask for less, e.g. one project, a shorter time, or a sample of \
                     traces",
                    self.timeout.as_secs()
                );
                Err(EngineError::new("timeout", why).into())
            }
        }
    }

    async fn place(self: &Arc<Self>) -> anyhow::Result<Place> {
        let permit = Arc::clone(&self.places).acquire_owned().await?;
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let number = free.ok_or_else(|| EngineError::new("internal", "there is no place for the call"))?;
        Ok(Place { calls: Arc::clone(self), number, _permit: permit })
    }

    async fn work(&self, call: Call, place: usize) -> anyhow::Result<Answer> {
        let opened = &self.opened;
        match call {
            Call::ListProjects(_) => catalog::projects(opened, self.size).await,
            Call::Describe(Describe { name }) => catalog::describe(opened, name.as_deref(), self.size).await,
            Call::Query(query) => self.query(query).await,
            Call::Filter(filter) => filter::run(opened, filter, place, self.size).await,
            Call::Trace(trace) => views::trace(opened, trace, self.size).await,
            Call::Session(session) => views::session(opened, session, self.size).await,
            Call::ListSaved(_) => saved::list(self.size),
            Call::RunSaved(run) => saved::run(opened, run, self.size).await,
        }
    }

    async fn query(&self, query: Query) -> anyhow::Result<Answer> {
        let Query { sql, params, max_rows, max_cell } = query;
        let params = given::params(params)?;
        let (engine, snapshot) = self.opened.newest().await?;
        let prepared = engine.prepare(&sql, &params).await?;
        let [statement] = prepared.as_slice() else {
            let why = format!("there are {} statements in the text: give one", prepared.len());
            return Err(Failure::Usage(why).into());
        };
        rows::answer(&self.opened, &snapshot, statement, self.size.asked(max_rows, max_cell)).await
    }
}
