//! Statements of clients: the engines that they are asked of, how many run at a time, for how long, and on which threads.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use datafusion::execution::runtime_env::RuntimeEnv;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::refusal::Refusal;
use super::settings::Settings;
use super::threads::{BEHIND, STACK, yield_to_others};
use spanql_engine::{Engine, EngineError, StoreEngine};
use spanql_store::{Manifest, Snapshot};

/// Memory for sorting and joining that a statement finds at least, where all together have that much.
const EACH: usize = 128 << 20;
/// The fewest and the most statements that run at the same time: more would only slow each other down.
const PLACES: std::ops::RangeInclusive<usize> = 2..=16;
/// Versions of the store of which the engine is kept.
const OPENED: usize = 3;

/// What statements share.
pub(super) struct Statements {
    /// The engine that is asked instead of the store's.
    given: Option<Engine>,
    settings: StoreEngine,
    /// Those used last at the end.
    opened: Mutex<Vec<(Arc<Manifest>, Engine)>>,
    places: Arc<Semaphore>,
    timeout: Duration,
    workers: Workers,
}

/// Threads of their own: however busy statements are, connections are taken and answers sent.
struct Workers(Option<Runtime>);

impl Drop for Workers {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // What still runs there is not waited for.
            runtime.shutdown_background();
        }
    }
}

impl Statements {
    /// `limit`: the bytes that statements sort and join in, which is the memory of `runtime`.
    ///
    /// # Errors
    /// When there are no threads.
    pub(super) fn new(
        settings: &Settings,
        runtime: &Arc<RuntimeEnv>,
        limit: Option<usize>,
    ) -> Result<Self, EngineError> {
        let places = limit.map_or(*PLACES.end(), |limit| (limit / EACH).clamp(*PLACES.start(), *PLACES.end()));
        let workers = Builder::new_multi_thread()
            .thread_name("spanql-statement")
            .thread_stack_size(STACK)
            .on_thread_start(|| yield_to_others(BEHIND))
            .enable_all()
            .build()
            .map_err(|error| EngineError::new("internal", format!("no threads for statements: {error}")))?;
        let engine = StoreEngine {
            runtime: Some(Arc::clone(runtime)),
            memory_limit: limit,
            project: settings.project.clone(),
            prices: settings.prices.clone(),
            redaction: settings.redaction.clone(),
            ..StoreEngine::default()
        };
        Ok(Self {
            given: settings.engine.clone(),
            settings: engine,
            opened: Mutex::default(),
            places: Arc::new(Semaphore::new(places)),
            timeout: settings.statement_timeout,
            workers: Workers(Some(workers)),
        })
    }

    /// The engine over a version of the store. It writes nothing, and reads no file that a statement names.
    pub(super) async fn engine(&self, snapshot: &Snapshot) -> Result<Engine, Refusal> {
        if let Some(given) = &self.given {
            return Ok(given.clone());
        }
        let manifest = &snapshot.manifest;
        let known = |opened: &[(Arc<Manifest>, Engine)]| {
            opened.iter().find(|(known, _)| known == manifest).map(|(_, engine)| engine.clone())
        };
        if let Some(engine) = known(&self.opened.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(engine);
        }
        let engine = self.settings.clone().open(snapshot.clone()).await?;
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = known(&opened) {
            return Ok(engine);
        }
        if opened.len() >= OPENED {
            opened.remove(0);
        }
        opened.push((Arc::clone(manifest), engine.clone()));
        Ok(engine)
    }

    /// Waits for its turn, until what is returned is dropped.
    pub(super) async fn place(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        Arc::clone(&self.places).acquire_owned().await.map_err(|_| Refusal::ending())
    }

    /// Does work of a statement, waiting included, for as long as one may take.
    ///
    /// # Errors
    /// Those of the work; and when it takes too long.
    pub(super) async fn in_time<T>(&self, work: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
        match tokio::time::timeout(self.timeout, work).await {
            Ok(done) => done,
            Err(_) => Err(Refusal::out_of_time(self.timeout)),
        }
    }

    /// Where statements run.
    pub(super) fn threads(&self) -> Handle {
        // It is there until this is dropped.
        self.workers.0.as_ref().map_or_else(Handle::current, |runtime| runtime.handle().clone())
    }
}
