//! Indexed keys such as `attributes.llm.input_messages.0.message.role`: where the canonical column holds the same
//! list, they say nothing new and would fill the store with columns.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::compute::nullif;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use serde_json::Value;
use serde_json::value::RawValue;

use super::error::{Result, StoreError};
use spanql_model::columns::{CANONICAL, Content};

/// Empties the indexed keys whose value stands at the same place of their list; what differs stays.
pub(super) fn fold_indexed(columns: &mut BTreeMap<String, ArrayRef>) -> Result<()> {
    for list in CANONICAL.iter().filter(|column| column.content == Content::JsonList) {
        let prefix = format!("{}.", list.name);
        let keys: Vec<(String, usize, String)> = columns
            .range(prefix.clone()..)
            .take_while(|(name, _)| name.starts_with(&prefix))
            .filter_map(|(name, _)| {
                let (index, path) = name[prefix.len()..].split_once('.')?;
                Some((name.clone(), index.parse().ok()?, path.to_owned()))
            })
            .collect();
        let Some(lists) = columns.get(list.name).filter(|_| !keys.is_empty()).cloned() else { continue };
        let lists = lists.as_string::<i32>();
        let mut known: Vec<Vec<bool>> = vec![vec![false; lists.len()]; keys.len()];
        for row in (0..lists.len()).filter(|&row| lists.is_valid(row)) {
            let Ok(elements) = serde_json::from_str::<Vec<&RawValue>>(lists.value(row)) else { continue };
            let mut parsed: BTreeMap<usize, Value> = BTreeMap::new();
            for ((name, index, path), known) in keys.iter().zip(&mut known) {
                let Some(element) = elements.get(*index) else { continue };
                let value = parsed.entry(*index).or_insert_with(|| parse(element.get()));
                known[row] = at(value, path).is_some_and(|value| same(value, &columns[name], row));
            }
        }
        for ((name, _, _), known) in keys.iter().zip(known) {
            if let Some(array) = columns.get_mut(name) {
                *array =
                    nullif(array, &BooleanArray::from(known)).map_err(StoreError::arrow("folding indexed keys"))?;
            }
        }
    }
    Ok(())
}

fn parse(text: &str) -> Value {
    match serde_json::from_str(text) {
        // An element may be JSON text in a JSON string.
        Ok(Value::String(inner)) => serde_json::from_str(&inner).unwrap_or(Value::String(inner)),
        Ok(value) => value,
        Err(_) => Value::Null,
    }
}

/// The value at a dotted path, whose parts may be joined in a key: `message.role` or `message`, then `role`.
fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    let step = |key: &str| match value {
        Value::Object(object) => object.get(key),
        Value::Array(list) => list.get(key.parse::<usize>().ok()?),
        _ => None,
    };
    if let Some(found) = step(path) {
        return Some(found);
    }
    path.match_indices('.').rev().find_map(|(dot, _)| at(step(&path[..dot])?, &path[dot + 1..]))
}

fn same(value: &Value, array: &ArrayRef, row: usize) -> bool {
    if array.is_null(row) {
        return false;
    }
    match array.data_type() {
        DataType::Utf8 => value.as_str() == Some(array.as_string::<i32>().value(row)),
        DataType::Int64 => value.as_i64() == Some(array.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => value.as_f64() == Some(array.as_primitive::<Float64Type>().value(row)),
        DataType::Boolean => value.as_bool() == Some(array.as_boolean().value(row)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray};

    use super::*;

    #[test]
    fn only_what_the_list_says_too_is_emptied() {
        let text = |values: [Option<&str>; 3]| -> ArrayRef { Arc::new(StringArray::from(values.to_vec())) };
        let list = "attributes.llm.input_messages";
        let mut columns = BTreeMap::from([
            (
                list.to_owned(),
                text([
                    Some(r#"[{"message.role":"user","n":1},{"message":{"tool_calls":[{"id":"c"}]}}]"#),
                    Some("[]"),
                    None,
                ]),
            ),
            (format!("{list}.0.message.role"), text([Some("user"), Some("user"), Some("user")])),
            (format!("{list}.1.message.tool_calls.0.id"), text([Some("c"), None, Some("c")])),
            (format!("{list}.0.n"), Arc::new(Int64Array::from(vec![Some(2), None, None])) as ArrayRef),
            (format!("{list}.roles"), text([Some("user"), None, None])),
        ]);
        fold_indexed(&mut columns).unwrap();
        let nulls = |name: &str| (0..3).map(|row| columns[&format!("{list}.{name}")].is_null(row)).collect::<Vec<_>>();
        assert_eq!(nulls("0.message.role"), [true, false, false]);
        assert_eq!(nulls("1.message.tool_calls.0.id"), [true, true, false]);
        assert_eq!(nulls("0.n"), [false, true, true], "another value is kept");
        assert_eq!(nulls("roles"), [false, true, true]);
    }
}
