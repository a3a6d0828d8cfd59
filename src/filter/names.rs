//! The names that a filter may use, and what columns they mean.

use std::collections::BTreeMap;

use arrow::datatypes::{DataType, Schema};

use super::error::{FilterError, short};
use spanql_model::columns::is_of_tree;
use spanql_model::derived::{derived_list, holders, indexed};
use spanql_model::names::{ALIASES, absent_type, expand_alias, is_open_name};
use spanql_model::nearest::{as_typed, maybe_mistyped, nearest};
use spanql_model::time::Clock;

/// What a note on a name says that nothing has.
pub const READ_AS_NULL: &str = "(read as null)";

/// What a name of an open family means that no span has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// Null, with a note: in SQL, where a saved query must not break before the first span has the name.
    Null,
    /// An error with the nearest name: where a person typed the filter.
    Error,
    /// Null, without a note: where nobody can know all names, as of a remote.
    Silent,
}

/// The columns that a filter may name.
#[derive(Debug, Clone)]
pub struct Names<'a> {
    schema: &'a Schema,
    rest: &'a BTreeMap<String, DataType>,
    unknown: Unknown,
    /// Whether a value in the JSON text of a column goes by a name of its own.
    held: bool,
    /// Where the data ends.
    data_end: Option<i64>,
}

/// A name, resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    /// The canonical name.
    pub column: String,
    /// The type of its values; that of a list's elements for a list.
    pub data_type: DataType,
    /// Whether it is a list that is computed from a parent list.
    pub list: bool,
    /// Whether there is such a column, or it is computed from one.
    pub known: bool,
    /// That no span has it, or that it may be mistyped.
    pub note: Option<String>,
}

impl<'a> Names<'a> {
    /// The columns of a table: those of its schema, and the names whose values lie in `attributes.rest`.
    pub fn new(schema: &'a Schema, rest: &'a BTreeMap<String, DataType>, unknown: Unknown) -> Self {
        Self { schema, rest, unknown, held: true, data_end: None }
    }

    /// The same where the schema has the names of values in JSON text that may be used: a remote need not have the
    /// columns that hold the others.
    pub fn without_held(self) -> Self {
        Self { held: false, ..self }
    }

    /// The same over data that ends there, in nanoseconds since the epoch: times such as `last-7d` count from it.
    pub fn until(self, data_end: Option<i64>) -> Self {
        Self { data_end, ..self }
    }

    /// What relative times count from.
    pub(crate) fn clock(&self) -> Clock {
        Clock::now(self.data_end)
    }

    /// The names of all columns, and those whose values lie in `attributes.rest`.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        let known = self.schema.fields().iter().map(|field| field.name().as_str());
        known.chain(self.rest.keys().map(String::as_str))
    }

    /// What a name means that no span has.
    pub fn unknown(&self) -> Unknown {
        self.unknown
    }

    /// What a name means. Aliases ignore case, and so do names without a dot.
    ///
    /// # Errors
    /// When it means no column, without a place.
    pub fn find(&self, typed: &str) -> Result<Named, FilterError> {
        let target = expand_alias(typed).unwrap_or_else(|| typed.to_owned());
        for name in [typed, &target] {
            if let Some(named) = self.known(name) {
                return Ok(named);
            }
        }
        if !typed.contains('.')
            && let Some(field) = self.schema.fields().iter().find(|field| field.name().eq_ignore_ascii_case(typed))
            && let Some(named) = self.known(field.name())
        {
            return Ok(named);
        }
        let open = is_open_name(&target);
        if !open || self.unknown == Unknown::Error {
            let what = if open { "no span has" } else { "unknown column" };
            let code = if open { "unknown-name" } else { "unknown-column" };
            let error = FilterError::new(code, format!("{what} {}", short(&as_typed(typed))));
            if is_of_tree(&target) {
                return Err(error.help("it is computed when a trace enters a store: pull first, then ask the store"));
            }
            return Err(error.suggest(self.nearest(&target).map(as_typed)));
        }
        let note = (self.unknown == Unknown::Null).then(|| {
            let near = self.nearest(&target).map(|near| format!("; nearest: {}", as_typed(near)));
            format!("no span has {} {READ_AS_NULL}{}", as_typed(&target), near.unwrap_or_default())
        });
        Ok(Named { data_type: absent_type(&target), column: target, list: false, known: false, note })
    }

    /// A name that is a column, or computed from one.
    fn known(&self, name: &str) -> Option<Named> {
        let named =
            |data_type: DataType, list| Named { column: name.to_owned(), data_type, list, known: true, note: None };
        if let Some((_, field)) = self.schema.fields().find(name) {
            return Some(match field.data_type() {
                DataType::List(item) => named(item.data_type().clone(), true),
                other => named(other.clone(), false),
            });
        }
        if let Some(data_type) = self.rest.get(name) {
            return Some(named(data_type.clone(), false));
        }
        let has = |column: &str| self.schema.fields().find(column).is_some();
        if let Some(list) = derived_list(name).filter(|list| has(list.parent)) {
            let item = if list.numbers { DataType::Float64 } else { DataType::Utf8 };
            return Some(named(item, true));
        }
        if indexed(name).is_some_and(|(list, _)| has(list)) {
            return Some(named(DataType::Utf8, false));
        }
        let is_text = |column: &str| match self.schema.fields().find(column) {
            Some((_, field)) => field.data_type() == &DataType::Utf8,
            None => self.rest.get(column) == Some(&DataType::Utf8),
        };
        if !self.held || !holders(name).any(|(holder, _)| is_text(holder)) {
            return None;
        }
        let note = (self.unknown != Unknown::Silent).then(|| maybe_mistyped(name, self.columns())).flatten();
        Some(Named { note, ..named(DataType::Utf8, false) })
    }

    /// The nearest name there is.
    fn nearest(&self, typed: &str) -> Option<&str> {
        let known = self.schema.fields().iter().map(|field| field.name().as_str());
        let aliases = ALIASES.iter().filter(|(_, column)| self.schema.field_with_name(column).is_ok());
        nearest(typed, known.chain(self.rest.keys().map(String::as_str)).chain(aliases.map(|(alias, _)| *alias)))
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::Field;

    use super::*;

    #[test]
    fn a_name_in_the_text_of_a_column_may_be_mistyped() {
        let names = ["attributes.metadata", "attributes.metadata.tier"];
        let schema = Schema::new(names.map(|name| Field::new(name, DataType::Utf8, true)).to_vec());
        let rest = BTreeMap::new();
        let find = |names: Names<'_>| names.find("attributes.metadata.tir").map(|named| named.note);
        for unknown in [Unknown::Null, Unknown::Error] {
            let said = find(Names::new(&schema, &rest, unknown)).unwrap().unwrap();
            assert!(said.ends_with("(looked for in JSON text); nearest: attributes.metadata.tier"), "{said}");
        }
        assert_eq!(find(Names::new(&schema, &rest, Unknown::Silent)), Ok(None));
        let error = find(Names::new(&schema, &rest, Unknown::Error).without_held()).unwrap_err();
        assert_eq!(error.code(), "unknown-name");
    }
}
