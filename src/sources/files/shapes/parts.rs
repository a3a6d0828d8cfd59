//! The members of an object that may be cut off.

use std::borrow::Cow;

use spanql_model::json::{MAX_DEPTH, Member, Scanner, Value, unescaped};

/// What an object consists of.
#[derive(Debug, Default)]
pub(super) struct Parts<'a> {
    /// The members that are whole.
    pub(super) members: Vec<Member<'a>>,
    /// The key of the member in which the text ends, and what there is of its value.
    cut: Option<(Cow<'a, str>, &'a str)>,
    ended: bool,
}

impl<'a> Parts<'a> {
    /// Reads the members of an object, as far as they are there; `None` for text that is no JSON.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        let mut scanner = Scanner::new(text);
        let mut parts = Self::default();
        scanner.blanks();
        if !scanner.eat(b'{') {
            return None;
        }
        scanner.blanks();
        if scanner.eat(b'}') {
            parts.ended = true;
            return scanner.end().is_ok().then_some(parts);
        }
        loop {
            let start = scanner.position();
            let key = match scanner.key() {
                Ok(Value::Text(text)) => Cow::Borrowed(text),
                Ok(Value::Escaped(body)) => Cow::Owned(unescaped(body)),
                Ok(_) => return None,
                Err(_) => return ends_at(text, scanner.position()).then_some(parts),
            };
            let at = scanner.position();
            match scanner.value(MAX_DEPTH - 1) {
                Ok(value) => parts.members.push(Member { key, value, text: scanner.since(start) }),
                Err(_) if ends_at(text, scanner.position()) => {
                    parts.cut = Some((key, text.get(at..).unwrap_or("")));
                    return Some(parts);
                }
                Err(_) => return None,
            }
            scanner.blanks();
            if scanner.eat(b'}') {
                parts.ended = true;
                return scanner.end().is_ok().then_some(parts);
            }
            match scanner.byte() {
                Some(b',') => scanner.eat(b','),
                None => return Some(parts),
                Some(_) => return None,
            };
            scanner.blanks();
        }
    }

    /// Whether the text ends before the object does.
    pub(super) fn is_cut(&self) -> bool {
        !self.ended
    }

    /// The value of a key, of several the last; nothing where that is null.
    pub(super) fn get(&self, key: &str) -> Option<Value<'a>> {
        self.members
            .iter()
            .rev()
            .find(|member| member.key == key)
            .map(|m| m.value)
            .filter(|value| *value != Value::Null)
    }

    /// The value of the first of these keys that has one.
    pub(super) fn any(&self, keys: &[&str]) -> Option<Value<'a>> {
        keys.iter().find_map(|key| self.get(key))
    }

    /// Whether there is such a key, whatever its value, whole or cut.
    pub(super) fn has(&self, key: &str) -> bool {
        self.members.iter().any(|member| member.key == key) || self.cut.as_ref().is_some_and(|(cut, _)| cut == key)
    }

    /// Whether there is one of these keys.
    pub(super) fn has_any(&self, keys: &[&str]) -> bool {
        keys.iter().any(|key| self.has(key))
    }

    /// The text of the lists under any of these keys, one of them perhaps cut off.
    pub(super) fn lists(&self, keys: &[&str]) -> Vec<&'a str> {
        let whole = self.members.iter().filter(|member| keys.contains(&member.key.as_ref()));
        let whole = whole.filter_map(|member| match member.value {
            Value::Nested(text) => Some(text),
            _ => None,
        });
        let cut = self.cut.iter().filter(|(key, _)| keys.contains(&key.as_ref())).map(|(_, text)| *text);
        whole.chain(cut).filter(|text| text.starts_with('[')).collect()
    }

    /// The text of the object under a key, perhaps cut off.
    pub(super) fn object(&self, key: &str) -> Option<&'a str> {
        let whole = match self.get(key) {
            Some(Value::Nested(text)) => Some(text),
            _ => None,
        };
        let cut = || self.cut.iter().find(|(cut, _)| cut == key).map(|(_, text)| *text);
        whole.or_else(cut).filter(|text| text.starts_with('{'))
    }
}

/// Whether a text ends where a reader of JSON got stuck, if only inside of a word.
pub(in crate::files) fn ends_at(text: &str, at: usize) -> bool {
    let rest = text.get(at..).unwrap_or("");
    ["null", "true", "false", "NaN", "Infinity"].iter().any(|word| word.starts_with(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_off_is_told_from_what_is_broken() {
        let text = r#"{"a": 1, "b": {"c": [1, 2]}, "d": null}"#;
        for cut in 1..text.len() {
            let parts = Parts::read(&text[..cut]).unwrap();
            assert!(parts.members.len() <= 2 || cut == 38, "{cut}");
        }
        let parts = Parts::read(&text[..25]).unwrap();
        assert_eq!((parts.get("a"), parts.object("b")), (Some(Value::Number("1")), Some("{\"c\": [1, 2")));
        assert!(parts.has("b") && !parts.has("c"));
        assert!(!Parts::read(text).unwrap().is_cut() && parts.is_cut());
        for broken in ["", "[1]", "{a", "{\"a\" 1", "{\"a\": 1 2", "{\"a\": x", "{} x", "{\"a\": 1]"] {
            assert!(Parts::read(broken).is_none(), "{broken}");
        }
    }
}
