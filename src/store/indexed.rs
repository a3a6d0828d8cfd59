//! Indexed keys such as `attributes.llm.input_messages.0.message.role`: where the canonical column holds the same
//! list, they say nothing new and would fill the store with columns.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::compute::nullif;
use arrow::datatypes::{DataType, Float64Type, Int64Type};

use super::error::{Result, StoreError};
use spanql_model::columns::{CANONICAL, Content};
use spanql_model::json::{elements, text_in};

/// Empties the indexed keys whose value stands at the same place of their list; what differs stays.
pub(super) fn drop_redundant_indexed(columns: &mut BTreeMap<String, ArrayRef>) -> Result<()> {
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
            let Some(elements) = elements(lists.value(row)) else { continue };
            for ((name, index, path), known) in keys.iter().zip(&mut known) {
                let Some(element) = elements.get(*index) else { continue };
                known[row] = text_in(*element, path).is_some_and(|text| same(&text, &columns[name], row));
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

/// Whether a text is what stands in an array.
fn same(text: &str, array: &ArrayRef, row: usize) -> bool {
    if array.is_null(row) {
        return false;
    }
    match array.data_type() {
        DataType::Utf8 => text == array.as_string::<i32>().value(row),
        DataType::Int64 => text.parse::<i64>() == Ok(array.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => text.parse::<f64>() == Ok(array.as_primitive::<Float64Type>().value(row)),
        DataType::Boolean => text.parse::<bool>() == Ok(array.as_boolean().value(row)),
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
        drop_redundant_indexed(&mut columns).unwrap();
        let nulls = |name: &str| (0..3).map(|row| columns[&format!("{list}.{name}")].is_null(row)).collect::<Vec<_>>();
        assert_eq!(nulls("0.message.role"), [true, false, false]);
        assert_eq!(nulls("1.message.tool_calls.0.id"), [true, true, false]);
        assert_eq!(nulls("0.n"), [false, true, true], "another value is kept");
        assert_eq!(nulls("roles"), [false, true, true]);
    }
}
