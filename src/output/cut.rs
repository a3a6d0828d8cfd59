//! Long texts cut short.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, GenericListArray, LargeStringArray, OffsetSizeTrait, RecordBatch, RecordBatchOptions,
    StringArray, StringArrayType, StringViewArray, StructArray,
};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

/// Cuts every text of more than `limit` characters after so many, adds `…`, and counts the cells concerned.
///
/// Reaches into dictionaries, lists and structs, so that they stay well-formed in every format; not into maps, where
/// two keys might become one.
pub fn cut_batch(batch: RecordBatch, limit: usize) -> Result<(RecordBatch, u64), ArrowError> {
    let mut cells = 0;
    let mut columns = batch.columns().to_vec();
    for column in &mut columns {
        if let Some(cut) = cut_array(column, limit)? {
            cells += cut.rows.iter().filter(|cut| **cut).count() as u64;
            *column = cut.array;
        }
    }
    if cells == 0 {
        return Ok((batch, 0));
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok((RecordBatch::try_new_with_options(batch.schema(), columns, &options)?, cells))
}

struct Cut {
    array: ArrayRef,
    /// Per row, whether anything in it was cut.
    rows: Vec<bool>,
}

/// `None` if nothing is too long.
fn cut_array(array: &ArrayRef, limit: usize) -> Result<Option<Cut>, ArrowError> {
    Ok(match array.data_type() {
        DataType::Utf8 => cut_texts::<_, StringArray>(array.as_string::<i32>(), limit),
        DataType::LargeUtf8 => cut_texts::<_, LargeStringArray>(array.as_string::<i64>(), limit),
        DataType::Utf8View => cut_texts::<_, StringViewArray>(array.as_string_view(), limit),
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            cut_array(dictionary.values(), limit)?.map(|cut| {
                let keys = dictionary.normalized_keys();
                let rows = keys.iter().enumerate().map(|(row, key)| array.is_valid(row) && cut.rows[*key]).collect();
                Cut { array: dictionary.with_values(cut.array), rows }
            })
        }
        DataType::List(_) => cut_list::<i32>(array, limit)?,
        DataType::LargeList(_) => cut_list::<i64>(array, limit)?,
        DataType::Struct(fields) => {
            let group = array.as_struct();
            let mut columns = group.columns().to_vec();
            let mut rows = vec![false; array.len()];
            for column in &mut columns {
                if let Some(cut) = cut_array(column, limit)? {
                    for (row, cut) in rows.iter_mut().zip(cut.rows) {
                        *row |= cut;
                    }
                    *column = cut.array;
                }
            }
            if rows.contains(&true) {
                for (at, row) in rows.iter_mut().enumerate() {
                    *row &= array.is_valid(at);
                }
                let array = StructArray::try_new(fields.clone(), columns, group.nulls().cloned())?;
                Some(Cut { array: Arc::new(array), rows })
            } else {
                None
            }
        }
        _ => None,
    })
}

fn cut_list<O: OffsetSizeTrait>(array: &ArrayRef, limit: usize) -> Result<Option<Cut>, ArrowError> {
    let list = array.as_list::<O>();
    let Some(cut) = cut_array(list.values(), limit)? else { return Ok(None) };
    let field = match array.data_type() {
        DataType::List(field) | DataType::LargeList(field) => Arc::clone(field),
        other => return Err(ArrowError::SchemaError(format!("{other} is no list"))),
    };
    let bounds = list.value_offsets().windows(2).enumerate();
    let rows = bounds.map(|(row, bounds)| {
        array.is_valid(row) && cut.rows[bounds[0].as_usize()..bounds[1].as_usize()].contains(&true)
    });
    let rows = rows.collect();
    let array = GenericListArray::<O>::try_new(field, list.offsets().clone(), cut.array, list.nulls().cloned())?;
    Ok(Some(Cut { array: Arc::new(array), rows }))
}

fn cut_texts<'a, A, B>(array: A, limit: usize) -> Option<Cut>
where
    A: StringArrayType<'a>,
    B: FromIterator<Option<Cow<'a, str>>> + Array + 'static,
{
    let rows: Vec<bool> = array.iter().map(|text| text.is_some_and(|text| end(text, limit).is_some())).collect();
    if !rows.contains(&true) {
        return None;
    }
    let shorten = |text: &'a str| match end(text, limit) {
        Some(end) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    };
    let array: B = array.iter().map(|text| text.map(shorten)).collect();
    Some(Cut { array: Arc::new(array), rows })
}

/// Where a text of more than `limit` characters is to end.
fn end(text: &str, limit: usize) -> Option<usize> {
    if text.len() <= limit {
        return None;
    }
    text.char_indices().nth(limit).map(|(end, _)| end)
}

#[cfg(test)]
mod tests {
    use arrow::array::{DictionaryArray, Int64Array, ListArray, StringArray, StringViewArray};
    use arrow::datatypes::{Field, Int32Type, Schema};

    use super::*;

    fn batch(columns: Vec<ArrayRef>) -> RecordBatch {
        let fields: Vec<_> = columns.iter().map(|c| Field::new("c", c.data_type().clone(), true)).collect();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
    }

    #[test]
    fn cuts_and_counts_cells() {
        let text: ArrayRef = Arc::new(StringArray::from(vec![Some("日本語テスト"), Some("abc"), None]));
        let views: ArrayRef = Arc::new(StringViewArray::from(vec!["abcd", "", "abcdefghijklmnopqrstuvwxyz"]));
        let words: ArrayRef = Arc::new(DictionaryArray::<Int32Type>::from_iter(["long one", "ok", "long one"]));
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![123_456, 1, 2]));
        let mut lists = arrow::array::ListBuilder::new(arrow::array::StringBuilder::new());
        lists.append_value([Some("abcd"), Some("efgh")]);
        lists.append_null();
        lists.append_value([Some("x"), None]);
        let lists: ArrayRef = Arc::new(lists.finish());

        let whole = batch(vec![text, views, words, numbers, lists]);
        let (cut, cells) = cut_batch(whole.clone(), 3).unwrap();
        assert_eq!(cells, 1 + 2 + 2 + 1);
        let expected = StringArray::from(vec![Some("日本語…"), Some("abc"), None]);
        assert_eq!(cut.column(0).as_string::<i32>(), &expected);
        assert_eq!(cut.column(1).as_string_view(), &StringViewArray::from(vec!["abc…", "", "abc…"]));
        let list: &ListArray = cut.column(4).as_list();
        assert_eq!(list.value(0).as_string::<i32>(), &StringArray::from(vec!["abc…", "efg…"]));

        let (_, cells) = cut_batch(whole.slice(1, 2), 3).unwrap();
        assert_eq!(cells, 2, "cells outside a slice do not count");
        assert_eq!(cut_batch(whole.clone(), 30).unwrap(), (whole, 0));
    }
}
