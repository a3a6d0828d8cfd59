//! Notes: a list, of which a patch brings what is new.

use serde_json::Value;

/// The notes of a span with new ones behind them; the same text by the same author is noted once. Text that is no list is a
/// note of its own, and where nothing is added, the text stays as it is.
pub(super) fn with_notes(text: Option<&str>, new: &str) -> String {
    let Some(text) = text else { return new.to_owned() };
    let mut notes = list(text);
    let known = notes.len();
    for note in list(new) {
        if !notes.iter().any(|known| is_same(known, &note)) {
            notes.push(note);
        }
    }
    if notes.len() == known { text.to_owned() } else { Value::from(notes).to_string() }
}

fn list(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap_or_else(|_| vec![Value::from(text)])
}

fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => ["text", "updated_by"].iter().all(|part| a.get(*part) == b.get(*part)),
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::with_notes;

    #[test]
    fn what_is_noted_stays() {
        let earlier = r#"[ {"text": "a", "updated_by": "x", "annotator_kind": "HUMAN"} ]"#;
        let new = r#"[{"text":"a","updated_by":"x","updated_at":1},{"text":"a","updated_by":"y"}]"#;
        let list: Value = serde_json::from_str(&with_notes(Some(earlier), new)).unwrap();
        let first = json!({"text": "a", "updated_by": "x", "annotator_kind": "HUMAN"});
        assert_eq!(list, json!([first, {"text": "a", "updated_by": "y"}]));
        assert_eq!(with_notes(None, new), new);
        assert_eq!(with_notes(Some(earlier), r#"[{"text":"a","updated_by":"x"}]"#), earlier, "nothing is new");
        assert_eq!(with_notes(Some("seen"), "[]"), "seen");
        assert_eq!(with_notes(Some("seen"), "again"), r#"["seen","again"]"#);
    }
}
