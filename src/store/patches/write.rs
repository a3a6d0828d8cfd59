//! Writing a patch into a store.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};

use super::patch::{Outcome, Patch, Patched, UnknownIds};
use super::resolve::{Meant, ROW, Values, count};
use super::targets::{Found, Ids, find};
use crate::committed::{Committed, Deletions};
use crate::error::{Result, StoreError};
use crate::import_buffer::ImportBuffer;
use crate::lease::Lease;
use crate::manifest::{self, Manifest};
use crate::progress::Progress;
use crate::publish::{ATTEMPTS, Attempt};
use crate::store::Store;
use spanql_model::columns;

/// Spans that are patched together.
const CHUNK: usize = 16 * 1024;

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
        let ids = Ids::of(patch)?;
        let values = Values::of(patch)?;
        let mut removals = 0;
        for _ in 0..ATTEMPTS {
            let base = manifest::load_newest(&self.location).await?;
            let version = base.version;
            let found = match find(&self.segments, &base, patch, &ids).await {
                Err(error @ StoreError::Missing { .. }) => {
                    if manifest::load_newest(&self.location).await?.version == version {
                        return Err(error);
                    }
                    continue;
                }
                found => found?,
            };
            let mut counts = HashMap::new();
            found.iter().for_each(|found| count(&found.spans, &mut counts));
            let outcome = |(number, id): (usize, &&str)| Outcome {
                id: (*id).to_owned(),
                spans: counts.get(&(number as u32)).copied().unwrap_or_default(),
            };
            let outcomes: Vec<Outcome> = ids.texts.iter().enumerate().map(outcome).collect();
            if unknown == UnknownIds::Refuse && outcomes.iter().any(|outcome| outcome.spans == 0) {
                let ids = outcomes.into_iter().filter(|outcome| outcome.spans == 0).map(|outcome| outcome.id);
                return Err(StoreError::UnknownIds {
                    project: patch.project.clone(),
                    what: patch.grain.nouns(),
                    ids: ids.collect(),
                });
            }
            if found.is_empty() {
                return Ok(Patched { committed: Committed::unchanged(version), outcomes });
            }
            self.location.create().await?;
            let lease = Lease::take(&self.location, None).await?;
            let done = self.patch_once(&lease, base, patch, &found, &ids, &values, operation).await;
            lease.release().await;
            if let Some(committed) = self.settle(done, version, &mut removals).await? {
                return Ok(Patched { committed, outcomes });
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
        let mut buffer = ImportBuffer::new(self.spill_dir());
        for found in found {
            for spans in found.spans.chunks(CHUNK) {
                let meant = Meant::of(spans, ids);
                let rows = meant.with_metadata(values);
                let metadata = self.segments.texts_at(&found.segment, columns::METADATA, &rows).await?;
                buffer.push(as_arrival(&meant.resolve(values, &metadata)?, &patch.project)?)?;
            }
        }
        let (buffer, none) = (Arc::new(buffer), Deletions::new());
        self.attempt(lease, base, &buffer, &none, None, operation, &Progress::default()).await
    }
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
