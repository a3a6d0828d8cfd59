//! What holds for any values.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, Int64Array, LargeStringArray, ListBuilder, RecordBatch, StringArray, StringBuilder,
    StringViewArray,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::value::RawValue;

use super::sanitize::is_hidden;
use super::tests::{batch, render, text};
use super::{Format, Options};

/// Text of any characters, with those that formats care about more often.
fn any_text() -> impl Strategy<Value = String> {
    let c = prop_oneof![
        2 => any::<char>(),
        2 => (0u8..128).prop_map(char::from),
        1 => proptest::sample::select("\"\\,|\n\r\t\u{1b}\u{9b}\u{202e}\u{2066}\u{200d}\u{feff}‘…é日😀_*<>&=".chars().collect::<Vec<_>>()),
    ];
    vec(c, 0..30).prop_map(|chars| chars.into_iter().collect())
}

#[derive(Debug, Clone)]
struct Row {
    text: Option<String>,
    integer: Option<i64>,
    float: Option<f64>,
    list: Option<Vec<Option<String>>>,
}

fn any_rows() -> impl Strategy<Value = Vec<Row>> {
    let float = prop_oneof![any::<f64>(), any::<u64>().prop_map(f64::from_bits)];
    let row = (
        option::of(any_text()),
        option::of(any::<i64>()),
        option::of(float),
        option::of(vec(option::of(any_text()), 0..4)),
    );
    vec(row.prop_map(|(text, integer, float, list)| Row { text, integer, float, list }), 0..8)
}

fn to_batch(rows: &[Row], kind: usize) -> RecordBatch {
    let texts = || rows.iter().map(|row| row.text.as_deref());
    let texts: ArrayRef = match kind {
        0 => Arc::new(texts().collect::<StringArray>()),
        1 => Arc::new(texts().collect::<LargeStringArray>()),
        _ => Arc::new(texts().collect::<StringViewArray>()),
    };
    let mut lists = ListBuilder::new(StringBuilder::new());
    for row in rows {
        lists.append_option(row.list.clone());
    }
    batch(vec![
        ("a \"text\"", texts),
        ("integer", Arc::new(rows.iter().map(|row| row.integer).collect::<Int64Array>())),
        ("float", Arc::new(rows.iter().map(|row| row.float).collect::<Float64Array>())),
        ("list", Arc::new(lists.finish())),
    ])
}

/// Checks one object of the output against the row it came from, value by value.
fn check(object: &BTreeMap<String, Box<RawValue>>, row: &Row) -> Result<(), TestCaseError> {
    prop_assert_eq!(object.len(), 4);
    prop_assert_eq!(serde_json::from_str::<Option<String>>(object["a \"text\""].get()).unwrap(), row.text.clone());
    prop_assert_eq!(serde_json::from_str::<Option<i64>>(object["integer"].get()).unwrap(), row.integer);
    let lists: Option<Vec<Option<String>>> = serde_json::from_str(object["list"].get()).unwrap();
    prop_assert_eq!(lists, row.list.clone());
    // The standard library reads floats exactly, serde_json by default does not.
    let float = object["float"].get();
    match row.float.filter(|float| float.is_finite()) {
        None => prop_assert_eq!(float, "null"),
        Some(value) => prop_assert_eq!(float.parse::<f64>().unwrap().to_bits(), value.to_bits()),
    }
    Ok(())
}

proptest! {
    #[test]
    fn json_reads_back(rows in any_rows(), kind in 0usize..3, cut in 0usize..8) {
        let whole = to_batch(&rows, kind);
        let cut = cut.min(rows.len());
        // A sliced batch has offsets, so both parts together test them.
        let parts = [whole.slice(0, cut), whole.slice(cut, rows.len() - cut)];
        let (out, written) = render(&parts, Format::Json, Options::default());
        let objects: Vec<BTreeMap<String, Box<RawValue>>> = serde_json::from_slice(&out).unwrap();
        prop_assert_eq!(objects.len(), rows.len());
        prop_assert_eq!(written.shown, rows.len() as u64);
        for (object, row) in objects.iter().zip(&rows) {
            check(object, row)?;
        }

        let lines = String::from_utf8(render(&parts, Format::Jsonl, Options::default()).0).unwrap();
        prop_assert_eq!(lines.lines().count(), rows.len());
        for (line, row) in lines.lines().zip(&rows) {
            check(&serde_json::from_str(line).unwrap(), row)?;
        }
        prop_assert!(!lines.chars().any(|c| c.is_control() && c != '\n'));
    }

    #[test]
    fn csv_reads_back(rows in any_rows(), kind in 0usize..3, tabs: bool) {
        let format = if tabs { Format::Tsv } else { Format::Csv };
        let (out, _) = render(&[to_batch(&rows, kind)], format, Options::default());
        let mut reader = csv::ReaderBuilder::new().delimiter(if tabs { b'\t' } else { b',' }).from_reader(out.as_slice());
        let header = reader.headers().unwrap().clone();
        prop_assert_eq!(header.iter().collect::<Vec<_>>(), ["a \"text\"", "integer", "float", "list"]);
        let records: Vec<_> = reader.records().map(Result::unwrap).collect();
        prop_assert_eq!(records.len(), rows.len());
        for (record, row) in records.iter().zip(&rows) {
            prop_assert_eq!(&record[0], row.text.as_deref().unwrap_or_default());
            prop_assert_eq!(&record[1], row.integer.map(|i| i.to_string()).unwrap_or_default());
            match row.float {
                None => prop_assert_eq!(&record[2], ""),
                Some(value) => {
                    let read = record[2].parse::<f64>().unwrap();
                    prop_assert!(read == value || read.is_nan() && value.is_nan());
                }
            }
            match &row.list {
                None => prop_assert_eq!(&record[3], ""),
                Some(list) => prop_assert_eq!(&serde_json::from_str::<Vec<Option<String>>>(&record[3]).unwrap(), list),
            }
        }
    }

    #[test]
    fn safe_csv_has_no_formula(rows in any_rows()) {
        let (out, _) = render(&[to_batch(&rows, 0)], Format::Csv, Options { csv_safe: true, ..Options::default() });
        let mut reader = csv::ReaderBuilder::new().from_reader(out.as_slice());
        for record in reader.records() {
            let record = record.unwrap();
            for field in [&record[0], &record[3]] {
                prop_assert!(!field.starts_with(['=', '+', '-', '@', '\t', '\r']));
                prop_assert!(!field.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']));
            }
        }
    }

    #[test]
    fn views_hide_nothing(rows in any_rows(), width in option::of(1usize..120), fence: bool, color: bool) {
        let whole = to_batch(&rows, 2);
        let options = Options { width, fence, ..Options::default() };
        for format in [Format::Table, Format::Md] {
            let shown = text(&whole, format, options);
            prop_assert!(!shown.chars().any(|c| c != '\n' && (c.is_control() || is_hidden(c))), "{shown:?}");
            let colored = text(&whole, format, Options { color, fence: false, ..options });
            let bare = colored.replace("\u{1b}[1m", "").replace("\u{1b}[2m", "").replace("\u{1b}[0m", "");
            prop_assert_eq!(bare, text(&whole, format, Options { fence: false, ..options }));
        }
        let lines = text(&whole, Format::Md, Options::default());
        prop_assert_eq!(lines.lines().count(), rows.len() + 2);
    }

    #[test]
    fn tables_fit(rows in any_rows(), width in 20usize..120) {
        let (out, written) = render(&[to_batch(&rows, 1)], Format::Table, Options { width: Some(width), ..Options::default() });
        let shown = String::from_utf8(out).unwrap();
        let lines: Vec<_> = shown.lines().collect();
        prop_assert_eq!(lines.len(), rows.len() + 4);
        let first = unicode_width::UnicodeWidthStr::width(lines[0]);
        prop_assert!(first <= width);
        let own = rows.iter().any(|row| format!("{row:?}").contains('…'));
        prop_assert!(own || shown.contains('…') != written.notes().is_empty(), "{shown}");
    }

    #[test]
    fn cells_keep_their_characters(rows in any_rows(), max in 0usize..12) {
        let (out, written) = render(&[to_batch(&rows, 2)], Format::Jsonl, Options { max_cell: Some(max), ..Options::default() });
        let cut = |text: &String| {
            let kept: String = text.chars().take(max).collect();
            if text.chars().count() <= max { kept } else { format!("{kept}…") }
        };
        let long = |text: &Option<String>| text.as_ref().is_some_and(|text| text.chars().count() > max);
        let mut cells = 0;
        for (line, row) in String::from_utf8(out).unwrap().lines().zip(&rows) {
            let text = row.text.as_ref().map(cut);
            let list: Option<Vec<_>> = row.list.as_ref().map(|list| list.iter().map(|text| text.as_ref().map(cut)).collect());
            let long_in_list = row.list.as_ref().is_some_and(|list| list.iter().any(long));
            cells += u64::from(long(&row.text)) + u64::from(long_in_list);
            check(&serde_json::from_str(line).unwrap(), &Row { text, list, ..row.clone() })?;
        }
        prop_assert_eq!(written.cut_cells, cells);
    }
}
