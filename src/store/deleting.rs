//! Deleting spans, and taking that back.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;

use super::blocking::blocking;
use super::committed::{Committed, Deletions};
use super::error::{Result, StoreError};
use super::import_buffer::ImportBuffer;
use super::lease::Lease;
use super::manifest::Manifest;
use super::merge::Deleted;
use super::patches::PatchFiles;
use super::progress::Progress;
use super::publish::{ATTEMPTS, Attempt};
use super::store::Store;
use super::stored::StoredSegment;
use super::tombstones::Tombstones;
use super::versions;
use spanql_model::columns;

/// What became of deletions that were taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undeleted {
    /// The commit; of spans that are there again it counts as new.
    pub committed: Committed,
    /// Spans that are there again, from older versions.
    pub restored: u64,
    /// Spans that no version holds any more: they are only kept out no longer when they come again.
    pub lifted: u64,
    /// Ids that were not deleted.
    pub unknown: Vec<String>,
}

impl Store {
    /// Deletes spans of a project by their ids, and keeps them deleted when they arrive again.
    ///
    /// Their children become orphans. The counts of the commit say how many spans were deleted.
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
        self.delete_those(HashMap::from([(project.to_owned(), spans)])).await
    }

    /// Deletes spans by their ids and those of their traces, of any number of projects in one commit; keeps them deleted
    /// when they arrive again.
    ///
    /// Spans are given as project, trace id and span id. The store need not hold them.
    pub async fn delete<'a>(&self, spans: impl IntoIterator<Item = (&'a str, &'a str, &'a str)>) -> Result<Committed> {
        let mut by_project: HashMap<String, Deleted> = HashMap::new();
        for (project, trace_id, span_id) in spans {
            by_project.entry(project.to_owned()).or_default().insert((trace_id.to_owned(), span_id.to_owned()));
        }
        if by_project.is_empty() {
            return Ok(Committed::unchanged(versions::load_newest(&self.location).await?.version));
        }
        self.delete_those(by_project).await
    }

    async fn delete_those(&self, spans: HashMap<String, Deleted>) -> Result<Committed> {
        let buffer = ImportBuffer::new(self.spill_dir());
        self.merge(buffer, Deletions::from(spans), None, "delete", &Progress::default()).await
    }

    /// Takes deletions of spans of a project back: of these ids, or all.
    ///
    /// Spans are there again as the newest version had them that held them, and what was written since stays. Where no
    /// version holds a span any more, it is only kept out no longer.
    pub async fn undelete_spans(&self, project: &str, span_ids: Option<&[&str]>) -> Result<Undeleted> {
        let mut removals = 0;
        let mut missed = None;
        for _ in 0..ATTEMPTS {
            let base = versions::load_newest(&self.location).await?;
            let (spans, unknown) = self.deleted_of(&base, project, span_ids).await?;
            if spans.is_empty() {
                let committed = Committed::unchanged(base.version);
                return Ok(Undeleted { committed, restored: 0, lifted: 0, unknown });
            }
            self.location.create().await?;
            let lease = Lease::take(&self.location, None).await?;
            let done = self.undelete_under(&lease, project, span_ids).await;
            lease.release().await;
            match done {
                Ok((attempt, version, mut undeleted)) => {
                    if let Some(committed) = self.settle(Ok(attempt), version, &mut removals).await? {
                        undeleted.committed = committed;
                        return Ok(undeleted);
                    }
                }
                // A vacuum has removed a version that was looked through: the next time it is not there.
                Err(error @ StoreError::Missing { .. }) => missed = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(missed.unwrap_or(StoreError::Contended { location: self.location.name.clone(), attempts: ATTEMPTS }))
    }

    /// One attempt against the newest version, which it gives: what was taken back meanwhile by somebody else, and has changed
    /// since, is not to be as it was.
    async fn undelete_under(
        &self,
        lease: &Lease,
        project: &str,
        span_ids: Option<&[&str]>,
    ) -> Result<(Attempt, u64, Undeleted)> {
        let base = versions::load_newest(&self.location).await?;
        let version = base.version;
        let (spans, unknown) = self.deleted_of(&base, project, span_ids).await?;
        let mut undeleted =
            Undeleted { committed: Committed::unchanged(version), restored: 0, lifted: spans.len() as u64, unknown };
        if spans.is_empty() {
            return Ok((Attempt::Done(Committed::unchanged(version)), version, undeleted));
        }
        let (buffer, restored) = self.as_they_were(&base, project, &spans).await?;
        (undeleted.restored, undeleted.lifted) = (restored, undeleted.lifted - restored);
        let taken_back = HashMap::from([(project.to_owned(), spans)]);
        let deletions = Deletions { taken_back, ..Deletions::default() };
        let (buffer, patches) = (Arc::new(buffer), PatchFiles::default());
        let progress = Progress::default();
        let attempt = self.attempt(lease, base, &buffer, &deletions, patches, None, "undelete", &progress).await?;
        Ok((attempt, version, undeleted))
    }

    /// The spans of these ids, or all, that are deleted of a project, and the ids that are not.
    async fn deleted_of(
        &self,
        base: &Manifest,
        project: &str,
        span_ids: Option<&[&str]>,
    ) -> Result<(Deleted, Vec<String>)> {
        let tombstones = Tombstones::load(&self.location, base).await?;
        let deleted = tombstones.of(project).unwrap_or_default();
        let wanted: Option<HashSet<&str>> = span_ids.map(|ids| ids.iter().copied().collect());
        let is_wanted = |id: &str| wanted.as_ref().is_none_or(|wanted| wanted.contains(id));
        let spans: Deleted = deleted.into_iter().filter(|(_, span_id)| is_wanted(span_id)).collect();
        let found: HashSet<&str> = spans.iter().map(|(_, span_id)| span_id.as_str()).collect();
        let unknown = span_ids.into_iter().flatten().filter(|id| !found.contains(**id)).map(|id| (*id).to_owned());
        let unknown = unknown.collect();
        Ok((spans, unknown))
    }

    /// The rows of deleted spans, each from the newest version that has it, and how many there are.
    async fn as_they_were(&self, base: &Manifest, project: &str, spans: &Deleted) -> Result<(ImportBuffer, u64)> {
        let mut buffer = ImportBuffer::new(self.spill_dir());
        let mut left = spans.clone();
        let mut seen = HashSet::new();
        for (version, _) in versions::list_versions(&self.location).await?.into_iter().rev() {
            if left.is_empty() {
                break;
            }
            if version >= base.version {
                continue;
            }
            // One that is vacuumed meanwhile, or damaged, has nothing to give.
            let Ok(older) = versions::load(&self.location, version).await else { continue };
            for segment in older.segments.iter().filter(|segment| segment.project == project) {
                let ids: Vec<&str> = left.iter().map(|(_, span_id)| span_id.as_str()).collect();
                // What counts of a file may differ from version to version, and stands in its entry.
                let entry = serde_json::to_string(segment).unwrap_or_default();
                if ids.is_empty() || !seen.insert(entry) {
                    continue;
                }
                let here = self.segments.find_spans(segment, &ids).await?;
                let here: Deleted = here.into_iter().filter(|span| left.contains(span)).collect();
                if here.is_empty() {
                    continue;
                }
                let stored = StoredSegment::load(&self.location, segment, self.spill_dir()).await?;
                left.retain(|span| !here.contains(span));
                buffer = blocking(move || {
                    for aligned in stored.aligned_groups()? {
                        for batch in stored.rows(&aligned)? {
                            let rows = of_spans(&batch?, &here)?;
                            if rows.num_rows() > 0 {
                                buffer.push(rows)?;
                            }
                        }
                    }
                    Ok(buffer)
                })
                .await?;
            }
        }
        Ok((buffer, (spans.len() - left.len()) as u64))
    }
}

/// The rows of a batch that are of these spans.
fn of_spans(batch: &RecordBatch, spans: &Deleted) -> Result<RecordBatch> {
    let column = |name: &str| {
        let column = batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
        column.ok_or_else(|| StoreError::Internal(format!("stored rows lack {name}")))
    };
    let (traces, ids) = (column(columns::TRACE_ID)?, column(columns::SPAN_ID)?);
    let is_one = |row: usize| spans.contains(&(traces.value(row).to_owned(), ids.value(row).to_owned()));
    let wanted: BooleanArray = (0..batch.num_rows()).map(|row| Some(traces.is_valid(row) && is_one(row))).collect();
    filter_record_batch(batch, &wanted).map_err(StoreError::arrow("taking deletions back"))
}
