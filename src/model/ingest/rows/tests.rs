//! Rows of JSON and cells, read back from their batches.

mod limits;

use arrow::array::{Array, AsArray};
use arrow::datatypes::DataType;

use super::*;
use crate::columns::METADATA_PATCH;

fn builder() -> IngestBuilder {
    IngestBuilder::new(Origin { source: "file", project: "default".to_owned(), force_project: false })
}

const IDS: &str = r#""context.trace_id":"t","context.span_id":"s""#;

fn batch(rows: &[&str]) -> RecordBatch {
    let mut builder = builder();
    for row in rows {
        builder.push_json(&format!("{{{IDS},{row}}}")).unwrap();
    }
    builder.finish().unwrap().unwrap()
}

/// The cells of a column as text, with its type; `None` when there is no such column.
fn column(batch: &RecordBatch, name: &str) -> Option<(DataType, Vec<Option<String>>)> {
    let array = batch.column_by_name(name)?;
    let text = arrow::compute::cast(array, &DataType::Utf8).unwrap();
    let cells = text.as_string::<i32>().iter().map(|cell| cell.map(str::to_owned)).collect();
    Some((array.data_type().clone(), cells))
}

fn cell(row: &str, name: &str) -> Option<String> {
    column(&batch(&[row]), name).and_then(|(_, cells)| cells[0].clone())
}

#[test]
fn nested_objects_and_dotted_names_meet() {
    let row = r#"{"context":{"trace_id":"t","span_id":"s"},
        "attributes":{"llm":{"model_name":"m","x":{}},"metadata":{"k": 1},"list":[1, "a"]},
        "attributes.llm.token_count.total":3,"attributes.llm":{"model_name":null,"y":{"z":true}},"eval":{}}"#;
    let mut builder = builder();
    builder.push_json(row).unwrap();
    let batch = builder.finish().unwrap().unwrap();
    let schema = batch.schema();
    let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    assert_eq!(
        names,
        [
            "project",
            "source",
            "context.trace_id",
            "context.span_id",
            "attributes.llm.model_name",
            "attributes.llm.token_count.total",
            "attributes.metadata",
            "attributes.list",
            "attributes.llm.x",
            "attributes.llm.y.z"
        ]
    );
    for (name, want) in [
        ("attributes.llm.model_name", "m"),
        ("attributes.metadata", "{\"k\": 1}"),
        ("attributes.list", "[1,\"a\"]"),
        ("attributes.llm.x", "{}"),
        ("attributes.llm.y.z", "true"),
        ("project", "default"),
        ("source", "file"),
    ] {
        assert_eq!(column(&batch, name).unwrap().1, [Some(want.to_owned())], "{name}");
    }
}

#[test]
fn open_types_unite_over_a_batch() {
    for (values, data_type, cells) in [
        (["1", "null", "2"], DataType::Int64, [Some("1"), None, Some("2")]),
        (["1", "2", "2.5"], DataType::Float64, [Some("1.0"), Some("2.0"), Some("2.5")]),
        (["-0.0", "0.5", "null"], DataType::Float64, [Some("0.0"), Some("0.5"), None]),
        (["2.5", "1", "null"], DataType::Float64, [Some("2.5"), Some("1.0"), None]),
        (["9007199254740992", "0.5", "null"], DataType::Float64, [Some("9007199254740992.0"), Some("0.5"), None]),
        (["1", "2.5", "NaN"], DataType::Float64, [Some("1.0"), Some("2.5"), None]),
        (["9007199254740993", "2.5", "5.0"], DataType::Utf8, [Some("9007199254740993"), Some("2.5"), Some("5")]),
        (["2.0", "9007199254740993", "5"], DataType::Utf8, [Some("2"), Some("9007199254740993"), Some("5")]),
        (["1.50", "true", "\"x\""], DataType::Utf8, [Some("1.5"), Some("true"), Some("x")]),
        (["\"x\"", "1.50", "7"], DataType::Utf8, [Some("x"), Some("1.5"), Some("7")]),
        (["true", "null", "false"], DataType::Boolean, [Some("true"), None, Some("false")]),
        (["18446744073709551616", "1", "null"], DataType::Utf8, [Some("18446744073709551616"), Some("1"), None]),
        (["1e999", "null", "{\"\":1}"], DataType::Utf8, [Some("1e999"), None, None]),
    ] {
        let rows = values.map(|value| format!("\"attributes.v\":{value}"));
        let batch = batch(&rows.each_ref().map(String::as_str));
        let want = cells.map(|cell| cell.map(str::to_owned)).to_vec();
        assert_eq!(column(&batch, "attributes.v"), Some((data_type, want)), "{values:?}");
    }
    assert_eq!(column(&batch(&["\"attributes.v\":null"]), "attributes.v"), None);
    assert_eq!(cell("\"attributes.v\":\"\"", "attributes.v").as_deref(), Some(""));
    let conversation = "attributes.gen_ai.conversation.id";
    assert_eq!(cell(&format!("\"{conversation}\":\"\""), conversation), None);
    assert_eq!(cell(&format!("\"{conversation}\":\"c\""), conversation).as_deref(), Some("c"));
}

#[test]
fn a_batch_does_not_remember_the_types_of_the_one_before() {
    let mut builder = builder();
    builder.push_json(&format!("{{{IDS},\"attributes.v\":\"text\"}}")).unwrap();
    builder.finish().unwrap().unwrap();
    builder.push_json(&format!("{{{IDS},\"attributes.v\":1}}")).unwrap();
    let batch = builder.finish().unwrap().unwrap();
    assert_eq!(column(&batch, "attributes.v").unwrap().0, DataType::Int64);
    builder.push_json(&format!("{{{IDS}}}")).unwrap();
    assert_eq!(column(&builder.finish().unwrap().unwrap(), "attributes.v"), None);
    assert!(builder.finish().unwrap().is_none());
}

#[test]
fn the_last_of_repeated_keys_wins_whole() {
    assert_eq!(cell(r#""name":"a","name":"b""#, "name").as_deref(), Some("b"));
    assert_eq!(cell(r#""name":"a","name":null"#, "name"), None);
    assert_eq!(cell(r#""attributes":{"a":{"x":1}},"attributes":{"a":2}"#, "attributes.a.x"), None);
    assert_eq!(cell(r#""attributes":{"a":{"x":1}},"attributes":{"a":2}"#, "attributes.a").as_deref(), Some("2"));
    // Two forms of one name are no repetition: there a null erases nothing.
    assert_eq!(cell(r#""attributes.a":1,"attributes":{"a":null}"#, "attributes.a").as_deref(), Some("1"));
    assert_eq!(cell(r#""attributes.a":1,"attributes":{"a":2}"#, "attributes.a").as_deref(), Some("2"));
    assert_eq!(cell(r#""attributes":{"a":2},"attributes.a":1"#, "attributes.a").as_deref(), Some("1"));
    let both = r#""attributes.llm.model_name":"a","attributes":{"llm":{"model_name":"b"}}"#;
    assert_eq!(cell(both, "attributes.llm.model_name").as_deref(), Some("b"));
    assert_eq!(cell(r#""na\u006de":"a""#, "name").as_deref(), Some("a"), "a key may be escaped");
}

#[test]
fn root_names_fill_or_move() {
    let mut builder = builder();
    builder
        .push_json(
            r#"{"trace_id":1,"span_id":"s","time":5,"index":7,"span_kind":"llm","latency_ms":3,"tree.depth":1,
            "foo":{"bar":1},"metadata":{"a":1},"source":"mine","empty":null,"":2}"#,
        )
        .unwrap();
    let moved: Vec<_> = builder.moved().iter().map(String::as_str).collect();
    assert_eq!(moved, ["", "foo", "metadata", "source"]);
    let batch = builder.finish().unwrap().unwrap();
    for (name, want) in [
        ("context.trace_id", Some("1")),
        ("context.span_id", Some("s")),
        ("start_time", Some("1970-01-01T00:00:05Z")),
        ("attributes.openinference.span.kind", Some("LLM")),
        ("attributes.foo.bar", Some("1")),
        ("attributes.metadata", Some("{\"a\":1}")),
        ("attributes.source", Some("mine")),
        ("attributes._", Some("2")),
        ("source", Some("file")),
        ("attributes.empty", None),
        ("latency_ms", None),
        ("tree.depth", None),
        ("index", None),
    ] {
        let got = column(&batch, name).and_then(|(_, cells)| cells[0].clone());
        assert_eq!(got.as_deref(), want, "{name}");
    }
    assert_eq!(cell(r#""start_time":6,"time":"never read""#, "start_time").as_deref(), Some("1970-01-01T00:00:06Z"));
    assert_eq!(cell(r#""source":"opik""#, "source").as_deref(), Some("opik"));
    assert_eq!(
        cell(
            r#""span_kind":"x","attributes.openinference.span.kind":"y""#,
            super::super::keys::resolve("attributes.openinference.span.kind").column.as_str()
        )
        .as_deref(),
        Some("y")
    );
}

#[test]
fn projects() {
    assert_eq!(cell(r#""project":"mine""#, "project").as_deref(), Some("mine"));
    assert_eq!(cell(r#""project":"""#, "project").as_deref(), Some("default"));
    let mut builder = IngestBuilder::new(Origin { source: "demo", project: "forced".to_owned(), force_project: true });
    builder.push_json(&format!("{{{IDS},\"project\":\"mine\"}}")).unwrap();
    let batch = builder.finish().unwrap().unwrap();
    assert_eq!(column(&batch, "project").unwrap().1, [Some("forced".to_owned())]);
    assert_eq!(column(&batch, "source").unwrap().1, [Some("demo".to_owned())]);
}

#[test]
fn metadata_keys_fold_into_the_object() {
    let row = r#""attributes.metadata.b":"two","attributes.metadata":"{\"a\": 1,\"b\":2}","attributes":{"metadata.c.d":[1, 2]},"attributes.metadata.n":null"#;
    assert_eq!(cell(row, "attributes.metadata").as_deref(), Some("{\"a\": 1,\"b\":\"two\",\"c.d\":[1,2]}"));
    assert_eq!(cell(row, "attributes.metadata.b"), None);
    assert_eq!(cell(row, METADATA_PATCH), None);
}

#[test]
fn single_metadata_keys_are_set_apart() {
    let row = r#""attributes.metadata.b":"two","attributes":{"metadata":{}}"#;
    assert_eq!(cell(row, METADATA_PATCH), None, "the object is there, if empty");
    let row = r#""attributes.metadata.b":"two","metadata.n":1"#;
    assert_eq!(cell(row, METADATA_PATCH).as_deref(), Some("{\"b\":\"two\",\"n\":1}"));
    let rows = batch(&[row, r#""attributes.metadata":{"a":1}"#, r#""attributes.metadata.b":3"#]);
    let patches = column(&rows, METADATA_PATCH).unwrap().1;
    assert_eq!(patches.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(cell(row, "attributes.metadata"), None);
}

#[test]
fn a_row_that_does_not_fit_leaves_no_trace() {
    let mut builder = builder();
    builder.push_json(&format!("{{{IDS},\"attributes.v\":1,\"name\":\"first\"}}")).unwrap();
    for (row, want) in [
        (format!("{{{IDS},\"start_time\":\"soon\",\"name\":\"never\"}}"), "start_time: \"soon\" is not a time"),
        (
            format!("{{{IDS},\"attributes.v\":\"x\",\"attributes.w\":1,\"start_time\":\"soon\"}}"),
            "start_time: \"soon\" is not a time",
        ),
        (format!("{{{IDS},\"attributes.v\":\"x\"}} extra"), "not JSON: expected nothing more (byte 67)"),
        ("{\"context.trace_id\":\"\",\"context.span_id\":\"s\"}".to_owned(), "context.trace_id: missing or empty"),
        ("{\"context.trace_id\":\"t\"}".to_owned(), "context.span_id: missing or empty"),
        ("[1]".to_owned(), "expected one JSON object for a span, found: [1]"),
        (format!("{{{IDS},\"attributes\":{}", "[".repeat(100_000)), "not JSON: nested too deep"),
        (format!("{{{IDS},\"attributes\":{}", "{\"a\":".repeat(100_000)), "not JSON: nested too deep"),
        ("{".to_owned(), "not JSON: the text ends too early"),
    ] {
        let error = builder.push_json(&row).unwrap_err().to_string();
        assert!(error.starts_with(want), "{error}");
    }
    assert_eq!(builder.rows(), 1);
    builder.push_json(&format!("{{{IDS}}}")).unwrap();
    let batch = builder.finish().unwrap().unwrap();
    assert_eq!(column(&batch, "attributes.v").unwrap(), (DataType::Int64, vec![Some("1".to_owned()), None]));
    assert_eq!(column(&batch, "name").unwrap().1, [Some("first".to_owned()), None]);
    assert_eq!(column(&batch, "context.trace_id").unwrap().1, [Some("t".to_owned()), Some("t".to_owned())]);
    assert!(column(&batch, "attributes.w").is_none());
    assert!(column(&batch, "start_time").is_none());
}

#[test]
fn ever_new_keys_neither_pile_up_nor_change_values() {
    let mut builder = builder();
    let mut found = 0;
    for row in 0..30_000 {
        builder
            .push_json(&format!(
                "{{{IDS},\"attributes\":{{{}}}}}",
                ["k", "l", "m", "n", "o", "p", "q"].map(|key| format!("\"{key}{row}\":1")).join(",")
            ))
            .unwrap();
        if builder.is_full() || row == 29_999 {
            let batch = builder.finish().unwrap().unwrap();
            assert!(batch.num_rows() * batch.num_columns() < 3 * MAX_CELLS);
            found += batch.columns().iter().skip(4).map(|c| c.len() - c.null_count()).sum::<usize>();
        }
    }
    assert_eq!(found, 210_000);
    assert!(builder.keys.len() < 2 * MAX_KEYS);
}

#[test]
fn notes_are_the_same_as_texts_and_as_objects() {
    for (notes, want) in [
        (r#"[{"text": "a"}, null]"#, r#"[{"text": "a"},null]"#),
        (r#"["{\"text\": \"a\"}", "plain"]"#, r#"[{"text": "a"},"plain"]"#),
        (r#""[{\"text\": \"a\"}]""#, r#"[{"text": "a"}]"#),
        (r#""no list""#, "no list"),
    ] {
        let row = format!("\"annotation.notes\":{notes}");
        assert_eq!(cell(&row, "annotation.notes").as_deref(), Some(want), "{notes}");
    }
}
