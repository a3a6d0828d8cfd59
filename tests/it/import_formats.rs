//! Files in the shapes of other tools, imported by the binary and asked for by SQL.

use std::path::Path;

use serde_json::{Value, json};

use super::support::{fail, spanql, succeed};

const TRACE: &str = "42b0987b11a08b3d6b8e6460c7844da9";
const CALL: &str = "4313136e32912a13";
const ROOT: &str = "04bd2db45aa4560d";

fn query(store: &Path, sql: &str) -> Vec<Value> {
    let rows = succeed(spanql(store).args(["-q", "query", "-o", "jsonl", sql]));
    rows.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A span of OTLP.
fn otlp(id: &str, parent: &str, name: &str, code: u8) -> Value {
    json!({
        "traceId": TRACE, "spanId": id, "parentSpanId": parent, "name": name, "kind": 1,
        "startTimeUnixNano": "1793700000000000000", "endTimeUnixNano": "1793700001500000000", "status": {"code": code},
        "attributes": [{"key": "llm.token_count.total", "value": {"intValue": "5"}},
            {"key": "openinference.span.kind", "value": {"stringValue": "LLM"}}],
    })
}

/// A request of OTLP with two spans of one trace.
fn request() -> Value {
    let spans = [otlp(CALL, ROOT, "call", 2), otlp(ROOT, "", "root", 0)];
    json!({"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [{"scope": {"name": "x"}, "spans": spans}]}]})
}

/// A span as OpenTelemetry's console exporter prints it.
fn console(id: &str, parent: Option<&str>, name: &str, status: &str) -> String {
    let span = json!({
        "name": name, "context": {"trace_id": format!("0x{TRACE}"), "span_id": format!("0x{id}"), "trace_state": "[]"},
        "kind": "SpanKind.INTERNAL", "parent_id": parent.map(|id| format!("0x{id}")),
        "start_time": "2026-11-03T10:00:00.000000Z", "end_time": "2026-11-03T10:00:01.500000Z",
        "status": {"status_code": status}, "events": [], "links": [], "resource": {"attributes": {}, "schema_url": ""},
        "attributes": {"llm.token_count.total": 5, "openinference.span.kind": "LLM"},
    });
    serde_json::to_string_pretty(&span).unwrap()
}

/// A span as Phoenix's REST has it.
fn phoenix(id: &str, parent: Option<&str>, name: &str, status: &str) -> Value {
    json!({
        "id": "U3Bhbjox", "name": name, "context": {"trace_id": TRACE, "span_id": id}, "span_kind": "LLM", "parent_id": parent,
        "start_time": "2026-11-03T10:00:00+00:00", "end_time": "2026-11-03T10:00:01.500000+00:00", "status_code": status,
        "status_message": "", "attributes": {"llm.token_count.total": 5}, "events": [],
    })
}

fn jaeger(trace: &str) -> Value {
    let span = |id: &str, parent: Option<&str>, name: &str, status: &str| {
        let references = parent.map(|id| json!({"refType": "CHILD_OF", "traceID": trace, "spanID": id}));
        json!({
            "traceID": trace, "spanID": id, "operationName": name, "references": Vec::from_iter(references),
            "startTime": 1_793_700_000_000_000_i64, "duration": 1_500_000, "logs": [], "processID": "p1",
            "tags": [{"key": "otel.status_code", "type": "string", "value": status},
                {"key": "llm.token_count.total", "type": "int64", "value": 5},
                {"key": "openinference.span.kind", "type": "string", "value": "LLM"}],
        })
    };
    let spans = [span(CALL, Some(ROOT), "call", "ERROR"), span(ROOT, None, "root", "UNSET")];
    json!({"traceID": trace, "spans": spans, "processes": {"p1": {"serviceName": "svc"}}})
}

/// A packed file that holds the text as it is: what matters is that it is recognised.
fn gzip(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap();
    let mut bytes = b"\x1f\x8b\x08\0\0\0\0\0\0\xff\x01".to_vec();
    bytes.extend(length.to_le_bytes());
    bytes.extend((!length).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes.extend(crc32fast::hash(text.as_bytes()).to_le_bytes());
    bytes.extend(u32::from(length).to_le_bytes());
    bytes
}

/// The same for zstd.
fn zstd(text: &str) -> Vec<u8> {
    let length = text.len() as u32;
    let mut bytes = b"\x28\xb5\x2f\xfd\xa0".to_vec();
    bytes.extend(length.to_le_bytes());
    bytes.extend((length << 3 | 1).to_le_bytes().iter().take(3));
    bytes.extend(text.as_bytes());
    bytes
}

#[test]
fn one_trace_is_the_same_in_every_shape() {
    let pages = [phoenix(CALL, Some(ROOT), "call", "ERROR"), phoenix(ROOT, None, "root", "UNSET")];
    let files = [
        ("otlp.json", serde_json::to_string_pretty(&request()).unwrap()),
        ("otlp.jsonl", format!("{}\n{}\n", request(), request())),
        ("tempo.json", json!({"batches": request()["resourceSpans"]}).to_string()),
        (
            "console.txt.json",
            format!("{}\n{}\n", console(CALL, Some(ROOT), "call", "ERROR"), console(ROOT, None, "root", "UNSET")),
        ),
        ("page.json", json!({"data": pages, "next_cursor": null}).to_string()),
        ("trace.json", serde_json::to_string_pretty(&json!({"traceId": TRACE, "spans": pages})).unwrap()),
        ("jaeger.json", json!({"data": [jaeger(TRACE)], "total": 0}).to_string()),
        ("jaeger.jsonl", format!("{}\n", jaeger(TRACE))),
    ];
    let want = json!([
        {"trace_id": TRACE, "span_id": CALL, "parent_id": ROOT, "name": "call", "kind": "LLM", "status_code": "ERROR",
            "total_tokens": 5, "latency_ms": 1500.0},
        {"trace_id": TRACE, "span_id": ROOT, "parent_id": null, "name": "root", "kind": "LLM", "status_code": "UNSET",
            "total_tokens": 5, "latency_ms": 1500.0},
    ]);
    for (name, text) in files {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(name);
        std::fs::write(&file, &text).unwrap();
        let store = directory.path().join("store");
        succeed(spanql(&store).arg("import").arg(&file));
        let asked = "SELECT trace_id, span_id, parent_id, name, kind, status_code, total_tokens, latency_ms FROM spans ORDER BY name";
        assert_eq!(Value::from(query(&store, asked)), want, "{name}");
        let trees = query(&store, "SELECT span_count, root_count, orphan_count FROM traces");
        assert_eq!(trees, [json!({"span_count": 2, "root_count": 1, "orphan_count": 0})], "{name}");
        // Packed, in a folder, from stdin: nothing new.
        let folder = directory.path().join("folder");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("spans.json.gz"), gzip(&text)).unwrap();
        std::fs::write(folder.join("spans.json.zst"), zstd(&text)).unwrap();
        let said = spanql(&store).arg("import").arg(&folder).output().unwrap();
        let said = String::from_utf8(said.stderr).unwrap();
        assert!(said.contains("2 spans: 0 new, 0 updated, 2 unchanged"), "{name}: {said}");
    }
}

#[test]
fn what_came_whole_of_a_cut_file_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let text = serde_json::to_string_pretty(&request()).unwrap();
    let cut = text.rfind("\"root\"").unwrap();
    let file = directory.path().join("cut.json");
    std::fs::write(&file, &text[..cut]).unwrap();
    let store = directory.path().join("store");
    let said = fail(spanql(&store).arg("import").arg(&file));
    assert!(said.contains("cut.json:") && said.contains("the file ends inside"), "{said}");
    let said = fail(spanql(&store).args(["import", "--skip-bad"]).arg(&file));
    assert!(said.contains("1 span: 1 new") && said.contains("cut.json:"), "{said}");
    assert_eq!(query(&store, "SELECT name FROM spans"), [json!({"name": "call"})]);
}

#[test]
fn files_without_spans_are_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let (store, notes) = (directory.path().join("store"), directory.path().join("notes.json"));
    std::fs::write(&notes, "{\"hello\": \"world\", \"items\": [1, 2, 3]}").unwrap();
    let said = fail(spanql(&store).arg("import").arg(&notes));
    for word in ["notes.json", "no spans found", "Langfuse", "\"hello\", \"items\""] {
        assert!(said.contains(word), "{word}: {said}");
    }
    std::fs::write(directory.path().join("spans.jsonl"), format!("{}\n", request())).unwrap();
    let done = spanql(&store).args(["import", "--skip-bad"]).arg(directory.path()).output().unwrap();
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(said.contains("2 spans: 2 new") && said.contains("notes.json:1: no spans found"), "{said}");
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain("{}".bytes().flat_map(|byte| [byte, 0])).collect();
    std::fs::write(&notes, utf16).unwrap();
    let said = fail(spanql(&store).arg("import").arg(&notes));
    assert!(said.contains("notes.json: this is UTF-16 text (convert it to UTF-8"), "{said}");
}

#[test]
fn spans_that_do_not_fit_are_named_in_their_item() {
    let directory = tempfile::tempdir().unwrap();
    let (store, file) = (directory.path().join("store"), directory.path().join("lines.jsonl"));
    let mut bad = request();
    bad["resourceSpans"][0]["scopeSpans"][0]["spans"][1]["spanId"] = json!("");
    std::fs::write(&file, format!("{}\n{bad}\n", request())).unwrap();
    let said = fail(spanql(&store).arg("import").arg(&file));
    assert!(said.contains("lines.jsonl:2: span 2 in it: context.span_id: missing or empty"), "{said}");
    succeed(spanql(&store).args(["import", "--skip-bad"]).arg(&file));
    assert_eq!(query(&store, "SELECT count(*) AS n FROM spans"), [json!({"n": 2})]);
}
