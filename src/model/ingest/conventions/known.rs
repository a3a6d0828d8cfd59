//! The names that fill something.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::fill::Read;
use super::state::{SPAN_EVENTS, SPAN_METADATA};
use super::table::TABLE;

/// Names that fill something, and beginnings of such names.
pub(super) struct Known {
    names: HashSet<&'static str>,
    beginnings: Vec<String>,
}

impl Known {
    /// Whether a name, without the family of its column, is one of them.
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.contains(name) || self.beginnings.iter().any(|beginning| name.starts_with(beginning))
    }
}

pub(super) static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let mut known = Known { names: HashSet::new(), beginnings: vec![] };
    for source in TABLE.iter().flat_map(|fill| fill.sources) {
        match source.read {
            Read::Sum(..) | Read::Filled | Read::MimeType => {}
            _ if matches!(source.name, SPAN_EVENTS | SPAN_METADATA) => {}
            Read::Settings(_) | Read::IndexedMessages | Read::IndexedTools => {
                known.beginnings.push(format!("{}.", source.name));
            }
            Read::Object | Read::ObjectMessages | Read::At(_) | Read::Is(_) => {
                known.names.insert(source.name);
                known.beginnings.push(format!("{}.", source.name));
            }
            Read::Answer(calls) => known.names.extend([source.name, calls]),
            _ => {
                known.names.insert(source.name);
            }
        }
    }
    known.beginnings.sort();
    known.beginnings.dedup();
    known
});
