//! Values of parameters, from the batch that a client sends.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampNanosecondType, UInt64Type};
use serde::{Deserialize, Serialize};

use super::super::refusal::{Refusal, shown};
use spanql_engine::{Param, ParamType};

/// A value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Value {
    Null,
    Flag(bool),
    Int(i64),
    /// The bits of a float: JSON has no NaN.
    Float(u64),
    Text(String),
    /// Nanoseconds since the epoch.
    Time(i64),
    List(Vec<Self>),
}

impl Value {
    pub(super) fn to_param(&self) -> Result<Param, Refusal> {
        Ok(match self {
            Self::Null => Param::Null,
            Self::Flag(flag) => Param::Boolean(*flag),
            Self::Int(int) => Param::Int(*int),
            Self::Float(bits) => Param::Float(f64::from_bits(*bits)),
            Self::Text(text) => Param::Text(text.clone()),
            Self::Time(nanos) => Param::Time(*nanos),
            Self::List(items) => {
                let of = items.iter().find_map(Self::param_type).unwrap_or(ParamType::Text);
                let items = items.iter().map(Self::to_param).collect::<Result<Vec<_>, _>>()?;
                if items.iter().any(|item| matches!(item, Param::List(..))) {
                    return Err(Refusal::invalid("a parameter is a list of lists: give a list of single values"));
                }
                Param::List(of, items)
            }
        })
    }

    fn param_type(&self) -> Option<ParamType> {
        match self {
            Self::Null | Self::List(_) => None,
            Self::Flag(_) => Some(ParamType::Boolean),
            Self::Int(_) => Some(ParamType::Int),
            Self::Float(_) => Some(ParamType::Float),
            Self::Text(_) => Some(ParamType::Text),
            Self::Time(_) => Some(ParamType::Time),
        }
    }
}

/// The values of parameters in the one row of these batches. Columns stand for parameters by their names, or, where none has
/// the name of one, in their order. Where that cannot be, named columns come under their own names.
///
/// # Errors
/// When there is not one row, or not a value for each parameter, or one of a type that no parameter has.
pub(super) fn read(batches: &[RecordBatch], names: &[String]) -> Result<BTreeMap<String, Value>, Refusal> {
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let Some(batch) = batches.iter().find(|batch| batch.num_rows() > 0).filter(|_| rows == 1) else {
        return Err(Refusal::invalid(format!("there are {rows} rows of parameters: a statement is run with one")));
    };
    let schema = batch.schema();
    // Clients name columns without names 0, 1 and so on: these are no parameters $1, $2 where others stand beside them.
    let numbered = names.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    let exact = !numbered || batch.num_columns() == names.len();
    let by_name = !names.is_empty() && exact && names.iter().all(|name| schema.index_of(name).is_ok());
    if !by_name && batch.num_columns() != names.len() {
        let is_name = |name: &str| !name.is_empty() && !name.bytes().all(|byte| byte.is_ascii_digit());
        if !numbered && schema.fields().iter().all(|field| is_name(field.name())) {
            // Planning says which parameter has no value, and where.
            let named = schema.fields().iter().zip(batch.columns());
            return named.map(|(field, column)| Ok((field.name().clone(), value(column, 0, field.name())?))).collect();
        }
        let (given, needed) = (batch.num_columns(), names.len());
        let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        return Err(Refusal::invalid(format!("{given} values were given for {needed} parameters ({known})")));
    }
    let column = |(at, name): (usize, &String)| {
        let at = if by_name { schema.index_of(name).unwrap_or(at) } else { at };
        Ok((name.clone(), value(batch.column(at), 0, name)?))
    };
    names.iter().enumerate().map(column).collect()
}

fn value(column: &ArrayRef, row: usize, name: &str) -> Result<Value, Refusal> {
    if column.is_null(row) || column.data_type() == &DataType::Null {
        return Ok(Value::Null);
    }
    let wrong = |error: arrow::error::ArrowError| Refusal::invalid(format!("the parameter {}: {error}", shown(name)));
    let as_type = |data_type: DataType| cast(&column.slice(row, 1), &data_type).map_err(wrong);
    Ok(match column.data_type() {
        DataType::Boolean => Value::Flag(column.as_boolean().value(row)),
        DataType::UInt64 => {
            let number = column.as_primitive::<UInt64Type>().value(row);
            Value::Int(i64::try_from(number).map_err(|_| beyond(name))?)
        }
        data_type if data_type.is_integer() => {
            Value::Int(as_type(DataType::Int64)?.as_primitive::<Int64Type>().value(0))
        }
        DataType::Float16
        | DataType::Float32
        | DataType::Float64
        | DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => {
            Value::Float(as_type(DataType::Float64)?.as_primitive::<Float64Type>().value(0).to_bits())
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            Value::Text(as_type(DataType::Utf8)?.as_string::<i32>().value(0).to_owned())
        }
        DataType::Dictionary(_, of) => value(&as_type(of.as_ref().clone())?, 0, name)?,
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => {
            let time = as_type(DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())))?;
            if time.is_null(0) {
                return Err(beyond(name));
            }
            Value::Time(time.as_primitive::<TimestampNanosecondType>().value(0))
        }
        DataType::List(_) => list(&column.as_list::<i32>().value(row), name)?,
        DataType::LargeList(_) => list(&column.as_list::<i64>().value(row), name)?,
        other => {
            let why =
                format!("the parameter {} is {other}: give text, numbers, times, truth values or lists", shown(name));
            return Err(Refusal::invalid(why));
        }
    })
}

fn list(items: &ArrayRef, name: &str) -> Result<Value, Refusal> {
    let items = (0..items.len()).map(|row| value(items, row, name));
    Ok(Value::List(items.collect::<Result<_, _>>()?))
}

fn beyond(name: &str) -> Refusal {
    Refusal::invalid(format!("the parameter {} is beyond 64 bits", shown(name)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Date32Array, Float64Array, Int32Array, ListArray, RecordBatch, StringArray};
    use arrow::datatypes::Int64Type;

    use super::{Value, read};

    fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
    }

    #[test]
    fn values_by_name_or_in_order() {
        let columns = || -> Vec<(&str, ArrayRef)> {
            vec![
                ("b", Arc::new(Int32Array::from(vec![7])) as ArrayRef),
                ("a", Arc::new(StringArray::from(vec![Some("x")]))),
            ]
        };
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let by_name = read(&[batch(columns())], &names(&["a", "b"])).unwrap();
        assert_eq!((&by_name["a"], &by_name["b"]), (&Value::Text("x".into()), &Value::Int(7)));
        let in_order = read(&[batch(columns())], &names(&["1", "2"])).unwrap();
        assert_eq!((&in_order["1"], &in_order["2"]), (&Value::Int(7), &Value::Text("x".into())));
        assert!(read(&[batch(columns())], &names(&["1"])).unwrap_err().message.contains("2 values"));
        let numbers: Vec<(&str, ArrayRef)> =
            vec![("0", Arc::new(Int32Array::from(vec![7]))), ("1", Arc::new(Int32Array::from(vec![8])))];
        assert!(read(&[batch(numbers)], &names(&["1"])).unwrap_err().message.contains("2 values"));
        assert!(read(&[], &names(&["1"])).unwrap_err().message.contains("0 rows"));
        let two: Vec<(&str, ArrayRef)> = vec![("a", Arc::new(Int32Array::from(vec![1, 2])))];
        assert!(read(&[batch(two)], &names(&["a"])).unwrap_err().message.contains("2 rows"));
    }

    #[test]
    fn values_of_all_types() {
        let list = ListArray::from_iter_primitive::<Int64Type, _, _>([Some([Some(1), None])]);
        let batch = batch(vec![
            ("f", Arc::new(Float64Array::from(vec![f64::NAN]))),
            ("d", Arc::new(Date32Array::from(vec![1]))),
            ("n", Arc::new(StringArray::from(vec![None::<&str>]))),
            ("l", Arc::new(list)),
        ]);
        let names: Vec<String> = ["f", "d", "n", "l"].map(str::to_owned).into();
        let read = read(&[batch], &names).unwrap();
        assert_eq!(read["f"], Value::Float(f64::NAN.to_bits()));
        assert_eq!(read["d"], Value::Time(86_400_000_000_000));
        assert_eq!(read["n"], Value::Null);
        assert_eq!(read["l"], Value::List(vec![Value::Int(1), Value::Null]));
        let text = serde_json::to_string(&read).unwrap();
        assert_eq!(serde_json::from_str::<std::collections::BTreeMap<String, Value>>(&text).unwrap(), read);
        assert!(read["l"].to_param().is_ok());
    }
}
