//! Canonical columns: what each accepts, and what it makes of it.

use std::sync::LazyLock;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use super::cells::{Cells, Values};
use super::row_error::{RowError, shown};
use crate::columns::{
    CANONICAL, Column, Content, KIND, PARENT_ID, PROJECT, SESSION_ID, SPAN_ID, STATUS_CODE, TRACE_ID, USER_ID,
};
use crate::ids;
use crate::json::{self, Value};
use crate::time;

/// Span kinds of OpenInference, which are always upper case.
const KINDS: [&str; 11] = [
    "LLM",
    "CHAIN",
    "TOOL",
    "AGENT",
    "RETRIEVER",
    "RERANKER",
    "EMBEDDING",
    "GUARDRAIL",
    "EVALUATOR",
    "PROMPT",
    "UNKNOWN",
];

/// Status codes, which are always upper case.
const STATUSES: [&str; 3] = ["OK", "ERROR", "UNSET"];

/// What a canonical column makes of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// Any text, as it came.
    Text,
    /// Text, where an empty one means null.
    NonEmpty,
    /// An id that a span must have: an empty one means null, and zeros do not fit.
    OwnId,
    /// The id of another span: an empty one and zeros mean null.
    Parent,
    Kind,
    Status,
    /// JSON text of a list or object; `unwrap` as for [`json::write_compact`].
    Json {
        unwrap: bool,
    },
    Int,
    Float,
    Bool,
    Time,
}

/// One for each canonical column, in their order.
static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| CANONICAL.iter().map(Rule::of).collect());

impl Rule {
    /// The rule of the canonical column of this index.
    pub(super) fn at(index: usize) -> Self {
        RULES[index]
    }

    /// Whether a value comes through as it is, but for its case and for what means null.
    pub(super) fn is_plain(self) -> bool {
        matches!(self, Self::Text | Self::NonEmpty | Self::OwnId | Self::Parent | Self::Kind | Self::Status)
    }

    fn of(column: &Column) -> Self {
        match (column.name, &column.data_type, column.content) {
            (PROJECT | SESSION_ID | USER_ID, ..) => Self::NonEmpty,
            (TRACE_ID | SPAN_ID, ..) => Self::OwnId,
            (PARENT_ID, ..) => Self::Parent,
            (KIND, ..) => Self::Kind,
            (STATUS_CODE, ..) => Self::Status,
            (_, DataType::Int64, _) => Self::Int,
            (_, DataType::Float64, _) => Self::Float,
            (_, DataType::Boolean, _) => Self::Bool,
            (_, DataType::Timestamp(..), _) => Self::Time,
            (_, _, Content::JsonList) => Self::Json { unwrap: true },
            (_, _, Content::JsonObject) => Self::Json { unwrap: false },
            (_, _, Content::Scalar) => Self::Text,
        }
    }

    /// Whether a text that came is what stands in the column then: neither null, nor written in another way, nor refused.
    pub(super) fn keeps(self, text: &str) -> bool {
        match self {
            Self::Text => true,
            Self::OwnId if ids::is_zero(text) => false,
            Self::NonEmpty | Self::OwnId | Self::Parent | Self::Kind | Self::Status => self.word(text) == Some(text),
            Self::Json { .. } | Self::Int | Self::Float | Self::Bool | Self::Time => false,
        }
    }

    /// What a column of plain text makes of one: nothing where it means null, and a known word in its usual spelling.
    fn word(self, text: &str) -> Option<&str> {
        match self {
            Self::NonEmpty | Self::OwnId | Self::Parent | Self::Status if text.is_empty() => None,
            Self::Parent if ids::is_zero(text) => None,
            Self::Kind => Some(known(&KINDS, text).unwrap_or(text)),
            Self::Status => {
                let short = text.get(.."STATUS_CODE_".len()).filter(|p| p.eq_ignore_ascii_case("STATUS_CODE_"));
                Some(known(&STATUSES, short.map_or(text, |prefix| &text[prefix.len()..])).unwrap_or(text))
            }
            _ => Some(text),
        }
    }
}

/// One canonical column in the making.
#[derive(Debug)]
pub(super) struct CanonicalBuilder {
    column: &'static Column,
    rule: Rule,
    cells: Cells,
}

impl CanonicalBuilder {
    pub(super) fn new(index: usize) -> Self {
        let column = &CANONICAL[index];
        Self { column, rule: Rule::at(index), cells: Cells::of_type(&column.data_type) }
    }

    /// Whether any row has a value.
    pub(super) fn any(&self) -> bool {
        self.cells.any()
    }

    /// Whether `row`, the last row, has a value.
    pub(super) fn has(&self, row: usize) -> bool {
        self.cells.has(row)
    }

    /// The text of the last row, where it has one.
    pub(super) fn text(&self, row: usize) -> Option<&str> {
        self.cells.text(row)
    }

    /// Drops the rows from `rows` on.
    pub(super) fn truncate(&mut self, rows: usize) {
        self.cells.truncate(rows);
    }

    /// Takes the column out as an array of `rows` rows, leaving it empty.
    pub(super) fn finish(&mut self, rows: usize) -> Result<ArrayRef, ArrowError> {
        self.cells.finish(rows, &self.column.data_type)
    }

    /// Gives `row`, which comes after all rows with a value, what the column makes of `value`; that may be null.
    ///
    /// `scratch` is room to unescape into. After an error the column is as before.
    pub(super) fn put(&mut self, row: usize, value: Value<'_>, scratch: &mut String) -> Result<(), RowError> {
        let value = match value {
            Value::Null => return Ok(()),
            // Plain text needs no copy besides the one into the column.
            Value::Escaped(body) if self.rule == Rule::Text => {
                return self.put_text(row, |data| json::unescape(body, data));
            }
            Value::Escaped(body) => {
                scratch.clear();
                json::unescape(body, scratch);
                Value::Text(scratch.as_str())
            }
            value => value,
        };
        match self.rule {
            Rule::Int => self.put_scalar(row, integer(value), value, "is not an integer"),
            Rule::Float => self.put_scalar(row, float(value), value, "is not a number"),
            Rule::Bool => self.put_scalar(row, boolean(value), value, "is not true or false"),
            Rule::Time => {
                let time = instant(value).map_err(|error| self.row_error(value, &error.to_string()))?;
                self.put_scalar(row, Ok(time), value, "")
            }
            rule => self.put_text_by(row, rule, value),
        }
    }

    /// Gives `row`, as for [`put`](Self::put), a list whose elements are JSON texts; says whether numbers in it became null.
    pub(super) fn put_list<'a>(
        &mut self,
        row: usize,
        elements: impl IntoIterator<Item = Option<&'a str>>,
    ) -> Result<bool, RowError> {
        let mut nonfinite = false;
        self.put_text(row, |data| nonfinite = json::write_list(elements, data))?;
        Ok(nonfinite)
    }

    fn put_text_by(&mut self, row: usize, rule: Rule, value: Value<'_>) -> Result<(), RowError> {
        let text = match value {
            Value::Text(text) | Value::Number(text) => text,
            Value::Bool(true) => "true",
            Value::Bool(false) => "false",
            Value::Nested(text) => {
                let unwrap = rule == Rule::Json { unwrap: true };
                return self.put_text(row, |data| {
                    if !json::write_compact(text, unwrap, data) {
                        data.push_str(text);
                    }
                });
            }
            Value::Null | Value::Escaped(_) => return Ok(()),
        };
        if let Rule::Json { unwrap } = rule {
            return self.put_text(row, |data| {
                if !text.trim_start().starts_with(['[', '{']) || !json::write_compact(text, unwrap, data) {
                    data.push_str(text);
                }
            });
        }
        match rule.word(text) {
            None => Ok(()),
            Some(_) if rule == Rule::OwnId && ids::is_zero(text) => {
                Err(self.row_error(value, "is all zeros, which is no id"))
            }
            Some(word) => self.put_text(row, |data| data.push_str(word)),
        }
    }

    fn put_text(&mut self, row: usize, write: impl FnOnce(&mut String)) -> Result<(), RowError> {
        self.cells.pad(row);
        if let Values::Text(texts) = &mut self.cells.values {
            write(&mut texts.data);
            if !texts.close() {
                self.cells.truncate(row);
                let reason = "more than two gigabytes of text in one batch".to_owned();
                return Err(RowError::Value { column: self.column.name.to_owned(), reason });
            }
            self.cells.fill();
        }
        Ok(())
    }

    fn put_scalar(
        &mut self,
        row: usize,
        read: Result<Option<impl Into<Number>>, NoNumber>,
        value: Value<'_>,
        complaint: &str,
    ) -> Result<(), RowError> {
        let Some(number) = read.map_err(|NoNumber| self.row_error(value, complaint))? else { return Ok(()) };
        self.cells.pad(row);
        match (&mut self.cells.values, number.into()) {
            (Values::Int(values), Number::Int(number)) => values.push(number),
            (Values::Float(values), Number::Float(number)) => values.push(number),
            (Values::Bool(values), Number::Bool(number)) => values.push(number),
            // The column's rule and its values are made from the same type.
            _ => return Ok(()),
        }
        self.cells.fill();
        Ok(())
    }

    fn row_error(&self, value: Value<'_>, complaint: &str) -> RowError {
        let reason = format!("{} {complaint}", shown(value));
        RowError::Value { column: self.column.name.to_owned(), reason }
    }
}

/// The value is none of what its column accepts.
struct NoNumber;

enum Number {
    Int(i64),
    Float(f64),
    Bool(bool),
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<bool> for Number {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

/// The known word that equals `text` but for case.
fn known(words: &[&'static str], text: &str) -> Option<&'static str> {
    words.iter().find(|word| word.eq_ignore_ascii_case(text)).copied()
}

/// The text of a number, be it one or a string; `None` for a string that stands for null.
fn number_text(value: Value<'_>) -> Result<Option<&str>, NoNumber> {
    match value {
        Value::Number(text) => Ok(Some(text)),
        Value::Text(text) => {
            let text = text.trim();
            let null = text.is_empty() || text.eq_ignore_ascii_case("nan");
            Ok((!null).then_some(text))
        }
        _ => Err(NoNumber),
    }
}

fn integer(value: Value<'_>) -> Result<Option<i64>, NoNumber> {
    let Some(text) = number_text(value)? else { return Ok(None) };
    if let Ok(number) = text.parse() {
        return Ok(Some(number));
    }
    let number: f64 = text.parse().map_err(|_| NoNumber)?;
    whole(number).ok_or(NoNumber).map(Some)
}

/// The integer that a float is, exactly.
pub(super) fn whole(number: f64) -> Option<i64> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    (number.fract() == 0.0 && (-LIMIT..LIMIT).contains(&number)).then_some(number as i64)
}

fn float(value: Value<'_>) -> Result<Option<f64>, NoNumber> {
    let Some(text) = number_text(value)? else { return Ok(None) };
    let number: f64 = text.parse().map_err(|_| NoNumber)?;
    Ok(number.is_finite().then_some(number))
}

fn boolean(value: Value<'_>) -> Result<Option<bool>, NoNumber> {
    if let Value::Bool(value) = value {
        return Ok(Some(value));
    }
    let Some(text) = number_text(value)? else { return Ok(None) };
    match text {
        "1" | "1.0" => Ok(Some(true)),
        "0" | "0.0" => Ok(Some(false)),
        text if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
        text if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
        _ => Err(NoNumber),
    }
}

fn instant(value: Value<'_>) -> Result<Option<i64>, time::TimeError> {
    let (text, read) = match value {
        Value::Number(text) => (text, time::from_number(text)),
        Value::Text(text) if matches!(text.trim(), "" | "NaT" | "NaN" | "nan") => return Ok(None),
        Value::Text(text) => (text.trim(), time::parse(text)),
        _ => return Err(time::TimeError::Shape),
    };
    match read.and_then(time::in_calendar) {
        Ok(nanos) => Ok(Some(nanos)),
        Err(time::TimeError::Shape) => Err(time::TimeError::Shape),
        Err(_) => Err(out_of_range(text)),
    }
}

/// Why a time, given as text, cannot be one of a span; of an integer, as what it was read.
pub(super) fn out_of_range(text: &str) -> time::TimeError {
    match text.trim_start_matches(['-', '+']).parse() {
        Ok(magnitude) => time::TimeError::Magnitude(time::unit_name(magnitude)),
        Err(_) => time::TimeError::Calendar,
    }
}

#[cfg(test)]
mod tests;
