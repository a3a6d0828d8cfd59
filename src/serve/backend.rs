//! What every request starts from: a version of the store, its projects, and queries over one of them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::execution::SessionStateBuilder;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::SessionContext;
use tokio::sync::OnceCell;

use super::batches::MAX_ROWS;
use super::connections::Peer;
pub(super) use super::exprs::{column, starts_in, time};
use super::ids::project_id;
use super::intake::Intake;
pub(super) use super::project::Project;
use super::project::{BESIDE, SMALL_READ};
use super::refusal::{Refusal, shown};
use super::room::{Part, Room, Turn};
use super::settings::{Log, Settings};
use super::shutdown::Shutdown;
use super::statements::Statements;
use super::transfers::Transfers;
use super::writer::Writer;
use spanql_engine::{Engine, EngineError, StoreEngine, spilling_into};
use spanql_model::nearest::nearest;
use spanql_store::{FilesVerdict, Manifest, Segment, Snapshot, Store, StoreError};

/// Bytes of rows that a query hands on at a time: about what one message holds.
const BATCH_BYTES: u64 = 2 << 20;
/// Rows that a query hands on at a time, however small or big they are.
const BATCH_ROWS: std::ops::RangeInclusive<u64> = 1..=MAX_ROWS as u64;
/// Files that a query reads at the same time: all of a query is done on its one thread, and in one order.
const PARTITIONS: usize = 1;
/// The most of a file that is in memory at a time: what is read together.
const OF_FILE: u64 = 64 << 20;
/// Projects of which what was opened is kept.
const OPENED: usize = 16;
/// Names that an error lists.
const NAMES_SHOWN: usize = 5;

/// The store that is served, and what all requests share.
pub(super) struct Backend {
    store: Arc<Store>,
    only: Option<String>,
    /// The memory and the disk of all queries.
    runtime: Arc<RuntimeEnv>,
    /// The memory of what they read and send.
    room: Room,
    transfers: Transfers,
    intake: Intake,
    statements: Statements,
    writer: Writer,
    /// Those used last at the end.
    opened: Mutex<Vec<Opened>>,
    shutdown: Shutdown,
    log: Option<Log>,
}

/// A project in a version of the store that was asked for. A store that was made anew has the same numbers of versions,
/// and other manifests.
struct Opened {
    manifest: Arc<Manifest>,
    project: String,
    cell: Arc<OnceCell<Arc<Project>>>,
}

impl std::fmt::Debug for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Backend").field("store", &self.store).field("only", &self.only).finish_non_exhaustive()
    }
}

impl Backend {
    pub(super) fn new(
        store: Arc<Store>,
        writer: Writer,
        settings: &Settings,
        shutdown: Shutdown,
    ) -> Result<Self, EngineError> {
        let mut runtime = RuntimeEnvBuilder::new().with_disk_manager_builder(spilling_into(store.spill_dir()));
        // One half is for what queries sort and join, the other for what they read and send.
        let half = settings.memory_limit.map(|limit| limit / 2);
        if let Some(limit) = half {
            runtime = runtime.with_memory_pool(Arc::new(FairSpillPool::new(limit)));
        }
        let runtime = runtime.build_arc().map_err(|error| EngineError::from_datafusion(&error))?;
        Ok(Self {
            writer,
            intake: Intake::new(settings.memory_limit),
            statements: Statements::new(settings, &runtime, half)?,
            store,
            only: settings.project.clone(),
            runtime,
            room: Room::new(half),
            transfers: Transfers::new(half),
            opened: Mutex::default(),
            shutdown,
            log: settings.log.clone(),
        })
    }

    /// The memory of what requests read and send.
    pub(super) fn room(&self) -> &Room {
        &self.room
    }

    /// The answers on their way.
    pub(super) fn transfers(&self) -> &Transfers {
        &self.transfers
    }

    /// What limits writes.
    pub(super) fn intake(&self) -> &Intake {
        &self.intake
    }

    /// What statements share.
    pub(super) fn statements(&self) -> &Statements {
        &self.statements
    }

    /// Takes the memory of a statement, which may read anything.
    pub(super) async fn room_to_ask(&self, view: &View<'_>, peer: &Peer) -> Result<Part, Refusal> {
        self.room.take(usize::try_from(view.reading()).unwrap_or(usize::MAX), Turn::First, peer).await
    }

    /// Writes into the store.
    pub(super) fn writer(&self) -> &Writer {
        &self.writer
    }

    /// The one project that is served, if not all are.
    pub(super) fn only(&self) -> Option<&str> {
        self.only.as_deref()
    }

    /// Knows when the server ends.
    pub(super) fn shutdown(&self) -> Shutdown {
        self.shutdown.clone()
    }

    /// Takes the memory of a request before it is read: to count or find spans by columns, of which it reads few unless it
    /// has a filter.
    pub(super) async fn room_to_find(
        &self,
        view: &View<'_>,
        filter: Option<&str>,
        peer: &Peer,
    ) -> Result<Part, Refusal> {
        let bytes = match filter {
            // A filter may read any column, and lies in memory itself, many times over.
            Some(text) => view.reading().saturating_add(16 * text.len() as u64),
            None => view.reading().min(SMALL_READ),
        };
        self.room.take(usize::try_from(bytes).unwrap_or(usize::MAX), Turn::First, peer).await
    }

    /// Takes the memory of a query over the spans of a project that reads columns of these names, or all.
    pub(super) async fn room_to_read(
        &self,
        project: &Project,
        columns: Option<&[String]>,
        filter: Option<&str>,
        turn: Turn,
        peer: &Peer,
    ) -> Result<Part, Refusal> {
        let bytes = match (columns, filter) {
            (Some(columns), None) => project.reading(columns),
            (_, filter) => project.whole.saturating_add(16 * filter.map_or(0, str::len) as u64),
        };
        self.room.take(usize::try_from(bytes).unwrap_or(usize::MAX), turn, peer).await
    }

    /// The newest version.
    pub(super) async fn newest(&self) -> Result<View<'_>, StoreError> {
        Ok(View { backend: self, snapshot: self.store.snapshot().await? })
    }

    /// A version that another request has seen.
    pub(super) async fn version(&self, version: u64) -> Result<View<'_>, Refusal> {
        match self.store.snapshot_at(version).await {
            Ok(snapshot) => Ok(View { backend: self, snapshot }),
            Err(StoreError::NoVersion { .. }) => Err(Refusal::gone(format!(
                "version {version} of the store, in which the spans were counted, has been removed since: ask again"
            ))),
            Err(error) => Err(error.into()),
        }
    }

    /// Tells the log, if there is one, of a request.
    pub(super) fn log(&self, line: impl FnOnce() -> String) {
        if let Some(log) = &self.log {
            log(&line());
        }
    }
}

/// One version of the store, as far as it is served.
pub(super) struct View<'a> {
    backend: &'a Backend,
    snapshot: Snapshot,
}

impl View<'_> {
    /// About how many bytes a query over whole spans takes.
    fn reading(&self) -> u64 {
        let largest = self.snapshot.manifest.segments.iter().map(|segment| segment.bytes).max();
        largest.unwrap_or_default().min(OF_FILE) + BESIDE
    }

    /// The engine that statements are asked of.
    pub(super) async fn engine(&self) -> Result<Engine, Refusal> {
        self.backend.statements.engine(&self.snapshot).await
    }

    /// What is missing of the spans, as far as it is known, a line each.
    pub(super) async fn missing(&self) -> Result<Vec<String>, StoreError> {
        let ledger = self.snapshot.ledger().await?;
        let project = self.backend.only.as_deref();
        let ranges = ledger.incomplete(project).into_iter().map(|range| range.to_string());
        let files = ledger.files_verdicts(&self.snapshot.manifest, project).into_iter();
        Ok(ranges.chain(files.filter(FilesVerdict::is_suspect).map(|files| files.to_string())).collect())
    }

    /// The version.
    pub(super) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The names of the projects, sorted.
    pub(super) fn projects(&self) -> BTreeSet<&str> {
        let served = |segment: &&Segment| self.backend.only.as_ref().is_none_or(|only| segment.project == *only);
        self.snapshot.manifest.segments.iter().filter(served).map(|segment| segment.project.as_str()).collect()
    }

    /// Opens the project of a name.
    pub(super) async fn project(&self, name: &str) -> Result<Arc<Project>, Refusal> {
        self.check_project(name)?;
        self.opened(name).await
    }

    /// Refuses the name of a project that is not there.
    pub(super) fn check_project(&self, name: &str) -> Result<(), Refusal> {
        if self.projects().contains(name) { Ok(()) } else { Err(Refusal::not_found(self.no_project(name))) }
    }

    /// Opens the project of an id.
    pub(super) async fn project_by_id(&self, id: &str) -> Result<Arc<Project>, Refusal> {
        match self.projects().into_iter().find(|name| project_id(name) == id) {
            Some(name) => self.opened(name).await,
            None => {
                Err(Refusal::not_found(format!("no project has the id {}: GET /v2/projects lists them", shown(id))))
            }
        }
    }

    fn no_project(&self, name: &str) -> String {
        let known = self.projects();
        let typed = shown(name);
        if known.is_empty() {
            return format!("there is no project {typed}: no spans are served");
        }
        if let Some(near) = nearest(name, known.iter().copied()) {
            return format!("there is no project {typed}: did you mean {}?", shown(near));
        }
        let mut some: Vec<String> = known.iter().take(NAMES_SHOWN).map(|name| shown(name)).collect();
        if known.len() > NAMES_SHOWN {
            some.push(format!("{} more", known.len() - NAMES_SHOWN));
        }
        format!("there is no project {typed}, but {}", some.join(", "))
    }

    /// Opens a project of this version once for all requests.
    async fn opened(&self, name: &str) -> Result<Arc<Project>, Refusal> {
        let manifest = &self.snapshot.manifest;
        let cell = {
            let mut opened = self.backend.opened.lock().unwrap_or_else(PoisonError::into_inner);
            let known = opened.iter().position(|one| one.project == name && one.manifest == *manifest);
            let one = match known {
                Some(at) => opened.remove(at),
                None => Opened { manifest: Arc::clone(manifest), project: name.to_owned(), cell: Arc::default() },
            };
            if opened.len() >= OPENED {
                opened.remove(0);
            }
            let cell = Arc::clone(&one.cell);
            opened.push(one);
            cell
        };
        let project = cell.get_or_try_init(async || self.open(name).await.map(Arc::new)).await?;
        Ok(Arc::clone(project))
    }

    async fn open(&self, name: &str) -> Result<Project, Refusal> {
        let manifest = &self.snapshot.manifest;
        let mut held = BTreeSet::new();
        for (_, stats) in self.snapshot.segment_stats().await?.iter().filter(|(segment, _)| segment.project == name) {
            held.extend(stats.columns.keys().cloned());
        }
        let segments = manifest.segments.iter().filter(|segment| segment.project == name);
        let (rows, bytes) = segments.fold((0, 0), |(rows, bytes), segment| {
            (rows + segment.rows, bytes + segment.memory_bytes.max(segment.bytes))
        });
        let row_bytes = bytes / rows.max(1);
        let engine = StoreEngine { project: Some(name.to_owned()), ..StoreEngine::default() };
        let engine = engine.open(self.snapshot.clone()).await?;
        let state = engine.context().state();
        let batch_rows = (BATCH_BYTES / row_bytes.max(1)).clamp(*BATCH_ROWS.start(), *BATCH_ROWS.end());
        let config = state.config().clone();
        let partitions = config.target_partitions().min(PARTITIONS);
        let config = config
            .with_batch_size(batch_rows as usize)
            .with_target_partitions(partitions)
            // Its tables are in the catalog there is: a new one would be empty.
            .with_create_default_catalog_and_schema(false);
        let state = SessionStateBuilder::new_from_existing(state)
            .with_config(config)
            .with_runtime_env(Arc::clone(&self.backend.runtime))
            .build();
        let context = SessionContext::new_with_state(state);
        Ok(Project {
            name: name.to_owned(),
            version: manifest.version,
            held,
            rest: manifest.rest.iter().map(|(name, open)| (name.clone(), open.data_type())).collect(),
            row_bytes,
            whole: self.reading(),
            chunk_bytes: self.snapshot.chunk_bytes(name).await?,
            spans: context.table_provider("spans").await?,
            traces: context.table_provider("traces").await?,
            context,
        })
    }
}
