//! Expectations: what a saved query says of its own result, checked while the result passes by.

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Schema};

use super::error::ReportError;
use crate::model::nearest::nearest;

/// What must hold of a result.
///
/// `rows OP N`, `min|max|sum|avg|count(column) OP value`, or `column OP value` for every row, where OP is one of
/// `= != < <= > >=` and a value is a number, `'text'`, `true` or `false`. A column whose name is more than letters,
/// digits, `_` and `.` stands in double quotes.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
    text: String,
    subject: Subject,
    op: Op,
    value: Value,
}

#[derive(Debug, Clone, PartialEq)]
enum Subject {
    Rows,
    Of(Aggregate, String),
    Each(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aggregate {
    Min,
    Max,
    Sum,
    Avg,
    Count,
}

impl Aggregate {
    const ALL: [(&str, Self); 5] =
        [("min", Self::Min), ("max", Self::Max), ("sum", Self::Sum), ("avg", Self::Avg), ("count", Self::Count)];
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
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

    fn holds(self, ordering: Option<Ordering>) -> bool {
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
enum Value {
    Number(f64),
    Text(String),
    Bool(bool),
}

/// Characters of a text that are shown.
const SHOWN: usize = 60;

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Bool(flag) => write!(f, "{flag}"),
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
            format!("'{value}' is no value to compare with: write a number, 'text' in single quotes, true or false")
        })?;
        let subject = if subject == "rows" { Subject::Rows } else { parse_subject(subject)? };
        let counts = matches!(subject, Subject::Rows | Subject::Of(Aggregate::Count, _));
        if (counts || matches!(subject, Subject::Of(Aggregate::Sum | Aggregate::Avg, _)))
            && !matches!(value, Value::Number(_))
        {
            return Err(format!("'{text}' compares a number with {value}; write a number"));
        }
        Ok(Self { text: text.to_owned(), subject, op, value })
    }

    /// The expectation as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }
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
    match text.to_lowercase().as_str() {
        "true" => Some(Value::Bool(true)),
        "false" => Some(Value::Bool(false)),
        _ => text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::Number),
    }
}

/// How an expectation came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The expectation as it was written.
    pub expectation: String,
    /// Whether it held.
    pub held: bool,
    /// What was found instead, or as well: `rows = 0`, `max(cost) = 7.2`. May show text of spans, shortened.
    pub found: String,
}

/// Watches a result as it streams by, in memory that does not grow with it.
#[derive(Debug, Default)]
pub struct Checks {
    checks: Vec<Check>,
    rows: u64,
}

#[derive(Debug)]
struct Check {
    expectation: Expectation,
    /// Index and type of its column; `None` for `rows`.
    column: Option<(usize, Type)>,
    state: State,
}

/// What a column's values are compared as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Number,
    Text,
    Bool,
    /// The values are not looked at, only counted.
    Any,
}

#[derive(Debug, Default)]
struct State {
    /// Values that are not null.
    count: u64,
    sum: f64,
    /// The least or the greatest value so far.
    best: Option<Value>,
    /// Rows for which it does not hold, and the first of them (from 1) with its value.
    failed: u64,
    first_failed: Option<(u64, Option<Value>)>,
}

impl Checks {
    /// Prepares to watch a result with these columns.
    ///
    /// # Errors
    ///
    /// When an expectation is about a column that is not there (the nearest is suggested), or compares it with a value of
    /// another type.
    pub fn new(expectations: &[Expectation], schema: &Schema) -> Result<Self, ReportError> {
        let checks = expectations.iter().map(|expectation| {
            let column = match &expectation.subject {
                Subject::Rows => None,
                Subject::Each(name) => Some((name, None)),
                Subject::Of(aggregate, name) => Some((name, Some(*aggregate))),
            };
            let column = match column {
                None => None,
                Some((name, aggregate)) => {
                    let index = find_column(name, schema).ok_or_else(|| unknown_column(expectation, name, schema))?;
                    let data_type = schema.field(index).data_type();
                    Some((index, compared_type(expectation, aggregate, name, data_type)?))
                }
            };
            Ok(Check { expectation: expectation.clone(), column, state: State::default() })
        });
        Ok(Self { checks: checks.collect::<Result<_, _>>()?, rows: 0 })
    }

    /// Looks at the next rows.
    ///
    /// # Errors
    ///
    /// When the values of a column cannot be read.
    pub fn see(&mut self, batch: &RecordBatch) -> Result<(), ReportError> {
        for check in &mut self.checks {
            check.see(batch, self.rows)?;
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    /// How each expectation came out, in the order they were given.
    ///
    /// An aggregate of no values is null, which no comparison holds for; `column OP value` holds for a result without
    /// rows, and `rows > 0` is how to say that there must be some.
    pub fn finish(self) -> Vec<Outcome> {
        let rows = self.rows;
        self.checks.into_iter().map(|check| check.finish(rows)).collect()
    }
}

/// The column of that name, whatever its case if there is only one such.
fn find_column(name: &str, schema: &Schema) -> Option<usize> {
    let fields = schema.fields();
    if let Some(exact) = fields.iter().position(|field| field.name() == name) {
        return Some(exact);
    }
    let lower = name.to_lowercase();
    let mut near = fields.iter().enumerate().filter(|(_, field)| field.name().to_lowercase() == lower);
    let (first, _) = near.next()?;
    near.next().is_none().then_some(first)
}

fn unknown_column(expectation: &Expectation, name: &str, schema: &Schema) -> ReportError {
    let known = schema.fields().iter().map(|field| field.name().as_str());
    ReportError::UnknownColumn {
        expectation: expectation.text.clone(),
        column: name.to_owned(),
        suggestion: nearest(name, known).map(str::to_owned),
    }
}

fn compared_type(
    expectation: &Expectation,
    aggregate: Option<Aggregate>,
    name: &str,
    data_type: &DataType,
) -> Result<Type, ReportError> {
    let bad = |reason: String| Err(ReportError::BadExpectation { expectation: expectation.text.clone(), reason });
    if aggregate == Some(Aggregate::Count) {
        return Ok(Type::Any);
    }
    let (found, words, write) = match data_type {
        // Nothing but nulls: they are of any type.
        DataType::Null => return Ok(Type::Any),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => (Type::Text, "text", "'text' in single quotes"),
        DataType::Boolean => (Type::Bool, "true or false", "true or false"),
        other if other.is_numeric() => (Type::Number, "a number", "a number"),
        other => {
            return bad(format!(
                "{name} is {other}, which is not compared here; make a number or text of it in the SQL"
            ));
        }
    };
    if matches!(aggregate, Some(Aggregate::Sum | Aggregate::Avg)) && found != Type::Number {
        return bad(format!("{name} is {words}, and only numbers can be added"));
    }
    let given = match expectation.value {
        Value::Number(_) => Type::Number,
        Value::Text(_) => Type::Text,
        Value::Bool(_) => Type::Bool,
    };
    if given == found { Ok(found) } else { bad(format!("{name} is {words}: compare it with {write}")) }
}

impl Check {
    fn see(&mut self, batch: &RecordBatch, rows_before: u64) -> Result<(), ReportError> {
        let Some((index, compared)) = self.column else { return Ok(()) };
        let column = batch.column(index);
        if compared == Type::Any {
            self.state.count += (column.len() - column.logical_null_count()) as u64;
            if matches!(self.expectation.subject, Subject::Each(_)) && !column.is_empty() {
                self.state.failed += column.len() as u64;
                self.state.first_failed.get_or_insert((rows_before + 1, None));
            }
            return Ok(());
        }
        let column = self.readable(column, compared)?;
        for row in 0..column.len() {
            let value = value_at(&column, compared, row);
            match self.expectation.subject {
                Subject::Each(_) => {
                    let ordering = value.as_ref().and_then(|value| value.partial_cmp(&self.expectation.value));
                    if !self.expectation.op.holds(ordering) {
                        self.state.failed += 1;
                        self.state.first_failed.get_or_insert((rows_before + row as u64 + 1, value));
                    }
                }
                Subject::Of(aggregate, _) => self.state.add(aggregate, value),
                Subject::Rows => {}
            }
        }
        Ok(())
    }

    /// The column in the one type in which its values are read.
    fn readable(&self, column: &ArrayRef, compared: Type) -> Result<ArrayRef, ReportError> {
        let wanted = match compared {
            Type::Number => DataType::Float64,
            Type::Text => DataType::LargeUtf8,
            Type::Bool | Type::Any => return Ok(column.clone()),
        };
        cast(column, &wanted).map_err(|error| ReportError::BadExpectation {
            expectation: self.expectation.text.clone(),
            reason: error.to_string(),
        })
    }

    fn finish(self, rows: u64) -> Outcome {
        let Self { expectation, state, .. } = self;
        let Expectation { text, subject, op, value } = expectation;
        let compare = |found: &Value| op.holds(found.partial_cmp(&value));
        let (held, found) = match &subject {
            Subject::Rows => (compare(&Value::Number(rows as f64)), format!("rows = {rows}")),
            Subject::Each(_) if rows == 0 => (true, "no rows".to_owned()),
            Subject::Each(name) => match state.first_failed {
                None => (true, format!("all {rows} rows")),
                Some((row, value)) => {
                    let value = value.map_or_else(|| "null".to_owned(), |value| value.to_string());
                    (false, format!("{name} = {value} in row {row}, {} of {rows} rows do not hold", state.failed))
                }
            },
            Subject::Of(Aggregate::Count, name) => {
                (compare(&Value::Number(state.count as f64)), format!("count({name}) = {}", state.count))
            }
            Subject::Of(..) if rows == 0 => (false, "no rows".to_owned()),
            Subject::Of(aggregate, name) => {
                let function = Aggregate::ALL.iter().find(|(_, known)| known == aggregate).map_or("", |(name, _)| name);
                let result = match aggregate {
                    _ if state.count == 0 => None,
                    Aggregate::Sum => Some(Value::Number(state.sum)),
                    Aggregate::Avg => Some(Value::Number(state.sum / state.count as f64)),
                    _ => state.best,
                };
                let shown = result.as_ref().map_or_else(|| "null".to_owned(), Value::to_string);
                (result.as_ref().is_some_and(compare), format!("{function}({name}) = {shown}"))
            }
        };
        Outcome { expectation: text, held, found }
    }
}

impl State {
    fn add(&mut self, aggregate: Aggregate, value: Option<Value>) {
        let Some(value) = value else { return };
        self.count += 1;
        if let Value::Number(number) = value {
            self.sum += number;
        }
        let wanted = if aggregate == Aggregate::Min { Ordering::Less } else { Ordering::Greater };
        let better = self.best.as_ref().is_none_or(|best| value.partial_cmp(best) == Some(wanted));
        if better {
            self.best = Some(value);
        }
    }
}

/// The value of a row; null and NaN are none.
fn value_at(column: &ArrayRef, compared: Type, row: usize) -> Option<Value> {
    if column.is_null(row) {
        return None;
    }
    match compared {
        Type::Number => {
            let number = column.as_primitive::<Float64Type>().value(row);
            (!number.is_nan()).then_some(Value::Number(number))
        }
        Type::Text => Some(Value::Text(column.as_string::<i64>().value(row).to_owned())),
        Type::Bool => Some(Value::Bool(column.as_boolean().value(row))),
        Type::Any => None,
    }
}
