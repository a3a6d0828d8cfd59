//! An ingest batch while it is filled: its columns by name, and what was filled so far.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::ops::Bound;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use arrow::error::ArrowError;

use crate::columns::{CANONICAL, EVENTS, METADATA, METADATA_PATCH, canonical};
use crate::ingest::arrays::over;
use crate::ingest::canonical_builder::whole;
use crate::json::Tree;
use crate::types::float_text;

/// Names that conventions give are those of attributes.
pub(super) const FAMILY: &str = "attributes.";
/// What the table calls the events of a span, which are no attribute.
pub(super) const SPAN_EVENTS: &str = "span events";
/// What the table calls the metadata, however they came.
pub(super) const SPAN_METADATA: &str = "metadata";

/// The values of a column.
#[derive(Debug, Clone, Copy)]
pub(super) enum Values<'a> {
    Text(&'a StringArray),
    Int(&'a Int64Array),
    Float(&'a Float64Array),
    Bool(&'a BooleanArray),
}

impl<'a> Values<'a> {
    /// Nothing for types that open columns do not have.
    pub(super) fn of(array: &'a ArrayRef) -> Option<Self> {
        Some(match array.data_type() {
            DataType::Utf8 => Self::Text(array.as_string()),
            DataType::Int64 => Self::Int(array.as_primitive::<Int64Type>()),
            DataType::Float64 => Self::Float(array.as_primitive::<Float64Type>()),
            DataType::Boolean => Self::Bool(array.as_boolean()),
            _ => return None,
        })
    }

    /// The value in a row; an empty text says nothing.
    pub(super) fn cell(self, row: usize) -> Option<Cell<'a>> {
        self.any_cell(row)?.filled()
    }

    /// The value in a row, an empty text as well.
    pub(super) fn any_cell(self, row: usize) -> Option<Cell<'a>> {
        Some(match self {
            Self::Text(array) if array.is_valid(row) => Cell::Text(array.value(row)),
            Self::Int(array) if array.is_valid(row) => Cell::Int(array.value(row)),
            Self::Float(array) if array.is_valid(row) => Cell::Float(array.value(row)),
            Self::Bool(array) if array.is_valid(row) => Cell::Bool(array.value(row)),
            _ => return None,
        })
    }

    /// The text in a row of a column of text.
    pub(super) fn str(self, row: usize) -> Option<&'a str> {
        match self.cell(row)? {
            Cell::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// A value, of whatever type its column has: that depends on the other rows of the batch, what is made of it must not.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cell<'a> {
    Text(&'a str),
    Int(i64),
    Float(f64),
    Bool(bool),
}

impl<'a> Cell<'a> {
    fn filled(self) -> Option<Self> {
        (!matches!(self, Self::Text(""))).then_some(self)
    }

    pub(super) fn text(self) -> Cow<'a, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Int(number) => Cow::Owned(number.to_string()),
            Self::Float(number) => Cow::Owned(whole(number).map_or_else(|| float_text(number), |n| n.to_string())),
            Self::Bool(flag) => Cow::Borrowed(if flag { "true" } else { "false" }),
        }
    }

    /// The value as JSON, text as a string.
    pub(super) fn tree(self) -> Tree<'a> {
        match self {
            Self::Text(text) => Tree::Text(Cow::Borrowed(text)),
            other => Tree::Scalar(other.text()),
        }
    }

    /// The value as JSON; text that is a list or an object as what it holds, as lists are kept as text.
    pub(super) fn json(self) -> Tree<'a> {
        match self {
            Self::Text(text) => nested(text).unwrap_or(Tree::Text(Cow::Borrowed(text))),
            other => other.tree(),
        }
    }

    /// As [`json`](Self::json), and numbers and words that are written as text as what they are.
    pub(super) fn setting(self) -> Tree<'a> {
        match self {
            Self::Text(text) => match Tree::parse(text) {
                Some(Tree::Null | Tree::Text(_)) | None => Tree::Text(Cow::Borrowed(text)),
                Some(tree) => tree,
            },
            other => other.tree(),
        }
    }
}

/// The list or object that a text is.
pub(super) fn nested(text: &str) -> Option<Tree<'_>> {
    // A cheap look: most text is plain.
    text.trim_start().starts_with(['{', '[']).then(|| Tree::parse(text))?
}

/// A batch and what it is filled with.
#[derive(Debug)]
pub(super) struct State<'a> {
    /// Columns by name, attributes without the family before it.
    names: BTreeMap<&'a str, Values<'a>>,
    patch: Option<Values<'a>>,
    /// Canonical columns with what was filled.
    canonical: BTreeMap<&'static str, ArrayRef>,
    /// Of canonical columns, what was filled alone.
    filled: BTreeMap<&'static str, ArrayRef>,
}

impl<'a> State<'a> {
    pub(super) fn of(batch: &'a RecordBatch) -> Self {
        let mut state =
            Self { names: BTreeMap::new(), patch: None, canonical: BTreeMap::new(), filled: BTreeMap::new() };
        for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            let name = field.name().as_str();
            if let Some(column) = canonical(name) {
                state.canonical.insert(column.name, array.clone());
            }
            let values = Values::of(array);
            match name {
                EVENTS => state.names.extend(values.map(|values| (SPAN_EVENTS, values))),
                METADATA => state.names.extend(values.map(|values| (SPAN_METADATA, values))),
                METADATA_PATCH => state.patch = values,
                name => {
                    let key = name.strip_prefix(FAMILY);
                    state.names.extend(key.zip(values));
                }
            }
        }
        state
    }

    pub(super) fn values(&self, name: &str) -> Option<Values<'a>> {
        self.names.get(name).copied()
    }

    /// The columns of a name: metadata have two, of which each row uses one.
    pub(super) fn all_values(&self, name: &str) -> Vec<Values<'a>> {
        let patch = self.patch.filter(|_| name == SPAN_METADATA);
        self.values(name).into_iter().chain(patch).collect()
    }

    /// The columns whose names begin with this, each with the rest of its name.
    pub(super) fn below(&self, prefix: &str) -> Vec<(&'a str, Values<'a>)> {
        let from = self.names.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        let found = from.map_while(|(name, values)| Some((name.strip_prefix(prefix)?, *values)));
        found.filter(|(rest, _)| !rest.is_empty()).collect()
    }

    /// A canonical column as it stands.
    pub(super) fn column(&self, name: &str) -> Option<&ArrayRef> {
        self.canonical.get(name)
    }

    /// What was filled of a canonical column.
    pub(super) fn filled(&self, name: &str) -> Option<Values<'_>> {
        Values::of(self.filled.get(name)?)
    }

    /// Adds what was filled of a column.
    pub(super) fn add(&mut self, name: &'static str, filled: ArrayRef) -> Result<(), ArrowError> {
        for columns in [&mut self.canonical, &mut self.filled] {
            let column = match columns.get(name) {
                Some(before) => over(before, &filled)?,
                None => Arc::clone(&filled),
            };
            columns.insert(name, column);
        }
        Ok(())
    }

    /// The canonical columns that were filled, in their order.
    pub(super) fn into_changed(self) -> Vec<(&'static str, ArrayRef)> {
        let Self { mut canonical, filled, .. } = self;
        let changed: HashSet<&str> = filled.into_keys().collect();
        let names = CANONICAL.iter().map(|column| column.name).filter(|name| changed.contains(name));
        names.filter_map(|name| Some((name, canonical.remove(name)?))).collect()
    }
}
