//! What the tools write that spans are exported with, each as a small file of its shape.

use super::*;

/// The rows of a text, each as its columns that have a value; lists and objects as their JSON.
pub(super) fn rows_of(name: &str, text: &[u8]) -> Vec<BTreeMap<String, String>> {
    let (batches, _, failed) = read_as(name, text, &options());
    assert_eq!(failed, None, "{name}");
    cells(&batches)
}

pub(super) fn cells(batches: &[RecordBatch]) -> Vec<BTreeMap<String, String>> {
    let mut rows = vec![];
    for batch in batches {
        let columns: Vec<StringArray> = batch
            .columns()
            .iter()
            .map(|column| arrow::compute::cast(column, &DataType::Utf8).unwrap().as_string::<i32>().clone())
            .collect();
        for row in 0..batch.num_rows() {
            let cells = batch
                .schema()
                .fields()
                .iter()
                .zip(&columns)
                .filter(|(_, column)| column.is_valid(row))
                .map(|(field, column)| (field.name().clone(), column.value(row).to_owned()))
                .collect();
            rows.push(cells);
        }
    }
    rows
}

/// Checks the row of a text with one span: it has these columns, and besides them only those that all rows have.
#[track_caller]
fn check(text: &str, want: &[(&str, &str)]) {
    let rows = rows_of("a.json", text.as_bytes());
    assert_eq!(rows.len(), 1, "{rows:?}");
    let mut want: BTreeMap<String, String> = want.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    want.entry("project".to_owned()).or_insert("p".to_owned());
    want.insert("source".to_owned(), "file".to_owned());
    assert_eq!(rows[0], want);
}

#[test]
fn a_span_of_opentelemetry_s_console_exporter() {
    check(
        r#"{
    "name": "call", "context": {"trace_id": "0x42b0987b11a08b3d6b8e6460c7844da9", "span_id": "0x4313136E32912a13", "trace_state": "[]"},
    "kind": "SpanKind.CLIENT", "parent_id": "0x04bd2db45aa4560d", "start_time": "2026-11-03T10:00:00.000000Z",
    "end_time": "2026-11-03T10:00:01.500000Z", "status": {"status_code": "ERROR", "description": "no"},
    "attributes": {"llm.token_count.total": 5, "tags": ["a", "b"]}, "events": [{"name": "e"}], "links": [],
    "resource": {"attributes": {"service.name": "svc", "openinference.project.name": "mine"}, "schema_url": ""}
}"#,
        &[
            ("name", "call"),
            ("context.trace_id", "42b0987b11a08b3d6b8e6460c7844da9"),
            ("context.span_id", "4313136e32912a13"),
            ("parent_id", "04bd2db45aa4560d"),
            ("start_time", "2026-11-03T10:00:00Z"),
            ("end_time", "2026-11-03T10:00:01.500Z"),
            ("status_code", "ERROR"),
            ("status_message", "no"),
            ("events", r#"[{"name": "e"}]"#),
            ("attributes.llm.token_count.total", "5"),
            ("attributes.span.kind", "client"),
            ("attributes.tags", r#"["a","b"]"#),
            ("attributes.resource.service.name", "svc"),
            ("attributes.resource.openinference.project.name", "mine"),
            ("project", "mine"),
        ],
    );
}

#[test]
fn spans_of_sdks_with_integer_ids_and_a_parent() {
    check(
        r#"{"spans": [{"name": "call_llm", "kind": "internal", "parent": {"trace_id": 39712373237291850001929057769826244787, "span_id": 2795294992452118289},
            "start_time": 1758026594777382000, "end_time": 1758026595108941000, "status": {"status_code": "ok", "description": null},
            "context": {"trace_id": 39712373237291850001929057769826244787, "span_id": 15, "is_remote": false, "trace_state": {"entries": {}}},
            "attributes": {"tool.own": "t"}, "links": [], "events": []}], "final_output": {"x": 1}}"#,
        &[
            ("name", "call_llm"),
            ("context.trace_id", "1de0532b350588ff152b1edf6bf358b3"),
            ("context.span_id", "000000000000000f"),
            ("parent_id", "26cae1fc4b896711"),
            ("start_time", "2025-09-16T12:43:14.777382Z"),
            ("end_time", "2025-09-16T12:43:15.108941Z"),
            ("status_code", "OK"),
            ("events", "[]"),
            ("attributes.tool.own", "t"),
            ("attributes.span.kind", "internal"),
        ],
    );
}

#[test]
fn spans_below_their_traces_in_a_list() {
    let text = r#"[{"trace_id": "0xEA", "spans": [{"trace_id": "0xEA", "span_id": "0x36", "parent_span_id": null, "name": "run",
        "status": {"code": 2, "description": "rate"}, "kind": "SpanKind.INTERNAL", "attributes": {"x": "1"}, "tool_output": "20"}], "total_tokens": 7},
        {"trace_id": "0xEB", "spans": []}]"#;
    let rows = rows_of("a.json", text.as_bytes());
    assert_eq!(rows.len(), 1);
    for (name, want) in [
        ("context.trace_id", "ea"),
        ("context.span_id", "36"),
        ("status_code", "ERROR"),
        ("attributes.tool_output", "20"),
    ] {
        assert_eq!(rows[0][name], want, "{name}");
    }
}

#[test]
fn a_span_of_arize_s_rest() {
    let span = r#"{"name": "llm call", "context": {"trace_id": "b3", "span_id": "a7"}, "kind": "LLM", "parent_id": "a6",
        "status_code": "ERROR", "attributes": {"session.id": "s1", "metadata": {"tier": "free"}},
        "annotations": [{"name": "Quality", "label": "good", "score": 1, "text": "t", "updated_at": "2026-11-10T12:08:00Z",
            "annotator": {"id": "VXNl", "email": "a@example.com"}}], "trace_annotations": [],
        "evaluations": [{"name": "Correctness", "label": "incorrect", "score": 0.0, "explanation": "because"}], "events": []}"#;
    let want = [
        ("name", "llm call"),
        ("context.trace_id", "b3"),
        ("context.span_id", "a7"),
        ("parent_id", "a6"),
        ("attributes.openinference.span.kind", "LLM"),
        ("status_code", "ERROR"),
        ("events", "[]"),
        ("attributes.session.id", "s1"),
        ("attributes.metadata", r#"{"tier": "free"}"#),
        ("annotation.Quality.label", "good"),
        ("annotation.Quality.score", "1"),
        ("annotation.Quality.text", "t"),
        ("annotation.Quality.updated_at", "1794312480000"),
        ("annotation.Quality.updated_by", "a@example.com"),
        ("eval.Correctness.label", "incorrect"),
        ("eval.Correctness.score", "0.0"),
        ("eval.Correctness.explanation", "because"),
    ];
    check(&format!("[{span}]"), &want);
    check(&format!("{{\"spans\": [{span}], \"pagination\": {{\"has_more\": false}}}}"), &want);
    check(&format!("{{\"traces\": [{{\"trace_id\": \"b3\", \"root_span_id\": \"a6\", \"spans\": [{span}]}}]}}"), &want);
}

#[test]
fn pages_and_traces_of_phoenix() {
    let span = r#"{"id": "U3Bhbjox", "name": "call", "context": {"trace_id": "42", "span_id": "43"}, "span_kind": "LLM",
        "parent_id": null, "status_code": "OK", "status_message": "", "attributes": {"llm.token_count.total": 5}, "events": []}"#;
    let want = [
        ("name", "call"),
        ("context.trace_id", "42"),
        ("context.span_id", "43"),
        ("attributes.openinference.span.kind", "LLM"),
        ("status_code", "OK"),
        ("status_message", ""),
        ("events", "[]"),
        ("attributes.llm.token_count.total", "5"),
        ("attributes.phoenix.id", "U3Bhbjox"),
    ];
    check(&format!("{{\"data\": [{span}], \"next_cursor\": null}}"), &want);
    check(&format!("{{\"next_cursor\": \"x\", \"data\": [{span}]}}"), &want);
    check(&format!("{{\n \"traceId\": \"42\", \"spans\": [\n{span}\n],\n \"status\": \"OK\"}}"), &want);
    assert_eq!(rows_of("empty.json", b"{\"data\": [], \"next_cursor\": null}"), []);
}

#[test]
fn a_data_frame_of_phoenix() {
    let text = r#"{"name":"x","span_kind":"UNKNOWN","parent_id":"p","context.span_id":"s","context.trace_id":"t","attributes.llm":{"system":"openai"},"attributes.llm.model_name":"m","attributes.tool":null}"#;
    check(
        text,
        &[
            ("name", "x"),
            ("parent_id", "p"),
            ("context.span_id", "s"),
            ("context.trace_id", "t"),
            ("attributes.llm.system", "openai"),
            ("attributes.llm.model_name", "m"),
        ],
    );
}

const JAEGER: &str = r#"{"traceID": "3E28", "spans": [
    {"traceID": "3E28", "spanID": "1f", "operationName": "POST", "references": [
        {"refType": "FOLLOWS_FROM", "traceID": "3e28", "spanID": "aa"}, {"refType": "CHILD_OF", "traceID": "3e28", "spanID": "E3"}],
     "startTime": 1771237534577907, "duration": 5510, "processID": "p1", "warnings": ["skew"],
     "tags": [{"key": "http.status_code", "type": "int64", "value": "201"}, {"key": "error", "type": "bool", "value": "true"},
        {"key": "otel.status_description", "type": "string", "value": "bad"}, {"key": "span.kind", "type": "string", "value": "client"}],
     "logs": [{"timestamp": 1771237536588288, "fields": [{"key": "event", "type": "string", "value": "exception"}, {"key": "n", "type": "int64", "value": 1}]}]}],
  "processes": {"p1": {"serviceName": "helm", "tags": [{"key": "ns", "type": "string", "value": "k"}]}}}"#;

#[test]
fn a_trace_of_jaeger() {
    let want = [
        ("context.trace_id", "3e28"),
        ("context.span_id", "1f"),
        ("parent_id", "e3"),
        ("name", "POST"),
        ("start_time", "2026-02-16T10:25:34.577907Z"),
        ("end_time", "2026-02-16T10:25:34.583417Z"),
        ("status_code", "ERROR"),
        ("status_message", "bad"),
        ("events", r#"[{"name":"exception","timestamp":"2026-02-16T10:25:36.588288Z","attributes":{"n":1}}]"#),
        ("attributes.error", "true"),
        ("attributes.http.status_code", "201"),
        ("attributes.span.kind", "client"),
        ("attributes.links", r#"[{"trace_id":"3e28","span_id":"aa","type":"FOLLOWS_FROM"}]"#),
        ("attributes.jaeger.warnings", r#"["skew"]"#),
        ("attributes.resource.service.name", "helm"),
        ("attributes.resource.ns", "k"),
    ];
    check(&format!("{{\"data\": [{JAEGER}], \"total\": 0, \"errors\": null}}"), &want);
    check(JAEGER, &want);
    check(&JAEGER.replace('\n', " "), &want);
    // Processes before, and the trace's id behind.
    let turned = JAEGER.replacen(r#""traceID": "3E28", "#, "", 1);
    check(&format!("{}, \"traceID\": \"3E28\"}}", turned.strip_suffix('}').unwrap()), &want);
}

#[test]
fn a_trace_of_langfuse() {
    let observation = r#"{"id": "o1", "traceId": "t1", "startTime": "2025-06-11T14:01:32.598Z", "endTime": null, "type": "GENERATION",
        "parentObservationId": null, "name": "invoke", "level": "ERROR", "statusMessage": "no", "input": "{\"q\": 1}", "output": {"a": [1]},
        "model": "gpt-4o-mini", "modelParameters": {"temperature": 1}, "usageDetails": {"input": 15, "output": 4, "total": 19},
        "costDetails": {"total": 0.5}, "totalCost": 0.5, "inputUsage": 15,
        "metadata": "{\"attributes\":{\"own.name\":\"x\",\"llm.model_name\":\"other\",\"llm.token_count.total\":\"19\"},\"scope\":{\"name\":\"s\"}}"}"#;
    let trace = r#""id": "t1", "name": "run", "sessionId": "sess", "userId": "u", "tags": ["dev"],
        "scores": [{"name": "toxic", "value": 0.8, "comment": "why", "source": "EVAL", "observationId": null}]"#;
    let alone = [
        ("context.trace_id", "t1"),
        ("context.span_id", "o1"),
        ("name", "invoke"),
        ("attributes.openinference.span.kind", "LLM"),
        ("start_time", "2025-06-11T14:01:32.598Z"),
        ("status_code", "ERROR"),
        ("status_message", "no"),
        ("events", "[]"),
        ("attributes.input.value", "{\"q\": 1}"),
        ("attributes.output.value", "{\"a\": [1]}"),
        ("attributes.llm.model_name", "gpt-4o-mini"),
        ("attributes.llm.invocation_parameters", "{\"temperature\": 1}"),
        ("attributes.llm.token_count.prompt", "15"),
        ("attributes.llm.token_count.completion", "4"),
        ("attributes.llm.token_count.total", "19"),
        ("attributes.llm.cost.total", "0.5"),
        ("attributes.metadata", r#"{"scope":{"name":"s"}}"#),
        ("attributes.own.name", "x"),
        ("attributes.source.llm.model_name", "other"),
        ("attributes.langfuse.observation.level", "ERROR"),
        ("attributes.langfuse.observation.type", "GENERATION"),
    ];
    let of_trace = [
        ("attributes.session.id", "sess"),
        ("attributes.user.id", "u"),
        ("attributes.tag.tags", r#"["dev"]"#),
        ("annotation.toxic.score", "0.8"),
        ("annotation.toxic.explanation", "why"),
        ("annotation.toxic.annotator_kind", "LLM"),
    ];
    let both = [&alone[..], &of_trace].concat();
    check(&format!("{{\"data\": [{observation}], \"meta\": {{\"page\": 1}}}}"), &alone);
    check(&format!("{{\"trace\": {{{trace}}}, \"observations\": [{observation}]}}"), &both);
    check(&format!("{{\"observations\": [{observation}], \"trace\": {{{trace}}}}}"), &both);
    check(&format!("{{{trace}, \"observations\": [{observation}]}}"), &both);

    let page = format!(
        "{{\"data\": [{{{trace}, \"timestamp\": \"2025-06-11T14:01:32Z\", \"observations\": [\"o1\"], \"totalCost\": 0.5}}]}}"
    );
    let rows = rows_of("traces.json", page.as_bytes());
    for (name, want) in [
        ("context.span_id", "t1"),
        ("name", "run"),
        ("attributes.session.id", "sess"),
        ("attributes.langfuse.trace.llm.cost.total", "0.5"),
    ] {
        assert_eq!(rows[0][name], want, "{name}");
    }
}

#[test]
fn spans_and_traces_of_opik() {
    let span = r#"{"id": "s1", "trace_id": "t1", "name": "call", "type": "llm", "start_time": "2025-01-03T11:03:17.882131", "usage": {"total_tokens": 3}}"#;
    let trace = r#"{"id": "t1", "name": "query", "start_time": "2025-01-03T11:03:17", "thread_id": "th", "usage": {"total_tokens": 3},
        "feedback_scores": [{"name": "ok", "value": 1, "reason": "r"}]}"#;
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    std::fs::write(path("spans.json.gz"), gzip(format!("[{span}]").as_bytes())).unwrap();
    std::fs::write(path("traces.json.gz"), gzip(format!("[{trace}]").as_bytes())).unwrap();
    let of_folder: Vec<_> = expand(&[path("")])
        .unwrap()
        .into_iter()
        .flat_map(|input| cells(&FileReader::open(input, &options()).unwrap().map(Result::unwrap).collect::<Vec<_>>()))
        .collect();
    let document = format!("{{\"trace\": {trace}, \"spans\": [{span}], \"project_name\": \"p\"}}");
    let mut of_export = rows_of("trace_t1.json", document.as_bytes());
    of_export.reverse();
    assert_eq!(of_folder, of_export);
    for (at, name, want) in [
        (0, "context.trace_id", "t1"),
        (0, "context.span_id", "s1"),
        (0, "parent_id", "t1"),
        (0, "attributes.openinference.span.kind", "LLM"),
        (0, "attributes.llm.token_count.total", "3"),
        (0, "attributes.session.id", "th"),
        (1, "context.span_id", "t1"),
        (1, "attributes.openinference.span.kind", "CHAIN"),
        (1, "attributes.session.id", "th"),
        (1, "annotation.ok.score", "1"),
    ] {
        assert_eq!(of_folder[at].get(name).map(String::as_str), Some(want), "{name}");
    }
    assert_eq!(of_folder[1].get("attributes.llm.token_count.total"), None);
    let page = format!("{{\"page\": 1, \"size\": 1, \"total\": 1, \"content\": [{span}]}}");
    assert_eq!(rows_of("page.json", page.as_bytes())[0]["context.span_id"], "s1");
}

#[test]
fn shapes_may_be_mixed() {
    let text = format!("{}\n{}\n{{\"hello\": 1}}\n{}\n", row(0), JAEGER.replace('\n', " "), row(1));
    let skipping = ReadOptions { skip_bad: true, ..options() };
    let (batches, report, failed) = read_as("mixed.jsonl", text.as_bytes(), &skipping);
    assert_eq!((failed, report.bad), (None, 1));
    let ids: Vec<_> = cells(&batches).into_iter().map(|row| row["context.span_id"].clone()).collect();
    assert_eq!(ids, ["s0", "1f", "s1"]);
    assert_eq!(report.first_bad[0].line, 3);
    assert_eq!(report.first_bad[0].reason, "not a span: an object with the key \"hello\"");
}

#[test]
fn files_without_spans_are_refused() {
    for (text, found) in [
        (r#"{"hello": "world", "items": [1, 2, 3]}"#, r#"here is an object with the keys "hello", "items""#),
        (r#"[{"hello": "world"}]"#, r#"here is an object with the key "hello""#),
        ("{}", "here is an empty object"),
        (r#"{"data": [{"id": 1}]}"#, r#"here is an object with the key "data""#),
    ] {
        let (_, _, failed) = read_as("notes.json", text.as_bytes(), &options());
        let failed = failed.unwrap();
        assert!(failed.contains("notes.json: no spans found: looked for rows with context.trace_id"), "{failed}");
        assert!(failed.ends_with(found), "{failed}");
    }
}
