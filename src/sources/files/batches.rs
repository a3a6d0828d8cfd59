//! Files that hold record batches: Parquet and Arrow IPC.

use std::fs::File;
use std::io::BufReader;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema};
use bytes::Bytes;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::Type;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{ChunkReader, Length};

use super::ipc::Messages;
use super::limits::Limits;
use super::pages::{check_footer, check_pages};
use super::sizes::sizes;
use super::stream::Stream;
use spanql_model::panics;

/// Batches are handed out with at most this many rows,
const MAX_ROWS: usize = 8_192;
/// and about this many bytes.
const MAX_BYTES: u64 = 8 << 20;

/// The batches of one file, cut to a size that does not depend on how the file was written.
pub(super) struct Batches {
    source: Source,
    limits: Limits,
    /// The size of the file, or what was read of it so far.
    size: Box<dyn Fn() -> u64 + Send>,
    /// Bytes of text in the rows so far.
    count: u64,
    current: Option<Measured>,
}

/// What comes next of a file.
pub(super) enum Part {
    Rows(RecordBatch),
    /// One row that is larger than one may be, and why.
    TooLarge(String),
}

impl Part {
    /// Rows of the file that it is.
    pub(super) fn rows(&self) -> u64 {
        match self {
            Self::Rows(batch) => batch.num_rows() as u64,
            Self::TooLarge(_) => 1,
        }
    }
}

enum Source {
    Parquet(ParquetRecordBatchReader),
    Arrow(Messages),
}

/// A batch, of which the first rows have been measured.
struct Measured {
    batch: RecordBatch,
    /// The bytes of each measured row.
    rows: Vec<u64>,
    /// Those of its values that are too large, by row: the column and its bytes.
    large: Vec<(usize, usize, u64)>,
    /// How many rows have been handed out.
    at: usize,
}

impl Batches {
    pub(super) fn parquet(file: File, read: &Arc<AtomicU64>, limits: Limits) -> Result<Self, String> {
        guarded("Parquet", || {
            check_footer(&file, &limits)?;
            let size = Length::len(&file);
            let file = CountedFile { file, read: Arc::clone(read) };
            let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).map_err(|e| e.to_string())?;
            let rows = batch_rows(metadata.metadata()).min(check_pages(&file.file, metadata.metadata(), &limits)?);
            let viewed = Arc::new(Schema::new(as_views(metadata.schema().fields())));
            let options = ArrowReaderOptions::new().with_schema(viewed);
            let metadata = ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options).unwrap_or(metadata);
            let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata).with_batch_size(rows);
            let source = Source::Parquet(builder.build().map_err(|e| e.to_string())?);
            Ok(Self { source, limits, size: Box::new(move || size), count: 0, current: None })
        })
    }

    pub(super) fn arrow(
        stream: Stream,
        size: Option<u64>,
        read: &Arc<AtomicU64>,
        limits: Limits,
    ) -> Result<Self, String> {
        let read = Arc::clone(read);
        let size: Box<dyn Fn() -> u64 + Send> = match size {
            Some(size) => Box::new(move || size),
            None => Box::new(move || read.load(Ordering::Relaxed)),
        };
        guarded("Arrow", || {
            let source = Source::Arrow(Messages::new(stream, limits)?);
            Ok(Self { source, limits, size, count: 0, current: None })
        })
    }

    /// The next rows; `None` after the last.
    pub(super) fn next(&mut self) -> Result<Option<Part>, String> {
        let mut measured = match self.current.take() {
            Some(measured) => measured,
            None => loop {
                match self.read()? {
                    None => return Ok(None),
                    Some(batch) if batch.num_rows() == 0 => {}
                    Some(batch) => break Measured::new(batch),
                }
            },
        };
        let (part, bytes) = guarded("data", || Ok(measured.next(&self.limits)))?;
        self.count = self.count.saturating_add(bytes);
        if measured.at < measured.batch.num_rows() {
            self.current = Some(measured);
        }
        let size = (self.size)();
        if self.count > self.limits.unpacked(size) {
            return Err(self.limits.too_much(size));
        }
        Ok(Some(part))
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

impl Measured {
    fn new(batch: RecordBatch) -> Self {
        Self { batch, rows: Vec::new(), large: Vec::new(), at: 0 }
    }

    /// Measures some more rows.
    fn measure(&mut self, most: u64) {
        self.batch = self.batch.slice(self.at, self.batch.num_rows() - self.at);
        self.at = 0;
        let first = self.batch.slice(0, self.batch.num_rows().min(MAX_ROWS));
        self.rows = vec![0; first.num_rows()];
        self.large = Vec::new();
        for (number, column) in first.columns().iter().enumerate() {
            for (row, size) in sizes(column).into_iter().enumerate() {
                if size > most {
                    self.large.push((row, number, size));
                }
                if let Some(total) = self.rows.get_mut(row) {
                    *total = total.saturating_add(size);
                }
            }
        }
    }

    /// The next rows, and their bytes.
    fn next(&mut self, limits: &Limits) -> (Part, u64) {
        if self.at == self.rows.len() {
            self.measure(limits.value as u64);
        }
        let (mut to, mut bytes) = (self.at, 0_u64);
        while to < self.rows.len() {
            let size = self.rows[to];
            if let Some(reason) = self.too_large(to, limits) {
                if to == self.at {
                    self.at += 1;
                    return (Part::TooLarge(reason), 0);
                }
                break;
            }
            if to > self.at && bytes + size > MAX_BYTES {
                break;
            }
            (to, bytes) = (to + 1, bytes + size);
        }
        let rows = self.batch.slice(self.at, to - self.at);
        self.at = to;
        (Part::Rows(rows), bytes)
    }

    fn too_large(&self, row: usize, limits: &Limits) -> Option<String> {
        if let Some((_, column, size)) = self.large.iter().find(|(large, ..)| *large == row) {
            return Some(limits.large_value(self.batch.schema_ref().field(*column).name(), *size));
        }
        (self.rows[row] > limits.row() as u64).then(|| limits.long_row())
    }
}

/// Runs a reader on bytes that nobody vouches for: should it panic on them, that is an error of the file.
fn guarded<T>(format: &str, run: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    match panics::caught(run) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(reason)) => Err(format!("not a readable {format} file: {reason}")),
        Err(_) => Err(format!("not a readable {format} file: its content makes no sense")),
    }
}

/// The fields with views for strings, so that a long text that a dictionary repeats is not copied for every row.
fn as_views(fields: &Fields) -> Vec<FieldRef> {
    fields.iter().map(as_view).collect()
}

fn as_view(field: &FieldRef) -> FieldRef {
    match field.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 => retyped(field, DataType::Utf8View),
        DataType::Binary | DataType::LargeBinary => retyped(field, DataType::BinaryView),
        DataType::Dictionary(_, values) => match &**values {
            DataType::Utf8 | DataType::LargeUtf8 => retyped(field, DataType::Utf8View),
            DataType::Binary | DataType::LargeBinary => retyped(field, DataType::BinaryView),
            _ => Arc::clone(field),
        },
        DataType::Struct(members) => retyped(field, DataType::Struct(as_views(members).into())),
        DataType::List(item) => retyped(field, DataType::List(as_view(item))),
        DataType::LargeList(item) => retyped(field, DataType::LargeList(as_view(item))),
        DataType::Map(entries, sorted) => retyped(field, DataType::Map(as_view(entries), *sorted)),
        _ => Arc::clone(field),
    }
}

fn retyped(field: &Field, data_type: DataType) -> FieldRef {
    Arc::new(field.clone().with_data_type(data_type))
}

/// How many rows to decode at once, so that they take some tens of megabytes.
fn batch_rows(metadata: &ParquetMetaData) -> usize {
    let groups = metadata.row_groups().iter();
    let per_row = groups.map(|group| group.total_byte_size().max(0) as u64 / group.num_rows().max(1) as u64).max();
    // Values of a fixed length are copied out of a dictionary.
    let columns = metadata.file_metadata().schema_descr().columns();
    let fixed = columns.iter().filter(|column| column.physical_type() == Type::FIXED_LEN_BYTE_ARRAY);
    let fixed: u64 = fixed.map(|column| column.type_length().max(0) as u64).sum();
    let rows = 4 * MAX_BYTES / per_row.unwrap_or(1).max(fixed).max(1);
    usize::try_from(rows).unwrap_or(MAX_ROWS).clamp(1, MAX_ROWS)
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
