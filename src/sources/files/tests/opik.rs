//! What Opik's exporter, its user interface and its SDK leave in files: all text, with lists and objects in it.

use super::shapes::{cells, rows_of};
use super::*;

type Rows = Vec<BTreeMap<String, String>>;

fn check(rows: &Rows, wanted: &[(usize, &str, Option<&str>)]) {
    for (at, name, want) in wanted {
        assert_eq!(rows[*at].get(*name).map(String::as_str), *want, "{at} {name} of {rows:#?}");
    }
}

/// `opik export --format csv`: a row for each span, with its trace before it.
#[test]
fn exports_of_pairs() {
    let csv = concat!(
        "trace_id,trace_name,trace_start_time,trace_input_q,trace_usage_total_tokens,trace_thread_id,trace_tags,trace_feedback_scores,",
        "span_id,span_trace_id,span_parent_span_id,span_name,span_type,span_start_time,span_input,span_usage_prompt_tokens,span_total_estimated_cost,span_metadata\r\n",
        "t1,run,2025-01-01 00:00:00.123456+00:00,hi,12,th,\"['a', \"\"b's\"\"]\",\"[{'name': 'ok', 'value': 0.5, 'source': 'ui', 'reason': None, 'last_updated_at': datetime.datetime(2025, 1, 1, 0, 0, tzinfo=TzInfo(UTC))}]\",",
        "s1,t1,,call,llm,2025-01-01 00:00:01+00:00,\"{'messages': [{'role': 'user', 'content': 'it''s'}]}\",7,0.25,\"{\"\"k\"\": 1}\"\r\n",
        "t1,run,2025-01-01 00:00:00.123456+00:00,hi,12,th,\"['a', \"\"b's\"\"]\",[],",
        "s2,t1,s1,lookup,tool,2025-01-01 00:00:02+00:00,007,,,None\r\n",
        "t2,alone,2025-01-02 00:00:00+00:00,,,,,,,,,,,,,,,\r\n",
    );
    let csv = csv.replace("it''s", "its");
    let rows = rows_of("trace_t1.csv", csv.as_bytes());
    assert_eq!(rows.len(), 4);
    check(
        &rows,
        &[
            (0, "context.span_id", Some("t1")),
            (0, "start_time", Some("2025-01-01T00:00:00.123456Z")),
            (0, "attributes.input.value", Some(r#"{"q":"hi"}"#)),
            (0, "opik.trace.usage.total_tokens", Some("12")),
            (0, "attributes.llm.token_count.total", None),
            (0, "attributes.session.id", Some("th")),
            (0, "attributes.tag.tags", Some(r#"["a","b's"]"#)),
            (0, "annotation.ok.score", Some("0.5")),
            (0, "annotation.ok.annotator_kind", Some("HUMAN")),
            (0, "annotation.ok.explanation", None),
            (1, "context.span_id", Some("s1")),
            (1, "context.trace_id", Some("t1")),
            (1, "parent_id", Some("t1")),
            (1, "attributes.openinference.span.kind", Some("LLM")),
            (1, "attributes.llm.input_messages", Some(r#"[{"role":"user","content":"its"}]"#)),
            (1, "attributes.llm.token_count.prompt", Some("7")),
            (1, "attributes.llm.cost.total", Some("0.25")),
            (1, "attributes.metadata", Some(r#"{"k":1}"#)),
            (1, "attributes.session.id", Some("th")),
            (2, "parent_id", Some("s1")),
            (2, "attributes.input.value", Some("007")),
            (2, "attributes.metadata", None),
            (3, "context.span_id", Some("t2")),
            (3, "attributes.session.id", None),
        ],
    );
}

const SAVED: &str = "id,name,type,start_time,end_time,duration,input.q,output,metadata,tags,error_info,usage.total_tokens,provider,model,total_estimated_cost,thread_id,feedback_scores\\.my ok,feedback_scores\\.my ok_reason\n";

/// The user interface: a trace, and its spans without a word of whose they are.
#[test]
fn what_the_interface_saves_as_csv() {
    let csv = format!(
        "{SAVED}\
         t1,run,trace,2025-01-01T00:00:00Z,2025-01-01T00:00:03Z,3000,hi,null,,\"[\"\"a\"\"]\",,12,,,0.5,th,0.75,well\n\
         s1,call,llm,2025-01-01T00:00:01Z,2025-01-01T00:00:02Z,1000,hi,\"{{\"\"a\"\":1}}\",,,\"{{\"\"exception_type\"\":\"\"E\"\",\"\"message\"\":\"\"no\"\",\"\"traceback\"\":\"\"\"\"}}\",12,openai,gpt-4o,0.5,,-,\n"
    );
    let rows = rows_of("t1-trace.csv", csv.as_bytes());
    check(
        &rows,
        &[
            (0, "context.span_id", Some("t1")),
            (0, "attributes.openinference.span.kind", Some("CHAIN")),
            (0, "attributes.input.value", Some(r#"{"q":"hi"}"#)),
            (0, "attributes.output.value", Some("null")),
            (0, "opik.trace.usage.total_tokens", Some("12")),
            (0, "annotation.my ok.score", Some("0.75")),
            (0, "annotation.my ok.explanation", Some("well")),
            (0, "end_time", Some("2025-01-01T00:00:03Z")),
            (1, "context.trace_id", Some("t1")),
            (1, "parent_id", None),
            (1, "attributes.openinference.span.kind", Some("LLM")),
            (1, "attributes.llm.model_name", Some("gpt-4o")),
            (1, "attributes.llm.token_count.total", Some("12")),
            (1, "status_code", Some("ERROR")),
            (1, "status_message", Some("no")),
            (1, "attributes.session.id", Some("th")),
            (1, "annotation.my ok.score", None),
        ],
    );

    // A span that was saved alone belongs to nothing that is known.
    let span = format!("{SAVED}s1,call,llm,2025-01-01T00:00:01Z,,1000,hi,,,,,,,,,,,\n");
    let (_, _, failed) = read_as("s1-span.csv", span.as_bytes(), &options());
    let failed = failed.unwrap();
    assert!(failed.contains("s1-span.csv:2: a span of Opik without its trace"), "{failed}");
}

#[test]
fn what_the_interface_saves_as_json() {
    let row = |id: &str, kind: &str, thread: &str| {
        format!(
            r#"{{"id": "{id}", "name": "n", "type": "{kind}", "start_time": "2025-01-01T00:00:00Z", "end_time": "", "duration": 5,
            "input": {{"q": ""}}, "output": "", "metadata": "", "tags": "", "error_info": "", "usage": {{"total_tokens": 3, "a.b": 1}},
            "provider": "", "model": "", "total_estimated_cost": 0.5, "thread_id": "{thread}", "feedback_scores.ok": "-"}}"#
        )
    };
    let text = format!("[{},\n{},\n{}]", row("t1", "trace", "th"), row("s1", "llm", ""), row("s2", "general", ""));
    let rows = rows_of("t1-trace.json", text.as_bytes());
    check(
        &rows,
        &[
            (0, "context.span_id", Some("t1")),
            (0, "end_time", None),
            (0, "status_code", Some("UNSET")),
            (0, "attributes.output.value", None),
            (0, "annotation.ok.score", None),
            (1, "context.trace_id", Some("t1")),
            (1, "attributes.input.value", Some(r#"{"q":""}"#)),
            (1, "attributes.llm.token_count.total", Some("3")),
            (1, "opik.usage.a.b", Some("1")),
            (1, "attributes.llm.cost.total", Some("0.5")),
            (2, "context.trace_id", Some("t1")),
            (2, "attributes.session.id", Some("th")),
        ],
    );
    let (_, _, failed) = read_as("s1-span.json", format!("[{}]", row("s1", "llm", "")).as_bytes(), &options());
    assert!(failed.unwrap().contains("a span of Opik without its trace"));

    // Rows of its table of traces, with the columns that were shown.
    let shown = r#"[{"id": "t1", "name": "", "start_time": "2025-01-01T00:00:00Z", "end_time": "", "usage.total_tokens": 3, "error_info": ""}]"#;
    let rows = rows_of("traces.json", shown.as_bytes());
    check(
        &rows,
        &[(0, "opik.trace.usage.total_tokens", Some("3")), (0, "status_code", Some("UNSET")), (0, "end_time", None)],
    );
}

/// Rows of the SDK that a data frame wrote.
#[test]
fn rows_of_the_sdk_as_csv() {
    let csv = concat!(
        ",id,trace_id,parent_span_id,name,type,start_time,end_time,input,usage,tags,feedback_scores,total_estimated_cost,duration,metadata\n",
        "0,s1,t1,,call,llm,2025-01-01 00:00:00.5+00:00,,\"{'q': 'a \"\"b\"\"', 'n': None, 'ok': True}\",\"{'total_tokens': 5, 'prompt_tokens': 3}\",\"['x']\",\"[{'name': 'q', 'value': 1.0, 'source': 'sdk'}]\",1e-05,1500.5,\n",
        "1,s2,t1,s1,nan,tool,2025-01-01 00:00:01+00:00,,,,,,,,not {a dict\n",
    );
    let rows = rows_of("spans.csv", csv.as_bytes());
    check(
        &rows,
        &[
            (0, "parent_id", Some("t1")),
            (0, "start_time", Some("2025-01-01T00:00:00.500Z")),
            (0, "attributes.input.value", Some(r#"{"q":"a \"b\"","n":null,"ok":true}"#)),
            (0, "attributes.llm.token_count.total", Some("5")),
            (0, "attributes.llm.cost.total", Some("0.00001")),
            (0, "attributes.tag.tags", Some(r#"["x"]"#)),
            (0, "annotation.q.score", Some("1.0")),
            (1, "name", Some("nan")),
            (1, "parent_id", Some("s1")),
        ],
    );
    let (_, _, failed) = read_as("odd.csv", b"id,trace_id,start_time,duration\ns1,t1\n", &options());
    assert!(failed.unwrap().ends_with("odd.csv:2: 2 cells, but the header has 4"));
}

/// A folder of `opik export`: the project beside its traces is none of them, and names them all.
#[test]
fn folders_of_the_exporter() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("default/projects/0190");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("project.json"), r#"{"id": "0190", "name": "shop"}"#).unwrap();
    let trace = r#"{"trace": {"id": "t1", "name": "run", "start_time": "2025-01-01 00:00:00.123456+00:00", "project_id": "0190"},
        "spans": [{"id": "s1", "trace_id": "t1", "name": "call", "type": "llm", "start_time": "2025-01-01 00:00:01+00:00"}],
        "attachments": [], "downloaded_at": "2025-02-01T00:00:00", "project_name": "shop"}"#;
    std::fs::write(folder.join("trace_t1.json"), trace).unwrap();
    let options = ReadOptions::default();
    let read = |input| cells(&FileReader::open(input, &options).unwrap().map(Result::unwrap).collect::<Vec<_>>());
    let inputs = expand(&[directory.path().display().to_string()]).unwrap();
    let rows: Rows = inputs.into_iter().flat_map(read).collect();
    assert_eq!(rows.len(), 2);
    check(&rows, &[(0, "project", Some("shop")), (1, "project", Some("shop")), (1, "parent_id", Some("t1"))]);
}

#[test]
fn names_with_thousands_of_dots_are_no_levels_without_end() {
    let name = format!("input.{}", "a.".repeat(2_000));
    let text = format!("id,start_time,{name},duration\nt1,2025-01-01T00:00:00Z,x,5\n");
    let rows = rows_of("traces.csv", text.as_bytes());
    let end = format!(r#"a.":"x"{}"#, "}".repeat(33));
    assert!(rows[0]["attributes.input.value"].ends_with(&end), "{rows:?}");
}
