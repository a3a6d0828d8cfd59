//! What fills a column: for whoever asks a remote for some columns, or for some rows by the values of a column.

use std::collections::{BTreeMap, HashSet};
use std::sync::LazyLock;

use super::KNOWN;
use super::state::{FAMILY, SPAN_EVENTS, SPAN_METADATA};
use super::table::{Read, Source, Spans, TABLE};
use crate::columns::{EVENTS, KIND, METADATA, METADATA_PREFIX, MODEL};

/// The names that may fill a canonical column of a span in which it is null.
#[derive(Debug, Default)]
pub struct Fillers {
    names: HashSet<String>,
    beginnings: HashSet<String>,
}

static FILLERS: LazyLock<BTreeMap<&'static str, Fillers>> =
    LazyLock::new(|| TABLE.iter().map(|fill| (fill.column, Fillers::of(fill.column))).collect());

/// What may fill a canonical column; `None` where nothing does.
pub fn fillers(column: &str) -> Option<&'static Fillers> {
    FILLERS.get(column)
}

/// Whether an open column has a name that fills some canonical column.
pub fn is_filler(name: &str) -> bool {
    name.strip_prefix(FAMILY).is_some_and(|name| KNOWN.has(name))
}

impl Fillers {
    /// Whether a column of this name is one of them, or decides about them.
    pub fn has(&self, name: &str) -> bool {
        self.names.contains(name) || self.beginnings.iter().any(|beginning| name.starts_with(beginning.as_str()))
    }

    fn of(column: &'static str) -> Self {
        let mut fillers = Self::default();
        let (mut open, mut seen) = (vec![column], HashSet::new());
        while let Some(column) = open.pop().filter(|column| seen.insert(*column)) {
            for fill in TABLE.iter().filter(|fill| fill.column == column) {
                match fill.spans {
                    Spans::All => {}
                    Spans::Calls => fillers.decide(&mut open, &[KIND, MODEL]),
                    Spans::NotChains | Spans::Agents | Spans::Tools | Spans::Embeddings => {
                        fillers.decide(&mut open, &[KIND]);
                    }
                }
                for source in fill.sources {
                    fillers.add(source, &mut open);
                }
            }
        }
        fillers
    }

    /// Canonical columns that decide whether another is filled, or that it is filled from.
    fn decide(&mut self, open: &mut Vec<&'static str>, columns: &[&'static str]) {
        self.names.extend(columns.iter().map(|&column| column.to_owned()));
        open.extend(columns);
    }

    fn add(&mut self, source: &Source, open: &mut Vec<&'static str>) {
        match (source.name, source.read) {
            (_, Read::Sum(one, other)) => return self.decide(open, &[one, other]),
            (column, Read::Filled | Read::MimeType) => return self.decide(open, &[column]),
            (SPAN_EVENTS, _) => return drop(self.names.insert(EVENTS.to_owned())),
            (SPAN_METADATA, _) => {
                self.names.insert(METADATA.to_owned());
                self.beginnings.insert(METADATA_PREFIX.to_owned());
                return;
            }
            (_, Read::Chat(other) | Read::Answer(other)) if !other.is_empty() => {
                self.names.insert(format!("{FAMILY}{other}"));
            }
            _ => {}
        }
        self.names.insert(format!("{FAMILY}{}", source.name));
        self.beginnings.insert(format!("{FAMILY}{}.", source.name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::{COST, SESSION_ID, TOTAL_TOKENS};

    #[test]
    fn what_fills_a_column_is_known_by_its_names() {
        for (column, name, want) in [
            (SESSION_ID, "attributes.langfuse.session.id", true),
            (SESSION_ID, "attributes.session.id", false),
            (MODEL, "attributes.gen_ai.request.model", true),
            (MODEL, "attributes.metadata", true),
            (MODEL, "attributes.metadata.ls_model_name", true),
            // Chains have none, and what is a chain may be said under another name.
            (MODEL, KIND, true),
            (MODEL, "attributes.traceloop.span.kind", true),
            (TOTAL_TOKENS, "attributes.gen_ai.usage.input_tokens", true),
            (TOTAL_TOKENS, "attributes.gen_ai.prompt.0.content", false),
            ("attributes.input.value", "attributes.gen_ai.prompt.0.content", true),
            ("attributes.input.value", "attributes.gen_ai.system_instructions", true),
            ("attributes.input.value", EVENTS, true),
            (COST, "attributes.langfuse.observation.cost_details.total", true),
        ] {
            assert_eq!(fillers(column).unwrap().has(name), want, "{column} of {name}");
        }
        assert!(fillers("name").is_none());
        assert!(is_filler("attributes.gen_ai.prompt.0.content") && !is_filler("attributes.retries"));
    }
}
