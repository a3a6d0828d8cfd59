//! Conditions as SQL text.

mod words;

use std::fmt::Write as _;

use arrow::datatypes::DataType;
use chrono::{DateTime, SecondsFormat};
use datafusion_common::{Column, ScalarValue, TableReference};
use datafusion_expr::expr::{Between, Case, Cast, InList, Like, ScalarFunction, TryCast};
use datafusion_expr::{BinaryExpr, Expr, Operator};

use super::join::terms_in;
use super::simple::{ROLLED_UP, contains_call};
use super::{FilterError, with_stack};
use spanql_model::columns::{END_TIME, START_TIME};
use words::{name, quoted};

/// How tight an expression holds together; what stands in a looser one needs no parentheses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Bond {
    Or,
    And,
    Not,
    Predicate,
    Sum,
    Product,
    Atom,
}

/// Writes a condition in spanql's SQL.
///
/// Columns go by their names alone, but those of `traces` and `sessions`, which keep their table.
///
/// # Errors
/// When the condition holds something that SQL has no text for.
pub fn print(expr: &Expr) -> Result<String, FilterError> {
    print_with(expr, name)
}

/// As [`print`], with names of columns as `name` writes them.
pub(super) fn print_with(expr: &Expr, name: fn(&str) -> String) -> Result<String, FilterError> {
    with_stack(|| {
        let mut out = Text { sql: String::new(), name };
        write(&mut out, expr, Bond::Or)?;
        Ok(out.sql)
    })
}

/// What is written so far, and how names of columns are.
struct Text {
    sql: String,
    name: fn(&str) -> String,
}

impl Text {
    fn push(&mut self, c: char) {
        self.sql.push(c);
    }

    fn push_str(&mut self, text: &str) {
        self.sql.push_str(text);
    }
}

/// A time as text, in UTC, with all its digits that are not zero.
fn time(nanoseconds: i64) -> String {
    DateTime::from_timestamp_nanos(nanoseconds).to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

fn unsayable(what: impl std::fmt::Display) -> FilterError {
    FilterError::new("unsayable", format!("{what} cannot be written as SQL"))
}

type Written = Result<(), FilterError>;

fn write(out: &mut Text, expr: &Expr, within: Bond) -> Written {
    let bond = bond(expr);
    if bond < within {
        out.push('(');
        write_bare(out, expr)?;
        out.push(')');
        return Ok(());
    }
    write_bare(out, expr)
}

fn bond(expr: &Expr) -> Bond {
    match expr {
        Expr::BinaryExpr(BinaryExpr { op, .. }) => match op {
            Operator::Or => Bond::Or,
            Operator::And => Bond::And,
            Operator::Plus | Operator::Minus => Bond::Sum,
            Operator::Multiply | Operator::Divide | Operator::Modulo => Bond::Product,
            _ => Bond::Predicate,
        },
        Expr::Not(inner) => match inner.as_ref() {
            Expr::ScalarFunction(call) if contains_call(call).is_some() => Bond::Predicate,
            _ => Bond::Not,
        },
        Expr::Alias(alias) => bond(&alias.expr),
        Expr::ScalarFunction(call) if contains_call(call).is_some() => Bond::Predicate,
        Expr::Column(_)
        | Expr::Literal(..)
        | Expr::Case(_)
        | Expr::Cast(_)
        | Expr::TryCast(_)
        | Expr::ScalarFunction(_) => Bond::Atom,
        Expr::Negative(_) => Bond::Product,
        _ => Bond::Predicate,
    }
}

fn write_bare(out: &mut Text, expr: &Expr) -> Written {
    match expr {
        Expr::BinaryExpr(binary) => write_binary(out, expr, binary),
        Expr::Column(column) => {
            write_column(out, column);
            Ok(())
        }
        Expr::Alias(alias) => write_bare(out, &alias.expr),
        Expr::Literal(value, _) => write_literal(out, value),
        Expr::Not(inner) => match inner.as_ref() {
            Expr::ScalarFunction(call) if contains_call(call).is_some() => write_call(out, call, true),
            _ => {
                out.push_str("NOT ");
                write(out, inner, Bond::Not)
            }
        },
        Expr::Negative(inner) => {
            // Two signs would begin a comment.
            let mut number = Text { sql: String::new(), name: out.name };
            write(&mut number, inner, Bond::Atom)?;
            let number = number.sql;
            let signed = number.starts_with('-');
            out.push_str(&if signed { format!("-({number})") } else { format!("-{number}") });
            Ok(())
        }
        Expr::IsNull(inner) => write_is(out, inner, "NULL"),
        Expr::IsNotNull(inner) => write_is(out, inner, "NOT NULL"),
        Expr::IsTrue(inner) => write_is(out, inner, "TRUE"),
        Expr::IsNotTrue(inner) => write_is(out, inner, "NOT TRUE"),
        Expr::IsFalse(inner) => write_is(out, inner, "FALSE"),
        Expr::IsNotFalse(inner) => write_is(out, inner, "NOT FALSE"),
        Expr::IsUnknown(inner) => write_is(out, inner, "UNKNOWN"),
        Expr::IsNotUnknown(inner) => write_is(out, inner, "NOT UNKNOWN"),
        Expr::Like(like) => write_like(out, like),
        Expr::Between(Between { expr, negated, low, high }) => {
            write(out, expr, Bond::Sum)?;
            out.push_str(if *negated { " NOT BETWEEN " } else { " BETWEEN " });
            write_beside(out, low, expr)?;
            out.push_str(" AND ");
            write_beside(out, high, expr)
        }
        Expr::InList(InList { expr, list, negated }) => {
            if list.is_empty() {
                return Err(unsayable("an empty list"));
            }
            write(out, expr, Bond::Sum)?;
            out.push_str(if *negated { " NOT IN (" } else { " IN (" });
            for (i, item) in list.iter().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                write_beside(out, item, expr)?;
            }
            out.push(')');
            Ok(())
        }
        Expr::Cast(Cast { expr, field }) => write_cast(out, "CAST", expr, field.data_type()),
        Expr::TryCast(TryCast { expr, field }) => write_cast(out, "TRY_CAST", expr, field.data_type()),
        Expr::Case(case) => write_case(out, case),
        Expr::ScalarFunction(call) => write_call(out, call, false),
        other => Err(unsayable(other)),
    }
}

fn write_binary(out: &mut Text, expr: &Expr, binary: &BinaryExpr) -> Written {
    let BinaryExpr { left, op, right } = binary;
    let (before, after) = match op {
        Operator::And | Operator::Or => {
            let within = if *op == Operator::And { Bond::Not } else { Bond::And };
            for (i, term) in terms_in(expr, *op).into_iter().enumerate() {
                if i > 0 {
                    push(out, format_args!(" {op} "));
                }
                write(out, term, within)?;
            }
            return Ok(());
        }
        Operator::Plus | Operator::Minus => (Bond::Sum, Bond::Product),
        Operator::Multiply | Operator::Divide | Operator::Modulo => (Bond::Product, Bond::Atom),
        Operator::Eq | Operator::NotEq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq => {
            (Bond::Sum, Bond::Sum)
        }
        Operator::IsDistinctFrom
        | Operator::IsNotDistinctFrom
        | Operator::StringConcat
        | Operator::RegexMatch
        | Operator::RegexIMatch
        | Operator::RegexNotMatch
        | Operator::RegexNotIMatch => (Bond::Atom, Bond::Atom),
        _ => return Err(unsayable(op)),
    };
    write_side(out, left, right, before)?;
    push(out, format_args!(" {op} "));
    write_side(out, right, left, after)
}

fn push(out: &mut Text, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = out.sql.write_fmt(text);
}

/// What is compared with another expression.
fn write_beside(out: &mut Text, expr: &Expr, other: &Expr) -> Written {
    write_side(out, expr, other, Bond::Sum)
}

/// A time beside a column of times is text: it is read as one there.
fn write_side(out: &mut Text, expr: &Expr, other: &Expr, within: Bond) -> Written {
    if let (Expr::Literal(ScalarValue::TimestampNanosecond(Some(value), Some(_)), _), Expr::Column(column)) =
        (expr, other)
        && [START_TIME, END_TIME].contains(&column.name.as_str())
    {
        out.push_str(&quoted(&time(*value)));
        return Ok(());
    }
    write(out, expr, within)
}

fn write_column(out: &mut Text, column: &Column) {
    if let Some(TableReference::Bare { table }) = &column.relation
        && ROLLED_UP.contains(&table.as_ref())
    {
        push(out, format_args!("{table}."));
    }
    out.push_str(&(out.name)(&column.name));
}

fn write_is(out: &mut Text, inner: &Expr, what: &str) -> Written {
    write(out, inner, Bond::Sum)?;
    push(out, format_args!(" IS {what}"));
    Ok(())
}

fn write_like(out: &mut Text, like: &Like) -> Written {
    let Like { negated, expr, pattern, escape_char, case_insensitive } = like;
    write(out, expr, Bond::Sum)?;
    let not = if *negated { " NOT" } else { "" };
    push(out, format_args!("{not} {} ", if *case_insensitive { "ILIKE" } else { "LIKE" }));
    write(out, pattern, Bond::Sum)?;
    if let Some(escape) = escape_char {
        push(out, format_args!(" ESCAPE {}", quoted(&escape.to_string())));
    }
    Ok(())
}

fn write_call(out: &mut Text, call: &ScalarFunction, negated: bool) -> Written {
    if let Some((text, part)) = contains_call(call) {
        write(out, text, Bond::Sum)?;
        out.push_str(if negated { " NOT CONTAINS " } else { " CONTAINS " });
        return write(out, part, Bond::Sum);
    }
    push(out, format_args!("{}(", name(call.name())));
    for (i, argument) in call.args.iter().enumerate() {
        out.push_str(if i > 0 { ", " } else { "" });
        write(out, argument, Bond::Or)?;
    }
    out.push(')');
    Ok(())
}

fn write_case(out: &mut Text, case: &Case) -> Written {
    out.push_str("CASE");
    if let Some(expr) = &case.expr {
        out.push(' ');
        write(out, expr, Bond::Sum)?;
    }
    for (when, then) in &case.when_then_expr {
        out.push_str(" WHEN ");
        write(out, when, Bond::Or)?;
        out.push_str(" THEN ");
        write(out, then, Bond::Or)?;
    }
    if let Some(otherwise) = &case.else_expr {
        out.push_str(" ELSE ");
        write(out, otherwise, Bond::Or)?;
    }
    out.push_str(" END");
    Ok(())
}

fn write_cast(out: &mut Text, cast: &str, expr: &Expr, to: &DataType) -> Written {
    let sql = match to {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "VARCHAR",
        DataType::Boolean => "BOOLEAN",
        DataType::Int8 => "TINYINT",
        DataType::Int16 => "SMALLINT",
        DataType::Int32 => "INT",
        DataType::Int64 => "BIGINT",
        DataType::Float32 => "REAL",
        DataType::Float64 => "DOUBLE",
        DataType::Date32 => "DATE",
        _ => "",
    };
    if sql.is_empty() {
        // Every other type has a name there; of the two casts it is the one that fails.
        let function = if cast == "CAST" { "arrow_cast" } else { "arrow_try_cast" };
        push(out, format_args!("{function}("));
        write(out, expr, Bond::Or)?;
        push(out, format_args!(", {})", quoted(&to.to_string())));
        return Ok(());
    }
    push(out, format_args!("{cast}("));
    write(out, expr, Bond::Or)?;
    push(out, format_args!(" AS {sql})"));
    Ok(())
}

fn write_literal(out: &mut Text, value: &ScalarValue) -> Written {
    use ScalarValue::{
        Boolean, Date32, Decimal128, Dictionary, Float32, Float64, Int8, Int16, Int32, Int64, TimestampMicrosecond,
        TimestampMillisecond, TimestampNanosecond, TimestampSecond, UInt8, UInt16, UInt32, UInt64,
    };
    let data_type = value.data_type();
    if value.is_null() && !(data_type.is_numeric() || data_type.is_string()) {
        out.push_str("NULL");
        return Ok(());
    }
    if value.is_null() {
        // Its type decides how numbers beside it are compared.
        return write_cast(out, "CAST", &Expr::Literal(ScalarValue::Null, None), &data_type);
    }
    if let Some(text) = value.try_as_str().flatten() {
        out.push_str(&quoted(text));
        return Ok(());
    }
    match value {
        Boolean(Some(value)) => push(out, format_args!("{value}")),
        Int8(_) | Int16(_) | Int32(_) | Int64(_) | UInt8(_) | UInt16(_) | UInt32(_) | UInt64(_) => {
            push(out, format_args!("{value}"));
        }
        Float32(Some(value)) => write_float(out, (*value).into()),
        Float64(Some(value)) => write_float(out, *value),
        Dictionary(_, value) => return write_literal(out, value),
        Date32(_)
        | Decimal128(..)
        | TimestampSecond(..)
        | TimestampMillisecond(..)
        | TimestampMicrosecond(..)
        | TimestampNanosecond(..) => {
            let text = match value.cast_to(&DataType::Utf8) {
                Ok(ScalarValue::Utf8(Some(text))) => text,
                _ => return Err(unsayable(value)),
            };
            let text = Expr::Literal(ScalarValue::Utf8(Some(text)), None);
            return write_cast(out, "CAST", &text, &value.data_type());
        }
        other => return Err(unsayable(other)),
    }
    Ok(())
}

/// A number that is read as a float again.
fn write_float(out: &mut Text, value: f64) {
    if value.is_finite() {
        push(out, format_args!("{value:?}"));
    } else {
        push(out, format_args!("CAST('{value}' AS DOUBLE)"));
    }
}

#[cfg(test)]
mod tests;
