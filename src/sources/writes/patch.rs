//! One change of the metadata of a span.

use serde_json::{Map, Value};

/// Keys to set in the metadata of a span.
#[derive(Debug, Clone, PartialEq)]
pub struct Patch {
    /// The span.
    pub span_id: String,
    /// The keys and their values; null is a value.
    pub document: Map<String, Value>,
}

/// A patch as Arize stores it: truth values as `True` and `False`, lists and objects as JSON text, null as null.
pub fn stored(document: &Map<String, Value>) -> Map<String, Value> {
    let value = |value: &Value| match value {
        Value::Bool(true) => Value::from("True"),
        Value::Bool(false) => Value::from("False"),
        nested @ (Value::Array(_) | Value::Object(_)) => Value::from(nested.to_string()),
        scalar => scalar.clone(),
    };
    document.iter().map(|(key, held)| (key.clone(), value(held))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::stored;

    #[test]
    fn truth_values_and_nested_ones_become_text() {
        let document = json!({"a": true, "b": false, "c": {"d": [1, "x"]}, "e": null, "f": 1.5, "g": "t"});
        let expected = json!({"a": "True", "b": "False", "c": r#"{"d":[1,"x"]}"#, "e": null, "f": 1.5, "g": "t"});
        assert_eq!(serde_json::Value::from(stored(document.as_object().unwrap())), expected);
    }
}
