//! Which open columns a segment has, and which keys go into the JSON column beyond the limit.

use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::DataType;

use super::manifest::Manifest;
use super::merge::Layout;
use crate::model::columns;
use crate::model::types::OpenType;

/// Open columns a store holds at most.
pub(crate) const MAX_OPEN_COLUMNS: usize = 2000;

/// The store-wide decision which open names are columns and which are keys of `attributes.rest`.
#[derive(Debug, Clone)]
pub(crate) struct OpenNames {
    pub(crate) columns: BTreeMap<String, OpenType>,
    pub(crate) rest: BTreeSet<String>,
}

impl OpenNames {
    /// Adds the names of an import to those of a store: what is a column stays one, and so does what is not.
    pub(crate) fn of(manifest: &Manifest, arriving: &BTreeMap<String, OpenType>) -> Self {
        let mut names = Self { columns: manifest.columns.clone(), rest: manifest.rest.clone() };
        names.columns.remove(columns::REST);
        for (name, seen) in arriving {
            if names.rest.contains(name) || name == columns::REST {
                continue;
            }
            let united = names.columns.get(name).map(|known| known.unite(*seen));
            if united.is_some() || names.columns.len() < MAX_OPEN_COLUMNS {
                names.columns.insert(name.clone(), united.unwrap_or(*seen));
            } else {
                names.rest.insert(name.clone());
            }
        }
        names
    }

    /// The columns of one segment that holds values of the given open names.
    pub(crate) fn layout(&self, open: &BTreeMap<String, OpenType>) -> Layout {
        let mut fields: BTreeMap<&str, DataType> = BTreeMap::new();
        let mut rest = Vec::new();
        for (name, seen) in open {
            if name == columns::REST {
                continue;
            }
            if self.rest.contains(name) {
                rest.push((name.clone(), seen.data_type()));
            } else {
                fields.insert(name, seen.data_type());
            }
        }
        if !rest.is_empty() {
            fields.insert(columns::REST, DataType::Utf8);
        }
        let fields: Vec<(String, DataType)> = fields.into_iter().map(|(name, t)| (name.to_owned(), t)).collect();
        Layout { schema: columns::spans_schema(&fields), rest }
    }
}
