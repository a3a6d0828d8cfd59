//! Values of attributes as JSON, and texts cut short.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use spanql_model::columns::Content;
use spanql_model::json::unescaped;

/// What stands at the end of a text that was cut.
const CUT: char = '…';

/// JSON of a value; `None` for null, and for what JSON cannot say.
pub(super) fn json(value: impl serde::Serialize) -> Option<Box<RawValue>> {
    to_raw_value(&value).ok()
}

/// The text, or as much of it as fits into `length` characters, the last of which then says that it was cut.
pub(super) fn cut_text(text: &str, length: Option<usize>) -> std::borrow::Cow<'_, str> {
    let too_long = length.filter(|length| text.len() > *length && text.chars().nth(*length).is_some());
    match too_long {
        Some(length) => text.chars().take(length - 1).chain([CUT]).collect::<String>().into(),
        None => text.into(),
    }
}

/// The value of a column in a row, with its texts cut.
pub(super) fn cell(array: &dyn Array, row: usize, content: Content, cut: Option<usize>) -> Option<Box<RawValue>> {
    if array.is_null(row) {
        return None;
    }
    match array.data_type() {
        DataType::Utf8 => text(array.as_string::<i32>().value(row), content, cut),
        DataType::Boolean => json(array.as_boolean().value(row)),
        DataType::Int64 => json(array.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => {
            let number = array.as_primitive::<Float64Type>().value(row);
            number.is_finite().then(|| json(number)).flatten()
        }
        DataType::List(_) => {
            let list = array.as_list::<i32>().value(row);
            json((0..list.len()).map(|at| cell(&list, at, Content::Scalar, cut)).collect::<Vec<_>>())
        }
        _ => None,
    }
}

fn text(text: &str, content: Content, cut: Option<usize>) -> Option<Box<RawValue>> {
    match content {
        Content::Scalar => json(cut_text(text, cut)),
        Content::JsonList => match serde_json::from_str::<Vec<&RawValue>>(text) {
            Ok(elements) => {
                let element = |raw: &RawValue| (raw.get() != "null").then(|| cut_text(raw.get(), cut).into_owned());
                json(elements.into_iter().map(element).collect::<Vec<_>>())
            }
            Err(_) => json([cut_text(text, cut)]),
        },
        Content::JsonObject => object(text, cut).or_else(|| json(cut_text(text, cut))),
    }
}

/// A JSON object as it was written, or with its texts cut; `None` for other text.
fn object(text: &str, cut: Option<usize>) -> Option<Box<RawValue>> {
    if !text.starts_with('{') {
        return None;
    }
    match cut {
        None => RawValue::from_string(text.to_owned()).ok(),
        Some(_) => {
            let mut value: Value = serde_json::from_str(text).ok()?;
            cut_texts(&mut value, cut);
            json(value)
        }
    }
}

fn cut_texts(value: &mut Value, cut: Option<usize>) {
    match value {
        Value::String(text) => *text = cut_text(text, cut).into_owned(),
        Value::Array(list) => list.iter_mut().for_each(|value| cut_texts(value, cut)),
        Value::Object(members) => members.values_mut().for_each(|value| cut_texts(value, cut)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A JSON scalar or text found inside another JSON text, with its texts cut.
pub(super) fn raw(value: &RawValue, cut: Option<usize>) -> Option<Box<RawValue>> {
    let text = value.get();
    if text == "null" {
        return None;
    }
    match (cut, text.strip_prefix('"').and_then(|text| text.strip_suffix('"'))) {
        (Some(_), Some(body)) => json(cut_text(&unescaped(body), cut)),
        _ => Some(value.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_by_characters() {
        for (text, length, expected) in [
            ("größer", 6, "größer"),
            ("größer", 5, "größ…"),
            ("größer", 1, "…"),
            ("", 1, ""),
            ("a", 1, "a"),
            ("日本語", 2, "日…"),
        ] {
            assert_eq!(cut_text(text, Some(length)), expected);
            assert!(cut_text(text, Some(length)).chars().count() <= length);
        }
        assert_eq!(cut_text("größer", None), "größer");
    }

    #[test]
    fn objects_keep_their_text_unless_cut() {
        let metadata = r#"{"n": 1.50, "big": 123456789012345678901, "t": {"x": ["abcdef"]}}"#;
        let json = |cut| text(metadata, Content::JsonObject, cut).unwrap().get().to_owned();
        assert_eq!(json(None), metadata);
        let cut: Value = serde_json::from_str(&json(Some(3))).unwrap();
        assert_eq!(cut["t"]["x"][0], "ab…");
        assert_eq!(text("no object", Content::JsonObject, Some(3)).unwrap().get(), "\"no…\"");
        let list = text(r#"[{"a": 1},null,"x"]"#, Content::JsonList, None).unwrap();
        assert_eq!(list.get(), r#"["{\"a\": 1}",null,"\"x\""]"#);
    }
}
