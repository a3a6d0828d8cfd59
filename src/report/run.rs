//! The blocks of a report, run one after the other over one store.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::{Schema, SchemaRef};
use futures::TryStreamExt;

use super::block::Block;
use super::chart::{Chart, ChartBuilder};
use super::checks::{Checks, Outcome};
use super::error::ReportError;
use super::expect::{Expectation, bound};
use spanql_engine::{Engine, EngineError, Params, Prepared};
use spanql_output::{Format, Options, ResultWriter, cut_batch, without_media};

/// What is kept of the results of blocks.
#[derive(Debug, Clone)]
pub struct Keep {
    /// Rows of each to show.
    pub max_rows: usize,
    /// Characters of each cell to show.
    pub max_cell: usize,
    /// Where all rows are written to, a file for each block.
    pub files: Option<BlockFiles>,
    /// Whether conditions that are about nothing count as expectations that do not hold.
    pub strict: bool,
}

/// Files with the whole results of blocks.
#[derive(Debug, Clone)]
pub struct BlockFiles {
    /// The directory; it is there.
    pub directory: PathBuf,
    /// Their format, which ends their names.
    pub format: Format,
    /// Whether cells that a spreadsheet would take for formulas get an apostrophe.
    pub csv_safe: bool,
}

/// A block after it ran.
#[derive(Debug)]
pub struct Ran {
    /// Its name.
    pub name: String,
    /// The columns of its result, as far as it got.
    pub schema: SchemaRef,
    /// The first rows, cells cut.
    pub shown: RecordBatch,
    /// How many cells were cut.
    pub cut_cells: u64,
    /// How many rows there were.
    pub rows: u64,
    /// How long it took.
    pub seconds: f64,
    /// How its expectations came out.
    pub outcomes: Vec<Outcome>,
    /// Why it failed.
    pub error: Option<BlockError>,
    /// What the reader should know.
    pub notes: Vec<String>,
    /// What is missing of the data that a remote sent.
    pub incomplete: Vec<String>,
    /// Whether it asked for spans of the store.
    pub reads_spans: bool,
    /// Its drawing.
    pub(crate) chart: Option<Chart>,
}

/// Why a block failed.
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
    /// The engine refused the statement, or failed while it ran.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// An expectation cannot be checked.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// The chart does not go with the result.
    #[error("{0}")]
    Chart(String),
    /// A block is one statement.
    #[error("{0} statements in one block: write a block for each")]
    Statements(usize),
    /// Its file cannot be written.
    #[error("cannot write {}: {reason}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// Its rows cannot be written or read.
    #[error(transparent)]
    Output(#[from] spanql_output::Error),
    /// The columns of its rows are not those that were announced.
    #[error(transparent)]
    Arrow(#[from] arrow::error::ArrowError),
}

impl BlockError {
    /// A short name of the kind of error in kebab case, stable for machines.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Engine(error) => error.code(),
            Self::Report(error) => error.code(),
            Self::Chart(_) => "bad-chart",
            Self::Statements(_) => "statements",
            Self::File { .. } => "file",
            Self::Output(_) | Self::Arrow(_) => "failed",
        }
    }

    /// Line and column in the text of the report, counted from 1, where they are known.
    pub fn position(&self) -> Option<(u64, u64)> {
        match self {
            Self::Engine(error) => error.position(),
            _ => None,
        }
    }
}

impl Ran {
    /// Whether an expectation did not hold.
    pub fn has_unmet(&self) -> bool {
        self.outcomes.iter().any(|outcome| !outcome.held)
    }
}

/// Runs a block; what goes wrong is in what is returned.
pub async fn run_block(engine: &Engine, block: &Block, params: &Params, keep: &Keep) -> Ran {
    let began = Instant::now();
    let schema = Arc::new(Schema::empty());
    let mut ran = Ran {
        name: block.name.clone(),
        shown: RecordBatch::new_empty(Arc::clone(&schema)),
        schema,
        cut_cells: 0,
        rows: 0,
        seconds: 0.0,
        outcomes: vec![],
        error: None,
        notes: vec![],
        incomplete: vec![],
        reads_spans: false,
        chart: None,
    };
    ran.error = run(engine, block, params, keep, &mut ran).await.err();
    ran.seconds = began.elapsed().as_secs_f64();
    ran
}

async fn run(engine: &Engine, block: &Block, params: &Params, keep: &Keep, ran: &mut Ran) -> Result<(), BlockError> {
    // Places in errors are then those of the report.
    let sql = format!("{}{}", "\n".repeat(block.line.saturating_sub(1)), block.sql);
    let prepared = engine.prepare(&sql, params).await?;
    let [statement] = prepared.as_slice() else { return Err(BlockError::Statements(prepared.len())) };
    ran.notes.extend(statement.notes().iter().cloned());
    ran.reads_spans = statement.reads_spans();
    ran.schema = statement.schema();
    ran.shown = RecordBatch::new_empty(statement.schema());
    let expectations = bound(&block.expectations, params)?;
    let result = take(statement, block, &expectations, keep, ran).await;
    if result.is_ok() {
        about_nothing(statement, !expectations.is_empty(), keep.strict, ran).await?;
    }
    for remark in statement.remarks() {
        if remark.incomplete { &mut ran.incomplete } else { &mut ran.notes }.push(remark.text);
    }
    result
}

/// Says what in a block is about nothing; where something is expected of it, or all is asked strictly, that is an
/// expectation that does not hold.
async fn about_nothing(statement: &Prepared, expects: bool, strict: bool, ran: &mut Ran) -> Result<(), BlockError> {
    ran.notes.extend(statement.cut_texts().await?);
    let unmatched = statement.unmatched(expects || strict || ran.rows <= 1).await?;
    if !expects && !strict {
        ran.notes.extend(unmatched);
        return Ok(());
    }
    let absent = statement.absent().filter(|_| strict).cloned();
    ran.outcomes.extend(absent.chain(unmatched).map(|found| Outcome {
        expectation: "conditions about something".to_owned(),
        held: false,
        found,
    }));
    Ok(())
}

async fn take(
    statement: &Prepared,
    block: &Block,
    expectations: &[Expectation],
    keep: &Keep,
    ran: &mut Ran,
) -> Result<(), BlockError> {
    let schema = statement.schema();
    let mut checks = Checks::new(expectations, &schema)?;
    let chart = block.chart.clone().map(|spec| ChartBuilder::new(spec, &schema)).transpose();
    let mut chart = chart.map_err(BlockError::Chart)?;
    let mut file = keep.files.as_ref().map(|files| BlockFile::create(files, &block.name, &schema)).transpose()?;
    let mut shown: Vec<RecordBatch> = vec![];
    let mut room = keep.max_rows;
    let mut stream = statement.execute().await?;
    while let Some(batch) = stream.try_next().await.map_err(|error| EngineError::from_datafusion(&error))? {
        checks.see(&batch)?;
        if let Some(chart) = &mut chart {
            chart.see(&batch)?;
        }
        if let Some(file) = &mut file {
            file.writer.write(&batch)?;
        }
        ran.rows += batch.num_rows() as u64;
        let rows = room.min(batch.num_rows());
        if rows > 0 {
            let (cut, cells) = cut_batch(without_media(&batch.slice(0, rows))?, keep.max_cell)?;
            room -= rows;
            ran.cut_cells += cells;
            // Copied, so that the rows that are not shown are let go.
            shown.push(concat_batches(&cut.schema(), [&cut])?);
        }
    }
    if let Some(first) = shown.first() {
        ran.shown = concat_batches(&first.schema(), &shown)?;
    }
    ran.outcomes = checks.finish();
    ran.chart = chart.map(ChartBuilder::finish);
    match file {
        Some(file) => file.finish(),
        None => Ok(()),
    }
}

struct BlockFile {
    path: PathBuf,
    writer: ResultWriter<BufWriter<File>>,
}

impl BlockFile {
    fn create(files: &BlockFiles, name: &str, schema: &SchemaRef) -> Result<Self, BlockError> {
        let path = path(files, name);
        let cannot = |error: std::io::Error| BlockError::File { file: path.clone(), reason: error.to_string() };
        let out = BufWriter::new(File::create(&path).map_err(cannot)?);
        let options = Options { csv_safe: files.csv_safe, ..Options::default() };
        let writer = ResultWriter::new(out, files.format, Arc::clone(schema), options)?;
        Ok(Self { path, writer })
    }

    fn finish(self) -> Result<(), BlockError> {
        self.writer.finish().map(drop).map_err(|error| BlockError::File { file: self.path, reason: error.to_string() })
    }
}

/// The file of a block.
pub(crate) fn path(files: &BlockFiles, name: &str) -> PathBuf {
    Path::new(&files.directory).join(format!("{name}.{}", files.format))
}
