//! Which open columns a segment has, and which keys go into the JSON column beyond the limit.

use std::collections::BTreeMap;

use arrow::datatypes::DataType;

use super::manifest::Manifest;
use super::merge::Layout;
use spanql_model::columns;
use spanql_model::types::OpenType;

/// Open columns a store holds at most.
pub(crate) const MAX_OPEN_COLUMNS: usize = 2000;

/// The store-wide decision which open names are columns and which are keys of `attributes.rest`.
#[derive(Debug, Clone)]
pub(crate) struct OpenNames {
    pub(crate) columns: BTreeMap<String, OpenType>,
    pub(crate) rest: BTreeMap<String, OpenType>,
}

impl OpenNames {
    /// Adds the names of an import to those of a store: what is a column stays one, and so does what is not.
    pub(crate) fn of(manifest: &Manifest, arriving: &BTreeMap<String, OpenType>) -> Self {
        let mut names = Self { columns: manifest.columns.clone(), rest: manifest.rest.clone() };
        names.columns.remove(columns::REST);
        for (name, seen) in arriving {
            if name == columns::REST {
                continue;
            }
            let is_column = names.columns.contains_key(name);
            let room = names.columns.len() < MAX_OPEN_COLUMNS && !names.rest.contains_key(name);
            let known = if is_column || room { &mut names.columns } else { &mut names.rest };
            let united = known.get(name).map_or(*seen, |known| known.unite(*seen));
            known.insert(name.clone(), united);
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
            if self.rest.contains_key(name) {
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
