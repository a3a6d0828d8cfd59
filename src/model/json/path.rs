//! One value inside JSON text, by a dotted path.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::{MAX_DEPTH, Scanner, Tree, Value, read, unescaped, write_compact};

/// The text of the value that a dotted path leads to: a string's own, of a number or a boolean what is written there,
/// of a list or an object its canonical JSON text.
///
/// Parts of the path may be joined in a key, the longest key first: `{"a.b": {"c": 1}}` and `{"a": {"b.c": 1}}` both
/// have `a.b.c`. A part that is a number is an element of a list, counted from 0. A string that holds a list or an
/// object is read on as what it holds. Of a key that is there twice the last value counts, as everywhere.
///
/// Nothing where the text is no JSON, and where nothing or null is at the path.
pub fn text_at(json: &str, path: &str) -> Option<String> {
    text_in(read(json)?, path)
}

/// The text of the value that a dotted path leads to in this value: see [`text_at`].
pub fn text_in(value: Value<'_>, path: &str) -> Option<String> {
    at(value, Some(path))
}

/// The text of what is at the rest of a path; of the value itself where nothing of the path is left.
fn at(value: Value<'_>, path: Option<&str>) -> Option<String> {
    let Some(path) = path else { return text_of(value) };
    match value {
        Value::Nested(json) if json.starts_with('[') => element(json, path),
        Value::Nested(json) => member(json, path),
        Value::Text(held) => within_string(held, path),
        Value::Escaped(body) => within_string(&unescaped(body), path),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn within_string(held: &str, path: &str) -> Option<String> {
    // A cheap look: most strings hold plain text.
    held.trim_start().starts_with(['{', '[']).then(|| text_at(held, path))?
}

fn member(object: &str, path: &str) -> Option<String> {
    let mut found: Vec<(usize, Value<'_>)> = vec![];
    let mut scanner = Scanner::new(object);
    scanner.eat(b'{');
    scanner.blanks();
    while !scanner.eat(b'}') {
        let key = match scanner.key().ok()? {
            Value::Escaped(body) => Cow::Owned(unescaped(body)),
            Value::Text(text) => Cow::Borrowed(text),
            _ => return None,
        };
        let value = scanner.value(MAX_DEPTH).ok()?;
        if path.strip_prefix(key.as_ref()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) {
            found.retain(|(length, _)| *length != key.len());
            found.push((key.len(), value));
        }
        scanner.blanks();
        scanner.eat(b',');
        scanner.blanks();
    }
    found.sort_unstable_by_key(|(length, _)| std::cmp::Reverse(*length));
    // Behind a key stands a dot, or the path ends with it.
    found.into_iter().find_map(|(length, value)| at(value, path.get(length + 1..)))
}

fn element(list: &str, path: &str) -> Option<String> {
    let (index, rest) = path.split_once('.').map_or((path, None), |(index, rest)| (index, Some(rest)));
    // `+1` is a number to others.
    let mut left = index.bytes().all(|byte| byte.is_ascii_digit()).then(|| index.parse::<usize>().ok())??;
    let mut scanner = Scanner::new(list);
    scanner.eat(b'[');
    scanner.blanks();
    while !scanner.eat(b']') {
        let value = scanner.value(MAX_DEPTH).ok()?;
        if left == 0 {
            return at(value, rest);
        }
        left -= 1;
        scanner.blanks();
        scanner.eat(b',');
        scanner.blanks();
    }
    None
}

/// The text of a value as [`text_at`] gives it.
pub fn text_of(value: Value<'_>) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(text) | Value::Text(text) => Some(text.to_owned()),
        Value::Escaped(body) => Some(unescaped(body)),
        Value::Nested(json) => {
            let mut out = String::with_capacity(json.len());
            write_compact(json, false, &mut out).then_some(out)
        }
    }
}

/// Adds the paths of the members of objects in JSON text, each behind a prefix; not beyond so many. Elements of lists
/// have none.
pub fn add_paths(json: &str, prefix: &str, most: usize, paths: &mut BTreeSet<String>) {
    if let Some(tree) = Tree::parse(json) {
        add_members(&tree, prefix, most, paths);
    }
}

fn add_members(tree: &Tree<'_>, prefix: &str, most: usize, paths: &mut BTreeSet<String>) {
    let Tree::Object(members) = tree else { return };
    for (key, value) in members.iter().filter(|(key, _)| !key.is_empty()) {
        if paths.len() >= most {
            return;
        }
        let path = format!("{prefix}.{key}");
        add_members(value, &path, most, paths);
        paths.insert(path);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value as Json;

    use super::*;

    #[test]
    fn where_paths_lead() {
        let json = r#" {"s": "plain", "e": "a\"\u00e9\n", "n": 1.50, "big": 12345678901234567890123, "exp": 1E+2,
            "t": true, "f": false, "null": null, "nan": NaN, "empty": "",
            "o": {"a": 1, "b": { "c" : [ 1, {"d": "x"} ,"y" ] } }, "l": [ "x" , [1, 2],null, {"k": 5}],
            "a.b": {"c": "joined"}, "a": {"b": {"c": "hidden", "d": "nested"}, "b.e": "half"},
            "x.y": null, "x": {"y": "behind a null"}, "d.d": {"z": 1}, "d": {"d": {"w": 2}},
            "\u006bey": {"\u00e9": "escaped"}, "twice": 1, "twice": {"v": 2},
            "string": "{\"in\": {\"deep\": [7]}}", "no": "{broken", "": {"": "blank"}} "#;
        for (path, text) in [
            ("s", Some("plain")),
            ("e", Some("a\"é\n")),
            ("n", Some("1.50")),
            ("big", Some("12345678901234567890123")),
            ("exp", Some("1E+2")),
            ("t", Some("true")),
            ("f", Some("false")),
            ("null", None),
            ("nan", None),
            ("empty", Some("")),
            ("o", Some(r#"{"a": 1,"b": { "c" : [ 1, {"d": "x"} ,"y" ] }}"#)),
            ("o.b.c", Some(r#"[1,{"d": "x"},"y"]"#)),
            ("o.b.c.1.d", Some("x")),
            ("o.b.c.01.d", Some("x")),
            ("o.b.c.+1.d", None),
            ("o.b.c.-1", None),
            ("o.b.c.3", None),
            ("o.b.c.x", None),
            ("o.b.c.99999999999999999999", None),
            ("l.1.1", Some("2")),
            ("l.2", None),
            ("l.3.k", Some("5")),
            ("l.3.k.z", None),
            ("s.x", None),
            ("s.0", None),
            ("a.b.c", Some("joined")),
            ("a.b.d", Some("nested")),
            ("a.b.e", Some("half")),
            ("a.b", Some(r#"{"c": "joined"}"#)),
            ("x.y", Some("behind a null")),
            ("d.d.z", Some("1")),
            ("d.d.w", Some("2")),
            ("key.é", Some("escaped")),
            ("twice", Some(r#"{"v": 2}"#)),
            ("twice.v", Some("2")),
            ("string", Some(r#"{"in": {"deep": [7]}}"#)),
            ("string.in.deep.0", Some("7")),
            ("no", Some("{broken")),
            ("no.broken", None),
            (".", Some("blank")),
            ("o.", None),
            ("", Some(r#"{"": "blank"}"#)),
            ("S", None),
            ("missing.key", None),
        ] {
            assert_eq!(text_at(json, path).as_deref(), text, "{path}");
        }
    }

    #[test]
    fn other_text_has_nothing() {
        for text in ["", "plain", "5", "null", "true", "[]", "{", r#"{"a":1"#, r#"{"a":1}x"#, r#"{"a":1,}"#, "{'a':1}"]
        {
            assert_eq!(text_at(text, "a"), None, "{text}");
        }
        assert_eq!(text_at(r#"{"a": 1, "b": }"#, "a"), None, "broken behind what is asked for");
        assert_eq!(text_at("[[1], [2]]", "1.0").as_deref(), Some("2"));
        assert_eq!(text_at(r#""{\"a\": 1}""#, "a").as_deref(), Some("1"));
    }

    #[test]
    fn paths_of_members() {
        let mut paths = BTreeSet::new();
        add_paths(r#"{"a": {"b": 1, "c.d": [{"e": 1}]}, "": {"x": 1}, "n": null}"#, "m", 9, &mut paths);
        add_paths("{broken", "m", 9, &mut paths);
        assert_eq!(paths.iter().map(String::as_str).collect::<Vec<_>>(), ["m.a", "m.a.b", "m.a.c.d", "m.n"]);
        add_paths(r#"{"z": 1}"#, "m", 4, &mut paths);
        assert_eq!(paths.len(), 4);
    }

    #[test]
    fn depth_is_no_trouble() {
        let deep = |levels| format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
        let path = |levels| vec!["a"; levels].join(".");
        assert_eq!(text_at(&deep(MAX_DEPTH), &path(MAX_DEPTH)).as_deref(), Some("1"));
        assert_eq!(text_at(&deep(MAX_DEPTH + 1), &path(MAX_DEPTH + 1)), None);
        assert_eq!(text_at(&"[".repeat(1_000_000), "0"), None);
        assert_eq!(text_at(&deep(20), &path(200_000)), None);
    }

    /// Objects whose keys have dots, or are numbers, and lists.
    fn json() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![Just(Json::Null), any::<bool>().prop_map(Json::from), (0..9).prop_map(Json::from)];
        leaf.prop_recursive(4, 24, 4, |inner| {
            let key = proptest::sample::select(vec!["a", "b", "a.b", "b.a", "a.a", "0", "1", "0.a"]);
            prop_oneof![
                3 => prop::collection::btree_map(key.prop_map(str::to_owned), inner.clone(), 0..4)
                    .prop_map(|members| Json::Object(members.into_iter().collect())),
                1 => prop::collection::vec(inner, 0..3).prop_map(Json::Array),
            ]
        })
    }

    /// The values at a path by every way of joining its parts, those through longer keys first.
    fn naive<'a>(value: &'a Json, parts: &[&str]) -> Vec<&'a Json> {
        match value {
            _ if parts.is_empty() => vec![value],
            Json::Array(list) => {
                let element = parts[0].parse::<usize>().ok().and_then(|index| list.get(index));
                element.map(|element| naive(element, &parts[1..])).unwrap_or_default()
            }
            Json::Object(members) => (1..=parts.len())
                .rev()
                .filter_map(|length| Some((length, members.get(&parts[..length].join("."))?)))
                .flat_map(|(length, member)| naive(member, &parts[length..]))
                .collect(),
            _ => vec![],
        }
    }

    proptest! {
        #[test]
        fn finds_what_every_split_of_the_path_finds(
            json in json(),
            parts in prop::collection::vec(proptest::sample::select(vec!["a", "b", "0", "1"]), 1..6),
        ) {
            let found = naive(&json, &parts).into_iter().find(|value| !value.is_null()).map(Json::to_string);
            prop_assert_eq!(text_at(&json.to_string(), &parts.join(".")), found, "{} {:?}", json, parts);
        }

        #[test]
        fn any_text_and_any_path(text in "[\\[\\]{}:,\"\\\\tn0-2a. -]{0,30}", path in "[a0.]{0,8}") {
            let _ = text_at(&text, &path);
        }
    }
}
