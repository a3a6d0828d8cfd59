//! `to_timestamp`, `to_date` and the like with patterns.
//!
//! Text is read by its pattern here, and handed to DataFusion's function as a time in ISO 8601: that function leaves out
//! the hour where the pattern has no minute, and knows chrono's patterns alone.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::format::{Fixed, Item, Numeric, Pad, Parsed, StrftimeItems, parse};
use chrono::{NaiveDateTime, TimeZone, Weekday};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field as ArrowField, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::config::ConfigOptions;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

use super::pattern::{Field, Pattern, Piece};
use crate::error::EngineError;

/// The functions that take text and patterns.
pub(super) const FUNCTIONS: [&str; 8] = [
    "to_date",
    "to_time",
    "to_timestamp",
    "to_timestamp_seconds",
    "to_timestamp_millis",
    "to_timestamp_micros",
    "to_timestamp_nanos",
    "to_unixtime",
];

/// A function of DataFusion's that reads a time, with patterns of both languages.
#[derive(Debug, PartialEq, Eq, Hash)]
struct WithPatterns {
    inner: Arc<ScalarUDF>,
}

pub(super) fn with_patterns(inner: Arc<ScalarUDF>) -> ScalarUDF {
    ScalarUDF::from(WithPatterns { inner })
}

impl ScalarUDFImpl for WithPatterns {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        self.inner.inner().with_updated_config(config).map(|inner| with_patterns(Arc::new(inner)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some((time, patterns)) = args.args.split_first() else { return self.inner.invoke_with_args(args) };
        if let DataType::Float16 | DataType::Float32 | DataType::Float64 = time.data_type()
            && self.name() == "to_timestamp"
        {
            check_seconds(time)?;
        }
        if patterns.is_empty() || !time.data_type().is_string() {
            return self.inner.invoke_with_args(args);
        }
        let iso = match self.name() {
            "to_date" => Iso::Date,
            "to_time" => Iso::Time,
            _ => Iso::Both,
        };
        let read = read_all(time, patterns, args.number_rows, iso)?;
        let field = Arc::new(ArrowField::new("text", DataType::Utf8, true));
        // By what it reads the function would choose a type of its own, without the zone that was announced.
        let announced = args.return_field.data_type().clone();
        let inner = ScalarFunctionArgs { args: vec![read], arg_fields: vec![field], ..args };
        self.inner.inner().invoke_with_args(inner)?.cast_to(&announced, None)
    }
}

/// Seconds that no timestamp can hold are an error: as they are, they would become the last moment that it can.
fn check_seconds(seconds: &ColumnarValue) -> Result<()> {
    let seconds = cast(&seconds.to_array(1)?, &DataType::Float64)?;
    let seconds = seconds.as_primitive::<datafusion::arrow::datatypes::Float64Type>();
    match seconds
        .iter()
        .flatten()
        .find(|seconds| !(seconds * 1e9).is_finite() || (seconds * 1e9).abs() >= 2f64.powi(63))
    {
        Some(wrong) => Err(EngineError::new("bad-time", format!("to_timestamp({wrong}) is out of range"))
            .why("it must lie between the years 1677 and 2262")
            .into()),
        None => Ok(()),
    }
}

/// What of a time is handed on.
#[derive(Debug, Clone, Copy)]
enum Iso {
    Date,
    Time,
    Both,
}

fn read_all(texts: &ColumnarValue, patterns: &[ColumnarValue], rows: usize, iso: Iso) -> Result<ColumnarValue> {
    let scalar = matches!(texts, ColumnarValue::Scalar(_))
        && patterns.iter().all(|pattern| matches!(pattern, ColumnarValue::Scalar(_)));
    let rows = if scalar { 1 } else { rows };
    let text = |value: &ColumnarValue| -> Result<ArrayRef> { Ok(cast(&value.to_array(rows)?, &DataType::Utf8)?) };
    let texts = text(texts)?;
    let patterns = patterns.iter().map(text).collect::<Result<Vec<_>>>()?;
    let mut known: HashMap<&str, Reader> = HashMap::new();
    let mut read = Vec::with_capacity(rows);
    for (row, text) in texts.as_string::<i32>().iter().enumerate() {
        let mut tried = patterns.iter().map(|patterns| patterns.as_string::<i32>()).filter(|p| p.is_valid(row));
        let mut found = None;
        let mut failed = None;
        while let (Some(text), None, Some(pattern)) = (text, &found, tried.next()) {
            let pattern = pattern.value(row);
            if !known.contains_key(pattern) {
                known.insert(pattern, Reader::new(pattern)?);
            }
            match known.get(pattern).and_then(|reader| reader.read(text, iso)) {
                Some(time) => found = Some(time),
                None => failed = Some((text, pattern)),
            }
        }
        if let (None, Some((text, pattern))) = (&found, failed) {
            return Err(EngineError::new("bad-time", format!("'{text}' is no time"))
                .why(format!("it is not written as in {pattern}"))
                .into());
        }
        read.push(found);
    }
    let read: ArrayRef = Arc::new(StringArray::from(read));
    Ok(if scalar { ColumnarValue::Scalar(ScalarValue::try_from_array(&read, 0)?) } else { ColumnarValue::Array(read) })
}

/// A pattern, ready to read texts.
struct Reader {
    items: Vec<Item<'static>>,
    /// Whether the name of a zone ends the text, which chrono cannot read.
    zone: bool,
}

impl Reader {
    fn new(pattern: &str) -> Result<Self, DataFusionError> {
        let mut items = match Pattern::read(pattern)? {
            Pattern::Chrono(items) => items,
            Pattern::Postgres(pieces) => chrono_items(pattern, &pieces)?,
        };
        let is_zone = |item: &Item<'_>| matches!(item, Item::Fixed(Fixed::TimezoneName));
        let zone = items.last().is_some_and(is_zone);
        if zone {
            items.pop();
            while matches!(items.last(), Some(Item::Space(_) | Item::OwnedSpace(_))) {
                items.pop();
            }
        }
        if items.iter().any(is_zone) {
            return Err(unreadable(pattern, "the name of a zone can only be read at the end"));
        }
        Ok(Self { items, zone })
    }

    /// The time that a text is, in ISO 8601.
    fn read(&self, text: &str, iso: Iso) -> Option<String> {
        let (text, zone) = match self.zone {
            true => {
                let (text, zone) = text.trim_end().rsplit_once(' ')?;
                (text.trim_end(), Some(zone.parse::<chrono_tz::Tz>().ok()?))
            }
            false => (text, None),
        };
        let mut parsed = Parsed::new();
        parse(&mut parsed, text, self.items.iter()).ok()?;
        complete(&mut parsed, iso)?;
        if let Iso::Time = iso {
            return Some(parsed.to_naive_time().ok()?.format("%H:%M:%S%.f").to_string());
        }
        let naive: NaiveDateTime = parsed.to_naive_datetime_with_offset(parsed.offset().unwrap_or(0)).ok()?;
        let utc = match (zone, parsed.offset()) {
            (Some(zone), _) => Some(zone.from_local_datetime(&naive).single()?.naive_utc()),
            (None, Some(offset)) => Some(naive - chrono::TimeDelta::seconds(offset.into())),
            (None, None) => None,
        };
        Some(match (iso, utc) {
            (Iso::Date, utc) => utc.unwrap_or(naive).format("%Y-%m-%d").to_string(),
            (_, Some(utc)) => utc.format("%Y-%m-%dT%H:%M:%S%.fZ").to_string(),
            (_, None) => naive.format("%Y-%m-%dT%H:%M:%S%.f").to_string(),
        })
    }
}

/// Fills in what a pattern leaves out, as PostgreSQL does: the first month and day, and nothing of the day's time.
fn complete(parsed: &mut Parsed, iso: Iso) -> Option<()> {
    if parsed.timestamp().is_some() {
        return Some(());
    }
    let of_year = parsed.ordinal().is_some() || parsed.week_from_sun().is_some() || parsed.week_from_mon().is_some();
    let iso_week = parsed.isoweek().is_some();
    if iso_week && parsed.weekday().is_none() {
        parsed.set_weekday(Weekday::Mon).ok()?;
    }
    if !of_year && !iso_week && !matches!(iso, Iso::Time) {
        if parsed.month().is_none() {
            parsed.set_month(1).ok()?;
        }
        if parsed.day().is_none() {
            parsed.set_day(1).ok()?;
        }
    }
    if parsed.hour_mod_12().is_none() {
        parsed.set_hour(0).ok()?;
    } else if parsed.hour_div_12().is_none() {
        // Without AM or PM, 12 is the hour after midnight.
        parsed.set_ampm(false).ok()?;
    }
    if parsed.minute().is_none() {
        parsed.set_minute(0).ok()?;
    }
    if parsed.second().is_none() {
        parsed.set_second(0).ok()?;
    }
    Some(())
}

fn unreadable(pattern: &str, why: &str) -> DataFusionError {
    EngineError::new("bad-pattern", format!("'{pattern}' is no pattern to read a time by")).why(why).into()
}

/// The pieces of a pattern of PostgreSQL's in chrono's terms.
fn chrono_items(pattern: &str, pieces: &[Piece]) -> Result<Vec<Item<'static>>, DataFusionError> {
    let mut items: Vec<Item<'static>> = vec![];
    let number = |numeric| Item::Numeric(numeric, Pad::Zero);
    let mut pieces = pieces.iter().peekable();
    while let Some(piece) = pieces.next() {
        let styled = match piece {
            Piece::Text(text) => {
                let fraction = matches!(
                    (text.strip_suffix('.'), pieces.peek()),
                    (Some(_), Some(Piece::Field(next))) if matches!(next.field, Field::Fraction(_))
                );
                let literal = if fraction { &text[..text.len() - 1] } else { text };
                // Only as literals: a percent sign in quotes is one.
                items.extend(StrftimeItems::new(&literal.replace('%', "%%")).map(Item::to_owned));
                if fraction {
                    // Behind a point, as many digits as there are.
                    items.push(Item::Fixed(Fixed::Nanosecond));
                    pieces.next();
                }
                continue;
            }
            Piece::Field(styled) => styled,
        };
        if styled.ordinal.is_some() {
            return Err(unreadable(pattern, "TH can only be written"));
        }
        items.push(match styled.field {
            Field::Year(4) => number(Numeric::Year),
            Field::Year(2) => number(Numeric::YearMod100),
            Field::Month => number(Numeric::Month),
            Field::MonthName => Item::Fixed(Fixed::LongMonthName),
            Field::ShortMonthName => Item::Fixed(Fixed::ShortMonthName),
            Field::Day => number(Numeric::Day),
            Field::DayOfYear => number(Numeric::Ordinal),
            Field::DayName => Item::Fixed(Fixed::LongWeekdayName),
            Field::ShortDayName => Item::Fixed(Fixed::ShortWeekdayName),
            Field::IsoYear(4) => number(Numeric::IsoYear),
            Field::IsoWeek => number(Numeric::IsoWeek),
            Field::IsoWeekday => number(Numeric::WeekdayFromMon),
            Field::Hour24 => number(Numeric::Hour),
            Field::Hour12 => number(Numeric::Hour12),
            Field::Minute => number(Numeric::Minute),
            Field::Second => number(Numeric::Second),
            Field::Meridiem { dots: false } => Item::Fixed(Fixed::UpperAmPm),
            Field::Fraction(digits @ (3 | 6)) => {
                let text = if digits == 3 { "%3f" } else { "%6f" };
                items.extend(StrftimeItems::new(text).map(Item::to_owned));
                continue;
            }
            Field::Zone => Item::Fixed(Fixed::TimezoneName),
            Field::Offset | Field::OffsetHours => {
                if let (Some(Piece::Text(colon)), Field::OffsetHours) = (pieces.peek(), styled.field)
                    && colon == ":"
                {
                    pieces.next();
                }
                if let Some(Piece::Field(next)) = pieces.peek()
                    && next.field == Field::OffsetMinutes
                {
                    pieces.next();
                }
                items.extend(StrftimeItems::new("%#z").map(Item::to_owned));
                continue;
            }
            _ => return Err(unreadable(pattern, "one of its fields can only be written")),
        });
    }
    Ok(items)
}
