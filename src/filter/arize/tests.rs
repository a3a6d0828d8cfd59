//! What the language is, and what is said about what it is not.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Instant;

use arrow::datatypes::{DataType, Schema};
use proptest::prelude::*;

use super::parse;
use crate::{FilterError, MAX_BYTES, Names, Unknown};
use spanql_model::columns::spans_schema;

fn schema() -> Schema {
    let open = [
        ("annotation.Tone.score", DataType::Float64),
        ("attributes.error.type", DataType::Utf8),
        ("attributes.metadata.tier", DataType::Utf8),
        ("attributes.retry", DataType::Int64),
        ("eval.Answer Relevance.score", DataType::Float64),
        ("eval.Correctness.label", DataType::Utf8),
    ];
    let open: Vec<(String, DataType)> = open.into_iter().map(|(name, kind)| (name.to_owned(), kind)).collect();
    spans_schema(&open).as_ref().clone()
}

fn read(text: &str, unknown: Unknown) -> Result<(String, Vec<String>), FilterError> {
    let rest = BTreeMap::from([("attributes.far".to_owned(), DataType::Utf8)]);
    parse(text, &Names::new(&schema(), &rest, unknown)).map(|filter| (filter.expr.to_string(), filter.notes))
}

#[test]
fn the_language() {
    for (text, expected) in [
        ("status_code = 'ERROR'", r#"status_code = Utf8("ERROR")"#),
        ("status_code='ERROR'AND latency_ms>1000", r#"status_code = Utf8("ERROR") AND latency_ms > Int64(1000)"#),
        ("latency_ms >= 1.5e3", "latency_ms >= Float64(1500)"),
        ("latency_ms < -5", "latency_ms < Int64(-5)"),
        ("latency_ms > -0", "latency_ms > Float64(-0)"),
        ("1000 < latency_ms", "Int64(1000) < latency_ms"),
        ("latency_ms = 9223372036854775808", "latency_ms = Float64(9223372036854776000)"),
        ("name != 'it''s'", r#"name != Utf8("it's")"#),
        ("name <> 'a'", r#"name != Utf8("a")"#),
        ("parent_id = null", "parent_id IS NULL"),
        ("parent_id != NULL", "parent_id IS NOT NULL"),
        ("null = parent_id", "parent_id IS NULL"),
        ("parent_id is null", "parent_id IS NULL"),
        ("parent_id IS NOT NULL", "parent_id IS NOT NULL"),
        ("name contains '100%_'", r#"contains(name, Utf8("100%_"))"#),
        ("NOT name CONTAINS 'a'", r#"NOT contains(name, Utf8("a"))"#),
        ("name not contains 'a'", r#"NOT contains(name, Utf8("a"))"#),
        ("name LIKE 'a%'", r#"name LIKE Utf8("a%")"#),
        ("name NOT ILIKE 'a%'", r#"name NOT ILIKE Utf8("a%")"#),
        ("latency_ms LIKE '1%'", r#"CAST(latency_ms AS Utf8) LIKE Utf8("1%")"#),
        ("name IN ('a')", r#"name IN ([Utf8("a")])"#),
        ("name NOT IN ('a', 5, true)", r#"name NOT IN ([Utf8("a"), Int64(5), Boolean(true)])"#),
        (
            "latency_ms BETWEEN 1 AND 2 AND name = 'a'",
            r#"latency_ms BETWEEN Int64(1) AND Int64(2) AND name = Utf8("a")"#,
        ),
        ("latency_ms NOT BETWEEN 1 AND '2'", r#"latency_ms NOT BETWEEN Int64(1) AND Utf8("2")"#),
        (
            "NOT (name = 'a' OR name = 'b') AND tree.orphan",
            r#"NOT name IN ([Utf8("a"), Utf8("b")]) AND tree.orphan = Boolean(true)"#,
        ),
        (
            "name = 'a' OR name = 'b' AND kind = 'c'",
            r#"name = Utf8("a") OR name = Utf8("b") AND attributes.openinference.span.kind = Utf8("c")"#,
        ),
        ("(name = 'a' OR name = 'b') OR 'c' = name", r#"name IN ([Utf8("a"), Utf8("b")]) OR Utf8("c") = name"#),
        ("Span_Kind = 'LLM'", r#"attributes.openinference.span.kind = Utf8("LLM")"#),
        ("STATUS_CODE = 'OK'", r#"status_code = Utf8("OK")"#),
        ("metadata.tier = 'free'", r#"attributes.metadata.tier = Utf8("free")"#),
        ("\"attributes.input.value\" = null", "attributes.input.value IS NULL"),
        ("eval.\"Answer Relevance\".score > 0.5", "eval.Answer Relevance.score > Float64(0.5)"),
        ("attributes.far = 'x'", r#"attributes.far = Utf8("x")"#),
        ("parent_id = context.span_id", "parent_id = context.span_id"),
        ("start_time >= '2026-11-01'", r#"start_time >= TimestampNanosecond(1793491200000000000, Some("UTC"))"#),
        (
            "attributes.llm.input_messages.0.message.role = 'user'",
            r#"attributes.llm.input_messages.0.message.role = Utf8("user")"#,
        ),
        (
            "attributes.llm.input_messages.roles CONTAINS 'tool'",
            r#"contains(attributes.llm.input_messages.roles, Utf8("tool"))"#,
        ),
        ("attributes.exception.escaped = true", "attributes.exception.escaped = Boolean(true)"),
        ("attributes.retry = '3' -- a comment", r#"attributes.retry = Utf8("3")"#),
    ] {
        let (expr, notes) = read(text, Unknown::Error).unwrap_or_else(|error| panic!("{text}: {}", error.report()));
        assert_eq!(expr, expected, "{text}");
        assert_eq!(notes, Vec::<String>::new(), "{text}");
    }
}

#[test]
fn names_that_no_span_has() {
    let note = "no span has attributes.erro.type (read as null); nearest: attributes.error.type";
    let (expr, notes) = read("attributes.erro.type = 'x' OR attributes.erro.type = null", Unknown::Null).unwrap();
    assert_eq!(expr, r#"attributes.erro.type = Utf8("x") OR attributes.erro.type IS NULL"#);
    assert_eq!(notes, [note]);
    assert_eq!(read("attributes.erro.type = 'x'", Unknown::Silent).unwrap().1, Vec::<String>::new());
    let error = read("attributes.erro.type = 'x'", Unknown::Error).unwrap_err();
    assert_eq!((error.code(), error.suggestion()), ("unknown-name", Some("attributes.error.type")));
}

#[test]
fn what_is_wrong_is_said() {
    let mut said = String::new();
    for text in include_str!("bad_filters.txt").lines() {
        let text = text.replace("\\n", "\n");
        match read(&text, Unknown::Error) {
            Ok((expr, _)) => panic!("{text} was read as {expr}"),
            Err(error) => writeln!(said, "{}\n", error.report()).unwrap(),
        }
    }
    insta::assert_snapshot!(said);
}

/// The longest that anything may take here, in a build without optimisation on a busy machine.
const SECONDS: u64 = 20;

#[test]
fn garbage_is_refused_soon() {
    let list = |n: usize| (0..n).map(|i| format!("'{i}'")).collect::<Vec<_>>().join(",");
    for (text, code) in [
        ("(".repeat(100_000), "limit"),
        ("(".repeat(MAX_BYTES), "limit"),
        ("NOT ".repeat(10_000), "limit"),
        ("name = 'a' OR ".repeat(4_000), "syntax"),
        (vec!["name = 'a'"; 100_000].join(" OR "), "limit"),
        (vec!["latency_ms > 1"; 3_000].join(" OR "), "limit"),
        (vec!["latency_ms > 1"; 3_000].join(" AND "), "limit"),
        ("'".repeat(1 << 20), "limit"),
        ("'".repeat(MAX_BYTES - 1), "syntax"),
        ("\"".repeat(MAX_BYTES), "unknown-column"),
        ("\"".repeat(MAX_BYTES - 1), "syntax"),
        (format!("name = {}", "-".repeat(60_000)), "syntax"),
        (format!("name = {}5", "- ".repeat(30_000)), "syntax"),
        (format!("name {}", "IS NULL ".repeat(7_000)), "syntax"),
        (format!("name {}", "= name ".repeat(8_000)), "syntax"),
        (format!("name IN ({}", list(8_000)), "syntax"),
        (format!("{}b = 1", "a.".repeat(20_000)), "limit"),
        (format!("{}b = 1", "a.".repeat(20)), "unknown-column"),
        (format!("attributes{} = 1", ".a".repeat(20_000)), "unknown-name"),
        ("/*".repeat(30_000), "syntax"),
        ("CASE ".repeat(10_000), "syntax"),
        ("a[".repeat(30_000), "syntax"),
        (format!("name = 'a' AND ({}", "name CONTAINS 'b' OR ".repeat(2_000)), "syntax"),
    ] {
        let began = Instant::now();
        let error = read(&text, Unknown::Error).unwrap_err();
        assert_eq!(error.code(), code, "{}: {error}", &text[..20]);
        assert!(error.report().len() < 2_000, "{}", &text[..20]);
        assert!(began.elapsed().as_secs() < SECONDS, "{}: {:?}", &text[..20], began.elapsed());
    }
    for text in [
        format!("name IN ({})", list(7_000)),
        vec!["name = 'a'"; 4_000].join(" OR "),
        vec!["latency_ms > 1"; 1_000].join(" OR "),
        format!("{}name = 'a'{}", "(".repeat(50), ")".repeat(50)),
        format!("{}name = 'a'", "NOT ".repeat(50)),
    ] {
        let began = Instant::now();
        read(&text, Unknown::Error).unwrap();
        assert!(began.elapsed().as_secs() < SECONDS, "{}: {:?}", &text[..20], began.elapsed());
    }
}

/// Pieces that filters are made of, and pieces that they are not.
fn pieces() -> impl Strategy<Value = String> {
    let known = [
        "name",
        "status_code",
        "latency_ms",
        "attributes.x",
        "attributes.llm.input_messages.roles",
        "start_time",
        "=",
        "!=",
        "<>",
        "<",
        ">=",
        "CONTAINS",
        "NOT",
        "IN",
        "LIKE",
        "BETWEEN",
        "AND",
        "OR",
        "IS",
        "NULL",
        "true",
        "'a'",
        "'it''s'",
        "5",
        "-1.5",
        "1e400",
        "(",
        ")",
        ",",
        ".",
        "\"",
        "'",
        ";",
        "--",
        "/*",
        "$1",
        "*",
        "'2026-01-01'",
        "\n",
        "é",
        "\u{202e}",
        "\0",
        "x'00'",
        "e'\\n'",
        "::",
        "[",
        "{",
        "==",
        "\\",
    ];
    prop_oneof![6 => prop::sample::select(known.to_vec()).prop_map(str::to_owned), 1 => any::<String>()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn nothing_panics(pieces in prop::collection::vec(pieces(), 0..25), blanks: bool) {
        let text = pieces.join(if blanks { " " } else { "" });
        for unknown in [Unknown::Error, Unknown::Null] {
            if let Err(error) = read(&text, unknown) {
                prop_assert!(error.report().lines().count() <= 3, "{:?}", error.report());
                prop_assert!(error.position().is_some() || error.code() == "limit", "{error} for {text:?}");
            }
        }
    }
}

#[test]
fn what_to_do_instead_is_said() {
    for (text, advice) in [
        ("latency_ms > 5 * 2", "a filter does no arithmetic"),
        ("name = N'a'", "write text in single quotes"),
        ("name = E'a'", "write text in single quotes"),
        ("name = $$a$$", "write text in single quotes"),
        ("name = 'a' && name = 'b'", "did you mean AND?"),
        ("name = 'a' || name = 'b'", "did you mean OR?"),
        ("name === 'a'", "did you mean =?"),
        ("name ~* 'a'", "did you mean ILIKE?"),
    ] {
        let error = read(text, Unknown::Error).unwrap_err();
        assert!(error.in_one_line().contains(advice), "{text}: {}", error.in_one_line());
    }
}

#[test]
fn parentheses_that_are_closed_nest_no_deeper() {
    for condition in ["(name = 'a')", "NOT (name = 'a')", "NOT NOT (NOT (name = 'a'))"] {
        read(&vec![condition; 60].join(" AND "), Unknown::Error).unwrap();
    }
    for (text, place) in [("(".repeat(60), 51), ("NOT ".repeat(60), 201)] {
        assert_eq!(read(&text, Unknown::Error).unwrap_err().position(), Some((1, place)));
    }
}

#[test]
fn names_alone_and_names_for_text() {
    let (expr, _) = read("attributes.unheard", Unknown::Silent).unwrap();
    assert_eq!(expr, "attributes.unheard = Boolean(true)");
    read("eval.unheard.score", Unknown::Silent).unwrap_err();
    for (text, code, advice) in [
        ("name = attributes.erro.type", "unknown-name", "did you mean attributes.error.type?"),
        ("name = erro", "unknown-column", "write 'erro' in single quotes"),
        ("name = 'a' /*", "syntax", "the filter cannot be read"),
        ("5", "syntax", "expected an operator"),
        ("contains = 'a'", "syntax", "expected"),
    ] {
        let error = read(text, Unknown::Error).unwrap_err();
        assert_eq!(error.code(), code, "{text}");
        assert!(error.in_one_line().contains(advice), "{text}: {}", error.in_one_line());
        assert!(!error.in_one_line().contains("called like a function"), "{text}");
    }
    assert_eq!(read("\"contains\" = 'a'", Unknown::Error).unwrap_err().code(), "unknown-column");
}

#[test]
fn the_and_of_a_range_joins_nothing() {
    read(&vec!["latency_ms BETWEEN 1 AND 2"; 600].join(" AND "), Unknown::Error).unwrap();
}

#[test]
fn a_small_stack_is_enough() {
    let nested = format!("{}name = 'a'{}", "NOT (".repeat(25), ")".repeat(25));
    let small = std::thread::Builder::new().stack_size(256 << 10);
    let read = small.spawn(move || {
        let (schema, rest) = (spans_schema(&[]), BTreeMap::new());
        parse(&nested, &Names::new(&schema, &rest, Unknown::Error)).is_ok()
    });
    assert!(read.unwrap().join().unwrap());
}
