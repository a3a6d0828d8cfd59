//! What a pattern of times consists of.

use chrono::format::{Item, StrftimeItems};
use datafusion::error::DataFusionError;

use crate::error::EngineError;

/// A pattern, read.
#[derive(Debug)]
pub(super) enum Pattern {
    Chrono(Vec<Item<'static>>),
    Postgres(Vec<Piece>),
}

/// A part of a pattern of PostgreSQL's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Field(Styled),
}

/// A field as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Styled {
    pub(super) field: Field,
    pub(super) case: Case,
    /// Whether it has a fixed width: `FM` takes that away.
    pub(super) filled: bool,
    /// `TH` or `th` behind it: 1st, 2nd, 3rd.
    pub(super) ordinal: Option<Case>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    Upper,
    Title,
    Lower,
}

/// What a field says of a time; a number is how many digits of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Era { dots: bool },
    Meridiem { dots: bool },
    Century,
    DayName,
    ShortDayName,
    DayOfYear,
    Day,
    Weekday,
    Fraction(usize),
    Hour24,
    Hour12,
    IsoDayOfYear,
    IsoWeekday,
    IsoWeek,
    IsoYear(u32),
    JulianDay,
    Minute,
    Month,
    MonthName,
    ShortMonthName,
    Offset,
    OffsetHours,
    OffsetMinutes,
    Quarter,
    RomanMonth,
    SecondOfDay,
    Second,
    Week,
    WeekOfMonth,
    YearWithComma,
    Year(u32),
    Zone,
}

/// The fields in capitals, longer ones before what they begin with; all of them are fields in small letters as well.
const FIELDS: &[(&str, Field)] = &[
    ("A.D.", Field::Era { dots: true }),
    ("A.M.", Field::Meridiem { dots: true }),
    ("AD", Field::Era { dots: false }),
    ("AM", Field::Meridiem { dots: false }),
    ("B.C.", Field::Era { dots: true }),
    ("BC", Field::Era { dots: false }),
    ("CC", Field::Century),
    ("DAY", Field::DayName),
    ("DDD", Field::DayOfYear),
    ("DD", Field::Day),
    ("DY", Field::ShortDayName),
    ("D", Field::Weekday),
    ("FF1", Field::Fraction(1)),
    ("FF2", Field::Fraction(2)),
    ("FF3", Field::Fraction(3)),
    ("FF4", Field::Fraction(4)),
    ("FF5", Field::Fraction(5)),
    ("FF6", Field::Fraction(6)),
    ("HH24", Field::Hour24),
    ("HH12", Field::Hour12),
    ("HH", Field::Hour12),
    ("IDDD", Field::IsoDayOfYear),
    ("ID", Field::IsoWeekday),
    ("IW", Field::IsoWeek),
    ("IYYY", Field::IsoYear(4)),
    ("IYY", Field::IsoYear(3)),
    ("IY", Field::IsoYear(2)),
    ("I", Field::IsoYear(1)),
    ("J", Field::JulianDay),
    ("MI", Field::Minute),
    ("MM", Field::Month),
    ("MONTH", Field::MonthName),
    ("MON", Field::ShortMonthName),
    ("MS", Field::Fraction(3)),
    ("OF", Field::Offset),
    ("P.M.", Field::Meridiem { dots: true }),
    ("PM", Field::Meridiem { dots: false }),
    ("Q", Field::Quarter),
    ("RM", Field::RomanMonth),
    ("SSSSS", Field::SecondOfDay),
    ("SSSS", Field::SecondOfDay),
    ("SS", Field::Second),
    ("TZH", Field::OffsetHours),
    ("TZM", Field::OffsetMinutes),
    ("TZ", Field::Zone),
    ("US", Field::Fraction(6)),
    ("WW", Field::Week),
    ("W", Field::WeekOfMonth),
    ("Y,YYY", Field::YearWithComma),
    ("YYYY", Field::Year(4)),
    ("YYY", Field::Year(3)),
    ("YY", Field::Year(2)),
    ("Y", Field::Year(1)),
];

/// The fields that are written with one capital.
const TITLES: [(&str, Field); 4] =
    [("Day", Field::DayName), ("Dy", Field::ShortDayName), ("Month", Field::MonthName), ("Mon", Field::ShortMonthName)];

impl Pattern {
    /// Reads a pattern in the language it is written in.
    ///
    /// # Errors
    /// When it names no part of a time in either: nobody means to write such a text for every time.
    pub(super) fn read(text: &str) -> Result<Self, DataFusionError> {
        let items: Vec<Item<'_>> = StrftimeItems::new(text).collect();
        let chrono = items.iter().any(|item| matches!(item, Item::Numeric(..) | Item::Fixed(_)));
        let wrong = items.iter().any(|item| matches!(item, Item::Error));
        if chrono && !wrong {
            return Ok(Self::Chrono(items.into_iter().map(Item::to_owned).collect()));
        }
        let percent =
            text.match_indices('%').any(|(at, _)| text[at + 1..].starts_with(|c: char| c.is_ascii_alphabetic()));
        let pieces = pieces(text);
        if !percent && pieces.iter().any(|piece| matches!(piece, Piece::Field(_))) {
            return Ok(Self::Postgres(pieces));
        }
        Err(EngineError::new("bad-pattern", format!("'{text}' is no pattern of a time"))
            .why(if chrono || percent { "what follows a % in it is no field" } else { "it has no field" })
            .help("write it like 'YYYY-MM-DD HH24:MI:SS' or '%Y-%m-%d %H:%M:%S'")
            .into())
    }
}

fn pieces(pattern: &str) -> Vec<Piece> {
    let (mut pieces, mut text) = (vec![], String::new());
    let mut rest = pattern;
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix('"') {
            rest = push_quoted(&mut text, quoted);
            continue;
        }
        if let Some(behind) = rest.strip_prefix("\\\"") {
            text.push('"');
            rest = behind;
            continue;
        }
        let mut filled = true;
        let mut behind = rest;
        while let Some((prefix, after)) = behind.split_at_checked(2) {
            match prefix {
                "FM" | "fm" | "TM" | "tm" => filled = false,
                "FX" | "fx" => {}
                _ => break,
            }
            behind = after;
        }
        if let Some((name, field, case)) = field(behind) {
            let mut after = &behind[name.len()..];
            let mut ordinal = None;
            for (suffix, case) in [("TH", Case::Upper), ("th", Case::Lower)] {
                if let Some(behind) = after.strip_prefix(suffix) {
                    (ordinal, after) = (Some(case), behind);
                }
            }
            if !text.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut text)));
            }
            pieces.push(Piece::Field(Styled { field, case, filled, ordinal }));
            rest = after;
            continue;
        }
        let mut chars = behind.chars();
        text.extend(chars.next());
        rest = chars.as_str();
    }
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    pieces
}

/// Takes what is in quotes, and gives what follows them.
fn push_quoted<'a>(text: &mut String, quoted: &'a str) -> &'a str {
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => text.push(chars.next().unwrap_or('\\')),
            other => text.push(other),
        }
    }
    chars.as_str()
}

/// The field that a text begins with.
fn field(text: &str) -> Option<(&str, Field, Case)> {
    let typed = |name: &str| text.get(..name.len());
    for (name, field) in TITLES {
        if text.starts_with(name) {
            return Some((&text[..name.len()], field, Case::Title));
        }
    }
    FIELDS.iter().find_map(|(name, field)| {
        let typed = typed(name)?;
        let case = if typed == *name {
            Case::Upper
        } else if *typed == name.to_ascii_lowercase() {
            Case::Lower
        } else {
            return None;
        };
        Some((typed, *field, case))
    })
}

/// The names of the months and of the days, from January and from Sunday on.
pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub(super) const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_needs_a_field() {
        for text in ["", "hello", "999", "%", "%%", "%Q", "YYYY-%Q", "\"YYYY\"", "xx FM"] {
            let error = EngineError::from_datafusion(&Pattern::read(text).unwrap_err());
            assert!(error.to_string().starts_with(&format!("'{text}' is no pattern of a time")), "{error}");
        }
    }

    #[test]
    fn each_language_is_known() {
        for text in ["%Y-%m-%d", "%H h", "%+", "at %s"] {
            assert!(matches!(Pattern::read(text).unwrap(), Pattern::Chrono(_)), "{text}");
        }
        for text in ["YYYY-MM-DD", "hh24:mi", "Q", "Mon", "MM %"] {
            assert!(matches!(Pattern::read(text).unwrap(), Pattern::Postgres(_)), "{text}");
        }
    }
}
