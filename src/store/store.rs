//! The store: opening it, its versions, and what goes into it or leaves it, each a merge that one commit makes visible.

use std::path::PathBuf;
use std::sync::Arc;

use super::cache::Cache;
use super::committed::{Committed, Deletions};
use super::error::Result;
#[cfg(doc)]
use super::error::StoreError;
use super::import::Import;
use super::import_buffer::ImportBuffer;
use super::ledger::{FileImport, ImportedFile, Ledger, Pull, Record, Slice};
use super::location::StoreLocation;
use super::manifest::Manifest;
use super::progress::Progress;
use super::reader::Segments;
use super::segment::Sizes;
use super::snapshot::Snapshot;
use super::versions;

/// A store of spans at one place.
///
/// ```text
/// STORE/
///   manifest/00000000000000000042.json   what version 42 holds
///   segments/<id>.parquet                spans of one project, whole traces only
///   traces/<id>.parquet                  one summary row per trace of the same segment
///   stats/<id>.json                      checksums of both, and facts about the columns
///   ids/<id>.bin                         hashes of its trace ids
///   deletions/<id>.json                  which traces of a segment count no more
///   patches/<id>.parquet                 values that count instead of those of segments
///   tombstones/<id>.json                 deleted spans
///   ledger/<id>.json                     pulls: what was asked for, announced and received; what imported files held
///   staging/<writer>.json                leases of running writers, whose files no vacuum removes
///   tmp/                                 what is being merged or sorted, never part of an answer
/// ```
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
    pub(crate) location: StoreLocation,
    pub(crate) segments: Segments,
    pub(crate) sizes: Sizes,
    /// Writers of this process take turns at the manifest.
    pub(crate) committer: tokio::sync::Mutex<()>,
}

impl Store {
    /// Opens the store at a directory or URL, which need not exist: then it is empty until the first write.
    ///
    /// # Errors
    /// [`StoreError::Location`] for a directory that holds something else, or a location that cannot be reached.
    pub fn open(location: &str) -> Result<Self> {
        Ok(Self::at(StoreLocation::parse(location)?))
    }

    /// Opens the store at a resolved location.
    pub fn at(location: StoreLocation) -> Self {
        let segments = Segments { location: location.clone(), cache: Arc::new(Cache::default()), version: 0 };
        Self { location, segments, sizes: Sizes::default(), committer: tokio::sync::Mutex::new(()) }
    }

    /// Where the store is.
    pub fn location(&self) -> &StoreLocation {
        &self.location
    }

    /// Directory for temporary files: inside a local store that was written to, else the system's.
    pub fn spill_dir(&self) -> PathBuf {
        let inside = self.location.local.as_ref().map(|root| root.join("tmp"));
        // A store may be readable only: a query must not fail for that.
        let usable = |dir: &PathBuf| dir.is_dir() && tempfile::tempfile_in(dir).is_ok();
        inside.filter(usable).unwrap_or_else(std::env::temp_dir)
    }

    /// The newest version.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        self.snapshot_of(versions::load_newest(&self.location).await?)
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
        Import { buffer: ImportBuffer::new(self.spill_dir()) }
    }

    /// Starts taking spans, of which at most so many bytes wait in memory: for several imports at once.
    pub fn begin_with_memory(&self, bytes: usize) -> Import {
        Import { buffer: ImportBuffer::with_memory(self.spill_dir(), bytes) }
    }

    /// Merges what was taken into the store and commits it as a new version, which is visible all at once.
    ///
    /// Nothing is committed when nothing changes. Small segments that pile up are joined afterwards.
    ///
    /// # Errors
    /// Any [`StoreError`]; the store then holds what it held before.
    pub async fn commit(&self, import: Import, operation: &str, progress: &Progress) -> Result<Committed> {
        let projects = import.buffer.projects.clone();
        if import.buffer.rows == 0 {
            let version = versions::load_newest(&self.location).await?.version;
            return Ok(Committed::unchanged(version));
        }
        let mut committed = self.merge(import.buffer, Deletions::new(), None, operation, progress).await?;
        self.join_after(&mut committed, &projects).await;
        Ok(committed)
    }

    /// Does the same with the spans of files, and records in the same commit what the files held.
    ///
    /// Nothing is committed either when the store holds all of these spans just so, unless the ledger knows another thing
    /// of a file.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    pub async fn commit_files(
        &self,
        import: Import,
        files: Vec<ImportedFile>,
        operation: &str,
        progress: &Progress,
    ) -> Result<Committed> {
        if import.buffer.rows == 0 {
            return self.commit(import, operation, progress).await;
        }
        let projects = import.buffer.projects.clone();
        let record = Record::Files(FileImport::new(files).with_rows(import.buffer.rows_by_project()));
        let mut committed = self.merge(import.buffer, Deletions::new(), Some(&record), operation, progress).await?;
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
        let projects = import.buffer.projects.clone();
        let record = Record::Pull { pull, slices };
        let mut committed = self.merge(import.buffer, Deletions::new(), Some(&record), "pull", progress).await?;
        self.join_after(&mut committed, &projects).await;
        Ok(committed)
    }

    /// Joins small segments that pile up. The spans of the commit are there whether or not that can be done now: the next
    /// commit tries again.
    pub(crate) async fn join_after(&self, committed: &mut Committed, projects: &[String]) {
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
}
