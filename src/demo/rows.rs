//! Rows become record batches, column by column.

use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, RecordBatch, StringBuilder,
    TimestampNanosecondBuilder,
};

use super::columns::{COLUMNS, Col, Shape, schema};

const MAX_ROWS: usize = 8_192;
const MAX_BYTES: usize = 8 << 20;

#[derive(Debug)]
enum Builder {
    Text(StringBuilder),
    Int(Int64Builder),
    Float(Float64Builder),
    Flag(BooleanBuilder),
    Time(TimestampNanosecondBuilder),
}

/// Collects rows; a column that a row does not mention is null there.
///
/// Nulls are filled in only when a column is next written, so a row costs as much as it has values.
#[derive(Debug)]
pub(super) struct Rows {
    builders: Vec<Builder>,
    rows: usize,
    bytes: usize,
}

macro_rules! put {
    ($self:ident, $col:ident, $value:expr, $($shape:ident),+) => {
        match &mut $self.builders[$col as usize] {
            $(Builder::$shape(builder) => {
                builder.append_nulls($self.rows - builder.len());
                builder.append_value($value);
            })+
            _ => debug_assert!(false, "{:?} has another type", $col),
        }
    };
}

impl Rows {
    pub(super) fn new() -> Self {
        let builders = COLUMNS.iter().map(|(_, shape)| match shape {
            Shape::Text => Builder::Text(StringBuilder::new()),
            Shape::Int => Builder::Int(Int64Builder::new()),
            Shape::Float => Builder::Float(Float64Builder::new()),
            Shape::Flag => Builder::Flag(BooleanBuilder::new()),
            Shape::Time => Builder::Time(TimestampNanosecondBuilder::new().with_timezone("UTC")),
        });
        Self { builders: builders.collect(), rows: 0, bytes: 0 }
    }

    pub(super) fn text(&mut self, col: Col, value: &str) {
        self.bytes += value.len();
        put!(self, col, value, Text);
    }

    pub(super) fn int(&mut self, col: Col, value: i64) {
        put!(self, col, value, Int, Time);
    }

    pub(super) fn float(&mut self, col: Col, value: f64) {
        put!(self, col, value, Float);
    }

    pub(super) fn flag(&mut self, col: Col, value: bool) {
        put!(self, col, value, Flag);
    }

    /// Ends the current row; gives the batch when that filled it.
    pub(super) fn end_row(&mut self) -> Option<RecordBatch> {
        self.rows += 1;
        if self.rows >= MAX_ROWS || self.bytes >= MAX_BYTES { self.take() } else { None }
    }

    /// Gives what is there as a batch, or nothing when there are no rows.
    pub(super) fn take(&mut self) -> Option<RecordBatch> {
        if self.rows == 0 {
            return None;
        }
        let rows = self.rows;
        let arrays: Vec<ArrayRef> = self
            .builders
            .iter_mut()
            .map(|builder| -> ArrayRef {
                macro_rules! finish {
                    ($builder:ident) => {{
                        $builder.append_nulls(rows - $builder.len());
                        Arc::new($builder.finish())
                    }};
                }
                match builder {
                    Builder::Text(b) => finish!(b),
                    Builder::Int(b) => finish!(b),
                    Builder::Float(b) => finish!(b),
                    Builder::Flag(b) => finish!(b),
                    Builder::Time(b) => finish!(b),
                }
            })
            .collect();
        (self.rows, self.bytes) = (0, 0);
        match RecordBatch::try_new(schema(), arrays) {
            Ok(batch) => Some(batch),
            Err(error) => unreachable!("builders follow the schema: {error}"),
        }
    }
}
