//! What the language is, and what is said about what it is not.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Instant;

use arrow::datatypes::{DataType, Schema};
use proptest::prelude::*;

use super::{MAX_BRACES, Pattern, parse};
use crate::{FilterError, MAX_BYTES, Names, Unknown};
use spanql_model::columns::spans_schema;
use spanql_trace::structure::{Asked, Side};

fn schema() -> Schema {
    spans_schema(&[("attributes.error.type".to_owned(), DataType::Utf8)]).as_ref().clone()
}

fn read(text: &str, side: Option<Side>, unknown: Unknown) -> Result<Pattern, FilterError> {
    parse(text, side, &Names::new(&schema(), &BTreeMap::new(), unknown))
}

/// The pattern as it was understood.
fn understood(pattern: &Pattern) -> String {
    let place = |place: &Option<_>| place.as_ref().map_or("*".to_owned(), ToString::to_string);
    let mut text = place(&pattern.places[0]);
    for (relation, next) in pattern.chain.relations.iter().zip(&pattern.places[1..]) {
        write!(text, " | {relation:?} | {}", place(next)).unwrap();
    }
    match pattern.chain.asked {
        Asked::Matches(side) => text + " | " + side.as_str(),
        Asked::Without => text + " | without",
    }
}

#[test]
fn the_language() {
    for (text, side, expected) in [
        ("{}", None, "* | right"),
        (" { -- all\n } ", Some(Side::Both), "* | both"),
        ("{name='a'}>{}", None, r#"name = Utf8("a") | Child | * | right"#),
        (
            "{} >> {} > {} << {} < {} ~ {}",
            None,
            "* | Descendant | * | Child | * | Ancestor | * | Parent | * | Sibling | * | right",
        ),
        ("{} > {}", Some(Side::Left), "* | Child | * | left"),
        ("{}!>{}", None, "* | Child | * | without"),
        ("{} !~ {}", None, "* | Sibling | * | without"),
        ("{} > {} ! << {}", None, "* | Child | * | Ancestor | * | without"),
        ("{} > /* of */ {}", None, "* | Child | * | right"),
        ("{name = '}'} > {name = '{ ''} > {'}", None, r#"name = Utf8("}") | Child | name = Utf8("{ '} > {") | right"#),
        (
            "{eval.\"a}b\".label = 'x' OR (name = 'a' AND parent_id = null)}\n!>>\n{\"attributes.input.value\" CONTAINS '>>'}",
            None,
            r#"eval.a}b.label = Utf8("x") OR name = Utf8("a") AND parent_id IS NULL | Descendant | contains(attributes.input.value, Utf8(">>")) | without"#,
        ),
    ] {
        let pattern = read(text, side, Unknown::Null).unwrap_or_else(|error| panic!("{text}: {}", error.report()));
        assert_eq!(understood(&pattern), expected, "{text}");
    }
}

#[test]
fn names_that_no_span_has_are_noted_once() {
    let text = "{attributes.erro.type = 'x'} >> {attributes.erro.type = 'y'}";
    let notes = read(text, None, Unknown::Null).unwrap().notes;
    assert_eq!(notes, ["no span has attributes.erro.type (read as null); nearest: attributes.error.type"]);
    assert!(read(text, None, Unknown::Silent).unwrap().notes.is_empty());
}

#[test]
fn what_is_wrong_is_said() {
    let mut said = String::new();
    for text in include_str!("bad_patterns.txt").lines() {
        let text = text.replace("\\n", "\n");
        match read(&text, None, Unknown::Error) {
            Ok(pattern) => panic!("{text} was read as {}", understood(&pattern)),
            Err(error) => writeln!(said, "{}\n", error.report()).unwrap(),
        }
    }
    let with_side = read("{} > {} !>> {}", Some(Side::Left), Unknown::Error).unwrap_err();
    writeln!(said, "{}", with_side.report()).unwrap();
    insta::assert_snapshot!(said);
}

/// The longest that anything may take here, in a build without optimisation on a busy machine.
const SECONDS: u64 = 20;

#[test]
fn garbage_is_refused_soon() {
    for (text, code) in [
        ("{".repeat(MAX_BYTES), "syntax"),
        ("}".repeat(MAX_BYTES), "syntax"),
        ("{".repeat(MAX_BYTES + 1), "limit"),
        ("{}>".repeat(20_000), "limit"),
        (format!("{}{{}}", "{}>".repeat(MAX_BRACES)), "limit"),
        ("{}".repeat(30_000), "syntax"),
        (format!("{{}} {}", ">".repeat(60_000)), "syntax"),
        (format!("{{}} {}", "!".repeat(60_000)), "syntax"),
        (format!("{{}} {}", "> ".repeat(30_000)), "syntax"),
        (format!("{{}} {}", "--\n".repeat(20_000) + "x"), "syntax"),
        (format!("{{{}}}", "(".repeat(60_000)), "limit"),
        (format!("{{{}}}", "'".repeat(60_001)), "syntax"),
        (format!("{{}} > {{{}b = 1}}", "a.".repeat(20_000)), "limit"),
        (format!("{{}} {} {{}}", "é".repeat(20_000)), "syntax"),
    ] {
        let began = Instant::now();
        let start: String = text.chars().take(20).collect();
        let error = read(&text, None, Unknown::Error).unwrap_err();
        assert_eq!(error.code(), code, "{start}: {error}");
        assert!(error.report().len() < 2_000, "{start}");
        assert!(began.elapsed().as_secs() < SECONDS, "{start}: {:?}", began.elapsed());
    }
    let most = vec!["{name = 'a'}"; MAX_BRACES].join(" >> ");
    assert_eq!(read(&most, None, Unknown::Error).unwrap().places.len(), MAX_BRACES);
}

/// Pieces that patterns are made of, and pieces that they are not.
fn pieces() -> impl Strategy<Value = String> {
    let known = [
        "{",
        "}",
        "{}",
        "{name = 'a'}",
        "name",
        "=",
        "'a'",
        "'}'",
        "\"}\"",
        "'",
        "\"",
        ">",
        ">>",
        "<",
        "<<",
        "~",
        "!",
        "!>>",
        "->",
        "--",
        "-->",
        "/*",
        "*/",
        "\n",
        "é",
        "\u{202e}",
        "\0",
        "(",
        ")",
        "AND",
        ";",
        "$$",
        "child",
    ];
    prop_oneof![8 => prop::sample::select(known.to_vec()).prop_map(str::to_owned), 1 => any::<String>()]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_500) })]

    #[test]
    fn nothing_panics(pieces in prop::collection::vec(pieces(), 0..25), blanks: bool, side: bool) {
        let text = pieces.join(if blanks { " " } else { "" });
        if let Err(error) = read(&text, side.then_some(Side::Both), Unknown::Error) {
            prop_assert!(error.report().lines().count() <= 3, "{:?}", error.report());
            prop_assert!(error.position().is_some() || error.code() == "limit", "{error} for {text:?}");
            prop_assert_eq!(error.subject(), "pattern");
        }
    }
}
