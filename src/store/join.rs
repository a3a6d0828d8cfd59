//! Small batches joined to larger ones: each costs something for every column that it has.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use indexmap::IndexMap;

use super::error::{Result, StoreError};
use super::packed::PACKED;

/// Rows times columns up to which batches of different columns are joined: nulls take room, too.
const MOST_CELLS: usize = 2 << 20;

/// Joins batches that follow each other, where no column of one has another type in the next; a column that one of them
/// lacks is null there. All rows keep their order.
pub(crate) fn join(batches: Vec<RecordBatch>) -> Result<Vec<RecordBatch>> {
    let mut joined = Vec::new();
    let mut open: Option<Joining> = None;
    for batch in batches {
        match &mut open {
            Some(joining) if joining.takes(&batch) => joining.add(batch),
            _ => joined.extend(open.replace(Joining::new(batch)).map(Joining::finish)),
        }
    }
    joined.extend(open.map(Joining::finish));
    joined.into_iter().collect()
}

/// Batches that become one.
struct Joining {
    batches: Vec<RecordBatch>,
    rows: usize,
    /// The schema that all of them have so far, and their columns, once there are several schemas.
    schema: SchemaRef,
    columns: Option<IndexMap<String, DataType>>,
}

impl Joining {
    fn new(batch: RecordBatch) -> Self {
        Self { rows: batch.num_rows(), schema: batch.schema(), columns: None, batches: vec![batch] }
    }

    fn takes(&self, batch: &RecordBatch) -> bool {
        let schema = batch.schema_ref();
        if self.columns.is_none() && *schema == self.schema {
            return true;
        }
        // Of a name that one row has in a column and another one packed, only the column would be looked at.
        if self.schema.column_with_name(PACKED).is_some() || schema.column_with_name(PACKED).is_some() {
            return false;
        }
        let known = |name: &str| match &self.columns {
            Some(columns) => columns.get(name),
            None => self.schema.column_with_name(name).map(|(_, field)| field.data_type()),
        };
        let mut columns = self.columns.as_ref().map_or(self.schema.fields().len(), IndexMap::len);
        for field in schema.fields() {
            match known(field.name()) {
                Some(data_type) if data_type != field.data_type() => return false,
                Some(_) => {}
                None => columns += 1,
            }
        }
        columns.saturating_mul(self.rows + batch.num_rows()) <= MOST_CELLS
    }

    fn add(&mut self, batch: RecordBatch) {
        if self.columns.is_some() || *batch.schema_ref() != self.schema {
            let columns = |schema: &Schema| -> Vec<(String, DataType)> {
                schema.fields().iter().map(|field| (field.name().clone(), field.data_type().clone())).collect()
            };
            let known = self.columns.get_or_insert_with(|| columns(&self.schema).into_iter().collect());
            for (name, data_type) in columns(batch.schema_ref()) {
                known.entry(name).or_insert(data_type);
            }
        }
        self.rows += batch.num_rows();
        self.batches.push(batch);
    }

    fn finish(self) -> Result<RecordBatch> {
        let failed = || StoreError::arrow("joining spans");
        let Self { mut batches, schema, columns, .. } = self;
        if batches.len() == 1 {
            return Ok(batches.swap_remove(0));
        }
        let Some(columns) = columns else {
            return arrow::compute::concat_batches(&schema, &batches).map_err(failed());
        };
        let mut arrays: Vec<(String, ArrayRef)> = Vec::with_capacity(columns.len());
        for (name, data_type) in columns {
            let parts: Vec<ArrayRef> = batches
                .iter()
                .map(|batch| match batch.column_by_name(&name) {
                    Some(column) => Arc::clone(column),
                    None => new_null_array(&data_type, batch.num_rows()),
                })
                .collect();
            arrays.push((name, concat(&parts.iter().map(AsRef::as_ref).collect::<Vec<_>>()).map_err(failed())?));
        }
        RecordBatch::try_from_iter_with_nullable(arrays.into_iter().map(|(name, array)| (name, array, true)))
            .map_err(failed())
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, Float64Array, Int64Array, StringArray};

    use super::*;

    fn batch(columns: &[(&str, ArrayRef)]) -> RecordBatch {
        let columns = columns.iter().map(|(name, array)| (*name, Arc::clone(array), true));
        RecordBatch::try_from_iter_with_nullable(columns).unwrap()
    }

    fn text(values: &[&str]) -> ArrayRef {
        Arc::new(StringArray::from(values.to_vec()))
    }

    fn number(values: &[i64]) -> ArrayRef {
        Arc::new(Int64Array::from(values.to_vec()))
    }

    #[test]
    fn columns_that_are_missing_are_null() {
        let a = batch(&[("id", text(&["1", "2"])), ("n", number(&[1, 2]))]);
        let b = batch(&[("id", text(&["3"])), ("t", text(&["x"]))]);
        let joined = join(vec![a.clone(), a.clone(), b.clone(), a.slice(1, 1)]).unwrap();
        assert_eq!(joined.len(), 1);
        let ids = batch(&[("id", text(&["1", "2", "1", "2", "3", "2"]))]);
        assert_eq!(joined[0].column_by_name("id"), ids.column_by_name("id"));
        let n: &Int64Array = joined[0].column_by_name("n").unwrap().as_any().downcast_ref().unwrap();
        assert_eq!(n.iter().collect::<Vec<_>>(), [Some(1), Some(2), Some(1), Some(2), None, Some(2)]);
        assert_eq!(joined[0].column_by_name("t").unwrap().null_count(), 5);
    }

    #[test]
    fn other_types_and_packed_values_stay_apart() {
        let a = batch(&[("id", text(&["1"])), ("n", number(&[1]))]);
        let float: ArrayRef = Arc::new(Float64Array::from(vec![1.5]));
        let b = batch(&[("id", text(&["2"])), ("n", float)]);
        let packed = batch(&[("id", text(&["3"])), (PACKED, text(&["{}"]))]);
        assert_eq!(join(vec![a.clone(), b.clone(), a.clone()]).unwrap(), [a.clone(), b, a.clone()]);
        assert_eq!(join(vec![a.clone(), packed.clone()]).unwrap(), [a, packed.clone()]);
        assert_eq!(join(vec![packed.clone(), packed]).unwrap().len(), 1);
        assert_eq!(join(Vec::new()).unwrap(), []);
    }

    #[test]
    fn nulls_are_not_made_without_bound() {
        let wide = |from: usize| {
            let columns: Vec<(String, ArrayRef)> =
                (from..from + 3_000).map(|n| (format!("c{n}"), number(&[n as i64; 100]))).collect();
            RecordBatch::try_from_iter(columns).unwrap()
        };
        let joined = join((0..8).map(|n| wide(n * 3_000)).collect()).unwrap();
        assert!(joined.len() > 1);
        assert!(joined.iter().all(|batch| batch.num_rows() * batch.num_columns() <= MOST_CELLS));
    }
}
