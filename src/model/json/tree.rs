//! JSON text as a tree, for reading shapes that differ from writer to writer.

use std::borrow::Cow;

use super::{JsonError, MAX_DEPTH, Scanner, Value, unescaped, write_string};

/// Dotted keys open this many levels; what lies deeper stays one key.
const KEY_LEVELS: usize = 24;

/// A JSON value; text without escapes is borrowed, numbers stay as they were written, members keep their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tree<'a> {
    /// `null`.
    Null,
    /// A number, `true` or `false`, as written.
    Scalar(Cow<'a, str>),
    /// A string.
    Text(Cow<'a, str>),
    /// A list.
    List(Vec<Tree<'a>>),
    /// An object.
    Object(Vec<(Cow<'a, str>, Tree<'a>)>),
}

impl<'a> Tree<'a> {
    /// Reads JSON text; `None` for any other text, and for JSON that is nested deeper than [`MAX_DEPTH`].
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut scanner = Scanner::new(text);
        scanner.blanks();
        let tree = read(&mut scanner, MAX_DEPTH).ok()?;
        scanner.end().ok()?;
        Some(tree)
    }

    /// The value at a dotted path, whose parts may be joined in a key: `{"a.b": 1}` and `{"a": {"b": 1}}` both have
    /// `a.b`. Nothing where there is a null.
    pub fn get(&self, path: &str) -> Option<&Tree<'a>> {
        let Self::Object(members) = self else { return None };
        let found = |(key, value): &'_ &(Cow<'a, str>, Tree<'a>)| match path.strip_prefix(key.as_ref()) {
            Some("") => *value != Self::Null,
            _ => false,
        };
        if let Some((_, value)) = members.iter().find(found) {
            return Some(value);
        }
        if !path.contains('.') {
            return None;
        }
        members.iter().find_map(|(key, value)| value.get(path.strip_prefix(key.as_ref())?.strip_prefix('.')?))
    }

    /// The first of these paths at which there is something.
    pub fn any(&self, paths: &[&str]) -> Option<&Tree<'a>> {
        paths.iter().find_map(|path| self.get(path))
    }

    /// A string's text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The elements of a list, or of an object whose keys are all indexes, by these; else nothing.
    pub fn items(&self) -> Vec<(usize, &Tree<'a>)> {
        match self {
            Self::List(items) => items.iter().enumerate().collect(),
            Self::Object(members) => {
                let indexed: Option<Vec<_>> =
                    members.iter().map(|(key, value)| Some((key.parse().ok()?, value))).collect();
                let mut items = indexed.unwrap_or_default();
                items.sort_by_key(|(index, _)| *index);
                items
            }
            _ => vec![],
        }
    }

    /// The text of a value: a string's own, nothing for null, else JSON without blanks.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Null => None,
            Self::Text(text) => Some(text.to_string()),
            other => {
                let mut out = String::new();
                other.write(&mut out);
                Some(out)
            }
        }
    }

    /// The number, also of a string that is one; it is finite.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Scalar(text) | Self::Text(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
            _ => None,
        }
    }

    /// Appends JSON text without blanks.
    pub fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Scalar(text) => out.push_str(text),
            Self::Text(text) => write_string(text, out),
            Self::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index == 0 { "" } else { "," });
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (index, (key, value)) in members.iter().enumerate() {
                    out.push_str(if index == 0 { "" } else { "," });
                    write_string(key, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }

    /// The same value, with text of its own.
    pub fn into_owned(self) -> Tree<'static> {
        let owned = |text: Cow<'a, str>| Cow::Owned(text.into_owned());
        match self {
            Self::Null => Tree::Null,
            Self::Scalar(text) => Tree::Scalar(owned(text)),
            Self::Text(text) => Tree::Text(owned(text)),
            Self::List(items) => Tree::List(items.into_iter().map(Tree::into_owned).collect()),
            Self::Object(members) => {
                Tree::Object(members.into_iter().map(|(key, value)| (owned(key), value.into_owned())).collect())
            }
        }
    }

    /// Sets the value at a dotted path of an object, each part a key; something that is no object gives way.
    pub fn set(&mut self, path: &'a str, value: Tree<'a>) {
        let mut place = self;
        for part in path.splitn(KEY_LEVELS, '.') {
            if !matches!(place, Self::Object(_)) {
                *place = Self::Object(vec![]);
            }
            let Self::Object(members) = place else { return };
            let at = members.iter().rposition(|(key, _)| key == part).unwrap_or_else(|| {
                members.push((Cow::Borrowed(part), Self::Null));
                members.len() - 1
            });
            place = &mut members[at].1;
        }
        if !matches!(place, Self::Object(_)) {
            *place = value;
        }
    }
}

fn read<'a>(scanner: &mut Scanner<'a>, room: usize) -> Result<Tree<'a>, JsonError> {
    let inside = || room.checked_sub(1).ok_or(());
    match scanner.byte() {
        Some(b'[') => {
            let room = inside().map_err(|()| scanner.error("nested too deep"))?;
            scanner.eat(b'[');
            scanner.blanks();
            let mut items = vec![];
            while !scanner.eat(b']') {
                if !items.is_empty() {
                    scanner.expect(b',', "expected ',' or ']'")?;
                    scanner.blanks();
                }
                items.push(read(scanner, room)?);
                scanner.blanks();
            }
            Ok(Tree::List(items))
        }
        Some(b'{') => {
            let room = inside().map_err(|()| scanner.error("nested too deep"))?;
            scanner.eat(b'{');
            scanner.blanks();
            let mut members = vec![];
            while !scanner.eat(b'}') {
                if !members.is_empty() {
                    scanner.expect(b',', "expected ',' or '}'")?;
                    scanner.blanks();
                }
                let key = plain(scanner.key()?);
                members.push((key, read(scanner, room)?));
                scanner.blanks();
            }
            Ok(Tree::Object(members))
        }
        _ => {
            let value = scanner.value(0)?;
            Ok(match value {
                Value::Null => Tree::Null,
                Value::Bool(flag) => Tree::Scalar(Cow::Borrowed(if flag { "true" } else { "false" })),
                Value::Number(number) => Tree::Scalar(Cow::Borrowed(number)),
                Value::Text(_) | Value::Escaped(_) | Value::Nested(_) => Tree::Text(plain(value)),
            })
        }
    }
}

fn plain(value: Value<'_>) -> Cow<'_, str> {
    match value {
        Value::Text(text) | Value::Number(text) | Value::Nested(text) => Cow::Borrowed(text),
        Value::Escaped(body) => Cow::Owned(unescaped(body)),
        Value::Null => Cow::Borrowed("null"),
        Value::Bool(flag) => Cow::Borrowed(if flag { "true" } else { "false" }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dotted_and_nested_keys_are_the_same() {
        for json in [r#"{"a.b.c": 1.50}"#, r#"{"a": {"b.c": 1.50}}"#, r#"{"x": 1, "a.b": {"c": 1.50}, "a": 2}"#] {
            assert_eq!(Tree::parse(json).unwrap().get("a.b.c").and_then(Tree::text).as_deref(), Some("1.50"), "{json}");
        }
        let tree = Tree::parse(r#"{"a": null, "b": []}"#).unwrap();
        assert_eq!((tree.get("a"), tree.get("b.c"), tree.get("")), (None, None, None));
    }

    #[test]
    fn flat_keys_become_a_tree() {
        let mut tree = Tree::Null;
        for (path, value) in [("10.role", "b"), ("2.parts.0.text", "a"), ("2", "gone"), ("2.parts.0", "gone")] {
            tree.set(path, Tree::Text(value.into()));
        }
        let items: Vec<_> = tree.items().into_iter().map(|(index, item)| (index, item.text().unwrap())).collect();
        assert_eq!(items, [(2, r#"{"parts":{"0":{"text":"a"}}}"#.to_owned()), (10, r#"{"role":"b"}"#.to_owned())]);
        let deep = "a.".repeat(100_000);
        tree.set(&deep, Tree::Null);
        let mut out = String::new();
        tree.write(&mut out);
    }

    #[test]
    fn numbers_are_read_from_texts_too() {
        let tree = Tree::parse(r#"[1.5, " -2e1 ", "x", true, null, "1e999", "NaN", [3]]"#).unwrap();
        let numbers: Vec<_> = tree.items().into_iter().map(|(_, item)| item.number()).collect();
        assert_eq!(numbers, [Some(1.5), Some(-20.0), None, None, None, None, None, None]);
    }

    #[test]
    fn depth_is_limited() {
        let list = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Tree::parse(&list(MAX_DEPTH)).is_some());
        assert!(Tree::parse(&list(MAX_DEPTH + 1)).is_none());
        assert!(Tree::parse(&"[".repeat(1_000_000)).is_none());
    }

    proptest! {
        #[test]
        fn reads_what_serde_reads(text in "[\\[\\]{}:,\"\\\\tn0-2a. -]{0,30}") {
            let known = serde_json::from_str::<serde_json::Value>(&text).ok();
            let tree = Tree::parse(&text);
            // A lone surrogate or a number beyond a float is read here only.
            if let Some(known) = known {
                let mut out = String::new();
                tree.unwrap().write(&mut out);
                prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&out).unwrap(), known);
            }
        }
    }
}
