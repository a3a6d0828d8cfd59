//! Functions over times as DuckDB spells them: `time_bucket`, `date_diff`, `epoch_ms`.

use chrono::DateTime;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, DataType, DateTimeField, Expr, Ident, Interval, TimezoneInfo, TypedString, Value,
};
use datafusion::sql::sqlparser::tokenizer::Span;

use super::ast::{binary, call, literal, number, text};
use spanql_model::time::{self, Clock};

/// The call as calls of DataFusion's functions; none if it is another one.
pub(super) fn time_call(name: &str, args: &[Expr]) -> Option<Expr> {
    match (name, args) {
        ("time_bucket", [width, time]) => {
            // As in DuckDB, weeks begin on a Monday and months on their first day.
            let origin = if counts_months(width)? { "2000-01-01" } else { "2000-01-03" };
            Some(call("date_bin", vec![interval(width), time.clone(), timestamp(origin)]))
        }
        ("time_bucket", [width, time, origin]) => {
            Some(call("date_bin", vec![interval(width), time.clone(), origin.clone()]))
        }
        ("date_diff" | "datediff", [unit, from, to]) => date_diff(&unit_name(unit)?, from, to),
        ("epoch_ms", [time]) => Some(whole(binary(epoch(time.clone()), BinaryOperator::Multiply, number("1000")))),
        _ => None,
    }
}

/// A width given as text as an interval.
fn interval(width: &Expr) -> Expr {
    match literal(width) {
        Some(_) => cast(width.clone(), DataType::Interval { fields: None, precision: None }),
        None => width.clone(),
    }
}

/// Whether a width is one of months; nothing where it is not known.
fn counts_months(width: &Expr) -> Option<bool> {
    let months = |words: &str| {
        let words = words.to_lowercase();
        ["mon", "year", "quarter", "decade", "centur", "millen"].iter().any(|unit| words.contains(unit))
    };
    match width {
        Expr::Interval(Interval { value, leading_field, .. }) => {
            let of_field = matches!(
                leading_field,
                Some(
                    DateTimeField::Month
                        | DateTimeField::Months
                        | DateTimeField::Year
                        | DateTimeField::Years
                        | DateTimeField::Quarter
                )
            );
            Some(of_field || literal(value).is_some_and(months))
        }
        Expr::Cast { expr, .. } => literal(expr).map(months),
        other => Some(literal(other).is_some_and(months)),
    }
}

/// The day that a bare word means, where nothing else is called so.
pub(super) fn day(ident: &Ident) -> Option<Expr> {
    let word = ident.value.to_lowercase();
    let is_day = ident.quote_style.is_none() && matches!(word.as_str(), "today" | "yesterday" | "tomorrow");
    let nanos = time::typed(&word, &Clock::now(None)).ok().filter(|_| is_day)?;
    Some(timestamp(&DateTime::from_timestamp_nanos(nanos).to_rfc3339()))
}

fn timestamp(typed: &str) -> Expr {
    Expr::TypedString(TypedString {
        data_type: DataType::Timestamp(None, TimezoneInfo::None),
        value: Value::SingleQuotedString(typed.to_owned()).with_span(Span::empty()),
        uses_odbc_syntax: false,
    })
}

/// A unit in single quotes, or bare as in `datediff(day, a, b)`.
fn unit_name(unit: &Expr) -> Option<String> {
    let typed = match unit {
        Expr::Identifier(ident) => ident.value.as_str(),
        other => literal(other)?,
    };
    let typed = typed.to_lowercase();
    Some(typed.strip_suffix('s').unwrap_or(&typed).to_owned())
}

/// How many times a unit begins between two times, which is what DuckDB counts, or how many weeks lie between them.
fn date_diff(unit: &str, from: &Expr, to: &Expr) -> Option<Expr> {
    let part = |part: &str, time: &Expr| call("date_part", vec![text(part), time.clone()]);
    let minus = |after: Expr, before: Expr| nested(binary(after, BinaryOperator::Minus, before));
    let months = |per_year: &str, of_year: &str| {
        let years = minus(part("year", to), part("year", from));
        let rest = minus(part(of_year, to), part(of_year, from));
        whole(binary(binary(years, BinaryOperator::Multiply, number(per_year)), BinaryOperator::Plus, rest))
    };
    let (unit, per_second) = match unit {
        "year" => return Some(whole(minus(part("year", to), part("year", from)))),
        "quarter" => return Some(months("4", "quarter")),
        "month" => return Some(months("12", "month")),
        // Whole ones, unlike the others: so it is in DuckDB.
        "week" => {
            let days = binary(
                cast(date_diff("day", from, to)?, DataType::DoublePrecision),
                BinaryOperator::Divide,
                number("7"),
            );
            return Some(cast(call("trunc", vec![days]), DataType::BigInt(None)));
        }
        "day" => ("day", "86400"),
        "hour" => ("hour", "3600"),
        "minute" => ("minute", "60"),
        "second" => ("second", "1"),
        "millisecond" | "ms" => ("millisecond", "0.001"),
        _ => return None,
    };
    let begins = |time: &Expr| {
        let time = cast(time.clone(), DataType::Timestamp(None, TimezoneInfo::None));
        epoch(call("date_trunc", vec![text(unit), time]))
    };
    Some(whole(binary(minus(begins(to), begins(from)), BinaryOperator::Divide, number(per_second))))
}

fn epoch(time: Expr) -> Expr {
    call("date_part", vec![text("epoch"), time])
}

fn nested(expr: Expr) -> Expr {
    Expr::Nested(Box::new(expr))
}

fn whole(number: Expr) -> Expr {
    cast(call("round", vec![cast(nested(number), DataType::DoublePrecision)]), DataType::BigInt(None))
}

fn cast(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(expr), data_type, format: None, array: false }
}
