//! The JSON column that takes the open columns that are too many.

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type};

use super::error::{Result, StoreError};

/// Columns on their way into one JSON object a row; null where a row has a value in none of them.
#[derive(Debug)]
pub(crate) struct OverflowBuilder {
    texts: Vec<Option<String>>,
}

impl OverflowBuilder {
    pub(crate) fn new(rows: usize) -> Self {
        Self { texts: vec![None; rows] }
    }

    /// Goes on with objects that were packed before.
    pub(crate) fn of(packed: &StringArray) -> Self {
        let open = |text: &str| text.strip_suffix('}').unwrap_or(text).to_owned();
        Self { texts: packed.iter().map(|text| text.map(open)).collect() }
    }

    /// Adds a column that has a value or null for each row.
    pub(crate) fn add(&mut self, name: &str, array: &ArrayRef) -> Result<()> {
        let rows = (0..array.len()).filter(|&row| array.is_valid(row)).map(|row| (row, row));
        self.add_values(name, array, rows)
    }

    /// Adds values of a column: pairs of the row and the place in `array`.
    pub(crate) fn add_values(
        &mut self,
        name: &str,
        array: &ArrayRef,
        values: impl Iterator<Item = (usize, usize)>,
    ) -> Result<()> {
        let failed =
            |error: serde_json::Error| StoreError::Internal(format!("attributes.rest does not encode: {error}"));
        let key = serde_json::to_string(name).map_err(failed)?;
        for (row, at) in values {
            let Some(text) = self.texts.get_mut(row) else { continue };
            let text = text.get_or_insert_with(String::new);
            text.push(if text.is_empty() { '{' } else { ',' });
            text.push_str(&key);
            text.push(':');
            match array.data_type() {
                DataType::Boolean => text.push_str(if array.as_boolean().value(at) { "true" } else { "false" }),
                DataType::Int64 => text.push_str(&array.as_primitive::<Int64Type>().value(at).to_string()),
                DataType::Float64 => {
                    let value = array.as_primitive::<Float64Type>().value(at);
                    text.push_str(&serde_json::to_string(&value).map_err(failed)?);
                }
                _ => text.push_str(&serde_json::to_string(array.as_string::<i32>().value(at)).map_err(failed)?),
            }
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> StringArray {
        self.texts.into_iter().map(|text| text.map(|text| text + "}")).collect()
    }
}
