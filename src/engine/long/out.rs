//! Rows that are being made.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Builder, Int64Builder, RecordBatch, RecordBatchOptions, StringBuilder, TimestampNanosecondBuilder,
    UInt64Array,
};
use arrow::compute::take;
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::internal_datafusion_err;
use datafusion::error::Result;

use super::columns::{Cell, Long};

/// Rows of a batch.
const ROWS: usize = 8_192;
/// Bytes of made text in a batch, about.
const BYTES: usize = 16 << 20;

/// The columns of a batch that are read, as far as they are made.
#[derive(Debug)]
pub(super) struct Out {
    schema: SchemaRef,
    /// Of each column of the table, which of the batch it is.
    places: Vec<Option<usize>>,
    cells: Vec<Cells>,
    /// The spans that the rows come from.
    spans: Vec<u64>,
    bytes: usize,
}

#[derive(Debug)]
enum Cells {
    Of(&'static str),
    Text(StringBuilder),
    Int(Int64Builder),
    Float(Float64Builder),
    Time(TimestampNanosecondBuilder),
}

impl Out {
    /// No rows, with these columns of a table.
    pub(super) fn new(table: Long, projection: &[usize], schema: SchemaRef) -> Self {
        let columns = table.columns();
        let mut places = vec![None; columns.len()];
        let mut cells = Vec::with_capacity(projection.len());
        for &column in projection {
            places[column] = Some(cells.len());
            cells.push(match &columns[column].1 {
                Cell::Of(name) => Cells::Of(name),
                Cell::Made(DataType::Int64) => Cells::Int(Int64Builder::new()),
                Cell::Made(DataType::Float64) => Cells::Float(Float64Builder::new()),
                Cell::Made(DataType::Timestamp(..)) => Cells::Time(TimestampNanosecondBuilder::new()),
                Cell::Made(_) => Cells::Text(StringBuilder::new()),
            });
        }
        Self { schema, places, cells, spans: vec![], bytes: 0 }
    }

    /// Begins a row of a span; each made column is then set once.
    pub(super) fn row(&mut self, span: usize) {
        self.spans.push(span as u64);
    }

    /// Whether a column is read.
    pub(super) fn wants(&self, column: usize) -> bool {
        self.places.get(column).is_some_and(Option::is_some)
    }

    fn cells(&mut self, column: usize) -> Option<&mut Cells> {
        self.cells.get_mut((*self.places.get(column)?)?)
    }

    /// Sets a text.
    pub(super) fn text(&mut self, column: usize, value: Option<&str>) {
        if let Some(Cells::Text(cells)) = self.cells(column) {
            cells.append_option(value);
            self.bytes += value.map_or(0, str::len);
        }
    }

    /// Sets an integer.
    pub(super) fn int(&mut self, column: usize, value: Option<i64>) {
        if let Some(Cells::Int(cells)) = self.cells(column) {
            cells.append_option(value);
        }
    }

    /// Sets a number.
    pub(super) fn float(&mut self, column: usize, value: Option<f64>) {
        if let Some(Cells::Float(cells)) = self.cells(column) {
            cells.append_option(value);
        }
    }

    /// Sets a time, in ns since the epoch.
    pub(super) fn time(&mut self, column: usize, value: Option<i64>) {
        if let Some(Cells::Time(cells)) = self.cells(column) {
            cells.append_option(value);
        }
    }

    /// Whether these are enough rows for a batch.
    pub(super) fn is_full(&self) -> bool {
        self.spans.len() >= ROWS || self.bytes >= BYTES
    }

    /// The rows, which are of these spans; `None` where there are none.
    pub(super) fn finish(&mut self, spans: &RecordBatch) -> Result<Option<RecordBatch>> {
        let rows = std::mem::take(&mut self.spans);
        if rows.is_empty() {
            return Ok(None);
        }
        self.bytes = 0;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        let rows = UInt64Array::from(rows);
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.cells.len());
        for cells in &mut self.cells {
            arrays.push(match cells {
                Cells::Of(name) => {
                    let column = spans.column_by_name(name);
                    let column = column.ok_or_else(|| internal_datafusion_err!("{name} is not read"))?;
                    take(column, &rows, None)?
                }
                Cells::Text(cells) => Arc::new(cells.finish()),
                Cells::Int(cells) => Arc::new(cells.finish()),
                Cells::Float(cells) => Arc::new(cells.finish()),
                Cells::Time(cells) => Arc::new(cells.finish().with_timezone("UTC")),
            });
        }
        Ok(Some(RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)?))
    }
}
