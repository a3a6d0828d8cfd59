//! Reading the Parquet files of a segment by ranges, every block checked, footers kept.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, TryStreamExt};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, RowSelection};
use parquet::arrow::async_reader::{AsyncFileReader, MetadataFetch, ParquetRecordBatchStreamBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};

use super::cache::Cache;
use super::column_cache::ColumnCache;
use super::dead_rows::DeadRows;
use super::entries::{Segment, SegmentFile};
use super::error::{Result, StoreError};
use super::id_hashes::BLOOM_IDS;
use super::location::StoreLocation;
use super::segment_stats::{CheckedFile, SegmentStats};
use super::stored::{checked, root_mask};
use super::text_index::TextIndex;
use super::versions;

/// Reads one Parquet file of a segment.
#[derive(Debug, Clone)]
pub struct SegmentReader {
    location: StoreLocation,
    cache: Arc<Cache>,
    segment: Arc<Segment>,
    which: SegmentFile,
    version: u64,
    file: Option<CheckedFile>,
}

impl SegmentReader {
    /// What an error means, in the form in which it goes through the Parquet reader.
    async fn foreign(&self, error: StoreError) -> ParquetError {
        ParquetError::External(Box::new(versions::explain(&self.location, self.version, error).await))
    }

    async fn file(&mut self) -> Result<&CheckedFile> {
        let file = match self.file.take() {
            Some(file) => file,
            None => match self.cache.bundle(&self.location, &self.segment, self.which).await? {
                Some(file) => file,
                None => {
                    let stats = self.cache.stats(&self.location, &self.segment).await?;
                    checked(&self.location, &self.segment, &stats, self.which)
                }
            },
        };
        Ok(self.file.insert(file))
    }

    pub(crate) async fn metadata(&mut self) -> Result<Arc<ParquetMetaData>> {
        let (cache, which) = (Arc::clone(&self.cache), self.which);
        let file = self.file().await?;
        let key = (file.file.clone(), which);
        if let Some(footer) = cache.footer(&key) {
            return Ok(footer);
        }
        let mut reader = ParquetMetaDataReader::new()
            .with_page_index_policy(PageIndexPolicy::Optional)
            .with_prefetch_hint(Some(256 * 1024));
        reader.try_load(Fetch(file), file.size).await.map_err(|error| own(&file.file, error))?;
        let footer = Arc::new(reader.finish().map_err(|error| own(&file.file, error))?);
        cache.keep_footer(key, &footer);
        Ok(footer)
    }
}

struct Fetch<'a>(&'a CheckedFile);

impl MetadataFetch for Fetch<'_> {
    fn fetch(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        let range = range.start..range.end.min(self.0.size);
        self.0.range(range).map(|result| result.map_err(foreign)).boxed()
    }
}

fn foreign(error: StoreError) -> ParquetError {
    ParquetError::External(Box::new(error))
}

/// Gives an error that went through the Parquet reader its own form back.
pub(crate) fn own(file: &str, error: ParquetError) -> StoreError {
    match error {
        ParquetError::External(inner) => match inner.downcast::<StoreError>() {
            Ok(ours) => *ours,
            Err(other) => StoreError::damaged(file, other),
        },
        error => StoreError::damaged(file, error),
    }
}

impl AsyncFileReader for SegmentReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        async move {
            let read = async { self.file().await?.range(range).await };
            match read.await {
                Ok(bytes) => Ok(bytes),
                Err(error) => Err(self.foreign(error).await),
            }
        }
        .boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, parquet::errors::Result<Vec<Bytes>>> {
        async move {
            let read = async { self.file().await?.ranges(ranges).await };
            match read.await {
                Ok(bytes) => Ok(bytes),
                Err(error) => Err(self.foreign(error).await),
            }
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, parquet::errors::Result<Arc<ParquetMetaData>>> {
        async move {
            match self.metadata().await {
                Ok(footer) => Ok(footer),
                Err(error) => Err(self.foreign(error).await),
            }
        }
        .boxed()
    }
}

/// Access to the segments of a store.
#[derive(Debug, Clone)]
pub struct Segments {
    pub(crate) location: StoreLocation,
    pub(crate) cache: Arc<Cache>,
    /// The version that is read; 0 for a writer, which finds out by itself.
    pub(crate) version: u64,
}

impl Segments {
    /// A reader of one of its files.
    pub fn reader(&self, segment: &Segment, which: SegmentFile) -> SegmentReader {
        SegmentReader {
            location: self.location.clone(),
            cache: Arc::clone(&self.cache),
            segment: Arc::new(segment.clone()),
            which,
            version: self.version,
            file: None,
        }
    }

    /// The decoded columns that are kept of the store's segments.
    #[doc(hidden)]
    pub fn columns(&self) -> &ColumnCache {
        &self.cache.columns
    }

    /// The statistics of a segment with its patches, without what counts no more.
    pub(crate) async fn stats(&self, segment: &Segment) -> Result<Arc<SegmentStats>> {
        let read = async {
            let mut stats = self.cache.stats(&self.location, segment).await?;
            if !segment.patches.is_empty() {
                stats = Arc::new(self.overlay(segment).await?.stats(&stats));
            }
            if segment.deletions.is_none() {
                return Ok(stats);
            }
            Ok(Arc::new(stats.without(&*self.cache.dead(&self.location, segment).await?)))
        };
        match read.await {
            Ok(stats) => Ok(stats),
            Err(error) => Err(versions::explain(&self.location, self.version, error).await),
        }
    }

    /// The statistics of the file of a segment, whatever is patched or counts no more.
    pub(crate) async fn file_stats(&self, segment: &Segment) -> Result<Arc<SegmentStats>> {
        self.cache.stats(&self.location, segment).await
    }

    /// What of a segment counts no more.
    pub(crate) async fn dead(&self, segment: &Segment) -> Result<Arc<DeadRows>> {
        self.cache.dead(&self.location, segment).await
    }

    /// The rows of one of its files that count; `None` where all do.
    ///
    /// # Errors
    /// [`StoreError::Removed`] when the version is gone; [`StoreError::Missing`], [`StoreError::Damaged`] or
    /// [`StoreError::Storage`] when the deletion vector cannot be read.
    pub async fn live_rows(&self, segment: &Segment, which: SegmentFile) -> Result<Option<RowSelection>> {
        if segment.deletions.is_none() {
            return Ok(None);
        }
        let dead = match self.cache.dead(&self.location, segment).await {
            Ok(dead) => dead,
            Err(error) => return Err(versions::explain(&self.location, self.version, error).await),
        };
        Ok(Some(match which {
            SegmentFile::Spans => dead.spans.without(&(0..segment.rows_in_file() as usize)),
            SegmentFile::Traces => dead.traces.without(&(0..segment.traces_in_file() as usize)),
        }))
    }

    /// Where in a segment a text may be; `None` where that was not noted when it was written.
    ///
    /// # Errors
    /// [`StoreError::Removed`] when the version is gone; [`StoreError::Missing`], [`StoreError::Damaged`] or
    /// [`StoreError::Storage`] when the side file cannot be read.
    pub async fn texts(&self, segment: &Segment) -> Result<Option<Arc<TextIndex>>> {
        match self.cache.texts(&self.location, segment).await {
            Ok(texts) => Ok(texts),
            Err(error) => Err(versions::explain(&self.location, self.version, error).await),
        }
    }

    /// How many bytes of each column of the spans lie in the file together, at most.
    pub async fn chunk_bytes(&self, segment: &Segment) -> Result<HashMap<String, u64>> {
        let mut reader = self.reader(segment, SegmentFile::Spans);
        let footer = match reader.metadata().await {
            Ok(footer) => footer,
            Err(error) => return Err(versions::explain(&self.location, self.version, error).await),
        };
        let mut largest = HashMap::new();
        for chunk in footer.row_groups().iter().flat_map(|group| group.columns()) {
            let bytes = u64::try_from(chunk.compressed_size()).unwrap_or_default();
            let most: &mut u64 = largest.entry(chunk.column_path().string()).or_default();
            *most = bytes.max(*most);
        }
        Ok(largest)
    }

    /// Named columns of a file: of some rows, or of all, whether they count or not.
    pub(crate) async fn read(
        &self,
        segment: &Segment,
        which: SegmentFile,
        names: &[&str],
        rows: Option<RowSelection>,
    ) -> Result<RecordBatch> {
        let file = match which {
            SegmentFile::Spans => segment.spans_file(),
            SegmentFile::Traces => segment.traces_file(),
        };
        let read = async {
            let builder = ParquetRecordBatchStreamBuilder::new(self.reader(segment, which)).await?;
            let mask = root_mask(builder.parquet_schema(), names);
            let builder = match rows {
                Some(rows) => builder.with_row_selection(rows),
                None => builder,
            };
            let stream = builder.with_projection(mask).build()?;
            let schema = Arc::clone(stream.schema());
            let batches: Vec<RecordBatch> = stream.try_collect().await?;
            Ok(arrow::compute::concat_batches(&schema, &batches)?)
        };
        read.await.map_err(|error| own(&file, error))
    }

    /// Whether the column of a file may hold any of the ids, as far as its bloom filters say.
    pub(crate) async fn may_hold(
        &self,
        segment: &Segment,
        which: SegmentFile,
        column: &str,
        ids: &[&str],
    ) -> Result<bool> {
        if ids.len() > BLOOM_IDS {
            return Ok(true);
        }
        let file = segment.spans_file();
        let check = async {
            let mut builder = ParquetRecordBatchStreamBuilder::new(self.reader(segment, which)).await?;
            let columns = builder.parquet_schema().columns();
            let index = columns.iter().position(|known| known.path().parts() == [column]);
            let Some(index) = index else { return Ok(true) };
            for group in 0..builder.metadata().num_row_groups() {
                match builder.get_row_group_column_bloom_filter(group, index).await? {
                    Some(bloom) if !ids.iter().any(|id| bloom.check(id)) => {}
                    _ => return Ok(true),
                }
            }
            Ok(false)
        };
        check.await.map_err(|error| own(&file, error))
    }

    /// The ids of the traces of a segment that count; `None` where all do.
    pub(crate) async fn live_trace_ids(&self, segment: &Segment) -> Result<Option<HashSet<String>>> {
        let Some(live) = self.live_rows(segment, SegmentFile::Traces).await? else { return Ok(None) };
        let rows = self.read(segment, SegmentFile::Traces, &["trace_id"], Some(live)).await?;
        let ids = rows.column_by_name("trace_id").and_then(|column| column.as_string_opt::<i32>());
        Ok(Some(ids.iter().flat_map(|ids| ids.iter()).flatten().map(str::to_owned).collect()))
    }

    /// The (trace id, span id) of the spans of a segment that have one of the given span ids.
    pub(crate) async fn find_spans(&self, segment: &Segment, span_ids: &[&str]) -> Result<Vec<(String, String)>> {
        use spanql_model::columns::{SPAN_ID, TRACE_ID};
        if !self.may_hold(segment, SegmentFile::Spans, SPAN_ID, span_ids).await? {
            return Ok(Vec::new());
        }
        let wanted: HashSet<&str> = span_ids.iter().copied().collect();
        let live = self.live_rows(segment, SegmentFile::Spans).await?;
        let rows = self.read(segment, SegmentFile::Spans, &[TRACE_ID, SPAN_ID], live).await?;
        let damaged = || StoreError::damaged(segment.spans_file(), "no id columns");
        let column =
            |name: &str| rows.column_by_name(name).and_then(|column| column.as_string_opt::<i32>()).ok_or_else(damaged);
        let (trace_id, span_id) = (column(TRACE_ID)?, column(SPAN_ID)?);
        let found = trace_id.iter().flatten().zip(span_id.iter().flatten());
        Ok(found.filter(|(_, span)| wanted.contains(span)).map(|(t, s)| (t.to_owned(), s.to_owned())).collect())
    }
}
