//! Reading rows of segments by their numbers.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::Schema;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use parquet::arrow::arrow_reader::RowSelection;
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;

use super::facts::{is_patched, patched};
use super::file::load;
use super::overlay::Overlay;
use crate::entries::{Segment, SegmentFile};
use crate::error::{Result, StoreError};
use crate::location::StoreLocation;
use crate::reader::{Segments, own};
use crate::segment_stats::SegmentStats;
use crate::stored::root_mask;
use crate::versions;

impl Overlay {
    /// Reads what patches say of a segment.
    pub(crate) async fn load(location: &StoreLocation, segment: &Segment) -> Result<Self> {
        let mut layers = Vec::with_capacity(segment.patches.len());
        for patch in &segment.patches {
            layers.push(load(location, &segment.id, patch, false).await?);
        }
        Ok(Self { layers })
    }

    /// The statistics of a segment with what the patches change of them.
    pub(crate) fn stats(&self, stats: &SegmentStats) -> SegmentStats {
        let mut all = std::collections::BTreeMap::new();
        for (name, facts) in self.layers.iter().flat_map(|layer| &layer.facts) {
            match all.get_mut(name) {
                None => drop(all.insert(name.clone(), facts.clone())),
                Some(known) => super::facts::PatchFacts::add(known, facts),
            }
        }
        patched(stats, &all)
    }
}

impl Segment {
    /// Whether patches may give a column of it other values than its file.
    pub fn is_patched(&self, column: &str) -> bool {
        self.patches.iter().any(|patch| is_patched(column, &patch.columns))
    }
}

impl Segments {
    /// Rows of named columns of the spans that count, in order, as the file has them.
    pub(super) async fn stream(
        &self,
        segment: &Segment,
        names: &[&str],
        rows: Option<RowSelection>,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let file = segment.spans_file();
        let open = async {
            let builder = ParquetRecordBatchStreamBuilder::new(self.reader(segment, SegmentFile::Spans)).await?;
            let mask = root_mask(builder.parquet_schema(), names);
            let builder = match rows {
                Some(rows) => builder.with_row_selection(rows),
                None => builder,
            };
            builder.with_projection(mask).with_batch_size(8192).build()
        };
        let stream = open.await.map_err(|error| own(&file, error))?;
        Ok(stream.map_err(move |error| own(&file, error)).boxed())
    }

    /// Named columns of the spans in the given rows, which come in order, with the values that count; those that no span
    /// of the segment has are left out.
    pub(super) async fn at(
        &self,
        segment: &Segment,
        overlay: &Overlay,
        names: &[&str],
        rows: &[u64],
    ) -> Result<RecordBatch> {
        let ranges = rows.iter().map(|&row| row as usize..row as usize + 1);
        let selection = RowSelection::from_consecutive_ranges(ranges, segment.rows_in_file() as usize);
        let stats = self.file_stats(segment).await?;
        let filled: Vec<&str> = names.iter().copied().filter(|name| stats.columns.contains_key(*name)).collect();
        let read = if filled.is_empty() || rows.is_empty() {
            let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
            RecordBatch::try_new_with_options(Schema::empty().into(), Vec::new(), &options)
                .map_err(StoreError::arrow("reading spans"))?
        } else {
            self.read(segment, SegmentFile::Spans, &filled, Some(selection)).await?
        };
        if read.num_rows() != rows.len() {
            let reason = format!("{} rows where {} were asked for", read.num_rows(), rows.len());
            return Err(StoreError::damaged(segment.spans_file(), reason));
        }
        let overlaid = overlay.at(rows).batch(&read)?;
        let wanted = overlaid.schema_ref().fields().iter().enumerate();
        let wanted = wanted.filter(|(_, field)| names.contains(&field.name().as_str())).map(|(index, _)| index);
        overlaid.project(&wanted.collect::<Vec<_>>()).map_err(StoreError::arrow("reading spans"))
    }
}

impl Segments {
    /// What patches say of a segment.
    ///
    /// # Errors
    /// [`StoreError::Removed`](crate::StoreError::Removed) when the version is gone;
    /// [`StoreError::Missing`](crate::StoreError::Missing), [`StoreError::Damaged`](crate::StoreError::Damaged) or
    /// [`StoreError::Storage`](crate::StoreError::Storage) when a patch cannot be read.
    pub async fn overlay(&self, segment: &Segment) -> Result<Arc<Overlay>> {
        if segment.patches.is_empty() {
            return Ok(Arc::default());
        }
        let ids = segment.patches.iter().map(|patch| patch.id.clone());
        let key: Vec<String> = std::iter::once(segment.id.clone()).chain(ids).collect();
        if let Some(known) = self.cache.overlays.get(key.as_slice()) {
            return Ok(known);
        }
        let overlay = match Overlay::load(&self.location, segment).await {
            Ok(overlay) => Arc::new(overlay),
            Err(error) => return Err(versions::explain(&self.location, self.version, error).await),
        };
        self.cache.overlays.keep(key, &overlay, overlay.bytes());
        Ok(overlay)
    }
}
