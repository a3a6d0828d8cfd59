//! Open columns: the type of each follows from its values, and widens in place.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use super::cells::{Cells, Values};
use crate::columns::NOTES;
use crate::ids;
use crate::json::{self, Value};
use crate::types::{MAX_EXACT_INTEGER, OpenType, float_text};

/// One open column in the making.
#[derive(Debug)]
pub(super) struct OpenBuilder {
    /// Full name.
    pub(super) name: String,
    /// Whether an empty text in it is none.
    is_of_whom: bool,
    seen: Option<OpenType>,
    cells: Cells,
}

/// A scalar as an open column sees it.
#[derive(Debug, Clone, Copy)]
enum Scalar<'a> {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Value<'a>),
}

impl Scalar<'_> {
    fn open_type(self) -> OpenType {
        match self {
            Self::Bool(_) => OpenType::Boolean,
            Self::Int(value) => integer_type(value),
            Self::Float(_) => OpenType::Float64,
            Self::Text(_) => OpenType::Utf8,
        }
    }
}

/// The open type of one integer.
pub(super) fn integer_type(value: i64) -> OpenType {
    if value.unsigned_abs() > MAX_EXACT_INTEGER.unsigned_abs() { OpenType::BigInt64 } else { OpenType::Int64 }
}

/// A number that no 64-bit type holds stays text, so that no digit is lost.
fn scalar(value: Value<'_>) -> Option<Scalar<'_>> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(value) => Scalar::Bool(value),
        Value::Number(text) => {
            if text.contains(['.', 'e', 'E']) {
                match text.parse::<f64>() {
                    Ok(number) if number.is_finite() => Scalar::Float(number),
                    _ => Scalar::Text(value),
                }
            } else {
                text.parse().map_or(Scalar::Text(value), Scalar::Int)
            }
        }
        Value::Text(_) | Value::Escaped(_) | Value::Nested(_) => Scalar::Text(value),
    })
}

impl OpenBuilder {
    pub(super) fn new(name: String) -> Self {
        Self { is_of_whom: ids::is_of_whom(&name), name, seen: None, cells: Cells::new(Values::Bool(Vec::new())) }
    }

    /// Whether any row has a value.
    pub(super) fn any(&self) -> bool {
        self.cells.any()
    }

    /// Whether `row`, the last row, has a value.
    pub(super) fn has(&self, row: usize) -> bool {
        self.cells.has(row)
    }

    /// Gives `row`, which comes after all rows with a value, this value; null gives none.
    ///
    /// The caller limits rows and batches so that a column's text stays far below two gigabytes.
    pub(super) fn put(&mut self, row: usize, value: Value<'_>) {
        if self.is_of_whom && matches!(value, Value::Text("") | Value::Escaped("")) {
            return;
        }
        let Some(scalar) = scalar(value) else { return };
        let kind = scalar.open_type();
        let united = self.seen.map_or(kind, |seen| seen.unite(kind));
        if self.seen != Some(united) {
            self.widen(united);
        }
        self.cells.pad(row);
        match (&mut self.cells.values, scalar) {
            (Values::Bool(values), Scalar::Bool(value)) => values.push(value),
            (Values::Int(values), Scalar::Int(value)) => values.push(value),
            (Values::Float(values), Scalar::Int(value)) => values.push(value as f64),
            (Values::Float(values), Scalar::Float(value)) => values.push(value),
            (Values::Text(texts), scalar) => {
                let start = texts.data.len();
                write_text(scalar, &mut texts.data);
                if self.name == NOTES
                    && let Some(list) = texts.data.get(start..).and_then(json::compact_list)
                {
                    texts.data.truncate(start);
                    texts.data.push_str(&list);
                }
                if !texts.close() {
                    return self.cells.truncate(row);
                }
            }
            // `widen` has made room for the united type: nothing else is left.
            _ => return,
        }
        self.cells.fill();
    }

    /// Turns the values so far into `to`, which holds them all without loss.
    fn widen(&mut self, to: OpenType) {
        self.seen = Some(to);
        let rows = self.cells.rows();
        let same = matches!(
            (&self.cells.values, to.data_type()),
            (Values::Bool(_), DataType::Boolean)
                | (Values::Int(_), DataType::Int64)
                | (Values::Float(_), DataType::Float64)
                | (Values::Text(_), DataType::Utf8)
        );
        if same {
            return;
        }
        let mut wide = Cells::of_type(&to.data_type());
        for (row, _) in self.cells.valid().iter().enumerate().filter(|(_, valid)| **valid) {
            wide.pad(row);
            let scalar = match &self.cells.values {
                Values::Bool(values) => values.get(row).map(|v| Scalar::Bool(*v)),
                Values::Int(values) => values.get(row).map(|v| Scalar::Int(*v)),
                Values::Float(values) => values.get(row).map(|v| Scalar::Float(*v)),
                Values::Text(_) => None,
            };
            match (&mut wide.values, scalar) {
                (Values::Float(values), Some(Scalar::Int(value))) => values.push(value as f64),
                (Values::Text(texts), Some(scalar)) => {
                    write_text(scalar, &mut texts.data);
                    // Numbers of one batch never fill two gigabytes.
                    texts.close();
                }
                _ => continue,
            }
            wide.fill();
        }
        wide.pad(rows);
        self.cells = wide;
    }

    /// Takes the column out as an array of `rows` rows, leaving it empty and of no type; `None` without a value.
    pub(super) fn finish(&mut self, rows: usize) -> Result<Option<ArrayRef>, ArrowError> {
        let seen = self.seen.take();
        match seen {
            Some(seen) if self.any() => self.cells.finish(rows, &seen.data_type()).map(Some),
            _ => {
                self.cells.truncate(0);
                Ok(None)
            }
        }
    }
}

fn write_text(scalar: Scalar<'_>, out: &mut String) {
    use std::fmt::Write as _;
    // Writing to a string cannot fail.
    let _ = match scalar {
        Scalar::Bool(value) => write!(out, "{value}"),
        Scalar::Int(value) => write!(out, "{value}"),
        Scalar::Float(value) => out.write_str(&float_text(value)),
        Scalar::Text(Value::Escaped(body)) => {
            json::unescape(body, out);
            Ok(())
        }
        Scalar::Text(Value::Nested(text)) => {
            if !json::write_compact(text, false, out) {
                out.push_str(text);
            }
            Ok(())
        }
        Scalar::Text(Value::Text(text) | Value::Number(text)) => out.write_str(text),
        Scalar::Text(Value::Null | Value::Bool(_)) => Ok(()),
    };
}
