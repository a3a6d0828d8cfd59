//! Integer times of a known unit. Their magnitude would tell another one where they are small.

use chrono::{DateTime, SecondsFormat};
use spanql_model::json::Value;

use super::row::Row;

/// Nanoseconds since the epoch as text.
pub(super) fn nanos_text(nanos: i64) -> String {
    DateTime::from_timestamp_nanos(nanos).to_rfc3339_opts(SecondsFormat::Nanos, true)
}

/// Microseconds since the epoch as text; `None` beyond what nanoseconds reach.
pub(super) fn micros_text(micros: i64) -> Option<String> {
    let time = DateTime::from_timestamp_micros(micros)?;
    time.timestamp_nanos_opt()?;
    Some(time.to_rfc3339_opts(SecondsFormat::Micros, true))
}

/// The integer that a number or its text is.
pub(super) fn integer(value: Value<'_>) -> Option<i64> {
    match value {
        Value::Number(text) | Value::Text(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Adds a time in nanoseconds; zero is none. What is no such integer stays as it is, for the column to judge.
pub(super) fn add_nanos(row: &mut Row, name: &str, value: Option<Value<'_>>) {
    match value.map(|value| (integer(value), value)) {
        None | Some((Some(0), _)) => {}
        Some((Some(nanos), _)) => row.text(name, &nanos_text(nanos)),
        Some((None, value)) => row.value(name, value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_do_not_depend_on_magnitudes() {
        assert_eq!(nanos_text(1_793_700_001_500_000_001), "2026-11-03T10:00:01.500000001Z");
        assert_eq!(nanos_text(1_000), "1970-01-01T00:00:00.000001000Z");
        assert_eq!(micros_text(1_771_237_534_577_907).unwrap(), "2026-02-16T10:25:34.577907Z");
        assert_eq!(micros_text(i64::MAX), None);
        let mut row = Row::default();
        row.begin("");
        for (name, value) in [("a", Value::Text("0")), ("b", Value::Number("1")), ("c", Value::Text("soon"))] {
            add_nanos(&mut row, name, Some(value));
        }
        add_nanos(&mut row, "d", None);
        assert_eq!(row.close(), r#"{"b":"1970-01-01T00:00:00.000000001Z","c":"soon"}"#);
    }
}
