//! Committing: build what a plan says and publish it, again if another commit or a vacuum came between.

use std::collections::HashSet;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectStoreExt;

use super::blocking::{blocking, threads};
use super::build::{BuildContext, Built, build_new, rebuild};
use super::committed::{Committed, Deletions};
use super::entries::Segment;
use super::error::{Result, StoreError};
use super::files::WrittenFile;
use super::held::{Facts, Held, Superseded};
use super::import_buffer::ImportBuffer;
use super::layout::OpenNames;
use super::lease::{Lease, file_id};
use super::ledger::Record;
use super::manifest::Manifest;
use super::patches::PatchFiles;
use super::plan::{Plan, Work, plan, plan_new};
use super::progress::Progress;
use super::publish::{ATTEMPTS, Attempt, Change, Written};
use super::segment::BuiltSegment;
use super::spill::{IN_MEMORY, Slot, Spill};
use super::store::Store;
use super::stored::StoredSegment;
use super::tombstones::Tombstones;
use super::trim::trim;
use super::versions;

/// Attempts before a writer gives up against whoever removes its files.
const REMOVALS: usize = 3;

/// After a segment of so many bytes in memory, memory is given back.
const TRIMMED_BYTES: u64 = 8 << 20;

/// What was built anew.
enum Source {
    /// A segment, by its id.
    Segment(String),
    /// Traces of segments, with what their rows tell of the columns.
    Held(Vec<(Held, Option<Facts>)>),
}

impl Store {
    /// Merges the spans of an import buffer, and deletions, and commits the result together with a record of the ledger.
    pub(crate) async fn merge(
        &self,
        buffer: ImportBuffer,
        deletions: Deletions,
        record: Option<&Record<'_>>,
        operation: &str,
        progress: &Progress,
    ) -> Result<Committed> {
        self.location.create().await?;
        // What cannot be removed does not keep anybody from writing.
        let _ = self.clear_after_the_dead().await;
        let buffer = Arc::new(if buffer.is_mostly_on_disk() { blocking(|| buffer.put_down()).await? } else { buffer });
        let mut removals = 0;
        for _ in 0..ATTEMPTS {
            let lease = Lease::take(&self.location, None).await?;
            let base = match versions::load_newest(&self.location).await {
                Ok(base) => base,
                Err(error) => {
                    lease.release().await;
                    return Err(error);
                }
            };
            let version = base.version;
            let patches = PatchFiles::default();
            let done = self.attempt(&lease, base, &buffer, &deletions, patches, record, operation, progress).await;
            lease.release().await;
            if let Some(committed) = self.settle(done, version, &mut removals).await? {
                return Ok(committed);
            }
        }
        Err(StoreError::Contended { location: self.location.name.clone(), attempts: ATTEMPTS })
    }

    /// What is left of an attempt against a version: what it committed, why it failed, or nothing: it is made again.
    pub(super) async fn settle(
        &self,
        done: Result<Attempt>,
        version: u64,
        removals: &mut usize,
    ) -> Result<Option<Committed>> {
        match done {
            Ok(Attempt::Done(committed)) => return Ok(Some(committed)),
            Ok(Attempt::Overtaken) => {}
            Ok(Attempt::FilesRemoved) if *removals + 1 < REMOVALS => *removals += 1,
            Ok(Attempt::FilesRemoved) => {
                return Err(StoreError::FilesRemoved { location: self.location.name.clone() });
            }
            Err(error @ StoreError::Missing { .. }) => {
                // Another writer replaced a segment that was to be read, and a vacuum removed it.
                if versions::load_newest(&self.location).await?.version == version {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
        Ok(None)
    }

    #[expect(clippy::too_many_arguments, reason = "one attempt of `merge`, with all that it was given")]
    pub(super) async fn attempt(
        &self,
        lease: &Lease,
        base: Manifest,
        buffer: &Arc<ImportBuffer>,
        deletions: &Deletions,
        patches: PatchFiles,
        record: Option<&Record<'_>>,
        operation: &str,
        progress: &Progress,
    ) -> Result<Attempt> {
        let mut tombstones = Tombstones::load(&self.location, &base).await?;
        for (project, spans) in &deletions.taken_back {
            tombstones.remove(project, spans);
        }
        for (project, spans) in &deletions.spans {
            for (trace_id, span_id) in spans {
                tombstones.add(project, trace_id.clone(), span_id.clone());
            }
        }
        let names = OpenNames::of(&base, &buffer.columns);
        let plan = plan(&self.segments, &base, self.sizes, buffer, &deletions.spans).await?;
        let mut written = self.build((lease, base.format), buffer, plan, &names, &tombstones, progress).await?;
        written.take(patches);
        let same_spans = written.changes_nothing() && deletions.is_empty();
        let is_known = match record {
            Some(record) => same_spans && record.is_known(&self.location, &base).await?,
            None => same_spans,
        };
        if is_known {
            return Ok(Attempt::Done(Committed { counts: written.counts, ..Committed::unchanged(base.version) }));
        }
        let tombstones = if deletions.is_empty() || deletions.lists_none {
            base.tombstones.clone()
        } else {
            let (reference, file) = tombstones.save(&self.location, lease.file_id()).await?;
            written.files.push(file);
            Some(reference)
        };
        let change = Change { operation, tombstones, record };
        let done = self.publish(lease, &base, &mut written, &names, buffer, &change).await?;
        if !matches!(done, Attempt::Done(_)) {
            self.discard(&written).await;
        }
        Ok(done)
    }

    /// Replaces segments by others that hold the same spans, if they are all still there.
    pub(crate) async fn rewrite(
        &self,
        lease: &Lease,
        base: &Manifest,
        old: &[Segment],
        buffer: ImportBuffer,
        operation: &str,
    ) -> Result<Option<Committed>> {
        let names = OpenNames::of(base, &buffer.columns);
        let buffer = Arc::new(buffer);
        let plan = plan_new(&buffer);
        let mut written = self
            .build((lease, base.format), &buffer, plan, &names, &Tombstones::default(), &Progress::default())
            .await?;
        written.replaced = old.iter().map(|segment| segment.id.clone()).collect();
        let empty = ImportBuffer::new(self.spill_dir());
        let change = Change { operation, tombstones: base.tombstones.clone(), record: None };
        match self.publish(lease, base, &mut written, &names, &empty, &change).await? {
            Attempt::Done(committed) => Ok(Some(committed)),
            Attempt::Overtaken | Attempt::FilesRemoved => {
                self.discard(&written).await;
                Ok(None)
            }
        }
    }

    async fn build(
        &self,
        (lease, format): (&Lease, u32),
        buffer: &Arc<ImportBuffer>,
        plan: Plan,
        names: &OpenNames,
        tombstones: &Tombstones,
        progress: &Progress,
    ) -> Result<Written> {
        let context = BuildContext {
            names: Arc::new(names.clone()),
            sizes: self.sizes,
            spill_dir: self.spill_dir(),
            is_format_2: format >= 2,
            writer: lease.writer().to_owned(),
        };
        let mut written = Written::default();
        let mut moved = ImportBuffer::new(self.spill_dir());
        let Plan { work, assign, partitions } = plan;
        progress.planned(work.len() as u64);
        let parts = {
            let buffer = Arc::clone(buffer);
            blocking(move || buffer.partition(&assign, partitions)).await?
        };
        let parts = Arc::new(parts);
        let start = |work| self.one(work, Arc::clone(&parts), context.clone(), tombstones);
        let mut tasks = stream::iter(work.into_iter().map(start)).buffer_unordered(threads());
        let mut superseded = Superseded::default();
        while let Some((project, source, built)) = tasks.try_next().await? {
            progress.built();
            written.counts += built.counts;
            *written.by_project.entry(project).or_default() += built.counts;
            if !built.changed {
                continue;
            }
            match source {
                Source::Segment(id) => written.replaced.push(id),
                Source::Held(held) => {
                    let is_unchanged = |id: &str| built.unchanged.contains(id);
                    held.into_iter().for_each(|(held, facts)| superseded.add(held, facts, is_unchanged));
                }
            }
            if !built.moved.is_empty() {
                moved =
                    blocking(move || built.moved.into_iter().try_for_each(|batch| moved.push(batch)).map(|()| moved))
                        .await?;
            }
            let is_large = built.segments.iter().any(|built| built.segment.memory_bytes > TRIMMED_BYTES);
            self.put(built.segments, &mut written).await?;
            if is_large {
                let give_back = || {
                    trim();
                    Ok(())
                };
                blocking(give_back).await?;
            }
        }
        drop(tasks);
        if moved.rows > 0 {
            let Plan { work, assign, partitions } = plan_new(&moved);
            let parts = Arc::new(blocking(move || moved.partition(&assign, partitions)).await?);
            let none = Tombstones::default();
            let tasks = work.into_iter().map(|work| self.one(work, Arc::clone(&parts), context.clone(), &none));
            let mut tasks = stream::iter(tasks).buffer_unordered(threads());
            while let Some((.., built)) = tasks.try_next().await? {
                self.put(built.segments, &mut written).await?;
            }
        }
        for superseded in superseded.into_segments() {
            match self.segments.without(&superseded, file_id(lease.writer())).await? {
                Some((left, file)) => {
                    written.files.extend(file);
                    written.thinned.push((Segment::clone(&superseded.segment), left));
                }
                None => written.replaced.push(superseded.segment.id.clone()),
            }
        }
        Ok(written)
    }

    async fn one(
        &self,
        work: Work,
        parts: Arc<Vec<Vec<Slot>>>,
        context: BuildContext,
        tombstones: &Tombstones,
    ) -> Result<(String, Source, Built)> {
        match work {
            Work::New { project, partition, held } => {
                let deleted = tombstones.of(&project);
                let name = project.clone();
                let mut rows = Vec::new();
                let mut spill = Spill::new(context.spill_dir.clone(), IN_MEMORY);
                let mut all_facts = Vec::with_capacity(held.len());
                for held in &held {
                    let (slots, facts);
                    (spill, slots, facts) = self.segments.held_rows(held, spill).await?;
                    rows.extend(slots);
                    all_facts.push(facts);
                }
                let build = move || {
                    let built = build_new(&name, (&held, rows), &parts[partition], deleted.as_ref(), &context)?;
                    Ok((held, built))
                };
                let (held, built) = blocking(build).await?;
                Ok((project, Source::Held(held.into_iter().zip(all_facts).collect()), built))
            }
            Work::Rebuild { segment, runs, touched } => {
                let stored = StoredSegment::load(&self.location, &segment, context.spill_dir.clone()).await?;
                let deleted = tombstones.of(&segment.project);
                let build = move || {
                    let incoming: Vec<_> = runs
                        .into_iter()
                        .map(|(aligned_groups, partition)| (aligned_groups, parts[partition].clone()))
                        .collect();
                    rebuild(&stored, &incoming, &touched, deleted.as_ref(), &context)
                };
                Ok((segment.project.clone(), Source::Segment(segment.id.clone()), blocking(build).await?))
            }
        }
    }

    async fn put(&self, segments: Vec<BuiltSegment>, written: &mut Written) -> Result<()> {
        for built in segments {
            if built.segment.rows == 0 {
                continue;
            }
            let segment = &built.segment;
            let mut files = vec![(segment.spans_file(), segment.bytes, built.spans)];
            if segment.bundle.is_none() {
                files.push((segment.traces_file(), segment.summary_bytes, built.traces));
                files.push((segment.stats_file(), built.stats.len() as u64, built.stats.into()));
            }
            for (kind, bytes) in built.sides {
                if let Some(side) = segment.side.get(kind) {
                    files.push((side.file.clone(), side.bytes, bytes.into()));
                }
            }
            for (file, size, content) in files {
                self.location.put(&file, content).await?;
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

    /// Removes files that no manifest will name; what cannot be removed is left to a vacuum.
    async fn discard(&self, written: &Written) {
        let Ok(newest) = versions::load_newest(&self.location).await else { return };
        let live: HashSet<String> = newest.files().collect();
        for WrittenFile { file, .. } in written.files.iter().filter(|written| !live.contains(&written.file)) {
            self.discard_file(file).await;
        }
    }

    pub(super) async fn discard_file(&self, file: &str) {
        let _ = self.location.objects.delete(&self.location.path(file)).await;
    }
}
