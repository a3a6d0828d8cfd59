//! Recorded spans: every cell of the text, and nothing else.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::value::RawValue;
use spanql_model::ingest::fillers;

use super::*;

/// Where shared test data is, if it is.
fn shared() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    std::env::var_os("SPANQL_SHARED").map_or_else(beside, PathBuf::from)
}

#[test]
fn recorded_spans_are_read_whole() {
    let real = shared().join("data/real");
    let Ok(entries) = std::fs::read_dir(&real) else {
        println!("skipped: no directory {} (set SPANQL_SHARED to the shared data)", real.display());
        return;
    };
    let mut files = 0;
    for path in entries.map(|entry| entry.unwrap().path()) {
        let Some(name) = path.to_str().and_then(|path| path.strip_suffix(".spans.jsonl.gz")) else { continue };
        files += 1;
        let truth: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(format!("{name}.truth.json")).unwrap()).unwrap();
        let mut text = String::new();
        flate2::read::MultiGzDecoder::new(std::fs::File::open(&path).unwrap()).read_to_string(&mut text).unwrap();
        let input = expand(&[path.display().to_string()]).unwrap().remove(0);
        let mut reader = FileReader::open(input, &options()).unwrap();
        let batches: Vec<RecordBatch> = reader.by_ref().map(Result::unwrap).collect();
        assert_eq!(Some(reader.report().rows), truth["totals"]["rows"].as_u64(), "{name}");
        // Every cell of the text, in file order, is in the batch, and every cell of the batch is in the text.
        let mut lines = text.lines();
        for batch in &batches {
            let cells: Vec<(String, DataType, StringArray)> = batch
                .schema()
                .fields()
                .iter()
                .zip(batch.columns())
                .map(|(field, column)| {
                    let text = arrow::compute::cast(column, &DataType::Utf8).unwrap();
                    (field.name().clone(), field.data_type().clone(), text.as_string::<i32>().clone())
                })
                .collect();
            for row in 0..batch.num_rows() {
                let line: BTreeMap<String, &RawValue> = serde_json::from_str(lines.next().unwrap()).unwrap();
                let mut filled = 2;
                for (name, data_type, column) in &cells {
                    let got = column.is_valid(row).then(|| column.value(row));
                    match line.get(name).map(|value| value.get()) {
                        _ if name == "project" || name == "source" => {}
                        // What other conventions fill is another test's.
                        None | Some("null") if fillers(name).is_some() => {}
                        None | Some("null") => assert_eq!(got, None, "{name}"),
                        Some(value) => {
                            filled += 1;
                            assert!(same(value, data_type, got.unwrap()), "{name}: {value} became {got:?}");
                        }
                    }
                }
                let given = line.iter().filter(|(_, value)| value.get() != "null");
                // Metadata keys are folded into one column.
                let given = given.filter(|(name, _)| !name.starts_with("attributes.metadata.")).count();
                assert_eq!(filled, given + 2);
            }
        }
        assert_eq!(lines.next(), None);
    }
    assert!(files > 0, "no spans in {}", real.display());
}

/// Whether a cell, shown as text, is what the JSON value says.
fn same(value: &str, data_type: &DataType, got: &str) -> bool {
    let as_json = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    match as_json(value).unwrap() {
        serde_json::Value::String(text) if matches!(data_type, DataType::Timestamp(..)) => {
            chrono::DateTime::parse_from_rfc3339(&text).ok() == chrono::DateTime::parse_from_rfc3339(got).ok()
        }
        // Lists and objects lose only blanks.
        serde_json::Value::String(text) => text == got || (as_json(&text).is_some() && as_json(&text) == as_json(got)),
        serde_json::Value::Number(_) => value.parse::<f64>() == got.parse::<f64>(),
        value => as_json(got) == Some(value),
    }
}
