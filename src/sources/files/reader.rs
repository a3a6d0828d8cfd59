//! One file after another into ingest batches, and the account of what did not fit.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;

use super::batches::{Batches, Part};
use super::error::FileError;
use super::expand::Input;
use super::items::{Broken, Item, Items};
use super::limits::{Limits, begin};
use super::lines::{Line, read_line, skip_line};
use super::open::{Format, Opened, open};
use super::quotes::Quotes;
use super::stream::Stream;
use super::table::{cell, check_header};
use spanql_model::ingest::{ChangeCounts, IngestBuilder, Key, Origin, RowError, convert_batch, convert_batch_strictly};
use spanql_model::json::Value;

/// How files are read.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// The format, unless each file shall tell.
    pub format: Format,
    /// The project of rows that name none; without it they belong to `default`.
    pub project: Option<String>,
    /// The project of all rows, whatever they say.
    pub as_project: Option<String>,
    /// Whether rows that do not fit are passed over and counted, rather than an error.
    pub skip_bad: bool,
    /// How large what they hold may be.
    pub limits: Limits,
    /// Whether rows of which a value would change do not fit.
    pub strict: bool,
}

/// A row that was passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// The file it is in.
    pub file: String,
    /// Its line, or its row number in a file without lines, from 1.
    pub line: u64,
    /// The column, the value's beginning and what is wrong with it.
    pub reason: String,
}

/// What became of a file's rows so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadReport {
    /// Rows handed out.
    pub rows: u64,
    /// Rows passed over.
    pub bad: u64,
    /// The first ten of the rows passed over.
    pub first_bad: Vec<BadRow>,
    /// Root columns that were kept as `attributes.<name>`.
    pub renamed: BTreeSet<String>,
    /// What changed of values on the way in.
    pub changes: ChangeCounts,
}

const BAD_KEPT: usize = 10;
const CUT: &str = "the file ends inside a quoted cell";

impl ReadReport {
    /// Adds the account of another file.
    pub fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        self.bad += other.bad;
        let room = BAD_KEPT.saturating_sub(self.first_bad.len());
        self.first_bad.extend(other.first_bad.iter().take(room).cloned());
        self.renamed.extend(other.renamed.iter().cloned());
        self.changes.extend(&other.changes);
    }
}

/// Reads one file as ingest batches, in row order, each of a moderate size.
///
/// After an error there is nothing more; the rows before it have been handed out.
pub struct FileReader {
    file: String,
    body: Body,
    origin: Origin,
    skip_bad: bool,
    strict: bool,
    limits: Limits,
    read: Arc<AtomicU64>,
    report: ReadReport,
    /// An error that waits until the rows before it are handed out.
    failed: Option<FileError>,
}

enum Body {
    Rows { rows: Rows, builder: Box<IngestBuilder> },
    Batches { batches: Box<Batches>, row: u64 },
    Done,
}

enum Rows {
    Lines { stream: Stream, line: u64, buffer: Vec<u8>, too_long: bool },
    List { stream: Stream, items: Items, buffer: Vec<u8> },
    Csv { reader: Box<csv::Reader<Quotes<Stream>>>, record: csv::ByteRecord, keys: Vec<Option<Key>>, read: u64 },
}

/// What reading one row came to.
enum Step {
    /// The row of this line was added.
    Row(u64),
    /// There was nothing to add.
    Blank,
    Bad {
        line: u64,
        reason: String,
    },
    End,
}

impl std::fmt::Debug for FileReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileReader").field("file", &self.file).field("report", &self.report).finish_non_exhaustive()
    }
}

impl FileReader {
    /// Opens a file and finds out what it is.
    ///
    /// # Errors
    ///
    /// When it cannot be read, when nothing tells its format, or when its beginning is broken.
    pub fn open(input: Input, options: &ReadOptions) -> Result<Self, FileError> {
        let file = input.name();
        let read = Arc::new(AtomicU64::new(0));
        let forced = options.as_project.as_ref();
        let project = forced.or(options.project.as_ref()).map_or("default", String::as_str).to_owned();
        let origin = Origin { source: "file", project, force_project: forced.is_some() };
        let damaged_at = |(line, reason)| FileError::Damaged { file: file.clone(), line, reason };
        let damaged = |reason| damaged_at((1, reason));
        let limits = options.limits;
        let mut builder =
            Box::new(IngestBuilder::new(origin.clone()).with_max_value(limits.value).strict(options.strict));
        let buffer = Vec::new();
        let body = match open(&input, options.format, limits, &read)? {
            Opened::Lines(stream) => {
                Body::Rows { rows: Rows::Lines { stream, line: 0, buffer, too_long: false }, builder }
            }
            Opened::List(stream) => Body::Rows { rows: Rows::List { stream, items: Items::new(), buffer }, builder },
            Opened::Csv(stream) => {
                let rows = Rows::csv(stream, &mut builder, &limits).map_err(damaged_at)?;
                Body::Rows { rows, builder }
            }
            Opened::Parquet(file) => Body::batches(Batches::parquet(file, &read, limits).map_err(damaged)?),
            Opened::Arrow(stream) => {
                Body::batches(Batches::arrow(stream, input.size(), &read, limits).map_err(damaged)?)
            }
        };
        let skip_bad = options.skip_bad;
        let strict = options.strict;
        Ok(Self { file, body, origin, skip_bad, strict, limits, read, report: ReadReport::default(), failed: None })
    }

    /// How many bytes of the raw file have been read, to compare with [`Input::size`].
    pub fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// The account of the rows so far.
    pub fn report(&self) -> &ReadReport {
        &self.report
    }

    /// The next batch; `None` when there are no more rows.
    fn advance(&mut self) -> Result<Option<RecordBatch>, FileError> {
        loop {
            let batch = match &mut self.body {
                Body::Done => return Ok(None),
                Body::Rows { .. } => self.advance_rows()?,
                Body::Batches { .. } => self.advance_batches()?,
            };
            match batch {
                Some(batch) if batch.num_rows() == 0 && self.failed.is_none() => {}
                batch => return Ok(batch.filter(|batch| batch.num_rows() > 0)),
            }
        }
    }

    fn advance_rows(&mut self) -> Result<Option<RecordBatch>, FileError> {
        let Body::Rows { rows, builder } = &mut self.body else { return Ok(None) };
        while !builder.is_full() {
            match rows.step(builder, &self.limits) {
                Ok(Step::Row(line)) => {
                    for (change, column) in builder.changes() {
                        self.report.changes.add(*change, || format!("{}:{line}: {}", self.file, begin(column)));
                    }
                }
                Ok(Step::Blank) => {}
                Ok(Step::End) => break,
                Ok(Step::Bad { line, reason }) => {
                    if let Err(error) = note_bad(&mut self.report, self.skip_bad, &self.file, line, reason) {
                        self.failed = Some(error);
                        break;
                    }
                }
                Err((line, reason)) => {
                    self.failed = Some(FileError::Damaged { file: self.file.clone(), line, reason });
                    break;
                }
            }
        }
        if self.report.renamed.len() < builder.moved().len() {
            self.report.renamed.clone_from(builder.moved());
        }
        let batch = builder.finish();
        batch.map_err(|error| self.failure(self.report.rows + 1, &error.to_string()))
    }

    fn advance_batches(&mut self) -> Result<Option<RecordBatch>, FileError> {
        let Body::Batches { batches, row } = &mut self.body else { return Ok(None) };
        let before = *row;
        let batch = match batches.next() {
            Ok(Some(Part::Rows(batch))) => batch,
            Ok(Some(Part::TooLarge(reason))) => {
                *row += 1;
                if let Err(error) = note_bad(&mut self.report, self.skip_bad, &self.file, before + 1, reason) {
                    self.failed = Some(error);
                }
                return Ok(Some(RecordBatch::new_empty(Arc::new(Schema::empty()))));
            }
            Ok(None) => return Ok(None),
            Err(reason) => return Err(self.failure(before + 1, &reason)),
        };
        *row += batch.num_rows() as u64;
        let convert = if self.strict { convert_batch_strictly } else { convert_batch };
        let converted = convert(&batch, &self.origin);
        let converted = converted.map_err(|error| self.failure(before + 1, &error.to_string()))?;
        self.report.renamed.extend(converted.moved);
        for (at, change, column) in &converted.changes {
            let line = before + *at as u64 + 1;
            self.report.changes.add(*change, || format!("{}:{line}: {}", self.file, begin(column)));
        }
        let mut good = converted.batch;
        for (skipped, (at, row_error)) in converted.bad.into_iter().enumerate() {
            let line = before + at as u64 + 1;
            if let Err(error) = note_bad(&mut self.report, self.skip_bad, &self.file, line, row_error.to_string()) {
                self.failed = Some(error);
                good = good.slice(0, at - skipped);
                break;
            }
        }
        Ok(Some(good))
    }

    fn failure(&self, line: u64, reason: &str) -> FileError {
        FileError::Damaged { file: self.file.clone(), line, reason: reason.to_owned() }
    }
}

fn note_bad(report: &mut ReadReport, skip: bool, file: &str, line: u64, reason: String) -> Result<(), FileError> {
    let file = file.to_owned();
    if !skip {
        return Err(FileError::Row { file, line, reason });
    }
    report.bad += 1;
    if report.first_bad.len() < BAD_KEPT {
        report.first_bad.push(BadRow { file, line, reason });
    }
    Ok(())
}

impl Iterator for FileReader {
    type Item = Result<RecordBatch, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed.is_none() {
            match self.advance() {
                Ok(Some(batch)) => {
                    self.report.rows += batch.num_rows() as u64;
                    return Some(Ok(batch));
                }
                Ok(None) => {}
                Err(error) => self.failed = Some(error),
            }
        }
        self.body = Body::Done;
        self.failed.take().map(Err)
    }
}

impl Body {
    fn batches(batches: Batches) -> Self {
        Self::Batches { batches: Box::new(batches), row: 0 }
    }
}

impl Rows {
    fn csv(stream: Stream, builder: &mut IngestBuilder, limits: &Limits) -> Result<Self, (u64, String)> {
        let quotes = Quotes::new(stream, limits.row());
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(quotes);
        let header = reader.byte_headers().map_err(|error| (1, error.to_string()))?.clone();
        if let Some(line) = reader.get_ref().cut() {
            return Err((line, CUT.to_owned()));
        }
        let names: Result<Vec<&str>, _> = header.iter().map(std::str::from_utf8).collect();
        let names = names.map_err(|_| (1, "the header is not UTF-8".to_owned()))?;
        check_header(&names).map_err(|reason| (1, reason))?;
        // A column without a name is a row index that a data frame wrote.
        let keys = names.into_iter().map(|name| (!name.is_empty()).then(|| builder.key(name))).collect();
        Ok(Self::Csv { reader: Box::new(reader), record: csv::ByteRecord::new(), keys, read: 0 })
    }

    /// Reads one row into `builder`. The error, with its line, is one that ends the file.
    fn step(&mut self, builder: &mut IngestBuilder, limits: &Limits) -> Result<Step, (u64, String)> {
        match self {
            Self::Lines { stream, line, buffer, too_long } => {
                if std::mem::take(too_long) {
                    skip_line(stream).map_err(|error| (*line, error.to_string()))?;
                }
                *line += 1;
                let line = *line;
                match read_line(stream, buffer, limits.row()).map_err(|error| (line, error.to_string()))? {
                    Line::End => Ok(Step::End),
                    Line::TooLong => {
                        *too_long = true;
                        Ok(Step::Bad { line, reason: limits.long_row() })
                    }
                    Line::Whole if buffer.trim_ascii().is_empty() => Ok(Step::Blank),
                    Line::Whole => Ok(push_json(builder, buffer, line)),
                }
            }
            Self::List { stream, items, buffer } => match items.next(stream, buffer, limits.row()) {
                Ok(Some(Item::Whole(line))) => Ok(push_json(builder, buffer, line)),
                Ok(Some(Item::TooLong(line))) => Ok(Step::Bad { line, reason: limits.long_row() }),
                Ok(None) => Ok(Step::End),
                Err(Broken::Io(error)) => Err((items.line, error.to_string())),
                Err(Broken::Text(reason)) => Err((items.line, reason.to_owned())),
            },
            Self::Csv { reader, record, keys, read } => {
                let more = reader.read_byte_record(record);
                *read += 1;
                let line = record.position().map_or_else(|| reader.position().line(), csv::Position::line);
                let line = line + u64::from(reader.get_ref().crlf()) + reader.get_ref().lines_dropped(*read);
                if !more.map_err(|error| (line, error.to_string()))? {
                    return Ok(Step::End);
                }
                if let Some(line) = reader.get_ref().cut() {
                    return Err((line, CUT.to_owned()));
                }
                if reader.get_ref().is_shortened(*read) {
                    *record = csv::ByteRecord::new();
                    return Ok(Step::Bad { line, reason: limits.long_row() });
                }
                Ok(match push_record(builder, record, keys) {
                    Ok(()) => Step::Row(line),
                    Err(row_error) => Step::Bad { line, reason: row_error.to_string() },
                })
            }
        }
    }
}

/// Room for a row that is kept for the next.
const KEPT: usize = 16 << 20;

fn push_json(builder: &mut IngestBuilder, text: &mut Vec<u8>, line: u64) -> Step {
    let pushed = match simdutf8::compat::from_utf8(text) {
        Ok(text) => builder.push_json(text),
        Err(error) => Err(RowError::Row(format!("not UTF-8 (byte {})", error.valid_up_to() + 1))),
    };
    if text.capacity() > KEPT {
        *text = Vec::new();
    }
    match pushed {
        Ok(()) => Step::Row(line),
        Err(row_error) => Step::Bad { line, reason: row_error.to_string() },
    }
}

fn push_record(builder: &mut IngestBuilder, record: &csv::ByteRecord, keys: &[Option<Key>]) -> Result<(), RowError> {
    if record.len() != keys.len() {
        return Err(RowError::Row(format!("{} cells, but the header has {}", record.len(), keys.len())));
    }
    let text = simdutf8::basic::from_utf8(record.as_slice()).map_err(|_| RowError::Row("not UTF-8".to_owned()))?;
    let mut cells: Vec<(Key, Value<'_>)> = Vec::with_capacity(keys.len());
    for (at, key) in keys.iter().enumerate() {
        let Some(key) = key else { continue };
        let range = record.range(at).unwrap_or_default();
        let Some(text) = text.get(range) else { return Err(RowError::Row("not UTF-8".to_owned())) };
        // An empty cell says nothing: passed on, it would become a key without a value in the metadata object.
        match cell(text) {
            Value::Null => {}
            value => cells.push((*key, value)),
        }
    }
    builder.push_cells(&cells)
}
