//! Attributes with indexes in their names, put back into the lists and objects that they are the parts of.
//!
//! The server takes lists of objects apart: `llm.input_messages.0.message.role` is what it gives of the first message. The
//! lists come back in the form of an Arize export, where the objects have flat names (`message.role`); objects come back
//! nested, as they were.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use spanql_model::columns::{CANONICAL, Content, EVENT_ATTRIBUTES, EVENTS};
use spanql_model::json::{Member, Value, write_string};

const ATTRIBUTES: &str = "attributes.";
/// The part of a name below which an object has what names it likes.
const METADATA: &str = "metadata";
/// A name of more parts stays as it is.
const MAX_PARTS: usize = 32;

/// A column that is put together.
struct Whole {
    /// Its name among the attributes.
    name: &'static str,
    list: bool,
}

static WHOLES: LazyLock<Vec<Whole>> = LazyLock::new(|| {
    let lists = CANONICAL.iter().filter(|column| ![EVENTS, EVENT_ATTRIBUTES].contains(&column.name));
    let whole = |column: &'static spanql_model::columns::Column| {
        let name = column.name.strip_prefix(ATTRIBUTES)?;
        (column.content != Content::Scalar).then_some(Whole { name, list: column.content == Content::JsonList })
    };
    lists.filter_map(whole).collect()
});

/// A place in what is put together: an index, or a name.
type Key = (Option<u32>, String);

#[derive(Debug)]
enum Node<'a> {
    Value(Value<'a>),
    Parts(Parts<'a>),
}

/// The members of an object, or the elements of a list, by their order.
type Parts<'a> = BTreeMap<Key, Node<'a>>;

/// Appends attributes as members of a row, each with a comma before it unless it is the first.
///
/// What is not put together stays as it is; a column that came whole is not touched.
pub(crate) fn write_attributes(attributes: &[Member<'_>], out: &mut String) {
    let mut folded: BTreeMap<&'static str, Parts<'_>> = BTreeMap::new();
    for member in attributes {
        if let Some((whole, path)) = part_of(&member.key, attributes) {
            insert(folded.entry(whole).or_default(), &path, member.value);
            continue;
        }
        begin(&format!("{ATTRIBUTES}{}", member.key), out);
        out.push_str(&member.value.written());
    }
    for (name, parts) in &folded {
        begin(&format!("{ATTRIBUTES}{name}"), out);
        write(parts, out);
    }
}

/// Appends the name of a member.
pub(super) fn begin(name: &str, out: &mut String) {
    if !out.ends_with('{') {
        out.push(',');
    }
    write_string(name, out);
    out.push(':');
}

/// What an attribute is a part of, and the way to it.
fn part_of(name: &str, attributes: &[Member<'_>]) -> Option<(&'static str, Vec<Key>)> {
    let below = |whole: &Whole| name.strip_prefix(whole.name)?.strip_prefix('.').map(str::to_owned);
    let (whole, rest) = WHOLES.iter().find_map(|whole| Some((whole, below(whole)?)))?;
    let is_whole = |member: &Member<'_>| member.key == whole.name && member.value != Value::Null;
    if attributes.iter().any(is_whole) {
        return None;
    }
    let parts: Vec<&str> = rest.split('.').collect();
    if parts.len() > MAX_PARTS {
        return None;
    }
    let path = path(&parts, whole.list);
    // Single values of a list are not told apart from names that are numbers.
    let fits = !whole.list || (path.len() > 1 && path.first().is_some_and(|(index, _)| index.is_some()));
    fits.then_some((whole.name, path))
}

/// An index: a number, with something behind it.
fn index(part: &str) -> Option<u32> {
    let plain = !part.starts_with('0') || part == "0";
    part.parse().ok().filter(|_| plain && part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The way through lists and objects. With flat names, what lies between two indexes is one name.
fn path(parts: &[&str], flat: bool) -> Vec<Key> {
    let (mut path, mut name, mut nested) = (vec![], None::<String>, !flat);
    for (at, part) in parts.iter().enumerate() {
        let index = index(part).filter(|_| at + 1 < parts.len());
        if index.is_some() {
            path.extend(name.take().map(|name| (None, name)));
            path.push((index, (*part).to_owned()));
        } else if nested {
            path.push((None, (*part).to_owned()));
        } else {
            name = Some(match name {
                Some(name) => format!("{name}.{part}"),
                None => (*part).to_owned(),
            });
            if *part == METADATA {
                path.extend(name.take().map(|name| (None, name)));
                nested = true;
            }
        }
    }
    path.extend(name.map(|name| (None, name)));
    path
}

fn insert<'a>(parts: &mut Parts<'a>, path: &[Key], value: Value<'a>) {
    let Some((key, rest)) = path.split_first() else { return };
    match parts.get_mut(key) {
        // Both a value and what holds others: neither is lost.
        Some(Node::Parts(inner)) if rest.is_empty() => {
            inner.insert((None, String::new()), Node::Value(value));
        }
        Some(Node::Parts(inner)) => insert(inner, rest, value),
        Some(Node::Value(_)) if !rest.is_empty() => {
            let name: Vec<&str> = path.iter().map(|(_, name)| name.as_str()).collect();
            parts.insert((None, name.join(".")), Node::Value(value));
        }
        _ if rest.is_empty() => {
            parts.insert(key.clone(), Node::Value(value));
        }
        _ => {
            let mut inner = Parts::new();
            insert(&mut inner, rest, value);
            parts.insert(key.clone(), Node::Parts(inner));
        }
    }
}

/// Appends an object, or a list where all places are indexes.
fn write(parts: &Parts<'_>, out: &mut String) {
    let list = parts.keys().all(|(index, _)| index.is_some());
    out.push(if list { '[' } else { '{' });
    for (at, ((_, name), node)) in parts.iter().enumerate() {
        if list {
            if at > 0 {
                out.push(',');
            }
        } else {
            begin(name, out);
        }
        match node {
            Node::Value(value) => out.push_str(&value.written()),
            Node::Parts(inner) => write(inner, out),
        }
    }
    out.push(if list { ']' } else { '}' });
}

#[cfg(test)]
mod tests {
    use spanql_model::json::members;

    use super::write_attributes;

    fn written(attributes: &str) -> String {
        let mut out = "{".to_owned();
        write_attributes(&members(attributes).unwrap(), &mut out);
        out + "}"
    }

    #[test]
    fn lists_are_put_together() {
        let messages = r#"{
            "llm.input_messages.1.message.content": "b", "llm.input_messages.0.message.role": "user",
            "llm.input_messages.10.message.role": "x", "llm.input_messages.2.message.role": "y",
            "llm.input_messages.0.message.tool_calls.0.tool_call.function.name": "f",
            "llm.input_messages.0.message.tool_calls.1.tool_call.id": 1.50, "session.id": "s"}"#;
        assert_eq!(
            written(messages),
            concat!(
                r#"{"attributes.session.id":"s","attributes.llm.input_messages":[{"message.role":"user","#,
                r#""message.tool_calls":[{"tool_call.function.name":"f"},{"tool_call.id":1.50}]},"#,
                r#"{"message.content":"b"},{"message.role":"y"},{"message.role":"x"}]}"#
            )
        );
        let documents = r#"{"retrieval.documents.0.document.metadata.page.no": 3,
            "retrieval.documents.0.document.content": "c"}"#;
        assert_eq!(
            written(documents),
            r#"{"attributes.retrieval.documents":[{"document.content":"c","document.metadata":{"page":{"no":3}}}]}"#
        );
    }

    #[test]
    fn objects_are_nested_again() {
        assert_eq!(
            written(r#"{"metadata.2024": 5, "metadata.x.y.0.a": 1, "metadata.x.y.1.a": 2}"#),
            r#"{"attributes.metadata":{"2024":5,"x":{"y":[{"a":1},{"a":2}]}}}"#
        );
        assert_eq!(
            written(r#"{"tool.parameters.q": "x", "tool.name": "t"}"#),
            r#"{"attributes.tool.name":"t","attributes.tool.parameters":{"q":"x"}}"#
        );
    }

    #[test]
    fn what_is_no_part_stays() {
        for (given, want) in [
            (r#"{"llm.tools.0": 5}"#, r#"{"attributes.llm.tools.0":5}"#),
            (
                r#"{"llm.tools": "[]", "llm.tools.0.a": 5}"#,
                r#"{"attributes.llm.tools":"[]","attributes.llm.tools.0.a":5}"#,
            ),
            (r#"{"metadata": "{}", "metadata.a": 5}"#, r#"{"attributes.metadata":"{}","attributes.metadata.a":5}"#),
            (
                r#"{"other.0.a": 5, "llm.toolset.0.a": 1}"#,
                r#"{"attributes.other.0.a":5,"attributes.llm.toolset.0.a":1}"#,
            ),
            (r#"{"metadata.a": 1, "metadata.a.b": 2}"#, r#"{"attributes.metadata":{"a":1,"a.b":2}}"#),
            (r#"{"metadata.a.b": 2, "metadata.a": 1}"#, r#"{"attributes.metadata":{"a":{"":1,"b":2}}}"#),
        ] {
            assert_eq!(written(given), want);
        }
        let long = format!(r#"{{"metadata{}":1}}"#, ".a".repeat(100_000));
        assert!(written(&long).starts_with(r#"{"attributes.metadata.a.a"#));
    }
}
