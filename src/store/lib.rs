//! The store: spans and trace summaries in immutable Parquet files, and manifests that say which of them are live.
//!
//! ```text
//! STORE/
//!   manifest/00000000000000000042.json   what version 42 holds
//!   segments/<id>.parquet                spans of one project, whole traces only
//!   traces/<id>.parquet                  one summary row per trace of the same segment
//!   stats/<id>.json                      checksums of both, and facts about the columns
//!   tombstones/<id>.json                 deleted spans
//!   ledger/<id>.json                     pulls: what was asked for, announced and received
//!   staging/<writer>.json                leases of running writers, whose files no vacuum removes
//!   tmp/                                  what is being merged or sorted, never part of an answer
//! ```
//!
//! Everything that changes a store is a merge: the spans that arrive are grouped by trace, the segments that hold any
//! of those traces are built again, the others become new segments, and one new manifest makes all of it visible at
//! once. A crash leaves files that no manifest names, never a wrong answer.

mod arrival;
mod blocking;
mod build;
mod card;
mod commit;
mod committed;
mod content;
mod creation;
mod error;
mod files;
mod folders;
mod heads;
mod ids;
mod indexed;
mod layout;
mod lease;
mod ledger;
mod maintain;
mod maintained;
mod manifest;
mod merge;
mod open_columns;
mod packed;
mod pieces;
mod place;
mod plan;
mod pool;
mod publish;
mod reader;
mod segment;
mod sink;
mod sizes;
mod spill;
mod stored;
#[cfg(test)]
mod tests;
mod tombstones;
mod vacuum;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::RecordBatch;
use futures::{StreamExt, TryStreamExt};

pub use arrival::complete;
pub use card::{Card, ColumnFacts, TooLarge};
pub use committed::Committed;
pub use error::{Result, StoreError};
pub use ledger::{Gap, Ledger, Projection, Pull, PullKey, Slice, Status, Why};
pub use maintained::{Compacted, Vacuumed, Version};
pub use manifest::{FileRef, Manifest, Segment};
pub use merge::Counts;
pub use open_columns::{floats_to_text, type_of, widen};
pub use place::{Place, found_place};
pub use reader::{SegmentReader, Segments, Which};
pub use spanql_model::paths::{home_path, resolve};

use pool::Pool;
use reader::Cache;
use segment::Sizes;

/// A store of spans at one place.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use spanql_demo::Generator;
/// use spanql_store::{Progress, Store};
///
/// let store = Store::open("memory://")?;
/// let mut import = store.begin();
/// for batch in Generator::new(1, 100) {
///     import.push(&batch)?;
/// }
/// let committed = store.commit(import, "import", &Progress::default()).await?;
/// assert_eq!(committed.version, 1);
/// assert_eq!(store.snapshot().await?.manifest.rows(), committed.counts.new);
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Debug)]
pub struct Store {
    place: Place,
    segments: Segments,
    sizes: Sizes,
    /// Writers of this process take turns at the manifest.
    committer: tokio::sync::Mutex<()>,
}

/// Spans on their way into a store.
pub struct Import {
    pool: Pool,
}

impl std::fmt::Debug for Import {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Import").field("rows", &self.pool.rows).finish_non_exhaustive()
    }
}

impl Import {
    /// Takes an arrival: rows of later batches, and later rows of one, win over earlier ones.
    ///
    /// Batches beyond a few dozen megabytes are put aside on disk.
    ///
    /// # Errors
    /// [`StoreError::Arrival`] when the batch breaks the contract of an arrival, [`StoreError::Spill`] when the disk
    /// refuses it.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        let rows = batch.num_rows();
        if rows > 1 && arrival::unfolds_to_many(batch) {
            self.push(&batch.slice(0, rows / 2))?;
            return self.push(&batch.slice(rows / 2, rows - rows / 2));
        }
        self.pool.push(arrival::prepare_packed(batch)?)
    }

    /// Rows taken so far.
    pub fn rows(&self) -> u64 {
        self.pool.rows
    }
}

/// How far a commit is, for whoever watches it from another thread.
#[derive(Debug, Default)]
pub struct Progress {
    planned: AtomicU64,
    built: AtomicU64,
}

impl Progress {
    fn planned(&self, pieces: u64) {
        self.planned.store(pieces, Ordering::Relaxed);
        self.built.store(0, Ordering::Relaxed);
    }

    fn built(&self) {
        self.built.fetch_add(1, Ordering::Relaxed);
    }

    /// Pieces of work done, and pieces planned; both 0 before the plan is made.
    pub fn pieces(&self) -> (u64, u64) {
        (self.built.load(Ordering::Relaxed), self.planned.load(Ordering::Relaxed))
    }
}

/// Footers that are read at the same time.
const FOOTERS: usize = 8;

/// One version of a store: what it reads never changes.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// What the version holds.
    pub manifest: Arc<Manifest>,
    /// Access to its segments.
    pub segments: Segments,
}

impl Store {
    /// Opens the store at a directory or URL, which need not exist: then it is empty until the first write.
    ///
    /// # Errors
    /// [`StoreError::Place`] for a directory that holds something else, or a place that cannot be reached.
    pub fn open(place: &str) -> Result<Self> {
        Ok(Self::at(Place::parse(place)?))
    }

    /// Opens the store at a resolved place.
    pub fn at(place: Place) -> Self {
        let segments = Segments { place: place.clone(), cache: Arc::new(Cache::default()), version: 0 };
        Self { place, segments, sizes: Sizes::default(), committer: tokio::sync::Mutex::new(()) }
    }

    /// Where the store is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Directory for temporary files: inside a local store that was written to, else the system's.
    pub fn spill_dir(&self) -> PathBuf {
        let inside = self.place.local.as_ref().map(|root| root.join("tmp"));
        // A store may be readable only: a query must not fail for that.
        let usable = |dir: &PathBuf| dir.is_dir() && tempfile::tempfile_in(dir).is_ok();
        inside.filter(usable).unwrap_or_else(std::env::temp_dir)
    }

    /// The newest version.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        self.snapshot_of(manifest::load_newest(&self.place).await?)
    }

    /// A version that still exists; 0 is the empty store.
    pub async fn snapshot_at(&self, version: u64) -> Result<Snapshot> {
        let manifest = if version == 0 { Manifest::empty() } else { self.version(version).await? };
        self.snapshot_of(manifest)
    }

    fn snapshot_of(&self, manifest: Manifest) -> Result<Snapshot> {
        let segments = Segments { version: manifest.version, ..self.segments.clone() };
        Ok(Snapshot { manifest: Arc::new(manifest), segments })
    }

    /// Starts taking spans.
    pub fn begin(&self) -> Import {
        Import { pool: Pool::new(self.spill_dir()) }
    }

    /// Starts taking spans, of which at most so many bytes wait in memory: for several imports at once.
    pub fn begin_with_memory(&self, bytes: usize) -> Import {
        Import { pool: Pool::with_memory(self.spill_dir(), bytes) }
    }

    /// Merges what was taken into the store and commits it as a new version, which is visible all at once.
    ///
    /// Nothing is committed when nothing changes. Small segments that pile up are joined afterwards.
    ///
    /// # Errors
    /// Any [`StoreError`]; the store then holds what it held before.
    pub async fn commit(&self, import: Import, operation: &str, progress: &Progress) -> Result<Committed> {
        let projects = import.pool.projects.clone();
        if import.pool.rows == 0 {
            let version = manifest::load_newest(&self.place).await?.version;
            return Ok(Committed::unchanged(version));
        }
        let mut committed =
            self.merge(Arc::new(import.pool), committed::Deletions::new(), None, operation, progress).await?;
        self.join_after(&mut committed, &projects).await;
        Ok(committed)
    }

    /// Merges the spans of slices of a pull, and records in the same commit that they landed.
    ///
    /// The ledger knows the pull by its id: a new one is written down with the slices it has, of a known one only
    /// `error` and `finished` are taken over. Slices that were recorded before are not counted again, so a commit
    /// that failed may be repeated. Of several slices, the last one has the counts of the whole commit.
    ///
    /// # Errors
    /// Any [`StoreError`]; unless the answer of the storage was lost, neither spans nor slices are in the store then.
    pub async fn commit_pulled(
        &self,
        import: Import,
        pull: &Pull,
        slices: Vec<Slice>,
        progress: &Progress,
    ) -> Result<Committed> {
        let projects = import.pool.projects.clone();
        let record = ledger::Record { pull, slices };
        let mut committed =
            self.merge(Arc::new(import.pool), committed::Deletions::new(), Some(&record), "pull", progress).await?;
        self.join_after(&mut committed, &projects).await;
        Ok(committed)
    }

    /// Joins small segments that pile up. The spans of the commit are there whether or not that can be done now: the next
    /// commit tries again.
    async fn join_after(&self, committed: &mut Committed, projects: &[String]) {
        match self.join_small(projects).await {
            Ok(joined) => committed.not_synced = committed.not_synced.take().or(joined.not_synced),
            Err(error) => committed.not_joined = Some(error.to_string()),
        }
    }

    /// Records a pull without any spans: that it began, or that and how it ended.
    ///
    /// The ledger knows it by its id, as for [`commit_pulled`](Self::commit_pulled).
    pub async fn record_pull(&self, pull: &Pull) -> Result<Committed> {
        self.commit_pulled(self.begin(), pull, Vec::new(), &Progress::default()).await
    }

    /// The pull ledger of the newest version.
    pub async fn ledger(&self) -> Result<Ledger> {
        self.snapshot().await?.ledger().await
    }

    /// Deletes spans of a project by their ids, and keeps them deleted when they arrive again.
    ///
    /// Their children become orphans. Returns how many spans were deleted.
    pub async fn delete_spans(&self, project: &str, span_ids: &[&str]) -> Result<Committed> {
        let (base, spans) = loop {
            let snapshot = self.snapshot().await?;
            match snapshot.find_spans(project, span_ids).await {
                // A newer one has taken its place.
                Err(StoreError::Removed { .. }) => {}
                spans => break (snapshot.manifest, spans?),
            }
        };
        if spans.is_empty() {
            return Ok(Committed::unchanged(base.version));
        }
        let deletions = committed::Deletions::from([(project.to_owned(), spans)]);
        let pool = Arc::new(Pool::new(self.spill_dir()));
        self.merge(pool, deletions, None, "delete", &Progress::default()).await
    }
}

impl Snapshot {
    /// The (trace id, span id) of the spans of a project that have one of the given span ids.
    async fn find_spans(&self, project: &str, span_ids: &[&str]) -> Result<merge::Deleted> {
        let mut spans = merge::Deleted::new();
        for segment in self.manifest.segments.iter().filter(|segment| segment.project == project) {
            spans.extend(self.segments.find_spans(segment, span_ids).await?);
        }
        Ok(spans)
    }

    /// The pull ledger of the version: what was pulled into it, and what is missing.
    ///
    /// # Errors
    /// [`StoreError::Removed`] when the version is gone; [`StoreError::Missing`], [`StoreError::Damaged`] or
    /// [`StoreError::Storage`] when its file cannot be read.
    pub async fn ledger(&self) -> Result<Ledger> {
        let Segments { place, version, .. } = &self.segments;
        match Ledger::load(place, &self.manifest).await {
            Ok(ledger) => Ok(ledger),
            Err(error) => Err(manifest::explain(place, *version, error).await),
        }
    }

    /// Sums of traces of one project, or of all, that are null because no Int64 holds them.
    ///
    /// # Errors
    /// [`StoreError::Removed`] when the version is gone; [`StoreError::Missing`], [`StoreError::Damaged`] or
    /// [`StoreError::Storage`] when a segment's facts cannot be read.
    pub async fn too_large(&self, project: Option<&str>) -> Result<Vec<TooLarge>> {
        let mut found = Vec::new();
        for segment in self.manifest.segments.iter().filter(|segment| segment.too_large > 0) {
            if project.is_none_or(|project| segment.project == project) {
                let card = self.segments.card(segment).await?;
                found.extend(card.too_large.iter().cloned());
            }
        }
        Ok(found)
    }

    /// Facts about the columns of each segment.
    pub async fn cards(&self) -> Result<Vec<(&Segment, Arc<card::Card>)>> {
        let mut cards = Vec::with_capacity(self.manifest.segments.len());
        for segment in &self.manifest.segments {
            let card = self.segments.card(segment).await?;
            cards.push((segment, card));
        }
        Ok(cards)
    }

    /// How many bytes of each column of a project's spans are read together, at most.
    pub async fn chunk_bytes(&self, project: &str) -> Result<HashMap<String, u64>> {
        let mut largest: HashMap<String, u64> = HashMap::new();
        let segments = self.manifest.segments.iter().filter(|segment| segment.project == project);
        let mut chunks =
            futures::stream::iter(segments.map(|segment| self.segments.chunk_bytes(segment))).buffer_unordered(FOOTERS);
        while let Some(of_segment) = chunks.try_next().await? {
            for (column, bytes) in of_segment {
                let most = largest.entry(column).or_default();
                *most = bytes.max(*most);
            }
        }
        Ok(largest)
    }

    /// All values of the columns that have few, by name, from what was noted when the segments were written; those of
    /// one project, or of all.
    ///
    /// # Errors
    /// [`StoreError::Removed`] when the version is gone; [`StoreError::Missing`], [`StoreError::Damaged`] or
    /// [`StoreError::Storage`] when a segment's facts cannot be read.
    pub async fn few_values(&self, project: Option<&str>) -> Result<BTreeMap<String, Vec<String>>> {
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (segment, card) in self.cards().await? {
            if project.is_some_and(|project| segment.project != project) {
                continue;
            }
            for (name, facts) in &card.columns {
                match found.entry(name.clone()) {
                    Entry::Occupied(mut known) => segment::unite(known.get_mut(), facts.values.clone()),
                    Entry::Vacant(new) => drop(new.insert(facts.values.clone())),
                }
            }
        }
        found.retain(|_, values| !values.is_empty());
        Ok(found)
    }
}
