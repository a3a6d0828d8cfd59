//! Values of attributes that are close to others, and conditions at the limits of what is said.

use super::*;
use crate::MAX_TERMS;

#[test]
fn values_are_taken_for_what_they_are() {
    let digits = "1".repeat(400);
    for (query, expected) in [
        (format!("attribute=team:{digits}"), format!("attributes.team = '{digits}'")),
        ("attribute=team:01".to_owned(), "attributes.team = '01'".to_owned()),
        ("attribute=team:inf".to_owned(), "attributes.team = 'inf'".to_owned()),
        ("attribute=team:-".to_owned(), "attributes.team = '-'".to_owned()),
        ("attribute=team:1e999".to_owned(), "false".to_owned()),
        ("attribute=size:9.223372036854775808e18".to_owned(), "false".to_owned()),
        // Lists hold what their strings hold, objects hold strings, and texts are texts.
        (
            r#"attribute=llm.input_messages:"[\"{}\"]""#.to_owned(),
            r#"attributes.llm.input_messages IN ('["{}"]', '[{}]')"#.to_owned(),
        ),
        (r#"attribute=metadata:"[\"{}\"]""#.to_owned(), r#"attributes.metadata = '["{}"]'"#.to_owned()),
        (
            r#"attribute=metadata:"{\"a\": 1, \"b\": 2}""#.to_owned(),
            r#"attributes.metadata IN ('{"a": 1, "b": 2}', '{"a": 1,"b": 2}')"#.to_owned(),
        ),
        (r#"attribute=input.value:"[1, 2]""#.to_owned(), "attributes.input.value = '[1, 2]'".to_owned()),
    ] {
        assert_eq!(meaning(&query).unwrap(), expected, "{query}");
    }
    let attributes = |count: usize| vec!["attribute=team:a"; count].join("&");
    meaning(&attributes(MAX_TERMS)).unwrap();
    assert_eq!(meaning(&attributes(MAX_TERMS + 1)).unwrap_err().code(), "limit");
}

#[test]
fn words_that_nobody_knows_are_the_unknown_one() {
    let kind = || ident(columns::KIND);
    for (condition, kinds) in [
        (kind().in_list(vec![lit("LLM"), lit("mine")], false), r#"["LLM","UNKNOWN"]"#),
        (kind().in_list(vec![lit("LLM"), lit(ScalarValue::Utf8(None))], false), r#"["LLM"]"#),
        (kind().eq(lit("LLM")).or(lit(false)), r#"["LLM"]"#),
    ] {
        let (parameters, _) = said(std::slice::from_ref(&condition));
        assert_eq!(parameters, format!("{{\"span_kind\":{kinds}}}"), "{condition}");
    }
}

#[test]
fn what_is_too_long_or_not_found_there_is_not_said() {
    let is_said = |condition: Expr| print(&[condition], &schema()).translated.is_some();
    let team = |length: usize| ident("attributes.team").eq(lit("x".repeat(length)));
    assert!(is_said(team(4 << 10)) && !is_said(team((4 << 10) + 1)));
    let names = |last: usize| {
        let texts = [MAX_BYTES - 10, last].map(|length| lit("x".repeat(length)));
        ident("name").in_list(texts.to_vec(), false)
    };
    assert!(is_said(names(10)) && !is_said(names(11)));
    let kinds = |count: usize| ident(columns::KIND).in_list((0..count).map(|n| lit(n.to_string())).collect(), false);
    assert!(is_said(kinds(200)) && !is_said(kinds(201)));
    for (column, text) in
        [("attributes.metadata.team", "a"), ("attributes.rest", "a"), ("parent_id", ""), ("parent_id", "null")]
    {
        assert!(!is_said(ident(column).eq(lit(text))), "{column} {text}");
    }
}

#[test]
fn the_same_again_is_said_already() {
    let (name, parent) = (ident("name"), ident("parent_id").eq(lit("p")));
    let either = name.clone().eq(lit("a")).or(name.eq(lit("b")));
    let (parameters, left) = said(&[either.clone(), parent.clone(), parent, either]);
    assert_eq!((parameters.as_str(), left), (r#"{"name":["a","b"],"parent_id":"p"}"#, 0));
}
