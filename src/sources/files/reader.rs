//! One file after another into ingest batches, and the account of what did not fit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::RecordBatch;

use super::batches::{Batches, Part};
use super::blocks::{BLOCK, Block, Blocks};
use super::error::FileError;
use super::expand::Input;
use super::in_order::{Give, InOrder};
use super::json_rows::{JsonRows, Text};
use super::limits::Limits;
use super::made::{Building, Made, Reading, Rows};
use super::open::{Format, Opened, open};
use super::otlp_file::OtlpRows;
use super::report::ReadReport;
use super::step::Failed;
use super::stream::Stream;
use super::table::CsvRows;
use super::threads::Threads;
use spanql_model::ingest::Origin;

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
    /// On how many threads a large file is read: Parquet, Arrow and lines of JSON. The rows come in the order of the file in any
    /// case. With none, and with one, it is the thread that asks for them.
    pub threads: usize,
}

/// Reads one file as ingest batches, in row order, each of a moderate size.
///
/// After an error there is nothing more; the rows before it have been handed out.
pub struct FileReader {
    reading: Reading,
    body: Body,
    read: Arc<AtomicU64>,
    report: ReadReport,
    /// An error that waits until the rows before it are handed out.
    failed: Option<FileError>,
}

enum Body {
    Rows { rows: Rows, building: Box<Building> },
    Batches { batches: Box<Batches>, row: u64 },
    Threads(InOrder<Made>),
    Done,
}

impl std::fmt::Debug for FileReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileReader")
            .field("file", &self.reading.file)
            .field("report", &self.report)
            .finish_non_exhaustive()
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
        let (skip_bad, strict) = (options.skip_bad, options.strict);
        let reading = Reading { file: file.clone(), origin, skip_bad, strict, limits };
        let threads = Threads::beside(&input, limits);
        // What is read at once anyway is not worth a thread.
        let small = input.size().is_some_and(|size| size <= BLOCK as u64);
        let many = Some(options.threads).filter(|threads| *threads > 1 && !small);
        let io_error = |source| FileError::Io { file: file.clone(), source };
        let building = Box::new(Building::new(&reading));
        let body = match open(&input, options.format, limits, &read)? {
            Opened::Lines(stream) => match (Text::new(stream, &threads).map_err(io_error)?, many) {
                (Text::Lines(stream), Some(many)) => Body::Threads(lines_on(many, stream, &threads, &reading)),
                (Text::Lines(stream), None) => Body::json(JsonRows::lines(stream, 0, threads), building),
                (Text::Values(rows), _) => Body::json(*rows, building),
            },
            Opened::List(stream) => Body::json(JsonRows::values(stream, threads), building),
            Opened::Otlp(stream) => {
                let rows = OtlpRows::new(stream).map_err(damaged)?;
                Body::Rows { rows: Rows::Otlp(Box::new(rows)), building }
            }
            Opened::Csv(stream) => {
                let mut building = building;
                let rows = CsvRows::new(stream, &mut building.builder, &limits).map_err(damaged_at)?;
                Body::Rows { rows: Rows::Csv(Box::new(rows)), building }
            }
            Opened::Parquet(file) => {
                Body::batches(Batches::parquet(file, &read, limits).map_err(damaged)?, many, &reading)
            }
            Opened::Arrow(stream) => {
                let batches = Batches::arrow(stream, input.size(), &read, limits).map_err(damaged)?;
                Body::batches(batches, many, &reading)
            }
        };
        Ok(Self { reading, body, read, report: ReadReport::default(), failed: None })
    }

    /// How many bytes of the raw file have been read, to compare with [`Input::size`].
    pub fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// The account of the rows so far.
    pub fn report(&self) -> &ReadReport {
        &self.report
    }

    /// What the next piece of the file comes to; `None` when there is nothing more.
    fn advance(&mut self) -> Option<Made> {
        match &mut self.body {
            Body::Rows { rows, building } => self.reading.fill(rows, building),
            Body::Batches { batches, row } => next_part(batches, row).map(|work| convert(&self.reading, work)),
            Body::Threads(results) => results.next(),
            Body::Done => None,
        }
    }
}

impl Iterator for FileReader {
    type Item = Result<RecordBatch, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.failed.is_none()
            && let Some(made) = self.advance()
        {
            self.report.add(&made.report);
            self.failed = made.failed;
            if let Some(batch) = made.batch {
                self.report.rows += batch.num_rows() as u64;
                return Some(Ok(batch));
            }
        }
        self.body = Body::Done;
        self.failed.take().map(Err)
    }
}

impl Body {
    fn json(rows: JsonRows, building: Box<Building>) -> Self {
        Self::Rows { rows: Rows::Json(Box::new(rows)), building }
    }

    fn batches(batches: Batches, threads: Option<usize>, reading: &Reading) -> Self {
        let Some(threads) = threads else { return Self::Batches { batches: Box::new(batches), row: 0 } };
        let (mut batches, mut row, mut broken) = (batches, 0, false);
        let source = move || {
            let work = if broken { None } else { next_part(&mut batches, &mut row) };
            broken = matches!(work, Some((_, Err(_))));
            work
        };
        let worker = |_| {
            let reading = reading.clone();
            move |work, give: Give<'_, Made>| {
                give(convert(&reading, work));
            }
        };
        Self::Threads(InOrder::start(source, (0..threads).map(worker).collect()))
    }
}

/// The rows before a part of a file and the part, or why there is none.
type PartWork = (u64, Result<Part, String>);

fn next_part(batches: &mut Batches, row: &mut u64) -> Option<PartWork> {
    let part = batches.next().transpose()?;
    let before = *row;
    *row += part.as_ref().map_or(0, Part::rows);
    Some((before, part))
}

fn convert(reading: &Reading, (before, part): PartWork) -> Made {
    match part {
        Ok(part) => reading.convert(part, before),
        Err(reason) => reading.broken(before, &reason),
    }
}

/// Reads the lines of a text of JSON on threads.
fn lines_on(count: usize, stream: Stream, threads: &Threads, reading: &Reading) -> InOrder<Made> {
    let mut blocks = Blocks::new(stream, reading.limits.row());
    let worker = |_| {
        let (reading, threads, mut building) = (reading.clone(), threads.clone(), Building::new(reading));
        move |block: Block, give: Give<'_, Made>| {
            let rows = JsonRows::lines(block.stream, block.lines, threads.clone());
            let mut rows = Rows::Json(Box::new(rows));
            while let Some(made) = reading.fill(&mut rows, &mut building) {
                let ended = made.failed.is_some();
                if !give(made) || ended {
                    break;
                }
            }
        }
    };
    InOrder::start(move || blocks.next(), (0..count).map(worker).collect())
}
