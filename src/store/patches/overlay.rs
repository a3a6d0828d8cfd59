//! Values that count instead of those in the file of a segment.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, new_null_array};
use arrow::compute::interleave;
use arrow::datatypes::{Field, Schema};

use super::facts::PatchFacts;
use crate::error::{Result, StoreError};
use crate::open_columns::{type_of, widen};
use spanql_model::columns::{METADATA, METADATA_PREFIX};
use spanql_model::types::OpenType;

/// What one patch file says of a segment.
#[derive(Debug)]
pub(crate) struct Layer {
    /// Rows of the spans file, in order.
    pub(crate) rows: Vec<u64>,
    /// The columns that are patched, a row for each of the rows; null leaves what is there.
    pub(crate) values: RecordBatch,
    pub(crate) facts: BTreeMap<String, PatchFacts>,
}

impl Layer {
    /// Its values of a column, and the column that says which of them count: keys of metadata follow the whole.
    fn source(&self, name: &str) -> Option<(Option<&ArrayRef>, &ArrayRef)> {
        let own = self.values.column_by_name(name);
        let decides = if name.starts_with(METADATA_PREFIX) { self.values.column_by_name(METADATA) } else { own };
        decides.map(|decides| (own, decides))
    }
}

/// Values of some columns and rows of a segment that count instead of those in its file.
///
/// Rows are told by their number in the spans file, from 0.
#[derive(Debug, Default)]
pub struct Overlay {
    /// In order of the commits: later ones count.
    pub(crate) layers: Vec<Layer>,
}

/// Where rows that were read are in the layers of an overlay.
#[derive(Debug)]
pub struct Overlaid<'a> {
    /// A layer with what it has: the place of a row among those that were read, and its place in the layer.
    layers: Vec<(&'a Layer, Vec<(usize, usize)>)>,
    rows: usize,
}

impl Overlay {
    /// Finds the values for rows that were read, by their numbers.
    pub fn at(&self, rows: &[u64]) -> Overlaid<'_> {
        let (Some(&first), Some(&last)) = (rows.iter().min(), rows.iter().max()) else {
            return Overlaid { layers: Vec::new(), rows: 0 };
        };
        let mut by_row: Vec<(u64, usize)> = Vec::new();
        let mut layers = Vec::new();
        for layer in &self.layers {
            let from = layer.rows.partition_point(|&row| row < first);
            let to = layer.rows.partition_point(|&row| row <= last);
            if from == to {
                continue;
            }
            if by_row.is_empty() {
                by_row = rows.iter().enumerate().map(|(place, &row)| (row, place)).collect();
                by_row.sort_unstable();
            }
            let mut hits = Vec::new();
            for (at, row) in layer.rows.iter().enumerate().take(to).skip(from) {
                let found = by_row.binary_search_by_key(row, |(row, _)| *row).ok();
                hits.extend(found.map(|found| (by_row[found].1, at)));
            }
            if !hits.is_empty() {
                layers.push((layer, hits));
            }
        }
        Overlaid { layers, rows: rows.len() }
    }

    /// About how many bytes it takes in memory.
    pub(crate) fn bytes(&self) -> usize {
        let of = |layer: &Layer| layer.values.get_array_memory_size() + layer.rows.len() * size_of::<u64>();
        self.layers.iter().map(of).sum()
    }

    /// Whether any row of a range is patched.
    pub(crate) fn touches(&self, rows: std::ops::Range<u64>) -> bool {
        self.layers.iter().any(|layer| {
            let from = layer.rows.partition_point(|&row| row < rows.start);
            layer.rows.get(from).is_some_and(|&row| row < rows.end)
        })
    }
}

impl Overlaid<'_> {
    /// Whether none of the rows is patched.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// A column of the rows that were read, with the values that count, in the type in which it was read.
    ///
    /// # Errors
    /// [`StoreError::Arrow`] where a value does not fit the type.
    pub fn column(&self, name: &str, own: &ArrayRef) -> Result<ArrayRef> {
        let mut sources: Vec<ArrayRef> = vec![Arc::clone(own)];
        let mut places: Vec<(usize, usize)> = Vec::new();
        for (layer, hits) in &self.layers {
            let Some((values, decides)) = layer.source(name) else { continue };
            if places.is_empty() {
                places = (0..self.rows).map(|row| (0, row)).collect();
            }
            let number = sources.len();
            for &(row, at) in hits.iter().filter(|(_, at)| decides.is_valid(*at)) {
                places[row] = (number, if values.is_some() { at } else { 0 });
            }
            sources.push(match values {
                Some(values) => widen(values, own.data_type())?,
                None => new_null_array(own.data_type(), 1),
            });
        }
        if places.is_empty() {
            return Ok(Arc::clone(own));
        }
        let sources: Vec<&dyn Array> = sources.iter().map(AsRef::as_ref).collect();
        interleave(&sources, &places).map_err(StoreError::arrow(format!("patching {name}")))
    }

    /// The columns that the rows have patches of, with types that hold all of their values there.
    fn types(&self) -> BTreeMap<&str, OpenType> {
        let mut types: BTreeMap<&str, OpenType> = BTreeMap::new();
        for (layer, _) in &self.layers {
            for (field, array) in layer.values.schema_ref().fields().iter().zip(layer.values.columns()) {
                if let Some(seen) = type_of(array.as_ref()) {
                    types.entry(field.name()).and_modify(|known| *known = known.unite(seen)).or_insert(seen);
                }
            }
        }
        types
    }

    /// All columns of the rows that were read, with the values that count: in wider types where these need them, and with
    /// columns more that the file does not have.
    pub(crate) fn batch(&self, read: &RecordBatch) -> Result<RecordBatch> {
        if self.is_empty() {
            return Ok(read.clone());
        }
        let mut types = self.types();
        let mut fields = Vec::new();
        let mut arrays = Vec::new();
        for (field, array) in read.schema_ref().fields().iter().zip(read.columns()) {
            let array = match (types.remove(field.name().as_str()), type_of(array.as_ref())) {
                (Some(known), Some(seen)) => {
                    self.column(field.name(), &widen(array, &known.unite(seen).data_type())?)?
                }
                (Some(known), None) => self.column(field.name(), &new_null_array(&known.data_type(), self.rows))?,
                // Keys of metadata may be gone.
                (None, _) => self.column(field.name(), array)?,
            };
            fields.push(Field::new(field.name(), array.data_type().clone(), true));
            arrays.push(array);
        }
        for (name, open) in types {
            let array = self.column(name, &new_null_array(&open.data_type(), self.rows))?;
            if array.null_count() < array.len() {
                fields.push(Field::new(name, open.data_type(), true));
                arrays.push(array);
            }
        }
        RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(StoreError::arrow("patching spans"))
    }
}
