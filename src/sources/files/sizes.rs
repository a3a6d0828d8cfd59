//! How many bytes of text each row of a batch comes to once it is written out: values that a dictionary, a run or a view
//! holds once count for each row that names them.

use arrow::array::{Array, ArrayRef, AsArray, RunArray};
use arrow::datatypes::{DataType, Int16Type, Int32Type, Int64Type, RunEndIndexType};

/// No value is larger than this; sums of as many as an array may have stay within 64 bits.
const MOST: u64 = 1 << 32;

/// The bytes of each value of an array.
pub(super) fn sizes(array: &ArrayRef) -> Vec<u64> {
    let rows = array.len();
    match array.data_type() {
        DataType::Utf8 => pairs(array.as_string::<i32>().value_offsets()),
        DataType::Binary => pairs(array.as_binary::<i32>().value_offsets()),
        DataType::LargeUtf8 => pairs(array.as_string::<i64>().value_offsets()),
        DataType::LargeBinary => pairs(array.as_binary::<i64>().value_offsets()),
        // The lower half of a view's first word is the length.
        DataType::Utf8View => array.as_string_view().views().iter().map(|view| u64::from(*view as u32)).collect(),
        DataType::BinaryView => array.as_binary_view().views().iter().map(|view| u64::from(*view as u32)).collect(),
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let values = sizes(dictionary.values());
            if values.is_empty() {
                return vec![0; rows];
            }
            let keys = dictionary.normalized_keys();
            keys.into_iter().map(|key| values.get(key).copied().unwrap_or(0)).collect()
        }
        DataType::RunEndEncoded(ends, _) => match ends.data_type() {
            DataType::Int16 => runs::<Int16Type>(array),
            DataType::Int32 => runs::<Int32Type>(array),
            _ => runs::<Int64Type>(array),
        },
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            lists(list.values(), spans(list.value_offsets()))
        }
        DataType::LargeList(_) => {
            let list = array.as_list::<i64>();
            lists(list.values(), spans(list.value_offsets()))
        }
        DataType::ListView(_) => {
            let list = array.as_list_view::<i32>();
            let spans = list.value_offsets().iter().zip(list.value_sizes());
            lists(list.values(), spans.map(|(from, length)| (*from as usize, *length as usize)).collect())
        }
        DataType::LargeListView(_) => {
            let list = array.as_list_view::<i64>();
            let spans = list.value_offsets().iter().zip(list.value_sizes());
            lists(list.values(), spans.map(|(from, length)| (*from as usize, *length as usize)).collect())
        }
        DataType::FixedSizeList(_, length) => {
            let length = usize::try_from(*length).unwrap_or(0);
            let list = array.as_fixed_size_list();
            lists(list.values(), (0..rows).map(|row| (row * length, length)).collect())
        }
        DataType::Map(..) => {
            let map = array.as_map();
            let entries: ArrayRef = std::sync::Arc::new(map.entries().clone());
            lists(&entries, spans(map.value_offsets()))
        }
        DataType::Struct(_) => {
            let mut total = vec![0; rows];
            for member in array.as_struct().columns() {
                for (total, size) in total.iter_mut().zip(sizes(member)) {
                    *total = (*total + size).min(MOST);
                }
            }
            total
        }
        DataType::FixedSizeBinary(width) => vec![u64::try_from(*width).unwrap_or(0); rows],
        DataType::Union(..) => vec![(array.get_buffer_memory_size() / rows.max(1)) as u64; rows],
        plain => vec![plain.primitive_width().unwrap_or(1) as u64; rows],
    }
}

/// Lengths from offsets.
fn pairs<T: Copy + TryInto<i64>>(offsets: &[T]) -> Vec<u64> {
    let offset = |at: T| at.try_into().unwrap_or(0);
    offsets.windows(2).map(|pair| (offset(pair[1]) - offset(pair[0])).max(0) as u64).collect()
}

/// Where each list begins, and how many elements it has.
fn spans<T: Copy + TryInto<usize>>(offsets: &[T]) -> Vec<(usize, usize)> {
    let offset = |at: T| at.try_into().unwrap_or(0);
    offsets.windows(2).map(|pair| (offset(pair[0]), offset(pair[1]).saturating_sub(offset(pair[0])))).collect()
}

fn runs<R: RunEndIndexType>(array: &ArrayRef) -> Vec<u64> {
    let Some(runs) = array.as_any().downcast_ref::<RunArray<R>>() else { return vec![0; array.len()] };
    let values = sizes(runs.values());
    (0..runs.len()).map(|row| values.get(runs.get_physical_index(row)).copied().unwrap_or(0)).collect()
}

/// The bytes of lists of elements, with what stands between these in JSON.
fn lists(elements: &ArrayRef, lists: Vec<(usize, usize)>) -> Vec<u64> {
    if let Some(width) = elements.data_type().primitive_width() {
        return lists.into_iter().map(|(_, length)| (length as u64 * (width as u64 + 1)).min(MOST)).collect();
    }
    let from = lists.iter().filter(|(_, length)| *length > 0).map(|(from, _)| *from).min().unwrap_or(0);
    let to = lists.iter().map(|(from, length)| from + length).max().unwrap_or(0).clamp(from, elements.len());
    let mut sums = vec![0; to - from + 1];
    for (at, size) in sizes(&elements.slice(from, to - from)).into_iter().enumerate() {
        sums[at + 1] = sums[at] + size.min(MOST) + 3;
    }
    let sum = |at: usize| sums[at.clamp(from, to) - from];
    lists.into_iter().map(|(from, length)| (sum(from + length) - sum(from)).min(MOST)).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{DictionaryArray, Int64Array, ListBuilder, StringArray, StringBuilder, StringViewArray};
    use arrow::compute::cast;

    use super::*;

    #[test]
    fn what_is_held_once_counts_for_each_row() {
        let texts = ["aaaa", "", "aaaa", "bb"];
        let plain: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
        let dictionary: ArrayRef = Arc::new(texts.into_iter().collect::<DictionaryArray<Int32Type>>());
        let views: ArrayRef = Arc::new(StringViewArray::from(texts.to_vec()));
        let ends = arrow::array::Int32Array::from(vec![3, 4]);
        let runs: ArrayRef = Arc::new(RunArray::try_new(&ends, &StringArray::from(vec!["aaaa", "bb"])).unwrap());
        for array in [&plain, &dictionary, &views, &cast(&plain, &DataType::LargeBinary).unwrap()] {
            assert_eq!(sizes(array), [4, 0, 4, 2], "{}", array.data_type());
            assert_eq!(sizes(&array.slice(2, 2)), [4, 2], "{}", array.data_type());
        }
        assert_eq!(sizes(&runs), [4, 4, 4, 2]);
        assert_eq!(sizes(&runs.slice(2, 2)), [4, 2]);
        let mut list = ListBuilder::new(StringBuilder::new());
        list.append_value([Some("aaaa"), Some("b")]);
        list.append_null();
        list.append_value([Some("cc")]);
        let list: ArrayRef = Arc::new(list.finish());
        assert_eq!(sizes(&list), [11, 0, 5]);
        assert_eq!(sizes(&list.slice(2, 1)), [5]);
        assert_eq!(sizes(&cast(&list, &DataType::ListView(list_item())).unwrap()), [11, 0, 5]);
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        assert_eq!(sizes(&numbers), [8, 8]);
    }

    fn list_item() -> arrow::datatypes::FieldRef {
        Arc::new(arrow::datatypes::Field::new_list_field(DataType::Utf8, true))
    }
}
