//! Times as spans carry them: nanoseconds since the epoch, UTC, read from the many ways exports write them.

/// Why a value is not a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// The text has none of the accepted shapes.
    #[error("is not a time (write RFC 3339, or integer s/ms/µs/ns)")]
    Shape,
    /// Nanoseconds since the epoch do not fit 64 bits.
    #[error("is outside the years 1677 to 2262")]
    Range,
    /// Such a time is one, but the day, week or year that it is in begins or ends outside of what 64 bits hold.
    #[error("is outside the years 1678 to 2261")]
    Calendar,
    /// An age that counts back from the end of the data, where there is none.
    #[error("counts back from the end of a store's data, and there is none here")]
    NoData,
    /// The same of an integer, whose unit its magnitude told.
    #[error("is outside the years 1678 to 2261, read as {0} by its magnitude")]
    Magnitude(&'static str),
}

/// The first and the last nanosecond of the years of which all parts can be computed with.
const CALENDAR: std::ops::Range<i64> = -9_214_560_000_000_000_000..9_214_646_400_000_000_000;

/// A time that a span may have: whatever part of a calendar it is in begins and ends within 64 bits.
pub fn in_calendar(nanos: i64) -> Result<i64, TimeError> {
    if CALENDAR.contains(&nanos) { Ok(nanos) } else { Err(TimeError::Calendar) }
}

/// The unit that an integer time of this magnitude has, by name.
pub fn unit_name(magnitude: u128) -> &'static str {
    match unit_of(magnitude) {
        NANOS => "seconds",
        1_000_000 => "milliseconds",
        1_000 => "microseconds",
        _ => "nanoseconds",
    }
}

/// Whether a time's text has digits behind those that count nanoseconds.
pub fn is_cut(text: &str) -> bool {
    let Some((whole, fraction)) = text.split_once('.') else { return false };
    let kept = match whole.trim_start_matches(['-', '+']).parse::<u128>() {
        Ok(number) => unit_of(number).ilog10() as usize,
        Err(_) => 9,
    };
    let digits = fraction.bytes().take_while(u8::is_ascii_digit);
    digits.skip(kept).any(|digit| digit != b'0')
}

/// Nanoseconds in one second.
pub const NANOS: i64 = 1_000_000_000;

/// How many nanoseconds one unit of an integer time of this magnitude has.
///
/// Below 1e11 a number counts seconds, below 1e14 milliseconds, below 1e17 microseconds, else nanoseconds.
fn unit_of(magnitude: u128) -> i64 {
    match magnitude {
        0..100_000_000_000 => NANOS,
        100_000_000_000..100_000_000_000_000 => 1_000_000,
        100_000_000_000_000..100_000_000_000_000_000 => 1_000,
        _ => 1,
    }
}

/// Reads an integer time, its unit told by its magnitude (before 1970: by the absolute value).
pub fn from_integer(value: i128) -> Result<i64, TimeError> {
    value
        .checked_mul(i128::from(unit_of(value.unsigned_abs())))
        .and_then(|nanos| i64::try_from(nanos).ok())
        .ok_or(TimeError::Range)
}

/// Reads a finite floating-point time, its unit told by its magnitude; a whole number is exact.
pub fn from_float(value: f64) -> Result<i64, TimeError> {
    if value.is_nan() || value.abs() >= 1e30 {
        return Err(TimeError::Range);
    }
    let whole = value.trunc() as i128;
    let unit = unit_of(whole.unsigned_abs());
    let fraction = (value.fract() * unit as f64).round() as i128;
    i64::try_from(whole * i128::from(unit) + fraction).map_err(|_| TimeError::Range)
}

/// Reads a number's text: exact for integers and plain decimals.
///
/// Digits beyond a nanosecond are cut off.
pub fn from_number(text: &str) -> Result<i64, TimeError> {
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, text.get(1..).unwrap_or("")),
        Some(b'+') => (false, text.get(1..).unwrap_or("")),
        _ => (false, text),
    };
    let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        // An exponent; a leading digit keeps out the words that the float parser takes ("inf", "nan").
        let number = digits.starts_with(|c: char| c.is_ascii_digit()).then(|| text.parse::<f64>().ok());
        return number.flatten().map_or(Err(TimeError::Shape), from_float);
    }
    let whole: i128 = whole.parse().map_err(|_| TimeError::Range)?;
    let unit = unit_of(whole.unsigned_abs());
    let mut nanos = whole.checked_mul(i128::from(unit)).ok_or(TimeError::Range)?;
    let mut worth = unit / 10;
    for digit in fraction.bytes() {
        nanos += i128::from(worth) * i128::from(digit - b'0');
        worth /= 10;
    }
    i64::try_from(if negative { -nanos } else { nanos }).map_err(|_| TimeError::Range)
}

/// Reads a time from text: RFC 3339 and its relatives, or a number as text.
///
/// Accepted are a date, or a date and a time with `T`, `t` or a blank between; seconds and any number of fraction
/// digits (beyond nine they are cut off) may be missing; then `Z`, `UTC`, an offset (`+02:00`, `+0200`, `+02`), or
/// nothing, which means UTC.
pub fn parse(text: &str) -> Result<i64, TimeError> {
    let text = text.trim();
    match civil(text.as_bytes()) {
        Some(nanos) => i64::try_from(nanos).map_err(|_| TimeError::Range),
        None => from_number(text),
    }
}

/// Nanoseconds since the epoch, now.
pub fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

const DAY: i64 = 86_400 * NANOS;

/// What relative times count from, in nanoseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// The time now.
    pub now: i64,
    /// Where the data ends; `None` where there is none, or nobody knows.
    pub data_end: Option<i64>,
}

impl Clock {
    /// The time now, over data that ends there.
    pub fn now(data_end: Option<i64>) -> Self {
        Self { now: now(), data_end }
    }
}

/// Whether a text is an age back from the end of the data: `last-7d`.
pub fn is_from_data_end(text: &str) -> bool {
    from_data_end(text).is_some_and(|age| age.starts_with(|c: char| c.is_ascii_digit()))
}

/// The age in `last-7d`.
fn from_data_end(text: &str) -> Option<&str> {
    let text = text.trim();
    let last = text.get(..5).filter(|last| last.eq_ignore_ascii_case("last-"));
    last.and_then(|last| text.get(last.len()..))
}

/// Reads a time as a person types it, wherever one is taken: what [`parse`] reads but for bare numbers, which have no unit
/// that a person could see; `now`, `today`, `yesterday`, `tomorrow` (midnight in UTC), an age back from now, as `-2h`,
/// `7d`, `90m` or `1h 30m`, and one back from the end of the data, as `last-7d`.
pub fn typed(text: &str, clock: &Clock) -> Result<i64, TimeError> {
    let text = text.trim();
    if let Some(age) = from_data_end(text) {
        let nanos = nanos_of_age(age)?;
        return clock.data_end.ok_or(TimeError::NoData)?.checked_sub(nanos).ok_or(TimeError::Range);
    }
    let now = clock.now;
    let midnight = now.div_euclid(DAY) * DAY;
    match text.to_ascii_lowercase().as_str() {
        "now" => return Ok(now),
        "today" => return Ok(midnight),
        "yesterday" => return Ok(midnight - DAY),
        "tomorrow" => return Ok(midnight + DAY),
        _ => {}
    }
    if text.as_bytes().get(4) == Some(&b'-') {
        return parse(text);
    }
    now.checked_sub(nanos_of_age(text.strip_prefix('-').unwrap_or(text))?).ok_or(TimeError::Range)
}

fn nanos_of_age(age: &str) -> Result<i64, TimeError> {
    if !age.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(TimeError::Shape);
    }
    let age = humantime::parse_duration(age).map_err(|_| TimeError::Shape)?;
    i64::try_from(age.as_nanos()).map_err(|_| TimeError::Range)
}

/// The number that `count` digits at `at` spell.
fn digits(text: &[u8], at: usize, count: usize) -> Option<i64> {
    text.get(at..at + count)?
        .iter()
        .try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0')))
}

fn civil(text: &[u8]) -> Option<i128> {
    let (year, month, day) = (digits(text, 0, 4)?, digits(text, 5, 2)?, digits(text, 8, 2)?);
    if text.get(4) != Some(&b'-') || text.get(7) != Some(&b'-') {
        return None;
    }
    let days = days_from_civil(year, month, day)?;
    let Some((b'T' | b't' | b' ', clock)) = text.get(10..)?.split_first() else {
        return (text.len() == 10).then(|| i128::from(days * 86_400) * i128::from(NANOS));
    };
    let (hour, minute) = (digits(clock, 0, 2)?, digits(clock, 3, 2)?);
    let mut second = 0;
    let mut nanos = 0;
    let mut at = 5;
    if clock.get(5) == Some(&b':') {
        second = digits(clock, 6, 2)?;
        at = 8;
        if clock.get(8) == Some(&b'.') {
            let mut worth = NANOS / 10;
            at = 9;
            while let Some(digit @ b'0'..=b'9') = clock.get(at) {
                nanos += i64::from(digit - b'0') * worth;
                worth /= 10;
                at += 1;
            }
            if at == 9 {
                return None;
            }
        }
    }
    // Second 60 is a leap second, which the epoch count gives to the next minute.
    if clock.get(2) != Some(&b':') || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let offset = offset_seconds(clock.get(at..)?)?;
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second - offset;
    Some(i128::from(seconds) * i128::from(NANOS) + i128::from(nanos))
}

fn offset_seconds(zone: &[u8]) -> Option<i64> {
    let zone = zone.trim_ascii_start();
    let (sign, rest) = match zone.split_first() {
        None => return Some(0),
        Some((b'+', rest)) => (1, rest),
        Some((b'-', rest)) => (-1, rest),
        Some(_) => return [&b"Z"[..], b"UTC", b"GMT"].iter().any(|z| zone.eq_ignore_ascii_case(z)).then_some(0),
    };
    let (hours, minutes) = match rest.len() {
        2 => (digits(rest, 0, 2)?, 0),
        4 => (digits(rest, 0, 2)?, digits(rest, 2, 2)?),
        5 if rest.get(2) == Some(&b':') => (digits(rest, 0, 2)?, digits(rest, 3, 2)?),
        _ => return None,
    };
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3_600 + minutes * 60))
}

/// Days since the epoch of a date in the Gregorian calendar; `None` when there is no such date.
fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    // Years that begin in March put the leap day last, so that month lengths repeat every five months.
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    const DAYS_BEFORE_EPOCH: i64 = 719_468;
    Some(year * 365 + leap_days + day_of_year - DAYS_BEFORE_EPOCH)
}

#[cfg(test)]
mod tests;
