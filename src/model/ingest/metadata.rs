//! The metadata object, put together from its own column and from columns that name one key each.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::{not, nullif};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;

use crate::columns::{METADATA, METADATA_PATCH};
use crate::json;

/// Sets the rows apart whose metadata came as single keys only: they add to what is known of a span, where a whole
/// object replaces it.
pub(super) fn set_apart(batch: RecordBatch, single: &BooleanArray) -> Result<RecordBatch, ArrowError> {
    let Ok(index) = batch.schema_ref().index_of(METADATA) else { return Ok(batch) };
    if single.true_count() == 0 {
        return Ok(batch);
    }
    let mut arrays: Vec<ArrayRef> = batch.columns().to_vec();
    let mut fields: Vec<Arc<Field>> = batch.schema_ref().fields().iter().cloned().collect();
    arrays.push(nullif(&arrays[index], &not(single)?)?);
    fields.push(Arc::new(Field::new(METADATA_PATCH, DataType::Utf8, true)));
    arrays[index] = nullif(&arrays[index], single)?;
    if arrays[index].null_count() == batch.num_rows() {
        arrays.remove(index);
        fields.remove(index);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
}

/// Folds single keys, each with its value as JSON text, into the text of a metadata column.
///
/// The object's members keep their order and text, a key that is given on its own replaces the member of that name,
/// and further keys follow sorted by name. Text that is no JSON object is kept under the key `metadata`.
pub(super) fn fold(text: Option<&str>, mut keys: BTreeMap<String, String>) -> String {
    let text = text.unwrap_or("").trim();
    let mut out = String::with_capacity(text.len() + 32 * keys.len());
    let mut separator = '{';
    match json::members(text) {
        Some(members) => {
            let mut replaced = HashSet::new();
            for json::Member { key, text, .. } in members {
                if replaced.contains(&key) {
                    continue;
                }
                out.push(separator);
                separator = ',';
                match keys.remove(key.as_ref()) {
                    Some(value) => {
                        write_member(&key, &value, &mut out);
                        replaced.insert(key);
                    }
                    None => json::write_finite(text, true, &mut out),
                }
            }
        }
        None if text.is_empty() => {}
        None => {
            let mut value = String::new();
            if !json::write_compact(text, false, &mut value) {
                json::write_string(text, &mut value);
            }
            keys.entry("metadata".to_owned()).or_insert(value);
        }
    }
    for (key, value) in keys {
        out.push(separator);
        separator = ',';
        write_member(&key, &value, &mut out);
    }
    if separator == '{' {
        out.push('{');
    }
    out.push('}');
    out
}

fn write_member(key: &str, value: &str, out: &mut String) {
    json::write_string(key, out);
    out.push(':');
    out.push_str(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(text: Option<&str>, keys: &[(&str, &str)]) -> String {
        fold(text, keys.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn keys_replace_members_and_add_to_them() {
        assert_eq!(
            folded(
                Some(" {\"z\": 1, \"b\" : \"{\\\"c\\\": 2}\"} "),
                &[("y", "[2]"), ("x.w", "true"), ("z", "\"new\"")]
            ),
            "{\"z\":\"new\",\"b\" : \"{\\\"c\\\": 2}\",\"x.w\":true,\"y\":[2]}"
        );
        assert_eq!(folded(Some("{\"a\":1,\"a\":2}"), &[("a", "3")]), "{\"a\":3}");
        assert_eq!(folded(Some("{\"a\":NaN}"), &[]), "{\"a\":null}");
        assert_eq!(folded(None, &[("a\"", "1")]), "{\"a\\\"\":1}");
        assert_eq!(folded(Some(""), &[]), "{}");
    }

    #[test]
    fn other_text_is_not_lost() {
        assert_eq!(folded(Some("{'a': 1}"), &[("b", "1")]), "{\"b\":1,\"metadata\":\"{'a': 1}\"}");
        assert_eq!(folded(Some("[1, 2]"), &[("b", "1")]), "{\"b\":1,\"metadata\":[1,2]}");
    }
}
