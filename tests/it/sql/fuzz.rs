//! Whatever is given as SQL, planning ends with a plan or an error.

use std::sync::LazyLock;

use proptest::prelude::*;
use spanql::engine::{Engine, Params};

use super::fixture;

static RUNTIME: LazyLock<(tokio::runtime::Runtime, Engine)> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let engine = runtime.block_on(fixture::engine());
    (runtime, engine)
});

/// Prepares a text and fails on anything but a plan or an error for people.
fn prepare(sql: &str) {
    let (runtime, engine) = &*RUNTIME;
    let result = runtime.block_on(engine.prepare(sql, &Params::new()));
    if let Err(error) = result {
        assert_ne!(error.code(), "internal", "{sql:?}: {error}");
        assert!(!error.to_string().contains("backtrace"), "{sql:?}: {error}");
    }
}

const WORDS: &[&str] = &[
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP",
    "BY",
    "ORDER",
    "HAVING",
    "LIMIT",
    "WITH",
    "AS",
    "(",
    ")",
    ",",
    ".",
    "*",
    "=",
    "<",
    "+",
    "-",
    "'text'",
    "1",
    "2.5",
    ".0",
    "spans",
    "traces",
    "s",
    "t",
    "name",
    "trace_id",
    "model",
    "attributes",
    "attributes.mixed",
    "attributes.foo",
    "eval.Correctness.score",
    "metadata.tier",
    "context.trace_id",
    "JOIN",
    "ON",
    "USING",
    "LEFT",
    "UNION",
    "ALL",
    "EXCEPT",
    "DISTINCT",
    "CASE",
    "WHEN",
    "THEN",
    "END",
    "NOT",
    "AND",
    "OR",
    "IN",
    "BETWEEN",
    "CONTAINS",
    "IS",
    "NULL",
    "count(*)",
    "max(",
    "OVER",
    "PARTITION",
    "unnest",
    "::",
    "[",
    "]",
    "{",
    "}",
    ":",
    "$x",
    "\"",
    "`",
    "--",
    "/*",
    ";",
    "LATERAL",
    "EXISTS",
    "VALUES",
    "\n",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_text(sql in ".{0,80}") {
        prepare(&sql);
    }

    #[test]
    fn any_words(words in prop::collection::vec(prop::sample::select(WORDS), 1..25)) {
        prepare(&words.join(" "));
    }

    #[test]
    fn words_after_select(words in prop::collection::vec(prop::sample::select(WORDS), 1..12), tail in prop::collection::vec(prop::sample::select(WORDS), 0..12)) {
        prepare(&format!("SELECT {} FROM spans s {}", words.join(" "), tail.join(" ")));
    }

    #[test]
    fn any_dotted_text(text in "(attributes|eval|metadata|s)[.a-z0-9\"`_ '\\-é]{0,20}") {
        prepare(&format!("SELECT {text} FROM spans s"));
    }
}
