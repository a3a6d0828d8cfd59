//! `to_char`, which is `date_format` too.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::str::FromStr;
use std::sync::Arc;

use chrono::format::DelayedFormat;
use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, Offset, Timelike};
use chrono_tz::OffsetName;
use datafusion::arrow::array::timezone::Tz;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray, StringBuilder};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    ArrowTemporalType, DataType, Date32Type, Date64Type, Time64NanosecondType, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use datafusion::arrow::util::display::{ArrayFormatter, DurationFormat, FormatOptions};
use datafusion::common::ScalarValue;
use datafusion::common::utils::take_function_args;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::pattern::{Case, DAYS, Field, MONTHS, Pattern, Piece, Styled};
use crate::error::EngineError;

/// `to_char(time, pattern)`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ToChar {
    signature: Signature,
    aliases: [String; 1],
}

pub(super) fn to_char() -> ScalarUDF {
    let signature = Signature::user_defined(Volatility::Immutable);
    ScalarUDF::from(ToChar { signature, aliases: ["date_format".to_owned()] })
}

impl ScalarUDFImpl for ToChar {
    fn name(&self) -> &str {
        "to_char"
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [time, pattern] = take_function_args(self.name(), types)?;
        let time = match time {
            DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) | DataType::Duration(_) => time.clone(),
            DataType::Time32(_) | DataType::Time64(_) => DataType::Time64(TimeUnit::Nanosecond),
            other if other.is_string() || other.is_null() => {
                DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()))
            }
            other => {
                let error =
                    EngineError::new("bad-argument", "to_char writes times").why(format!("it was given {other}"));
                let error =
                    if other.is_numeric() { error.help("for a number, write round(x, 2)::varchar") } else { error };
                return Err(error.into());
            }
        };
        if !(pattern.is_string() || pattern.is_null()) {
            return Err(EngineError::new("bad-argument", "the pattern of to_char is text")
                .why(format!("it was given {pattern}"))
                .into());
        }
        Ok(vec![time, DataType::Utf8])
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let [time, pattern] = take_function_args(self.name(), args.args)?;
        let scalar = matches!((&time, &pattern), (ColumnarValue::Scalar(_), ColumnarValue::Scalar(_)));
        let times = time.into_array(if scalar { 1 } else { rows })?;
        let written: ArrayRef = match &pattern {
            ColumnarValue::Scalar(pattern) => {
                let pattern = pattern.try_as_str().flatten();
                write_all(&times, std::iter::repeat_n(pattern, times.len()))?
            }
            ColumnarValue::Array(patterns) => {
                let patterns = cast(patterns, &DataType::Utf8)?;
                write_all(&times, patterns.as_string::<i32>().iter())?
            }
        };
        Ok(if scalar {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&written, 0)?)
        } else {
            ColumnarValue::Array(written)
        })
    }
}

/// Writes each time by the pattern beside it.
fn write_all<'a>(times: &ArrayRef, patterns: impl Iterator<Item = Option<&'a str>>) -> Result<ArrayRef> {
    let mut out = StringBuilder::new();
    let mut known: HashMap<&str, Pattern> = HashMap::new();
    for (row, text) in patterns.enumerate() {
        let (Some(text), true) = (text, times.is_valid(row)) else {
            out.append_null();
            continue;
        };
        if let DataType::Duration(_) = times.data_type() {
            out.append_value(duration(times, row, text)?);
            continue;
        }
        if !known.contains_key(text) {
            known.insert(text, Pattern::read(text)?);
        }
        let Some(pattern) = known.get(text) else { continue };
        match pattern {
            Pattern::Chrono(items) => {
                let moment = Moment::at(times, row)?;
                let result = match &moment.zoned {
                    Some(zoned) => write!(out, "{}", zoned.format_with_items(items.iter())),
                    None => write!(out, "{}", DelayedFormat::new(moment.date, Some(moment.time), items.iter())),
                };
                result.map_err(|_| lacks(text, times.data_type()))?;
            }
            Pattern::Postgres(pieces) => {
                let moment = Moment::at(times, row)?;
                for piece in pieces {
                    match piece {
                        Piece::Text(literal) => out.write_str(literal),
                        Piece::Field(styled) => {
                            let written = moment.field(styled).ok_or_else(|| lacks(text, times.data_type()))?;
                            out.write_str(&written)
                        }
                    }
                    .map_err(|_| lacks(text, times.data_type()))?;
                }
            }
        }
        out.append_value("");
    }
    Ok(Arc::new(out.finish()))
}

fn lacks(pattern: &str, of: &DataType) -> DataFusionError {
    EngineError::new("bad-pattern", format!("'{pattern}' cannot be written"))
        .why(format!("{of} has not all that it asks for"))
        .into()
}

fn duration(durations: &ArrayRef, row: usize, pattern: &str) -> Result<String> {
    let format = match pattern.to_ascii_lowercase().as_str() {
        "iso8601" => DurationFormat::ISO8601,
        "pretty" => DurationFormat::Pretty,
        _ => {
            return Err(EngineError::new("bad-pattern", format!("'{pattern}' is no pattern of a duration"))
                .help("write 'pretty' or 'ISO8601'")
                .into());
        }
    };
    let options = FormatOptions::new().with_duration_format(format);
    Ok(ArrayFormatter::try_new(durations, &options)?.value(row).try_to_string()?)
}

/// A time, as far as its type says one.
struct Moment {
    date: Option<NaiveDate>,
    time: NaiveTime,
    zoned: Option<DateTime<Tz>>,
    /// What its zone is called there and then.
    zone: String,
}

impl Moment {
    fn at(times: &ArrayRef, row: usize) -> Result<Self> {
        let moment = match times.data_type() {
            DataType::Date32 => times.as_primitive::<Date32Type>().value_as_datetime(row).map(Self::naive),
            DataType::Date64 => times.as_primitive::<Date64Type>().value_as_datetime(row).map(Self::naive),
            DataType::Time64(TimeUnit::Nanosecond) => times
                .as_primitive::<Time64NanosecondType>()
                .value_as_time(row)
                .map(|time| Self { date: None, time, zoned: None, zone: String::new() }),
            DataType::Timestamp(unit, zone) => match unit {
                TimeUnit::Second => Self::timestamp::<TimestampSecondType>(times, row, zone.as_deref())?,
                TimeUnit::Millisecond => Self::timestamp::<TimestampMillisecondType>(times, row, zone.as_deref())?,
                TimeUnit::Microsecond => Self::timestamp::<TimestampMicrosecondType>(times, row, zone.as_deref())?,
                TimeUnit::Nanosecond => Self::timestamp::<TimestampNanosecondType>(times, row, zone.as_deref())?,
            },
            _ => None,
        };
        moment.ok_or_else(|| EngineError::new("bad-time", "a time is out of range").into())
    }

    fn naive(moment: chrono::NaiveDateTime) -> Self {
        Self { date: Some(moment.date()), time: moment.time(), zoned: None, zone: String::new() }
    }

    fn timestamp<T: ArrowTemporalType>(times: &ArrayRef, row: usize, zone: Option<&str>) -> Result<Option<Self>>
    where
        i64: From<T::Native>,
    {
        let times: &PrimitiveArray<T> = times.as_primitive();
        let Some(name) = zone else { return Ok(times.value_as_datetime(row).map(Self::naive)) };
        let Some(zoned) = times.value_as_datetime_with_tz(row, Tz::from_str(name)?) else { return Ok(None) };
        let local = zoned.naive_local();
        let zone = match name.parse::<chrono_tz::Tz>() {
            Ok(named) => zoned.with_timezone(&named).offset().abbreviation().map(str::to_owned),
            Err(_) => None,
        };
        let zone = zone.unwrap_or_else(|| offset_text(zoned.offset().fix().local_minus_utc()));
        Ok(Some(Self { date: Some(local.date()), time: local.time(), zoned: Some(zoned), zone }))
    }

    /// Seconds east of UTC.
    fn offset(&self) -> i32 {
        self.zoned.as_ref().map_or(0, |zoned| zoned.offset().fix().local_minus_utc())
    }

    /// A field as text; nothing where the type of the time has no such field.
    fn field(&self, styled: &Styled) -> Option<String> {
        let (hour, minute, second) = (self.time.hour(), self.time.minute(), self.time.second());
        let number = |number: i64, width: usize| {
            let width = if styled.filled { width } else { 0 };
            // The sign counts as one of the digits.
            let digits = format!("{number:0width$}");
            let ordinal = styled.ordinal.map_or("", |case| ordinal(number, case));
            Some(digits + ordinal)
        };
        let word = |word: &str, width: usize| {
            let word = match styled.case {
                Case::Upper => word.to_ascii_uppercase(),
                Case::Lower => word.to_ascii_lowercase(),
                Case::Title => word.to_owned(),
            };
            Some(if styled.filled { format!("{word:width$}") } else { word })
        };
        let year_number = |year: i32, digits: u32| {
            let year = i64::from(if year <= 0 { 1 - year } else { year });
            number(if digits == 4 { year } else { year % 10_i64.pow(digits) }, digits as usize)
        };
        let dotted = |dots: bool, plain: &'static str, dotted: &'static str| if dots { dotted } else { plain };
        match styled.field {
            Field::Hour24 => number(hour.into(), 2),
            Field::Hour12 => number((if hour % 12 == 0 { 12 } else { hour % 12 }).into(), 2),
            Field::Minute => number(minute.into(), 2),
            Field::Second => number(second.into(), 2),
            Field::SecondOfDay => number(self.time.num_seconds_from_midnight().into(), 0),
            Field::Fraction(digits) => {
                let nanoseconds = (self.time.nanosecond() % 1_000_000_000).to_string();
                let fraction = format!("{nanoseconds:0>9}")[..digits].to_owned();
                Some(fraction + styled.ordinal.map_or("", |case| ordinal(0, case)))
            }
            Field::Meridiem { dots } if hour < 12 => word(dotted(dots, "AM", "A.M."), 0),
            Field::Meridiem { dots } => word(dotted(dots, "PM", "P.M."), 0),
            Field::Offset => Some(offset_text(self.offset())),
            Field::OffsetHours => {
                Some(format!("{}{:02}", if self.offset() < 0 { '-' } else { '+' }, self.offset().abs() / 3600))
            }
            Field::OffsetMinutes => Some(format!("{:02}", self.offset().abs() / 60 % 60)),
            Field::Zone => word(&self.zone, 0),
            _ => {
                let date = self.date?;
                let (weekday, week) = (date.weekday(), date.iso_week());
                match styled.field {
                    Field::Era { dots } if date.year() > 0 => word(dotted(dots, "AD", "A.D."), 0),
                    Field::Era { dots } => word(dotted(dots, "BC", "B.C."), 0),
                    Field::Century => {
                        let year = i64::from(date.year());
                        number(if year > 0 { (year + 99) / 100 } else { year / 100 - 1 }, 2)
                    }
                    Field::DayName => word(DAYS[weekday.num_days_from_sunday() as usize], 9),
                    Field::ShortDayName => word(&DAYS[weekday.num_days_from_sunday() as usize][..3], 0),
                    Field::DayOfYear => number(date.ordinal().into(), 3),
                    Field::Day => number(date.day().into(), 2),
                    Field::Weekday => number(weekday.number_from_sunday().into(), 0),
                    Field::IsoDayOfYear => number((week.week() * 7 - 7 + weekday.number_from_monday()).into(), 3),
                    Field::IsoWeekday => number(weekday.number_from_monday().into(), 0),
                    Field::IsoWeek => number(week.week().into(), 2),
                    Field::IsoYear(digits) => year_number(week.year(), digits),
                    // Days are counted from the first of January of the year 1, which is this day of the Julian count.
                    Field::JulianDay => number(i64::from(date.num_days_from_ce()) + 1_721_425, 0),
                    Field::Month => number(date.month().into(), 2),
                    Field::MonthName => word(MONTHS[date.month0() as usize], 9),
                    Field::ShortMonthName => word(&MONTHS[date.month0() as usize][..3], 0),
                    Field::Quarter => number(date.quarter().into(), 0),
                    Field::RomanMonth => word(ROMAN[date.month0() as usize], 4),
                    Field::Week => number((date.ordinal0() / 7 + 1).into(), 2),
                    Field::WeekOfMonth => number((date.day0() / 7 + 1).into(), 0),
                    Field::YearWithComma => {
                        let year = if date.year() <= 0 { 1 - date.year() } else { date.year() };
                        Some(format!("{},{:03}", year / 1000, year % 1000))
                    }
                    Field::Year(digits) => year_number(date.year(), digits),
                    _ => None,
                }
            }
        }
    }
}

const ROMAN: [&str; 12] = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"];

/// `+02`, or `+05:30` where it is no whole hour.
fn offset_text(seconds: i32) -> String {
    let (sign, hours, minutes) = (if seconds < 0 { '-' } else { '+' }, seconds.abs() / 3600, seconds.abs() / 60 % 60);
    if minutes == 0 { format!("{sign}{hours:02}") } else { format!("{sign}{hours:02}:{minutes:02}") }
}

fn ordinal(number: i64, case: Case) -> &'static str {
    let ending = match (number.abs() % 100, number.abs() % 10) {
        (11..=13, _) => 0,
        (_, 1) => 1,
        (_, 2) => 2,
        (_, 3) => 3,
        _ => 0,
    };
    match case {
        Case::Lower => ["th", "st", "nd", "rd"][ending],
        _ => ["TH", "ST", "ND", "RD"][ending],
    }
}
