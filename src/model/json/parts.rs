//! What JSON text consists of: its one value, the members of an object, the elements of a list.

use std::borrow::Cow;

use super::scan::{MAX_DEPTH, Scanner, Value};
use super::text::unescaped;

/// A member of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member<'a> {
    /// Its key.
    pub key: Cow<'a, str>,
    /// Its value.
    pub value: Value<'a>,
    /// All of it as written, from the quote of its key to the end of its value.
    pub text: &'a str,
}

/// The value that a text is; `None` for text that is no JSON.
pub fn read(text: &str) -> Option<Value<'_>> {
    let mut scanner = Scanner::new(text);
    scanner.blanks();
    let value = scanner.value(MAX_DEPTH).ok()?;
    scanner.end().ok()?;
    Some(value)
}

/// The members of a JSON object as they come, also those of one key; `None` for other text.
pub fn members(text: &str) -> Option<Vec<Member<'_>>> {
    let mut scanner = Scanner::new(text);
    let mut members = Vec::new();
    scanner.blanks();
    if !scanner.eat(b'{') {
        return None;
    }
    scanner.blanks();
    if !scanner.eat(b'}') {
        loop {
            let start = scanner.position();
            let key = match scanner.key().ok()? {
                Value::Escaped(body) => Cow::Owned(unescaped(body)),
                Value::Text(text) => Cow::Borrowed(text),
                _ => return None,
            };
            let value = scanner.value(MAX_DEPTH - 1).ok()?;
            members.push(Member { key, value, text: scanner.since(start) });
            scanner.blanks();
            if scanner.eat(b'}') {
                break;
            }
            scanner.expect(b',', "expected ',' or '}'").ok()?;
            scanner.blanks();
        }
    }
    scanner.end().ok()?;
    Some(members)
}

/// The elements of a JSON list; `None` for other text.
pub fn elements(text: &str) -> Option<Vec<Value<'_>>> {
    let mut scanner = Scanner::new(text);
    let mut elements = Vec::new();
    scanner.blanks();
    if !scanner.eat(b'[') {
        return None;
    }
    scanner.blanks();
    if !scanner.eat(b']') {
        loop {
            elements.push(scanner.value(MAX_DEPTH - 1).ok()?);
            scanner.blanks();
            if scanner.eat(b']') {
                break;
            }
            scanner.expect(b',', "expected ',' or ']'").ok()?;
            scanner.blanks();
        }
    }
    scanner.end().ok()?;
    Some(elements)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_text() {
        let found = members(r#" {"a" : 1, "b\n":{"c": [2]}, "a":"x" } "#).unwrap();
        let found: Vec<_> = found.iter().map(|member| (member.key.as_ref(), member.value, member.text)).collect();
        let want = [
            ("a", Value::Number("1"), "\"a\" : 1"),
            ("b\n", Value::Nested("{\"c\": [2]}"), "\"b\\n\":{\"c\": [2]}"),
            ("a", Value::Text("x"), "\"a\":\"x\""),
        ];
        assert_eq!(found, want);
        for other in ["[1]", "", "{", r#"{"a":1,}"#, r#"{"a":1} x"#] {
            assert_eq!(members(other), None, "{other}");
        }
    }

    #[test]
    fn elements_keep_their_text() {
        let found = elements(" [ {\"a\" : 1.50},\"x\\u0041\", null ,[1, 2],7] ").unwrap();
        let written: Vec<_> = found.iter().map(|element| element.written()).collect();
        assert_eq!(written, ["{\"a\" : 1.50}", "\"x\\u0041\"", "null", "[1, 2]", "7"]);
        assert_eq!(elements("[]"), Some(vec![]));
        for other in ["{}", "", "[", "[1,]", "[1] x", "[1 2]"] {
            assert_eq!(elements(other), None, "{other}");
        }
    }

    #[test]
    fn one_value() {
        assert_eq!((read(" \"x\" "), read("null")), (Some(Value::Text("x")), Some(Value::Null)));
        assert_eq!((read("x"), read("1 2"), read("")), (None, None, None));
    }

    #[test]
    fn depth_is_limited() {
        let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        for (depth, fits) in [(MAX_DEPTH - 1, true), (MAX_DEPTH, false)] {
            assert_eq!(members(&format!("{{\"a\":{}}}", deep(depth))).is_some(), fits, "{depth}");
            assert_eq!(elements(&format!("[{}]", deep(depth))).is_some(), fits, "{depth}");
        }
    }
}
