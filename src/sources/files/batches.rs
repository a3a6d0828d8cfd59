//! Files that hold record batches: Parquet and Arrow IPC.

use std::fs::File;
use std::io::BufReader;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema};
use bytes::Bytes;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{ChunkReader, Length};

use super::ipc::Messages;
use super::open::Stream;

/// Batches are handed out with at most this many rows,
const MAX_ROWS: usize = 8_192;
/// and about this many bytes.
const MAX_BYTES: usize = 8 << 20;

/// The batches of one file, cut to a size that does not depend on how the file was written.
pub(super) struct Batches {
    source: Source,
    current: Option<RecordBatch>,
}

enum Source {
    Parquet(ParquetRecordBatchReader),
    Arrow(Messages),
}

impl Batches {
    pub(super) fn parquet(file: File, read: &Arc<AtomicU64>) -> Result<Self, String> {
        guarded("Parquet", || {
            let file = CountedFile { file, read: Arc::clone(read) };
            let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).map_err(|e| e.to_string())?;
            let rows = batch_rows(metadata.metadata());
            let viewed = Arc::new(Schema::new(as_views(metadata.schema().fields())));
            let options = ArrowReaderOptions::new().with_schema(viewed);
            let metadata = ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options).unwrap_or(metadata);
            let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata).with_batch_size(rows);
            Ok(Self::new(Source::Parquet(builder.build().map_err(|e| e.to_string())?)))
        })
    }

    pub(super) fn arrow(stream: Stream) -> Result<Self, String> {
        guarded("Arrow", || Ok(Self::new(Source::Arrow(Messages::new(stream)?))))
    }

    fn new(source: Source) -> Self {
        Self { source, current: None }
    }

    /// The next rows; `None` after the last.
    pub(super) fn next(&mut self) -> Result<Option<RecordBatch>, String> {
        let batch = loop {
            let batch = match self.current.take() {
                Some(batch) => Some(batch),
                None => self.read()?,
            };
            match batch {
                None => return Ok(None),
                Some(batch) if batch.num_rows() == 0 => {}
                Some(batch) => break batch,
            }
        };
        let rows = rows_to_cut(&batch);
        if rows < batch.num_rows() {
            self.current = Some(batch.slice(rows, batch.num_rows() - rows));
        }
        Ok(Some(batch.slice(0, rows)))
    }

    fn read(&mut self) -> Result<Option<RecordBatch>, String> {
        match &mut self.source {
            Source::Parquet(reader) => {
                guarded("Parquet", || reader.next().transpose().map_err(|error| error.to_string()))
            }
            Source::Arrow(messages) => guarded("Arrow", || messages.next()),
        }
    }
}

/// Runs a reader on bytes that nobody vouches for: should it panic on them, that is an error of the file.
fn guarded<T>(format: &str, run: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(reason)) => Err(format!("not a readable {format} file: {reason}")),
        Err(_) => Err(format!("not a readable {format} file: its content makes no sense")),
    }
}

/// The fields with views for strings, so that a long text that a dictionary repeats is not copied for every row.
fn as_views(fields: &Fields) -> Vec<FieldRef> {
    let view = |field: &FieldRef| match field.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 => retyped(field, DataType::Utf8View),
        DataType::Struct(members) => retyped(field, DataType::Struct(as_views(members).into())),
        _ => Arc::clone(field),
    };
    fields.iter().map(view).collect()
}

fn retyped(field: &Field, data_type: DataType) -> FieldRef {
    Arc::new(field.clone().with_data_type(data_type))
}

/// How many rows to decode at once, so that they take some tens of megabytes.
fn batch_rows(metadata: &ParquetMetaData) -> usize {
    let per_row = metadata.row_groups().iter().map(|group| group.total_byte_size() / group.num_rows().max(1)).max();
    let per_row = usize::try_from(per_row.unwrap_or(1)).unwrap_or(1).max(1);
    (4 * MAX_BYTES / per_row).clamp(1, MAX_ROWS)
}

/// How many rows from the first make one batch.
fn rows_to_cut(batch: &RecordBatch) -> usize {
    let rows = batch.num_rows().min(MAX_ROWS);
    let fixed: usize = batch.columns().iter().map(average_bytes).sum();
    let mut bytes = 0;
    for row in 0..rows {
        bytes += fixed + batch.columns().iter().map(|array| text_bytes(array, row)).sum::<usize>();
        if bytes >= MAX_BYTES {
            return row + 1;
        }
    }
    rows
}

/// The bytes of a row's text, in columns where that can be told.
fn text_bytes(array: &ArrayRef, row: usize) -> usize {
    match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value_length(row) as usize,
        DataType::LargeUtf8 => array.as_string::<i64>().value_length(row) as usize,
        // The lower half of a view's first word is the length.
        DataType::Utf8View => array.as_string_view().views().get(row).map_or(0, |view| *view as u32 as usize),
        _ => 0,
    }
}

/// The bytes of a row in the other columns, on average.
fn average_bytes(array: &ArrayRef) -> usize {
    match array.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => 0,
        DataType::Dictionary(..) => {
            let values = array.as_any_dictionary().values();
            values.get_buffer_memory_size() / values.len().max(1)
        }
        _ => array.get_buffer_memory_size() / array.len().max(1),
    }
}

/// A file that counts what Parquet reads of it.
struct CountedFile {
    file: File,
    read: Arc<AtomicU64>,
}

impl Length for CountedFile {
    fn len(&self) -> u64 {
        self.file.len()
    }
}

impl ChunkReader for CountedFile {
    type T = BufReader<File>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        self.file.get_read(start)
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        // A broken length must not become an allocation.
        if start.checked_add(length as u64).is_none_or(|end| end > self.len()) {
            return Err(ParquetError::EOF(format!("no {length} bytes at {start}")));
        }
        self.read.fetch_add(length as u64, Ordering::Relaxed);
        self.file.get_bytes(start, length)
    }
}
