//! Properties of the parser over arbitrary text.

use proptest::prelude::*;

use super::support::{parse_over, written};
use crate::Unknown;
use crate::opik::{Entity, compile, print};
use arrow::datatypes::Schema;

const ENTITIES: [Entity; 3] = [Entity::Spans, Entity::Traces, Entity::Threads];

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => prop::sample::select(vec![
            "name", "id", "duration", "metadata.", "metadata.\"a b\"", "feedback_scores.x", "tags", "type", "usage.", "input_json.k",
            "total_tokens", "environment", "start_time", "error_info", "thread_id", "unknown", "span_feedback_scores.y",
        ]).prop_map(str::to_owned),
        3 => prop::sample::select(vec![
            "=", "!=", ">", "<=", "contains", "not_contains", "is_empty", "is_not_empty", "in", "not_in", "starts_with", "AND", "or",
        ]).prop_map(str::to_owned),
        3 => prop::sample::select(vec![
            "\"x\"", "\"\"", "5", "-1.5", "(\"a\",\"b\")", "(\"llm\")", "\"2024-01-01T00:00:00Z\"", "\"a\"\"b\"", "\"%_\\\"",
            "[{\"field\":\"name\",\"operator\":\"=\",\"value\":\"x\"}]", "{", "}", ":", ",",
        ]).prop_map(str::to_owned),
        1 => "\\PC{0,4}",
        1 => any::<char>().prop_map(String::from),
    ]
}

fn pieces() -> impl Strategy<Value = String> {
    (prop::collection::vec(piece(), 0..12), prop::bool::ANY)
        .prop_map(|(pieces, blanks)| pieces.join(if blanks { " " } else { "" }))
}

/// A clause that is in the language.
fn good() -> impl Strategy<Value = String> {
    let value = "[a-z%_\"é ]{0,6}".prop_map(|text| format!("\"{}\"", text.replace('"', "\"\"")));
    let number = "-?[0-9]{1,4}(\\.[0-9]{1,3})?";
    prop_oneof![
        (
            prop::sample::select(vec!["name", "id", "input", "zzz"]),
            prop::sample::select(vec!["=", "!= ", " contains ", ">"]),
            value.clone()
        )
            .prop_map(|(field, op, value)| format!("{field}{op}{value}")),
        (
            prop::sample::select(vec!["duration", "usage.prompt_tokens"]),
            prop::sample::select(vec!["=", ">=", "<", "!= "]),
            number
        )
            .prop_map(|(field, op, value)| format!("{field} {op}{value}")),
        ("[a-z.\"' -]{1,5}", prop::sample::select(vec!["<", ">=", " not_contains "]), value.clone())
            .prop_map(|(key, op, value)| { format!("metadata.\"{}\"{op}{value}", key.replace('"', "\"\"")) }),
        prop::collection::vec(value, 1..3).prop_map(|values| format!("environment in ({})", values.join(" , "))),
        Just("tags is_empty".to_owned()),
    ]
}

proptest! {
    /// Whatever is read or refused, nothing panics, a place lies in the text, and what was read can be read again.
    #[test]
    fn anything_is_read_or_refused(text in pieces()) {
        for entity in ENTITIES {
            match compile(&text, entity) {
                Err(error) => {
                    prop_assert!(error.position().is_some(), "{text}");
                    error.report();
                }
                Ok(clauses) => {
                    let clauses = clauses.unwrap_or_default();
                    let json = serde_json::to_string(&clauses).unwrap();
                    prop_assert_eq!(compile(&json, entity).unwrap().unwrap_or_default(), clauses.clone());
                    if let Some(oql) = written(&clauses) {
                        prop_assert_eq!(compile(&oql, entity).unwrap().unwrap_or_default(), clauses, "{}", oql);
                    }
                }
            }
            match parse_over(&text, entity, &Schema::empty(), Unknown::Silent) {
                Ok(oql) => { print(&[oql.expr], entity, &Schema::empty()); }
                Err(error) => { error.report(); }
            }
        }
    }

    /// Clauses of the language are read, in order, however they are joined; with a character gone, nothing panics.
    #[test]
    fn good_filters(clauses in prop::collection::vec(good(), 1..5), at in any::<prop::sample::Index>()) {
        let text = clauses.join(" aNd ");
        let read = compile(&text, Entity::Spans).map_err(|error| TestCaseError::fail(error.report()))?.unwrap();
        prop_assert_eq!(read.len(), clauses.len());
        for (clause, whole) in clauses.iter().zip(&read) {
            prop_assert_eq!(compile(clause, Entity::Spans).unwrap().unwrap(), vec![whole.clone()]);
        }
        let mut mutated: Vec<char> = text.chars().collect();
        mutated.remove(at.index(mutated.len()));
        let _ = compile(&mutated.into_iter().collect::<String>(), Entity::Spans);
    }
}
