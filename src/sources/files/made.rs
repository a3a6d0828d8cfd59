//! What a piece of a file comes to: rows that fit, and the account of those that do not.

use arrow::array::RecordBatch;

use super::batches::Part;
use super::error::FileError;
use super::json_rows::JsonRows;
use super::limits::{Limits, begin};
use super::otlp_file::OtlpRows;
use super::report::ReadReport;
use super::step::{Failed, Step};
use super::table::CsvRows;
use spanql_model::ingest::{IngestBuilder, Origin, convert_batch, convert_batch_strictly};

/// What became of a piece.
#[derive(Debug, Default)]
pub(super) struct Made {
    /// The rows that fit, if there are any.
    pub(super) batch: Option<RecordBatch>,
    /// The account of all others.
    pub(super) report: ReadReport,
    /// Why there is nothing behind these rows.
    pub(super) failed: Option<FileError>,
}

/// What holds for all of a file.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub(super) file: String,
    pub(super) origin: Origin,
    pub(super) skip_bad: bool,
    pub(super) strict: bool,
    pub(super) limits: Limits,
}

/// Where rows come from one by one.
pub(super) enum Rows {
    Json(Box<JsonRows>),
    Otlp(Box<OtlpRows>),
    Csv(Box<CsvRows>),
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

/// A builder of batches, and how many of the names that it moved have been told.
pub(super) struct Building {
    pub(super) builder: IngestBuilder,
    told: usize,
}

impl Building {
    pub(super) fn new(reading: &Reading) -> Self {
        let builder = IngestBuilder::new(reading.origin.clone());
        Self { builder: builder.with_max_value(reading.limits.value).strict(reading.strict), told: 0 }
    }
}

impl Reading {
    /// Reads rows until a batch is full; `None` where there is nothing more.
    pub(super) fn fill(&self, rows: &mut Rows, building: &mut Building) -> Option<Made> {
        let Building { builder, told } = building;
        let mut made = Made::default();
        while made.failed.is_none() && !builder.is_full() {
            let step = rows.step(builder, &self.limits);
            made.failed = match step {
                Ok(Step::Row(line)) => {
                    for (change, column) in builder.changes() {
                        made.report.changes.add(*change, || format!("{}:{line}: {}", self.file, begin(column)));
                    }
                    None
                }
                Ok(Step::Blank) => None,
                Ok(Step::End) => break,
                Ok(Step::NoSpans { reason, .. }) if !self.skip_bad => {
                    Some(FileError::Format { file: self.file.clone(), reason })
                }
                Ok(Step::Bad { line, reason } | Step::NoSpans { line, reason }) => self.bad(&mut made, line, reason),
                Err(Failed { line, reason }) => Some(self.failure(line, &reason)),
            };
        }
        if *told < builder.moved().len() {
            *told = builder.moved().len();
            made.report.renamed.clone_from(builder.moved());
        }
        match builder.finish() {
            Ok(batch) => made.batch = batch,
            Err(error) => made.failed = Some(self.failure(1, &error.to_string())),
        }
        let nothing = made.batch.is_none() && made.failed.is_none() && made.report == ReadReport::default();
        (!nothing).then_some(made)
    }

    /// Makes an ingest batch of a part of a file, behind so many rows.
    pub(super) fn convert(&self, part: Part, before: u64) -> Made {
        let mut made = Made::default();
        let batch = match part {
            Part::Rows(batch) => batch,
            Part::TooLarge(reason) => {
                made.failed = self.bad(&mut made, before + 1, reason);
                return made;
            }
        };
        let convert = if self.strict { convert_batch_strictly } else { convert_batch };
        let converted = match convert(&batch, &self.origin) {
            Ok(converted) => converted,
            Err(error) => return self.broken(before, &error.to_string()),
        };
        made.report.renamed = converted.moved;
        for (at, change, column) in &converted.changes {
            let line = before + *at as u64 + 1;
            made.report.changes.add(*change, || format!("{}:{line}: {}", self.file, begin(column)));
        }
        let mut good = converted.batch;
        for (skipped, (at, row_error)) in converted.bad.into_iter().enumerate() {
            made.failed = self.bad(&mut made, before + at as u64 + 1, row_error.to_string());
            if made.failed.is_some() {
                good = good.slice(0, at - skipped);
                break;
            }
        }
        made.batch = Some(good).filter(|batch| batch.num_rows() > 0);
        made
    }

    /// What a file comes to that cannot be read behind so many rows.
    pub(super) fn broken(&self, before: u64, reason: &str) -> Made {
        Made { failed: Some(self.failure(before + 1, reason)), ..Made::default() }
    }

    fn bad(&self, made: &mut Made, line: u64, reason: String) -> Option<FileError> {
        made.report.note_bad(self.skip_bad, &self.file, line, reason).err()
    }

    fn failure(&self, line: u64, reason: &str) -> FileError {
        FileError::Damaged { file: self.file.clone(), line, reason: reason.to_owned() }
    }
}
