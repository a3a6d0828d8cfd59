//! Files are read on several threads, and what they hold wins by its place in them all the same.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use spanql::sources::files::{FileReader, ReadOptions, ReadReport, expand};
use spanql::store::{Progress, Store};

use super::support::{ask_rows, assert_same, dump, engine};

const TRACES: usize = 40;
const SPANS: usize = 8;

/// The arrivals of a file, by number: the span of each, and which of its columns it has.
fn arrivals(from: usize, count: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    // A step that has no divisor in common with the number of spans: each comes again and again, in an order of its own.
    (from..from + count).map(|n| (n, n * 7_919 % (TRACES * SPANS), n * 31 % 11))
}

/// Lines of several megabytes, which are cut into blocks; some do not fit.
fn write_lines(file: &Path, from: usize, count: usize, known: &mut BTreeMap<usize, (usize, usize)>) {
    let pad = "x".repeat(1_500);
    let mut text = String::new();
    for (n, span, has) in arrivals(from, count) {
        let ids = format!(r#""context.trace_id":"t{}","context.span_id":"s{}""#, span / SPANS, span % SPANS);
        if has == 10 {
            let _ = writeln!(text, r#"{{{ids},"start_time":"no time {n}"}}"#);
            continue;
        }
        // A type that differs from block to block, and a value that comes now and then.
        let open = match n * 4 / (from + count) {
            0 | 1 => format!("{n}"),
            2 => format!("{n}.5"),
            _ => format!("\"{n}\""),
        };
        let status = if has % 3 == 0 { "UNSET" } else { "OK" };
        let _ = write!(text, r#"{{{ids},"name":"n{n}","status_code":"{status}","attributes.pad":"{pad}{}""#, n % 5);
        let entry = known.entry(span).or_insert((n, n));
        entry.0 = n;
        if has % 2 == 0 {
            entry.1 = n;
            let _ = write!(text, r#","attributes.sometimes":{n},"attributes.metadata":{{"k{}":{n}}}"#, has % 4);
        }
        let parent = if span % SPANS == 0 { "null".to_owned() } else { format!("\"s{}\"", (span % SPANS) / 2) };
        let _ =
            writeln!(text, r#","parent_id":{parent},"start_time":{},"attributes.open":{open}}}"#, 1_793_700_000 + n);
    }
    std::fs::write(file, text).unwrap();
}

/// Parquet of several row groups and of more rows than one batch has.
fn write_parquet(file: &Path, from: usize, count: usize, known: &mut BTreeMap<usize, (usize, usize)>) {
    let all: Vec<_> = arrivals(from, count).collect();
    let text = |of: fn(&(usize, usize, usize)) -> String| -> ArrayRef {
        Arc::new(all.iter().map(|arrival| Some(of(arrival))).collect::<StringArray>())
    };
    let sometimes: Int64Array = all.iter().map(|(n, _, has)| (has % 2 == 0).then_some(*n as i64)).collect();
    for &(n, span, has) in &all {
        let entry = known.entry(span).or_insert((n, n));
        entry.0 = n;
        if has % 2 == 0 {
            entry.1 = n;
        }
    }
    let batch = RecordBatch::try_from_iter([
        ("context.trace_id", text(|(_, span, _)| format!("t{}", span / SPANS))),
        ("context.span_id", text(|(_, span, _)| format!("s{}", span % SPANS))),
        ("name", text(|(n, ..)| format!("n{n}"))),
        ("status_code", text(|(_, _, has)| if has % 3 == 0 { "UNSET" } else { "ERROR" }.to_owned())),
        ("attributes.sometimes", Arc::new(sometimes) as ArrayRef),
    ])
    .unwrap();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(3_000)).build();
    let mut writer =
        ArrowWriter::try_new(std::fs::File::create(file).unwrap(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

async fn imported(files: &[PathBuf], threads: usize) -> (Store, Vec<ReadReport>) {
    let store = Store::open("memory://").unwrap();
    // So little memory that most of it is put aside.
    let mut import = store.begin_with_memory(1 << 20);
    let options = ReadOptions { skip_bad: true, threads, ..ReadOptions::default() };
    let mut reports = Vec::new();
    let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    for input in expand(&files).unwrap() {
        let mut reader = FileReader::open(input, &options).unwrap();
        for batch in &mut reader {
            import.push(&batch.unwrap()).unwrap();
        }
        reports.push(reader.report().clone());
    }
    store.commit(import, "import", &Progress::default()).await.unwrap();
    (store, reports)
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_conflict_are_merged_alike_on_one_thread_and_on_many() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name);
    let files = [file("a.jsonl"), file("b.parquet"), file("c.jsonl")];
    let mut known = BTreeMap::new();
    write_lines(&files[0], 0, 6_000, &mut known);
    write_parquet(&files[1], 6_000, 20_000, &mut known);
    // Only some of the spans come again: of the others the Parquet file has the last word.
    let mut late = BTreeMap::new();
    write_lines(&files[2], 26_000, 3_000, &mut late);
    for (span, (n, sometimes)) in late {
        let entry = known.entry(span).or_insert((n, sometimes));
        entry.0 = n;
        entry.1 = if sometimes >= 26_000 && sometimes * 31 % 11 % 2 == 0 { sometimes } else { entry.1 };
    }

    let (alone, reports_alone) = imported(&files, 1).await;
    assert!(reports_alone[0].bad > 100 && reports_alone[1].bad == 0);
    for threads in [2, 5] {
        let (together, reports) = imported(&files, threads).await;
        assert_eq!(reports, reports_alone, "{threads} threads");
        assert_same(&dump(&together).await.unwrap(), &dump(&alone).await.unwrap(), &format!("{threads} threads"));
    }

    // The last arrival has the name, and the last one that has the other value has that.
    let engine = engine(alone.snapshot().await.unwrap()).await;
    let asked = "SELECT trace_id, span_id, name, attributes.sometimes AS sometimes FROM spans";
    let rows = ask_rows(&engine, asked).await.unwrap();
    assert_eq!(rows.len(), TRACES * SPANS);
    for row in rows {
        let number = |name: &str| row[name][1..].parse::<usize>().unwrap();
        let (n, sometimes) = known[&(number("trace_id") * SPANS + number("span_id"))];
        assert_eq!(row["name"], format!("n{n}"), "{row:?}");
        assert_eq!(row["sometimes"], sometimes.to_string(), "{row:?}");
    }
}

#[test]
fn a_row_that_does_not_fit_ends_the_file_at_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.jsonl");
    write_lines(&file, 0, 9_000, &mut BTreeMap::new());
    let read = |threads: usize| {
        let options = ReadOptions { threads, ..ReadOptions::default() };
        let mut reader = FileReader::open(expand(&[file.display().to_string()]).unwrap().remove(0), &options).unwrap();
        let (mut rows, mut error) = (0, String::new());
        for batch in &mut reader {
            match batch {
                Ok(batch) => rows += batch.num_rows(),
                Err(failed) => error = failed.to_string(),
            }
        }
        (rows, error, reader.report().clone())
    };
    let alone = read(1);
    assert!(alone.1.contains("no time"), "{}", alone.1);
    assert_eq!(read(3), alone);
}
