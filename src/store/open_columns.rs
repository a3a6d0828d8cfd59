//! Open columns: casting between their types, unpacking metadata, and the JSON column that takes what is too much.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, BooleanBuilder, Float64Array, Float64Builder, Int64Array, Int64Builder,
    StringArray, StringBuilder,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};

use super::error::{Result, StoreError};
use super::overflow::OverflowBuilder;
use spanql_model::columns::REST;
use spanql_model::json::{Member, Value, members, unescaped};
use spanql_model::names::is_open_name;
use spanql_model::types::{MAX_EXACT_INTEGER, OpenType, float_text};

/// The open type of an array's values; `None` when it has none.
pub fn type_of(array: &dyn Array) -> Option<OpenType> {
    if array.null_count() == array.len() {
        return None;
    }
    Some(match array.data_type() {
        DataType::Boolean => OpenType::Boolean,
        DataType::Int64 => {
            let exact = -MAX_EXACT_INTEGER..=MAX_EXACT_INTEGER;
            let big = array.as_primitive::<Int64Type>().iter().flatten().any(|value| !exact.contains(&value));
            if big { OpenType::BigInt64 } else { OpenType::Int64 }
        }
        DataType::Float64 => OpenType::Float64,
        _ => OpenType::Utf8,
    })
}

/// Casts values of an open column to a wider type, as [`OpenType::unite`] gives it.
pub fn widen(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    match (array.data_type(), to) {
        (from, to) if from == to => Ok(Arc::clone(array)),
        (DataType::Float64, DataType::Utf8) => Ok(Arc::new(floats_to_text(array.as_primitive::<Float64Type>()))),
        _ => cast(array, to).map_err(StoreError::arrow("widening a column")),
    }
}

/// Text of numbers that share a column with text: see [`float_text`].
pub fn floats_to_text(array: &Float64Array) -> StringArray {
    array.iter().map(|value| value.map(float_text)).collect()
}

/// A JSON scalar, kept in its type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar {
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(String),
}

impl Scalar {
    /// Reads a JSON scalar; `None` for null, lists and objects.
    fn read(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Null | Value::Nested(_) => None,
            Value::Bool(flag) => Some(Self::Boolean(flag)),
            Value::Text(text) => Some(Self::Text(text.to_owned())),
            Value::Escaped(body) => Some(Self::Text(unescaped(body))),
            Value::Number(text) => match text.parse::<i64>() {
                Ok(integer) => Some(Self::Integer(integer)),
                // Beyond i64 only text keeps every digit.
                Err(_) if text.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit()) => {
                    Some(Self::Text(text.to_owned()))
                }
                Err(_) => match text.parse::<f64>() {
                    Ok(value) if value.is_finite() => Some(Self::Float(value)),
                    _ => Some(Self::Text(text.to_owned())),
                },
            },
        }
    }

    fn open_type(&self) -> OpenType {
        match self {
            Self::Boolean(_) => OpenType::Boolean,
            Self::Integer(value) if (-MAX_EXACT_INTEGER..=MAX_EXACT_INTEGER).contains(value) => OpenType::Int64,
            Self::Integer(_) => OpenType::BigInt64,
            Self::Float(_) => OpenType::Float64,
            Self::Text(_) => OpenType::Utf8,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Boolean(value) => value.to_string(),
            Self::Integer(value) => value.to_string(),
            Self::Float(value) => float_text(*value),
            Self::Text(value) => value.clone(),
        }
    }
}

/// Members of a JSON object by their keys; of two of one key the later.
fn by_key(members: Vec<Member<'_>>) -> BTreeMap<Cow<'_, str>, Value<'_>> {
    members.into_iter().map(|member| (member.key, member.value)).collect()
}

/// Sparse columns of scalars, built key by key.
#[derive(Debug, Default)]
pub(crate) struct Unpacked {
    columns: BTreeMap<String, (OpenType, Vec<(usize, Scalar)>)>,
}

impl Unpacked {
    /// Takes the scalar top-level keys of a JSON object as values of one row; text that is no object gives nothing.
    ///
    /// Rows must come in order. A key that is there twice has its last value.
    pub(crate) fn add_object(&mut self, row: usize, prefix: &str, text: &str) {
        let Some(members) = members(text) else { return };
        let mut name = String::with_capacity(64);
        let mut add = |key: &str, value: Value<'_>| {
            if let Some(scalar) = Scalar::read(value).filter(|_| !key.is_empty()) {
                name.clear();
                name.push_str(prefix);
                name.push_str(key);
                self.add_named(row, &name, scalar);
            }
        };
        // Objects are short and have each key once: that is seen sooner than a map is made of one.
        let few = members.len() <= 16;
        if few && members.iter().enumerate().all(|(at, member)| members[..at].iter().all(|m| m.key != member.key)) {
            members.iter().for_each(|member| add(&member.key, member.value));
        } else {
            by_key(members).into_iter().for_each(|(key, value)| add(&key, value));
        }
    }

    /// Takes the keys of a JSON object that stands for columns: names of open families, others below `name`; lists
    /// and objects are kept as JSON text. Text that is no object is kept as `<name>.value`.
    ///
    /// Rows must come in order, as for [`Unpacked::add_object`].
    pub(crate) fn add_columns(&mut self, row: usize, name: &str, text: &str) {
        let Some(object) = members(text).map(by_key) else {
            self.add(row, format!("{name}.value"), Scalar::Text(text.to_owned()));
            return;
        };
        for (key, value) in object {
            let scalar = match value {
                Value::Nested(json) => Some(Scalar::Text(json.to_owned())),
                value => Scalar::read(value),
            };
            let key = if is_open_name(&key) { key.into_owned() } else { format!("{name}.{key}") };
            if let Some(scalar) = scalar {
                self.add(row, key, scalar);
            }
        }
    }

    fn add(&mut self, row: usize, name: String, scalar: Scalar) {
        let seen = scalar.open_type();
        let (united, values) = self.columns.entry(name).or_insert_with(|| (seen, Vec::new()));
        *united = united.unite(seen);
        values.push((row, scalar));
    }

    /// The same for a name that is likely known: then nothing is copied.
    fn add_named(&mut self, row: usize, name: &str, scalar: Scalar) {
        match self.columns.get_mut(name) {
            Some((united, values)) => {
                *united = united.unite(scalar.open_type());
                values.push((row, scalar));
            }
            None => self.add(row, name.to_owned(), scalar),
        }
    }

    /// The names with their types.
    pub(crate) fn types(&self) -> impl Iterator<Item = (&str, OpenType)> {
        self.columns.iter().map(|(name, (open, _))| (name.as_str(), *open))
    }

    /// How many values each name has.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (&str, usize)> {
        self.columns.iter().map(|(name, (_, values))| (name.as_str(), values.len()))
    }

    /// The values, with their names and types, row by row for each name.
    pub(crate) fn into_scalars(self) -> impl Iterator<Item = (String, OpenType, Scalar)> {
        self.columns.into_iter().flat_map(|(name, (_, values))| {
            values.into_iter().map(move |(_, scalar)| (name.clone(), scalar.open_type(), scalar))
        })
    }

    /// Cells that the columns take at so many rows.
    pub(crate) fn cells(&self, rows: usize) -> usize {
        self.columns.len().saturating_mul(rows)
    }

    /// The columns packed into one JSON object a row.
    pub(crate) fn finish_packed(self, rows: usize) -> Result<StringArray> {
        let mut overflow = OverflowBuilder::new(rows);
        for (name, (open, values)) in self.columns {
            let (rows, scalars): (Vec<usize>, Vec<Scalar>) = values.into_iter().unzip();
            let array = array_of(&scalars, &open.data_type());
            overflow.add_values(&name, &array, rows.into_iter().enumerate().map(|(at, row)| (row, at)))?;
        }
        Ok(overflow.finish())
    }

    /// The columns without their nulls, in order of their names.
    pub(crate) fn finish_values(self) -> impl Iterator<Item = (String, ArrayRef)> {
        self.columns.into_iter().map(|(name, (open, values))| {
            let scalars: Vec<Scalar> = values.into_iter().map(|(_, scalar)| scalar).collect();
            (name, array_of(&scalars, &open.data_type()))
        })
    }

    /// The columns, each `rows` long, in order of their names.
    pub(crate) fn finish(self, rows: usize) -> Vec<(String, ArrayRef)> {
        self.columns.into_iter().map(|(name, (open, values))| (name, build(open, &values, rows))).collect()
    }
}

/// Scalars as an array of this type; those that it does not hold are null.
pub(crate) fn array_of(scalars: &[Scalar], data_type: &DataType) -> ArrayRef {
    match data_type {
        DataType::Boolean => Arc::new(BooleanArray::from_iter(scalars.iter().map(|scalar| match scalar {
            Scalar::Boolean(value) => Some(*value),
            _ => None,
        }))),
        DataType::Int64 => Arc::new(Int64Array::from_iter(scalars.iter().map(|scalar| match scalar {
            Scalar::Integer(value) => Some(*value),
            _ => None,
        }))),
        DataType::Float64 => Arc::new(Float64Array::from_iter(scalars.iter().map(|scalar| match scalar {
            Scalar::Float(value) => Some(*value),
            Scalar::Integer(value) => Some(*value as f64),
            _ => None,
        }))),
        _ => Arc::new(StringArray::from_iter(scalars.iter().map(|scalar| Some(scalar.text())))),
    }
}

fn build(open: OpenType, values: &[(usize, Scalar)], rows: usize) -> ArrayRef {
    fn spread<'a, T>(values: &'a [(usize, Scalar)], rows: usize, mut put: impl FnMut(Option<&'a Scalar>) -> T) {
        let mut next = values.iter().peekable();
        for row in 0..rows {
            put(next.next_if(|(at, _)| *at == row).map(|(_, scalar)| scalar));
        }
    }
    match open {
        OpenType::Boolean => {
            let mut builder = BooleanBuilder::with_capacity(rows);
            spread(values, rows, |scalar| {
                builder.append_option(match scalar {
                    Some(Scalar::Boolean(value)) => Some(*value),
                    _ => None,
                });
            });
            Arc::new(builder.finish())
        }
        OpenType::Int64 | OpenType::BigInt64 => {
            let mut builder = Int64Builder::with_capacity(rows);
            spread(values, rows, |scalar| {
                builder.append_option(match scalar {
                    Some(Scalar::Integer(value)) => Some(*value),
                    _ => None,
                });
            });
            Arc::new(builder.finish())
        }
        OpenType::Float64 => {
            let mut builder = Float64Builder::with_capacity(rows);
            spread(values, rows, |scalar| {
                builder.append_option(match scalar {
                    Some(Scalar::Float(value)) => Some(*value),
                    Some(Scalar::Integer(value)) => Some(*value as f64),
                    _ => None,
                });
            });
            Arc::new(builder.finish())
        }
        OpenType::Utf8 => {
            let mut builder = StringBuilder::new();
            spread(values, rows, |scalar| builder.append_option(scalar.map(Scalar::text)));
            Arc::new(builder.finish())
        }
    }
}

/// Unpacks the JSON column of a batch of stored rows into the columns it holds.
pub(crate) fn unpack_overflow(rest: &StringArray) -> Vec<(String, ArrayRef)> {
    let mut unpacked = Unpacked::default();
    for (row, text) in rest.iter().enumerate() {
        if let Some(text) = text {
            unpacked.add_columns(row, REST, text);
        }
    }
    unpacked.finish(rest.len())
}

/// The columns that the JSON column of a batch of stored rows holds, without their nulls.
pub(crate) fn unpack_overflow_values(rest: &StringArray) -> impl Iterator<Item = (String, ArrayRef)> {
    let mut unpacked = Unpacked::default();
    for (row, text) in rest.iter().enumerate() {
        if let Some(text) = text {
            unpacked.add_columns(row, REST, text);
        }
    }
    unpacked.finish_values()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_keys_keep_their_types() {
        let mut unpacked = Unpacked::default();
        unpacked.add_object(0, "m.", r#"{"a":1,"b":true,"c":"x","d":[1],"e":{"f":1},"g":null}"#);
        unpacked.add_object(2, "m.", r#"{"a":1.5,"b":"no","n":123456789012345678901234567890}"#);
        unpacked.add_object(3, "m.", "not json");
        let columns: BTreeMap<_, _> = unpacked.finish(4).into_iter().collect();
        assert_eq!(columns.keys().collect::<Vec<_>>(), ["m.a", "m.b", "m.c", "m.n"]);
        let a = columns["m.a"].as_primitive::<Float64Type>();
        assert_eq!(a.iter().collect::<Vec<_>>(), [Some(1.0), None, Some(1.5), None]);
        assert_eq!(columns["m.b"].as_string::<i32>().value(0), "true");
        assert_eq!(columns["m.n"].as_string::<i32>().value(2), "123456789012345678901234567890");
    }

    #[test]
    fn pack_and_unpack_are_inverse() {
        let a: ArrayRef = Arc::new(StringArray::from(vec![Some("x\"\\y"), None, None]));
        let b: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.5), Some(0.1), None]));
        let columns = vec![("attributes.a".to_owned(), a), ("attributes.b \"q\"".to_owned(), b)];
        let mut overflow = OverflowBuilder::new(3);
        for (name, array) in &columns {
            overflow.add(name, array).unwrap();
        }
        let packed = overflow.finish();
        assert!(packed.is_null(2));
        assert_eq!(unpack_overflow(&packed), columns);
        let compact: Vec<_> = unpack_overflow_values(&packed).map(|(_, array)| array.len()).collect();
        assert_eq!(compact, [1, 2]);
    }
}
