use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float64Type, Int64Type, TimestampNanosecondType};

use super::*;

fn canonical(name: &str) -> CanonicalBuilder {
    CanonicalBuilder::new(CANONICAL.iter().position(|c| c.name == name).unwrap())
}

fn put(column: &mut CanonicalBuilder, value: Value<'_>) -> Result<(), String> {
    column.truncate(0);
    column.put(0, value, &mut String::new()).map_err(|row_error| row_error.to_string())
}

fn text(name: &str, value: Value<'_>) -> Option<String> {
    let mut column = canonical(name);
    put(&mut column, value).unwrap();
    let array = column.finish(1).unwrap();
    array.is_valid(0).then(|| array.as_string::<i32>().value(0).to_owned())
}

#[test]
fn integers() {
    let mut column = canonical("attributes.llm.token_count.total");
    for (value, want) in [
        (Value::Number("12"), Some(12)),
        (Value::Number("12.0"), Some(12)),
        (Value::Number("1e3"), Some(1000)),
        (Value::Number("9223372036854775807"), Some(i64::MAX)),
        (Value::Text(" 7 "), Some(7)),
        (Value::Text(""), None),
        (Value::Text("NaN"), None),
        (Value::Null, None),
    ] {
        put(&mut column, value).unwrap();
        let array = column.finish(1).unwrap();
        let got = array.is_valid(0).then(|| array.as_primitive::<Int64Type>().value(0));
        assert_eq!(got, want, "{value:?}");
    }
    for (value, begin) in [
        (Value::Number("1.5"), "1.5"),
        (Value::Number("9223372036854775808"), "9223372036854775808"),
        (Value::Text("many"), "\"many\""),
        (Value::Escaped("a\\n"), "\"a\\n\""),
        (Value::Bool(true), "true"),
        (Value::Nested("[1]"), "[1]"),
    ] {
        let error = put(&mut column, value).unwrap_err();
        assert_eq!(error, format!("attributes.llm.token_count.total: {begin} is not an integer"));
    }
}

#[test]
fn floats_and_booleans() {
    let mut column = canonical("attributes.llm.cost.total");
    for (value, want) in [
        (Value::Number("0.25"), Some(0.25)),
        (Value::Text(" 1e-3 "), Some(0.001)),
        (Value::Text("inf"), None),
        (Value::Number("1e999"), None),
        (Value::Text(""), None),
    ] {
        put(&mut column, value).unwrap();
        let array = column.finish(1).unwrap();
        let got = array.is_valid(0).then(|| array.as_primitive::<Float64Type>().value(0));
        assert_eq!(got, want, "{value:?}");
    }
    assert!(put(&mut column, Value::Text("free")).unwrap_err().ends_with("\"free\" is not a number"));
    let mut column = canonical("attributes.exception.escaped");
    for (value, want) in [
        (Value::Bool(true), Some(true)),
        (Value::Text("FALSE"), Some(false)),
        (Value::Text("True"), Some(true)),
        (Value::Number("0"), Some(false)),
        (Value::Number("1"), Some(true)),
        (Value::Text(""), None),
    ] {
        put(&mut column, value).unwrap();
        let array = column.finish(1).unwrap();
        assert_eq!(array.is_valid(0).then(|| array.as_boolean().value(0)), want, "{value:?}");
    }
    assert!(put(&mut column, Value::Number("2")).is_err());
}

#[test]
fn times() {
    let mut column = canonical("start_time");
    for value in [Value::Number("1755629895149"), Value::Text("2025-08-19T18:58:15.149Z"), Value::Text("1755629895149")]
    {
        put(&mut column, value).unwrap();
        let array = column.finish(1).unwrap();
        assert_eq!(array.as_primitive::<TimestampNanosecondType>().value(0), 1_755_629_895_149_000_000);
        assert_eq!(array.data_type(), &crate::columns::timestamp_type());
    }
    assert_eq!(
        put(&mut column, Value::Text("yesterday")).unwrap_err(),
        "start_time: \"yesterday\" is not a time (write RFC 3339, or integer s/ms/µs/ns)"
    );
    assert_eq!(
        put(&mut column, Value::Text("9999-01-01")).unwrap_err(),
        "start_time: \"9999-01-01\" is outside the years 1678 to 2261"
    );
    assert_eq!(
        put(&mut column, Value::Number("99999999999999999")).unwrap_err(),
        "start_time: 99999999999999999 is outside the years 1678 to 2261, read as microseconds by its magnitude"
    );
    assert!(put(&mut column, Value::Bool(true)).is_err());
}

#[test]
fn words_of_status_and_kind() {
    for (given, want) in [
        ("ok", Some("OK")),
        ("STATUS_CODE_ERROR", Some("ERROR")),
        ("status_code_unset", Some("UNSET")),
        ("", None),
        ("Fine", Some("Fine")),
        ("STATUS_CODE_FINE", Some("STATUS_CODE_FINE")),
    ] {
        assert_eq!(text("status_code", Value::Text(given)).as_deref(), want, "{given}");
    }
    let kind = "attributes.openinference.span.kind";
    assert_eq!(text(kind, Value::Text("llm")).as_deref(), Some("LLM"));
    assert_eq!(text(kind, Value::Text("Judge")).as_deref(), Some("Judge"));
    assert_eq!(text("parent_id", Value::Text("")), None);
    assert_eq!(text("attributes.session.id", Value::Text("")), None);
    assert_eq!(text("attributes.user.id", Value::Escaped("")), None);
    assert_eq!(text("status_message", Value::Text("")).as_deref(), Some(""));
}

#[test]
fn ids_of_zeros_are_none() {
    let zeros = ["0000000000000000", "0", "0x00", "00000000-0000-0000-0000-000000000000"];
    for id in zeros.map(Value::Text).into_iter().chain([Value::Number("0"), Value::Escaped("\\u0030")]) {
        assert_eq!(text("parent_id", id), None, "{id:?}");
        for name in ["context.trace_id", "context.span_id"] {
            let error = put(&mut canonical(name), id).unwrap_err();
            assert!(error.starts_with(name) && error.ends_with("is all zeros, which is no id"), "{error}");
        }
    }
    assert_eq!(text("parent_id", Value::Text("00f0")).as_deref(), Some("00f0"));
    assert_eq!(text("attributes.session.id", Value::Text("0")).as_deref(), Some("0"));
}

#[test]
fn text_columns_take_anything() {
    let id = "340282366920938463463374607431768211455";
    assert_eq!(text("context.trace_id", Value::Number(id)).as_deref(), Some(id));
    assert_eq!(text("name", Value::Bool(false)).as_deref(), Some("false"));
    assert_eq!(text("name", Value::Escaped("a\\u0041")).as_deref(), Some("aA"));
    assert_eq!(text("name", Value::Nested("[ 1, {\"a\": 2} ]")).as_deref(), Some("[1,{\"a\": 2}]"));
    assert_eq!(text("events", Value::Text("[ ]")).as_deref(), Some("[]"));
    assert_eq!(text("events", Value::Text("nothing")).as_deref(), Some("nothing"));
    assert_eq!(text("events", Value::Escaped("[\\\"{}\\\", 1]")).as_deref(), Some("[{},1]"));
    assert_eq!(text("attributes.metadata", Value::Text("{\"a\": 1, \"b\":2}")).as_deref(), Some("{\"a\": 1,\"b\":2}"));
}

#[test]
fn what_a_rule_keeps_is_what_the_column_has() {
    let words =
        ["", "x", "LLM", "llm", "OK", "ok", "STATUS_CODE_OK", "status_code_error", "0000000000000000", "00", "é"];
    for (index, column) in CANONICAL.iter().enumerate().filter(|(_, column)| column.data_type == DataType::Utf8) {
        for word in words {
            let mut builder = canonical(column.name);
            let kept = put(&mut builder, Value::Text(word)).is_ok() && builder.has(0) && builder.text(0) == Some(word);
            let keeps = Rule::at(index).keeps(word);
            // Of JSON that is for the builder to say.
            assert!(keeps == kept || column.content != Content::Scalar, "{}: {word:?}", column.name);
            assert!(!keeps || kept, "{}: {word:?}", column.name);
        }
    }
}
