//! Values of OTLP's attributes: each an object that names its type, as `{"stringValue": "x"}`.

use spanql_model::json::{Value, elements, text_of, write_string};

use super::parts::Parts;
use super::row::{Row, write_value};

/// Adds attributes, a list of objects with `key` and `value`, each under its name behind a prefix.
pub(super) fn add_attributes(row: &mut Row, prefix: &str, list: Option<Value<'_>>) {
    // Some writers have a plain object instead.
    if let Some(Value::Nested(object)) = list
        && let Some(plain) = Parts::read(object)
    {
        return plain.members.iter().for_each(|member| row.under(prefix, &member.key, member.value));
    }
    for (key, value) in pairs(list) {
        row.with(prefix, &key, |out| write_any(value, out));
    }
}

/// The attributes of a list, as keys and their values, which are objects.
pub(super) fn pairs(list: Option<Value<'_>>) -> Vec<(String, Value<'_>)> {
    let Some(Value::Nested(list)) = list else { return vec![] };
    let pair = |element| match element {
        Value::Nested(object) => {
            let parts = Parts::read(object)?;
            Some((text_of(parts.get("key")?)?, parts.get("value")?))
        }
        _ => None,
    };
    elements(list).unwrap_or_default().into_iter().filter_map(pair).collect()
}

/// Appends the value as JSON; nothing where it has none.
pub(super) fn write_any(value: Value<'_>, out: &mut String) {
    let Value::Nested(object) = value else { return write_plain(value, out) };
    let Some(parts) = Parts::read(object) else { return write_plain(value, out) };
    for member in parts.members.iter().filter(|member| member.value != Value::Null) {
        match (member.key.as_ref(), member.value) {
            ("stringValue" | "string_value" | "bytesValue" | "bytes_value", text) => return write_text(text, out),
            ("boolValue" | "bool_value", flag) => return write_value(flag, out),
            ("intValue" | "int_value" | "doubleValue" | "double_value", number) => return write_number(number, out),
            ("arrayValue" | "array_value", list) => return write_list(list, out),
            ("kvlistValue" | "kvlist_value", list) => return write_object(list, out),
            _ => {}
        }
    }
}

fn write_plain(value: Value<'_>, out: &mut String) {
    if value != Value::Null {
        write_value(value, out);
    }
}

fn write_text(value: Value<'_>, out: &mut String) {
    match value {
        Value::Text(_) | Value::Escaped(_) => write_value(value, out),
        // A writer that does not quote.
        other => write_string(&text_of(other).unwrap_or_default(), out),
    }
}

/// Numbers are written as text where JSON's readers would round them, and where they are not finite.
fn write_number(value: Value<'_>, out: &mut String) {
    match value {
        Value::Text(text @ ("NaN" | "Infinity" | "-Infinity")) => out.push_str(text),
        Value::Text(text) if is_number(text) => out.push_str(text),
        other => write_value(other, out),
    }
}

/// Whether a text is a number of JSON.
pub(super) fn is_number(text: &str) -> bool {
    matches!(spanql_model::json::read(text), Some(Value::Number(number)) if number.len() == text.len())
}

fn write_list(value: Value<'_>, out: &mut String) {
    out.push('[');
    for (at, element) in values(value).into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write_or_null(element, out);
    }
    out.push(']');
}

fn write_object(value: Value<'_>, out: &mut String) {
    let list = match value {
        Value::Nested(object) if object.starts_with('{') => Parts::read(object).and_then(|parts| parts.get("values")),
        list => Some(list),
    };
    out.push('{');
    for (at, (key, value)) in pairs(list).into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write_string(&key, out);
        out.push(':');
        write_or_null(value, out);
    }
    out.push('}');
}

fn write_or_null(value: Value<'_>, out: &mut String) {
    let before = out.len();
    write_any(value, out);
    if out.len() == before {
        out.push_str("null");
    }
}

/// The elements of an array value, which lie under `values`.
fn values(value: Value<'_>) -> Vec<Value<'_>> {
    let Value::Nested(text) = value else { return vec![] };
    let list =
        if text.starts_with('{') { Parts::read(text).and_then(|parts| parts.get("values")) } else { Some(value) };
    match list {
        Some(Value::Nested(list)) => elements(list).unwrap_or_default(),
        _ => vec![],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any(json: &str) -> String {
        let mut out = String::new();
        write_any(Value::Nested(json), &mut out);
        out
    }

    #[test]
    fn values_of_every_type() {
        for (json, want) in [
            (r#"{"stringValue":"a\"b"}"#, r#""a\"b""#),
            (r#"{"boolValue":false}"#, "false"),
            (r#"{"intValue":"9007199254740993"}"#, "9007199254740993"),
            (r#"{"intValue":5}"#, "5"),
            (r#"{"int_value":"-5","string_value":null}"#, "-5"),
            (r#"{"doubleValue":0.50}"#, "0.50"),
            (r#"{"doubleValue":"NaN"}"#, "NaN"),
            (r#"{"intValue":"five"}"#, r#""five""#),
            (r#"{"bytesValue":"AAE="}"#, r#""AAE=""#),
            (r#"{"arrayValue":{"values":[{"stringValue":"x"},{"intValue":"1"},{}]}}"#, r#"["x",1,null]"#),
            (r#"{"arrayValue":{}}"#, "[]"),
            (r#"{"kvlistValue":{"values":[{"key":"a.b","value":{"boolValue":true}}]}}"#, r#"{"a.b":true}"#),
            (r#"{"stringValue":""}"#, r#""""#),
            ("{}", ""),
            (r#"{"stringValue":null}"#, ""),
        ] {
            assert_eq!(any(json), want, "{json}");
        }
    }
}
