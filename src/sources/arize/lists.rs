//! Columns that Arize sends as lists of JSON texts, as the JSON lists they stand for.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;

use spanql_model::columns::{self, Content, NOTES};
use spanql_model::json::{MAX_DEPTH, Scanner, write_string};

/// The batch with such columns as JSON text; all others as they are.
///
/// Each element is JSON text of its own, so that of a plain string has quotes. An element that is no JSON text is taken
/// for a plain string.
pub(super) fn joined(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = batch.schema();
    let (mut fields, mut arrays) = (Vec::with_capacity(batch.num_columns()), Vec::with_capacity(batch.num_columns()));
    for (field, array) in schema.fields().iter().zip(batch.columns()) {
        if is_list(field.name()) && holds_texts(field.data_type()) {
            fields.push(Arc::new(Field::new(field.name(), DataType::Utf8, true)));
            arrays.push(texts(array)?);
        } else {
            fields.push(Arc::clone(field));
            arrays.push(Arc::clone(array));
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
}

fn is_list(name: &str) -> bool {
    name == NOTES || columns::canonical(name).is_some_and(|column| column.content == Content::JsonList)
}

fn holds_texts(data_type: &DataType) -> bool {
    match data_type {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            matches!(item.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
        }
        _ => false,
    }
}

fn texts(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let lists = cast(array, &DataType::new_list(DataType::Utf8, true))?;
    let lists: &ListArray = lists.as_list();
    let elements = lists.values().as_string::<i32>();
    let mut out = StringBuilder::new();
    let mut text = String::new();
    for (row, places) in lists.value_offsets().windows(2).enumerate() {
        if lists.is_null(row) {
            out.append_null();
            continue;
        }
        text.clear();
        text.push('[');
        let first = places[0] as usize;
        for at in first..places[1] as usize {
            if at > first {
                text.push(',');
            }
            match elements.is_valid(at).then(|| elements.value(at)) {
                None => text.push_str("null"),
                Some(json) if is_json(json) => text.push_str(json),
                Some(plain) => write_string(plain, &mut text),
            }
        }
        text.push(']');
        out.append_value(&text);
    }
    Ok(Arc::new(out.finish()))
}

fn is_json(text: &str) -> bool {
    let mut scanner = Scanner::new(text);
    scanner.blanks();
    scanner.value(MAX_DEPTH).and_then(|_| scanner.end()).is_ok()
}

#[cfg(test)]
mod tests {
    use arrow::array::{LargeListBuilder, ListBuilder, StringViewBuilder};

    use super::*;

    #[test]
    fn elements_are_json_of_their_own() {
        let mut tools = ListBuilder::new(StringBuilder::new());
        tools.append_value([Some("{\"a\": 1}"), Some("\"plain\""), Some("5"), None, Some("say \"hi\""), Some("")]);
        tools.append_null();
        tools.append_value([None::<&str>; 0]);
        let mut notes = LargeListBuilder::new(StringViewBuilder::new());
        for _ in 0..3 {
            notes.append_value([Some("[1]")]);
        }
        let mut other = ListBuilder::new(StringBuilder::new());
        for _ in 0..3 {
            other.append_value([Some("5")]);
        }
        let columns: [(&str, ArrayRef); 3] = [
            ("attributes.llm.tools", Arc::new(tools.finish())),
            (NOTES, Arc::new(notes.finish())),
            ("attributes.tags", Arc::new(other.finish())),
        ];
        let batch = joined(&RecordBatch::try_from_iter(columns).unwrap()).unwrap();
        let text = |at: usize| batch.column(at).as_string::<i32>().iter().collect::<Vec<_>>();
        assert_eq!(text(0), [Some(r#"[{"a": 1},"plain",5,null,"say \"hi\"",""]"#), None, Some("[]")]);
        assert_eq!(text(1), [Some("[[1]]"); 3]);
        assert_eq!(batch.column(2).data_type(), &DataType::new_list(DataType::Utf8, true));
    }
}
