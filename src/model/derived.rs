//! Columns that are computed from the text of another one when they are named.

use super::columns::{CANONICAL, Content, REST, canonical};

/// A list that is computed from a parent list: one value (or several) of each element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DerivedList {
    /// Its name.
    pub name: &'static str,
    /// The canonical list it is computed from.
    pub parent: &'static str,
    /// The path in each element; `*` goes through all elements of a list inside.
    pub path: &'static str,
    /// Whether the values are numbers; else text.
    pub numbers: bool,
}

const fn texts(name: &'static str, parent: &'static str, path: &'static str) -> DerivedList {
    DerivedList { name, parent, path, numbers: false }
}

const fn numbers(name: &'static str, parent: &'static str, path: &'static str) -> DerivedList {
    DerivedList { name, parent, path, numbers: true }
}

/// The lists that are computed from a parent list.
pub const DERIVED_LISTS: [DerivedList; 14] = [
    texts("attributes.llm.input_messages.roles", "attributes.llm.input_messages", "message.role"),
    texts("attributes.llm.input_messages.contents", "attributes.llm.input_messages", "message.content"),
    texts(
        "attributes.llm.input_messages.tool_calls.function.names",
        "attributes.llm.input_messages",
        "message.tool_calls.*.tool_call.function.name",
    ),
    texts(
        "attributes.llm.input_messages.tool_calls.function.arguments",
        "attributes.llm.input_messages",
        "message.tool_calls.*.tool_call.function.arguments",
    ),
    texts("attributes.llm.output_messages.roles", "attributes.llm.output_messages", "message.role"),
    texts("attributes.llm.output_messages.contents", "attributes.llm.output_messages", "message.content"),
    texts(
        "attributes.llm.output_messages.tool_calls.function.names",
        "attributes.llm.output_messages",
        "message.tool_calls.*.tool_call.function.name",
    ),
    texts(
        "attributes.llm.output_messages.tool_calls.function.arguments",
        "attributes.llm.output_messages",
        "message.tool_calls.*.tool_call.function.arguments",
    ),
    texts("attributes.retrieval.documents.ids", "attributes.retrieval.documents", "document.id"),
    numbers("attributes.retrieval.documents.scores", "attributes.retrieval.documents", "document.score"),
    texts("attributes.retrieval.documents.contents", "attributes.retrieval.documents", "document.content"),
    texts("attributes.retrieval.documents.metadatas", "attributes.retrieval.documents", "document.metadata"),
    texts("attributes.embedding.embeddings.texts", "attributes.embedding.embeddings", "embedding.text"),
    texts("attributes.embedding.texts", "attributes.embedding.embeddings", "embedding.text"),
];

/// The derived list of this name.
pub fn derived_list(name: &str) -> Option<&'static DerivedList> {
    DERIVED_LISTS.iter().find(|list| list.name == name)
}

/// Takes `attributes.llm.input_messages.0.message.role` apart into the list's column and the path in it.
pub fn indexed(name: &str) -> Option<(&'static str, &str)> {
    let lists = CANONICAL.iter().filter(|column| column.content == Content::JsonList);
    lists.map(|column| column.name).find_map(|list| {
        let path = name.strip_prefix(list)?.strip_prefix('.')?;
        let index = path.split('.').next()?;
        (!index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit())).then_some((list, path))
    })
}

/// Names of more parts are held by no column: JSON text that nests so deep is not read.
const MAX_PARTS: usize = 256;

/// The columns that may hold the value of a name in their JSON text, where no column has the name itself: each with
/// the path in it, the longest name first.
///
/// Canonical columns are held by none, and canonical lists are read by an index only: see [`indexed`].
pub fn holders(name: &str) -> impl Iterator<Item = (&str, &str)> {
    const FAMILY: &str = "attributes.";
    let parts = name.bytes().filter(|byte| *byte == b'.').take(MAX_PARTS).count() + 1;
    let open = name.starts_with(FAMILY) && parts <= MAX_PARTS && canonical(name).is_none();
    let from = if open { FAMILY.len() } else { name.len() };
    let dots = name[from..].rmatch_indices('.').map(move |(at, _)| from + at);
    let is_list = |column: &str| canonical(column).is_some_and(|known| known.content == Content::JsonList);
    dots.map(|dot| (&name[..dot], &name[dot + 1..])).filter(move |(holder, _)| *holder != REST && !is_list(holder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_are_canonical_lists() {
        for list in DERIVED_LISTS {
            assert_eq!(canonical(list.parent).map(|column| column.content), Some(Content::JsonList), "{}", list.name);
            assert_eq!(derived_list(list.name), Some(&list));
        }
        assert_eq!(derived_list("attributes.llm.input_messages"), None);
    }

    #[test]
    fn index_behind_a_list() {
        assert_eq!(
            indexed("attributes.llm.input_messages.0.message.role"),
            Some(("attributes.llm.input_messages", "0.message.role"))
        );
        assert_eq!(indexed("attributes.llm.input_messages.roles"), None);
        assert_eq!(indexed("attributes.other.0.x"), None);
    }

    #[test]
    fn what_may_hold_a_value() {
        let held = |name| holders(name).collect::<Vec<_>>();
        let deep =
            [("attributes.metadata.a.b", "c"), ("attributes.metadata.a", "b.c"), ("attributes.metadata", "a.b.c")];
        assert_eq!(held("attributes.metadata.a.b.c"), deep);
        assert_eq!(
            held("attributes.input.value.q"),
            [("attributes.input.value", "q"), ("attributes.input", "value.q")]
        );
        assert_eq!(held("attributes.llm.input_messages.role"), [("attributes.llm", "input_messages.role")]);
        assert_eq!(held("attributes.rest.a"), []);
        assert_eq!(holders(&format!("attributes{}", ".a".repeat(255))).count(), 254);
        assert_eq!(holders(&format!("attributes{}", ".a".repeat(256))).count(), 0);
        for name in ["attributes.x", "attributes.llm.model_name", "eval.a.label", "opik.a.b.c", "metadata.a.b", ""] {
            assert_eq!(held(name), [], "{name}");
        }
    }
}
