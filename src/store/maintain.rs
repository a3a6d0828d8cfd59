//! Keeping a store in order: versions, restoring, joining small segments, computing columns again.

use std::collections::HashSet;
use std::time::Duration;

use super::blocking::blocking;
use super::build::{SEGMENT_BYTES, SEGMENT_ROWS};
use super::committed::Committed;
use super::creation::{Commit, create};
use super::entries::Segment;
use super::error::{Result, StoreError};
use super::import_buffer::ImportBuffer;
use super::lease::Lease;
use super::maintained::{Compacted, Vacuumed, Version};
use super::manifest::{self, FORMAT, Manifest};
use super::publish::ATTEMPTS;
use super::store::Store;
use super::stored::StoredSegment;
use super::versions;

/// As many small segments of one tier in one project are joined after a commit: so a row is written again as often as
/// there are tiers, and no more small segments are left than eight times as many.
const FAN_IN: usize = 8;
/// Spans of the segments of each tier, at most; those of the last are the largest of the small ones.
const TIERS: [u64; 4] = [64, 512, 4 * 1024, 32 * 1024];

/// The tier of a small segment.
fn tier(segment: &Segment) -> Option<usize> {
    let tier = TIERS.iter().position(|&most| segment.rows < most)?;
    (segment.memory_bytes < SEGMENT_BYTES / 2).then_some(tier)
}

/// Whether something in the files of a segment counts no more.
fn is_worn(segment: &Segment) -> bool {
    segment.deletions.is_some() || !segment.patches.is_empty()
}

/// Whether there is no format to raise.
fn is_newest_format(manifest: &Manifest) -> bool {
    manifest.format >= FORMAT || manifest.version == 0
}

impl Store {
    /// The versions that can still be read, oldest first.
    pub async fn versions(&self) -> Result<Vec<Version>> {
        let mut versions = Vec::new();
        for (number, _) in versions::list_versions(&self.location).await? {
            match versions::load(&self.location, number).await {
                // A vacuum has removed it since it was listed.
                Err(StoreError::Missing { .. }) if !versions::is_listed(&self.location, number).await? => {}
                loaded => versions.push(Version { number, manifest: loaded.map_err(|error| error.to_string()) }),
            }
        }
        Ok(versions)
    }

    pub(crate) async fn version(&self, version: u64) -> Result<Manifest> {
        let known: Vec<u64> = versions::list_versions(&self.location).await?.into_iter().map(|(n, _)| n).collect();
        if !known.contains(&version) {
            let known = match (known.first(), known.last()) {
                (Some(first), Some(last)) if first == last => format!("version {first} only"),
                (Some(first), Some(last)) => format!("versions {first} to {last}"),
                _ => "no version yet".to_owned(),
            };
            return Err(StoreError::NoVersion { version, known });
        }
        match versions::load(&self.location, version).await {
            Err(StoreError::Missing { .. }) if !versions::is_listed(&self.location, version).await? => {
                Err(StoreError::Removed { version })
            }
            loaded => loaded,
        }
    }

    /// Makes an older version the newest again, as a new version.
    ///
    /// # Errors
    /// [`StoreError::NoVersion`] or [`StoreError::Removed`] when it was vacuumed; [`StoreError::Missing`] or
    /// [`StoreError::Damaged`] when one of its files is not whole.
    pub async fn restore(&self, version: u64) -> Result<Committed> {
        // A store that is not there is not made for this.
        self.version(version).await?;
        self.location.create().await?;
        let lease = Lease::take(&self.location, Some(version)).await?;
        let done = self.restore_under(&lease, version).await;
        lease.release().await;
        done
    }

    async fn restore_under(&self, lease: &Lease, version: u64) -> Result<Committed> {
        let old = self.version(version).await?;
        if let Err(error) = self.location.check(old.sized_files().collect()).await {
            return Err(versions::explain(&self.location, version, error).await);
        }
        let _committer = self.committer.lock().await;
        for _ in 0..ATTEMPTS {
            // Only its number is needed: a damaged newest version is a reason to restore an older one.
            let newest = versions::newest_version(&self.location).await?.unwrap_or(0);
            let mut next = Manifest::after(newest, &old, format!("restore {version}"));
            if let Ok(newest) = versions::load(&self.location, newest).await {
                // What was upgraded stays so.
                next.format = next.format.max(newest.format);
            }
            if let Commit::Won { unsynced } = create(&self.location, &next).await? {
                // A vacuum removes manifests, then lists those that are left, then removes the files that none of them
                // names. If the old one is still there now, that list has the new one.
                let stays = async { Ok::<_, StoreError>(lease.stands().await? && self.has_version(version).await?) };
                let not_synced = match stays.await {
                    Ok(true) => unsynced,
                    Ok(false) => {
                        let before = match newest {
                            0 => Ok(Manifest::empty()),
                            _ => versions::load(&self.location, newest).await,
                        };
                        let not_taken_back = |error: StoreError| StoreError::NotTakenBack {
                            version: next.version,
                            reason: error.to_string(),
                        };
                        self.take_back(&next, &before.map_err(not_taken_back)?).await.map_err(not_taken_back)?;
                        return Err(StoreError::Removed { version });
                    }
                    Err(error) => unsynced.or(Some(error.to_string())),
                };
                return Ok(Committed { not_synced, ..Committed::unchanged(next.version) });
            }
        }
        Err(StoreError::Contended { location: self.location.name.clone(), attempts: ATTEMPTS })
    }

    async fn has_version(&self, version: u64) -> Result<bool> {
        self.location.exists(&manifest::manifest_file(version)).await
    }

    /// Joins the small segments of projects that have many of them.
    pub(crate) async fn join_small(&self, projects: &[String]) -> Result<Compacted> {
        let base = versions::load_newest(&self.location).await?;
        let mut done = Compacted::default();
        for project in projects {
            let mut together: Vec<Segment> = Vec::new();
            for number in 0..TIERS.len() {
                let of_tier = |s: &&Segment| s.project == *project && tier(s) == Some(number);
                let of_tier: Vec<Segment> = base.segments.iter().filter(of_tier).cloned().collect();
                // What comes of a lower tier may fill the next one.
                if of_tier.len() + usize::from(!together.is_empty()) >= FAN_IN {
                    together.extend(of_tier);
                }
            }
            if !together.is_empty() {
                done = self.join(together, "compact").await?;
            }
        }
        Ok(done)
    }

    /// Joins all segments that are smaller than they could be, and writes those anew of which some traces, or some
    /// values, count no more.
    pub async fn compact(&self) -> Result<Compacted> {
        let base = versions::load_newest(&self.location).await?;
        let mut projects: Vec<&str> = base.segments.iter().map(|segment| segment.project.as_str()).collect();
        projects.dedup();
        let mut done = Compacted::default();
        for project in projects {
            let is_loose = |s: &Segment| s.rows < SEGMENT_ROWS / 2 && s.memory_bytes < SEGMENT_BYTES / 2;
            let of_project = || base.segments.iter().filter(|segment| segment.project == project);
            let loose: Vec<Segment> = of_project().filter(|s| is_loose(s)).cloned().collect();
            let mut joins: Vec<Vec<Segment>> = Vec::new();
            if loose.len() >= 2 || loose.iter().any(is_worn) {
                joins.push(loose);
            }
            joins.extend(of_project().filter(|s| is_worn(s) && !is_loose(s)).map(|worn| vec![worn.clone()]));
            for old in joins {
                let joined = self.join(old, "compact").await?;
                done.segments_before += joined.segments_before;
                done.segments_after += joined.segments_after;
                done.not_synced = joined.not_synced.or(done.not_synced);
            }
        }
        Ok(done)
    }

    /// Removes what of these projects counts no more, also from segments that are left in part, and all older versions: what
    /// was deleted is then in no file any more, but for those of versions that running writers rest on.
    ///
    /// # Errors
    /// As [`vacuum`](Self::vacuum); [`StoreError::Contended`] when other writers change the segments again and again.
    pub async fn purge(&self, projects: &[&str]) -> Result<Vacuumed> {
        for _ in 0..ATTEMPTS {
            let base = versions::load_newest(&self.location).await?;
            let worn = base.segments.iter().find(|s| projects.contains(&s.project.as_str()) && is_worn(s));
            let Some(worn) = worn else { return self.vacuum(Duration::ZERO).await };
            let worn: Vec<Segment> =
                base.segments.iter().filter(|s| s.project == worn.project && is_worn(s)).cloned().collect();
            for segment in worn {
                self.join(vec![segment], "purge").await?;
            }
        }
        Err(StoreError::Contended { location: self.location.name.clone(), attempts: ATTEMPTS })
    }

    /// Brings the store into the newest format, and computes the columns of segments again whose computed columns follow
    /// older rules; small ones of them are joined.
    ///
    /// Each step is a version of its own: broken off, it goes on where it was when it is called again. Before each step
    /// it says how many segments are left.
    ///
    /// # Errors
    /// [`StoreError::Contended`] when other writers change the segments again and again.
    pub async fn upgrade(&self, mut left: impl FnMut(usize)) -> Result<Compacted> {
        let mut done = Compacted::default();
        let mut lost = 0;
        while lost < ATTEMPTS {
            let base = versions::load_newest(&self.location).await?;
            let outdated: Vec<&Segment> = base.segments.iter().filter(|segment| segment.is_outdated()).collect();
            left(outdated.len());
            let Some(first) = outdated.first() else {
                match self.raise_format().await? {
                    Some(unsynced) => return Ok(Compacted { not_synced: unsynced.or(done.not_synced), ..done }),
                    // Another writer was first.
                    None => {
                        lost += 1;
                        continue;
                    }
                }
            };
            let (mut rows, mut bytes) = (0, 0);
            let together = outdated.iter().take_while(|segment| {
                rows += segment.rows;
                bytes += segment.memory_bytes;
                let fits = rows <= SEGMENT_ROWS && bytes <= SEGMENT_BYTES;
                segment.project == first.project && (fits || segment.id == first.id)
            });
            let together: Vec<Segment> = together.map(|segment| (*segment).clone()).collect();
            let joined = self.join(together, "upgrade").await?;
            lost = if joined == Compacted::default() { lost + 1 } else { 0 };
            done.segments_before += joined.segments_before;
            done.segments_after += joined.segments_after;
            done.not_synced = joined.not_synced.or(done.not_synced);
        }
        Err(StoreError::Contended { location: self.location.name.clone(), attempts: ATTEMPTS })
    }

    /// Makes the newest version one of the newest format: what it holds is the same. `None` when there is a newer one, or one
    /// with outdated segments; else why the disk did not confirm it, if it did not.
    async fn raise_format(&self) -> Result<Option<Option<String>>> {
        if is_newest_format(&versions::load_newest(&self.location).await?) {
            return Ok(Some(None));
        }
        self.location.create().await?;
        // Else the number of the next version may be one that was taken and removed.
        let lease = Lease::take(&self.location, None).await?;
        let done = self.raise_format_under().await;
        lease.release().await;
        done
    }

    async fn raise_format_under(&self) -> Result<Option<Option<String>>> {
        let _committer = self.committer.lock().await;
        let base = versions::load_newest(&self.location).await?;
        if is_newest_format(&base) {
            return Ok(Some(None));
        }
        if base.segments.iter().any(Segment::is_outdated) {
            return Ok(None);
        }
        let next = Manifest { format: FORMAT, ..Manifest::after(base.version, &base, "upgrade".to_owned()) };
        match create(&self.location, &next).await? {
            Commit::Won { unsynced } => Ok(Some(unsynced)),
            Commit::Lost => Ok(None),
        }
    }

    /// Rewrites segments of one project as fewer ones; gives way when another writer changes one of them meanwhile.
    async fn join(&self, old: Vec<Segment>, operation: &str) -> Result<Compacted> {
        self.location.create().await?;
        let lease = Lease::take(&self.location, None).await?;
        let done = self.join_under(&lease, &old, operation).await;
        lease.release().await;
        match done {
            // Another writer has replaced a segment, and a vacuum removed it.
            Err(StoreError::Missing { .. }) if !self.still_has(&old).await? => Ok(Compacted::default()),
            done => done,
        }
    }

    /// Whether the newest version has the segments.
    async fn still_has(&self, segments: &[Segment]) -> Result<bool> {
        let newest = versions::load_newest(&self.location).await?;
        let known: HashSet<&String> = newest.segments.iter().map(|segment| &segment.id).collect();
        Ok(segments.iter().all(|segment| known.contains(&segment.id)))
    }

    async fn join_under(&self, lease: &Lease, old: &[Segment], operation: &str) -> Result<Compacted> {
        let mut buffer = ImportBuffer::new(self.spill_dir());
        for segment in old {
            let stored = StoredSegment::load(&self.location, segment, self.spill_dir()).await?;
            buffer = blocking(move || {
                for aligned in stored.aligned_groups()? {
                    for batch in stored.rows(&aligned)? {
                        buffer.push(batch?)?;
                    }
                }
                Ok(buffer)
            })
            .await?;
        }
        let base = versions::load_newest(&self.location).await?;
        // As it was read, and not one of which less counts now.
        if !old.iter().all(|segment| base.segments.contains(segment)) {
            return Ok(Compacted::default());
        }
        let Some(committed) = self.rewrite(lease, &base, old, buffer, operation).await? else {
            return Ok(Compacted::default());
        };
        let after = versions::load_newest(&self.location).await?;
        let after = after.segments.len().saturating_sub(base.segments.len() - old.len());
        Ok(Compacted { segments_before: old.len(), segments_after: after, not_synced: committed.not_synced })
    }
}
