//! Times and numbers of things in words.

use std::time::Duration;

use indicatif::HumanCount;

/// A span of time in three significant digits: `84.2 µs`, `1.23 ms`, `12.3 s`, `204 s`.
pub(super) fn took(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    let (value, unit) = match micros {
        // What would be written as 1000 is one of the next unit.
        ..999.5 => (micros, "µs"),
        ..999_500.0 => (micros / 1e3, "ms"),
        _ => (micros / 1e6, "s"),
    };
    let digits = match value {
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {unit}")
}

/// A number of things in words: `1 span`, `2,000 spans`.
pub(super) fn counted(count: u64, thing: &str) -> String {
    format!("{} {thing}{}", HumanCount(count), if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits() {
        for (nanos, text) in [
            (0, "0.00 µs"),
            (84_240, "84.2 µs"),
            (999_400, "999 µs"),
            (999_600, "1.00 ms"),
            (1_234_000, "1.23 ms"),
            (999_600_000, "1.00 s"),
            (12_345_000_000, "12.3 s"),
            (204_400_000_000, "204 s"),
        ] {
            assert_eq!(took(Duration::from_nanos(nanos)), text, "{nanos}");
        }
    }
}
