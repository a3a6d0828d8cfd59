//! Expectations: what a saved query says of its own result, as its author wrote it.

use std::cmp::Ordering;

use super::error::ReportError;
use spanql_engine::{Param, Params};
use spanql_model::nearest::nearest;

/// What must hold of a result.
///
/// `rows OP N`, `min|max|sum|avg|count(column) OP value`, or `column OP value` for every row, where OP is one of
/// `= != < <= > >=` and a value is a number, `'text'`, `true` or `false`, or a parameter: `$name`. A column whose name is
/// more than letters, digits, `_` and `.` stands in double quotes.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
    pub(super) text: String,
    pub(super) subject: Subject,
    pub(super) op: Op,
    pub(super) value: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Subject {
    Rows,
    Of(Aggregate, String),
    Each(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aggregate {
    Min,
    Max,
    Sum,
    Avg,
    Count,
}

impl Aggregate {
    pub(super) const ALL: [(&str, Self); 5] =
        [("min", Self::Min), ("max", Self::Max), ("sum", Self::Sum), ("avg", Self::Avg), ("count", Self::Count)];
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Eq,
    NotEq,
    Lt,
    LtEq,
    Gt,
    GtEq,
}

impl Op {
    /// Longer ones first: `<=` begins with `<`.
    const ALL: [(&str, Self); 7] = [
        ("<=", Self::LtEq),
        (">=", Self::GtEq),
        ("!=", Self::NotEq),
        ("<>", Self::NotEq),
        ("=", Self::Eq),
        ("<", Self::Lt),
        (">", Self::Gt),
    ];

    pub(super) fn holds(self, ordering: Option<Ordering>) -> bool {
        let Some(ordering) = ordering else { return false };
        match self {
            Self::Eq => ordering.is_eq(),
            Self::NotEq => ordering.is_ne(),
            Self::Lt => ordering.is_lt(),
            Self::LtEq => ordering.is_le(),
            Self::Gt => ordering.is_gt(),
            Self::GtEq => ordering.is_ge(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub(super) enum Value {
    Number(f64),
    Text(String),
    Bool(bool),
    /// A parameter, by its name.
    Param(String),
}

/// Characters of a text that are shown.
const SHOWN: usize = 60;

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Bool(flag) => write!(f, "{flag}"),
            Self::Param(name) => write!(f, "${name}"),
            Self::Text(text) => match text.char_indices().nth(SHOWN) {
                Some((end, _)) => write!(f, "'{}…'", &text[..end]),
                None => write!(f, "'{text}'"),
            },
        }
    }
}

impl Expectation {
    /// Reads an expectation as it is written behind `-- expect`.
    ///
    /// # Errors
    ///
    /// When it is not of one of the three shapes; in words for the one who wrote it.
    pub fn parse(text: &str) -> Result<Self, String> {
        const SHAPE: &str = "write rows > 0, max(column) < 5, or column = 'text' (for every row)";
        let text = text.trim();
        let (at, sign, op) = find_op(text).ok_or_else(|| format!("'{text}' compares nothing; {SHAPE}"))?;
        let (subject, value) = (text[..at].trim(), text[at + sign.len()..].trim());
        if subject.is_empty() {
            return Err(format!("nothing stands before {sign}; {SHAPE}"));
        }
        let value = parse_value(value).ok_or_else(|| {
            format!("'{value}' is no value to compare with: write a number, 'text' in single quotes, true, false or $parameter")
        })?;
        let subject = if subject == "rows" { Subject::Rows } else { parse_subject(subject)? };
        let counts = matches!(subject, Subject::Rows | Subject::Of(Aggregate::Count, _));
        if (counts || matches!(subject, Subject::Of(Aggregate::Sum | Aggregate::Avg, _)))
            && !matches!(value, Value::Number(_) | Value::Param(_))
        {
            return Err(format!("'{text}' compares a number with {value}; write a number"));
        }
        Ok(Self { text: text.to_owned(), subject, op, value })
    }

    /// The same with the value of its parameter, if it has one.
    ///
    /// # Errors
    ///
    /// When there is no such parameter, or its value is none to compare with.
    fn bound(&self, params: &Params) -> Result<Self, ReportError> {
        let Value::Param(name) = &self.value else { return Ok(self.clone()) };
        let bad = |reason: String| ReportError::BadExpectation { expectation: self.text.clone(), reason };
        let value = match params.get(name) {
            Some(Param::Int(int)) => Value::Number(*int as f64),
            Some(Param::Float(float)) => Value::Number(*float),
            Some(Param::Text(text)) => Value::Text(text.clone()),
            Some(Param::Boolean(flag)) => Value::Bool(*flag),
            Some(other) => {
                return Err(bad(format!("${name} is {other}: compare with a number, a text, true or false")));
            }
            None => {
                let near = nearest(name, params.keys().map(String::as_str));
                let near = near.map(|near| format!("; did you mean ${near}?")).unwrap_or_default();
                return Err(bad(format!("there is no parameter ${name}{near}")));
            }
        };
        let of_numbers =
            matches!(self.subject, Subject::Rows | Subject::Of(Aggregate::Count | Aggregate::Sum | Aggregate::Avg, _));
        if of_numbers && !matches!(value, Value::Number(_)) {
            return Err(bad(format!("a number is compared with {value}, the value of ${name}")));
        }
        let placeholder = format!("${name}");
        let written = self.text.trim_end().strip_suffix(&placeholder).unwrap_or(&self.text);
        let text = format!("{written}{value} ({placeholder})");
        Ok(Self { text, value, ..self.clone() })
    }

    /// The expectation as it was written, with the value of its parameter.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// Expectations with the values of their parameters.
///
/// # Errors
///
/// When there is no such parameter, or its value is none to compare with.
pub fn bound(expectations: &[Expectation], params: &Params) -> Result<Vec<Expectation>, ReportError> {
    expectations.iter().map(|expectation| expectation.bound(params)).collect()
}

/// Where the comparison stands, outside of quotes.
fn find_op(text: &str) -> Option<(usize, &'static str, Op)> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, _) => {
                if let Some((sign, op)) = Op::ALL.into_iter().find(|(sign, _)| text[at..].starts_with(sign)) {
                    return Some((at, sign, op));
                }
            }
        }
    }
    None
}

fn parse_subject(text: &str) -> Result<Subject, String> {
    let Some((function, rest)) = text.split_once('(').filter(|_| !text.starts_with('"')) else {
        return column_name(text).map(Subject::Each);
    };
    let function = function.trim().to_lowercase();
    let Some((_, aggregate)) = Aggregate::ALL.into_iter().find(|(name, _)| *name == function) else {
        let names = Aggregate::ALL.map(|(name, _)| name);
        let near = nearest(&function, names).map(|near| format!("; did you mean {near}?"));
        return Err(format!(
            "there is no aggregate {function}{}",
            near.unwrap_or_else(|| format!("; use one of {}", names.join(", ")))
        ));
    };
    let column = rest.strip_suffix(')').ok_or_else(|| format!("'{text}' is never closed: write {function}(column)"))?;
    Ok(Subject::Of(aggregate, column_name(column.trim())?))
}

fn column_name(text: &str) -> Result<String, String> {
    if let Some(inner) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        return Ok(inner.replace("\"\"", "\""));
    }
    let plain = !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.'));
    if plain {
        return Ok(text.to_owned());
    }
    Err(format!("'{text}' is no name of a column: write one in double quotes if it is more than letters, digits and _"))
}

fn parse_value(text: &str) -> Option<Value> {
    if let Some(inner) = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        let value = inner.replace("''", "'");
        // Each quote inside must have been doubled.
        return (inner.matches('\'').count() == 2 * value.matches('\'').count()).then_some(Value::Text(value));
    }
    if let Some(name) = text.strip_prefix('$') {
        let word = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
        return word.then(|| Value::Param(name.to_owned()));
    }
    match text.to_lowercase().as_str() {
        "true" => Some(Value::Bool(true)),
        "false" => Some(Value::Bool(false)),
        _ => text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::Number),
    }
}
