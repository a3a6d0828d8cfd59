//! Growing columns of one batch: values, and which rows have one.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray, TimestampNanosecondArray};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

/// Text values, one after the other.
#[derive(Debug)]
pub(super) struct Texts {
    /// The text of all rows; a row in progress is written at its end.
    pub(super) data: String,
    offsets: Vec<i32>,
}

impl Texts {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { data: String::with_capacity(bytes), offsets: vec![0] }
    }

    /// Ends a row's text; false when the batch now holds more than two gigabytes in this column.
    pub(super) fn close(&mut self) -> bool {
        let end = i32::try_from(self.data.len());
        self.offsets.extend(end);
        end.is_ok()
    }

    fn end(&self) -> i32 {
        self.offsets.last().copied().unwrap_or(0)
    }
}

/// Values of one type; rows without a value hold a filler.
#[derive(Debug)]
pub(super) enum Values {
    Text(Texts),
    Int(Vec<i64>),
    Float(Vec<f64>),
    Bool(Vec<bool>),
}

/// One column in the making. It may lag behind the batch: rows missing at its end are null.
#[derive(Debug)]
pub(super) struct Cells {
    pub(super) values: Values,
    valid: Vec<bool>,
    filled: usize,
}

impl Cells {
    pub(super) fn new(values: Values) -> Self {
        Self { values, valid: Vec::new(), filled: 0 }
    }

    /// An empty column for values of this Arrow type (Utf8, Int64, a timestamp, Float64 or Boolean).
    pub(super) fn of_type(data_type: &DataType) -> Self {
        Self::new(match data_type {
            DataType::Int64 | DataType::Timestamp(..) => Values::Int(Vec::new()),
            DataType::Float64 => Values::Float(Vec::new()),
            DataType::Boolean => Values::Bool(Vec::new()),
            _ => Values::Text(Texts::with_capacity(0)),
        })
    }

    /// How many rows the column has caught up with.
    pub(super) fn rows(&self) -> usize {
        self.valid.len()
    }

    /// Whether any row has a value.
    pub(super) fn any(&self) -> bool {
        self.filled > 0
    }

    /// Whether `row`, the last row, has a value.
    pub(super) fn has(&self, row: usize) -> bool {
        self.valid.get(row).copied().unwrap_or(false)
    }

    /// The text of a row that has one.
    pub(super) fn text(&self, row: usize) -> Option<&str> {
        match &self.values {
            Values::Text(texts) if self.has(row) => {
                let range = *texts.offsets.get(row)? as usize..*texts.offsets.get(row + 1)? as usize;
                texts.data.get(range)
            }
            _ => None,
        }
    }

    /// Appends nulls until the column has `rows` rows.
    pub(super) fn pad(&mut self, rows: usize) {
        match &mut self.values {
            Values::Text(texts) => texts.offsets.resize(rows + 1, texts.end()),
            Values::Int(values) => values.resize(rows, 0),
            Values::Float(values) => values.resize(rows, 0.0),
            Values::Bool(values) => values.resize(rows, false),
        }
        self.valid.resize(rows, false);
    }

    /// Drops the rows from `rows` on, and text of a row in progress.
    pub(super) fn truncate(&mut self, rows: usize) {
        match &mut self.values {
            Values::Text(texts) => {
                texts.offsets.truncate(rows + 1);
                let end = texts.end() as usize;
                texts.data.truncate(end);
            }
            Values::Int(values) => values.truncate(rows),
            Values::Float(values) => values.truncate(rows),
            Values::Bool(values) => values.truncate(rows),
        }
        self.filled -= self.valid.get(rows..).unwrap_or_default().iter().filter(|valid| **valid).count();
        self.valid.truncate(rows);
    }

    /// Says that the value just appended to `values` is this row's.
    pub(super) fn fill(&mut self) {
        self.valid.push(true);
        self.filled += 1;
    }

    /// Which rows have a value.
    pub(super) fn valid(&self) -> &[bool] {
        &self.valid
    }

    /// Takes the column out as an array of `rows` rows and this type, leaving it empty.
    pub(super) fn finish(&mut self, rows: usize, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
        self.pad(rows);
        let any_null = self.filled < rows;
        self.filled = 0;
        let valid = std::mem::take(&mut self.valid);
        let nulls = any_null.then(|| NullBuffer::from(valid));
        Ok(match &mut self.values {
            Values::Text(texts) => {
                // The next batch is likely to be as large as this one.
                let fresh = Texts::with_capacity(texts.data.len() + texts.data.len() / 8);
                let Texts { data, offsets } = std::mem::replace(texts, fresh);
                let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
                Arc::new(StringArray::try_new(offsets, Buffer::from(data.into_bytes()), nulls)?)
            }
            Values::Int(values) => {
                let values = ScalarBuffer::from(std::mem::take(values));
                if let DataType::Timestamp(_, zone) = data_type {
                    Arc::new(TimestampNanosecondArray::try_new(values, nulls)?.with_timezone_opt(zone.clone()))
                } else {
                    Arc::new(Int64Array::try_new(values, nulls)?)
                }
            }
            Values::Float(values) => {
                // One zero: its sign means nothing, and would tell equal numbers apart.
                values.iter_mut().for_each(|value| *value += 0.0);
                Arc::new(Float64Array::try_new(ScalarBuffer::from(std::mem::take(values)), nulls)?)
            }
            Values::Bool(values) => Arc::new(BooleanArray::new(std::mem::take(values).into(), nulls)),
        })
    }
}
