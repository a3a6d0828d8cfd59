//! Redacting columns.

use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::error::ArrowError;

use super::redactor::Redactor;
use super::text::redacted;
use crate::columns;
use crate::texts::{change_array, change_batch};

/// Columns that are kept as they are: without them nothing could be found again.
const KEPT: [&str; 14] = [
    columns::PROJECT,
    "source",
    columns::TRACE_ID,
    columns::SPAN_ID,
    columns::PARENT_ID,
    columns::SESSION_ID,
    "trace_id",
    "span_id",
    "root_span_id",
    "first_span_id",
    "tree.root_id",
    "session_id",
    "session_ids",
    columns::KIND,
];

impl Redactor {
    /// The texts of a column, however they lie in it.
    ///
    /// # Errors
    /// When the array cannot be made again.
    pub fn array(&self, array: &Arc<dyn Array>) -> Result<Arc<dyn Array>, ArrowError> {
        change_array(array, &|text| redacted(self, text))
    }

    /// All texts of a batch, but for ids of traces, spans and sessions, and names of projects and sources.
    ///
    /// # Errors
    /// When an array cannot be made again.
    pub fn batch(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        change_batch(batch, &KEPT, &|text| redacted(self, text))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use arrow::array::{
        Array, ArrayRef, AsArray, DictionaryArray, Int64Array, RecordBatch, StringArray, StringViewArray,
    };
    use arrow::datatypes::Int32Type;

    use super::Redactor;

    #[test]
    fn texts_are_redacted_wherever_they_lie() {
        let redactor = Redactor::new([1; 32], BTreeMap::new()).unwrap();
        let texts = || vec![None, Some("plain"), Some("ada@example.org")];
        let list: ArrayRef = {
            let mut lists = arrow::array::ListBuilder::new(arrow::array::StringBuilder::new());
            for text in texts() {
                lists.append_value([text]);
            }
            Arc::new(lists.finish())
        };
        let named = arrow::array::StructArray::try_from(vec![("a", Arc::new(StringArray::from(texts())) as ArrayRef)]);
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("context.trace_id", Arc::new(StringArray::from(texts()))),
            ("user", Arc::new(StringArray::from(texts()))),
            ("view", Arc::new(StringViewArray::from(texts()))),
            ("words", Arc::new(texts().into_iter().collect::<DictionaryArray<Int32Type>>())),
            ("list", list),
            ("struct", Arc::new(named.unwrap())),
            ("number", Arc::new(Int64Array::from(vec![1, 2, 4_111_111_111_111_111]))),
        ];
        let before = RecordBatch::try_from_iter(columns).unwrap();
        let after = redactor.batch(&before).unwrap();
        assert_eq!(after.schema(), before.schema());
        assert_eq!(after.column(0), before.column(0));
        assert_eq!(after.column(6), before.column(6));
        let placeholder = redactor.text("ada@example.org").into_owned();
        for at in 1..6 {
            let shown = arrow::util::display::array_value_to_string(after.column(at), 2).unwrap();
            assert!(shown.contains(&placeholder) && !shown.contains("ada@"), "{at}: {shown}");
            assert_eq!(after.column(at).is_null(0), before.column(at).is_null(0));
        }
        assert_eq!(after.column(1).as_string::<i32>().value(1), "plain");
    }
}
