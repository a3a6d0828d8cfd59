//! Files of every shape that are cut at any byte, or hold a value that is too large: what came whole is told from what did not.

use super::shapes::cells;
use super::*;

/// A file of four spans.
struct Shape {
    name: &'static str,
    bytes: Vec<u8>,
    /// Lengths at which a beginning of it is a file of its own.
    ends: Vec<usize>,
}

/// Values one after the other, each with its end.
fn values(name: &'static str, values: [String; 4], end: &str) -> Shape {
    let (mut bytes, mut ends) = (vec![], vec![0]);
    for value in values {
        bytes.extend(value.as_bytes());
        ends.extend(bytes.len()..=bytes.len() + end.len());
        bytes.extend(end.as_bytes());
    }
    Shape { name, bytes, ends }
}

/// One value.
fn document(name: &'static str, text: String) -> Shape {
    Shape { name, ends: vec![0, text.len()], bytes: text.into_bytes() }
}

/// The spans in every shape, each with its text as input.
fn shapes(texts: [&str; 4]) -> Vec<Shape> {
    let trace = "42b0987b11a08b3d6b8e6460c7844da9";
    let each = |write: &dyn Fn(&str, &str) -> String| {
        let ids = ["4313136e32912a10", "4313136e32912a11", "4313136e32912a12", "4313136e32912a13"];
        std::array::from_fn::<String, 4, _>(|at| write(ids[at], texts[at]))
    };
    let row = each(&|id, text| {
        format!(r#"{{"context.trace_id":"{trace}","context.span_id":"{id}","attributes.input.value":"{text}"}}"#)
    });
    let cell = |part: &'static str, end: &'static str| {
        each(&move |id, text| format!("{trace}{part}{id}{part}{text}{part}1{end}")).concat()
    };
    let head = |part: &str| ["context.trace_id", "context.span_id", "attributes.input.value", "end_time"].join(part);
    let request = each(&|id, text| {
        format!(
            r#"{{"scopeSpans":[{{"spans":[{{"traceId":"{trace}","spanId":"{id}","name":"n","attributes":[{{"key":"input.value","value":{{"stringValue":"{text}"}}}}]}}]}}]}}"#
        )
    });
    let requests = request.clone().map(|request| format!(r#"{{"resourceSpans":[{request}]}}"#));
    let printed = each(&|id, text| {
        format!(
            "{{\n    \"name\": \"n\",\n    \"context\": {{\"trace_id\": \"0x{trace}\", \"span_id\": \"0x{id}\"}},\n    \"kind\": \"SpanKind.INTERNAL\",\n    \"status\": {{\"status_code\": \"UNSET\"}},\n    \"attributes\": {{\"input.value\": \"{text}\"}}, \"resource\": {{\"attributes\": {{}}}}\n}}"
        )
    });
    let phoenix = each(&|id, text| {
        format!(
            r#"{{"id":"U3Bhbjox","name":"n","context":{{"trace_id":"{trace}","span_id":"{id}"}},"attributes":{{"input.value":"{text}"}}}}"#
        )
    });
    let jaeger = each(&|id, text| {
        format!(
            r#"{{"traceID":"{id}","spans":[{{"traceID":"{id}","spanID":"{id}","operationName":"n","startTime":1,"duration":1,"processID":"p","tags":[{{"key":"input.value","type":"string","value":"{text}"}}]}}],"processes":{{"p":{{}}}}}}"#
        )
    });
    let langfuse = each(&|id, text| {
        format!(
            r#"{{"id":"{id}","traceId":"t","type":"SPAN","startTime":"2025-06-11T14:01:32.598Z","input":"{text}"}}"#
        )
    });
    let opik = each(&|id, text| {
        format!(
            r#"{{"id":"{id}","trace_id":"t","start_time":"2025-01-01T00:00:00Z","type":"llm","input":{{"q":"{text}"}}}}"#
        )
    });
    let column = |values: [&str; 4]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
    let batch = RecordBatch::try_from_iter([
        ("context.trace_id", column(["t"; 4])),
        ("context.span_id", column(["a", "b", "c", "d"])),
        ("attributes.input.value", column(texts)),
    ])
    .unwrap();
    let binary = |name, bytes: Vec<u8>| Shape { name, ends: vec![0, bytes.len()], bytes };
    let (lines, list) = (row.join("\n"), row.join(",\n "));
    vec![
        values("rows.jsonl", row, "\n"),
        document("rows.json", format!("[{list}]")),
        document("table.csv", format!("{}\n{}", head(","), cell(",", "\n"))),
        document("table.tsv", format!("{}\r\n{}", head("\t"), cell("\t", "\r\n"))),
        values("otlp.jsonl", requests.clone(), "\n"),
        document("otlp.json", format!("{{\"resourceSpans\": [{}]}}", request.join(",\n"))),
        document("tempo.json", format!("{{\"batches\": [{}]}}", request.join(",\n"))),
        values("console.json", printed, "\n"),
        document("page.json", format!("{{\"data\": [{}], \"next_cursor\": null}}", phoenix.join(",\n"))),
        document("jaeger.json", format!("{{\"data\": [{}], \"total\": 0}}", jaeger.join(",\n"))),
        values("jaeger.jsonl", jaeger, "\n"),
        document("langfuse.json", format!("{{\"data\": [{}], \"meta\": {{}}}}", langfuse.join(",\n"))),
        document("opik.json", format!("[{}]", opik.join(",\n"))),
        binary("rows.jsonl.gz", gzip(lines.as_bytes())),
        binary("rows.jsonl.zst", zstd::encode_all(lines.as_bytes(), 1).unwrap()),
        binary("rows.parquet", as_parquet(&batch)),
        binary("rows.arrow", as_arrow_file(&batch)),
    ]
}

/// Whether an error says which file it is about, and where in it, or that nothing tells what it is.
fn names_the_place(error: &str, name: &str) -> bool {
    let Some((_, rest)) = error.split_once(&format!("{name}:")) else { return false };
    let is_place = rest.split(':').next().is_some_and(|line| line.parse::<u64>().is_ok_and(|line| line > 0));
    is_place || rest.starts_with(' ')
}

#[test]
fn a_file_that_is_cut_is_no_whole_one() {
    for Shape { name, bytes, ends } in shapes(["one", "two", "three", "four"]) {
        let whole = cells(&read_as(name, &bytes, &options()).0);
        assert_eq!(whole.len(), 4, "{name}");
        let is_table = name.starts_with("table");
        // Everywhere that something ends, and at some of the bytes between.
        let around = ends.iter().flat_map(|end| [end.saturating_sub(1), *end, end + 1]);
        for cut in around.chain((0..bytes.len()).step_by(13)).filter(|cut| *cut < bytes.len()) {
            let mut kept = vec![];
            for skip_bad in [false, true] {
                let (batches, report, failed) = read_as(name, &bytes[..cut], &ReadOptions { skip_bad, ..options() });
                let rows = cells(&batches);
                let what = || format!("{name} cut at {cut}: {} rows, {} bad, {failed:?}", rows.len(), report.bad);
                // Nothing tells that the last cell of a table was cut.
                let sure = if is_table { rows.len().saturating_sub(1) } else { rows.len() };
                assert!(rows.len() <= 4 && whole.starts_with(&rows[..sure]), "{}", what());
                let is_said = failed.is_some() || report.bad > 0;
                assert!(is_said || is_table || ends.contains(&cut), "{}", what());
                assert!(failed.as_ref().is_none_or(|error| names_the_place(error, name)), "{}", what());
                assert!(report.first_bad.iter().all(|bad| bad.line > 0 && bad.file.ends_with(name)), "{}", what());
                assert!(skip_bad || report.bad == 0, "{}", what());
                kept.push(rows.len());
            }
            assert!(kept[0] <= kept[1], "{name} cut at {cut}: {kept:?}");
        }
    }
}

#[test]
fn a_value_that_is_too_large_is_named_and_the_others_can_be_had() {
    let huge = "x".repeat(5_000);
    for Shape { name, bytes, .. } in shapes(["one", "two", &huge, "four"]) {
        let limits = Limits { value: 1_000, ..Limits::default() };
        let (batches, _, failed) = read_as(name, &bytes, &ReadOptions { limits, ..options() });
        let failed = failed.unwrap_or_else(|| panic!("{name}: no error"));
        assert!(names_the_place(&failed, name) && cells(&batches).len() <= 2, "{failed}");
        let skipping = ReadOptions { skip_bad: true, limits, ..options() };
        let (batches, report, failed) = read_as(name, &bytes, &skipping);
        assert_eq!((failed, cells(&batches).len(), report.bad), (None, 3, 1), "{name}: {:?}", report.first_bad);
        assert!(report.first_bad[0].line > 0 && report.first_bad[0].file.ends_with(name), "{:?}", report.first_bad);
    }
}
