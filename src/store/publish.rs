//! Making a commit visible: the next manifest, checked before and behind it, again if somebody else was first.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::committed::Committed;
use super::creation::{Commit, create};
use super::error::{Result, StoreError};
use super::files::WrittenFile;
use super::import_buffer::ImportBuffer;
use super::layout::{MAX_OPEN_COLUMNS, OpenNames};
use super::lease::Lease;
use super::ledger::Record;
use super::manifest::{self, FileRef, Manifest, Segment};
use super::merge::Counts;
use super::patches::PatchFiles;
use super::sought::Sought;
use super::store::Store;
use super::versions;
use spanql_model::types::OpenType;

/// Attempts before a writer gives up against others.
pub(super) const ATTEMPTS: usize = 50;

/// Segments that were written and are not in a manifest yet.
#[derive(Default)]
pub(super) struct Written {
    pub(super) added: Vec<Segment>,
    /// Ids of segments that go.
    pub(super) replaced: Vec<String>,
    /// Segments that stay in part, or with other patches: what the base says of them, and what the next version says.
    pub(super) thinned: Vec<(Segment, Segment)>,
    pub(super) open: BTreeMap<String, OpenType>,
    pub(super) counts: Counts,
    /// The same by project.
    pub(super) by_project: BTreeMap<String, Counts>,
    /// Their files, and others that the manifest will name.
    pub(super) files: Vec<WrittenFile>,
    /// How many of the files the disk was asked to keep.
    synced: usize,
}

impl Written {
    /// Takes the files of patches.
    pub(super) fn take(&mut self, patches: PatchFiles) {
        self.files.extend(patches.files);
        self.thinned.extend(patches.patched);
        self.counts += patches.counts;
        for (name, seen) in patches.open {
            self.open.entry(name).and_modify(|known| *known = known.unite(seen)).or_insert(seen);
        }
    }

    /// Whether all segments stay as they are.
    pub(super) fn changes_nothing(&self) -> bool {
        self.added.is_empty() && self.replaced.is_empty() && self.thinned.is_empty()
    }
}

/// How an attempt to commit ended.
pub(super) enum Attempt {
    Done(Committed),
    /// Another writer's commit means the work must be done again.
    Overtaken,
    /// Files that were written were removed, or may be at any time: the work must be done again, too.
    FilesRemoved,
}

/// What a commit changes beside segments.
pub(super) struct Change<'a> {
    pub(super) operation: &'a str,
    pub(super) tombstones: Option<FileRef>,
    /// Whoever wins a race writes the next ledger, so this is applied to the newest one at every attempt.
    pub(super) record: Option<&'a Record<'a>>,
}

impl Store {
    /// Creates the next manifest.
    pub(super) async fn publish(
        &self,
        lease: &Lease,
        base: &Manifest,
        written: &mut Written,
        names: &OpenNames,
        buffer: &ImportBuffer,
        change: &Change<'_>,
    ) -> Result<Attempt> {
        let _committer = self.committer.lock().await;
        let mut newest = base.clone();
        for _ in 0..ATTEMPTS {
            let Some(mut next) = next_manifest(&newest, written, names, change) else {
                return Ok(Attempt::Overtaken);
            };
            let ledger = match change.record {
                Some(record) => {
                    Some(record.save_after(&self.location, lease.file_id(), &newest, &written.by_project).await?)
                }
                None => None,
            };
            if let Some((reference, file)) = &ledger {
                written.files.push(file.clone());
                next.ledger = Some(reference.clone());
            }
            // What a manifest names must be there before it is, and stay.
            let unsynced = written.files[written.synced..].iter().map(|written| written.file.clone()).collect();
            let synced = self.location.sync(unsynced).await;
            if !self.owns(lease, &written.files).await? {
                return Ok(Attempt::FilesRemoved);
            }
            synced?;
            written.synced = written.files.len();
            if let Commit::Won { unsynced } = create(&self.location, &next).await? {
                let not_synced = match self.owns(lease, &written.files).await {
                    Ok(true) => unsynced,
                    Ok(false) => {
                        self.take_back(&next, &newest).await.map_err(|error| StoreError::NotTakenBack {
                            version: next.version,
                            reason: error.to_string(),
                        })?;
                        return Ok(Attempt::FilesRemoved);
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
            newest = versions::load_newest(&self.location).await?;
            if self.conflicts(base, &newest, written, buffer).await? {
                return Ok(Attempt::Overtaken);
            }
        }
        Err(StoreError::Contended { location: self.location.name.clone(), attempts: ATTEMPTS })
    }

    /// Whether a writer's lease stands and its files are as it wrote them.
    async fn owns(&self, lease: &Lease, files: &[WrittenFile]) -> Result<bool> {
        Ok(self.location.holds(files).await? && lease.stands().await?)
    }

    /// Takes a version back whose files may be removed at any time, by another one that differs from the newest in what
    /// that version had changed.
    pub(super) async fn take_back(&self, version: &Manifest, before: &Manifest) -> Result<()> {
        let has = |manifest: &Manifest, id: &str| manifest.segments.iter().any(|segment| segment.id == id);
        let patch_ids = |manifest: &Manifest| -> HashSet<String> {
            manifest.segments.iter().flat_map(|segment| &segment.patches).map(|patch| patch.id.clone()).collect()
        };
        let added = &patch_ids(version) - &patch_ids(before);
        let has_added = |segment: &Segment| segment.patches.iter().any(|patch| added.contains(&patch.id));
        for _ in 0..ATTEMPTS {
            let newest = versions::load_newest(&self.location).await?;
            let is_added = |segment: &Segment| has(version, &segment.id) && !has(before, &segment.id);
            // One that was created below newer versions changes nothing.
            let rests_on_it = newest.segments.iter().any(|segment| is_added(segment) || has_added(segment))
                || (newest.ledger == version.ledger && version.ledger != before.ledger)
                || (newest.tombstones == version.tombstones && version.tombstones != before.tombstones);
            if version.version < newest.version && !rests_on_it {
                return Ok(());
            }
            let mut next = Manifest::after(newest.version, &newest, manifest::taking_back(version.version));
            next.segments.retain(|segment| !is_added(segment));
            let replaced =
                before.segments.iter().filter(|segment| !has(version, &segment.id) && !has(&newest, &segment.id));
            next.segments.extend(replaced.cloned());
            for segment in &mut next.segments {
                let of =
                    |manifest: &'_ Manifest| manifest.segments.iter().find(|known| known.id == segment.id).cloned();
                let (Some(was), Some(became)) = (of(before), of(version)) else { continue };
                if was != became && *segment == became {
                    *segment = was;
                } else if was != became && *segment != was {
                    // A newer version rests on what this one made of it.
                    return Err(StoreError::Contended { location: self.location.name.clone(), attempts: ATTEMPTS });
                }
            }
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
            self.location.check(next.sized_files().collect()).await?;
            if let Commit::Won { .. } = create(&self.location, &next).await? {
                return Ok(());
            }
        }
        Err(StoreError::Contended { location: self.location.name.clone(), attempts: ATTEMPTS })
    }

    /// Whether a newer version replaced a segment this merge read, or added one that holds one of its traces.
    async fn conflicts(
        &self,
        base: &Manifest,
        newest: &Manifest,
        written: &Written,
        buffer: &ImportBuffer,
    ) -> Result<bool> {
        if base.tombstones != newest.tombstones {
            return Ok(true);
        }
        // As it was when it was read: one of which less counts now was read with too much.
        let still = |id: &str| {
            let of = |manifest: &'_ Manifest| manifest.segments.iter().position(|segment| segment.id == id);
            matches!((of(base), of(newest)), (Some(was), Some(is)) if base.segments[was] == newest.segments[is])
        };
        let mut read = written.replaced.iter().chain(written.thinned.iter().map(|(was, _)| &was.id));
        if !read.all(|id| still(id)) {
            return Ok(true);
        }
        let mut sought: HashMap<&str, Sought<'_>> = HashMap::new();
        for segment in &newest.segments {
            if base.segments.iter().any(|known| known.id == segment.id) {
                continue;
            }
            let project = segment.project.as_str();
            let sought = sought.entry(project).or_insert_with(|| Sought::of(buffer, project, None));
            if !sought.ids.is_empty()
                && let Some(index) = self.segments.trace_index(segment, &sought.ids).await?
                && index.likely().any(|(_, id)| sought.is_touched(id))
            {
                return Ok(true);
            }
        }
        Ok(false)
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
    for (_, thinned) in &written.thinned {
        next.segments.iter_mut().filter(|segment| segment.id == thinned.id).for_each(|known| known.clone_from(thinned));
    }
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
    let columns = next.columns.keys().filter(|name| *name != spanql_model::columns::REST).count();
    (columns <= MAX_OPEN_COLUMNS).then_some(next)
}
