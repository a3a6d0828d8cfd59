//! What the names in a source mean: for each, the column that its values go to.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::columns::{
    CANONICAL, DERIVED, KIND, METADATA, METADATA_PREFIX, PROJECT, SOURCE, SPAN_ID, START_TIME, TRACE_ID,
};
use crate::json::Value;
use crate::names::{DOTTED_ROOTS, is_open_name};

/// Where the values of a name go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// The canonical column of this index.
    Canonical(usize),
    /// The canonical column of this index, in rows that have no value for it otherwise.
    Fallback(usize),
    /// One key of the metadata object.
    MetadataKey,
    /// The source column, if the value is one of the known words; else an attribute.
    Source,
    /// The open column of that name.
    Open,
    /// Nowhere: the column is computed, or says nothing about the span.
    Drop,
}

/// A name and where its values go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resolved {
    pub(super) target: Target,
    /// The column's name; for a metadata key, the key.
    pub(super) column: String,
    /// Whether a root name was moved under `attributes.`.
    pub(super) moved: bool,
}

impl Resolved {
    /// Whether an object under this name is more names, rather than a value.
    pub(super) fn flattens(&self) -> bool {
        self.target == Target::Open
    }
}

/// Indexes into [`CANONICAL`] of the columns with rules of their own.
#[derive(Debug)]
pub(super) struct Places {
    pub(super) project: usize,
    pub(super) source: usize,
    pub(super) trace_id: usize,
    pub(super) span_id: usize,
    pub(super) kind: usize,
    pub(super) start_time: usize,
    pub(super) metadata: usize,
}

/// Where the columns with rules of their own are.
pub(super) static PLACES: LazyLock<Places> = LazyLock::new(|| {
    let place = |name| CANONICAL.iter().position(|column| column.name == name).unwrap_or_default();
    Places {
        project: place(PROJECT),
        source: place(SOURCE),
        trace_id: place(TRACE_ID),
        span_id: place(SPAN_ID),
        kind: place(KIND),
        start_time: place(START_TIME),
        metadata: place(METADATA),
    }
});

/// Finds where values under this full, dotted name go.
pub(super) fn resolve(name: &str) -> Resolved {
    let kept = |target| Resolved { target, column: name.to_owned(), moved: false };
    let places = &*PLACES;
    match name {
        SOURCE => return kept(Target::Source),
        "time" => return kept(Target::Fallback(places.start_time)),
        "span_kind" => return kept(Target::Fallback(places.kind)),
        "trace_id" => return kept(Target::Fallback(places.trace_id)),
        "span_id" => return kept(Target::Fallback(places.span_id)),
        "index" | "tree" => return kept(Target::Drop),
        _ => {}
    }
    if name.starts_with("tree.") || DERIVED.contains(&name) {
        return kept(Target::Drop);
    }
    if let Some(index) = CANONICAL.iter().position(|column| column.name == name) {
        return kept(Target::Canonical(index));
    }
    if let Some(key) = name.strip_prefix(METADATA_PREFIX) {
        return Resolved { target: Target::MetadataKey, column: key.to_owned(), moved: false };
    }
    if is_open_name(name) {
        return kept(Target::Open);
    }
    // A column needs a name of at least one character below its family.
    let below = if name.is_empty() { "_" } else { name };
    Resolved { moved: true, ..resolve(&format!("attributes.{below}")) }
}

/// Whether what stands in the place of a kind says that there is none: so does Phoenix in its exports.
pub(super) fn is_no_kind(value: Value<'_>) -> bool {
    matches!(value, Value::Text(text) if text.eq_ignore_ascii_case("UNKNOWN"))
}

/// Whether this name is a family of columns, under which an empty object says nothing.
pub(super) fn is_family(name: &str) -> bool {
    DOTTED_ROOTS.contains(&name)
}

/// One key at one place in the objects of a source.
#[derive(Debug)]
pub(super) struct Node {
    key: Box<str>,
    parent: u32,
    /// The full dotted name.
    pub(super) name: String,
    pub(super) resolved: Resolved,
    /// The open column it feeds, once it has fed one.
    pub(super) open: Option<u32>,
    /// The last row in which the key occurred, and how many cells of that row came before it.
    pub(super) seen: (u64, usize),
    children: HashMap<Box<str>, u32>,
    /// The child that came first the last time, and the sibling that came next: objects of one source tend to
    /// repeat their order of keys, and comparing with a guess is cheaper than hashing.
    first: u32,
    next: u32,
}

/// The keys met so far, as a tree whose root stands for a whole row.
#[derive(Debug)]
pub(super) struct Keys {
    nodes: Vec<Node>,
}

/// The node of a whole row.
pub(super) const ROOT: u32 = 0;

impl Keys {
    pub(super) fn new() -> Self {
        let resolved = Resolved { target: Target::Open, column: String::new(), moved: false };
        Self { nodes: vec![Self::node("", ROOT, String::new(), resolved)] }
    }

    fn node(key: &str, parent: u32, name: String, resolved: Resolved) -> Node {
        let children = HashMap::new();
        Node { key: key.into(), parent, name, resolved, open: None, seen: (0, 0), children, first: ROOT, next: ROOT }
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn get(&self, node: u32) -> &Node {
        &self.nodes[node as usize]
    }

    pub(super) fn get_mut(&mut self, node: u32) -> &mut Node {
        &mut self.nodes[node as usize]
    }

    /// The node of `key` below `parent`, where it follows the sibling `previous` (or [`ROOT`] for none).
    pub(super) fn child(&mut self, parent: u32, previous: u32, key: &str) -> u32 {
        let guess = if previous == ROOT { self.get(parent).first } else { self.get(previous).next };
        if guess != ROOT && &*self.get(guess).key == key {
            return guess;
        }
        let child = match self.get(parent).children.get(key) {
            Some(child) => *child,
            None => self.add(parent, key),
        };
        if previous == ROOT {
            self.get_mut(parent).first = child;
        } else {
            self.get_mut(previous).next = child;
        }
        child
    }

    fn add(&mut self, parent: u32, key: &str) -> u32 {
        let above = &self.get(parent).name;
        let name = if parent == ROOT { key.to_owned() } else { format!("{above}.{key}") };
        let resolved = resolve(&name);
        let child = self.nodes.len() as u32;
        self.nodes.push(Self::node(key, parent, name, resolved));
        self.get_mut(parent).children.insert(key.into(), child);
        child
    }

    /// The root name that `node` belongs to.
    pub(super) fn root_name(&self, mut node: u32) -> &str {
        while self.get(node).parent != ROOT {
            node = self.get(node).parent;
        }
        &self.get(node).key
    }

    /// Whether `node`, or an object around it, occurred again in `row` after its cell number `cell`.
    pub(super) fn is_replaced(&self, mut node: u32, row: u64, cell: usize) -> bool {
        while node != ROOT {
            let Node { seen, parent, .. } = self.get(node);
            if seen.0 == row && seen.1 > cell {
                return true;
            }
            node = *parent;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_where_they_belong() {
        let canonical = |name| Target::Canonical(CANONICAL.iter().position(|c| c.name == name).unwrap());
        for (name, target, column, moved) in [
            ("context.trace_id", canonical("context.trace_id"), "context.trace_id", false),
            ("attributes.metadata", canonical("attributes.metadata"), "attributes.metadata", false),
            ("attributes.metadata.a.b", Target::MetadataKey, "a.b", false),
            ("metadata", canonical("attributes.metadata"), "attributes.metadata", true),
            ("attributes.x", Target::Open, "attributes.x", false),
            ("attributes.", Target::Open, "attributes.attributes.", true),
            ("", Target::Open, "attributes._", true),
            ("eval.Q.score", Target::Open, "eval.Q.score", false),
            ("foo.bar", Target::Open, "attributes.foo.bar", true),
            ("llm.model_name", canonical("attributes.llm.model_name"), "attributes.llm.model_name", true),
            ("latency_ms", Target::Drop, "latency_ms", false),
            ("event.attributes", Target::Drop, "event.attributes", false),
            ("tree.depth", Target::Drop, "tree.depth", false),
            ("index", Target::Drop, "index", false),
            ("source", Target::Source, "source", false),
            ("time", Target::Fallback(PLACES.start_time), "time", false),
        ] {
            assert_eq!(resolve(name), Resolved { target, column: column.to_owned(), moved }, "{name}");
        }
    }

    #[test]
    fn every_place_is_its_own() {
        let Places { project, source, trace_id, span_id, kind, start_time, metadata } = &*PLACES;
        let names = [*project, *source, *trace_id, *span_id, *kind, *start_time, *metadata].map(|i| CANONICAL[i].name);
        assert_eq!(names, [PROJECT, SOURCE, TRACE_ID, SPAN_ID, KIND, START_TIME, METADATA]);
    }

    #[test]
    fn keys_are_found_again_in_any_order() {
        let mut keys = Keys::new();
        let a = keys.child(ROOT, ROOT, "a");
        let b = keys.child(ROOT, a, "b");
        let below = keys.child(b, ROOT, "a");
        assert_eq!(keys.get(below).name, "b.a");
        assert_eq!(keys.root_name(below), "b");
        assert_eq!(keys.child(ROOT, ROOT, "b"), b);
        assert_eq!(keys.child(ROOT, b, "a"), a);
        assert_eq!(keys.child(ROOT, a, "b"), b);
        assert_eq!(keys.child(b, ROOT, "a"), below);
        assert_eq!(keys.len(), 4);
    }
}
