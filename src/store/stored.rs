//! Stored segments: reading their rows and summaries back.

use std::fs::File;
use std::io::{Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, TimestampNanosecondType};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::{ColumnChunkMetaData, PageIndexPolicy, ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::{ChunkReader, Length};
use parquet::schema::types::SchemaDescriptor;

use super::blocking::blocking;
use super::dead_rows::DeadRows;
use super::entries::{Segment, SegmentFile};
use super::error::{Result, StoreError};
use super::folders::DELETIONS;
use super::ingest::without_no_ids;
use super::location::StoreLocation;
use super::metadata_file;
use super::open_columns::unpack_overflow;
use super::packed::{PACKED, pack};
use super::patches::Overlay;
use super::row_numbers::row_numbers;
use super::segment_stats::{CheckedFile, SegmentStats};
use super::text_index::is_indexed;
use spanql_model::columns;

/// Rows and row groups that hold the same whole traces.
#[derive(Debug, Clone)]
pub(crate) struct AlignedGroups {
    pub(crate) groups: Range<usize>,
    pub(crate) traces: Range<usize>,
}

/// Bytes of a spans file that is held in memory; a larger one lies in a temporary file.
const IN_MEMORY: u64 = 256 << 20;
/// Bytes of such a file that are fetched together.
const PART: u64 = 16 << 20;
/// Rows that are decoded together, and about how many bytes.
const BATCH_ROWS: u64 = 8192;
const BATCH_BYTES: u64 = 16 << 20;
/// Rows times columns that are decoded together.
const BATCH_CELLS: u64 = 4 << 20;

/// A stored segment, read whole and checked.
pub(crate) struct StoredSegment {
    pub(crate) segment: Segment,
    pub(crate) stats: SegmentStats,
    pub(crate) schema: SchemaRef,
    pub(crate) summaries: RecordBatch,
    pub(super) file: SpansFile,
    pub(super) metadata: Arc<ParquetMetaData>,
    /// What of it counts no more.
    pub(crate) dead: Arc<DeadRows>,
    /// What its patches say.
    pub(crate) overlay: Overlay,
    reader: ArrowReaderMetadata,
}

/// The spans file of a segment, whose checksums were right.
#[derive(Clone)]
pub(super) enum SpansFile {
    Memory(Bytes),
    Disk(Arc<File>),
}

impl SpansFile {
    async fn fetch(file: &CheckedFile, spill_dir: PathBuf) -> Result<Self> {
        if file.size <= IN_MEMORY {
            return Ok(Self::Memory(file.bytes().await?));
        }
        let failed = |dir: &Path| {
            let dir = dir.to_owned();
            move |source| StoreError::Spill { dir, source }
        };
        let mut copy = tempfile::tempfile_in(&spill_dir).map_err(failed(&spill_dir))?;
        for start in (0..file.size).step_by(PART as usize) {
            let part = file.range(start..(start + PART).min(file.size)).await?;
            let failed = failed(&spill_dir);
            copy = blocking(move || copy.write_all(&part).map(|()| copy).map_err(failed)).await?;
        }
        Ok(Self::Disk(Arc::new(copy)))
    }
}

impl Length for SpansFile {
    fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::Disk(file) => Length::len(&**file),
        }
    }
}

impl ChunkReader for SpansFile {
    type T = Box<dyn Read + Send>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(match self {
            Self::Memory(bytes) => Box::new(bytes.get_read(start)?),
            Self::Disk(file) => Box::new(file.get_read(start)?),
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        match self {
            Self::Memory(bytes) => bytes.get_bytes(start, length),
            Self::Disk(file) => file.get_bytes(start, length),
        }
    }
}

impl StoredSegment {
    /// Fetches all files of a segment; a large one comes into a directory for temporary files.
    pub(crate) async fn load(location: &StoreLocation, segment: &Segment, spill_dir: PathBuf) -> Result<Self> {
        let mut stats = SegmentStats::load(location, segment).await?;
        let overlay = Overlay::load(location, segment).await?;
        let dead = dead_rows(location, segment).await?;
        let file = SpansFile::fetch(&checked(location, segment, &stats, SegmentFile::Spans), spill_dir).await?;
        let summaries = load_summaries(location, segment, &stats, None).await?;
        let damaged = |error: parquet::errors::ParquetError| StoreError::damaged(segment.spans_file(), error);
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
        let reader = ArrowReaderMetadata::load(&file, options).map_err(damaged)?;
        let metadata = Arc::clone(reader.metadata());
        let schema = Arc::clone(reader.schema());
        stats = overlay.stats(&stats).without(&dead);
        Ok(Self { segment: segment.clone(), stats, schema, summaries, file, metadata, dead, overlay, reader })
    }

    /// How many traces of an aligned group count.
    pub(crate) fn live_traces(&self, aligned: &AlignedGroups) -> usize {
        aligned.traces.len() - self.dead.traces.count_in(&aligned.traces)
    }

    /// Whether traces of an aligned group count no more.
    pub(crate) fn has_dead(&self, aligned: &AlignedGroups) -> bool {
        self.dead.traces.count_in(&aligned.traces) > 0
    }

    /// Whether an aligned group is not what its file says: traces of it count no more, or values are patched.
    pub(crate) fn differs(&self, aligned: &AlignedGroups) -> bool {
        let rows = self.rows_of(aligned.groups.clone());
        self.has_dead(aligned) || self.overlay.touches(rows.start as u64..rows.end as u64)
    }

    /// The rows of row groups.
    fn rows_of(&self, groups: Range<usize>) -> Range<usize> {
        let rows = |groups: &[RowGroupMetaData]| groups.iter().map(|group| group.num_rows() as usize).sum::<usize>();
        let all = self.metadata.row_groups();
        let before = rows(&all[..groups.start]);
        before..before + rows(&all[groups])
    }

    /// The ids of its traces, in order.
    pub(crate) fn trace_ids(&self) -> Result<&StringArray> {
        self.summaries
            .column_by_name("trace_id")
            .and_then(|column| column.as_string_opt::<i32>())
            .ok_or_else(|| StoreError::damaged(self.segment.traces_file(), "no column trace_id"))
    }

    /// Start of a trace, ns.
    pub(crate) fn trace_start(&self, trace: usize) -> Option<i64> {
        let starts = self.summaries.column_by_name("start_time")?.as_primitive_opt::<TimestampNanosecondType>()?;
        starts.is_valid(trace).then(|| starts.value(trace))
    }

    /// The segment cut into runs of row groups that hold whole traces.
    pub(crate) fn aligned_groups(&self) -> Result<Vec<AlignedGroups>> {
        cut_aligned_groups(&self.segment, &self.summaries, &self.metadata)
    }

    /// About how many bytes the rows of an aligned group take in memory.
    pub(crate) fn memory_bytes(&self, aligned: &AlignedGroups) -> u64 {
        aligned.groups.clone().map(|group| group_bytes(self.metadata.row_group(group))).sum()
    }

    /// The rows of an aligned group that count, patched, as ingest batches are: without computed columns, `attributes.rest`
    /// unpacked.
    pub(crate) fn rows<'a>(
        &'a self,
        aligned: &AlignedGroups,
    ) -> Result<impl Iterator<Item = Result<RecordBatch>> + use<'a>> {
        let filled = |name: &str| self.stats.columns.contains_key(name);
        let wanted = |name: &str| has_arrived(name) && filled(name);
        let read = self.read(aligned.groups.clone(), &wanted)?;
        let all = self.rows_of(aligned.groups.clone());
        let live = self.dead.spans.without(&all);
        let mut numbers = row_numbers(Some(&live), all.len() as u64).map(move |row| all.start as u64 + row);
        Ok(read.map(move |batch| {
            let batch = batch?;
            let rows: Vec<u64> = numbers.by_ref().take(batch.num_rows()).collect();
            as_arrived(&self.overlay.at(&rows).batch(&batch)?)
        }))
    }

    /// The JSON column of keys beyond the limit, where the segment has it.
    pub(crate) fn rest(&self, groups: Range<usize>) -> Result<Option<StringArray>> {
        if !self.stats.columns.contains_key(columns::REST) {
            return Ok(None);
        }
        let batches = self.read(groups, &|name: &str| name == columns::REST)?.collect::<Result<Vec<_>>>()?;
        let texts = batches.iter().filter_map(|batch| batch.column(0).as_string_opt::<i32>());
        Ok(Some(texts.flat_map(|column| column.iter()).collect()))
    }

    /// Hands out the values of its columns of long texts in row groups of which all rows count.
    pub(crate) fn each_text(&self, groups: Range<usize>, mut each: impl FnMut(&str, &ArrayRef)) -> Result<()> {
        for batch in self.read(groups, &is_indexed)? {
            let batch = batch?;
            for (field, values) in batch.schema_ref().fields().iter().zip(batch.columns()) {
                each(field.name(), values);
            }
        }
        Ok(())
    }

    fn read<'a>(
        &'a self,
        groups: Range<usize>,
        wanted: &dyn Fn(&str) -> bool,
    ) -> Result<impl Iterator<Item = Result<RecordBatch>> + use<'a>> {
        let damaged = move |error: &dyn std::fmt::Display| StoreError::damaged(self.segment.spans_file(), error);
        let fields = self.schema.fields().iter().enumerate();
        let wanted: Vec<usize> = fields.filter(|(_, field)| wanted(field.name())).map(|(index, _)| index).collect();
        let columns = wanted.len().max(1) as u64;
        let mask = ProjectionMask::roots(self.metadata.file_metadata().schema_descr(), wanted);
        let largest = groups.clone().map(|group| {
            let group = self.metadata.row_group(group);
            group_bytes(group) / group.num_rows().max(1) as u64
        });
        // One column of a batch must not hold more text than an array can.
        let most = BATCH_ROWS.min((BATCH_CELLS / columns).max(1));
        let rows = (BATCH_BYTES / largest.max().unwrap_or(0).max(1)).clamp(1, most);
        let inside = self.rows_of(groups.clone());
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(self.file.clone(), self.reader.clone())
            .with_row_groups(groups.collect())
            .with_projection(mask)
            .with_batch_size(rows as usize);
        if self.dead.spans.count_in(&inside) > 0 {
            builder = builder.with_row_selection(self.dead.spans.without(&inside));
        }
        let reader = builder.build().map_err(|error| damaged(&error))?;
        Ok(reader.map(move |batch| batch.map_err(|error| damaged(&error))))
    }
}

/// About how many bytes the rows of a row group take in memory: texts that a dictionary holds once are many there.
fn group_bytes(group: &RowGroupMetaData) -> u64 {
    let bytes = |column: &ColumnChunkMetaData| {
        column.uncompressed_size().max(column.unencoded_byte_array_data_bytes().unwrap_or(0)).max(0) as u64
    };
    group.columns().iter().map(bytes).sum()
}

/// Cuts a segment where a row group and a trace start together.
pub(crate) fn cut_aligned_groups(
    segment: &Segment,
    summaries: &RecordBatch,
    footer: &ParquetMetaData,
) -> Result<Vec<AlignedGroups>> {
    let damaged = || StoreError::damaged(segment.traces_file(), "span counts do not match the segment");
    let counts = summaries.column_by_name("span_count").ok_or_else(damaged)?;
    let counts = counts.as_primitive_opt::<Int64Type>().ok_or_else(damaged)?;
    let mut aligned_groups: Vec<AlignedGroups> = Vec::new();
    let (mut group, mut group_end) = (0, 0);
    let (mut row, mut first_group, mut first_trace) = (0_i64, 0, 0);
    for trace in 0..counts.len() {
        row += counts.value(trace);
        while group < footer.num_row_groups() && group_end < row {
            group_end += footer.row_group(group).num_rows();
            group += 1;
        }
        if row == group_end {
            aligned_groups.push(AlignedGroups { groups: first_group..group, traces: first_trace..trace + 1 });
            (first_group, first_trace) = (group, trace + 1);
        }
    }
    if first_trace != counts.len() || first_group != footer.num_row_groups() {
        return Err(damaged());
    }
    Ok(aligned_groups)
}

/// What of a segment counts no more.
pub(crate) async fn dead_rows(location: &StoreLocation, segment: &Segment) -> Result<Arc<DeadRows>> {
    let Some(deletions) = &segment.deletions else { return Ok(Arc::default()) };
    let dead: DeadRows = match (&deletions.inline, &deletions.file) {
        (Some(dead), _) => dead.clone(),
        (None, Some(reference)) => metadata_file::load(location, DELETIONS, reference).await?,
        (None, None) => return Err(StoreError::damaged(segment.spans_file(), "its deletion vector is missing")),
    };
    if dead.spans.len() as u64 != deletions.rows || dead.traces.len() as u64 != deletions.traces {
        return Err(StoreError::damaged(segment.spans_file(), "its deletion vector does not fit the manifest"));
    }
    Ok(Arc::new(dead))
}

/// Stored rows as ingest batches are.
pub(crate) fn as_arrived(batch: &RecordBatch) -> Result<RecordBatch> {
    pack(without_no_ids(&unpack_rest(batch)?)?)
}

/// Whether a column of a segment is one that arrived, and not computed.
pub(crate) fn has_arrived(name: &str) -> bool {
    !name.starts_with("tree.") && name != columns::LATENCY_MS
}

fn unpack_rest(batch: &RecordBatch) -> Result<RecordBatch> {
    let Ok(index) = batch.schema_ref().index_of(columns::REST) else { return Ok(batch.clone()) };
    let mut fields: Vec<Arc<Field>> = batch.schema_ref().fields().iter().cloned().collect();
    let mut arrays = batch.columns().to_vec();
    let is_object = |text: &str| text.starts_with("{\"") && text.ends_with('}');
    if arrays[index].as_string_opt::<i32>().is_some_and(|rest| rest.iter().flatten().all(is_object)) {
        // What is packed has the same form.
        fields[index] = Arc::new(Field::new(PACKED, DataType::Utf8, true));
        return RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
            .map_err(StoreError::arrow("reading attributes.rest"));
    }
    fields.remove(index);
    let rest = arrays.remove(index);
    if let Some(rest) = rest.as_string_opt::<i32>() {
        for (name, array) in unpack_overflow(rest) {
            fields.push(Arc::new(Field::new(name, array.data_type().clone(), true)));
            arrays.push(array);
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(StoreError::arrow("reading attributes.rest"))
}

/// One of the Parquet files of a segment that is one file: for it, its statistics are not needed.
pub(crate) fn checked_bundle(location: &StoreLocation, segment: &Segment, which: SegmentFile) -> Option<CheckedFile> {
    let bundle = segment.bundle.as_ref()?;
    let whole = CheckedFile::whole(location, segment.spans_file(), segment.bytes, bundle.sums.clone());
    Some(match which {
        SegmentFile::Spans => whole,
        SegmentFile::Traces => whole.part(bundle.summaries, segment.summary_bytes),
    })
}

/// One of the Parquet files of a segment.
pub(crate) fn checked(
    location: &StoreLocation,
    segment: &Segment,
    stats: &SegmentStats,
    which: SegmentFile,
) -> CheckedFile {
    checked_bundle(location, segment, which).unwrap_or_else(|| match which {
        SegmentFile::Spans => CheckedFile::whole(location, segment.spans_file(), segment.bytes, stats.spans.clone()),
        SegmentFile::Traces => {
            CheckedFile::whole(location, segment.traces_file(), segment.summary_bytes, stats.traces.clone())
        }
    })
}

/// The named top-level columns. (`ProjectionMask::columns` takes dots in a name for nesting.)
pub(crate) fn root_mask(schema: &SchemaDescriptor, names: &[&str]) -> ProjectionMask {
    let fields = schema.root_schema().get_fields().iter().enumerate();
    ProjectionMask::roots(schema, fields.filter(|(_, field)| names.contains(&field.name())).map(|(index, _)| index))
}

/// Reads the trace summaries of a segment: all columns, or the named ones.
pub(crate) async fn load_summaries(
    location: &StoreLocation,
    segment: &Segment,
    stats: &SegmentStats,
    wanted: Option<&[&str]>,
) -> Result<RecordBatch> {
    let bytes = checked(location, segment, stats, SegmentFile::Traces).bytes().await?;
    let damaged = |error: String| StoreError::damaged(segment.traces_file(), error);
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(|error| damaged(error.to_string()))?;
    let mask = match wanted {
        None => ProjectionMask::all(),
        Some(names) => root_mask(builder.parquet_schema(), names),
    };
    let reader = builder.with_projection(mask).with_batch_size(8192).build();
    let mut reader = reader.map_err(|error| damaged(error.to_string()))?;
    let schema = arrow::array::RecordBatchReader::schema(&reader);
    let batches = reader.by_ref().collect::<std::result::Result<Vec<_>, _>>();
    let batches = batches.map_err(|error| damaged(error.to_string()))?;
    arrow::compute::concat_batches(&schema, &batches).map_err(|error| damaged(error.to_string()))
}

/// Whether a column of the spans file has this type, or is missing there.
pub(crate) fn has_type(schema: &Schema, name: &str, data_type: &DataType) -> bool {
    schema.field_with_name(name).map_or(true, |field| field.data_type() == data_type)
}
