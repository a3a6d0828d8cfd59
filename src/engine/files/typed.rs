//! The type of a column of texts: that of all its values.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, TimestampNanosecondArray};
use arrow::datatypes::DataType;
use spanql_model::time;

/// The column as numbers, truth values or times, where each of its values is one as a program writes it; else as it is.
///
/// Ids stay text whatever they look like: `007` and `7` are two.
pub(super) fn typed(name: &str, texts: &ArrayRef) -> ArrayRef {
    let Some(texts) = texts.as_string_opt::<i32>() else { return Arc::clone(texts) };
    let lower = name.to_lowercase();
    let is_id = lower == "id" || lower.ends_with("_id") || lower.ends_with(".id") || name.ends_with("Id");
    if is_id || texts.null_count() == texts.len() {
        return Arc::new(texts.clone());
    }
    let all = |reads: fn(&str) -> bool| texts.iter().flatten().all(reads);
    if all(|text| whole_number(text).is_some()) {
        Arc::new(texts.iter().map(|text| text.and_then(whole_number)).collect::<Int64Array>())
    } else if all(|text| number(text).is_some()) {
        Arc::new(texts.iter().map(|text| text.and_then(number)).collect::<Float64Array>())
    } else if all(|text| truth(text).is_some()) {
        Arc::new(texts.iter().map(|text| text.and_then(truth)).collect::<BooleanArray>())
    } else if all(|text| moment(text).is_some()) {
        let times = texts.iter().map(|text| text.and_then(moment)).collect::<TimestampNanosecondArray>();
        Arc::new(times.with_timezone("UTC"))
    } else {
        debug_assert_eq!(texts.data_type(), &DataType::Utf8);
        Arc::new(texts.clone())
    }
}

fn whole_number(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits == "0" || (digits.starts_with(|c: char| c.is_ascii_digit()) && !digits.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

fn number(text: &str) -> Option<f64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, _) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = digits.starts_with(|c: char| c.is_ascii_digit()) && (whole == "0" || !whole.starts_with('0'));
    if plain { text.parse().ok().filter(|number: &f64| number.is_finite()) } else { None }
}

fn truth(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

fn moment(text: &str) -> Option<i64> {
    if text.as_bytes().get(4) == Some(&b'-') { time::parse(text).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use arrow::array::StringArray;

    use super::*;

    #[test]
    fn a_type_is_that_of_all_values() {
        for (name, texts, expected) in [
            ("n", vec![Some("1"), None, Some("-20")], "Int64"),
            ("n", vec![Some("1"), Some("2.5")], "Float64"),
            ("n", vec![Some("007"), Some("8")], "Utf8"),
            ("span_id", vec![Some("1"), Some("2")], "Utf8"),
            ("ok", vec![Some("true"), Some("False")], "Boolean"),
            ("at", vec![Some("2026-01-31"), Some("2026-01-31 10:00")], "Timestamp(ns, \"UTC\")"),
            ("x", vec![Some("a"), Some("1")], "Utf8"),
            ("x", vec![None], "Utf8"),
        ] {
            let texts: ArrayRef = Arc::new(StringArray::from(texts));
            assert_eq!(typed(name, &texts).data_type().to_string(), expected, "{texts:?}");
        }
    }
}
