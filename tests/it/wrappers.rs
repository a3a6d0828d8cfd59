//! Calls that are recorded twice, and traces whose root says nothing, from import to answer.

use std::path::Path;

use super::support::{spanql, succeed};

/// A chain without words around two calls, of which the first is recorded twice, and a tool.
const SPANS: &str = r#"
{"trace_id":"t","span_id":"root","name":"run","span_kind":"CHAIN","start_time":1790000000,"end_time":1790000100}
{"trace_id":"t","span_id":"outer","parent_id":"root","name":"acomplete","span_kind":"LLM","start_time":1790000001,"end_time":1790000009,"attributes.llm.model_name":"m","attributes.input.value":"{\"prompt\": \"What is it?\"}","attributes.output.value":"A guess."}
{"trace_id":"t","span_id":"inner","parent_id":"outer","name":"complete","span_kind":"LLM","start_time":1790000002,"end_time":1790000008,"attributes.llm.model_name":"m","attributes.input.value":"{\"prompt\": \"What is it?\", \"formatted\": false}","attributes.output.value":"A guess.","attributes.llm.token_count.total":7}
{"trace_id":"t","span_id":"tool","parent_id":"root","name":"look","span_kind":"TOOL","start_time":1790000010,"end_time":1790000020,"attributes.input.value":"{}"}
{"trace_id":"t","span_id":"last","parent_id":"root","name":"complete","span_kind":"LLM","start_time":1790000030,"end_time":1790000040,"attributes.llm.model_name":"m","attributes.input.value":"And now?","attributes.llm.output_messages":"[{\"message\":{\"role\":\"assistant\",\"content\":\"It is a test.\"}}]"}
"#;

fn ask(store: &Path, arguments: &[&str]) -> String {
    succeed(spanql(store).arg("-q").args(arguments))
}

#[test]
fn a_call_is_counted_once() {
    let dir = tempfile::tempdir().unwrap();
    let (store, file) = (dir.path().join("store"), dir.path().join("spans.jsonl"));
    std::fs::write(&file, SPANS).unwrap();
    ask(&store, &["import", &file.display().to_string()]);
    let query = |sql: &str| ask(&store, &["query", "-o", "csv", sql]);
    assert_eq!(query("SELECT span_id FROM spans WHERE tree.wrapper"), "span_id\nouter\n");
    assert_eq!(query("SELECT count(*) AS n FROM spans WHERE tree.wrapper IS NULL"), "n\n0\n");
    assert_eq!(
        query("SELECT llm_count, tool_count, total_tokens, input, output FROM traces"),
        "llm_count,tool_count,total_tokens,input,output\n2,1,7,What is it?,It is a test.\n"
    );
    assert_eq!(query("SELECT first_input FROM sessions"), "first_input\n");
    let models = ask(&store, &["run", "models", "-o", "csv"]);
    assert!(models.lines().nth(1).is_some_and(|line| line.starts_with("m,2,")), "{models}");
    let tree = ask(&store, &["traces", "show", "t"]);
    assert_eq!(tree.matches("wrapper").count(), 1, "{tree}");
    assert!(tree.lines().any(|line| line.contains("acomplete wrapper")), "{tree}");
    let json = ask(&store, &["traces", "show", "t", "-o", "json"]);
    assert_eq!(json.matches("\"wrapper\":true").count(), 1, "{json}");
    assert!(json.contains("\"llm_count\":2"), "{json}");
    let found = ask(&store, &["structure", "{ tree.wrapper = true } > { kind = 'LLM' }", "-o", "csv"]);
    assert!(found.contains("inner"), "{found}");

    // A second call below the outer one makes that a call of its own.
    let more = r#"{"trace_id":"t","span_id":"again","parent_id":"outer","span_kind":"LLM","start_time":1790000003,"end_time":1790000004}"#;
    std::fs::write(&file, more).unwrap();
    ask(&store, &["import", &file.display().to_string()]);
    assert_eq!(query("SELECT llm_count FROM traces"), "llm_count\n4\n");
}
