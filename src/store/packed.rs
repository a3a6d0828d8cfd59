//! Packed batches: rows of many open columns, each with few values, kept as one JSON object a row.
//!
//! A column costs something for every row, filled or not. What arrives with thousands of keys, of which each span has a
//! few, waits and is merged in this form, and becomes columns one at a time when it is written.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};

use super::error::{Result, StoreError};
use super::open_columns::{Scalar, Unpacked};
use super::overflow::OverflowBuilder;
use spanql_model::columns;
use spanql_model::types::OpenType;

/// Where a row is: batch and row.
pub(crate) type RowRef = (usize, usize);

/// The column of packed values. It is no name that an ingest batch may have.
pub(crate) const PACKED: &str = "packed";

/// Columns of which it is worth the while to pack them.
const MANY: usize = 200;

/// About what a column costs beside its values, what a value of a row costs in it, and what a packed value costs.
const COLUMN_BYTES: usize = 512;
const CELL_BYTES: usize = 8;
const PACKED_BYTES: usize = 64;

/// Whether a column is one that may be packed.
fn is_open(name: &str) -> bool {
    columns::canonical(name).is_none() && ![columns::METADATA_PATCH, columns::REST, PACKED].contains(&name)
}

/// The batch with those of its open columns packed that have few values, if they are many.
pub(crate) fn pack(batch: RecordBatch) -> Result<RecordBatch> {
    if batch.num_columns() < MANY {
        return Ok(batch);
    }
    let rows = batch.num_rows();
    let is_sparse = |field: &Field, array: &ArrayRef| {
        let filled = array.len() - array.null_count();
        is_open(field.name()) && rows * CELL_BYTES + COLUMN_BYTES > filled * PACKED_BYTES
    };
    let (mut fields, mut arrays): (Vec<Arc<Field>>, Vec<ArrayRef>) = (Vec::new(), Vec::new());
    let mut sparse = Vec::new();
    let mut overflow = OverflowBuilder::new(rows);
    for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        if field.name() == PACKED {
            overflow = OverflowBuilder::of(array.as_string());
        } else if is_sparse(field, array) {
            sparse.push((field.name(), array));
        } else {
            fields.push(Arc::clone(field));
            arrays.push(Arc::clone(array));
        }
    }
    if sparse.len() < MANY {
        return Ok(batch);
    }
    for (name, array) in sparse {
        overflow.add(name, array)?;
    }
    fields.push(Arc::new(Field::new(PACKED, DataType::Utf8, true)));
    arrays.push(Arc::new(overflow.finish()));
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(StoreError::arrow("packing spans"))
}

/// Rows times columns above which unpacked columns are packed at once.
const MANY_CELLS: usize = 1 << 20;

/// Unpacked columns, each `rows` long, or packed where they are many.
pub(crate) fn finish_or_pack(unpacked: Unpacked, rows: usize) -> Result<Vec<(String, ArrayRef)>> {
    if unpacked.cells(rows) <= MANY_CELLS {
        return Ok(unpacked.finish(rows));
    }
    Ok(vec![(PACKED.to_owned(), Arc::new(unpacked.finish_packed(rows)?))])
}

/// The packed values of a batch, if it has any.
fn packed_of(batch: &RecordBatch) -> Option<&StringArray> {
    batch.column_by_name(PACKED).and_then(|column| column.as_string_opt())
}

/// Adds the names of the packed values of a batch, with their types.
pub(crate) fn add_packed_types(batch: &RecordBatch, types: &mut BTreeMap<String, OpenType>) {
    let Some(packed) = packed_of(batch) else { return };
    for text in packed.iter().flatten() {
        let mut unpacked = Unpacked::default();
        unpacked.add_columns(0, columns::REST, text);
        for (name, seen) in unpacked.types() {
            match types.get_mut(name) {
                Some(known) => *known = known.unite(seen),
                None => drop(types.insert(name.to_owned(), seen)),
            }
        }
    }
}

/// The packed values of several batches, by name.
#[derive(Debug, Default)]
pub(crate) struct Packed {
    by_name: HashMap<String, Values>,
}

/// The packed values of one name, in the order of their rows.
#[derive(Debug)]
pub(crate) struct Values {
    pub(crate) open: OpenType,
    pub(crate) row_refs: Vec<RowRef>,
    scalars: Vec<Scalar>,
}

impl Packed {
    pub(crate) fn of(batches: &[RecordBatch]) -> Self {
        let mut packed = Self::default();
        for (number, batch) in batches.iter().enumerate() {
            packed.add(number, batch);
        }
        packed
    }

    /// Adds what a batch, which comes after all others, has packed.
    pub(crate) fn add(&mut self, number: usize, batch: &RecordBatch) {
        let Some(texts) = packed_of(batch) else { return };
        for (row, text) in texts.iter().enumerate() {
            let Some(text) = text else { continue };
            let mut unpacked = Unpacked::default();
            unpacked.add_columns(row, columns::REST, text);
            for (name, open, scalar) in unpacked.into_scalars() {
                let values = self.by_name.entry(name);
                let values = values.or_insert_with(|| Values { open, row_refs: Vec::new(), scalars: Vec::new() });
                values.open = values.open.unite(open);
                values.row_refs.push((number, row));
                values.scalars.push(scalar);
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Values> {
        self.by_name.get(name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Values)> {
        self.by_name.iter().map(|(name, values)| (name.as_str(), values))
    }
}

impl Values {
    /// The values as an array of this type, one after the other.
    pub(crate) fn array(&self, data_type: &DataType) -> ArrayRef {
        super::open_columns::array_of(&self.scalars, data_type)
    }

    /// Which of the values is that of a row.
    pub(crate) fn at(&self, row_ref: RowRef) -> Option<usize> {
        self.row_refs.binary_search(&row_ref).ok()
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{BooleanArray, Float64Array, Int64Array};

    use super::*;

    #[test]
    fn what_is_packed_is_found_again() {
        let rows = 300;
        let one = |at: usize| -> ArrayRef {
            let is = |row: usize| row == at;
            match at % 4 {
                0 => Arc::new((0..rows).map(|row| is(row).then_some(at as i64)).collect::<Int64Array>()),
                1 => Arc::new((0..rows).map(|row| is(row).then_some(0.1 + at as f64)).collect::<Float64Array>()),
                2 => Arc::new((0..rows).map(|row| is(row).then_some(true)).collect::<BooleanArray>()),
                _ => Arc::new((0..rows).map(|row| is(row).then_some("\"1\"\n")).collect::<StringArray>()),
            }
        };
        let columns = (0..rows).map(|at| (format!("attributes.k{at:03}"), one(at)));
        let ids: ArrayRef = Arc::new(StringArray::from(vec!["t"; rows]));
        let batch =
            RecordBatch::try_from_iter(std::iter::once(("context.trace_id".to_owned(), ids)).chain(columns)).unwrap();
        let packed = pack(batch.clone()).unwrap();
        assert_eq!(packed.num_columns(), 2);
        let mut types = BTreeMap::new();
        add_packed_types(&packed, &mut types);
        let found = Packed::of(&[packed.slice(0, 0), packed]);
        for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()).skip(1) {
            let values = found.get(field.name()).unwrap();
            assert_eq!(types[field.name()].data_type(), *field.data_type());
            let (number, row) = values.row_refs[0];
            assert_eq!((number, values.row_refs.len()), (1, 1));
            assert_eq!(values.at((1, row)), Some(0));
            assert_eq!(values.at((0, row)), None);
            assert_eq!(&values.array(field.data_type()), &array.slice(row, 1));
        }
        assert_eq!(pack(batch.slice(0, 300).project(&[0, 1, 2]).unwrap()).unwrap().num_columns(), 3);
    }
}
