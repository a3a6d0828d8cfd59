//! Values of spans: columns of their own, or keys of `attributes.rest`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{Array, ArrayBuilder as _, ArrayRef, AsArray, RecordBatch, StringArray, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, SchemaRef};
use datafusion::common::{Column, internal_datafusion_err};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, lit};

use spanql_filter::any_of;
use spanql_model::columns::REST;
use spanql_model::json::Tree;
use spanql_store::floats_to_text;

/// Columns that are asked for values before rows are read.
const MOST_ASKED: usize = 64;

/// The names under which the spans of a store have values.
#[derive(Debug, Clone)]
pub(super) struct Names {
    /// The columns.
    pub(super) schema: SchemaRef,
    /// The keys of `attributes.rest`.
    pub(super) rest: Arc<BTreeMap<String, DataType>>,
}

impl Names {
    /// Whether spans have a column of this name, or a key.
    pub(super) fn has(&self, name: &str) -> bool {
        self.schema.field_with_name(name).is_ok() || self.rest.contains_key(name)
    }

    /// The names that begin so, columns first.
    pub(super) fn beginning<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        let columns = self.schema.fields().iter().map(|field| field.name().as_str());
        let keys = self.rest.range(prefix.to_owned()..).map(|(name, _)| name.as_str());
        columns
            .filter(move |name| name.starts_with(prefix))
            .chain(keys.take_while(move |name| name.starts_with(prefix)).filter(|name| !self.is_column(name)))
    }

    fn is_column(&self, name: &str) -> bool {
        self.schema.field_with_name(name).is_ok()
    }
}

/// What is read of spans, each by its place.
#[derive(Debug, Clone, Default)]
pub(super) struct Reads {
    names: Vec<String>,
    places: HashMap<String, usize>,
    /// Of these, the keys of `attributes.rest`.
    keys: HashMap<String, usize>,
}

impl Reads {
    /// Adds a name that spans have; gives its place.
    pub(super) fn add(&mut self, name: &str, names: &Names) -> usize {
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        self.places.insert(name.to_owned(), self.names.len());
        if !names.is_column(name) {
            self.keys.insert(name.to_owned(), self.names.len());
        }
        self.names.push(name.to_owned());
        self.names.len() - 1
    }

    /// Adds a name if spans have it.
    pub(super) fn add_known(&mut self, name: &str, names: &Names) -> Option<usize> {
        names.has(name).then(|| self.add(name, names))
    }

    /// The columns that are read.
    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        let rest = (!self.keys.is_empty()).then_some(REST);
        self.names.iter().filter(|name| !self.keys.contains_key(*name)).map(String::as_str).chain(rest)
    }

    /// The column that has the values of a place.
    pub(super) fn column_of(&self, place: usize) -> &str {
        let name = self.names.get(place).filter(|name| !self.keys.contains_key(*name));
        name.map_or(REST, String::as_str)
    }

    /// Whether there may be a value anywhere.
    pub(super) fn any_filled(&self) -> Expr {
        any_filled((0..self.names.len()).map(|place| self.column_of(place)).collect())
    }

    /// The values of a batch.
    pub(super) fn values(&self, spans: &RecordBatch) -> Result<Vec<ArrayRef>> {
        let mut keys = self.keys_of_rest(spans)?;
        let value = |(place, name): (usize, &String)| {
            let column = keys.remove(&place).or_else(|| spans.column_by_name(name).cloned());
            column.ok_or_else(|| internal_datafusion_err!("{name} is not read"))
        };
        self.names.iter().enumerate().map(value).collect()
    }

    fn keys_of_rest(&self, spans: &RecordBatch) -> Result<HashMap<usize, ArrayRef>> {
        let Some(rest) = spans.column_by_name(REST).filter(|_| !self.keys.is_empty()) else {
            return Ok(HashMap::new());
        };
        let rest = texts(rest)?;
        let mut builders: HashMap<usize, StringBuilder> =
            self.keys.values().map(|place| (*place, StringBuilder::new())).collect();
        for row in 0..rest.len() {
            let object = rest.is_valid(row).then(|| Tree::parse(rest.value(row))).flatten();
            let members = match object {
                Some(Tree::Object(members)) => members,
                _ => vec![],
            };
            for (key, value) in members {
                let builder = self.keys.get(key.as_ref()).and_then(|place| builders.get_mut(place));
                // A key that is there twice has its first value.
                if let Some(builder) = builder.filter(|builder| builder.len() == row) {
                    builder.append_option(value.text());
                }
            }
            for builder in builders.values_mut().filter(|builder| builder.len() == row) {
                builder.append_null();
            }
        }
        Ok(builders.into_iter().map(|(place, mut builder)| (place, Arc::new(builder.finish()) as ArrayRef)).collect())
    }
}

/// A column of spans, by its whole name.
pub(super) fn column(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

/// Whether any of these columns may have a value; true where they are so many that asking takes longer than looking.
pub(super) fn any_filled(columns: BTreeSet<&str>) -> Expr {
    if columns.len() > MOST_ASKED {
        return lit(true);
    }
    any_of(columns.into_iter().map(|name| column(name).is_not_null()).collect())
}

/// Values as text, numbers as they stand in a column of text.
pub(super) fn texts(values: &ArrayRef) -> Result<StringArray> {
    if *values.data_type() == DataType::Float64 {
        return Ok(floats_to_text(values.as_primitive::<Float64Type>()));
    }
    Ok(cast(values, &DataType::Utf8)?.as_string::<i32>().clone())
}

/// A row's text.
pub(super) fn text(values: &StringArray, row: usize) -> Option<&str> {
    values.is_valid(row).then(|| values.value(row))
}

/// A list of spans: a column of JSON text, and keys of its elements that came one by one.
#[derive(Debug, Clone)]
pub(super) struct List {
    whole: Option<usize>,
    /// Paths from the index on.
    indexed: Arc<[(String, usize)]>,
}

impl List {
    /// The list of this name, if spans have anything of it.
    pub(super) fn add(name: &str, names: &Names, reads: &mut Reads) -> Option<Self> {
        let prefix = format!("{name}.");
        let is_index = |path: &str| path.split('.').next().is_some_and(|index| index.parse::<usize>().is_ok());
        let paths = names.beginning(&prefix).filter_map(|full| Some((full.strip_prefix(&prefix)?, full)));
        let indexed: Vec<(String, usize)> = paths
            .filter(|(path, _)| is_index(path))
            .map(|(path, full)| (path.to_owned(), reads.add(full, names)))
            .collect();
        let whole = reads.add_known(name, names);
        (whole.is_some() || !indexed.is_empty()).then(|| Self { whole, indexed: indexed.into() })
    }

    /// The columns that have values of it.
    pub(super) fn columns<'r>(&self, reads: &'r Reads) -> impl Iterator<Item = &'r str> {
        self.whole.iter().chain(self.indexed.iter().map(|(_, place)| place)).map(|&place| reads.column_of(place))
    }

    /// The values of a batch.
    pub(super) fn open(&self, values: &[ArrayRef]) -> Result<ListValues> {
        let whole = self.whole.map(|place| texts(&values[place])).transpose()?;
        let indexed = self.indexed.iter().map(|(_, place)| {
            let is_text = *values[*place].data_type() == DataType::Utf8;
            Ok((texts(&values[*place])?, is_text))
        });
        Ok(ListValues { whole, indexed: indexed.collect::<Result<_>>()?, paths: Arc::clone(&self.indexed) })
    }
}

/// The lists of a batch of spans.
#[derive(Debug)]
pub(super) struct ListValues {
    whole: Option<StringArray>,
    indexed: Vec<(StringArray, bool)>,
    paths: Arc<[(String, usize)]>,
}

impl ListValues {
    /// What a span has: the list, then the keys that came one by one as an object of them.
    pub(super) fn trees(&self, row: usize) -> impl Iterator<Item = Tree<'_>> {
        let whole = self.whole.as_ref().and_then(|whole| text(whole, row)).and_then(Tree::parse);
        let indexed = move || {
            let mut tree = Tree::Null;
            for ((path, _), (values, is_text)) in self.paths.iter().zip(&self.indexed) {
                if let Some(value) = text(values, row) {
                    tree.set(path, if *is_text { Tree::Text(value.into()) } else { Tree::Scalar(value.into()) });
                }
            }
            (tree != Tree::Null).then_some(tree)
        };
        whole.into_iter().chain(std::iter::once_with(indexed).flatten())
    }
}
