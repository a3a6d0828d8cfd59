//! Patches of JSON objects, as RFC 7396 has them but for null.

use indexmap::IndexMap;
use serde_json::value::RawValue;

use crate::error::{Result, StoreError};

type Members = IndexMap<String, Box<RawValue>>;

/// Levels of objects that are merged; what lies deeper is replaced.
const DEPTH: usize = 64;

/// Merges a document into the text of an object: members that are objects on both sides are merged, all others replaced,
/// also by null. Text that is no object is replaced, and what the document does not name keeps its spelling.
pub(super) fn merge_patch(text: Option<&str>, document: &str) -> Result<String> {
    let failed = |error: serde_json::Error| StoreError::Patch(format!("a metadata patch is no JSON object: {error}"));
    let document: Members = serde_json::from_str(document).map_err(failed)?;
    let object = text.and_then(|text| serde_json::from_str::<Members>(text).ok()).unwrap_or_default();
    let merged = merge(object, document, DEPTH).and_then(|members| serde_json::to_string(&members));
    merged.map_err(failed)
}

fn merge(mut object: Members, document: Members, depth: usize) -> serde_json::Result<Members> {
    for (key, value) in document {
        let both = object.get(&key).and_then(|known| Some((members(known)?, members(&value)?)));
        let value = match both {
            Some((known, more)) if depth > 0 => serde_json::value::to_raw_value(&merge(known, more, depth - 1)?)?,
            _ => value,
        };
        object.insert(key, value);
    }
    Ok(object)
}

/// The members of an object; `None` for every other value.
fn members(value: &RawValue) -> Option<Members> {
    if value.get().starts_with('{') { serde_json::from_str(value.get()).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::merge_patch;

    #[test]
    fn objects_are_merged_and_null_is_a_value() {
        let merged = |text: Option<&str>, document: &str| merge_patch(text, document).unwrap();
        assert_eq!(
            merged(Some(r#"{"a": 1.50,"b":{"c":1,"d":2}}"#), r#"{"b":{"d":3,"e":null}}"#),
            r#"{"a":1.50,"b":{"c":1,"d":3,"e":null}}"#
        );
        assert_eq!(merged(Some(r#"{"a":{"b":1}}"#), r#"{"a":null}"#), r#"{"a":null}"#);
        assert_eq!(merged(Some(r#"{"a":1}"#), r#"{"a":{"b":1}}"#), r#"{"a":{"b":1}}"#);
        assert_eq!(merged(Some("no object"), r#"{"a":[1]}"#), r#"{"a":[1]}"#);
        assert_eq!(merged(None, "{}"), "{}");
        assert!(merge_patch(None, "[1]").is_err());
    }
}
