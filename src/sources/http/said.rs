//! What the body of a refusal says, whatever its form.

use serde_json::Value;

/// Characters that are shown of it.
const SHOWN: usize = 500;

/// The words of a refusal: of a problem (RFC 9457), of other JSON that has words where APIs have them, or the text
/// itself. `None` when it says nothing.
pub(super) fn said(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let text = match serde_json::from_str(&text) {
        Ok(Value::Object(members)) => words(&members),
        Ok(Value::String(text)) => text,
        _ => text.into_owned(),
    };
    let text = text.trim();
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    (!shown.is_empty()).then_some(shown)
}

fn words(members: &serde_json::Map<String, Value>) -> String {
    let mut words: Vec<String> = vec![];
    for name in ["title", "detail", "message", "errors", "error"] {
        match members.get(name) {
            Some(Value::String(text)) => words.push(text.clone()),
            Some(Value::Array(items)) => words.extend(items.iter().filter_map(item)),
            _ => {}
        }
    }
    words.retain(|text| !text.trim().is_empty());
    words.dedup();
    words.join(": ")
}

/// One of several faults: its words, and where it lies.
fn item(item: &Value) -> Option<String> {
    if let Value::String(text) = item {
        return Some(text.clone());
    }
    let text = ["msg", "message", "detail"].iter().find_map(|name| item.get(name)?.as_str())?;
    let place: Vec<String> = match item.get("loc") {
        Some(Value::Array(parts)) => {
            parts.iter().map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned)).collect()
        }
        _ => vec![],
    };
    Some(if place.is_empty() { text.to_owned() } else { format!("{}: {text}", place.join(".")) })
}

#[cfg(test)]
mod tests {
    use super::said;

    #[test]
    fn refusals_of_all_forms_have_their_words() {
        let cases = [
            (r#"{"title": "Bad", "detail": "no such space", "status": 404}"#, "Bad: no such space"),
            (r#"{"detail": [{"type": "x", "loc": ["query", "limit"], "msg": "too large"}]}"#, "query.limit: too large"),
            (r#"{"errors": ["a", "b"]}"#, "a: b"),
            (r#"{"code": 401, "message": "API key should be provided"}"#, "API key should be provided"),
            ("Invalid cursor", "Invalid cursor"),
            ("\"quoted\"", "quoted"),
        ];
        for (body, words) in cases {
            assert_eq!(said(body.as_bytes()).as_deref(), Some(words));
        }
        for nothing in ["", "  ", "{}", r#"{"detail": ""}"#] {
            assert_eq!(said(nothing.as_bytes()), None);
        }
        let long = "x".repeat(2000);
        assert_eq!(said(long.as_bytes()).unwrap().chars().count(), 501);
    }
}
