//! Changing the texts of columns, however they lie in them.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeListArray, LargeListArray, LargeStringArray, ListArray, MapArray, RecordBatch,
    RecordBatchOptions, StringArray, StringViewArray, StructArray,
};
use arrow::datatypes::{DataType, Field};
use arrow::error::ArrowError;

/// What a text becomes; `None` where it stays.
pub type Change<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Changes all texts of a batch but those of the columns with these names; dictionaries, lists, structs and maps are
/// reached into.
///
/// # Errors
/// When an array cannot be made again.
pub fn change_batch(batch: &RecordBatch, kept: &[&str], change: Change<'_>) -> Result<RecordBatch, ArrowError> {
    let fields = batch.schema_ref().fields().iter();
    let arrays = fields.zip(batch.columns()).map(|(field, array)| match kept.contains(&field.name().as_str()) {
        true => Ok(Arc::clone(array)),
        false => change_array(array, change),
    });
    let arrays = arrays.collect::<Result<Vec<_>, ArrowError>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(batch.schema(), arrays, &options)
}

fn field(field: &Arc<Field>) -> Arc<Field> {
    Arc::clone(field)
}

/// The same of one column.
///
/// # Errors
/// When the array cannot be made again.
pub fn change_array(array: &ArrayRef, change: Change<'_>) -> Result<ArrayRef, ArrowError> {
    Ok(match array.data_type() {
        DataType::Utf8 => match replaced(change, array.as_string::<i32>().iter()) {
            None => Arc::clone(array),
            Some(texts) => Arc::new(StringArray::from(texts)),
        },
        DataType::LargeUtf8 => match replaced(change, array.as_string::<i64>().iter()) {
            None => Arc::clone(array),
            Some(texts) => Arc::new(LargeStringArray::from(texts)),
        },
        DataType::Utf8View => match replaced(change, array.as_string_view().iter()) {
            None => Arc::clone(array),
            Some(texts) => Arc::new(StringViewArray::from_iter(texts)),
        },
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            dictionary.with_values(change_array(dictionary.values(), change)?)
        }
        DataType::List(item) => {
            let list = array.as_list::<i32>();
            let values = change_array(list.values(), change)?;
            Arc::new(ListArray::try_new(field(item), list.offsets().clone(), values, list.nulls().cloned())?)
        }
        DataType::LargeList(item) => {
            let list = array.as_list::<i64>();
            let values = change_array(list.values(), change)?;
            Arc::new(LargeListArray::try_new(field(item), list.offsets().clone(), values, list.nulls().cloned())?)
        }
        DataType::FixedSizeList(item, size) => {
            let list = array.as_fixed_size_list();
            let values = change_array(list.values(), change)?;
            Arc::new(FixedSizeListArray::try_new(field(item), *size, values, list.nulls().cloned())?)
        }
        DataType::Struct(fields) => {
            let of = array.as_struct();
            let columns = of.columns().iter().map(|column| change_array(column, change));
            let columns = columns.collect::<Result<Vec<_>, ArrowError>>()?;
            Arc::new(StructArray::try_new(fields.clone(), columns, of.nulls().cloned())?)
        }
        DataType::Map(entries, sorted) => {
            let map = array.as_map();
            let inner: ArrayRef = Arc::new(map.entries().clone());
            let inner = change_array(&inner, change)?;
            let inner = inner.as_struct().clone();
            Arc::new(MapArray::try_new(field(entries), map.offsets().clone(), inner, map.nulls().cloned(), *sorted)?)
        }
        _ => Arc::clone(array),
    })
}

/// The texts as they become; `None` where none of them changes.
fn replaced<'a>(
    change: Change<'_>,
    texts: impl Iterator<Item = Option<&'a str>> + Clone,
) -> Option<Vec<Option<String>>> {
    let mut before = texts.clone();
    let mut seen = 0;
    let first = before.find_map(|text| {
        seen += 1;
        text.and_then(change)
    })?;
    let mut out: Vec<Option<String>> = texts.take(seen - 1).map(|text| text.map(str::to_owned)).collect();
    out.push(Some(first));
    out.extend(before.map(|text| text.map(|text| change(text).unwrap_or_else(|| text.to_owned()))));
    Some(out)
}
