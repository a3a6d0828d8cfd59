//! What filters mean for rows: absent values, case, wildcards, paths into JSON.

use super::support::{batch, integers, numbers, parse_over, rows_where, spans_where, text, times};
use crate::Unknown;
use crate::opik::{Entity, print};
use arrow::datatypes::{DataType, Field, Schema};

#[test]
fn text_ignores_case_and_absent_is_empty() {
    let names = vec![Some("Chat"), Some("chat bot"), Some("100% sure"), None, Some(""), Some("Été_1")];
    let batch = batch(vec![("name", text(names))]);
    for (filter, rows) in [
        ("name = \"CHAT\"", vec![0]),
        ("name != \"chat\"", vec![1, 2, 3, 4, 5]),
        ("name contains \"CHAT\"", vec![0, 1]),
        ("name contains \"t b\"", vec![1]),
        ("name contains \"c_at\"", vec![0, 1]),
        ("name contains \"0%s\"", vec![2]),
        ("name contains \"%\"", vec![0, 1, 2, 4, 5]),
        ("name not_contains \"chat\"", vec![2, 3, 4, 5]),
        ("name starts_with \"cHat\"", vec![0, 1]),
        ("name starts_with \"c_at\"", vec![]),
        ("name ends_with \"BOT\"", vec![1]),
        ("name > \"CHAT\"", vec![1, 5]),
        ("name < \"chat\"", vec![2, 3, 4]),
        ("name = \"ÉTÉ_1\"", vec![5]),
        ("name contains \"ÉT\"", vec![5]),
        ("name contains \"chat\" AND name != \"chat\"", vec![1]),
    ] {
        assert_eq!(spans_where(&batch, filter), rows, "{filter}");
    }
}

#[test]
fn numbers_and_times_ask_for_a_value() {
    let second = 1_000_000_000;
    let batch = batch(vec![
        ("latency_ms", numbers(vec![Some(5.25), Some(5.0), None, Some(0.0)])),
        ("attributes.llm.token_count.total", integers(vec![Some(5), Some(0), None, Some(-3)])),
        ("start_time", times(vec![Some(0), Some(second), None, Some(second + 1)])),
    ]);
    for (filter, rows) in [
        ("duration > 5", vec![0]),
        ("duration >= \"5\"", vec![0, 1]),
        ("duration = 5.25", vec![0]),
        ("duration != 5.25", vec![1, 3]),
        ("usage.total_tokens < 5", vec![1, 3]),
        ("usage.total_tokens <= 4.5", vec![1, 3]),
        ("usage.total_tokens = 005.0", vec![0]),
        ("usage.total_tokens != 5", vec![1, 3]),
        ("start_time > \"1970-01-01T00:00:01Z\"", vec![3]),
        ("start_time <= \"1970-01-01T01:00:01+01:00\"", vec![0, 1]),
        ("start_time != \"1970-01-01T00:00:00Z\"", vec![1, 3]),
    ] {
        assert_eq!(spans_where(&batch, filter), rows, "{filter}");
    }
}

#[test]
fn dictionaries_are_read_by_path() {
    let metadata = vec![
        Some(r#"{"model": "GPT-4", "n": 10, "a": {"b": "x"}, "l": [{"k": "v"}]}"#),
        Some(r#"{"model": "claude", "n": "9.5", "a.b": "Y", "n2": "abc"}"#),
        Some(r#"{"model": null, "n": true, "a": {"b": ""}}"#),
        Some("no json"),
        None,
    ];
    let batch =
        batch(vec![("attributes.metadata", text(metadata.clone())), ("attributes.input.value", text(metadata))]);
    for (filter, rows) in [
        ("metadata.model = \"gpt-4\"", vec![0]),
        ("metadata.model != \"gpt-4\"", vec![1, 2, 3, 4]),
        ("metadata.model contains \"_pt\"", vec![0]),
        ("metadata.model not_contains \"pt\"", vec![1, 2, 3, 4]),
        ("metadata.model starts_with \"CL\"", vec![1]),
        ("metadata.n > 9", vec![0, 1]),
        ("metadata.n >= 10", vec![0]),
        ("metadata.n <= 9.5", vec![1]),
        ("metadata.n = \"10\"", vec![0]),
        ("metadata.n2 < 5", vec![]),
        ("metadata.\"a.b\" = \"x\"", vec![0]),
        ("metadata.\"a.b\" = \"y\"", vec![1]),
        ("metadata.\"$.a.b\" = \"y\"", vec![]),
        ("metadata.\"l[0].k\" = \"V\"", vec![0]),
        ("input_json.\"['a'].b\" contains \"x\"", vec![0]),
        ("[{\"field\":\"metadata\",\"key\":\"a.b\",\"operator\":\"is_empty\"}]", vec![2, 3, 4]),
        ("[{\"field\":\"metadata\",\"key\":\"model\",\"operator\":\"is_not_empty\"}]", vec![0, 1]),
    ] {
        assert_eq!(spans_where(&batch, filter), rows, "{filter}");
    }
}

#[test]
fn lists_enums_kinds_and_errors() {
    let batch = batch(vec![
        (
            "attributes.tag.tags",
            text(vec![Some(r#"["Prod","a,b"]"#), Some("[]"), None, Some(r#"["prod", 5]"#), Some("x")]),
        ),
        ("opik.environment", text(vec![Some("prod"), Some("Prod"), None, Some(""), Some("dev")])),
        (
            "attributes.openinference.span.kind",
            text(vec![Some("LLM"), Some("TOOL"), None, Some("AGENT"), Some("GUARDRAIL")]),
        ),
        ("status_code", text(vec![Some("ERROR"), Some("OK"), None, Some("UNSET"), Some("ERROR")])),
    ]);
    for (filter, rows) in [
        ("tags contains \"PRO\"", vec![0, 3]),
        ("tags not_contains \"pro\"", vec![1, 2, 4]),
        ("tags = \"prod\"", vec![3]),
        ("tags = \"5\"", vec![3]),
        ("tags != \"prod\"", vec![0, 1, 2, 4]),
        ("tags is_empty", vec![1, 2]),
        ("tags is_not_empty", vec![0, 3, 4]),
        ("tags contains \"_\"", vec![0, 3, 4]),
        ("environment = \"prod\"", vec![0]),
        ("environment != \"prod\"", vec![1, 2, 3, 4]),
        ("environment in (\"prod\", \"dev\")", vec![0, 4]),
        ("environment not_in (\"prod\", \"dev\")", vec![1, 2, 3]),
        ("type = \"llm\"", vec![0]),
        ("type != \"llm\"", vec![1, 2, 3, 4]),
        ("type = \"general\"", vec![2, 3]),
        ("type != \"general\"", vec![0, 1, 4]),
        ("type in (\"llm\",\"general\")", vec![0, 2, 3]),
        ("type not_in (\"llm\",\"general\")", vec![1, 4]),
        ("type not_in (\"llm\",\"tool\")", vec![2, 3, 4]),
        ("type in (\"llm\",\"general\",\"tool\",\"guardrail\")", vec![0, 1, 2, 3, 4]),
        ("type not_in (\"llm\",\"general\",\"tool\",\"guardrail\")", vec![]),
        ("error_info is_not_empty", vec![0, 4]),
        ("error_info is_empty", vec![1, 2, 3]),
    ] {
        assert_eq!(spans_where(&batch, filter), rows, "{filter}");
    }
}

#[test]
fn scores_ignore_case() {
    let batch = batch(vec![
        ("annotation.Accuracy.score", numbers(vec![Some(0.9), None, None, Some(0.1)])),
        ("annotation.accuracy.score", numbers(vec![None, Some(0.5), None, None])),
        ("annotation.Tone of voice.score", text(vec![Some("1"), Some("x"), None, Some("0.25")])),
    ]);
    for (filter, rows) in [
        ("feedback_scores.ACCURACY >= 0.5", vec![0, 1]),
        ("feedback_scores.accuracy = 0.1", vec![3]),
        ("feedback_scores.accuracy != 0.1", vec![0, 1]),
        ("feedback_scores.accuracy is_empty", vec![2]),
        ("feedback_scores.accuracy is_not_empty", vec![0, 1, 3]),
        ("feedback_scores.\"tone OF voice\" < 0.5", vec![3]),
    ] {
        assert_eq!(spans_where(&batch, filter), rows, "{filter}");
    }
}

#[test]
fn traces_and_threads() {
    let traces = batch(vec![
        ("trace_id", text(vec![Some("AB"), Some("cd")])),
        ("latency_ms", numbers(vec![Some(10.0), None])),
        ("llm_count", integers(vec![Some(2), Some(0)])),
        ("session_id", text(vec![Some("S"), None])),
    ]);
    let schema = traces.schema();
    for (filter, rows) in
        [("id = \"ab\"", vec![0]), ("duration >= 10 AND llm_span_count = 2", vec![0]), ("thread_id != \"s\"", vec![1])]
    {
        let oql = parse_over(filter, Entity::Traces, &schema, Unknown::Error).unwrap();
        assert_eq!(rows_where(&traces, "traces", oql.expr), rows, "{filter}");
    }
    let sessions = batch(vec![
        ("session_id", text(vec![Some("S"), Some("s"), Some("t")])),
        ("trace_count", integers(vec![Some(3), Some(1), Some(2)])),
        ("first_input", text(vec![Some("Hello"), None, Some("bye")])),
    ]);
    let schema = sessions.schema();
    for (filter, rows) in [
        ("id = \"s\"", vec![1]),
        ("id != \"s\"", vec![0, 2]),
        ("id contains \"s\"", vec![1]),
        ("id < \"a\"", vec![0]),
        ("number_of_messages >= 4", vec![0, 2]),
        ("first_message contains \"HELL\"", vec![0]),
        ("first_message = \"Hello\"", vec![0]),
    ] {
        let oql = parse_over(filter, Entity::Threads, &schema, Unknown::Error).unwrap();
        assert_eq!(rows_where(&sessions, "sessions", oql.expr), rows, "{filter}");
        // A search looks at the whole text, and needs no note.
        assert_eq!(oql.notes.len(), usize::from(filter.starts_with("first_message =")), "{filter}");
    }
}

#[test]
fn scores_of_the_spans_of_a_trace() {
    let spans = batch(vec![("annotation.acc.score", numbers(vec![Some(1.0), Some(0.0), None]))]);
    let filter = "span_feedback_scores.ACC > 0.5 AND span_feedback_scores.acc is_empty AND name = \"x\"";
    let oql = parse_over(filter, Entity::Traces, &spans.schema(), Unknown::Error).unwrap();
    assert_eq!(oql.expr.to_string(), "lower(traces.name) = Utf8(\"x\")");
    let found: Vec<_> =
        oql.any_span.into_iter().map(|any| (rows_where(&spans, "spans", any.expr), any.negated)).collect();
    assert_eq!(found, [(vec![0], false), (vec![0, 1], true)]);
}

#[test]
fn what_the_server_would_refuse() {
    use Entity::{Spans, Threads, Traces};
    let batch = batch(vec![("annotation.Accuracy.score", numbers(vec![None]))]);
    for (entity, filter, code, report) in [
        (Spans, "nmae = \"x\"", "unknown-column", "1:1: spans have no nmae; did you mean name?"),
        (Spans, "thread_id = \"x\"", "unknown-column", "spans have no thread_id; traces have it"),
        (Spans, "= \"x\"", "unknown-column", "1:1: expected a column before the operator"),
        (Spans, "zzz = 1", "unknown-column", "there are id, name"),
        (
            Traces,
            "usage > 5",
            "unknown-column",
            "1:1: traces have no usage; there are usage.total_tokens, usage.prompt",
        ),
        (Spans, "metadata = \"x\"", "key-blank", "1:1: metadata needs a key; write metadata.key"),
        (Spans, "feedback_scores.\" \" > 1", "key-blank", "1:17: feedback_scores needs a key"),
        (Spans, "name = \" \"", "value-blank", "1:8: name is compared with no text"),
        (Spans, "tags contains \"\"", "value-blank", "1:15: tags"),
        (Spans, "type in (\"llm\", \"\")", "value-blank", "1:9: type"),
        (Spans, "type = \"LLM\"", "value-unknown", "1:8: \"LLM\" is no type of spans; did you mean \"llm\"?"),
        (
            Spans,
            "duration > \"5 ms\"",
            "number-invalid",
            "1:12: duration is compared with \"5 ms\", which is no number",
        ),
        (Spans, "duration > \"+5\"", "number-invalid", "did you mean 5?"),
        (Spans, "duration > ٣", "number-invalid", "which is no number"),
        (Spans, "metadata.n > \"x\"", "number-invalid", "1:14: metadata is compared with \"x\""),
        (Spans, "feedback_scores.accuracy > \"x\"", "number-invalid", "which is no number"),
        (
            Spans,
            "feedback_scores.acuracy > 1",
            "unknown-column",
            "1:17: no span has a score acuracy; did you mean Accuracy?",
        ),
        (
            Spans,
            "start_time > \"2024-01-01\"",
            "time-invalid",
            "1:14: start_time is compared with \"2024-01-01\", which is no instant; did you mean \"2024-01-01T00:00:00Z\"?",
        ),
        (Spans, "start_time > \"yesterday\"", "time-invalid", "write \"2026-01-31T12:00:00Z\""),
        (Spans, "metadata.\"$[\" = \"x\"", "path-invalid", "1:10: $[ is no JSON path"),
        (Traces, "guardrails = \"failed\"", "column-not-kept", "1:1: guardrails of traces is not kept here"),
        (
            Traces,
            "name = \"x\" AND created_at > \"2024-01-01T00:00:00Z\"",
            "column-not-kept",
            "1:16: created_at of traces is not kept here; use start_time or end_time",
        ),
        (Threads, "status = \"active\"", "column-not-kept", "status of threads"),
        (Threads, "tags contains \"x\"", "column-not-kept", "tags of threads is not kept here; traces have it"),
        (Threads, "feedback_scores.x > 1", "column-not-kept", "feedback_scores of threads"),
        (Spans, "[{\"field\":\"duration\",\"operator\":\">\",\"value\":\"x\"}]", "number-invalid", "1:45: duration"),
    ] {
        let error = parse_over(filter, entity, &batch.schema(), Unknown::Error).expect_err(filter);
        assert_eq!(error.code(), code, "{filter}");
        assert!(error.in_one_line().contains(report), "{filter}: {}", error.in_one_line());
    }
}

#[test]
fn names_that_no_span_has() {
    let empty = Schema::empty();
    let filter = "feedback_scores.x > 1 AND tags = \"a\" AND feedback_scores.x < 5";
    let notes = |unknown| parse_over(filter, Entity::Spans, &empty, unknown).unwrap().notes;
    let expected = ["no span has a score x (read as null)", "no span has tags (attributes.tag.tags): read as empty"];
    assert_eq!(notes(Unknown::Null), expected);
    assert_eq!(notes(Unknown::Silent), [""; 0]);
    let nothing = parse_over("", Entity::Spans, &empty, Unknown::Error).unwrap();
    assert_eq!(nothing.expr.to_string(), "Boolean(true)");
}

#[test]
fn many_clauses_over_many_columns_are_quick() {
    let fields: Vec<Field> =
        (0..2_000).map(|i| Field::new(format!("annotation.Score {i}.score"), DataType::Float64, true)).collect();
    let schema = Schema::new(fields);
    let clauses: Vec<String> =
        (0..1_000).map(|i| format!("feedback_scores.\"score {i}\">{i} AND tags=\"{i}\"")).collect();
    let text = clauses[..500].join(" and ");
    let started = std::time::Instant::now();
    let oql = parse_over(&text, Entity::Spans, &schema, Unknown::Error).unwrap();
    let said = print(&[oql.expr], Entity::Spans, &schema);
    assert_eq!((said.translated.unwrap().len(), said.rest.len()), (1_000, 0));
    assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
}

#[test]
fn what_is_read_otherwise_is_noted() {
    let table = batch(vec![("attributes.tag.tags", text(vec![Some(" "), Some("[]"), Some(r#"["a"]"#)]))]);
    let notes = |oql: &str, entity| parse_over(oql, entity, &table.schema(), Unknown::Null).unwrap().notes;
    assert_eq!(notes("tags is_empty", Entity::Spans), [""; 0]);
    assert_eq!(notes("environment = \"a\"", Entity::Spans).len(), 1, "no span has one");
    let cut = "first_message is compared by its first 1,024 characters";
    assert_eq!(notes("first_message = \"a\"", Entity::Threads), [cut]);
    assert_eq!(notes("first_message contains \"a\"", Entity::Threads), [""; 0]);
    assert_eq!(notes("id contains \"a\"", Entity::Threads), [""; 0]);
    // A list of blanks is an empty one.
    assert_eq!(spans_where(&table, "tags is_empty"), [0, 1]);
    assert_eq!(spans_where(&table, "tags is_not_empty"), [2]);
}

#[test]
fn ids_of_threads_are_compared_as_they_are() {
    let table = batch(vec![("session_id", text(vec![Some("a"), Some("A"), None]))]);
    let rows = |oql: &str| {
        let oql = parse_over(oql, Entity::Threads, &table.schema(), Unknown::Silent).unwrap();
        rows_where(&table, "sessions", oql.expr)
    };
    assert_eq!(rows("id contains \"a\""), [0]);
    assert_eq!(rows("id not_contains \"a\""), [1, 2]);
}

#[test]
fn paths_have_so_many_steps() {
    let path = |steps: usize| {
        format!("metadata.\"{}\" = \"a\"", ["$"].into_iter().chain(vec!["a"; steps]).collect::<Vec<_>>().join("."))
    };
    let table = batch(vec![("attributes.metadata", text(vec![None]))]);
    let read = |steps: usize| parse_over(&path(steps), Entity::Spans, &table.schema(), Unknown::Error).map(drop);
    read(crate::MAX_LEVELS).unwrap();
    assert!(read(crate::MAX_LEVELS + 1).unwrap_err().in_one_line().contains("a path has at most"));
}

#[test]
fn functions_are_there_to_be_registered() {
    let names: Vec<String> = crate::opik::udfs().iter().map(|function| function.name().to_owned()).collect();
    assert_eq!(names, ["opik_json_text", "opik_any_like", "opik_any_equal", "opik_list_length"]);
}
