//! Writing a patch into a store.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field, Schema, UInt64Type};

use super::facts::Changes;
use super::file::ROW;
use super::layers::join;
use super::overlay::{Layer, Overlay};
use super::patch::{Outcome, Patch, Patched, UnknownIds};
use super::resolve::{Meant, Resolved, Values, count, rows_of};
use super::targets::{Found, Ids, find};
use super::written::PatchFiles;
use crate::committed::{Committed, Deletions};
use crate::error::{Result, StoreError};
use crate::import_buffer::ImportBuffer;
use crate::layout::{MAX_OPEN_COLUMNS, OpenNames};
use crate::lease::Lease;
use crate::manifest::{Manifest, Segment};
use crate::merge::Counts;
use crate::open_columns::unpack_overflow;
use crate::progress::Progress;
use crate::publish::{ATTEMPTS, Attempt};
use crate::store::Store;
use crate::versions;
use spanql_model::columns;

/// Spans that are patched together.
const CHUNK: usize = 16 * 1024;
/// Where their metadata are patched, whose keys are columns: as many.
const METADATA_CHUNK: usize = 2048;
/// A segment of as many spans is built again
const FOLD_ROWS: u64 = 1024;
/// when more than one in so many of them is patched.
const FOLD_SHARE: u64 = 4;
/// The first format whose readers know patches.
const PATCHED_FORMAT: u32 = 2;

impl Store {
    /// Writes evaluations, annotations and metadata on spans that the store holds, and commits them as one version.
    ///
    /// When it returns, what was written is on disk and seen by whoever asks from then on. When nothing changes, nothing is
    /// committed. Spans that were deleted are unknown.
    ///
    /// # Errors
    /// [`StoreError::UnknownIds`] when ids are refused that the project has nothing of; any other [`StoreError`]. The store
    /// then holds what it held before.
    pub async fn patch(&self, patch: &Patch, unknown: UnknownIds, operation: &str) -> Result<Patched> {
        let mut lease = None;
        let done = self.patch_under(&mut lease, patch, unknown, operation).await;
        if let Some(lease) = lease {
            lease.release().await;
        }
        done
    }

    async fn patch_under(
        &self,
        lease: &mut Option<Lease>,
        patch: &Patch,
        unknown: UnknownIds,
        operation: &str,
    ) -> Result<Patched> {
        let ids = Ids::of(patch)?;
        let values = Values::of(patch)?;
        let mut removals = 0;
        for attempt in 0..ATTEMPTS {
            if attempt > 0 && lease.is_none() {
                *lease = Some(Lease::take(&self.location, None).await?);
            }
            let base = versions::load_newest(&self.location).await?;
            let version = base.version;
            let found = match find(&self.segments, &base, patch, &ids).await {
                Err(error @ StoreError::Missing { .. }) => {
                    if versions::load_newest(&self.location).await?.version == version {
                        return Err(error);
                    }
                    continue;
                }
                found => found?,
            };
            let mut counts = vec![0; ids.len()];
            found.iter().for_each(|found| count(&found.spans, &mut counts));
            if unknown == UnknownIds::Refuse && counts.contains(&0) {
                let unknown = counts.iter().enumerate().filter(|(_, count)| **count == 0);
                return Err(StoreError::UnknownIds {
                    project: patch.project.clone(),
                    what: patch.grain.nouns(),
                    ids: unknown.map(|(id, _)| ids.text(id).to_owned()).collect(),
                });
            }
            let outcomes = || {
                let outcome = |(id, &spans): (usize, &u64)| Outcome { id: ids.text(id).to_owned(), spans };
                counts.iter().enumerate().map(outcome).collect()
            };
            if found.is_empty() {
                return Ok(Patched { committed: Committed::unchanged(version), outcomes: outcomes() });
            }
            let held = match lease.take() {
                Some(held) => held,
                // A store that is not there is not made, nor written to, for ids that it does not know.
                None => {
                    self.location.create().await?;
                    let held = Lease::take(&self.location, None).await?;
                    // Versions from the base on may have been removed before: then the number after it was taken.
                    if versions::newest_version(&self.location).await? != Some(version) {
                        *lease = Some(held);
                        continue;
                    }
                    held
                }
            };
            let done = self.patch_once(&held, base, patch, &found, &ids, &values, operation).await;
            held.release().await;
            if let Some(committed) = self.settle(done, version, &mut removals).await? {
                return Ok(Patched { committed, outcomes: outcomes() });
            }
        }
        Err(StoreError::Contended { location: self.location.name.clone(), attempts: ATTEMPTS })
    }

    #[expect(clippy::too_many_arguments, reason = "one attempt of `patch`, with all that it found")]
    async fn patch_once(
        &self,
        lease: &Lease,
        base: Manifest,
        patch: &Patch,
        found: &[Found],
        ids: &Ids<'_>,
        values: &Values,
        operation: &str,
    ) -> Result<Attempt> {
        let open = OpenNames::of(&base, &values.types()).rest;
        // Keys that are no columns lie in one column together: what holds them is built again.
        let crowded = values.types().keys().any(|name| open.contains_key(name))
            || (values.patches_metadata() && !open.is_empty());
        let all = crowded || base.format < PATCHED_FORMAT;
        let mut staged = Staged { buffer: ImportBuffer::new(self.spill_dir()), patches: PatchFiles::default() };
        for found in found {
            self.stage(lease, patch, found, ids, values, all, &mut staged).await?;
        }
        staged.patches.flush(&self.location, lease).await?;
        let columns = base.columns.keys().chain(staged.patches.open.keys()).collect::<HashSet<_>>().len();
        if columns > MAX_OPEN_COLUMNS {
            staged = Staged { buffer: ImportBuffer::new(self.spill_dir()), patches: PatchFiles::default() };
            for found in found {
                self.stage(lease, patch, found, ids, values, true, &mut staged).await?;
            }
        }
        let Staged { buffer, patches } = staged;
        let (buffer, none) = (Arc::new(buffer), Deletions::new());
        self.attempt(lease, base, &buffer, &none, patches, None, operation, &Progress::default()).await
    }

    /// Puts what the spans of one segment will have into a patch, or among the spans for which it is built again.
    #[expect(clippy::too_many_arguments, reason = "one segment of `patch_once`, with all that it was given")]
    async fn stage(
        &self,
        lease: &Lease,
        patch: &Patch,
        found: &Found,
        ids: &Ids<'_>,
        values: &Values,
        again: bool,
        staged: &mut Staged,
    ) -> Result<()> {
        let segment = &found.segment;
        let overlay = self.segments.overlay(segment).await?;
        let patched = found.spans.len() as u64 + segment.patches.iter().map(|patch| patch.rows).sum::<u64>();
        let again = again || (segment.rows_in_file() >= FOLD_ROWS && patched > segment.rows_in_file() / FOLD_SHARE);
        let mut layers = Vec::new();
        let mut rest = &found.spans[..];
        while !rest.is_empty() {
            let most = if values.patches_metadata() { METADATA_CHUNK } else { CHUNK };
            let mut end = most.min(rest.len());
            // Two ids may mean one span: these stay together.
            end += rest[end..].iter().take_while(|target| target.row == rest[end - 1].row).count();
            let spans;
            (spans, rest) = rest.split_at(end);
            let named = [columns::TRACE_ID, columns::SPAN_ID];
            let known = self.segments.at(segment, &overlay, &named, &rows_of(spans)).await?;
            let meant = Meant::of(spans, &known, ids)?;
            let metadata = self.texts(segment, &overlay, columns::METADATA, &meant.with_metadata(values)).await?;
            let notes = self.texts(segment, &overlay, columns::NOTES, &meant.with_notes(values)).await?;
            let resolved = meant.resolve(values, &metadata, &notes)?;
            if again {
                staged.buffer.push(as_arrival(&resolved.values, &patch.project)?)?;
                continue;
            }
            let Some(layer) = self.layer(segment, &overlay, resolved, &mut staged.patches.counts).await? else {
                continue;
            };
            layers.push(layer);
        }
        if layers.is_empty() {
            return Ok(());
        }
        let (piece, stay) = join(&self.location, segment, layers).await?;
        staged.patches.push((&self.location, lease), segment, stay, piece).await
    }

    /// The texts of a column that spans in given rows have; one that lies with others in [`columns::REST`], too.
    async fn texts(
        &self,
        segment: &Segment,
        overlay: &Overlay,
        name: &str,
        rows: &[u64],
    ) -> Result<Vec<Option<String>>> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let read = self.segments.at(segment, overlay, &[name, columns::REST], rows).await?;
        let texts = |name: &str| read.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
        let rest = texts(columns::REST).map(|rest| unpack_overflow(rest).into_iter().find(|(key, _)| key == name));
        let rest = rest.flatten().and_then(|(_, column)| column.as_string_opt::<i32>().cloned());
        Ok(match texts(name).or(rest.as_ref()) {
            Some(texts) => texts.iter().map(|text| text.map(str::to_owned)).collect(),
            None => vec![None; rows.len()],
        })
    }

    /// What differs of the values of spans from those that they have.
    async fn layer(
        &self,
        segment: &Segment,
        overlay: &Overlay,
        resolved: Resolved,
        counts: &mut Counts,
    ) -> Result<Option<Layer>> {
        let Resolved { values, keys } = resolved;
        let rows: Vec<u64> = values.column(0).as_primitive::<UInt64Type>().values().to_vec();
        let names: Vec<&str> = values.schema_ref().fields().iter().map(|field| field.name().as_str()).collect();
        let compared = |name: &&str| ![ROW, columns::TRACE_ID, columns::SPAN_ID].contains(name);
        let names: Vec<&str> = names.into_iter().filter(compared).collect();
        let before = self.segments.at(segment, overlay, &names, &rows).await?;
        let others: Vec<usize> = (1..values.num_columns()).collect();
        let values = values.project(&others).map_err(StoreError::arrow("patching spans"))?;
        let written: Vec<usize> = (2..values.num_columns()).collect();
        let written = values.project(&written).map_err(StoreError::arrow("patching spans"))?;
        let Changes { changed, facts } = Changes::of(&written, &before, keys)?;
        let updated = changed.iter().filter(|changed| **changed).count();
        counts.updated += updated as u64;
        counts.same += (changed.len() - updated) as u64;
        if updated == 0 {
            return Ok(None);
        }
        let rows = rows.into_iter().zip(&changed).filter(|(_, changed)| **changed).map(|(row, _)| row).collect();
        let kept = BooleanArray::from(changed);
        let values = filter_record_batch(&values, &kept).map_err(StoreError::arrow("patching spans"))?;
        Ok(Some(Layer { rows, values, facts }))
    }
}

/// Patches, and rows for segments that are built again.
struct Staged {
    buffer: ImportBuffer,
    patches: PatchFiles,
}

/// Patched spans as rows that arrive.
fn as_arrival(patched: &RecordBatch, project: &str) -> Result<RecordBatch> {
    let project: ArrayRef = Arc::new(StringArray::from(vec![project; patched.num_rows()]));
    let mut fields = vec![Arc::new(Field::new(columns::PROJECT, DataType::Utf8, true))];
    let mut arrays = vec![project];
    for (field, array) in patched.schema_ref().fields().iter().zip(patched.columns()) {
        if field.name() != ROW {
            fields.push(Arc::clone(field));
            arrays.push(Arc::clone(array));
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(StoreError::arrow("patching spans"))
}
