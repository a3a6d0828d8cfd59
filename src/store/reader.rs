//! Reading the Parquet files of a segment by ranges, every block checked, footers kept.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{AsArray, RecordBatch, StringArray};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryStreamExt};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, RowSelection};
use parquet::arrow::async_reader::{AsyncFileReader, MetadataFetch, ParquetRecordBatchStreamBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};

use super::error::{Result, StoreError};
use super::location::StoreLocation;
use super::manifest::{self, Segment};
use super::segment_stats::{CheckedFile, SegmentStats};
use super::stored::{AlignedGroups, checked_spans, checked_traces, cut_aligned_groups, root_mask};

/// Statistics and footers of segments that were opened: both are immutable.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    segment_stats: Mutex<HashMap<String, Arc<SegmentStats>>>,
    footers: Mutex<HashMap<String, Arc<ParquetMetaData>>>,
}

/// Which of a segment's two Parquet files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SegmentFile {
    /// Its spans.
    Spans,
    /// The summaries of its traces.
    Traces,
}

impl Cache {
    pub(crate) async fn stats(&self, location: &StoreLocation, segment: &Segment) -> Result<Arc<SegmentStats>> {
        if let Some(stats) = self.segment_stats.lock().unwrap_or_else(PoisonError::into_inner).get(&segment.id) {
            return Ok(Arc::clone(stats));
        }
        let stats = Arc::new(SegmentStats::load(location, segment).await?);
        let mut segment_stats = self.segment_stats.lock().unwrap_or_else(PoisonError::into_inner);
        segment_stats.insert(segment.id.clone(), Arc::clone(&stats));
        Ok(stats)
    }

    fn footer(&self, file: &str) -> Option<Arc<ParquetMetaData>> {
        self.footers.lock().unwrap_or_else(PoisonError::into_inner).get(file).cloned()
    }

    fn keep_footer(&self, file: &str, footer: &Arc<ParquetMetaData>) {
        let mut footers = self.footers.lock().unwrap_or_else(PoisonError::into_inner);
        footers.insert(file.to_owned(), Arc::clone(footer));
    }
}

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
        ParquetError::External(Box::new(manifest::explain(&self.location, self.version, error).await))
    }

    async fn file(&mut self) -> Result<&CheckedFile> {
        let file = match self.file.take() {
            Some(file) => file,
            None => {
                let stats = self.cache.stats(&self.location, &self.segment).await?;
                match self.which {
                    SegmentFile::Spans => checked_spans(&self.location, &self.segment, &stats),
                    SegmentFile::Traces => checked_traces(&self.location, &self.segment, &stats),
                }
            }
        };
        Ok(self.file.insert(file))
    }

    async fn metadata(&mut self) -> Result<Arc<ParquetMetaData>> {
        let cache = Arc::clone(&self.cache);
        let file = self.file().await?;
        if let Some(footer) = cache.footer(&file.file) {
            return Ok(footer);
        }
        let mut reader = ParquetMetaDataReader::new()
            .with_page_index_policy(PageIndexPolicy::Optional)
            .with_prefetch_hint(Some(256 * 1024));
        reader.try_load(Fetch(file), file.size).await.map_err(|error| own(&file.file, error))?;
        let footer = Arc::new(reader.finish().map_err(|error| own(&file.file, error))?);
        cache.keep_footer(&file.file, &footer);
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
fn own(file: &str, error: ParquetError) -> StoreError {
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

/// Which traces a segment holds, and in which runs of row groups.
#[derive(Debug)]
pub(crate) struct TraceIndex {
    pub(crate) trace_ids: StringArray,
    pub(crate) aligned_groups: Vec<AlignedGroups>,
}

/// Above this many ids a bloom filter lets some through in every row group, so it is not asked.
const BLOOM_IDS: usize = 50;

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

    /// The statistics of a segment.
    pub(crate) async fn stats(&self, segment: &Segment) -> Result<Arc<SegmentStats>> {
        match self.cache.stats(&self.location, segment).await {
            Ok(stats) => Ok(stats),
            Err(error) => Err(manifest::explain(&self.location, self.version, error).await),
        }
    }

    /// How many bytes of each column of the spans lie in the file together, at most.
    pub async fn chunk_bytes(&self, segment: &Segment) -> Result<HashMap<String, u64>> {
        let mut reader = self.reader(segment, SegmentFile::Spans);
        let footer = match reader.metadata().await {
            Ok(footer) => footer,
            Err(error) => return Err(manifest::explain(&self.location, self.version, error).await),
        };
        let mut largest = HashMap::new();
        for chunk in footer.row_groups().iter().flat_map(|group| group.columns()) {
            let bytes = u64::try_from(chunk.compressed_size()).unwrap_or_default();
            let most: &mut u64 = largest.entry(chunk.column_path().string()).or_default();
            *most = bytes.max(*most);
        }
        Ok(largest)
    }

    async fn read(&self, segment: &Segment, which: SegmentFile, names: &[&str]) -> Result<RecordBatch> {
        let file = match which {
            SegmentFile::Spans => segment.spans_file(),
            SegmentFile::Traces => segment.traces_file(),
        };
        let read = async {
            let builder = ParquetRecordBatchStreamBuilder::new(self.reader(segment, which)).await?;
            let mask = root_mask(builder.parquet_schema(), names);
            let stream = builder.with_projection(mask).build()?;
            let schema = Arc::clone(stream.schema());
            let batches: Vec<RecordBatch> = stream.try_collect().await?;
            Ok(arrow::compute::concat_batches(&schema, &batches)?)
        };
        read.await.map_err(|error| own(&file, error))
    }

    /// Rows of named columns of a file, in order.
    pub(crate) async fn stream(
        &self,
        segment: &Segment,
        which: SegmentFile,
        names: &[&str],
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let file = match which {
            SegmentFile::Spans => segment.spans_file(),
            SegmentFile::Traces => segment.traces_file(),
        };
        let open = async {
            let builder = ParquetRecordBatchStreamBuilder::new(self.reader(segment, which)).await?;
            let mask = root_mask(builder.parquet_schema(), names);
            builder.with_projection(mask).with_batch_size(8192).build()
        };
        let stream = open.await.map_err(|error| own(&file, error))?;
        Ok(stream.map_err(move |error| own(&file, error)).boxed())
    }

    /// The texts of a column of the spans in the given rows, which come in order.
    pub(crate) async fn texts_at(&self, segment: &Segment, name: &str, rows: &[u64]) -> Result<Vec<Option<String>>> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let file = segment.spans_file();
        let read = async {
            let builder = ParquetRecordBatchStreamBuilder::new(self.reader(segment, SegmentFile::Spans)).await?;
            let mask = root_mask(builder.parquet_schema(), &[name]);
            let ranges = rows.iter().map(|&row| row as usize..row as usize + 1);
            let selection = RowSelection::from_consecutive_ranges(ranges, segment.rows as usize);
            let stream = builder.with_projection(mask).with_row_selection(selection).build()?;
            stream.try_collect::<Vec<RecordBatch>>().await
        };
        let batches = read.await.map_err(|error| own(&file, error))?;
        let columns = batches.iter().filter_map(|batch| batch.columns().first()?.as_string_opt::<i32>());
        let texts: Vec<_> = columns.flat_map(|column| column.iter().map(|text| text.map(str::to_owned))).collect();
        let damaged = || StoreError::damaged(&file, format!("{} values of {name} in {} rows", texts.len(), rows.len()));
        if texts.len() == rows.len() { Ok(texts) } else { Err(damaged()) }
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

    /// The trace index of a segment that may hold any of the given traces; `None` when its bloom filters rule them out.
    pub(crate) async fn trace_index(&self, segment: &Segment, ids: &[&str]) -> Result<Option<TraceIndex>> {
        if !self.may_hold(segment, SegmentFile::Traces, "trace_id", ids).await? {
            return Ok(None);
        }
        let summaries = self.read(segment, SegmentFile::Traces, &["trace_id", "span_count"]).await?;
        let metadata = self.reader(segment, SegmentFile::Spans).metadata().await?;
        let aligned_groups = cut_aligned_groups(segment, &summaries, &metadata)?;
        let damaged = || StoreError::damaged(segment.traces_file(), "no column trace_id");
        let trace_ids = summaries.column_by_name("trace_id").ok_or_else(damaged)?;
        Ok(Some(TraceIndex {
            trace_ids: trace_ids.as_string_opt::<i32>().ok_or_else(damaged)?.clone(),
            aligned_groups,
        }))
    }

    /// The (trace id, span id) of the spans of a segment that have one of the given span ids.
    pub(crate) async fn find_spans(&self, segment: &Segment, span_ids: &[&str]) -> Result<Vec<(String, String)>> {
        use spanql_model::columns::{SPAN_ID, TRACE_ID};
        if !self.may_hold(segment, SegmentFile::Spans, SPAN_ID, span_ids).await? {
            return Ok(Vec::new());
        }
        let wanted: std::collections::HashSet<&str> = span_ids.iter().copied().collect();
        let rows = self.read(segment, SegmentFile::Spans, &[TRACE_ID, SPAN_ID]).await?;
        let damaged = || StoreError::damaged(segment.spans_file(), "no id columns");
        let column =
            |name: &str| rows.column_by_name(name).and_then(|column| column.as_string_opt::<i32>()).ok_or_else(damaged);
        let (trace_id, span_id) = (column(TRACE_ID)?, column(SPAN_ID)?);
        let found = trace_id.iter().flatten().zip(span_id.iter().flatten());
        Ok(found.filter(|(_, span)| wanted.contains(span)).map(|(t, s)| (t.to_owned(), s.to_owned())).collect())
    }
}
