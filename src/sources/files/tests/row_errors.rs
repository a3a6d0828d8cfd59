//! Rows and files that do not fit: named, skipped, or an error after the rows before them.

use super::*;

#[test]
fn what_does_not_fit_is_named_or_skipped() {
    let bad = "{\"context.trace_id\":\"t\",\"context.span_id\":\"s\",\"start_time\":\"yesterday\"}";
    let mut lines: Vec<Vec<u8>> = (0..20).map(|at| row(at).into_bytes()).collect();
    lines[16] = bad.as_bytes().to_vec();
    lines[18] = b"{\"name\": \"\xff\"}".to_vec();
    lines[19] = "[".repeat(100_000).into_bytes();
    let text = lines.join(&b'\n');
    let (batches, _, failed) = read_as("spans.jsonl", &text, &options());
    let failed = failed.unwrap();
    let want = "spans.jsonl:17: start_time: \"yesterday\" is not a time (write RFC 3339, or integer s/ms/µs/ns)";
    assert!(failed.ends_with(want), "{failed}");
    assert_eq!(ats(&batches), (0..16).collect::<Vec<_>>());

    let skipping = ReadOptions { skip_bad: true, ..options() };
    let (batches, report, failed) = read_as("spans.jsonl", &text, &skipping);
    assert_eq!(failed, None);
    assert_eq!(ats(&batches), (0..16).chain([17]).collect::<Vec<_>>());
    assert_eq!(report.bad, 3);
    let lines: Vec<u64> = report.first_bad.iter().map(|bad| bad.line).collect();
    assert_eq!(lines, [17, 19, 20]);
    assert_eq!(report.first_bad[1].reason, "not UTF-8 (byte 11)");

    let list = format!("[{},\n{},\n{{]}},\n{}]", row(0), bad, row(1));
    let (batches, report, failed) = read_as("spans.json", list.as_bytes(), &skipping);
    assert_eq!((failed, ats(&batches)), (None, vec![0, 1]));
    assert_eq!(report.first_bad.iter().map(|bad| bad.line).collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn rows_of_tables_that_do_not_fit_are_named_or_skipped() {
    let csv = "context.trace_id,context.span_id,attributes.at,end_time\nt,a,0,\nt,b\nt,c,2,soon\n,d,3,\nt,e,4,5\n";
    let (_, _, failed) = read_as("spans.csv", csv.as_bytes(), &options());
    assert!(failed.unwrap().ends_with("spans.csv:3: 2 cells, but the header has 4"));
    let skipping = ReadOptions { skip_bad: true, ..options() };
    let (batches, report, failed) = read_as("spans.csv", csv.as_bytes(), &skipping);
    assert_eq!((failed, ats(&batches), report.bad), (None, vec![0, 4], 3));

    let text = |cells: [&str; 3]| Arc::new(StringArray::from(cells.to_vec())) as ArrayRef;
    let batch = RecordBatch::try_from_iter([
        ("context.trace_id", text(["t", "t", "t"])),
        ("context.span_id", text(["a", "b", "c"])),
        ("attributes.at", Arc::new(Int64Array::from(vec![0, 1, 2]))),
        ("end_time", text(["", "soon", "2"])),
    ])
    .unwrap();
    for bytes in [as_parquet(&batch), as_arrow_file(&batch), as_arrow_stream(&batch)] {
        let (batches, _, failed) = read_as("spans.data", &bytes, &options());
        let failed = failed.unwrap();
        assert!(failed.contains("spans.data:2: end_time: \"soon\" is not a time"), "{failed}");
        assert_eq!(ats(&batches), [0]);
        let (batches, report, failed) = read_as("spans.data", &bytes, &skipping);
        assert_eq!((failed, ats(&batches), report.first_bad[0].line), (None, vec![0, 2], 2));
    }
}

#[test]
fn what_is_cut_off_is_an_error_after_its_rows() {
    // Digits that do not repeat, so that the packed file is long enough to be cut in its middle.
    let mut state = 1u64;
    let mut noise = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state
    };
    let lines: Vec<String> =
        (0..20_000).map(|at| row(at).replace("\"t\"", &format!("\"{:x}{:x}\"", noise(), noise()))).collect();
    let text = lines.join("\n");
    for packed in [gzip(text.as_bytes()), zstd::encode_all(text.as_bytes(), 1).unwrap()] {
        for cut in [packed.len() / 2, packed.len() - 3, 20] {
            let skipping = ReadOptions { skip_bad: true, ..options() };
            let (batches, report, failed) = read_as("spans.jsonl.gz", &packed[..cut], &skipping);
            let failed = failed.expect("a cut file is an error");
            assert!(failed.contains("spans.jsonl.gz"), "{failed}");
            let rows = ats(&batches);
            assert_eq!(rows, (0..rows.len() as i64).collect::<Vec<_>>());
            assert!(cut == 20 || rows.len() > 5_000, "{} rows", rows.len());
            assert_eq!(report.bad, 0);
        }
    }
    let list = format!("[{},{}", row(0), &row(1)[..20]);
    let (batches, _, failed) = read_as("a.json", list.as_bytes(), &options());
    assert_eq!(ats(&batches), [0]);
    assert!(failed.unwrap().ends_with("a.json:1: the file ends inside the list"));
    let parquet = as_parquet(&as_batch(&[]));
    let (_, _, failed) = read_as("a.parquet", &parquet[..parquet.len() - 1], &options());
    assert!(failed.unwrap().contains("a.parquet:1: not a readable Parquet file: "));
}

#[test]
fn a_csv_that_ends_inside_quotes_is_an_error_after_its_rows() {
    let head = "context.trace_id,context.span_id,attributes.at,attributes.label\n";
    let skipping = ReadOptions { skip_bad: true, ..options() };
    for (rows, line) in [
        ("t,a,0,x\nt,b,1,\"two\nlines\"\nt,c,2,\"cut\nhere, or\nthere", 5),
        ("t,a,0,x\r\nt,b,1,y\r\n\r\nt,c,2,\"cut\r\n", 5),
        ("t,a,0,x\nt,b,1,y\nt,c,2,\"", 4),
        ("t,a,0,x\nt,b,1,y\nt,c,2,\"he said \"\"no\"\", and", 4),
        // The cut record has too few cells, too: what matters is that the file was cut.
        ("t,a,0,x\nt,b,1,y\n\"t", 4),
    ] {
        for options in [&options(), &skipping] {
            let text = format!("{head}{rows}");
            for (name, bytes) in [("a.csv", text.clone().into_bytes()), ("a.csv.gz", gzip(text.as_bytes()))] {
                let (batches, report, failed) = read_as(name, &bytes, options);
                let want = format!("{name}:{line}: the file ends inside a quoted cell");
                assert!(failed.as_ref().is_some_and(|error| error.ends_with(&want)), "{rows:?}: {failed:?}");
                assert_eq!((ats(&batches), report.bad), (vec![0, 1], 0), "{rows:?}");
            }
        }
    }
    let (_, _, failed) = read_as("a.csv", b"context.trace_id,\"context.span_id,attributes.at\nt,a,0\n", &options());
    assert!(failed.unwrap().ends_with("a.csv:1: the file ends inside a quoted cell"));
}

#[test]
fn quotes_that_csv_allows_are_no_cut() {
    let head = "context.trace_id,context.span_id,attributes.label\n";
    for (cell, want) in [
        ("5\" disk", "5\" disk"),
        ("5\"", "5\""),
        (" \"x", " \"x"),
        ("\"x\"", "x"),
        ("\"x\"\"\"", "x\""),
        ("\"x\"y\"", "xy\""),
        ("\"\n\"", "\n"),
    ] {
        for end in ["", "\n", "\r\n", "\nt,u,z"] {
            let batch = read("a.csv", format!("{head}t,s,{cell}{end}").as_bytes());
            assert_eq!(batch["attributes.label"].as_string::<i32>().value(0), want, "{cell}{end:?}");
        }
    }
}

#[test]
fn a_csv_header_without_ids_or_with_a_name_twice_is_an_error() {
    let trace = "the header has no column context.trace_id (or trace_id)";
    let span = "the header has no column context.span_id (or span_id)";
    let both = "the header has no column context.trace_id (or trace_id) and no column context.span_id (or span_id)";
    let forced = ReadOptions { format: Format::Csv, skip_bad: true, ..options() };
    for (text, want) in [
        ("context.span_id,name\n", trace),
        ("trace_id,name\nt,n\n", span),
        ("name,attributes.trace_id", both),
        (row(0).as_str(), both),
        ("trace_id,span_id,name,kind,name\n", "the header has the column \"name\" twice"),
        ("trace_id,span_id,trace_id\nt,s,u\n", "the header has the column \"trace_id\" twice"),
    ] {
        let (batches, _, failed) = read_as("a.txt", text.as_bytes(), &forced);
        assert!(failed.as_ref().is_some_and(|e| e.ends_with(&format!("a.txt:1: {want}"))), "{text:?}: {failed:?}");
        assert_eq!(batches.len(), 0);
    }
    // Row indexes have no names, and a name of a column is not the same as its short form.
    for text in ["", "\n\r\n", "trace_id,span_id\n", ",,trace_id,context.span_id,span_id\n0,0,t,s,s\n"] {
        let (_, _, failed) = read_as("a.txt", text.as_bytes(), &forced);
        assert_eq!(failed, None, "{text:?}");
    }
}

#[test]
fn lines_of_csv_count_the_same_whatever_ends_them() {
    for end in ["\n", "\r\n"] {
        let rows = ["context.trace_id,context.span_id,start_time", "t,1,", "t,2,soon", "t,3,"];
        let (_, _, failed) = read_as("a.csv", rows.join(end).as_bytes(), &ReadOptions::default());
        let failed = failed.unwrap().to_string();
        assert!(failed.contains("a.csv:3: start_time"), "{failed}");
    }
}
