//! Times, counts and costs as people say them.

use arrow::datatypes::TimeUnit;
use chrono_tz::Tz;

use super::super::time::write_zoned;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A duration given in milliseconds, with about three digits: `40 µs`, `0.4 ms`, `12 ms`, `3.42 s`, `2 m 05 s`, `1 h 02 m`, `3 d 04 h`.
pub(super) fn duration(ms: f64) -> String {
    if !ms.is_finite() {
        return "?".to_owned();
    }
    if ms < 0.0 {
        return format!("-{}", duration(-ms));
    }
    // Each limit lies where the number would round up to the next unit.
    if ms < 0.095 {
        let us = (ms * 1e3).round();
        return if us == 0.0 { "0 ms".to_owned() } else { format!("{us} µs") };
    }
    if ms < 9.95 {
        return format!("{ms:.1} ms");
    }
    if ms < 999.5 {
        return format!("{ms:.0} ms");
    }
    if ms < 59_995.0 {
        return format!("{:.2} s", ms / 1e3);
    }
    let seconds = (ms / 1e3).round() as u64;
    if seconds < HOUR {
        return format!("{} m {:02} s", seconds / MINUTE, seconds % MINUTE);
    }
    let minutes = (ms / 6e4).round() as u64;
    if minutes < DAY / MINUTE {
        return format!("{} h {:02} m", minutes / 60, minutes % 60);
    }
    let hours = (ms / 3.6e6).round() as u64;
    format!("{} d {:02} h", hours / 24, hours % 24)
}

/// A whole number with its thousands apart.
pub(super) fn count(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if number < 0 {
        out.push('-');
    }
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number of things: `1 span`, `2,000 spans`.
pub(super) fn counted(number: i64, thing: &str) -> String {
    format!("{} {thing}{}", count(number), if number == 1 { "" } else { "s" })
}

/// A cost in US dollars: cents from one dollar on, four digits below, five where four would show next to nothing.
pub(super) fn cost(dollars: f64) -> String {
    if !dollars.is_finite() {
        return "?".to_owned();
    }
    if dollars < 0.0 {
        return format!("-{}", cost(-dollars));
    }
    if dollars == 0.0 {
        return "$0".to_owned();
    }
    if dollars < 0.000_005 {
        return "<$0.00001".to_owned();
    }
    if dollars < 0.000_995 {
        return format!("${dollars:.5}");
    }
    if dollars < 0.999_95 {
        return format!("${dollars:.4}");
    }
    let cents = (dollars * 100.0).round();
    if cents >= i64::MAX as f64 {
        return format!("${dollars:e}");
    }
    let cents = cents as i64;
    format!("${}.{:02}", count(cents / 100), cents % 100)
}

/// Tokens of a prompt and of what it led to; `None` where neither is known.
pub(super) fn tokens(prompt: Option<i64>, completion: Option<i64>, total: Option<i64>) -> Option<String> {
    let side = |tokens: Option<i64>| tokens.map_or_else(|| "?".to_owned(), count);
    match (prompt, completion, total) {
        (None, None, total) => Some(counted(total?, "token")),
        _ => Some(format!("{}→{} tokens", side(prompt), side(completion))),
    }
}

/// A moment to the millisecond, with the offset of the zone.
pub(super) fn moment(nanos: i64, zone: Tz) -> String {
    let mut text = Vec::new();
    write_zoned(nanos.saturating_sub(nanos.rem_euclid(1_000_000)), TimeUnit::Nanosecond, zone, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations() {
        let cases = [
            (0.0, "0 ms"),
            (0.0002, "0 ms"),
            (0.04, "40 µs"),
            (0.4, "0.4 ms"),
            (9.94, "9.9 ms"),
            (9.96, "10 ms"),
            (12.3, "12 ms"),
            (999.4, "999 ms"),
            (999.6, "1.00 s"),
            (3_420.0, "3.42 s"),
            (59_994.0, "59.99 s"),
            (59_996.0, "1 m 00 s"),
            (125_000.0, "2 m 05 s"),
            (3_599_600.0, "1 h 00 m"),
            (3_720_000.0, "1 h 02 m"),
            (86_399_000.0, "1 d 00 h"),
            (273_600_000.0, "3 d 04 h"),
            (-12.3, "-12 ms"),
            (f64::NAN, "?"),
        ];
        for (ms, shown) in cases {
            assert_eq!(duration(ms), shown, "{ms}");
        }
    }

    #[test]
    fn counts() {
        let cases = [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (-1_234_567, "-1,234,567"),
            (i64::MIN, "-9,223,372,036,854,775,808"),
        ];
        for (number, shown) in cases {
            assert_eq!(count(number), shown);
        }
        assert_eq!((counted(1, "span"), counted(2_000, "span")), ("1 span".to_owned(), "2,000 spans".to_owned()));
    }

    #[test]
    fn costs() {
        let cases = [
            (0.0, "$0"),
            (1e-12, "<$0.00001"),
            (0.000_032, "$0.00003"),
            (0.000_42, "$0.00042"),
            (0.001, "$0.0010"),
            (0.0123, "$0.0123"),
            (0.999_96, "$1.00"),
            (1.2366, "$1.24"),
            (1_234.5, "$1,234.50"),
            (-0.5, "-$0.5000"),
            (1e30, "$1e30"),
            (f64::INFINITY, "?"),
        ];
        for (dollars, shown) in cases {
            assert_eq!(cost(dollars), shown, "{dollars}");
        }
    }

    #[test]
    fn tokens_as_far_as_known() {
        let shown = |prompt, completion, total| tokens(prompt, completion, total).unwrap_or_default();
        assert_eq!(shown(Some(1_234), Some(56), Some(9)), "1,234→56 tokens");
        assert_eq!(shown(None, Some(56), None), "?→56 tokens");
        assert_eq!(shown(None, None, Some(1)), "1 token");
        assert_eq!(shown(None, None, None), "");
    }

    #[test]
    fn moments_are_cut_to_milliseconds() {
        assert_eq!(moment(1_700_000_000_123_999_999, Tz::UTC), "2023-11-14 22:13:20.123Z");
        assert_eq!(moment(1_700_000_000_000_000_001, Tz::Europe__Berlin), "2023-11-14 23:13:20+01:00");
        assert!(moment(i64::MIN, Tz::UTC).starts_with("1677-"));
    }

    proptest! {
        #[test]
        fn short_whatever_the_value(value: f64, number: i64) {
            prop_assert!(duration(value).chars().count() <= 28, "{}", duration(value));
            prop_assert!(cost(value).chars().count() <= 32, "{}", cost(value));
            prop_assert_eq!(count(number).replace(',', ""), number.to_string());
        }
    }
}
