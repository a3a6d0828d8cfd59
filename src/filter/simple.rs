//! Conditions on one column, in the forms that a reader of a language and DataFusion's optimizer leave them in.

use arrow::datatypes::{DataType, Schema, TimeUnit};
use datafusion_common::{Column, ScalarValue, TableReference};
use datafusion_expr::expr::{Cast, InList, ScalarFunction, TryCast};
use datafusion_expr::{BinaryExpr, Expr, Operator};

use spanql_model::derived::{derived_list, indexed};
use spanql_model::names::{absent_type, is_open_name};

/// What kind of values a column has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Integer,
    Float,
    Boolean,
    Time,
    /// Several values, of any kind.
    List,
}

impl Kind {
    pub(super) fn of(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::Text,
            DataType::Boolean => Self::Boolean,
            DataType::Timestamp(..) => Self::Time,
            DataType::Float32 | DataType::Float64 => Self::Float,
            DataType::Dictionary(_, values) => return Self::of(values),
            DataType::List(_) => Self::List,
            other if other.is_integer() => Self::Integer,
            _ => return None,
        })
    }
}

/// A column, by its canonical name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Operand<'a> {
    pub(super) name: &'a str,
    pub(super) kind: Kind,
    /// Whether the schema has it; else it is computed from a list, or lies among the rest, or is null.
    pub(super) stored: bool,
    /// Whether the integers of the column are taken as floats, which makes some of them equal.
    pub(super) as_float: bool,
}

impl<'a> Operand<'a> {
    /// The column that an expression is; a cast that changes no value is none.
    ///
    /// Spans may go by any name, but `traces` and `sessions` are other tables.
    pub(super) fn of(expr: &'a Expr, schema: &Schema) -> Option<Self> {
        match expr {
            Expr::Column(column) if !is_rolled_up(column) => {
                let name = column.name.as_str();
                let known = |kind, stored| Self { name, kind, stored, as_float: false };
                if let Ok(field) = schema.field_with_name(name) {
                    return Kind::of(field.data_type()).map(|kind| known(kind, true));
                }
                if derived_list(name).is_some() {
                    return Some(known(Kind::List, false));
                }
                let data_type = if indexed(name).is_some() { DataType::Utf8 } else { absent_type(name) };
                is_open_name(name).then(|| Kind::of(&data_type).map(|kind| known(kind, false)))?
            }
            Expr::Alias(alias) => Self::of(&alias.expr, schema),
            Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field }) => {
                let column = Self::of(expr, schema)?;
                match (column.kind, field.data_type()) {
                    (Kind::Text, to) if Kind::of(to) == Some(Kind::Text) => Some(column),
                    (Kind::Boolean, DataType::Boolean) => Some(column),
                    (Kind::Integer, DataType::Int64) if !column.as_float => Some(column),
                    (Kind::Integer, DataType::Float64) => Some(Self { as_float: true, ..column }),
                    (Kind::Float, DataType::Float64) => Some(column),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// The column as it is compared with all of these: beside anything but an integer, integers are floats.
    pub(super) fn among<'e>(self, others: impl IntoIterator<Item = &'e Expr>) -> Self {
        let integer = |other: &Expr| match other {
            Expr::Literal(value, _) => value.data_type().is_integer() || value.data_type() == DataType::Null,
            other => matches!(Value::of(other), Some(Value::Integer(_))),
        };
        let floats = self.kind == Kind::Integer && !others.into_iter().all(integer);
        Self { as_float: self.as_float || floats, ..self }
    }

    /// A literal as it is compared with the column.
    pub(super) fn meets<'v>(&self, value: Value<'v>) -> Value<'v> {
        match value {
            Value::Integer(number) if self.as_float => Value::Float(number as f64),
            value => value,
        }
    }
}

/// Whether a column is one of the tables of traces and sessions.
fn is_rolled_up(column: &Column) -> bool {
    matches!(&column.relation, Some(TableReference::Bare { table }) if ROLLED_UP.contains(&table.as_ref()))
}

/// The tables whose columns are named with them.
pub(super) const ROLLED_UP: [&str; 2] = ["traces", "sessions"];

/// A literal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    Null,
    Text(&'a str),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    /// Nanoseconds since the epoch.
    Time(i64),
}

impl<'a> Value<'a> {
    /// The literal that an expression is.
    pub(super) fn of(expr: &'a Expr) -> Option<Self> {
        match expr {
            Expr::Literal(value, _) => Self::scalar(value),
            Expr::Alias(alias) => Self::of(&alias.expr),
            Expr::Negative(number) => match Self::of(number)? {
                Self::Integer(number) => number.checked_neg().map(Self::Integer),
                Self::Float(number) => Some(Self::Float(-number)),
                Self::Null => Some(Self::Null),
                _ => None,
            },
            _ => None,
        }
    }

    fn scalar(value: &'a ScalarValue) -> Option<Self> {
        use ScalarValue::{
            Boolean, Dictionary, Float32, Float64, Int8, Int16, Int32, Int64, TimestampMicrosecond,
            TimestampMillisecond, TimestampNanosecond, TimestampSecond, UInt8, UInt16, UInt32, UInt64,
        };
        if value.is_null() {
            return Some(Self::Null);
        }
        if let Some(text) = value.try_as_str() {
            return text.map(Self::Text);
        }
        let time = |value: i64, unit| {
            let factor = match unit {
                TimeUnit::Second => 1_000_000_000,
                TimeUnit::Millisecond => 1_000_000,
                TimeUnit::Microsecond => 1_000,
                TimeUnit::Nanosecond => 1,
            };
            value.checked_mul(factor).map(Self::Time)
        };
        match value {
            Boolean(Some(value)) => Some(Self::Boolean(*value)),
            Int8(Some(value)) => Some(Self::Integer((*value).into())),
            Int16(Some(value)) => Some(Self::Integer((*value).into())),
            Int32(Some(value)) => Some(Self::Integer((*value).into())),
            Int64(Some(value)) => Some(Self::Integer(*value)),
            UInt8(Some(value)) => Some(Self::Integer((*value).into())),
            UInt16(Some(value)) => Some(Self::Integer((*value).into())),
            UInt32(Some(value)) => Some(Self::Integer((*value).into())),
            UInt64(Some(value)) => i64::try_from(*value).ok().map(Self::Integer),
            Float32(Some(value)) => Some(Self::Float((*value).into())),
            Float64(Some(value)) => Some(Self::Float(*value)),
            TimestampSecond(Some(value), _) => time(*value, TimeUnit::Second),
            TimestampMillisecond(Some(value), _) => time(*value, TimeUnit::Millisecond),
            TimestampMicrosecond(Some(value), _) => time(*value, TimeUnit::Microsecond),
            TimestampNanosecond(Some(value), _) => time(*value, TimeUnit::Nanosecond),
            Dictionary(_, value) => Self::scalar(value),
            _ => None,
        }
    }
}

/// A condition on one column.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Simple<'a> {
    /// The same for every row: true, false or unknown.
    Constant(Option<bool>),
    /// One of `= != < <= > >=`, the column on the left.
    Compare(Operand<'a>, Operator, Value<'a>),
    /// In a list, or not in it.
    In { column: Operand<'a>, values: Vec<Value<'a>>, negated: bool },
    /// The column's text, or that of any element, has this in it.
    Contains(Operand<'a>, Value<'a>),
    /// Is null, or is not.
    Null { column: Operand<'a>, negated: bool },
}

impl<'a> Simple<'a> {
    /// The condition on one column that an expression is.
    pub(super) fn of(expr: &'a Expr, schema: &Schema) -> Option<Self> {
        let flag = |expr, wanted| match Operand::of(expr, schema) {
            Some(column) if column.kind == Kind::Boolean => {
                Some(Self::Compare(column, Operator::Eq, Value::Boolean(wanted)))
            }
            _ => None,
        };
        match expr {
            Expr::Literal(ScalarValue::Boolean(value), _) => Some(Self::Constant(*value)),
            Expr::Literal(ScalarValue::Null, _) => Some(Self::Constant(None)),
            Expr::Column(_) => flag(expr, true),
            Expr::Not(inner) => flag(inner, false),
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                let (column, op, value) = match Value::of(left) {
                    Some(value) => (right, op.swap()?, value),
                    None => (left, *op, Value::of(right)?),
                };
                use Operator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
                let column = Operand::of(column, schema)?;
                matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq).then(|| Self::Compare(column, op, column.meets(value)))
            }
            Expr::InList(InList { expr, list, negated }) => {
                let column = Operand::of(expr, schema)?.among(list);
                let values = list.iter().map(|value| Value::of(value).map(|value| column.meets(value)));
                Some(Self::In { column, values: values.collect::<Option<_>>()?, negated: *negated })
            }
            Expr::IsNull(inner) | Expr::IsUnknown(inner) => {
                Some(Self::Null { column: Operand::of(inner, schema)?, negated: false })
            }
            Expr::IsNotNull(inner) | Expr::IsNotUnknown(inner) => {
                Some(Self::Null { column: Operand::of(inner, schema)?, negated: true })
            }
            Expr::ScalarFunction(call) => {
                let (text, part) = contains_call(call)?;
                Some(Self::Contains(Operand::of(text, schema)?, Value::of(part)?))
            }
            _ => None,
        }
    }
}

/// What JSON has besides text and numbers.
pub(super) const WORDS: [&str; 3] = ["true", "false", "null"];

/// Whether a text is no text of anything else: in a column of texts there may be numbers, booleans and JSON as well.
pub(super) fn is_only_text(text: &str) -> bool {
    text.chars().any(char::is_alphabetic)
        && !text.starts_with(['[', '{', '"'])
        && text.trim().parse::<f64>().is_err()
        && !WORDS.iter().any(|word| text.trim().eq_ignore_ascii_case(word))
}

/// The text and the part of it that a call of `contains` is about.
pub(super) fn contains_call(call: &ScalarFunction) -> Option<(&Expr, &Expr)> {
    match call.args.as_slice() {
        [text, part] if call.func.name() == "contains" => Some((text, part)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::Field;
    use datafusion_expr::{cast, col, lit, not};

    use super::*;

    fn schema() -> Schema {
        let coded = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let list = DataType::List(Field::new_list_field(DataType::Utf8, true).into());
        let fields = [
            ("text", DataType::Utf8),
            ("coded", coded),
            ("int", DataType::Int64),
            ("float", DataType::Float64),
            ("flag", DataType::Boolean),
            ("list", list),
            ("bytes", DataType::Binary),
        ];
        Schema::new(fields.map(|(name, data_type)| Field::new(name, data_type, true)).to_vec())
    }

    /// The name and the kind of the column that an expression is, and whether it is taken as floats.
    fn operand(expr: Expr) -> Option<(String, Kind, bool)> {
        Operand::of(&expr, &schema()).map(|found| (found.name.to_owned(), found.kind, found.as_float))
    }

    #[test]
    fn a_cast_that_changes_no_value_is_none() {
        let of = |name: &str, kind, as_float| Some((name.to_owned(), kind, as_float));
        let floats = || cast(col("int"), DataType::Float64);
        for (expr, found) in [
            (col("text").alias("t"), of("text", Kind::Text, false)),
            (cast(col("coded"), DataType::LargeUtf8), of("coded", Kind::Text, false)),
            (cast(col("flag"), DataType::Boolean), of("flag", Kind::Boolean, false)),
            (cast(col("float"), DataType::Float64), of("float", Kind::Float, false)),
            (cast(col("int"), DataType::Int64), of("int", Kind::Integer, false)),
            (floats(), of("int", Kind::Integer, true)),
            (cast(floats(), DataType::Float64), of("int", Kind::Integer, true)),
            (cast(floats(), DataType::Int64), None),
            (cast(col("text"), DataType::Int64), None),
            (col("list"), of("list", Kind::List, false)),
            (col("bytes"), None),
        ] {
            assert_eq!(operand(expr.clone()), found, "{expr}");
        }
    }

    #[test]
    fn integers_beside_floats_are_floats() {
        let schema = schema();
        let among = |name: &str, others: &[Expr]| {
            let column = col(name);
            Operand::of(&column, &schema).unwrap().among(others).as_float
        };
        assert!(!among("int", &[lit(1), lit(ScalarValue::Null), -lit(2_i64)]));
        assert!(among("int", &[lit(1), lit(0.5)]) && !among("float", &[lit(0.5)]) && !among("text", &[lit("a")]));
    }

    #[test]
    fn literals_of_every_type() {
        use ScalarValue::{
            Dictionary, Float32, Int8, Int16, Int32, TimestampMicrosecond, TimestampMillisecond, TimestampSecond,
            UInt8, UInt16, UInt32, UInt64, Utf8,
        };
        let text = Box::new(Utf8(Some("a".into())));
        for (value, read) in [
            (lit(Int8(Some(-1))), Some(Value::Integer(-1))),
            (lit(Int16(Some(-1))), Some(Value::Integer(-1))),
            (lit(Int32(Some(-1))), Some(Value::Integer(-1))),
            (lit(UInt8(Some(1))), Some(Value::Integer(1))),
            (lit(UInt16(Some(1))), Some(Value::Integer(1))),
            (lit(UInt32(Some(1))), Some(Value::Integer(1))),
            (lit(UInt64(Some(1))), Some(Value::Integer(1))),
            (lit(UInt64(Some(u64::MAX))), None),
            (lit(Float32(Some(0.5))), Some(Value::Float(0.5))),
            (lit(TimestampSecond(Some(1), None)), Some(Value::Time(1_000_000_000))),
            (lit(TimestampMillisecond(Some(1), None)), Some(Value::Time(1_000_000))),
            (lit(TimestampMicrosecond(Some(1), None)), Some(Value::Time(1_000))),
            (lit(TimestampSecond(Some(i64::MAX), None)), None),
            (lit(Dictionary(Box::new(DataType::Int32), text)), Some(Value::Text("a"))),
            (lit(Dictionary(Box::new(DataType::Int32), Box::new(Int32(Some(1))))), Some(Value::Integer(1))),
            (lit("a").alias("b"), Some(Value::Text("a"))),
            (Expr::Negative(Box::new(lit(2_i64))), Some(Value::Integer(-2))),
            (Expr::Negative(Box::new(lit(0.5))), Some(Value::Float(-0.5))),
            (Expr::Negative(Box::new(lit(ScalarValue::Null))), Some(Value::Null)),
            (Expr::Negative(Box::new(lit("a"))), None),
        ] {
            assert_eq!(Value::of(&value), read, "{value}");
        }
    }

    #[test]
    fn flags_and_nulls_are_conditions() {
        let schema = schema();
        let is = |expr: Expr| Simple::of(&expr, &schema).map(|simple| format!("{simple:?}"));
        assert!(is(col("flag")).is_some_and(|flag| flag.ends_with("Eq, Boolean(true))")));
        assert!(is(not(col("flag"))).is_some_and(|flag| flag.ends_with("Eq, Boolean(false))")));
        assert_eq!((is(col("text")), is(not(col("int")))), (None, None));
        assert_eq!(is(lit(ScalarValue::Null)).as_deref(), Some("Constant(None)"));
    }
}
