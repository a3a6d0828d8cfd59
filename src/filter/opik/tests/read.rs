//! The grammar: what is read as which clauses, and how a refusal is worded.

use crate::opik::{Clause, Entity, compile};
use crate::{MAX_BYTES, MAX_TERMS};

/// Clauses as `field|key|type|operator|value`.
fn read(text: &str, entity: Entity) -> Vec<String> {
    let clauses = compile(text, entity).map_err(|error| error.report()).unwrap().unwrap_or_default();
    let line = |clause: Clause| [clause.field, clause.key, clause.kind, clause.operator, clause.value].join("|");
    clauses.into_iter().map(line).collect()
}

#[test]
fn clauses() {
    use Entity::{Spans, Threads, Traces};
    for (entity, text, clauses) in [
        (Spans, "model=\"gpt\"", vec!["model||string|=|gpt"]),
        (Spans, "  duration<=-1.50\n", vec!["duration||number|<=|-1.50"]),
        (Spans, "type not_in (\"tool\" ,\n\"llm\")", vec!["type||enum|not_in|tool,llm"]),
        (Spans, "type in (\"a\"\"b\",\"\")", vec!["type||enum|in|a\"b,"]),
        (Spans, "metadata.\"x y\"\"z\"contains \"1\"", vec!["metadata|x y\"z|dictionary|contains|1"]),
        (Spans, "metadata.'k'>5", vec!["metadata|k|dictionary|>|5"]),
        (Traces, "usage.'total_tokens' = 1", vec!["usage.total_tokens||number|=|1"]),
        (Traces, "id = \"a\"AnD\u{3000}id != \"b\"", vec!["id||string|=|a", "id||string|!=|b"]),
        (Traces, "span_feedback_scores.f1 is_empty", vec!["span_feedback_scores|f1|feedback_scores_number|is_empty|"]),
        (
            Traces,
            "error_info is_empty and tags is_empty",
            vec!["error_info||error_container|is_empty|", "tags||list|is_empty|"],
        ),
        (Traces, "model > \"a\"", vec!["model||string|>|a"]),
        (Threads, "status = \"active\"", vec!["status||enum|=|active"]),
        (Threads, "last_message starts_with \"a\tb\"", vec!["last_message||string|starts_with|a\tb"]),
        (Threads, "naïve_名 = ²5", vec!["naïve_名||string|=|²5"]),
    ] {
        assert_eq!(read(text, entity), clauses, "{text}");
    }
    assert_eq!(compile("", Entity::Spans), Ok(None));
}

#[test]
fn refusals_say_where_and_what() {
    use Entity::{Spans, Threads, Traces};
    for (entity, text, code, report) in [
        (Spans, " \t", "incomplete", "1:3: the filter ends where an operator is due"),
        (Spans, "name = \"a\" AND ", "incomplete", "1:16: the filter ends where an operator is due"),
        (Spans, "metadata.", "key-expected", "1:10: the filter ends where a key of metadata is due"),
        (Spans, "name == \"a\"", "value-invalid", "found =; equality is written ="),
        (
            Spans,
            "name Contains \"a\"",
            "operator-unsupported",
            "1:6: expected an operator, found Contains; did you mean contains?",
        ),
        (Spans, "name !=\"a\"", "operator-unsupported", "write a blank behind !="),
        (Spans, "name ! \"a\"", "operator-unsupported", "did you mean !=?"),
        (Spans, "name <= \"a\"", "operator-unsupported", "name does not take the operator <=; it takes = != contains"),
        (Spans, "metadata.a.b = 1", "operator-unsupported", "1:11: expected an operator, found .b; one key only"),
        (Spans, "name = \"a\" or x = 1", "or-unsupported", "1:12: OQL has no OR; join clauses by AND"),
        (
            Spans,
            "name = \"a\" ANDx = 1",
            "trailing-characters",
            "1:12: expected AND or the end of the filter, found ANDx; write a blank behind AND",
        ),
        (Spans, "(name = \"a\")", "operator-unsupported", "OQL has no parentheses and no NOT"),
        (Spans, "input.q = 1", "key-unsupported-for-field", "1:1: input takes no key; did you mean input_json.q?"),
        (Spans, "metdata.q = 1", "key-unsupported-for-field", "did you mean metadata?"),
        (Threads, "metadata.q = 1", "key-unsupported-for-field", "threads have no metadata; traces and spans have it"),
        (Spans, "usage.total_token = 1", "usage-key-unsupported", "did you mean usage.total_tokens?"),
        (
            Spans,
            "name = 'a'",
            "value-invalid",
            "1:8: expected a number or text in double quotes, found '; write text in double quotes",
        ),
        (Spans, "name = ;", "value-invalid", "found ;"),
        (Spans, "name = abc", "value-invalid", "found abc; did you mean \"abc\"?"),
        (Spans, "é = \"a", "missing-closing-quote", "1:5: the value has no closing \""),
        (Spans, "metadata.'a", "missing-closing-quote", "1:10: the key has no closing '"),
        (Spans, "duration > -x", "number-expected", "1:12: expected a number behind -"),
        (Spans, "duration > ½", "value-invalid", "found ½"),
        (Spans, "duration > 1.x", "fraction-digits-expected", "1:12"),
        (
            Spans,
            "name = > \"a\"",
            "value-invalid",
            "1:8: expected a number or text in double quotes, found >; inequality is written !=",
        ),
        (Spans, "type in \"llm\"", "array-expected", "write (\"a\", \"b\")"),
        (Spans, "type in (", "array-unterminated", "1:9: the list has no closing )"),
        (Spans, "type in ( )", "array-empty", "1:9: the list has no values"),
        (Spans, "type in (\"a\"; )", "array-comma-expected", "1:13: expected , or )"),
        (Spans, "type in (\"a\",", "array-element-not-quoted", "1:14"),
        (
            Traces,
            "tags is_empty tags is_empty",
            "trailing-characters",
            "1:15: expected AND or the end of the filter, found tags",
        ),
        (Spans, "name = \"a\"\nand\nfoo bar 1", "operator-unsupported", "3:5: expected an operator, found bar"),
    ] {
        let error = compile(text, entity).expect_err(text);
        assert_eq!(error.code(), code, "{text}");
        assert!(error.in_one_line().contains(report), "{text}: {}", error.in_one_line());
    }
}

#[test]
fn json_lists() {
    let text = r#" [{"field":"duration","operator":">","value":"5","type":"string","x":[[1]]},
        {"field":"metadata","key":"a.b","operator":"is_empty","value":null},
        {"field":"custom","type":"map","operator":"=","value":"1"}, {"value":"llm,tool","operator":"in","field":"type"}]"#;
    let expected =
        ["duration||number|>|5", "metadata|a.b|dictionary|is_empty|", "custom||map|=|1", "type||enum|in|llm,tool"];
    assert_eq!(read(text, Entity::Spans), expected);
    assert_eq!(compile(" [ ] ", Entity::Spans), Ok(None));
    for (text, code, report) in [
        ("[", "json-invalid", "1:1: the list of clauses is no JSON: EOF"),
        ("[{},]", "json-invalid", "1:5: the list of clauses is no JSON: trailing comma"),
        ("[é]", "json-invalid", "1:2: the list of clauses is no JSON: expected value"),
        (
            "[{\"field\":\"name\",\"operator\":\"=\"}, 5]",
            "clause-invalid",
            "1:35: clause 2 is a number, expected an object",
        ),
        ("[[]]", "clause-invalid", "1:2: clause 1 is a list"),
        ("[\"a\"]", "clause-invalid", "1:2: clause 1 is text"),
        ("[true]", "clause-invalid", "1:2: clause 1 is a boolean"),
        ("[null]", "clause-invalid", "1:2: clause 1 is null"),
        (
            "[{\n \"field\": {}, \"operator\": \"=\"}]",
            "clause-invalid",
            "2:11: field of clause 1 is an object, expected text",
        ),
        ("[{\"field\":\"name\",\"operater\":\"=\"}]", "clause-invalid", "has no operator; operater is not read"),
        ("[{\"value\":\"name\",\"operator\":\"=\"}]", "clause-invalid", "1:2: clause 1 has no field"),
        ("[{\"field\":\"name\"}]", "clause-invalid", "1:2: clause 1 has no operator"),
        ("[{\"feild\":\"name\",\"operator\":\"=\"}]", "clause-invalid", "clause 1 has no field; feild is not read"),
        ("[{\"field\":null,\"operator\":\"=\"}]", "clause-invalid", "clause 1 has no field"),
        (
            "[{\"field\":\"duration\",\"operator\":\">\",\"value\":5}]",
            "clause-invalid",
            "1:45: value of clause 1 is a number, expected text; did you mean \"5\"?",
        ),
        (
            "[{\"field\":\"name\",\"operator\":\"in\",\"value\":\"a\"}]",
            "operator-unsupported",
            "1:29: name does not take the operator in",
        ),
    ] {
        let error = compile(text, Entity::Spans).expect_err(text);
        assert_eq!(error.code(), code, "{text}");
        assert!(error.in_one_line().contains(report), "{text}: {}", error.in_one_line());
    }
}

#[test]
fn limits() {
    let clause = "id=\"\"";
    let many = |count: usize| vec![clause; count].join(" and ");
    assert_eq!(read(&many(MAX_TERMS), Entity::Spans).len(), MAX_TERMS);
    assert_eq!(compile(&many(MAX_TERMS + 1), Entity::Spans).unwrap_err().code(), "too-many-terms");
    let list = format!("[{}]", vec![r#"{"field":"id","operator":"="}"#; MAX_TERMS + 1].join(","));
    assert_eq!(compile(&list, Entity::Spans).unwrap_err().code(), "too-many-terms");
    assert_eq!(compile(&" ".repeat(MAX_BYTES + 1), Entity::Spans).unwrap_err().code(), "too-long");
    assert_eq!(compile(&" ".repeat(MAX_BYTES), Entity::Spans).unwrap_err().code(), "incomplete");
}

/// A filter as long as it may be takes no longer than its length, whatever it is made of.
#[test]
fn long_garbage_is_quick() {
    let started = std::time::Instant::now();
    for piece in ["a", ".", "\"", "'", "(", "= ", "-", "[", "[{", "é", "a.\"\"", "a=1 ", "AND ", "in(", "\u{301}", "0"]
    {
        for head in
            ["", "id = ", "metadata.", "metadata.\"", "id = \"", "type in (", "type in (\"a\",", "id = 1 AND ", "["]
        {
            let mut text = head.to_owned() + &piece.repeat(MAX_BYTES / piece.len());
            text.truncate(text.floor_char_boundary(MAX_BYTES));
            if let Err(error) = compile(&text, Entity::Spans) {
                assert!(error.in_one_line().len() < 1_000, "{}", error.in_one_line());
            }
        }
    }
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
}
