//! What fills a column: for whoever asks a remote for some columns, or for some rows by the values of a column.

use std::collections::{BTreeMap, HashSet};
use std::sync::LazyLock;

use super::fill::{Read, Source, Spans};
use super::known::KNOWN;
use super::state::{FAMILY, SPAN_EVENTS, SPAN_METADATA};
use super::table::TABLE;
use crate::columns::{EVENTS, KIND, METADATA, METADATA_PREFIX, MODEL};

/// The names that may fill a canonical column of a span in which it is null.
#[derive(Debug, Default)]
pub struct Fillers {
    names: HashSet<String>,
    beginnings: HashSet<String>,
    /// Canonical columns that say in which spans it is filled, or with what.
    read: HashSet<&'static str>,
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
    /// Whether one of these columns may fill it.
    ///
    /// Events count where a convention is followed that has attributes, too: they are long, and in most projects say
    /// nothing of this.
    pub fn are_among<'n>(&self, names: impl Iterator<Item = &'n str> + Clone) -> bool {
        let by_events = self.names.contains(EVENTS) && names.clone().any(is_filler);
        names.into_iter().any(|name| self.has(name) && (name != EVENTS || by_events))
    }

    /// Whether a column of this name is read to fill it.
    pub fn read(&self, name: &str) -> bool {
        self.has(name) || self.read.contains(name)
    }

    fn has(&self, name: &str) -> bool {
        self.names.contains(name) || self.beginnings.iter().any(|beginning| name.starts_with(beginning.as_str()))
    }

    fn of(column: &'static str) -> Self {
        let mut fillers = Self::default();
        // What was filled of another column fills this one; that a column came does not.
        let (mut open, mut seen) = (vec![column], HashSet::new());
        while let Some(column) = open.pop() {
            if !seen.insert(column) {
                continue;
            }
            for fill in TABLE.iter().filter(|fill| fill.column == column) {
                match fill.spans {
                    Spans::All => {}
                    Spans::Calls => fillers.read.extend([KIND, MODEL]),
                    Spans::NotChains | Spans::Agents | Spans::Tools | Spans::Embeddings => {
                        fillers.read.insert(KIND);
                    }
                }
                for source in fill.sources {
                    fillers.add(source, &mut open);
                }
            }
        }
        fillers
    }

    fn add(&mut self, source: &Source, open: &mut Vec<&'static str>) {
        match (source.name, source.read) {
            (_, Read::Sum(one, other)) => {
                self.read.extend([one, other]);
                return open.extend([one, other]);
            }
            (column, Read::Filled | Read::MimeType) => {
                self.read.insert(column);
                return open.push(column);
            }
            (SPAN_EVENTS, _) => {
                self.names.insert(EVENTS.to_owned());
                return;
            }
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
        if source.read.reads_below() {
            self.beginnings.insert(format!("{FAMILY}{}.", source.name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::{COST, INPUT, SESSION_ID, TOTAL_TOKENS};

    #[test]
    fn what_fills_a_column_is_known_by_its_names() {
        for (column, name, want) in [
            (SESSION_ID, "attributes.langfuse.session.id", true),
            (SESSION_ID, "attributes.session.id", false),
            (MODEL, "attributes.gen_ai.request.model", true),
            (MODEL, "attributes.metadata", true),
            (MODEL, "attributes.metadata.ls_model_name", true),
            (MODEL, KIND, false),
            (TOTAL_TOKENS, "attributes.gen_ai.usage.input_tokens", true),
            (TOTAL_TOKENS, "attributes.gen_ai.prompt.0.content", false),
            (INPUT, "attributes.gen_ai.prompt.0.content", true),
            (INPUT, "attributes.gen_ai.system_instructions", true),
            (INPUT, "attributes.llm.input_messages", false),
            (INPUT, INPUT, false),
            (INPUT, "attributes.input", true),
            (COST, "attributes.langfuse.observation.cost_details.total", true),
        ] {
            assert_eq!(fillers(column).unwrap().are_among([name].into_iter()), want, "{column} of {name}");
        }
        // Chains have no model: what is a chain has to be read.
        assert!(fillers(MODEL).unwrap().read(KIND) && fillers(TOTAL_TOKENS).unwrap().read(KIND));
        assert!(fillers("name").is_none());
        assert!(is_filler("attributes.gen_ai.prompt.0.content") && !is_filler("attributes.retries"));
    }

    #[test]
    fn events_count_beside_attributes_of_a_convention() {
        let input = fillers(INPUT).unwrap();
        assert!(!input.are_among([EVENTS, "attributes.retries"].into_iter()));
        assert!(input.are_among([EVENTS, "attributes.gen_ai.system"].into_iter()));
    }
}
