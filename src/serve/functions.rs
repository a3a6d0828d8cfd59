//! Functions of the queries that a server makes: lists of JSON text taken apart, and the choice of whole traces.

use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, ListArray, ListBuilder, StringArray, StringBuilder};
use arrow::datatypes::{DataType, Field};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, Expr, Volatility, create_udf};
use twox_hash::XxHash64;

use spanql_model::json::{self, Value};

/// How an element of a list is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Elements {
    /// As its JSON text.
    Verbatim,
    /// As its JSON text, or what it holds if it is a string: notes are JSON text in strings.
    Unquoted,
}

/// The type of a list of texts.
pub(super) fn text_list_type() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)))
}

/// JSON text of a list as a list of its elements' texts.
///
/// A null element is null; text that is no JSON list is a list of that one text.
pub(super) fn elements(column: Expr, form: Elements) -> Expr {
    let name = match form {
        Elements::Verbatim => "json_elements",
        Elements::Unquoted => "json_notes",
    };
    let take = move |arguments: &[ColumnarValue]| -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(arguments)?;
        Ok(ColumnarValue::Array(Arc::new(lists(arrays[0].as_string::<i32>(), form))))
    };
    create_udf(name, vec![DataType::Utf8], text_list_type(), Volatility::Immutable, Arc::new(take)).call(vec![column])
}

fn lists(texts: &StringArray, form: Elements) -> ListArray {
    let mut lists = ListBuilder::new(StringBuilder::with_capacity(texts.len(), texts.value_data().len()));
    for text in texts {
        let Some(text) = text else {
            lists.append(false);
            continue;
        };
        match json::elements(text) {
            Some(elements) => elements.into_iter().for_each(|element| append(lists.values(), element, form)),
            None => lists.values().append_value(text),
        }
        lists.append(true);
    }
    lists.finish()
}

fn append(values: &mut StringBuilder, element: Value<'_>, form: Elements) {
    match (element, form) {
        (Value::Null, _) => values.append_null(),
        (Value::Text(text), Elements::Unquoted) => values.append_value(text),
        (Value::Escaped(body), Elements::Unquoted) => values.append_value(json::unescaped(body)),
        _ => values.append_value(element.written()),
    }
}

/// Whether a trace is in the sample: all its spans are or none, and the same ones every time and in every store.
///
/// `rate` is above 0 and below 1; a trace of a smaller sample is in every larger one.
pub(super) fn sampled(trace_id: Expr, rate: f64) -> Expr {
    let end = (rate * 2f64.powi(64)) as u64;
    let choose = move |arguments: &[ColumnarValue]| -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(arguments)?;
        let ids = arrays[0].as_string::<i32>();
        let inside: BooleanArray =
            ids.iter().map(|id| id.map(|id| XxHash64::oneshot(0, id.as_bytes()) < end)).collect();
        Ok(ColumnarValue::Array(Arc::new(inside)))
    };
    create_udf("in_sample", vec![DataType::Utf8], DataType::Boolean, Volatility::Immutable, Arc::new(choose))
        .call(vec![trace_id])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(text: &str, form: Elements) -> Vec<Option<String>> {
        let lists = lists(&StringArray::from(vec![text]), form);
        lists.value(0).as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect()
    }

    #[test]
    fn elements_keep_their_text() {
        let text = r#"[{"a" : 1.50},"x\u0041",null,[1, 2],7]"#;
        let some = |texts: [Option<&str>; 5]| texts.map(|text| text.map(str::to_owned)).to_vec();
        let all = [Some("{\"a\" : 1.50}"), Some("\"x\\u0041\""), None, Some("[1, 2]"), Some("7")];
        assert_eq!(taken(text, Elements::Verbatim), some(all));
        let all = [Some("{\"a\" : 1.50}"), Some("xA"), None, Some("[1, 2]"), Some("7")];
        assert_eq!(taken(text, Elements::Unquoted), some(all));
        assert_eq!(taken("[]", Elements::Verbatim), []);
        assert_eq!(taken("{\"a\":1}", Elements::Verbatim), [Some("{\"a\":1}".to_owned())]);
        assert_eq!(taken("no json", Elements::Verbatim), [Some("no json".to_owned())]);
        assert!(lists(&StringArray::from(vec![None::<&str>]), Elements::Verbatim).is_null(0));
    }
}
