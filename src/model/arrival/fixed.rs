//! Canonical columns: what each accepts, and what it makes of it.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use super::cells::{Cells, Values};
use super::misfit::{Misfit, shown};
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

impl Rule {
    pub(super) fn of(column: &Column) -> Self {
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
}

/// One canonical column in the making.
#[derive(Debug)]
pub(super) struct Fixed {
    column: &'static Column,
    rule: Rule,
    cells: Cells,
}

impl Fixed {
    pub(super) fn new(index: usize) -> Self {
        let column = &CANONICAL[index];
        Self { column, rule: Rule::of(column), cells: Cells::of_type(&column.data_type) }
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
    pub(super) fn put(&mut self, row: usize, value: Value<'_>, scratch: &mut String) -> Result<(), Misfit> {
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
                let time = instant(value).map_err(|error| self.misfit(value, &error.to_string()))?;
                self.put_scalar(row, Ok(time), value, "")
            }
            rule => self.put_text_by(row, rule, value),
        }
    }

    fn put_text_by(&mut self, row: usize, rule: Rule, value: Value<'_>) -> Result<(), Misfit> {
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
        let text = match rule {
            Rule::NonEmpty | Rule::OwnId | Rule::Parent | Rule::Status if text.is_empty() => return Ok(()),
            Rule::Parent if ids::is_zero(text) => return Ok(()),
            Rule::OwnId if ids::is_zero(text) => return Err(self.misfit(value, "is all zeros, which is no id")),
            Rule::Kind => known(&KINDS, text).unwrap_or(text),
            Rule::Status => {
                let short = text.get(.."STATUS_CODE_".len()).filter(|p| p.eq_ignore_ascii_case("STATUS_CODE_"));
                known(&STATUSES, short.map_or(text, |prefix| &text[prefix.len()..])).unwrap_or(text)
            }
            Rule::Json { unwrap } => {
                return self.put_text(row, |data| {
                    if !text.trim_start().starts_with(['[', '{']) || !json::write_compact(text, unwrap, data) {
                        data.push_str(text);
                    }
                });
            }
            _ => text,
        };
        self.put_text(row, |data| data.push_str(text))
    }

    fn put_text(&mut self, row: usize, write: impl FnOnce(&mut String)) -> Result<(), Misfit> {
        self.cells.pad(row);
        if let Values::Text(texts) = &mut self.cells.values {
            write(&mut texts.data);
            if !texts.close() {
                self.cells.truncate(row);
                let reason = "more than two gigabytes of text in one batch".to_owned();
                return Err(Misfit::Value { column: self.column.name.to_owned(), reason });
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
    ) -> Result<(), Misfit> {
        let Some(number) = read.map_err(|NoNumber| self.misfit(value, complaint))? else { return Ok(()) };
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

    fn misfit(&self, value: Value<'_>, complaint: &str) -> Misfit {
        let reason = format!("{} {complaint}", shown(value));
        Misfit::Value { column: self.column.name.to_owned(), reason }
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
mod tests {
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::{Float64Type, Int64Type, TimestampNanosecondType};

    use super::*;

    fn fixed(name: &str) -> Fixed {
        Fixed::new(CANONICAL.iter().position(|c| c.name == name).unwrap())
    }

    fn put(column: &mut Fixed, value: Value<'_>) -> Result<(), String> {
        column.truncate(0);
        column.put(0, value, &mut String::new()).map_err(|misfit| misfit.to_string())
    }

    fn text(name: &str, value: Value<'_>) -> Option<String> {
        let mut column = fixed(name);
        put(&mut column, value).unwrap();
        let array = column.finish(1).unwrap();
        array.is_valid(0).then(|| array.as_string::<i32>().value(0).to_owned())
    }

    #[test]
    fn integers() {
        let mut column = fixed("attributes.llm.token_count.total");
        for (value, want) in [
            (Value::Number("12"), Some(12)),
            (Value::Number("12.0"), Some(12)),
            (Value::Number("1e3"), Some(1000)),
            (Value::Number("9223372036854775807"), Some(i64::MAX)),
            (Value::Text(" 7 "), Some(7)),
            (Value::Text(""), None),
            (Value::Text("NaN"), None),
            (Value::Null, None),
        ] {
            put(&mut column, value).unwrap();
            let array = column.finish(1).unwrap();
            let got = array.is_valid(0).then(|| array.as_primitive::<Int64Type>().value(0));
            assert_eq!(got, want, "{value:?}");
        }
        for (value, begin) in [
            (Value::Number("1.5"), "1.5"),
            (Value::Number("9223372036854775808"), "9223372036854775808"),
            (Value::Text("many"), "\"many\""),
            (Value::Escaped("a\\n"), "\"a\\n\""),
            (Value::Bool(true), "true"),
            (Value::Nested("[1]"), "[1]"),
        ] {
            let error = put(&mut column, value).unwrap_err();
            assert_eq!(error, format!("attributes.llm.token_count.total: {begin} is not an integer"));
        }
    }

    #[test]
    fn floats_and_booleans() {
        let mut column = fixed("attributes.llm.cost.total");
        for (value, want) in [
            (Value::Number("0.25"), Some(0.25)),
            (Value::Text(" 1e-3 "), Some(0.001)),
            (Value::Text("inf"), None),
            (Value::Number("1e999"), None),
            (Value::Text(""), None),
        ] {
            put(&mut column, value).unwrap();
            let array = column.finish(1).unwrap();
            let got = array.is_valid(0).then(|| array.as_primitive::<Float64Type>().value(0));
            assert_eq!(got, want, "{value:?}");
        }
        assert!(put(&mut column, Value::Text("free")).unwrap_err().ends_with("\"free\" is not a number"));
        let mut column = fixed("attributes.exception.escaped");
        for (value, want) in [
            (Value::Bool(true), Some(true)),
            (Value::Text("FALSE"), Some(false)),
            (Value::Text("True"), Some(true)),
            (Value::Number("0"), Some(false)),
            (Value::Number("1"), Some(true)),
            (Value::Text(""), None),
        ] {
            put(&mut column, value).unwrap();
            let array = column.finish(1).unwrap();
            assert_eq!(array.is_valid(0).then(|| array.as_boolean().value(0)), want, "{value:?}");
        }
        assert!(put(&mut column, Value::Number("2")).is_err());
    }

    #[test]
    fn times() {
        let mut column = fixed("start_time");
        for value in
            [Value::Number("1755629895149"), Value::Text("2025-08-19T18:58:15.149Z"), Value::Text("1755629895149")]
        {
            put(&mut column, value).unwrap();
            let array = column.finish(1).unwrap();
            assert_eq!(array.as_primitive::<TimestampNanosecondType>().value(0), 1_755_629_895_149_000_000);
            assert_eq!(array.data_type(), &crate::columns::timestamp_type());
        }
        assert_eq!(
            put(&mut column, Value::Text("yesterday")).unwrap_err(),
            "start_time: \"yesterday\" is not a time (write RFC 3339, or integer s/ms/µs/ns)"
        );
        assert_eq!(
            put(&mut column, Value::Text("9999-01-01")).unwrap_err(),
            "start_time: \"9999-01-01\" is outside the years 1678 to 2261"
        );
        assert_eq!(
            put(&mut column, Value::Number("99999999999999999")).unwrap_err(),
            "start_time: 99999999999999999 is outside the years 1678 to 2261, read as microseconds by its magnitude"
        );
        assert!(put(&mut column, Value::Bool(true)).is_err());
    }

    #[test]
    fn words_of_status_and_kind() {
        for (given, want) in [
            ("ok", Some("OK")),
            ("STATUS_CODE_ERROR", Some("ERROR")),
            ("status_code_unset", Some("UNSET")),
            ("", None),
            ("Fine", Some("Fine")),
            ("STATUS_CODE_FINE", Some("STATUS_CODE_FINE")),
        ] {
            assert_eq!(text("status_code", Value::Text(given)).as_deref(), want, "{given}");
        }
        let kind = "attributes.openinference.span.kind";
        assert_eq!(text(kind, Value::Text("llm")).as_deref(), Some("LLM"));
        assert_eq!(text(kind, Value::Text("Judge")).as_deref(), Some("Judge"));
        assert_eq!(text("parent_id", Value::Text("")), None);
        assert_eq!(text("attributes.session.id", Value::Text("")), None);
        assert_eq!(text("attributes.user.id", Value::Escaped("")), None);
        assert_eq!(text("status_message", Value::Text("")).as_deref(), Some(""));
    }

    #[test]
    fn ids_of_zeros_are_none() {
        let zeros = ["0000000000000000", "0", "0x00", "00000000-0000-0000-0000-000000000000"];
        for id in zeros.map(Value::Text).into_iter().chain([Value::Number("0"), Value::Escaped("\\u0030")]) {
            assert_eq!(text("parent_id", id), None, "{id:?}");
            for name in ["context.trace_id", "context.span_id"] {
                let error = put(&mut fixed(name), id).unwrap_err();
                assert!(error.starts_with(name) && error.ends_with("is all zeros, which is no id"), "{error}");
            }
        }
        assert_eq!(text("parent_id", Value::Text("00f0")).as_deref(), Some("00f0"));
        assert_eq!(text("attributes.session.id", Value::Text("0")).as_deref(), Some("0"));
    }

    #[test]
    fn text_columns_take_anything() {
        let id = "340282366920938463463374607431768211455";
        assert_eq!(text("context.trace_id", Value::Number(id)).as_deref(), Some(id));
        assert_eq!(text("name", Value::Bool(false)).as_deref(), Some("false"));
        assert_eq!(text("name", Value::Escaped("a\\u0041")).as_deref(), Some("aA"));
        assert_eq!(text("name", Value::Nested("[ 1, {\"a\": 2} ]")).as_deref(), Some("[1,{\"a\": 2}]"));
        assert_eq!(text("events", Value::Text("[ ]")).as_deref(), Some("[]"));
        assert_eq!(text("events", Value::Text("nothing")).as_deref(), Some("nothing"));
        assert_eq!(text("events", Value::Escaped("[\\\"{}\\\", 1]")).as_deref(), Some("[{},1]"));
        assert_eq!(
            text("attributes.metadata", Value::Text("{\"a\": 1, \"b\":2}")).as_deref(),
            Some("{\"a\": 1,\"b\":2}")
        );
    }
}
