//! What each format looks like.

use std::io::{self, Write};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Decimal128Array, DictionaryArray, DurationNanosecondArray, FixedSizeListArray,
    Float64Array, Int64Array, ListArray, MapBuilder, NullArray, RecordBatch, StringArray, StringBuilder,
    StringViewArray, StructArray, TimestampNanosecondArray, UInt64Array,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Int8Type, Int32Type, Schema};
use bytes::Bytes;

use super::{Error, Format, Options, ResultWriter, WriteSummary, Zone};

pub(super) fn render(batches: &[RecordBatch], format: Format, options: Options) -> (Vec<u8>, WriteSummary) {
    let mut out = Vec::new();
    let mut writer = ResultWriter::new(&mut out, format, batches[0].schema(), options).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    let written = writer.finish().unwrap();
    (out, written)
}

pub(super) fn text(batch: &RecordBatch, format: Format, options: Options) -> String {
    String::from_utf8(render(std::slice::from_ref(batch), format, options).0).unwrap()
}

pub(super) fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let fields: Vec<_> = columns.iter().map(|(name, c)| Field::new(*name, c.data_type().clone(), true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.into_iter().map(|(_, c)| c).collect()).unwrap()
}

fn spans() -> RecordBatch {
    let start = vec![Some(1_700_000_000_120_000_000), None, Some(1_700_000_001_000_000_000)];
    batch(vec![
        ("name", Arc::new(StringArray::from(vec![Some("plan"), Some(""), Some("日本|語")]))),
        ("start_time", Arc::new(TimestampNanosecondArray::from(start).with_timezone("UTC"))),
        ("total_tokens", Arc::new(Int64Array::from(vec![Some(1234), Some(-5), None]))),
        ("cost", Arc::new(Float64Array::from(vec![Some(0.25), Some(3.0), Some(f64::NAN)]))),
        ("input", Arc::new(StringViewArray::from(vec![Some("say\nit <b>\u{1b}[2J"), None, Some("=1+1, \"x\"\t")]))),
    ])
}

fn zoned() -> Options {
    Options { zone: Zone::Named(chrono_tz::Tz::Europe__Berlin), ..Options::default() }
}

#[test]
fn table() {
    insta::assert_snapshot!(text(&spans(), Format::Table, zoned()), @r#"
┌─────────┬──────────────────────────────┬──────────────┬──────┬─────────────────────┐
│ name    │ start_time                   │ total_tokens │ cost │ input               │
├─────────┼──────────────────────────────┼──────────────┼──────┼─────────────────────┤
│ plan    │ 2023-11-14 23:13:20.12+01:00 │         1234 │ 0.25 │ say↵it <b>\u{1b}[2J │
│         │ NULL                         │           -5 │  3.0 │ NULL                │
│ 日本|語 │ 2023-11-14 23:13:21+01:00    │         NULL │  NaN │ =1+1, "x"\t         │
└─────────┴──────────────────────────────┴──────────────┴──────┴─────────────────────┘
"#);
    let narrow = Options { width: Some(60), ..zoned() };
    let (out, written) = render(&[spans()], Format::Table, narrow);
    insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r#"
┌─────────┬─────────────┬─────────────┬──────┬─────────────┐
│ name    │ start_time  │ total_toke… │ cost │ input       │
├─────────┼─────────────┼─────────────┼──────┼─────────────┤
│ plan    │ 2023-11-14… │        1234 │ 0.25 │ say↵it <b>… │
│         │ NULL        │          -5 │  3.0 │ NULL        │
│ 日本|語 │ 2023-11-14… │        NULL │  NaN │ =1+1, "x"\t │
└─────────┴─────────────┴─────────────┴──────┴─────────────┘
"#);
    assert_eq!(written.notes(), ["3 columns shrunk to fit 60 columns: start_time, total_tokens, input"]);
    let (out, written) = render(&[spans()], Format::Table, Options { width: Some(40), ..narrow });
    insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r#"
┌─────────┬────────────┬───┬───────────┐
│ name    │ start_time │ … │ input     │
├─────────┼────────────┼───┼───────────┤
│ plan    │ 2023-11-1… │ … │ say↵it <… │
│         │ NULL       │ … │ NULL      │
│ 日本|語 │ 2023-11-1… │ … │ =1+1, "x… │
└─────────┴────────────┴───┴───────────┘
"#);
    insta::assert_snapshot!(written.notes().join("\n"), @r#"
2 columns shrunk to fit 40 columns: start_time, input
2 columns left out to fit 40 columns: total_tokens, cost
"#);
    let none = spans().slice(0, 0);
    insta::assert_snapshot!(text(&none, Format::Table, Options::default()), @r#"
┌──────┬────────────┬──────────────┬──────┬───────┐
│ name │ start_time │ total_tokens │ cost │ input │
├──────┼────────────┼──────────────┼──────┼───────┤
└──────┴────────────┴──────────────┴──────┴───────┘
"#);
}

#[test]
fn colour_only_when_asked() {
    let one = batch(vec![("a", Arc::new(StringArray::from(vec![Some("\u{1b}[0m"), None])))]);
    let shown = text(&one, Format::Table, Options { color: true, ..Options::default() });
    assert!(shown.contains("│ \u{1b}[1ma\u{1b}[0m         │"), "{shown:?}");
    assert!(shown.contains("│ \u{1b}[2mNULL\u{1b}[0m      │"), "{shown:?}");
    assert!(shown.contains("│ \\u{1b}[0m │"), "{shown:?}");
}

#[test]
fn table_rows_after_the_widths_are_fixed() {
    let short: ArrayRef = Arc::new(StringArray::from(vec!["ab"; 10_001]));
    let long: ArrayRef = Arc::new(StringArray::from(vec!["abcdefghij klmnop"]));
    let batches = [batch(vec![("c", short)]), batch(vec![("c", long)])];
    let (out, written) = render(&batches, Format::Table, Options::default());
    let out = String::from_utf8(out).unwrap();
    assert!(out.contains("│ abcdefghij klmnop │\n"), "overflows when nothing is to be cut");
    assert_eq!((written.rows, written.notes().len()), (10_002, 0));
    assert_eq!(out.lines().count(), 10_002 + 4);

    let (out, written) = render(&batches, Format::Table, Options { width: Some(80), ..Options::default() });
    assert!(String::from_utf8(out).unwrap().contains("│ a… │\n"));
    assert_eq!(written.notes(), ["1 column shrunk to fit 80 columns: c"]);
}

#[test]
fn markdown() {
    insta::assert_snapshot!(text(&spans(), Format::Md, zoned()), @r#"
| name | start_time | total_tokens | cost | input |
| --- | --- | ---: | ---: | --- |
| plan | 2023-11-14 23:13:20.12+01:00 | 1234 | 0.25 | say<br>it &lt;b&gt;\u{1b}\[2J |
|  | *NULL* | -5 | 3.0 | *NULL* |
| 日本\|語 | 2023-11-14 23:13:21+01:00 | *NULL* | NaN | =1+1, "x"\t |
"#);
}

#[test]
fn fences_enclose() {
    for format in [Format::Md, Format::Table] {
        let shown = text(&spans(), format, Options { fence: true, ..Options::default() });
        let lines: Vec<_> = shown.lines().collect();
        let marker = lines[0].strip_prefix("<<<SPAN DATA ").unwrap().split(' ').next().unwrap();
        assert_eq!(*lines.last().unwrap(), format!("END OF SPAN DATA {marker}>>>"));
        assert_eq!(shown.matches(marker).count(), 2);
        for line in &lines[1..lines.len() - 1] {
            assert!(line.is_empty() || line.starts_with(['|', '│', '┌', '├', '└']), "{line}");
        }
    }
}

#[test]
fn json_and_lines() {
    insta::assert_snapshot!(text(&spans(), Format::Json, zoned()), @r#"
[
{"name":"plan","start_time":"2023-11-14T22:13:20.120000000Z","total_tokens":1234,"cost":0.25,"input":"say\nit <b>\u001b[2J"},
{"name":"","start_time":null,"total_tokens":-5,"cost":3.0,"input":null},
{"name":"日本|語","start_time":"2023-11-14T22:13:21.000000000Z","total_tokens":null,"cost":null,"input":"=1+1, \"x\"\t"}
]
"#);
    insta::assert_snapshot!(text(&spans(), Format::Jsonl, Options { max_cell: Some(3), max_rows: Some(1), ..zoned() }), @r#"
{"name":"pla…","start_time":"2023-11-14T22:13:20.120000000Z","total_tokens":1234,"cost":0.25,"input":"say…"}
"#);
    assert_eq!(text(&spans().slice(0, 0), Format::Json, Options::default()), "[]\n");
    assert_eq!(text(&spans().slice(0, 0), Format::Jsonl, Options::default()), "");
}

fn every_kind() -> RecordBatch {
    let list = |rows: Vec<Option<Vec<Option<i32>>>>| ListArray::from_iter_primitive::<Int32Type, _, _>(rows);
    let mut map = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    map.keys().append_value("k\"");
    map.values().append_null();
    map.append(true).unwrap();
    map.append(false).unwrap();
    let fixed = FixedSizeListArray::from_iter_primitive::<Int32Type, _, _>(
        [None, Some(vec![Some(9), Some(9)]), Some(vec![Some(1), None]), None],
        2,
    );
    let group = StructArray::from(vec![
        (Arc::new(Field::new("x", DataType::Int64, true)), Arc::new(Int64Array::from(vec![Some(1), None])) as ArrayRef),
        (Arc::new(Field::new("y", DataType::Utf8, true)), Arc::new(StringArray::from(vec!["a", "b"])) as ArrayRef),
    ]);
    batch(vec![
        ("null", Arc::new(NullArray::new(2))),
        ("bool", Arc::new(BooleanArray::from(vec![true, false]))),
        ("uint", Arc::new(UInt64Array::from(vec![u64::MAX, 0]))),
        ("float", Arc::new(Float64Array::from(vec![f64::NEG_INFINITY, -0.0]))),
        ("decimal", Arc::new(Decimal128Array::from(vec![12_345, -5]).with_precision_and_scale(38, 3).unwrap())),
        ("binary", Arc::new(BinaryArray::from(vec![b"\x00\xff".as_slice(), b""]))),
        ("took", Arc::new(DurationNanosecondArray::from(vec![1_500_000_000, 0]))),
        ("day", Arc::new(arrow::array::Date32Array::from(vec![0, 20_000]))),
        ("word", Arc::new(DictionaryArray::<Int8Type>::from_iter([Some("w"), None]))),
        ("list", Arc::new(list(vec![None, Some(vec![Some(7)]), Some(vec![Some(1), None]), Some(vec![])]).slice(2, 2))),
        ("fixed", Arc::new(fixed.slice(2, 2))),
        ("map", Arc::new(map.finish())),
        ("group", Arc::new(group)),
    ])
}

#[test]
fn every_kind_of_column() {
    insta::assert_snapshot!(text(&every_kind(), Format::Jsonl, Options::default()), @r#"
{"null":null,"bool":true,"uint":18446744073709551615,"float":null,"decimal":12.345,"binary":"00ff","took":"PT1.5S","day":"1970-01-01","word":"w","list":[1,null],"fixed":[1,null],"map":{"k\"":null},"group":{"x":1,"y":"a"}}
{"null":null,"bool":false,"uint":0,"float":-0.0,"decimal":-0.005,"binary":"","took":"P0D","day":"2024-10-04","word":null,"list":[],"fixed":null,"map":null,"group":{"x":null,"y":"b"}}
"#);
    insta::assert_snapshot!(text(&every_kind(), Format::Csv, Options::default()), @r#"
null,bool,uint,float,decimal,binary,took,day,word,list,fixed,map,group
,true,18446744073709551615,-inf,12.345,00ff,PT1.5S,1970-01-01,w,"[1,null]","[1,null]","{""k\"""":null}","{""x"":1,""y"":""a""}"
,false,0,-0.0,-0.005,"",P0D,2024-10-04,,[],,,"{""x"":null,""y"":""b""}"
"#);
    for format in [Format::Table, Format::Md, Format::Json, Format::Arrow] {
        assert!(!render(&[every_kind()], format, Options::default()).0.is_empty());
    }
}

#[test]
fn decimals_of_negative_scale_are_numbers() {
    let hundreds = Decimal128Array::from(vec![0, 5, -1]).with_precision_and_scale(10, -2).unwrap();
    insta::assert_snapshot!(text(&batch(vec![("n", Arc::new(hundreds))]), Format::Jsonl, Options::default()), @r#"
{"n":0}
{"n":500}
{"n":-100}
"#);
}

#[test]
fn delimited() {
    // Control characters are data here; they are only spelled out so that this file has none.
    let spelled = |text: String| text.replace('\u{1b}', "<ESC>").replace('\t', "<TAB>");
    insta::assert_snapshot!(spelled(text(&spans(), Format::Csv, zoned())), @r#"
name,start_time,total_tokens,cost,input
plan,2023-11-14T22:13:20.120000000Z,1234,0.25,"say
it <b><ESC>[2J"
"",,-5,3.0,
日本|語,2023-11-14T22:13:21.000000000Z,,NaN,"=1+1, ""x""<TAB>"
"#);
    insta::assert_snapshot!(spelled(text(&spans(), Format::Tsv, Options { csv_safe: true, ..zoned() })), @r#"
name<TAB>start_time<TAB>total_tokens<TAB>cost<TAB>input
plan<TAB>2023-11-14T22:13:20.120000000Z<TAB>1234<TAB>0.25<TAB>"say
it <b><ESC>[2J"
""<TAB><TAB>-5<TAB>3.0<TAB>
日本|語<TAB>2023-11-14T22:13:21.000000000Z<TAB><TAB>NaN<TAB>"'=1+1, ""x""<TAB>"
"#);
    assert_eq!(
        text(&spans().slice(0, 0), Format::Csv, Options::default()),
        "name,start_time,total_tokens,cost,input\n"
    );
}

#[test]
fn safe_csv_guards_text_only() {
    let texts = ["=1", "+1", "-1", "@x", "\tx", "\rx", "x=1", "'=1"];
    let rows = batch(vec![
        ("-t", Arc::new(StringArray::from(texts.to_vec()))),
        ("n", Arc::new(Int64Array::from(vec![-1; 8]))),
    ]);
    let shown = text(&rows, Format::Csv, Options { csv_safe: true, ..Options::default() });
    assert_eq!(shown, "'-t,n\n'=1,-1\n'+1,-1\n'-1,-1\n'@x,-1\n'\tx,-1\n\"'\rx\",-1\nx=1,-1\n'=1,-1\n");
    let plain = text(&rows, Format::Csv, Options::default());
    assert!(plain.starts_with("-t,n\n=1,-1\n"));
    for (cell, guarded) in [
        (" =1", true),
        ("\n=1", true),
        ("\u{a0} \r\n@x", true),
        ("\u{feff}=1", true),
        ("\u{ff1d}1", true),
        ("\u{ff0b}1", true),
        ("\u{ff0d}1", true),
        (" \u{ff20}x", true),
        (" x=1", false),
        ("\nx", false),
        ("", false),
    ] {
        let cells: ArrayRef = Arc::new(StringArray::from(vec![cell]));
        let shown = text(&batch(vec![("t", cells)]), Format::Csv, Options { csv_safe: true, ..Options::default() });
        assert_eq!(shown.trim_start_matches("t\n").trim_start_matches('"').starts_with('\''), guarded, "{cell:?}");
    }
}

#[test]
fn null_and_empty_differ_in_csv() {
    let values: ArrayRef = Arc::new(StringArray::from(vec![None, Some(""), Some("x")]));
    let two = batch(vec![("a", Arc::clone(&values)), ("b", Arc::clone(&values))]);
    assert_eq!(text(&two, Format::Csv, Options::default()), "a,b\n,\n\"\",\"\"\nx,x\n");
    let one = batch(vec![("a", values)]);
    assert_eq!(text(&one, Format::Csv, Options::default()), "a\n\"\"\n\"\"\nx\n", "no row is an empty line");
}

#[test]
fn limits_count() {
    let options = Options { max_rows: Some(4), max_cell: Some(2), ..Options::default() };
    let (out, written) = render(&[spans(), spans(), spans()], Format::Jsonl, options);
    assert_eq!(String::from_utf8(out).unwrap().lines().count(), 4);
    assert_eq!(written.notes(), ["6 cells cut at 2 characters", "rows 4 of 9 shown"]);
    let (out, written) = render(&[spans()], Format::Json, Options { max_rows: Some(0), ..options });
    assert_eq!((out.as_slice(), written.shown, written.rows), (b"[]\n".as_slice(), 0, 3));
}

#[test]
fn parquet_reads_back() {
    let batches = [spans(), spans()];
    for (batches, rows) in [(&batches[..], 6), (&[spans().slice(0, 0)][..], 0)] {
        let (out, _) = render(batches, Format::Parquet, Options::default());
        let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(Bytes::from(out), 1024).unwrap();
        let schema = arrow::array::RecordBatchReader::schema(&reader);
        assert_eq!(schema.field(4).data_type(), &DataType::Utf8);
        let read: Vec<_> = reader.map(Result::unwrap).collect();
        let read = concat_batches(&schema, &read).unwrap();
        assert_eq!(read.num_rows(), rows);
        if rows > 0 {
            assert_eq!(read.column(1), concat_batches(&spans().schema(), &batches.to_vec()).unwrap().column(1));
        }
    }
}

#[test]
fn arrow_reads_back() {
    let words =
        |words: [&str; 2]| batch(vec![("w", Arc::new(DictionaryArray::<Int8Type>::from_iter(words)) as ArrayRef)]);
    let (out, _) = render(&[words(["a", "b"]), words(["c", "a"])], Format::Arrow, Options::default());
    let reader = arrow::ipc::reader::FileReader::try_new(io::Cursor::new(out), None).unwrap();
    let schema = reader.schema();
    let read = concat_batches(&schema, &reader.map(Result::unwrap).collect::<Vec<_>>()).unwrap();
    assert_eq!(read.column(0).as_ref(), &StringArray::from(vec!["a", "b", "c", "a"]) as &dyn arrow::array::Array);

    let (out, _) = render(&[spans().slice(0, 0)], Format::Arrow, Options::default());
    let reader = arrow::ipc::reader::FileReader::try_new(io::Cursor::new(out), None).unwrap();
    assert_eq!((reader.schema().fields().len(), reader.count()), (5, 0));
}

/// A reader that went away after some bytes.
struct Closed(usize);

impl Write for Closed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let taken = bytes.len().min(self.0);
        self.0 -= taken;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn closed_pipes_are_told_apart() {
    for name in Format::NAMES {
        let format: Format = name.parse().unwrap();
        for taken in [0, 3, 100] {
            let result = (|| {
                let mut writer = ResultWriter::new(Closed(taken), format, spans().schema(), Options::default())?;
                for _ in 0..3 {
                    writer.write(&spans())?;
                }
                writer.finish()
            })();
            let error = result.unwrap_err();
            assert!(error.is_broken_pipe(), "{name} after {taken}: {error:?}");
        }
    }
}

#[test]
fn odd_batches_are_refused() {
    let mut writer = ResultWriter::new(Vec::new(), Format::Csv, spans().schema(), Options::default()).unwrap();
    let error = writer.write(&batch(vec![("a", Arc::new(NullArray::new(1)))])).unwrap_err();
    assert!(matches!(error, Error::Columns { expected: 5, got: 1 }));
}

#[test]
fn no_columns_are_no_crash() {
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(2));
    let none = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options).unwrap();
    assert_eq!(text(&none, Format::Jsonl, Options::default()), "{}\n{}\n");
    assert_eq!(text(&none, Format::Table, Options::default()), "");
    for format in [Format::Csv, Format::Md, Format::Arrow] {
        render(std::slice::from_ref(&none), format, Options::default());
    }
}
