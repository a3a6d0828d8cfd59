//! When a batch is full, what is refused for its size, and what is said of values that change.

use super::super::{Change, IngestBuilder, MAX_BYTES, MAX_CELLS, MAX_DEPTH, MAX_MOVED, MAX_NAMES, MAX_ROWS, Value};
use super::{IDS, builder, column};

fn push(builder: &mut IngestBuilder, row: &str) -> Result<(), String> {
    builder.push_json(&format!("{{{IDS}{row}}}")).map_err(|error| error.to_string())
}

#[test]
fn a_batch_is_full_of_rows_bytes_or_cells() {
    let mut rows = builder();
    for _ in 1..MAX_ROWS {
        push(&mut rows, "").unwrap();
    }
    assert!(!rows.is_full() && rows.rows() == MAX_ROWS - 1);
    push(&mut rows, "").unwrap();
    assert!(rows.is_full());

    let mut bytes = builder();
    let half = format!(",\"name\":\"{}\"", "x".repeat(MAX_BYTES / 2));
    push(&mut bytes, &half).unwrap();
    assert!(!bytes.is_full());
    push(&mut bytes, &half).unwrap();
    assert!(bytes.is_full());
    bytes.finish().unwrap();
    assert!(!bytes.is_full());

    let mut cells = builder();
    let keys: String = (0..2_048).map(|key| format!(",\"attributes.k{key}\":1")).collect();
    push(&mut cells, &keys).unwrap();
    for _ in 2..MAX_CELLS / 2_048 {
        push(&mut cells, "").unwrap();
    }
    assert!(!cells.is_full());
    push(&mut cells, "").unwrap();
    assert!(cells.is_full());
}

#[test]
fn names_of_one_batch_may_be_many() {
    let mut builder = builder();
    for row in 0..4 {
        let keys: String = (0..36_000).map(|key| format!(",\"attributes.k{row}_{key}\":1")).collect();
        push(&mut builder, &keys).unwrap();
    }
    assert_eq!(builder.finish().unwrap().unwrap().num_columns(), 4 + 144_000);
}

#[test]
fn a_row_of_too_many_or_too_long_names_is_refused() {
    let mut builder = builder();
    let names = |count: usize| ",\"a\":1".repeat(count - 2);
    push(&mut builder, &names(MAX_NAMES)).unwrap();
    assert!(push(&mut builder, &names(MAX_NAMES + 1)).unwrap_err().contains("more than 100,000 names"));
    let name = |length: usize| "n".repeat(length);
    push(&mut builder, &format!(",\"{}\":1", name(4_096))).unwrap();
    push(&mut builder, &format!(",\"attributes\":{{\"{}\":1}}", name(4_086))).unwrap();
    for long in [format!(",\"{}\":1", name(4_097)), format!(",\"attributes\":{{\"{}\":1}}", name(4_087))] {
        assert!(push(&mut builder, &long).unwrap_err().contains("a name of more than 4,096 bytes"));
    }
}

#[test]
fn a_large_value_and_a_large_row_are_refused() {
    let mut builder = builder().with_max_value(100);
    let text = |length: usize| format!(",\"name\":\"{}\"", "x".repeat(length));
    push(&mut builder, &text(100)).unwrap();
    let error = push(&mut builder, &text(101)).unwrap_err();
    assert_eq!(error, "name: a value of 101 B, more than the 100 B that --max-value allows");
    let row = |length: usize| " ".repeat(length - IDS.len() - 2);
    push(&mut builder, &row(200)).unwrap();
    let error = push(&mut builder, &row(201)).unwrap_err();
    assert_eq!(error, "a row of 201 B, more than twice the 100 B of --max-value");
    assert_eq!(builder.rows(), 2);
}

#[test]
fn lists_count_with_what_they_lie_in() {
    let mut builder = builder();
    let row = |depth: usize| format!(",\"attributes\":{{\"v\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    push(&mut builder, &row(MAX_DEPTH - 2)).unwrap();
    assert!(push(&mut builder, &row(MAX_DEPTH - 1)).unwrap_err().contains("nested too deep"));
}

#[test]
fn changes_are_told_or_refused() {
    for (row, changes, refusal) in [
        (",\"attributes.x\":1.5", vec![], None),
        (
            ",\"attributes.x\":NaN",
            vec![(Change::NotFinite, "attributes.x")],
            Some("attributes.x: a value is not finite and would become null (--strict)"),
        ),
        (
            ",\"attributes.x\":0.12345678901234567890",
            vec![(Change::DigitsLost, "attributes.x")],
            Some("attributes.x: 0.12345678901234567890 has more digits than a 64-bit float keeps (--strict)"),
        ),
        (
            ",\"start_time\":\"2025-08-19T18:58:15.1234567891Z\"",
            vec![(Change::TimeCut, "start_time")],
            Some("start_time: \"2025-08-19T18:58:15.1234567891Z\" has more than nine digits of a second (--strict)"),
        ),
        (
            ",\"name\":\"a\",\"name\":\"b\"",
            vec![(Change::KeyTwice, "name")],
            Some("name: a value is given twice in one object (--strict)"),
        ),
    ] {
        let mut lenient = builder();
        // The same keys in another row are no repetition.
        for _ in 0..2 {
            push(&mut lenient, row).unwrap();
            let found = lenient.changes().iter().map(|(change, name)| (*change, name.as_str()));
            assert_eq!(found.collect::<Vec<_>>(), changes, "{row}");
        }
        assert_eq!(push(&mut builder().strict(true), row).err().as_deref(), refusal, "{row}");
    }
}

#[test]
fn names_that_move_are_told_to_a_limit() {
    let mut builder = builder();
    push(&mut builder, ",\"source\":\"opik\",\"parent_id\":\"p\",\"attributes.metadata.k\":1").unwrap();
    assert!(builder.moved().is_empty(), "{:?}", builder.moved());
    let others: String = (0..MAX_MOVED + 2).map(|name| format!(",\"n{name}\":1")).collect();
    push(&mut builder, &others).unwrap();
    assert_eq!(builder.moved().len(), MAX_MOVED);
    let batch = builder.finish().unwrap().unwrap();
    assert!(column(&batch, "attributes.source").is_none(), "a known word is no other source");
}

#[test]
fn cells_make_a_row() {
    let mut builder = builder();
    let [trace, span, name, open] = ["trace_id", "span_id", "name", "attributes.x"].map(|name| builder.key(name));
    let ids = [(trace, Value::Text("t")), (span, Value::Text("s"))];
    let row = |cells: &[_]| [&ids[..], cells].concat();
    let first = [(name, Value::Text("a")), (name, Value::Text("b")), (name, Value::Null), (open, Value::Number("1.5"))];
    builder.push_cells(&row(&first)).unwrap();
    builder.push_cells(&row(&[(open, Value::Number("0.12345678901234567890"))])).unwrap();
    assert_eq!(builder.changes(), [(Change::DigitsLost, "attributes.x".to_owned())]);
    builder.push_cells(&row(&[])).unwrap();
    assert_eq!(builder.changes(), []);
    builder.push_cells(&ids[1..]).unwrap_err();
    let batch = builder.finish().unwrap().unwrap();
    let texts = |name: &str| column(&batch, name).unwrap().1;
    assert_eq!(texts("name"), [Some("b".to_owned()), None, None]);
    assert_eq!(texts("attributes.x"), [Some("1.5".to_owned()), Some("0.12345678901234568".to_owned()), None]);
}
