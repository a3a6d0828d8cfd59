//! Files as a whole: written in every format, read back, broken on purpose.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampNanosecondArray,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Int64Type, Schema};
use parquet::arrow::ArrowWriter;
use proptest::prelude::*;

use spanql_model::columns::METADATA_PATCH;

use super::*;

mod broken;
mod opik;
mod otlp;
mod recorded;
mod row_errors;
mod shapes;
mod streams;

/// One span as it is written to every format.
#[derive(Debug, Clone)]
struct Span {
    trace_id: String,
    span_id: String,
    name: Option<String>,
    start: Option<i64>,
    tokens: Option<i64>,
    cost: Option<f64>,
    escaped: Option<bool>,
    count: Option<i64>,
    flag: Option<bool>,
    label: Option<String>,
    ratio: Option<f64>,
}

fn span() -> impl Strategy<Value = Span> {
    let opt = prop::option::of::<BoxedStrategy<i64>>;
    let text = || prop::option::of(any::<String>().prop_map(|text| format!("x{text}")));
    let time = || (-9_214_560_000_000_000_000i64..9_214_646_400_000_000_000).boxed();
    // An id of zeros is none.
    let first = ("[^0\\n].{0,8}", "[^0\\n].{0,8}", text(), opt(time()), opt(time()));
    // One zero is stored.
    let finite = any::<f64>().prop_filter("finite", |value| value.is_finite()).prop_map(|value| value + 0.0);
    // Halves of halves print as plain decimals, which CSV needs to tell a number from text.
    let decimal = any::<i32>().prop_map(|value| f64::from(value) / 1024.0);
    let second = (prop::option::of(finite), any::<Option<bool>>(), opt((-9i64..9).boxed()), any::<Option<bool>>());
    (first, second, text(), prop::option::of(decimal)).prop_map(
        |((trace_id, span_id, name, start, tokens), (cost, escaped, count, flag), label, ratio)| Span {
            trace_id,
            span_id,
            name,
            start,
            tokens,
            cost,
            escaped,
            count,
            flag,
            label,
            ratio,
        },
    )
}

const NAMES: [&str; 11] = [
    "context.trace_id",
    "context.span_id",
    "name",
    "start_time",
    "attributes.llm.token_count.total",
    "attributes.llm.cost.total",
    "attributes.exception.escaped",
    "attributes.count",
    "attributes.flag",
    "attributes.label",
    "attributes.ratio",
];

fn time_text(nanos: i64) -> String {
    chrono::DateTime::from_timestamp_nanos(nanos).to_rfc3339_opts(chrono::SecondsFormat::Nanos, true)
}

fn columns(spans: &[Span]) -> Vec<ArrayRef> {
    fn text<'a>(cells: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
        Arc::new(cells.collect::<StringArray>())
    }
    let start: TimestampNanosecondArray = spans.iter().map(|s| s.start).collect();
    vec![
        text(spans.iter().map(|s| Some(s.trace_id.as_str()))),
        text(spans.iter().map(|s| Some(s.span_id.as_str()))),
        text(spans.iter().map(|s| s.name.as_deref())),
        Arc::new(start.with_timezone("UTC")),
        Arc::new(spans.iter().map(|s| s.tokens).collect::<Int64Array>()),
        Arc::new(spans.iter().map(|s| s.cost).collect::<Float64Array>()),
        Arc::new(spans.iter().map(|s| s.escaped).collect::<BooleanArray>()),
        Arc::new(spans.iter().map(|s| s.count).collect::<Int64Array>()),
        Arc::new(spans.iter().map(|s| s.flag).collect::<BooleanArray>()),
        text(spans.iter().map(|s| s.label.as_deref())),
        Arc::new(spans.iter().map(|s| s.ratio).collect::<Float64Array>()),
    ]
}

fn as_batch(spans: &[Span]) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(NAMES.into_iter().zip(columns(spans)).map(|(n, c)| (n, c, true))).unwrap()
}

/// What every format must come back as.
fn expected(spans: &[Span]) -> RecordBatch {
    let constant = |text: &str| Arc::new(StringArray::from(vec![text; spans.len()])) as ArrayRef;
    let mut all = vec![("project", constant("p")), ("source", constant("file"))];
    all.extend(NAMES.into_iter().zip(columns(spans)).filter(|(_, column)| column.null_count() < column.len()));
    RecordBatch::try_from_iter_with_nullable(all.into_iter().map(|(n, c)| (n, c, true))).unwrap()
}

fn as_json(span: &Span, nested: bool) -> serde_json::Value {
    let cells = serde_json::json!({
        "context.trace_id": span.trace_id, "context.span_id": span.span_id, "name": span.name,
        "start_time": span.start.map(time_text), "attributes.llm.token_count.total": span.tokens,
        "attributes.llm.cost.total": span.cost, "attributes.exception.escaped": span.escaped,
        "attributes.count": span.count, "attributes.flag": span.flag, "attributes.label": span.label,
        "attributes.ratio": span.ratio,
    });
    if !nested {
        return cells;
    }
    let mut row = serde_json::json!({});
    for (name, value) in cells.as_object().unwrap() {
        let mut place = &mut row;
        for part in name.split('.') {
            place = &mut place[part];
        }
        *place = value.clone();
    }
    row
}

fn as_csv(spans: &[Span]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(NAMES).unwrap();
    let show = |cell: Option<String>| cell.unwrap_or_default();
    for s in spans {
        let cells = [
            s.trace_id.clone(),
            s.span_id.clone(),
            show(s.name.clone()),
            show(s.start.map(time_text)),
            show(s.tokens.map(|v| v.to_string())),
            show(s.cost.map(|v| format!("{v:?}"))),
            show(s.escaped.map(|v| v.to_string())),
            show(s.count.map(|v| v.to_string())),
            show(s.flag.map(|v| v.to_string())),
            show(s.label.clone()),
            show(s.ratio.map(|v| format!("{v:?}"))),
        ];
        writer.write_record(cells).unwrap();
    }
    writer.into_inner().unwrap()
}

fn as_parquet(batch: &RecordBatch) -> Vec<u8> {
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

fn as_arrow_file(batch: &RecordBatch) -> Vec<u8> {
    let mut writer = arrow::ipc::writer::FileWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

fn as_arrow_stream(batch: &RecordBatch) -> Vec<u8> {
    let mut writer = arrow::ipc::writer::StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

fn options() -> ReadOptions {
    ReadOptions { project: Some("p".to_owned()), ..ReadOptions::default() }
}

/// Writes bytes to a file of this name and reads it; the rows, the account and the error if there was one.
fn read_as(name: &str, bytes: &[u8], options: &ReadOptions) -> (Vec<RecordBatch>, ReadReport, Option<String>) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let input = expand(&[path.display().to_string()]).unwrap().remove(0);
    let mut reader = match FileReader::open(input, options) {
        Ok(reader) => reader,
        Err(error) => return (Vec::new(), ReadReport::default(), Some(error.to_string())),
    };
    let mut batches = Vec::new();
    let mut failed = None;
    for batch in reader.by_ref() {
        assert!(failed.is_none(), "nothing comes after an error");
        match batch {
            Ok(batch) => batches.push(batch),
            Err(error) => failed = Some(error.to_string()),
        }
    }
    assert_eq!(reader.report().rows, batches.iter().map(|b| b.num_rows() as u64).sum::<u64>());
    (batches, reader.report().clone(), failed)
}

fn read(name: &str, bytes: &[u8]) -> RecordBatch {
    let (batches, _, failed) = read_as(name, bytes, &options());
    assert_eq!(failed, None, "{name}");
    let schema = batches.first().map_or_else(|| Arc::new(Schema::empty()), RecordBatch::schema);
    concat_batches(&schema, &batches).unwrap()
}

fn row(at: usize) -> String {
    format!("{{\"context.trace_id\":\"t\",\"context.span_id\":\"s{at}\",\"attributes.at\":{at}}}")
}

fn ats(batches: &[RecordBatch]) -> Vec<i64> {
    batches.iter().flat_map(|b| b["attributes.at"].as_primitive::<Int64Type>().values().to_vec()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_format_reads_back_equal(spans in prop::collection::vec(span(), 1..20)) {
        let want = expected(&spans);
        let rows = |nested| spans.iter().map(|s| as_json(s, nested).to_string()).collect::<Vec<_>>();
        let lines = rows(false).join("\n");
        prop_assert_eq!(&read("a.jsonl", lines.as_bytes()), &want);
        prop_assert_eq!(&read("a.jsonl", format!("\u{feff}\r\n{}\r\n\n", rows(true).join("\r\n")).as_bytes()), &want);
        prop_assert_eq!(&read("a.json", format!(" [{}]\n", rows(true).join(" ,\n ")).as_bytes()), &want);
        prop_assert_eq!(&read("a.data", &gzip(lines.as_bytes())), &want);
        prop_assert_eq!(&read("a.data", &zstd::encode_all(lines.as_bytes(), 1).unwrap()), &want);
        prop_assert_eq!(&read("a.csv", &as_csv(&spans)), &want);
        prop_assert_eq!(&read("a.csv.gz", &gzip(&as_csv(&spans))), &want);
        let batch = as_batch(&spans);
        prop_assert_eq!(&read("a.data", &as_parquet(&batch)), &want);
        prop_assert_eq!(&read("a.data", &gzip(&as_parquet(&batch))), &want);
        prop_assert_eq!(&read("a.data", &as_arrow_file(&batch)), &want);
        prop_assert_eq!(&read("a.data", &as_arrow_stream(&batch)), &want);
    }

    #[test]
    fn garbage_is_an_error_or_bad_rows(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        begin in prop::sample::select(vec!["", "{", "[", "[{", "PAR1", "ARROW1", "\u{1f}", "span_id,context.trace_id\n"]),
        format in prop::sample::select(vec![Format::Auto, Format::Json, Format::Jsonl, Format::Csv, Format::Parquet, Format::Arrow]),
    ) {
        let bytes = [begin.as_bytes(), &bytes].concat();
        for skip_bad in [false, true] {
            let (_, report, failed) = read_as("a.bin", &bytes, &ReadOptions { format, skip_bad, ..options() });
            prop_assert!(failed.is_none_or(|error| error.contains("a.bin")));
            prop_assert_eq!(report.first_bad.len() as u64, report.bad.min(10));
        }
    }

    #[test]
    fn damaged_files_never_panic(
        spans in prop::collection::vec(span(), 1..5),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let batch = as_batch(&spans);
        let lines = spans.iter().map(|s| as_json(s, true).to_string()).collect::<Vec<_>>().join("\n");
        let list = format!("[{}]", lines.replace('\n', ","));
        let tables = [as_parquet(&batch), as_arrow_file(&batch), as_arrow_stream(&batch), as_csv(&spans)];
        for bytes in tables.into_iter().chain([gzip(lines.as_bytes()), list.into_bytes()]) {
            let mut flipped = bytes.clone();
            for (place, mask) in &flips {
                flipped[place.index(bytes.len())] ^= mask;
            }
            let skipping = ReadOptions { skip_bad: true, ..options() };
            let (_, _, failed) = read_as("a.csv", &flipped, &skipping);
            prop_assert!(failed.is_none_or(|error| error.contains("a.csv")));
            let (_, _, failed) = read_as("a.csv", &bytes[..cut.index(bytes.len())], &skipping);
            prop_assert!(failed.is_none_or(|error| error.contains("a.csv")));
        }
    }
}

#[test]
fn arrow_files_may_be_compressed_and_hold_dictionaries() {
    use arrow::ipc::CompressionType;
    use arrow::ipc::writer::{FileWriter, IpcWriteOptions};
    let ids: Vec<String> = (1..=300).map(|at| at.to_string()).collect();
    let kinds: Vec<&str> = (0..300).map(|at| if at % 2 == 0 { "LLM" } else { "TOOL" }).collect();
    let kinds: ArrayRef = Arc::new(StringArray::from(kinds));
    let dictionary = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
    let batch = RecordBatch::try_from_iter([
        ("context.trace_id", Arc::new(StringArray::from(vec!["t"; 300])) as ArrayRef),
        ("context.span_id", Arc::new(StringArray::from(ids))),
        ("attributes.openinference.span.kind", arrow::compute::cast(&kinds, &dictionary).unwrap()),
    ])
    .unwrap();
    for compression in [None, Some(CompressionType::ZSTD), Some(CompressionType::LZ4_FRAME)] {
        let options = IpcWriteOptions::default().try_with_compression(compression).unwrap();
        let mut writer = FileWriter::try_new_with_options(Vec::new(), &batch.schema(), options).unwrap();
        writer.write(&batch).unwrap();
        writer.write(&batch).unwrap();
        let bytes = writer.into_inner().unwrap();
        let got = read("a.arrow", &bytes);
        assert_eq!(got.num_rows(), 600);
        assert_eq!(&got["attributes.openinference.span.kind"].slice(300, 300), &kinds);
        for cut in (10..bytes.len()).step_by(97) {
            let (_, _, failed) = read_as("a.arrow", &bytes[..cut], &ReadOptions::default());
            assert!(failed.is_some_and(|error| error.contains("a.arrow:")), "{cut} of {}", bytes.len());
        }
    }
}

#[test]
fn batches_are_cut_by_rows_and_by_bytes() {
    let rows: Vec<String> = (0..20_000).map(row).collect();
    let (batches, _, _) = read_as("a.jsonl", rows.join("\n").as_bytes(), &options());
    assert_eq!(batches.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), [8192, 8192, 3616]);
    // One long text in every row: a dictionary in Parquet, so that the file is small and its rows are not.
    let long = "x".repeat(1 << 18);
    let text = |cells: Vec<&str>| Arc::new(StringArray::from(cells)) as ArrayRef;
    let ids: Vec<String> = (1..=200).map(|at| at.to_string()).collect();
    let batch = RecordBatch::try_from_iter([
        ("context.trace_id", text(vec!["t"; 200])),
        ("context.span_id", text(ids.iter().map(String::as_str).collect())),
        ("attributes.input.value", text(vec![&long; 200])),
    ])
    .unwrap();
    let bytes = as_parquet(&batch);
    assert!(bytes.len() < 1 << 20);
    let (batches, _, failed) = read_as("a.parquet", &bytes, &options());
    assert_eq!(failed, None);
    assert_eq!(batches.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), [31, 31, 31, 31, 31, 31, 14]);
}

#[test]
fn projects_and_renamed_columns_are_reported() {
    let text = "{\"trace_id\":\"t\",\"span_id\":\"s\",\"project\":\"mine\",\"foo\":1}\n{\"trace_id\":\"t\",\"span_id\":\"u\",\"index\":7}";
    for (project, as_project, want) in
        [(None, None, ["mine", "default"]), (Some("p"), None, ["mine", "p"]), (Some("p"), Some("q"), ["q", "q"])]
    {
        let options = ReadOptions {
            project: project.map(str::to_owned),
            as_project: as_project.map(str::to_owned),
            ..ReadOptions::default()
        };
        let (batches, report, failed) = read_as("a", text.as_bytes(), &options);
        assert_eq!(failed, None);
        let projects: Vec<_> = batches[0]["project"].as_string::<i32>().iter().flatten().collect();
        assert_eq!(projects, want);
        assert_eq!(report.renamed.into_iter().collect::<Vec<_>>(), ["foo"]);
    }
    let csv = ",context.trace_id,context.span_id,attributes.metadata.tier\n0,t,s,5\n1,t,u,gold\n";
    let batch = read("a.csv", csv.as_bytes());
    let metadata: Vec<_> = batch[METADATA_PATCH].as_string::<i32>().iter().flatten().collect();
    assert_eq!(metadata, ["{\"tier\":5}", "{\"tier\":\"gold\"}"]);
    assert_eq!(batch.num_columns(), 5);
}

#[test]
fn empty_metadata_cells_of_csv_are_no_keys() {
    let csv = "context.trace_id,context.span_id,attributes.metadata.tier,attributes.metadata.seats\nt,s,,\nt,u,gold,\n";
    let batch = read("a.csv", csv.as_bytes());
    let metadata = batch[METADATA_PATCH].as_string::<i32>();
    assert_eq!(metadata.iter().collect::<Vec<_>>(), [None, Some("{\"tier\":\"gold\"}")]);
}

#[test]
fn bytes_read_reach_the_size_of_the_file() {
    let spans: Vec<String> = (0..1_000).map(row).collect();
    let text = spans.join("\n");
    let directory = tempfile::tempdir().unwrap();
    for (name, bytes) in [("a.jsonl", text.clone().into_bytes()), ("a.jsonl.gz", gzip(text.as_bytes()))] {
        let path = directory.path().join(name);
        std::fs::write(&path, &bytes).unwrap();
        let input = expand(&[path.display().to_string()]).unwrap().remove(0);
        assert_eq!(input.size(), Some(bytes.len() as u64));
        let mut reader = FileReader::open(input, &options()).unwrap();
        assert!(reader.by_ref().all(|batch| batch.is_ok()));
        assert_eq!(reader.bytes_read(), bytes.len() as u64);
    }
}

#[test]
fn a_reader_can_be_sent_to_a_thread() {
    fn is_send<T: Send>() {}
    is_send::<FileReader>();
}
