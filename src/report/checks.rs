//! Expectations checked while a result passes by.

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Schema};

use super::error::ReportError;
use super::expect::{Aggregate, Expectation, Subject, Value};
use spanql_model::nearest::nearest;

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
        Value::Param(_) => return bad("its parameter has no value".to_owned()),
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
