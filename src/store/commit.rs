//! Committing: build what a plan says, then create the next manifest, again if somebody else was first.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectStoreExt;

use super::blocking::blocking;
use super::build::{Built, Means, build_new, rebuild};
use super::error::{Result, StoreError};
use super::files::WrittenFile;
use super::layout::{MAX_OPEN_COLUMNS, OpenNames};
use super::lease::Lease;
use super::ledger::Record;
use super::manifest::{self, Commit, FileRef, Manifest, Segment};
use super::merge::{Counts, Deleted};
use super::plan::{Plan, Work, plan, plan_new};
use super::pool::Pool;
use super::segment::BuiltSegment;
use super::spill::Slot;
use super::stored::StoredSegment;
use super::tombstones::Tombstones;
use super::{Progress, Store};
use crate::model::types::OpenType;

/// Attempts before a writer gives up against others.
const ATTEMPTS: usize = 50;
/// Attempts before a writer gives up against whoever removes its files.
const ROBBED: usize = 3;

/// Deletions to merge: spans by project.
pub(crate) type Deletions = HashMap<String, Deleted>;

/// What a commit did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The version that holds the result; the one before when nothing changed.
    pub version: u64,
    /// What happened to the spans.
    pub counts: Counts,
    /// Why small segments could not be joined after the commit; the spans are whole all the same.
    pub not_joined: Option<String>,
    /// Why the disk did not confirm the commit: every reader sees it, but it may be gone after a power failure.
    pub not_synced: Option<String>,
}

impl Committed {
    pub(crate) fn unchanged(version: u64) -> Self {
        Self { version, counts: Counts::default(), not_joined: None, not_synced: None }
    }
}

/// Segments that were written and are not in a manifest yet.
#[derive(Default)]
struct Written {
    added: Vec<Segment>,
    replaced: Vec<String>,
    open: BTreeMap<String, OpenType>,
    counts: Counts,
    /// Their files, and others that the manifest will name.
    files: Vec<WrittenFile>,
    /// How many of the files the disk was asked to keep.
    synced: usize,
}

/// How an attempt to commit ended.
enum Attempt {
    Done(Committed),
    /// Another writer's commit means the work must be done again.
    Overtaken,
    /// Files that were written were removed, or may be at any time: the work must be done again, too.
    Robbed,
}

/// What a commit changes beside segments.
struct Change<'a> {
    operation: &'a str,
    tombstones: Option<FileRef>,
    /// Whoever wins a race writes the next ledger, so this is applied to the newest one at every attempt.
    record: Option<&'a Record<'a>>,
}

impl Store {
    /// Merges the spans of a pool, and deletions, and commits the result together with a record of the ledger.
    pub(crate) async fn merge(
        &self,
        pool: Arc<Pool>,
        deletions: Deletions,
        record: Option<&Record<'_>>,
        operation: &str,
        progress: &Progress,
    ) -> Result<Committed> {
        self.place.create().await?;
        // What cannot be removed does not keep anybody from writing.
        let _ = self.clear_after_the_dead().await;
        let mut robbed = 0;
        for _ in 0..ATTEMPTS {
            let lease = Lease::take(&self.place, None).await?;
            let base = manifest::load_newest(&self.place).await?;
            let version = base.version;
            let done = self.attempt(&lease, base, &pool, &deletions, record, operation, progress).await;
            lease.release().await;
            match done {
                Ok(Attempt::Done(committed)) => return Ok(committed),
                Ok(Attempt::Overtaken) => {}
                Ok(Attempt::Robbed) if robbed + 1 < ROBBED => robbed += 1,
                Ok(Attempt::Robbed) => return Err(StoreError::Robbed { place: self.place.name.clone() }),
                Err(error @ StoreError::Missing { .. }) => {
                    // Another writer replaced a segment that was to be read, and a vacuum removed it.
                    if manifest::load_newest(&self.place).await?.version == version {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Contended { place: self.place.name.clone(), attempts: ATTEMPTS })
    }

    #[expect(clippy::too_many_arguments, reason = "one attempt of `merge`, with all that it was given")]
    async fn attempt(
        &self,
        lease: &Lease,
        base: Manifest,
        pool: &Arc<Pool>,
        deletions: &Deletions,
        record: Option<&Record<'_>>,
        operation: &str,
        progress: &Progress,
    ) -> Result<Attempt> {
        let mut tombstones = Tombstones::load(&self.place, &base).await?;
        for (project, spans) in deletions {
            for (trace_id, span_id) in spans {
                tombstones.add(project, trace_id.clone(), span_id.clone());
            }
        }
        let names = OpenNames::of(&base, &pool.columns);
        let plan = plan(&self.segments, &base, pool, deletions).await?;
        let mut written = self.build(lease, pool, plan, &names, &tombstones, progress).await?;
        let same_spans = written.added.is_empty() && written.replaced.is_empty() && deletions.is_empty();
        if same_spans && record.is_none() {
            return Ok(Attempt::Done(Committed { counts: written.counts, ..Committed::unchanged(base.version) }));
        }
        let tombstones = if deletions.is_empty() {
            base.tombstones.clone()
        } else {
            let (reference, file) = tombstones.save(&self.place, lease.file_id()).await?;
            written.files.push(file);
            Some(reference)
        };
        let change = Change { operation, tombstones, record };
        let done = self.publish(lease, &base, &mut written, &names, pool, &change).await?;
        if !matches!(done, Attempt::Done(_)) {
            self.discard(&written.added).await;
        }
        Ok(done)
    }

    /// Replaces segments by others that hold the same spans, if they are all still there.
    pub(crate) async fn rewrite(
        &self,
        lease: &Lease,
        base: &Manifest,
        old: &[Segment],
        pool: Pool,
        operation: &str,
    ) -> Result<Option<Committed>> {
        let names = OpenNames::of(base, &pool.columns);
        let pool = Arc::new(pool);
        let plan = plan_new(&pool);
        let mut written = self.build(lease, &pool, plan, &names, &Tombstones::default(), &Progress::default()).await?;
        written.replaced = old.iter().map(|segment| segment.id.clone()).collect();
        let empty = Pool::new(self.spill_dir());
        let change = Change { operation, tombstones: base.tombstones.clone(), record: None };
        match self.publish(lease, base, &mut written, &names, &empty, &change).await? {
            Attempt::Done(committed) => Ok(Some(committed)),
            Attempt::Overtaken | Attempt::Robbed => {
                self.discard(&written.added).await;
                Ok(None)
            }
        }
    }

    async fn build(
        &self,
        lease: &Lease,
        pool: &Arc<Pool>,
        plan: Plan,
        names: &OpenNames,
        tombstones: &Tombstones,
        progress: &Progress,
    ) -> Result<Written> {
        let means = Means {
            names: Arc::new(names.clone()),
            sizes: self.sizes,
            spill_dir: self.spill_dir(),
            writer: lease.writer().to_owned(),
        };
        let mut written = Written::default();
        let mut moved = Pool::new(self.spill_dir());
        let Plan { work, assign, partitions } = plan;
        progress.planned(work.len() as u64);
        let parts = {
            let pool = Arc::clone(pool);
            blocking(move || pool.partition(&assign, partitions)).await?
        };
        let parts = Arc::new(parts);
        let start = |work| self.one(work, Arc::clone(&parts), means.clone(), tombstones);
        let mut tasks = stream::iter(work.into_iter().map(start)).buffer_unordered(parallelism());
        while let Some((replaced, built)) = tasks.try_next().await? {
            progress.built();
            written.counts += built.counts;
            if !built.changed {
                continue;
            }
            written.replaced.extend(replaced);
            if !built.moved.is_empty() {
                moved =
                    blocking(move || built.moved.into_iter().try_for_each(|batch| moved.push(batch)).map(|()| moved))
                        .await?;
            }
            self.put(built.segments, &mut written).await?;
        }
        drop(tasks);
        if moved.rows > 0 {
            let Plan { work, assign, partitions } = plan_new(&moved);
            let parts = Arc::new(blocking(move || moved.partition(&assign, partitions)).await?);
            let none = Tombstones::default();
            let tasks = work.into_iter().map(|work| self.one(work, Arc::clone(&parts), means.clone(), &none));
            let mut tasks = stream::iter(tasks).buffer_unordered(parallelism());
            while let Some((_, built)) = tasks.try_next().await? {
                self.put(built.segments, &mut written).await?;
            }
        }
        Ok(written)
    }

    async fn one(
        &self,
        work: Work,
        parts: Arc<Vec<Vec<Slot>>>,
        means: Means,
        tombstones: &Tombstones,
    ) -> Result<(Option<String>, Built)> {
        match work {
            Work::New { project, partition } => {
                let deleted = tombstones.of(&project);
                let build = move || build_new(&project, &parts[partition], deleted.as_ref(), &means);
                Ok((None, blocking(build).await?))
            }
            Work::Rebuild { segment, runs, touched } => {
                let stored = StoredSegment::load(&self.place, &segment, means.spill_dir.clone()).await?;
                let deleted = tombstones.of(&segment.project);
                let build = move || {
                    let arrivals: Vec<_> =
                        runs.into_iter().map(|(units, partition)| (units, parts[partition].clone())).collect();
                    rebuild(&stored, &arrivals, &touched, deleted.as_ref(), &means)
                };
                Ok((Some(segment.id.clone()), blocking(build).await?))
            }
        }
    }

    async fn put(&self, segments: Vec<BuiltSegment>, written: &mut Written) -> Result<()> {
        for built in segments {
            if built.segment.rows == 0 {
                continue;
            }
            let segment = &built.segment;
            for (file, size, content) in [
                (segment.spans_file(), segment.bytes, built.spans),
                (segment.traces_file(), segment.summary_bytes, built.traces),
                (segment.card_file(), built.card.len() as u64, built.card.into()),
            ] {
                self.place.put(&file, content).await?;
                written.files.push(WrittenFile { file, size });
            }
            for (name, seen) in built.open {
                let united = written.open.get(&name).map_or(seen, |known| known.unite(seen));
                written.open.insert(name, united);
            }
            written.added.push(built.segment);
        }
        Ok(())
    }

    /// Creates the next manifest.
    async fn publish(
        &self,
        lease: &Lease,
        base: &Manifest,
        written: &mut Written,
        names: &OpenNames,
        pool: &Pool,
        change: &Change<'_>,
    ) -> Result<Attempt> {
        let _committer = self.committer.lock().await;
        let mut newest = base.clone();
        for _ in 0..ATTEMPTS {
            let Some(mut next) = next_manifest(&newest, written, names, change) else {
                return Ok(Attempt::Overtaken);
            };
            let ledger = match change.record {
                Some(record) => Some(record.save_after(&self.place, lease.file_id(), &newest, written.counts).await?),
                None => None,
            };
            if let Some((reference, file)) = &ledger {
                written.files.push(file.clone());
                next.ledger = Some(reference.clone());
            }
            // What a manifest names must be there before it is, and stay.
            let unsynced = written.files[written.synced..].iter().map(|written| written.file.clone()).collect();
            let synced = self.place.sync(unsynced).await;
            if !self.owns(lease, &written.files).await? {
                return Ok(Attempt::Robbed);
            }
            synced?;
            written.synced = written.files.len();
            if let Commit::Won { unsynced } = manifest::create(&self.place, &next).await? {
                let not_synced = match self.owns(lease, &written.files).await {
                    Ok(true) => unsynced,
                    Ok(false) => {
                        self.take_back(&next, &newest).await.map_err(|error| StoreError::NotTakenBack {
                            version: next.version,
                            reason: error.to_string(),
                        })?;
                        return Ok(Attempt::Robbed);
                    }
                    // They were there, and so was the lease.
                    Err(error) => unsynced.or(Some(error.to_string())),
                };
                let committed = Committed::unchanged(next.version);
                return Ok(Attempt::Done(Committed { counts: written.counts, not_synced, ..committed }));
            }
            if let Some((_, unused)) = &ledger {
                self.discard_file(&unused.file).await;
                written.files.retain(|written| written != unused);
                written.synced = written.files.len();
            }
            newest = manifest::load_newest(&self.place).await?;
            if self.conflicts(base, &newest, written, pool).await? {
                return Ok(Attempt::Overtaken);
            }
        }
        Err(StoreError::Contended { place: self.place.name.clone(), attempts: ATTEMPTS })
    }

    /// Whether a writer's lease stands and its files are as it wrote them.
    async fn owns(&self, lease: &Lease, files: &[WrittenFile]) -> Result<bool> {
        Ok(self.place.holds(files).await? && lease.stands().await?)
    }

    /// Takes a version back whose files may be removed at any time, by another one that differs from the newest in what
    /// that version had changed.
    pub(crate) async fn take_back(&self, version: &Manifest, before: &Manifest) -> Result<()> {
        let has = |manifest: &Manifest, id: &str| manifest.segments.iter().any(|segment| segment.id == id);
        for _ in 0..ATTEMPTS {
            let newest = manifest::load_newest(&self.place).await?;
            let is_added = |segment: &Segment| has(version, &segment.id) && !has(before, &segment.id);
            // One that was created below newer versions changes nothing.
            let is_theirs = version.version < newest.version && !newest.segments.iter().any(is_added);
            if is_theirs && (newest.ledger != version.ledger || version.ledger == before.ledger) {
                return Ok(());
            }
            let mut next = Manifest::after(newest.version, &newest, manifest::taking_back(version.version));
            next.segments.retain(|segment| !is_added(segment));
            let replaced =
                before.segments.iter().filter(|segment| !has(version, &segment.id) && !has(&newest, &segment.id));
            next.segments.extend(replaced.cloned());
            sort(&mut next.segments);
            if next.tombstones == version.tombstones {
                next.tombstones.clone_from(&before.tombstones);
            }
            if next.ledger == version.ledger {
                next.ledger.clone_from(&before.ledger);
            }
            if newest.version == version.version {
                (next.columns, next.rest) = (before.columns.clone(), before.rest.clone());
            }
            self.place.check(next.sized_files().collect()).await?;
            if let Commit::Won { .. } = manifest::create(&self.place, &next).await? {
                return Ok(());
            }
        }
        Err(StoreError::Contended { place: self.place.name.clone(), attempts: ATTEMPTS })
    }

    /// Whether a newer version replaced a segment this merge read, or added one that holds one of its traces.
    async fn conflicts(&self, base: &Manifest, newest: &Manifest, written: &Written, pool: &Pool) -> Result<bool> {
        if base.tombstones != newest.tombstones {
            return Ok(true);
        }
        let still = |id: &String| newest.segments.iter().any(|segment| segment.id == *id);
        if !written.replaced.iter().all(still) {
            return Ok(true);
        }
        for segment in &newest.segments {
            if base.segments.iter().any(|known| known.id == segment.id) {
                continue;
            }
            let ids: Vec<&str> = pool
                .traces
                .keys()
                .filter(|key| pool.projects[key.project as usize] == segment.project)
                .map(|key| &*key.trace_id)
                .collect();
            if ids.is_empty() {
                continue;
            }
            if let Some(outline) = self.segments.outline(segment, &ids).await? {
                let ids: std::collections::HashSet<&str> = ids.into_iter().collect();
                if outline.trace_ids.iter().flatten().any(|id| ids.contains(id)) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Removes files that no manifest will name; what cannot be removed is left to a vacuum.
    async fn discard(&self, segments: &[Segment]) {
        let Ok(newest) = manifest::load_newest(&self.place).await else { return };
        let live = |segment: &&Segment| newest.segments.iter().any(|known| known.id == segment.id);
        for segment in segments.iter().filter(|segment| !live(segment)) {
            for file in [segment.spans_file(), segment.traces_file(), segment.card_file()] {
                self.discard_file(&file).await;
            }
        }
    }

    async fn discard_file(&self, file: &str) {
        let _ = self.place.objects.delete(&self.place.path(file)).await;
    }
}

fn sort(segments: &mut [Segment]) {
    segments.sort_by(|a, b| (&a.project, a.min_start, &a.id).cmp(&(&b.project, b.min_start, &b.id)));
}

/// The manifest after `newest` with the written segments; `None` when their columns do not agree with it any more.
fn next_manifest(newest: &Manifest, written: &Written, names: &OpenNames, change: &Change<'_>) -> Option<Manifest> {
    let mut next = Manifest::after(newest.version, newest, change.operation.to_owned());
    next.tombstones.clone_from(&change.tombstones);
    next.segments.retain(|segment| !written.replaced.contains(&segment.id));
    next.segments.extend(written.added.iter().cloned());
    sort(&mut next.segments);
    for (name, seen) in &written.open {
        if next.rest.contains_key(name) {
            return None;
        }
        let united = next.columns.get(name).map_or(*seen, |known| known.unite(*seen));
        next.columns.insert(name.clone(), united);
    }
    if names.rest.keys().any(|name| next.columns.contains_key(name)) {
        return None;
    }
    for (name, seen) in &names.rest {
        let united = next.rest.get(name).map_or(*seen, |known| known.unite(*seen));
        next.rest.insert(name.clone(), united);
    }
    let columns = next.columns.keys().filter(|name| *name != crate::model::columns::REST).count();
    (columns <= MAX_OPEN_COLUMNS).then_some(next)
}

fn parallelism() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().min(4))
}
