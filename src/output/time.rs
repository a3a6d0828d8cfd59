//! Timestamps as text.

use std::io::Write;

use arrow::datatypes::TimeUnit;
use chrono::{DateTime, Datelike, NaiveDateTime, Offset, Timelike, Utc};
use chrono_tz::Tz;

/// Years beyond this are left to [`write_raw`]: near the limits of the calendar a zone's offset could overflow.
const LAST_YEAR: i32 = 200_000;

/// Appends a timestamp as RFC 3339 in UTC with exactly nine fraction digits and `Z`.
pub(super) fn write_utc(value: i64, unit: TimeUnit, out: &mut Vec<u8>) {
    let Some(time) = date_time(value, unit) else { return write_raw(value, unit, out) };
    write_date_time(&time.naive_utc(), b'T', out);
    out.push(b'.');
    push_padded(time.nanosecond(), 9, out);
    out.push(b'Z');
}

/// Appends a timestamp as people read it: in a zone, with its offset, without trailing zeros.
pub(super) fn write_zoned(value: i64, unit: TimeUnit, zone: Tz, out: &mut Vec<u8>) {
    let Some(time) = date_time(value, unit) else { return write_raw(value, unit, out) };
    let time = time.with_timezone(&zone);
    write_date_time(&time.naive_local(), b' ', out);
    if time.nanosecond() != 0 {
        out.push(b'.');
        push_padded(time.nanosecond(), 9, out);
        while out.last() == Some(&b'0') {
            out.pop();
        }
    }
    if zone == Tz::UTC {
        out.push(b'Z');
        return;
    }
    let offset = time.offset().fix().local_minus_utc();
    out.push(if offset < 0 { b'-' } else { b'+' });
    let offset = offset.unsigned_abs();
    push_padded(offset / 3600, 2, out);
    out.push(b':');
    push_padded(offset / 60 % 60, 2, out);
    // Before zones were unified, offsets had seconds.
    if offset % 60 != 0 {
        out.push(b':');
        push_padded(offset % 60, 2, out);
    }
}

fn date_time(value: i64, unit: TimeUnit) -> Option<DateTime<Utc>> {
    let per_second = match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    };
    let nanos = value.rem_euclid(per_second) * (1_000_000_000 / per_second);
    let time = DateTime::from_timestamp(value.div_euclid(per_second), u32::try_from(nanos).ok()?)?;
    (time.year().abs() <= LAST_YEAR).then_some(time)
}

/// Appends what no calendar holds as the number it is.
fn write_raw(value: i64, unit: TimeUnit, out: &mut Vec<u8>) {
    let unit = match unit {
        TimeUnit::Second => "s",
        TimeUnit::Millisecond => "ms",
        TimeUnit::Microsecond => "us",
        TimeUnit::Nanosecond => "ns",
    };
    // Writing into a vector cannot fail.
    _ = write!(out, "{value} {unit} since 1970");
}

fn write_date_time(time: &NaiveDateTime, separator: u8, out: &mut Vec<u8>) {
    let year = time.year();
    if !(0..=9999).contains(&year) {
        out.push(if year < 0 { b'-' } else { b'+' });
    }
    push_padded(year.unsigned_abs(), 4, out);
    out.push(b'-');
    push_padded(time.month(), 2, out);
    out.push(b'-');
    push_padded(time.day(), 2, out);
    out.push(separator);
    push_padded(time.hour(), 2, out);
    out.push(b':');
    push_padded(time.minute(), 2, out);
    out.push(b':');
    push_padded(time.second(), 2, out);
}

fn push_padded(mut value: u32, width: usize, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 10];
    let mut first = digits.len();
    while value > 0 {
        first -= 1;
        digits[first] = b'0' + (value % 10) as u8;
        value /= 10;
    }
    out.extend_from_slice(&digits[first.min(digits.len() - width)..]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn utc(value: i64, unit: TimeUnit) -> String {
        let mut out = Vec::new();
        write_utc(value, unit, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn zoned(value: i64, zone: Tz) -> String {
        let mut out = Vec::new();
        write_zoned(value, TimeUnit::Nanosecond, zone, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn utc_has_nine_digits() {
        assert_eq!(utc(0, TimeUnit::Nanosecond), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(utc(-1, TimeUnit::Nanosecond), "1969-12-31T23:59:59.999999999Z");
        assert_eq!(utc(1_700_000_000_123, TimeUnit::Millisecond), "2023-11-14T22:13:20.123000000Z");
        assert_eq!(utc(-62_167_219_200, TimeUnit::Second), "0000-01-01T00:00:00.000000000Z");
        assert_eq!(utc(253_402_300_800, TimeUnit::Second), "+10000-01-01T00:00:00.000000000Z");
        assert_eq!(utc(i64::MAX, TimeUnit::Second), "9223372036854775807 s since 1970");
    }

    #[test]
    fn zoned_is_trimmed_and_says_its_offset() {
        let noon = 1_700_000_000_500_000_000;
        assert_eq!(zoned(noon, Tz::UTC), "2023-11-14 22:13:20.5Z");
        assert_eq!(zoned(noon, Tz::Europe__Berlin), "2023-11-14 23:13:20.5+01:00");
        assert_eq!(zoned(noon, Tz::America__St_Johns), "2023-11-14 18:43:20.5-03:30");
        assert_eq!(zoned(0, Tz::Europe__London), "1970-01-01 01:00:00+01:00");
        assert_eq!(
            zoned(-4_000_000_000_000_000_000, Tz::Europe__Amsterdam).len(),
            "1843-03-31 00:00:00+00:00:00".len()
        );
    }

    proptest! {
        #[test]
        fn both_read_back(value: i64) {
            let parsed = DateTime::parse_from_rfc3339(&utc(value, TimeUnit::Nanosecond)).unwrap();
            prop_assert_eq!(parsed.timestamp_nanos_opt(), Some(value));
            let shown = zoned(value.max(0), Tz::Asia__Kathmandu);
            let parsed = DateTime::parse_from_str(&shown, "%Y-%m-%d %H:%M:%S%.f%:z").unwrap();
            prop_assert_eq!(parsed.timestamp_nanos_opt(), Some(value.max(0)));
        }

        #[test]
        fn no_value_panics(value: i64, unit in 0usize..4) {
            let unit = [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond][unit];
            let mut out = Vec::new();
            write_utc(value, unit, &mut out);
            write_zoned(value, unit, Tz::Pacific__Apia, &mut out);
            prop_assert!(out.is_ascii());
        }
    }
}
