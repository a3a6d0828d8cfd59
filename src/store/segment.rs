//! Segments: writing the three files of one.

mod facts;
mod pages;
mod sizes;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray, new_null_array};
use arrow::datatypes::{Int64Type, SchemaRef, TimestampNanosecondType};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowRowGroupWriterFactory, compute_leaves};
use parquet::column::writer::ColumnCloseResult;
use parquet::file::properties::ReaderProperties;
use parquet::file::reader::FileReader;
use parquet::file::serialized_reader::{ReadOptionsBuilder, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;

use super::block_sums::BlockSums;
use super::content::Content;
use super::entries::{Bundle, COMPUTED, Segment};
use super::error::{Result, StoreError};
use super::id_hashes::{IdHashes, TRACE_IDS};
use super::merge::{Layout, Merged};
use super::open_columns::{type_of, unpack_overflow_values};
use super::segment_stats::{ColumnFacts, SegmentStats, TooLarge};
use super::sink::Sink;
use super::stored::StoredSegment;
use super::text_index::{TEXT_TRIGRAMS, TextIndexBuilder, side as side_of_texts};
pub(super) use facts::{add_facts, facts_of, of_files, unite};
pub(crate) use pages::Pages;
use pages::properties;
pub(crate) use sizes::Sizes;
use spanql_model::columns;
use spanql_model::types::OpenType;
use spanql_trace::Summaries;

/// A segment of fewer spans and, about, bytes is one file.
const BUNDLE_ROWS: u64 = 4 * 1024;
const BUNDLE_BYTES: usize = 1 << 20;

/// The files of a segment that was built and is not stored yet; one that is a bundle has all in that of its spans.
#[derive(Debug)]
pub(crate) struct BuiltSegment {
    pub(crate) segment: Segment,
    pub(crate) spans: Content,
    pub(crate) traces: Content,
    pub(crate) stats: Vec<u8>,
    /// Its side files, by their kind.
    pub(crate) sides: Vec<(&'static str, Vec<u8>)>,
    /// Types of its open columns.
    pub(crate) open: BTreeMap<String, OpenType>,
}

/// Writes whole traces, in their order, into one segment.
pub(crate) struct SegmentWriter {
    project: String,
    schema: SchemaRef,
    writer: SerializedFileWriter<Sink>,
    factory: ArrowRowGroupWriterFactory,
    summaries: ArrowWriter<Vec<u8>>,
    facts: BTreeMap<String, ColumnFacts>,
    rest: BTreeMap<String, ColumnFacts>,
    too_large: Vec<TooLarge>,
    ids: IdHashes,
    texts: TextIndexBuilder,
    segment: Segment,
}

impl SegmentWriter {
    /// Starts a segment of an id whose spans file has the given columns; a large one grows in a directory for temporary files.
    pub(crate) fn new(id: String, project: &str, schema: SchemaRef, pages: Pages, spill_dir: PathBuf) -> Result<Self> {
        let segment = Segment { id, project: project.to_owned(), computed: COMPUTED, ..Segment::default() };
        let failed = StoreError::parquet(segment.spans_file());
        let writer =
            ArrowWriter::try_new(Sink::new(spill_dir), Arc::clone(&schema), Some(properties(columns::TRACE_ID, pages)))
                .and_then(ArrowWriter::into_serialized_writer)
                .map_err(failed)?;
        let summaries =
            ArrowWriter::try_new(Vec::new(), spanql_trace::traces_schema(), Some(properties("trace_id", pages)))
                .map_err(StoreError::parquet(segment.traces_file()))?;
        let (writer, factory) = writer;
        Ok(Self {
            project: project.to_owned(),
            schema,
            writer,
            factory,
            summaries,
            facts: BTreeMap::new(),
            rest: BTreeMap::new(),
            too_large: Vec::new(),
            ids: IdHashes::default(),
            texts: TextIndexBuilder::default(),
            segment,
        })
    }

    /// About how many bytes the rows written so far take in memory.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.segment.memory_bytes
    }

    /// Rows written so far.
    pub(crate) fn rows(&self) -> u64 {
        self.segment.rows
    }

    /// Announces whole traces: their summaries, and about how many bytes their rows take in memory.
    pub(crate) fn begin(&mut self, summaries: &Summaries, memory_bytes: u64) -> Result<()> {
        self.segment.memory_bytes += memory_bytes;
        let trace_ids = summaries.rows.column_by_name("trace_id").and_then(|ids| ids.as_string_opt::<i32>());
        for &(row, column) in &summaries.too_large {
            let trace_id = trace_ids.map(|ids| ids.value(row).to_owned()).unwrap_or_default();
            self.too_large.push(TooLarge { trace_id, column: column.to_owned() });
        }
        self.take_summaries(&summaries.rows)
    }

    /// Writes announced spans as one row group, one column after the other.
    pub(crate) fn write_group(&mut self, merged: &Merged, spans: &[usize], layout: &Layout) -> Result<()> {
        let file = self.segment.spans_file();
        let failed = StoreError::parquet(file);
        let writers = self.factory.create_column_writers(self.writer.flushed_row_groups().len()).map_err(failed)?;
        let schema = Arc::clone(&self.schema);
        let mut chunks = Vec::with_capacity(writers.len());
        let gathering = merged.gathering(spans)?;
        for (field, mut writer) in schema.fields().iter().zip(writers) {
            let array = gathering.column(field, layout)?;
            self.note(field.name(), &array)?;
            self.texts.add(field.name(), &array);
            let encode = || {
                for leaf in compute_leaves(field, &array)? {
                    writer.write(&leaf)?;
                }
                writer.close()
            };
            chunks.push(encode().map_err(StoreError::parquet(self.segment.spans_file()))?);
        }
        let write = || {
            let mut group = self.writer.next_row_group()?;
            for chunk in chunks {
                chunk.append_to_row_group(&mut group)?;
            }
            group.close().map(drop)
        };
        write().map_err(StoreError::parquet(self.segment.spans_file()))
    }

    /// Copies row groups of another segment, whose computed columns follow the same rules, as they are encoded; columns
    /// it does not have are null.
    pub(crate) fn copy(&mut self, source: &StoredSegment, groups: Range<usize>, summaries: &RecordBatch) -> Result<()> {
        let rows: u64 = groups.clone().map(|group| source.metadata.row_group(group).num_rows() as u64).sum();
        if let Some(rest) = source.rest(groups.clone())? {
            self.note_rest(&rest)?;
        }
        source.each_text(groups.clone(), |name, values| self.texts.add(name, values))?;
        for group in groups {
            self.copy_group(source, group).map_err(StoreError::parquet(source.segment.spans_file()))?;
        }
        let trace_ids = summaries.column_by_name("trace_id").and_then(|ids| ids.as_string_opt::<i32>());
        if let Some(ids) = trace_ids.filter(|_| !source.stats.too_large.is_empty()) {
            let copied: HashSet<&str> = ids.iter().flatten().collect();
            let too_large = source.stats.too_large.iter().filter(|sum| copied.contains(sum.trace_id.as_str()));
            self.too_large.extend(too_large.cloned());
        }
        self.segment.memory_bytes += source.segment.memory_bytes * rows / source.segment.rows_in_file().max(1);
        self.segment.max_start = self.segment.max_start.max(source.segment.max_start);
        self.segment.max_end = self.segment.max_end.max(source.segment.max_end);
        self.take_summaries(summaries)
    }

    fn copy_group(&mut self, source: &StoredSegment, number: usize) -> parquet::errors::Result<()> {
        let from = source.metadata.row_group(number);
        // Without being asked, a reader leaves them out.
        let with_blooms = ReaderProperties::builder().set_read_bloom_filter(true).build();
        let options = ReadOptionsBuilder::new().with_reader_properties(with_blooms).build();
        let reader = SerializedFileReader::new_with_options(source.file.clone(), options)?;
        let blooms = reader.get_row_group(number)?;
        let rows = from.num_rows() as usize;
        let writers = self.factory.create_column_writers(self.writer.flushed_row_groups().len())?;
        let mut group = self.writer.next_row_group()?;
        for (field, mut writer) in self.schema.fields().iter().zip(writers) {
            let Ok(index) = source.schema.index_of(field.name()) else {
                let nulls = new_null_array(field.data_type(), rows);
                for leaf in compute_leaves(field, &nulls)? {
                    writer.write(&leaf)?;
                }
                writer.close()?.append_to_row_group(&mut group)?;
                continue;
            };
            let metadata = from.column(index).clone();
            if let Some(filled) =
                metadata.statistics().and_then(|s| s.null_count_opt()).map(|nulls| rows as u64 - nulls)
                && filled > 0
            {
                let known = source.stats.columns.get(field.name());
                let values = known.map(|facts| facts.values.clone()).unwrap_or_default();
                match self.facts.entry(field.name().clone()) {
                    Entry::Occupied(mut facts) => {
                        facts.get_mut().filled += filled;
                        unite(&mut facts.get_mut().values, values);
                    }
                    Entry::Vacant(facts) => {
                        facts.insert(ColumnFacts {
                            open: known.and_then(|facts| facts.open),
                            filled,
                            example: known.map(|facts| facts.example.clone()).unwrap_or_default(),
                            values,
                        });
                    }
                }
            }
            let close = ColumnCloseResult {
                bytes_written: metadata.compressed_size() as u64,
                rows_written: rows as u64,
                bloom_filter: blooms.get_column_bloom_filter(index).cloned(),
                column_index: source.metadata.column_index().map(|groups| groups[number][index].clone()),
                offset_index: source.metadata.offset_index().map(|groups| groups[number][index].clone()),
                metadata,
            };
            group.append_column(&source.file, close)?;
        }
        group.close().map(drop)
    }

    fn take_summaries(&mut self, summaries: &RecordBatch) -> Result<()> {
        self.segment.traces += summaries.num_rows() as u64;
        let column = |name: &str| summaries.column_by_name(name);
        if let Some(counts) = column("span_count") {
            self.segment.rows += counts.as_primitive::<Int64Type>().iter().flatten().map(|n| n as u64).sum::<u64>();
        }
        if let Some(ids) = column("trace_id").and_then(|ids| ids.as_string_opt::<i32>()) {
            self.ids.add(ids.iter().flatten());
        }
        if let Some(starts) = column("start_time") {
            let earliest = arrow::compute::min(starts.as_primitive::<TimestampNanosecondType>());
            self.segment.min_start = [self.segment.min_start, earliest].into_iter().flatten().min();
        }
        if let Some(found) = of_files(summaries) {
            let known = self.segment.of_files.get_or_insert_default();
            known.spans += found.spans;
            known.orphans += found.orphans;
            known.rootless += found.rootless;
        }
        self.summaries.write(summaries).map_err(StoreError::parquet(self.segment.traces_file()))
    }

    fn note(&mut self, name: &str, array: &ArrayRef) -> Result<()> {
        let seen = if is_fixed(name) { None } else { type_of(array.as_ref()) };
        add_facts(&mut self.facts, name, seen, array)?;
        let latest = || array.as_primitive_opt::<TimestampNanosecondType>().and_then(arrow::compute::max);
        match name {
            columns::REST => array.as_string_opt().map_or(Ok(()), |rest| self.note_rest(rest)),
            columns::START_TIME => {
                self.segment.max_start = self.segment.max_start.max(latest());
                Ok(())
            }
            columns::END_TIME => {
                self.segment.max_end = self.segment.max_end.max(latest());
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn note_rest(&mut self, rest: &StringArray) -> Result<()> {
        for (name, array) in unpack_overflow_values(rest) {
            add_facts(&mut self.rest, &name, type_of(array.as_ref()), &array)?;
        }
        Ok(())
    }

    /// Completes the files: in format 2, one for all where they are small, else one more with the hashes of ids.
    pub(crate) fn finish(mut self, is_format_2: bool) -> Result<BuiltSegment> {
        let (spans_file, traces_file) = (self.segment.spans_file(), self.segment.traces_file());
        let traces = self.summaries.into_inner().map_err(StoreError::parquet(traces_file))?;
        let open = self.facts.iter().filter_map(|(name, facts)| Some((name.clone(), facts.open?))).collect();
        self.segment.too_large = self.too_large.len() as u64;
        let mut stats = SegmentStats {
            spans: BlockSums::default(),
            traces: BlockSums::default(),
            columns: self.facts,
            rest: self.rest,
            too_large: self.too_large,
        };
        self.segment.project = self.project;
        self.segment.summary_bytes = traces.len() as u64;
        let bytes = self.writer.bytes_written() + traces.len();
        if is_format_2 && self.segment.rows < BUNDLE_ROWS && bytes < BUNDLE_BYTES {
            let stats = stats.to_bytes()?;
            self.segment.stats_crc32 = crc32fast::hash(&stats);
            let summaries = self.writer.bytes_written() as u64;
            let failed = |error: std::io::Error| StoreError::parquet(spans_file.clone())(error.into());
            self.writer.write_all(&traces).map_err(failed)?;
            self.writer.write_all(&stats).map_err(failed)?;
            let (first, stats_bytes) = (summaries + traces.len() as u64, stats.len() as u64);
            let (ids, hashes) = self.ids.into_bundle(first + stats_bytes);
            self.writer.write_all(&hashes).map_err(failed)?;
            let spans = self.writer.into_inner().map_err(StoreError::parquet(spans_file.clone()))?;
            let (spans, bytes, sums) = spans.finish()?;
            self.segment.bytes = bytes;
            self.segment.bundle = Some(Bundle { summaries, stats: first, stats_bytes, ids: Some(ids), sums });
            return Ok(BuiltSegment {
                segment: self.segment,
                spans,
                traces: Vec::new().into(),
                stats: Vec::new(),
                sides: Vec::new(),
                open,
            });
        }
        let spans = self.writer.into_inner().map_err(StoreError::parquet(spans_file))?;
        let (spans, bytes, sums) = spans.finish()?;
        (stats.spans, stats.traces) = (sums, BlockSums::of(&traces));
        let stats = stats.to_bytes()?;
        self.segment.bytes = bytes;
        self.segment.stats_crc32 = crc32fast::hash(&stats);
        let mut sides = Vec::new();
        if is_format_2 {
            let (side, bytes) = self.ids.into_side(&self.segment.id);
            self.segment.side.insert(TRACE_IDS.to_owned(), side);
            sides.push((TRACE_IDS, bytes));
            if let Some(bytes) = self.texts.finish(self.segment.rows, self.segment.bytes) {
                self.segment.side.insert(TEXT_TRIGRAMS.to_owned(), side_of_texts(&self.segment.id, &bytes));
                sides.push((TEXT_TRIGRAMS, bytes));
            }
        }
        Ok(BuiltSegment { segment: self.segment, spans, traces: traces.into(), stats, sides, open })
    }
}

fn is_fixed(name: &str) -> bool {
    columns::canonical(name).is_some() || name.starts_with("tree.")
}
