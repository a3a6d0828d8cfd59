//! Metadata keys that came one by one, set in the object of their span.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{Field, Schema};
use serde_json::value::RawValue;

use super::super::error::{Result, StoreError};
use super::super::open_columns::Unpacked;
use super::super::packed::finish_or_pack;
use super::Merged;
use spanql_model::columns::{self, METADATA_PREFIX};

impl Merged {
    /// Sets metadata keys that came one by one: builds the resulting texts as one more batch.
    pub(super) fn patch_metadata(&mut self) -> Result<()> {
        let patches: Vec<Option<StringArray>> = self.optional_text(columns::METADATA_PATCH);
        if patches.iter().all(Option::is_none) {
            return Ok(());
        }
        let whole = self.optional_text(columns::METADATA);
        let value = |column: &'_ Option<StringArray>, row: usize| -> Option<String> {
            column.as_ref().filter(|column| column.is_valid(row)).map(|column| column.value(row).to_owned())
        };
        let mut texts: Vec<String> = Vec::new();
        let mut unpacked = Unpacked::default();
        let mut patched = HashMap::new();
        for (number, span) in self.spans.iter().enumerate() {
            let row_refs = &self.row_refs[span.clone()];
            if !row_refs.iter().any(|&(batch, row)| value(&patches[batch], row).is_some()) {
                continue;
            }
            let mut text: Option<String> = None;
            for &(batch, row) in row_refs {
                text = value(&whole[batch], row).or(text);
                if let Some(patch) = value(&patches[batch], row) {
                    text = Some(set_keys(text.as_deref(), &patch));
                }
            }
            let text = text.unwrap_or_default();
            unpacked.add_object(texts.len(), METADATA_PREFIX, &text);
            patched.insert(number, texts.len());
            texts.push(text);
        }
        let rows = texts.len();
        let mut fields: Vec<(String, ArrayRef)> = finish_or_pack(unpacked, rows)?;
        fields.push((columns::METADATA.to_owned(), Arc::new(StringArray::from(texts))));
        let schema = Schema::new(
            fields.iter().map(|(name, array)| Field::new(name, array.data_type().clone(), true)).collect::<Vec<_>>(),
        );
        let arrays = fields.into_iter().map(|(_, array)| array).collect();
        let batch = RecordBatch::try_new(Arc::new(schema), arrays).map_err(StoreError::arrow("merging metadata"))?;
        self.packed.add(self.rows.batches.len(), &batch);
        self.rows.batches.push(batch);
        self.patched = patched;
        Ok(())
    }

    pub(super) fn optional_text(&self, name: &str) -> Vec<Option<StringArray>> {
        let column = |batch: &RecordBatch| batch.column_by_name(name).map(|c| c.as_string::<i32>().clone());
        self.rows.batches.iter().map(column).collect()
    }
}

/// Sets the keys of one JSON object in another; anything but an object is replaced.
pub(crate) fn set_keys(text: Option<&str>, patch: &str) -> String {
    let parse = |text: &str| serde_json::from_str::<indexmap::IndexMap<String, Box<RawValue>>>(text);
    let Ok(keys) = parse(patch) else { return text.unwrap_or(patch).to_owned() };
    let mut object = text.and_then(|text| parse(text).ok()).unwrap_or_default();
    let same = |a: &RawValue, b: &RawValue| {
        serde_json::from_str::<serde_json::Value>(a.get()).ok() == serde_json::from_str(b.get()).ok()
    };
    let mut changed = false;
    for (key, value) in keys {
        if object.get(&key).is_none_or(|known| !same(known, &value)) {
            object.insert(key, value);
            changed = true;
        }
    }
    match text {
        Some(text) if !changed => text.to_owned(),
        _ => serde_json::to_string(&object).unwrap_or_else(|_| patch.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::set_keys;

    #[test]
    fn keys_are_set_in_place() {
        assert_eq!(set_keys(Some(r#"{"a": 1,"b":2}"#), r#"{"b":2}"#), r#"{"a": 1,"b":2}"#);
        assert_eq!(set_keys(Some(r#"{"a": 1,"b":2}"#), r#"{"b":3,"c":"x"}"#), r#"{"a":1,"b":3,"c":"x"}"#);
        assert_eq!(set_keys(None, r#"{"c":"x"}"#), r#"{"c":"x"}"#);
        assert_eq!(set_keys(Some("text"), r#"{"c":"x"}"#), r#"{"c":"x"}"#);
    }
}
