//! The writer for all formats.

use std::fmt;
use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};

use super::cut::cut_batch;
use super::delimited::DelimitedWriter;
use super::files::{ArrowSink, ParquetSink};
use super::json::JsonWriter;
use super::markdown::MarkdownWriter;
use super::media::without_media;
use super::records::RecordWriter;
use super::table::{Look, TableWriter, Unfit};
use super::{Error, Fence, Format, WriteSummary, Zone};

/// How a result is to be written. The default cuts nothing, shows UTC and uses no colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Whether tables may use terminal colours.
    pub color: bool,
    /// Zone of timestamps in tables and Markdown; all other formats are in UTC.
    pub zone: Zone,
    /// Terminal columns that a table is to fit; `None`: nothing is cut.
    pub width: Option<usize>,
    /// Rows to write; further ones are only counted.
    pub max_rows: Option<usize>,
    /// Characters after which a text is cut, in every format.
    pub max_cell: Option<usize>,
    /// In CSV and TSV, whether text that a spreadsheet would take for a formula gets a leading apostrophe.
    pub csv_safe: bool,
    /// Whether tables have one column a line.
    pub expanded: bool,
    /// In tables and Markdown, whether the whole is enclosed in a [`Fence`].
    pub fence: bool,
}

/// Writes the batches of one result in one format.
///
/// All formats but tables write each batch as it comes; tables hold the first 10,000 rows (or 32 MiB of text) to find the
/// widths of columns. Nothing is written before the first batch, except for the leading bytes of Parquet and Arrow
/// files, so a query that fails at once leaves no half output.
///
/// - `json`: an array of objects, one a line; `jsonl`: an object a line. Nulls are kept; NaN and infinity are null; decimals
///   are numbers with all digits; lists are arrays, structs and maps objects; binary is hexadecimal text; timestamps are
///   RFC 3339 in UTC with nine fraction digits (those without a zone are taken as UTC).
/// - `csv`, `tsv`: as in `json`, nested values as JSON text; a null is empty, an empty text is `""`.
/// - `md`, `table`: for people; timestamps in the chosen zone, hidden characters made visible, images and sounds in base64
///   by what they are.
/// - `parquet`, `arrow`: plain text types instead of views and dictionaries.
///
/// ```
/// use std::sync::Arc;
/// use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
/// use spanql_output::{Format, Options, ResultWriter};
///
/// let model: ArrayRef = Arc::new(StringArray::from(vec![Some("gpt-4o"), None]));
/// let spans: ArrayRef = Arc::new(Int64Array::from(vec![17, 4]));
/// let batch = RecordBatch::try_from_iter([("model", model), ("spans", spans)])?;
/// let mut out = Vec::new();
/// let mut writer = ResultWriter::new(&mut out, Format::Jsonl, batch.schema(), Options::default())?;
/// writer.write(&batch)?;
/// let written = writer.finish()?;
/// assert_eq!(written.shown, 2);
/// assert_eq!(out, b"{\"model\":\"gpt-4o\",\"spans\":17}\n{\"model\":null,\"spans\":4}\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ResultWriter<W: Write + Send> {
    schema: SchemaRef,
    format: Format,
    max_rows: Option<usize>,
    written: WriteSummary,
    sink: Sink<W>,
}

enum Sink<W: Write + Send> {
    Json(JsonWriter<W>),
    Delimited(DelimitedWriter<W>),
    Markdown(MarkdownWriter<W>),
    Table(Box<TableWriter<W>>),
    Records(RecordWriter<W>),
    Parquet(Box<ParquetSink<W>>),
    Arrow(Box<ArrowSink<W>>),
}

impl<W: Write + Send> ResultWriter<W> {
    /// Prepares to write a result with the columns of `schema`.
    ///
    /// Fails if the format cannot hold a column's type (Parquet lacks some) or the destination does not take the first bytes.
    pub fn new(out: W, format: Format, schema: SchemaRef, options: Options) -> Result<Self, Error> {
        let fence = options.fence.then(Fence::new);
        let zone = options.zone.tz();
        let sink = match format {
            Format::Json => Sink::Json(JsonWriter::new(out, &schema, true)),
            Format::Jsonl => Sink::Json(JsonWriter::new(out, &schema, false)),
            Format::Csv => Sink::Delimited(DelimitedWriter::new(out, &schema, b',', options.csv_safe)),
            Format::Tsv => Sink::Delimited(DelimitedWriter::new(out, &schema, b'\t', options.csv_safe)),
            Format::Md => Sink::Markdown(MarkdownWriter::new(out, &schema, zone, fence)),
            Format::Table if options.expanded => {
                let look = Look { color: options.color, zone, width: options.width, fence };
                Sink::Records(RecordWriter::new(out, &schema, look))
            }
            Format::Table => {
                let look = Look { color: options.color, zone, width: options.width, fence };
                Sink::Table(Box::new(TableWriter::new(out, &schema, look)))
            }
            Format::Parquet => Sink::Parquet(Box::new(ParquetSink::new(out, &schema)?)),
            Format::Arrow => Sink::Arrow(Box::new(ArrowSink::new(out, &schema)?)),
        };
        let written = WriteSummary { max_cell: options.max_cell, width: options.width, ..WriteSummary::default() };
        Ok(Self { schema, format, max_rows: options.max_rows, written, sink })
    }

    /// Writes a batch, which must have the columns announced, in their order.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let (expected, got) = (self.schema.fields().len(), batch.num_columns());
        if expected != got {
            return Err(Error::Columns { expected, got });
        }
        self.written.rows += batch.num_rows() as u64;
        let room = self.max_rows.map_or(u64::MAX, |max_rows| max_rows as u64 - self.written.shown);
        let rows = usize::try_from(room).unwrap_or(usize::MAX).min(batch.num_rows());
        if rows == 0 {
            return Ok(());
        }
        self.written.shown += rows as u64;
        let mut batch = batch.slice(0, rows);
        if matches!(self.format, Format::Table | Format::Md) {
            batch = without_media(&batch)?;
        }
        if let Some(max_cell) = self.written.max_cell {
            let (cut, cells) = cut_batch(batch, max_cell)?;
            self.written.cut_cells += cells;
            batch = cut;
        }
        match &mut self.sink {
            Sink::Json(sink) => sink.write(&batch),
            Sink::Delimited(sink) => sink.write(&batch),
            Sink::Markdown(sink) => sink.write(&batch),
            Sink::Table(sink) => sink.write(&batch),
            Sink::Records(sink) => sink.write(&batch),
            Sink::Parquet(sink) => sink.write(&batch),
            Sink::Arrow(sink) => sink.write(&batch),
        }
    }

    /// Writes what is still held and the end of the output, flushes it, and says what was written.
    pub fn finish(self) -> Result<WriteSummary, Error> {
        let mut unfit = Unfit::default();
        match self.sink {
            Sink::Json(sink) => sink.finish()?,
            Sink::Delimited(sink) => sink.finish()?,
            Sink::Markdown(sink) => sink.finish()?,
            Sink::Table(sink) => unfit = sink.finish()?,
            Sink::Records(sink) => sink.finish()?,
            Sink::Parquet(sink) => sink.finish()?,
            Sink::Arrow(sink) => sink.finish()?,
        }
        Ok(WriteSummary {
            cut_columns: names(&self.schema, &unfit.shrunk),
            dropped_columns: names(&self.schema, &unfit.dropped),
            ..self.written
        })
    }
}

fn names(schema: &Schema, indices: &[usize]) -> Vec<String> {
    indices.iter().map(|&index| schema.field(index).name().clone()).collect()
}

impl<W: Write + Send> fmt::Debug for ResultWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResultWriter")
            .field("format", &self.format)
            .field("written", &self.written)
            .finish_non_exhaustive()
    }
}
