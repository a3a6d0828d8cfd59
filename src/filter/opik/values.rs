//! The values of clauses: numbers and instants, read from text and written as text.

use chrono::{DateTime, SecondsFormat};
use datafusion_common::ScalarValue;
use datafusion_expr::Expr;

use spanql_model::time;

/// A number as a literal: an integer where it is written as one and fits, else a float.
///
/// `None` for text that is no finite decimal number; digits are those of ASCII.
pub(super) fn number(text: &str) -> Option<Expr> {
    if let Some(integer) = text.parse::<i64>().ok().filter(|_| is_decimal(text)) {
        return Some(Expr::Literal(ScalarValue::Int64(Some(integer)), None));
    }
    float(text).map(|float| Expr::Literal(ScalarValue::Float64(Some(float)), None))
}

/// A number as a float.
pub(super) fn float(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|float| float.is_finite() && is_decimal(text))
}

/// `-1`, `2.5`, `1e-3`: no blanks, no plus sign, which the server would read as a blank.
fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.ends_with(|c: char| c.is_ascii_digit())
        && !digits.contains('+')
        && digits.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '-'))
}

/// The number of a literal as a value is written: decimal, without an exponent.
///
/// `None` for what is no number, and beyond what is sure to be read everywhere.
pub(super) fn number_text(value: &ScalarValue) -> Option<(f64, String)> {
    let float = match value {
        ScalarValue::Float64(Some(float)) => *float,
        ScalarValue::Float32(Some(float)) => f64::from(*float),
        ScalarValue::Int64(Some(integer)) => return whole_text(i128::from(*integer)),
        ScalarValue::Int32(Some(integer)) => return whole_text(i128::from(*integer)),
        ScalarValue::UInt64(Some(integer)) => return whole_text(i128::from(*integer)),
        ScalarValue::UInt32(Some(integer)) => return whole_text(i128::from(*integer)),
        _ => return None,
    };
    let in_range = float == 0.0 || (1e-12..1e15).contains(&float.abs());
    // A negative zero is a zero.
    in_range.then(|| (float, format!("{}", float + 0.0)))
}

fn whole_text(integer: i128) -> Option<(f64, String)> {
    (integer.unsigned_abs() <= 1 << 53).then(|| (integer as f64, integer.to_string()))
}

/// An ISO instant in nanoseconds: a date, `T`, a time, and `Z` or an offset.
///
/// # Errors
/// With what was probably meant, where it is a time of another shape.
pub(super) fn instant(text: &str) -> Result<i64, Option<String>> {
    let zoned = text.get(11..).is_some_and(|clock| {
        clock.ends_with(['Z', 'z'])
            || clock.rfind(['+', '-']).is_some_and(|sign| {
                let zone = &clock[sign + 1..];
                matches!(zone.len(), 2 | 4 | 5) && zone.bytes().all(|byte| byte.is_ascii_digit() || byte == b':')
            })
    });
    let is_instant = zoned && matches!(text.as_bytes().get(10), Some(b'T' | b't'));
    match time::parse(text) {
        Ok(nanos) if is_instant => Ok(nanos),
        Ok(nanos) => Err(Some(instant_text(nanos))),
        Err(_) => Err(None),
    }
}

/// An instant as text, in UTC.
pub(super) fn instant_text(nanos: i64) -> String {
    DateTime::from_timestamp_nanos(nanos).to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// The nanoseconds of a literal that is a time in UTC.
pub(super) fn nanos_of(value: &ScalarValue) -> Option<i64> {
    let is_utc = |zone: &Option<std::sync::Arc<str>>| {
        zone.as_ref().is_none_or(|zone| matches!(zone.as_ref(), "UTC" | "+00:00" | "Z"))
    };
    match value {
        ScalarValue::TimestampNanosecond(Some(value), zone) if is_utc(zone) => Some(*value),
        ScalarValue::TimestampMicrosecond(Some(value), zone) if is_utc(zone) => value.checked_mul(1_000),
        ScalarValue::TimestampMillisecond(Some(value), zone) if is_utc(zone) => value.checked_mul(1_000_000),
        ScalarValue::TimestampSecond(Some(value), zone) if is_utc(zone) => value.checked_mul(time::NANOS),
        _ => None,
    }
}

/// A literal time.
pub(super) fn time_literal(nanos: i64) -> Expr {
    Expr::Literal(ScalarValue::TimestampNanosecond(Some(nanos), Some("UTC".into())), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (text, read) in [
            ("5", Some(5.0)),
            ("-5.25", Some(-5.25)),
            ("007.50", Some(7.5)),
            ("1e3", Some(1000.0)),
            ("1e-3", Some(0.001)),
            ("+5", None),
            (" 5", None),
            ("5.", None),
            (".5", None),
            ("1e999", None),
            ("inf", None),
            ("٣", None),
            ("", None),
            ("--1", None),
        ] {
            assert_eq!(float(text), read, "{text}");
            assert_eq!(number(text).is_some(), read.is_some(), "{text}");
        }
        for (value, text) in [(0.1, Some("0.1")), (-0.0, Some("0")), (5.0, Some("5")), (1e300, None), (f64::NAN, None)]
        {
            assert_eq!(
                number_text(&ScalarValue::Float64(Some(value))).map(|(_, text)| text).as_deref(),
                text,
                "{value}"
            );
        }
        assert_eq!(number_text(&ScalarValue::Int64(Some(i64::MAX))), None);
        for five in [
            ScalarValue::Float32(Some(5.0)),
            ScalarValue::Int32(Some(5)),
            ScalarValue::UInt32(Some(5)),
            ScalarValue::UInt64(Some(5)),
        ] {
            assert_eq!(number_text(&five), Some((5.0, "5".to_owned())), "{five:?}");
        }
    }

    #[test]
    fn instants() {
        for text in ["2024-01-01T00:00:00Z", "2024-01-01T02:00:00+02:00", "2023-12-31T19:00:00.000-0500"] {
            assert_eq!(instant(text), Ok(1_704_067_200_000_000_000), "{text}");
        }
        for (text, meant) in [
            ("2024-01-01", Some("2024-01-01T00:00:00Z")),
            ("2024-01-01 00:00:00Z", Some("2024-01-01T00:00:00Z")),
            ("2024-01-01T10:00:00.5", Some("2024-01-01T10:00:00.500Z")),
            ("1704067200", Some("2024-01-01T00:00:00Z")),
            ("yesterday", None),
            ("", None),
            ("2024-13-01T00:00:00Z", None),
            ("2024-01-01T00:00:00Ż", None),
            ("2024-01-01T00:00:00+020", None),
        ] {
            assert_eq!(instant(text), Err(meant.map(str::to_owned)), "{text}");
        }
    }

    #[test]
    fn times_are_those_of_utc() {
        use ScalarValue::{TimestampMicrosecond, TimestampMillisecond, TimestampNanosecond, TimestampSecond};
        for (zone, is_utc) in [(None, true), (Some("UTC".into()), true), (Some("+02:00".into()), false)] {
            for (value, nanos) in [
                (TimestampNanosecond(Some(7), zone.clone()), 7),
                (TimestampMicrosecond(Some(7), zone.clone()), 7_000),
                (TimestampMillisecond(Some(7), zone.clone()), 7_000_000),
                (TimestampSecond(Some(7), zone.clone()), 7_000_000_000),
            ] {
                assert_eq!(nanos_of(&value), is_utc.then_some(nanos), "{value:?}");
            }
        }
    }
}
