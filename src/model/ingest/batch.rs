//! Ingest batches from record batches of any shape, column by column.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::compute::{filter_record_batch, nullif, take};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;

use super::arrays::{self, Bad};
use super::changes::{self, Change, Changes};
use super::keys::{PLACES, Resolved, Target, is_family, is_no_kind, resolve};
use super::origin::known_source;
use super::{Origin, RowError, conventions, metadata};
use crate::columns::{CANONICAL, Content, NOTES};
use crate::json::{MAX_DEPTH, Value};

/// What [`convert_batch`] made of a batch.
#[derive(Debug)]
pub struct Converted {
    /// The rows that fit, in their order: an ingest batch.
    pub batch: RecordBatch,
    /// The rows that did not, by their number in the given batch (from 0), ascending.
    pub bad: Vec<(usize, RowError)>,
    /// Root names whose values were kept as `attributes.<name>`.
    pub moved: BTreeSet<String>,
    /// What changed of the values of rows that fit, by their number in the given batch, with their columns.
    pub changes: Vec<(usize, Change, String)>,
}

/// Turns a batch with an export's column names into an ingest batch.
///
/// Dictionaries, string views, large types, numbers of any width, decimals, timestamps of any unit and zone, lists,
/// structs and maps are read; structs and maps above the level of columns are taken apart into dotted names.
///
/// # Errors
///
/// When a column's type cannot be read at all.
pub fn convert_batch(batch: &RecordBatch, origin: &Origin) -> Result<Converted, ArrowError> {
    convert(batch, origin, How::default())
}

/// Does the same for a server that sends lists of JSON as lists of texts: in the canonical columns of lists, and in notes,
/// each element is JSON text of its own, so that of a plain string has quotes. One that is no JSON text is taken for a plain
/// string.
///
/// # Errors
///
/// As [`convert_batch`].
pub fn convert_batch_of_json_lists(batch: &RecordBatch, origin: &Origin) -> Result<Converted, ArrowError> {
    convert(batch, origin, How { json_lists: true, ..How::default() })
}

/// Does the same, and takes rows of which a value would change for rows that do not fit.
///
/// # Errors
///
/// As [`convert_batch`].
pub fn convert_batch_strictly(batch: &RecordBatch, origin: &Origin) -> Result<Converted, ArrowError> {
    convert(batch, origin, How { strict: true, ..How::default() })
}

/// How a batch is read.
#[derive(Debug, Clone, Copy, Default)]
struct How {
    /// Rows of which a value would change do not fit.
    strict: bool,
    /// Elements of lists of texts are JSON texts.
    json_lists: bool,
}

fn convert(batch: &RecordBatch, origin: &Origin, how: How) -> Result<Converted, ArrowError> {
    let mut gathered = Gathered {
        origin,
        how,
        rows: batch.num_rows(),
        canonical: vec![None; CANONICAL.len()],
        fallbacks: Vec::new(),
        metadata_keys: BTreeMap::new(),
        open: BTreeMap::new(),
        bad: Bad::new(),
        moved: BTreeSet::new(),
        changes: Vec::new(),
    };
    for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        let name = field.name();
        gathered.add(name, name, array, 0).map_err(|error| ArrowError::CastError(format!("{name}: {error}")))?;
    }
    gathered.finish()
}

struct Gathered<'a> {
    origin: &'a Origin,
    how: How,
    rows: usize,
    /// One per canonical column.
    canonical: Vec<Option<ArrayRef>>,
    fallbacks: Vec<(usize, ArrayRef)>,
    metadata_keys: BTreeMap<String, Vec<StringArray>>,
    open: BTreeMap<String, Vec<ArrayRef>>,
    bad: Bad,
    moved: BTreeSet<String>,
    changes: Changes,
}

impl Gathered<'_> {
    /// Adds the column of this full name, which lies under the batch's column `root`.
    fn add(&mut self, name: &str, root: &str, array: &ArrayRef, depth: usize) -> Result<(), ArrowError> {
        if depth > MAX_DEPTH {
            return Err(ArrowError::SchemaError("nested too deep".to_owned()));
        }
        let array = &arrays::plain(array)?;
        if array.logical_null_count() == array.len() {
            return Ok(());
        }
        let Resolved { target, column, moved } = resolve(name);
        if target != Target::Drop {
            changes::of_array(name, array, &mut self.changes);
        }
        match (target, array.data_type()) {
            (Target::Open, DataType::Struct(_)) => return self.add_struct(name, root, array, depth),
            (Target::Open, DataType::Map(..)) => return self.add_map(name, root, array, depth),
            (Target::Canonical(index), _) if index == PLACES.project && self.origin.force_project => return Ok(()),
            (Target::Canonical(index), _) => {
                let lists = match self.how.json_lists && CANONICAL[index].content == Content::JsonList {
                    true if name == CANONICAL[index].name => {
                        arrays::canonical_of_json_lists(index, array, &mut self.bad, &mut self.changes)?
                    }
                    _ => None,
                };
                let later = match lists {
                    Some(lists) => lists,
                    None => arrays::canonical(index, array, &mut self.bad, &mut self.changes)?,
                };
                let place = &mut self.canonical[index];
                *place = Some(match place.take() {
                    Some(earlier) => arrays::over(&later, &earlier)?,
                    None => later,
                });
            }
            (Target::Fallback(index), _) if index == PLACES.kind => {
                let kinds = arrays::texts(array)?;
                let kinds: StringArray =
                    kinds.iter().map(|kind| kind.filter(|kind| !is_no_kind(Value::Text(kind)))).collect();
                self.fallbacks.push((index, Arc::new(kinds)));
            }
            (Target::Fallback(index), _) => self.fallbacks.push((index, Arc::clone(array))),
            (Target::MetadataKey, _) => {
                self.metadata_keys.entry(column).or_default().push(arrays::json_texts(array)?);
            }
            (Target::Source, _) => return self.add_source(array),
            (Target::Open, _) if self.how.json_lists && name == NOTES && arrays::is_nested(array.data_type()) => {
                let notes = arrays::notes_of_json_lists(array)?;
                let notes = notes.map_or_else(|| arrays::open(&column, array), |notes| Ok(Some(notes)))?;
                self.open.entry(column).or_default().extend(notes);
            }
            (Target::Open, _) => match arrays::open(&column, array)? {
                Some(array) => self.open.entry(column).or_default().push(array),
                None => return Ok(()),
            },
            (Target::Drop, _) => return Ok(()),
        }
        if moved {
            self.moved.insert(root.to_owned());
        }
        Ok(())
    }

    fn add_struct(&mut self, name: &str, root: &str, array: &ArrayRef, depth: usize) -> Result<(), ArrowError> {
        let members = array.as_struct();
        if members.num_columns() == 0 {
            return self.add_empty(name, root, (0..array.len()).map(|row| array.is_valid(row)).collect());
        }
        let absent = array.nulls().map(|nulls| BooleanArray::new(!nulls.inner(), None));
        for (field, member) in members.fields().iter().zip(members.columns()) {
            let member = match &absent {
                Some(absent) => nullif(&arrays::plain(member)?, absent)?,
                None => Arc::clone(member),
            };
            self.add(&format!("{name}.{}", field.name()), root, &member, depth + 1)?;
        }
        Ok(())
    }

    /// A column for each key: its values are picked from the map's entries.
    fn add_map(&mut self, name: &str, root: &str, array: &ArrayRef, depth: usize) -> Result<(), ArrowError> {
        let map = array.as_map();
        let keys = arrays::texts(&arrays::plain(map.keys())?)?;
        let mut by_key: Vec<(&str, Vec<Option<usize>>)> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut empty = vec![false; self.rows];
        for row in (0..self.rows).filter(|row| map.is_valid(*row)) {
            let entries = map.value_offsets()[row] as usize..map.value_offsets()[row + 1] as usize;
            empty[row] = entries.is_empty();
            for entry in entries.filter(|entry| keys.is_valid(*entry)) {
                let key = keys.value(entry);
                let place = *places.entry(key).or_insert_with(|| {
                    by_key.push((key, vec![None; self.rows]));
                    by_key.len() - 1
                });
                by_key[place].1[row] = Some(entry);
            }
        }
        for (key, entries) in by_key {
            let values = take(map.values(), &arrays::indices(entries), None)?;
            self.add(&format!("{name}.{key}"), root, &values, depth + 1)?;
        }
        self.add_empty(name, root, empty)
    }

    /// Rows with an empty object have the text `{}` in the column of that name.
    fn add_empty(&mut self, name: &str, root: &str, empty: Vec<bool>) -> Result<(), ArrowError> {
        if is_family(name) || !empty.contains(&true) {
            return Ok(());
        }
        let texts: StringArray = empty.into_iter().map(|empty| empty.then_some("{}")).collect();
        let Resolved { column, moved, .. } = resolve(name);
        self.open.entry(column).or_default().push(Arc::new(texts));
        if moved {
            self.moved.insert(root.to_owned());
        }
        Ok(())
    }

    fn add_source(&mut self, array: &ArrayRef) -> Result<(), ArrowError> {
        let texts = arrays::texts(array)?;
        let known = |text: &&str| known_source(Value::Text(text)).is_some();
        let words: StringArray = texts.iter().map(|text| text.filter(known)).collect();
        let others: StringArray = texts.iter().map(|text| text.filter(|text| !known(text))).collect();
        self.canonical[PLACES.source] = Some(Arc::new(words));
        if others.null_count() < others.len() {
            self.moved.insert("source".to_owned());
            self.open.entry("attributes.source".to_owned()).or_default().push(Arc::new(others));
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Converted, ArrowError> {
        self.fill_in()?;
        let strict = self.how.strict;
        for (row, change, column) in self.changes.iter().filter(|_| strict) {
            let reason = format!("a value that {}", change.complaint());
            self.bad.entry(*row).or_insert(RowError::Value { column: column.clone(), reason });
        }
        let bad = &self.bad;
        self.changes.retain(|(row, ..)| !bad.contains_key(row));
        let single = self.fold_metadata();
        let mut fields = Vec::new();
        let mut columns = Vec::new();
        for (column, array) in CANONICAL.iter().zip(&self.canonical) {
            if let Some(array) = array.as_ref().filter(|array| array.null_count() < array.len() || array.is_empty()) {
                fields.push(Field::new(column.name, column.data_type.clone(), true));
                columns.push(Arc::clone(array));
            }
        }
        for (name, arrays) in &self.open {
            if let Some(array) = arrays::united(arrays)? {
                fields.push(Field::new(name, array.data_type().clone(), true));
                columns.push(array);
            }
        }
        let mut batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
        batch = metadata::set_apart(batch, &single)?;
        if !self.bad.is_empty() {
            let good: BooleanArray = (0..self.rows).map(|row| Some(!self.bad.contains_key(&row))).collect();
            batch = filter_record_batch(&batch, &good)?;
        }
        batch = conventions::fill(batch)?;
        Ok(Converted { batch, bad: self.bad.into_iter().collect(), moved: self.moved, changes: self.changes })
    }

    /// Fills fallbacks and defaults in, and notes the rows without ids.
    fn fill_in(&mut self) -> Result<(), ArrowError> {
        for (index, array) in std::mem::take(&mut self.fallbacks) {
            let mut bad = Bad::new();
            let fallback = arrays::canonical(index, &array, &mut bad, &mut self.changes)?;
            let place = &mut self.canonical[index];
            if let Some(column) = place {
                // What is wrong with a fallback that is not needed is of no interest.
                bad.retain(|row, _| column.is_null(*row));
                *column = arrays::over(column, &fallback)?;
            } else {
                *place = Some(fallback);
            }
            for (row, row_error) in bad {
                self.bad.entry(row).or_insert(row_error);
            }
        }
        for index in [PLACES.trace_id, PLACES.span_id] {
            for row in 0..self.rows {
                if self.canonical[index].as_ref().is_none_or(|column| column.is_null(row)) {
                    self.bad.entry(row).or_insert_with(|| RowError::missing(CANONICAL[index].name));
                }
            }
            self.canonical[index].get_or_insert_with(|| Arc::new(StringArray::new_null(self.rows)));
        }
        for (index, default) in [(PLACES.project, &*self.origin.project), (PLACES.source, self.origin.source)] {
            let filled: StringArray = match &self.canonical[index] {
                Some(column) if column.null_count() == 0 => continue,
                Some(column) => column.as_string::<i32>().iter().map(|text| Some(text.unwrap_or(default))).collect(),
                None => std::iter::repeat_n(Some(default), self.rows).collect(),
            };
            self.canonical[index] = Some(Arc::new(filled));
        }
        Ok(())
    }

    /// Returns which rows have metadata from single keys only.
    fn fold_metadata(&mut self) -> BooleanArray {
        if self.metadata_keys.is_empty() {
            return vec![false; self.rows].into();
        }
        let before = self.canonical[PLACES.metadata].take();
        let before = before.as_ref().map(|array| array.as_string::<i32>());
        let fold_row = |row: usize| {
            let text = before.filter(|texts| texts.is_valid(row)).map(|texts| texts.value(row));
            let value = |texts: &StringArray| {
                texts.is_valid(row).then(|| texts.value(row)).filter(|v| *v != "null").map(str::to_owned)
            };
            let keys: BTreeMap<String, String> = self
                .metadata_keys
                .iter()
                .filter_map(|(key, arrays)| Some((key.clone(), arrays.iter().rev().find_map(value)?)))
                .collect();
            if keys.is_empty() { text.map(str::to_owned) } else { Some(metadata::fold(text, keys)) }
        };
        let folded: StringArray = (0..self.rows).map(fold_row).collect();
        let single = (0..self.rows)
            .map(|row| Some(folded.is_valid(row) && before.is_none_or(|texts| texts.is_null(row))))
            .collect();
        self.canonical[PLACES.metadata] = Some(Arc::new(folded));
        single
    }
}

#[cfg(test)]
mod tests;
