//! Parameters: `$name` and `:name` in SQL, bound as typed literals.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, SecondsFormat};
use datafusion::sql::parser::{CopyToSource, Statement};
use datafusion::sql::sqlparser::ast::{
    Array, ArrayElemTypeDef, CastKind, DataType, ExactNumberInfo, Expr, TimezoneInfo, UnaryOperator, Value,
    ValueWithSpan,
};
use datafusion::sql::sqlparser::tokenizer::Location;

use super::error::EngineError;
use super::walk::{Flow, WalkMut, walk_mut};

/// The value of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum Param {
    /// No value.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Int(i64),
    /// A number; NaN and infinities are allowed.
    Float(f64),
    /// Any text.
    Text(String),
    /// A time, in nanoseconds since the epoch, UTC.
    Time(i64),
    /// Values of one type. `x IN ($name)` stands for `x IN` all of them; anywhere else it is an array.
    List(ParamType, Vec<Self>),
    /// No value, of a type.
    NullOf(ParamType),
    /// No list, of values of a type.
    NullList(ParamType),
}

/// The type of a value, where the value does not tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamType {
    /// `true` or `false`.
    Boolean,
    /// Whole numbers of 64 bits.
    Int,
    /// Numbers.
    Float,
    /// Text.
    Text,
    /// Times in nanoseconds, UTC.
    Time,
}

impl ParamType {
    fn in_sql(self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Int => DataType::BigInt(None),
            Self::Float => DataType::Double(ExactNumberInfo::None),
            Self::Text => DataType::Varchar(None),
            // Nanoseconds, in the zone of the session, which is UTC.
            Self::Time => DataType::Timestamp(None, TimezoneInfo::WithTimeZone),
        }
    }

    fn list_in_sql(self) -> DataType {
        DataType::Array(ArrayElemTypeDef::SquareBracket(Box::new(self.in_sql()), None))
    }
}

/// Parameters by name, without `$` or `:`.
pub type Params = BTreeMap<String, Param>;

/// Reads `name=value` as a person types it: a plain number, `true` or `false`, else text.
///
/// # Errors
///
/// When there is no `=`, or the name is not a word of letters, digits and `_`.
pub fn parse_param(text: &str) -> Result<(String, Param), EngineError> {
    let bad = |why: &str| {
        EngineError::new("bad-parameter", format!("cannot read the parameter '{text}'"))
            .why(why)
            .help("write name=value")
    };
    let (name, value) = text.split_once('=').ok_or_else(|| bad("it has no '='"))?;
    let word = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    if !word {
        return Err(bad("its name is not a word of letters, digits and '_'"));
    }
    Ok((name.to_owned(), Param::from_text(value)))
}

impl fmt::Display for Param {
    /// The value as a person writes it; nothing is `null`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null | Self::NullOf(_) | Self::NullList(_) => f.write_str("null"),
            Self::Boolean(flag) => flag.fmt(f),
            Self::Int(int) => int.fmt(f),
            Self::Float(float) => float.fmt(f),
            Self::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
            Self::Time(nanos) => {
                f.write_str(&DateTime::from_timestamp_nanos(*nanos).to_rfc3339_opts(SecondsFormat::AutoSi, true))
            }
            Self::List(_, items) => {
                for (at, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if at > 0 { ", " } else { "" })?;
                }
                Ok(())
            }
        }
    }
}

impl Param {
    /// A plain decimal number or `true` or `false` as such, anything else as text.
    fn from_text(text: &str) -> Self {
        let plain = text.strip_prefix('-').unwrap_or(text);
        let number = plain.starts_with(|c: char| c.is_ascii_digit())
            && plain.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '-' | '+'))
            // Ids and codes such as 007 keep their zeros.
            && !(plain.len() > 1 && plain.starts_with('0') && !plain.starts_with("0."));
        match text {
            "true" => Self::Boolean(true),
            "false" => Self::Boolean(false),
            _ if !number => Self::Text(text.to_owned()),
            _ => match (text.parse::<i64>(), text.parse::<f64>()) {
                (Ok(int), _) => Self::Int(int),
                // Digits beyond 64 bits are an id, not a quantity: a float would change them.
                (_, Ok(float)) if float.is_finite() && !plain.chars().all(|c| c.is_ascii_digit()) => Self::Float(float),
                _ => Self::Text(text.to_owned()),
            },
        }
    }

    fn literal(&self) -> Expr {
        let value = |value: Value| Expr::Value(value.into());
        let number = |text: String| match text.strip_prefix('-') {
            Some(positive) => Expr::UnaryOp {
                op: UnaryOperator::Minus,
                expr: Box::new(value(Value::Number(positive.to_owned(), false))),
            },
            None => value(Value::Number(text, false)),
        };
        match self {
            Self::Null => value(Value::Null),
            Self::Boolean(flag) => value(Value::Boolean(*flag)),
            Self::Int(int) => number(int.to_string()),
            Self::Float(float) if float.is_finite() => number(format!("{float:?}")),
            Self::Float(float) => cast(value(Value::SingleQuotedString(float.to_string())), ParamType::Float.in_sql()),
            Self::Text(text) => value(Value::SingleQuotedString(text.clone())),
            Self::Time(nanos) => {
                let text = DateTime::from_timestamp_nanos(*nanos).to_rfc3339_opts(SecondsFormat::Nanos, true);
                cast(value(Value::SingleQuotedString(text)), ParamType::Time.in_sql())
            }
            Self::List(of, items) => {
                let items = Expr::Array(Array { elem: items.iter().map(Self::literal).collect(), named: true });
                // Of no elements, the type is not known.
                cast(items, of.list_in_sql())
            }
            Self::NullOf(of) => cast(value(Value::Null), of.in_sql()),
            Self::NullList(of) => cast(value(Value::Null), of.list_in_sql()),
        }
    }

    /// The elements that stand for it between the parentheses of IN; `None` if it is no list.
    fn elements(&self) -> Option<Vec<Expr>> {
        match self {
            Self::List(_, items) => Some(items.iter().map(Self::literal).collect()),
            Self::NullList(of) => Some(vec![Self::NullOf(*of).literal()]),
            _ => None,
        }
    }
}

fn cast(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(expr), data_type, format: None, array: false }
}

struct Binder<'a> {
    params: &'a Params,
}

impl Binder<'_> {
    /// What stands for a parameter between the parentheses of IN, if it is a list.
    fn elements(&self, item: &Expr) -> Option<Vec<Expr>> {
        let Expr::Value(ValueWithSpan { value: Value::Placeholder(placeholder), .. }) = item else { return None };
        self.params.get(placeholder.strip_prefix(['$', ':'])?)?.elements()
    }

    fn bind(&self, placeholder: &str, value: &ValueWithSpan) -> Result<Expr, EngineError> {
        let name = placeholder.trim_start_matches(['$', ':']);
        if placeholder.starts_with('?') || name.is_empty() {
            return Err(EngineError::new("bad-parameter", format!("'{placeholder}' is no parameter"))
                .at_span(value.span)
                .help("write $name and give name=value"));
        }
        self.params.get(name).map(Param::literal).ok_or_else(|| {
            let given: Vec<&str> = self.params.keys().map(String::as_str).collect();
            let given = if given.is_empty() { "none".to_owned() } else { given.join(", ") };
            EngineError::new("missing-parameter", format!("no value for the parameter ${name}"))
                .at_span(value.span)
                .why(format!("parameters given: {given}"))
                .help(format!("give one as {name}=value"))
        })
    }
}

impl WalkMut for Binder<'_> {
    fn pre_visit_expr(&mut self, expr: &mut Expr) -> Flow {
        if let Expr::InList { list, .. } = expr {
            let elements = |item: Expr| match self.elements(&item) {
                Some(elements) => elements,
                None => vec![item],
            };
            *list = std::mem::take(list).into_iter().flat_map(elements).collect();
        }
        Flow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> Flow {
        if let Expr::Value(value) = expr
            && let Value::Placeholder(placeholder) = &value.value
        {
            match self.bind(placeholder, value) {
                Ok(literal) => *expr = literal,
                Err(error) => return Flow::Break(error),
            }
        }
        Flow::Continue(())
    }
}

/// Puts the values of the parameters into a statement.
///
/// # Errors
///
/// When the statement names a parameter that is not given.
pub(crate) fn bind_params(statement: &mut Statement, params: &Params) -> Result<(), EngineError> {
    walk_through(statement, &mut Binder { params })
}

/// The names of the parameters of a statement, each as often as it stands there, with its places.
pub(crate) fn named_params(statement: &mut Statement) -> Result<Vec<(Location, String)>, EngineError> {
    let mut found = Found::default();
    walk_through(statement, &mut found)?;
    Ok(found.0)
}

#[derive(Default)]
struct Found(Vec<(Location, String)>);

impl WalkMut for Found {
    fn pre_visit_expr(&mut self, _: &mut Expr) -> Flow {
        Flow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> Flow {
        if let Expr::Value(ValueWithSpan { value: Value::Placeholder(placeholder), span }) = expr
            && let Some(name) = placeholder.strip_prefix(['$', ':'])
        {
            self.0.push((span.start, name.to_owned()));
        }
        Flow::Continue(())
    }
}

fn walk_through(statement: &mut Statement, walker: &mut dyn WalkMut) -> Result<(), EngineError> {
    match statement {
        Statement::Statement(statement) => walk_mut(statement, walker),
        Statement::Explain(explain) => walk_through(&mut explain.statement, walker),
        Statement::CopyTo(copy) => match &mut copy.source {
            CopyToSource::Query(query) => walk_mut(query, walker),
            CopyToSource::Relation(_) => Ok(()),
        },
        Statement::CreateExternalTable(_) | Statement::Reset(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_as_typed() {
        for (text, value) in [
            ("n=5", Param::Int(5)),
            ("n=-5", Param::Int(-5)),
            ("n=0.5", Param::Float(0.5)),
            ("n=1e3", Param::Float(1000.0)),
            ("n=true", Param::Boolean(true)),
            ("n=True", Param::Text("True".into())),
            ("n=007", Param::Text("007".into())),
            ("n=2026-01-31", Param::Text("2026-01-31".into())),
            ("n=2026-01-31T00:00:00Z", Param::Text("2026-01-31T00:00:00Z".into())),
            ("n=12345678901234567890123", Param::Text("12345678901234567890123".into())),
            ("n=nan", Param::Text("nan".into())),
            ("n=", Param::Text(String::new())),
            ("n=a=b", Param::Text("a=b".into())),
        ] {
            assert_eq!(parse_param(text).unwrap(), ("n".to_owned(), value), "{text}");
        }
        assert!(parse_param("n").is_err());
        assert!(parse_param("a b=1").is_err());
    }
}
