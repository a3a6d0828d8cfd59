//! One file after another into ingest batches, and the account of what did not fit.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;

use super::batches::{Batches, Part};
use super::error::FileError;
use super::expand::Input;
use super::json_rows::JsonRows;
use super::limits::{Limits, begin};
use super::open::{Format, Opened, open};
use super::otlp_file::OtlpRows;
use super::step::{Failed, Step};
use super::table::CsvRows;
use super::threads::Threads;
use spanql_model::ingest::{ChangeCounts, IngestBuilder, Origin, convert_batch, convert_batch_strictly};

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
    Json(Box<JsonRows>),
    Otlp(Box<OtlpRows>),
    Csv(Box<CsvRows>),
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
        let damaged_at = |Failed { line, reason }| FileError::Damaged { file: file.clone(), line, reason };
        let damaged = |reason| damaged_at(Failed { line: 1, reason });
        let limits = options.limits;
        let mut builder =
            Box::new(IngestBuilder::new(origin.clone()).with_max_value(limits.value).strict(options.strict));
        let threads = Threads::beside(&input, limits);
        let io_error = |source| FileError::Io { file: file.clone(), source };
        let body = match open(&input, options.format, limits, &read)? {
            Opened::Lines(stream) => {
                let rows = JsonRows::lines(stream, threads).map_err(io_error)?;
                Body::Rows { rows: Rows::Json(Box::new(rows)), builder }
            }
            Opened::List(stream) => Body::Rows { rows: Rows::Json(Box::new(JsonRows::list(stream, threads))), builder },
            Opened::Otlp(stream) => {
                let rows = OtlpRows::new(stream).map_err(damaged)?;
                Body::Rows { rows: Rows::Otlp(Box::new(rows)), builder }
            }
            Opened::Csv(stream) => {
                let rows = CsvRows::new(stream, &mut builder, &limits).map_err(damaged_at)?;
                Body::Rows { rows: Rows::Csv(Box::new(rows)), builder }
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
                Ok(Step::NoSpans { line, reason }) if self.skip_bad => {
                    if let Err(error) = note_bad(&mut self.report, true, &self.file, line, reason) {
                        self.failed = Some(error);
                        break;
                    }
                }
                Ok(Step::NoSpans { reason, .. }) => {
                    self.failed = Some(FileError::Format { file: self.file.clone(), reason });
                    break;
                }
                Err(Failed { line, reason }) => {
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
    /// Reads one row into `builder`. The error, with its line, is one that ends the file.
    fn step(&mut self, builder: &mut IngestBuilder, limits: &Limits) -> Result<Step, Failed> {
        match self {
            Self::Json(rows) => rows.step(builder, limits),
            Self::Otlp(rows) => rows.step(builder, limits),
            Self::Csv(rows) => rows.step(builder, limits),
        }
    }
}
