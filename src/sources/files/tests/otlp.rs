//! OTLP, as JSON and as protobuf.

use super::shapes::rows_of;
use super::*;

const SPAN: &str = r#"{"traceId": "42B0987b11a08b3d6b8e6460c7844da9", "spanId": "4313136e32912a13", "parentSpanId": "", "name": "call", "kind": 3,
    "startTimeUnixNano": "1793700000000000001", "endTimeUnixNano": 1793700001500000000, "traceState": "", "flags": 256,
    "status": {"code": 2, "message": "no"}, "droppedAttributesCount": 0, "attributes": [
        {"key": "llm.token_count.total", "value": {"intValue": "5"}}, {"key": "ratio", "value": {"doubleValue": 0.5}},
        {"key": "flag", "value": {"boolValue": true}}, {"key": "list", "value": {"arrayValue": {"values": [{"stringValue": "a"}, {"intValue": "1"}]}}},
        {"key": "map", "value": {"kvlistValue": {"values": [{"key": "k", "value": {"stringValue": "v"}}]}}}, {"key": "none", "value": {}},
        {"key": "bytes", "value": {"bytesValue": "AAE="}}],
    "events": [{"timeUnixNano": "1793700000000000002", "name": "e", "attributes": [{"key": "x", "value": {"stringValue": "y"}}]}],
    "links": [{"traceId": "42b0987b11a08b3d6b8e6460c7844da9", "spanId": "04bd2db45aa4560d", "attributes": []}]}"#;

fn resource_spans(span: &str) -> String {
    format!(
        r#"{{"resource": {{"attributes": [{{"key": "service.name", "value": {{"stringValue": "svc"}}}}, {{"key": "openinference.project.name", "value": {{"stringValue": "mine"}}}}]}},
        "scopeSpans": [{{"scope": {{"name": "lib", "version": "1"}}, "spans": [{span}]}}]}}"#
    )
}

fn want() -> BTreeMap<String, String> {
    [
        ("project", "mine"),
        ("source", "file"),
        ("context.trace_id", "42b0987b11a08b3d6b8e6460c7844da9"),
        ("context.span_id", "4313136e32912a13"),
        ("name", "call"),
        ("start_time", "2026-11-03T10:00:00.000000001Z"),
        ("end_time", "2026-11-03T10:00:01.500Z"),
        ("status_code", "ERROR"),
        ("status_message", "no"),
        ("events", r#"[{"name":"e","timestamp":"2026-11-03T10:00:00.000000002Z","attributes":{"x":"y"}}]"#),
        ("attributes.llm.token_count.total", "5"),
        ("attributes.ratio", "0.5"),
        ("attributes.flag", "true"),
        ("attributes.list", r#"["a",1]"#),
        ("attributes.map.k", "v"),
        ("attributes.bytes", "AAE="),
        ("attributes.span.kind", "client"),
        (
            "attributes.links",
            r#"[{"trace_id":"42b0987b11a08b3d6b8e6460c7844da9","span_id":"04bd2db45aa4560d","attributes":{}}]"#,
        ),
        ("attributes.resource.service.name", "svc"),
        ("attributes.resource.openinference.project.name", "mine"),
        ("attributes.otel.scope.name", "lib"),
        ("attributes.otel.scope.version", "1"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}

#[test]
fn documents_in_every_wrapping() {
    let resource = resource_spans(SPAN);
    let line = resource.replace('\n', " ");
    let snake = resource
        .replace("traceId", "trace_id")
        .replace("spanId", "span_id")
        .replace("parentSpanId", "parent_span_id")
        .replace("startTimeUnixNano", "start_time_unix_nano")
        .replace("endTimeUnixNano", "end_time_unix_nano")
        .replace("timeUnixNano", "time_unix_nano")
        .replace("intValue", "int_value")
        .replace("stringValue", "string_value")
        .replace("kvlistValue", "kvlist_value")
        .replace("scopeSpans", "scope_spans");
    let names = resource
        .replace("42B0987b11a08b3d6b8e6460c7844da9", "QrCYexGgiz1rjmRgx4RNqQ==")
        .replace("4313136e32912a13", "QxMTbjKRKhM=")
        .replace("\"kind\": 3", "\"kind\": \"SPAN_KIND_CLIENT\"")
        .replace("\"code\": 2", "\"code\": \"STATUS_CODE_ERROR\"");
    let old = resource
        .replace("scopeSpans", "instrumentationLibrarySpans")
        .replace("\"scope\"", "\"instrumentationLibrary\"");
    for text in [
        format!("{{\"resourceSpans\": [{resource}]}}"),
        format!("{{\"resourceSpans\":[{line}]}}\n"),
        format!("{{\"resource_spans\": [{snake}]}}"),
        format!("{{\"resourceSpans\": [{names}]}}"),
        format!("{{\"batches\": [{resource}]}}"),
        format!("{{\"batches\": [{old}]}}"),
        format!("{{\"traces\": [{{\"resourceSpans\": [{resource}]}}]}}"),
        format!("{{\"trace\": {{\"resourceSpans\": [{resource}]}}}}"),
        format!("[{{\"resourceSpans\": [{resource}]}}]"),
        line.clone(),
    ] {
        assert_eq!(rows_of("a.json", text.as_bytes()), [want()], "{text}");
    }
    let many = format!("{{\"resourceSpans\":[{line}]}}\n").repeat(3);
    assert_eq!(rows_of("a.jsonl", many.as_bytes()), [want(), want(), want()]);
    let indented = format!("{{\n\"resourceSpans\": [\n{resource}\n,{resource}]\n}}\n").repeat(2);
    assert_eq!(rows_of("a.jsonl", indented.as_bytes()), [want(), want(), want(), want()]);
    let (packed, unset) =
        (gzip(many.as_bytes()), SPAN.replace("\"status\": {\"code\": 2, \"message\": \"no\"}", "\"status\": {}"));
    assert_eq!(rows_of("a.jsonl.gz", &packed).len(), 3);
    assert_eq!(rows_of("a.json", resource_spans(&unset).as_bytes())[0]["status_code"], "UNSET");
}

#[test]
fn a_span_that_does_not_fit_is_named() {
    let bad = SPAN.replace("4313136e32912a13", "");
    let text = format!(
        "\n{{\"resourceSpans\":\n[{},\n{}]}}",
        resource_spans(SPAN),
        resource_spans(&format!("{SPAN},{bad},{SPAN}"))
    );
    let (batches, _, failed) = read_as("a.json", text.as_bytes(), &options());
    let failed = failed.unwrap();
    // The first element takes ten lines.
    assert!(failed.ends_with("a.json:13: span 2 in it: context.span_id: missing or empty"), "{failed}");
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 2);
    let skipping = ReadOptions { skip_bad: true, ..options() };
    let (batches, report, failed) = read_as("a.json", text.as_bytes(), &skipping);
    assert_eq!((failed, report.bad), (None, 1));
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 3);
}

/// A field of a message: its number, and bytes.
fn field(number: u64, bytes: &[u8]) -> Vec<u8> {
    [varint(number << 3 | 2), varint(bytes.len() as u64), bytes.to_vec()].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = vec![];
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn attribute(key: &str, value: &[u8]) -> Vec<u8> {
    [field(1, key.as_bytes()), field(2, value)].concat()
}

fn text(text: &str) -> Vec<u8> {
    field(1, text.as_bytes())
}

fn integer(value: u64) -> Vec<u8> {
    [vec![3 << 3], varint(value)].concat()
}

fn fixed(number: u64, value: u64) -> Vec<u8> {
    [varint(number << 3 | 1), value.to_le_bytes().to_vec()].concat()
}

/// The same span as protobuf, in a request.
fn request() -> Vec<u8> {
    let trace = 0x42b0_987b_11a0_8b3d_6b8e_6460_c784_4da9_u128.to_be_bytes();
    let list = field(5, &[field(1, &text("a")), field(1, &integer(1))].concat());
    let map = field(6, &field(1, &attribute("k", &text("v"))));
    let span = [
        field(1, &trace),
        field(2, &0x4313_136e_3291_2a13_u64.to_be_bytes()),
        field(5, b"call"),
        vec![6 << 3, 3],
        fixed(7, 1_793_700_000_000_000_001),
        fixed(8, 1_793_700_001_500_000_000),
        field(9, &attribute("llm.token_count.total", &integer(5))),
        field(9, &attribute("ratio", &fixed(4, 0.5_f64.to_bits()))),
        field(9, &attribute("flag", &[2 << 3, 1])),
        field(9, &attribute("list", &list)),
        field(9, &attribute("map", &map)),
        field(9, &attribute("none", &[])),
        field(9, &attribute("bytes", &field(7, &[0, 1]))),
        field(
            11,
            &[fixed(1, 1_793_700_000_000_000_002), field(2, b"e"), field(3, &attribute("x", &text("y")))].concat(),
        ),
        field(13, &[field(1, &trace), field(2, &0x04bd_2db4_5aa4_560d_u64.to_be_bytes())].concat()),
        field(15, &[field(2, b"no"), vec![3 << 3, 2]].concat()),
        // Flags: a field of four bytes.
        vec![(16 << 3 | 5) as u8, 1, 0, 1, 0, 0],
    ]
    .concat();
    let scope = field(1, &[field(1, b"lib"), field(2, b"1")].concat());
    let names = [attribute("service.name", &text("svc")), attribute("openinference.project.name", &text("mine"))];
    let resource = field(1, &names.map(|name| field(1, &name)).concat());
    let scope_spans = field(2, &[scope, field(2, &span)].concat());
    field(1, &[resource, scope_spans].concat())
}

#[test]
fn protobuf_in_every_framing() {
    let request = request();
    let two = request.repeat(2);
    let length = |bytes: &[u8]| (bytes.len() as u32).to_be_bytes().to_vec();
    let packed = zstd::encode_all(two.as_slice(), 1).unwrap();
    for (name, bytes, count) in [
        ("a.binpb", request.clone(), 1),
        ("a.data", two.clone(), 2),
        ("a.data", [varint(two.len() as u64), two.clone(), varint(request.len() as u64), request.clone()].concat(), 3),
        ("a.data", [length(&two), two.clone(), length(&request), request.clone()].concat(), 3),
        ("a.data", [length(&packed), packed.clone(), length(&packed), packed].concat(), 4),
        ("a.data", gzip(&request), 1),
        ("a.pb", vec![], 0),
    ] {
        assert_eq!(rows_of(name, &bytes), vec![want(); count], "{name}");
    }
}

/// The Collector's file exporter, told to compress, sets JSON apart by lengths, too.
#[test]
fn json_that_is_compressed_request_by_request() {
    let document = format!("{{\"resourceSpans\": [{}]}}", resource_spans(SPAN));
    let packed = zstd::encode_all(document.as_bytes(), 1).unwrap();
    let framed = [&(packed.len() as u32).to_be_bytes()[..], &packed].concat();
    assert_eq!(rows_of("traces.json", &framed.repeat(3)), vec![want(); 3]);
    let skipping = ReadOptions { skip_bad: true, ..options() };
    let (batches, _, failed) = read_as("traces.json", &framed.repeat(2)[..framed.len() * 2 - 9], &skipping);
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 1);
    assert!(failed.unwrap().contains("traces.json:2: the file ends inside a request"));
    let metrics = zstd::encode_all(&br#"{"resourceMetrics": []}"#[..], 1).unwrap();
    let (_, _, failed) =
        read_as("metrics.json", &[&(metrics.len() as u32).to_be_bytes()[..], &metrics].concat(), &options());
    assert!(failed.unwrap().ends_with("metrics.json:1: not OTLP: a request without the spans of a resource"));
}

#[test]
fn protobuf_that_is_cut_or_no_otlp() {
    let two = request().repeat(2);
    let skipping = ReadOptions { skip_bad: true, ..options() };
    for cut in 1..two.len() {
        let (batches, _, failed) = read_as("a.binpb", &two[..cut], &skipping);
        let count: usize = batches.iter().map(RecordBatch::num_rows).sum();
        assert_eq!(count, usize::from(cut >= two.len() / 2), "{cut}");
        assert!(failed.is_some_and(|error| error.contains("a.binpb")) || cut == two.len() / 2, "{cut}");
    }
    let (_, _, failed) = read_as("a.pb", b"some text", &options());
    assert!(failed.unwrap().ends_with("a.pb:1: not OTLP: it does not begin with the spans of a resource"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn damaged_protobuf_never_panics(
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 1..4),
        framed in any::<bool>(),
    ) {
        let mut bytes = request().repeat(2);
        if framed {
            bytes = [(bytes.len() as u32).to_be_bytes().to_vec(), bytes].concat();
        }
        for (place, mask) in &flips {
            let at = place.index(bytes.len());
            bytes[at] ^= mask;
        }
        let skipping = ReadOptions { skip_bad: true, format: Format::Otlp, ..options() };
        let (_, _, failed) = read_as("a.otlp", &bytes, &skipping);
        prop_assert!(failed.is_none_or(|error| error.contains("a.otlp")));
    }
}
