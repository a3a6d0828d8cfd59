//! Paths into JSON text, as the keys of OQL's dictionary columns write them.

use crate::MAX_LEVELS;
use spanql_model::json::{Value, elements, members, read, unescaped};

/// One step down.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
    /// The first element below which the rest of the path leads to a value.
    Any,
}

/// A way to one value in JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path {
    steps: Vec<Step>,
    /// The key as it was written, where keys on the path might also hold dots.
    flat: Option<String>,
}

impl Path {
    /// Reads a key of a dictionary column.
    ///
    /// A key that begins with `$`, `[` or `.`, or has `[0]`, `[*]` or `['k']` in it, is a JSON path. Any other is a path
    /// of keys between dots, or else of keys that hold some of them.
    ///
    /// # Errors
    /// In words, when a JSON path is none or goes too deep.
    pub(super) fn read(key: &str) -> Result<Self, String> {
        let is_path = key.starts_with(['$', '[', '.']);
        let path = match json_path(key.strip_prefix('$').unwrap_or(key)) {
            Some(steps) if is_path || key.contains('[') => Self { steps, flat: None },
            None if is_path => return Err(format!("{key} is no JSON path")),
            _ => {
                let steps: Vec<Step> = key.split('.').map(|part| Step::Key(part.to_owned())).collect();
                Self { flat: (steps.len() > 1).then(|| key.to_owned()), steps }
            }
        };
        if path.steps.len() > MAX_LEVELS {
            return Err(format!("a path has at most {MAX_LEVELS} steps"));
        }
        Ok(path)
    }

    /// The text of the value that the path leads to: a string's own, of a number or a boolean what is written there.
    ///
    /// Nothing where the text is no JSON, has nothing at the path, or has null, a list or an object there.
    pub(super) fn text(&self, json: &str) -> Option<String> {
        let value = read(json)?;
        let nested = find(value, &self.steps).and_then(scalar_text);
        nested.or_else(|| joined(value, self.flat.as_deref()?))
    }
}

/// The steps of a JSON path behind its `$`.
fn json_path(path: &str) -> Option<Vec<Step>> {
    let mut steps = vec![];
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(bracket) = rest.strip_prefix('[') {
            let (step, behind) = bracketed(bracket)?;
            steps.push(step);
            rest = behind;
            continue;
        }
        rest = rest.strip_prefix('.').unwrap_or(rest);
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        if end == 0 {
            return None;
        }
        steps.push(Step::Key(rest[..end].to_owned()));
        rest = &rest[end..];
    }
    Some(steps)
}

/// The step in brackets, and what is behind them.
fn bracketed(text: &str) -> Option<(Step, &str)> {
    if let Some(quote) = text.chars().next().filter(|c| matches!(c, '\'' | '"')) {
        let (key, behind) = text[1..].split_once(quote)?;
        return Some((Step::Key(key.to_owned()), behind.strip_prefix(']')?));
    }
    let (inside, behind) = text.split_once(']')?;
    let step = if inside == "*" { Step::Any } else { Step::Index(inside.parse().ok()?) };
    Some((step, behind))
}

fn find<'a>(value: Value<'a>, steps: &[Step]) -> Option<Value<'a>> {
    match steps.split_first() {
        None => Some(value),
        Some((Step::Key(key), rest)) => find(member(value, key)?, rest),
        Some((Step::Index(index), rest)) => find(*elements(nested(value)?)?.get(*index)?, rest),
        Some((Step::Any, rest)) => elements(nested(value)?)?.into_iter().find_map(|element| find(element, rest)),
    }
}

/// The scalar at a path whose keys may hold dots themselves, the longest key first.
fn joined(value: Value<'_>, path: &str) -> Option<String> {
    let whole = member(value, path).and_then(scalar_text);
    let mut dots = path.rmatch_indices('.');
    whole.or_else(|| dots.find_map(|(dot, _)| joined(member(value, &path[..dot])?, &path[dot + 1..])))
}

fn nested(value: Value<'_>) -> Option<&str> {
    match value {
        Value::Nested(json) => Some(json),
        _ => None,
    }
}

/// The text of a JSON value that is no list, no object and not null.
pub(super) fn scalar_text(value: Value<'_>) -> Option<String> {
    match value {
        Value::Null | Value::Nested(_) => None,
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(text) | Value::Text(text) => Some(text.to_owned()),
        Value::Escaped(body) => Some(unescaped(body)),
    }
}

/// An object's member; the last one where a key repeats.
fn member<'a>(object: Value<'a>, key: &str) -> Option<Value<'a>> {
    members(nested(object)?)?.into_iter().rev().find(|member| member.key == key).map(|member| member.value)
}

#[cfg(test)]
mod tests {
    use super::Path;

    #[test]
    fn where_paths_lead() {
        let json = r#"{"a": {"b": "nested", "list": [{"k": 1}, {"k": "two", "m": true}], "n": null},
            "a.b.c": "flat", "half.way": {"there": "joined"}, "half": {"way": {"near": "nested"}, "way.off": "half"}, "x.y": 5.0, "my-key": "é", "h i": 1e3, "o": {"p": 1}, "quo'te": "q"}"#;
        for (path, text) in [
            ("a.b", Some("nested")),
            ("$.a.b", Some("nested")),
            (".a.b", Some("nested")),
            ("['a'].b", Some("nested")),
            ("$[\"a\"]['b']", Some("nested")),
            ("a.b.c", Some("flat")),
            ("$.a.b.c", None),
            ("half.way.there", Some("joined")),
            ("half.way.near", Some("nested")),
            ("half.way.off", Some("half")),
            ("$.half.way.there", None),
            ("half.way", None),
            ("$['a.b.c']", Some("flat")),
            ("x.y", Some("5.0")),
            ("my-key", Some("é")),
            ("h i", Some("1e3")),
            ("quo'te", Some("q")),
            ("a.list[0].k", Some("1")),
            ("a.list[1].m", Some("true")),
            ("a.list[*].m", Some("true")),
            ("a.list[9].k", None),
            ("a.list.0.k", None),
            ("a.n", None),
            ("a", None),
            ("a.list", None),
            ("o.p.q", None),
            ("missing", None),
        ] {
            assert_eq!(Path::read(path).unwrap().text(json).as_deref(), text, "{path}");
        }
        assert_eq!(Path::read("[1]").unwrap().text("[1, 2]").as_deref(), Some("2"));
        assert_eq!(Path::read("$").unwrap().text("\"x\"").as_deref(), Some("x"));
        for broken in ["", "plain text", "{\"a\": ", "[", "{\"a\":{\"b\":1}} x"] {
            assert_eq!(Path::read("a.b").unwrap().text(broken), None, "{broken}");
        }
    }

    #[test]
    fn what_is_no_path() {
        for path in ["$[", "$.a[x]", "[*", "$..a", ".", "['a", "$['a'b]"] {
            assert!(Path::read(path).is_err(), "{path}");
        }
        // Without a mark of a path, a bracket is a character of a key.
        assert_eq!(Path::read("a[b").unwrap().text(r#"{"a[b": 1}"#).as_deref(), Some("1"));
        assert!(Path::read(&"[*]".repeat(1000)).is_err());
    }

    #[test]
    fn deep_text_is_no_trouble() {
        let deep = "[".repeat(200_000);
        assert_eq!(Path::read("[0][0]").unwrap().text(&deep), None);
        let closed = format!("{{\"a\": {}{}, \"b\": 1}}", deep, "]".repeat(200_000));
        assert_eq!(Path::read("b").unwrap().text(&closed), None, "JSON that nests so deep is not read");
    }
}
