//! Opik's server, as far as clauses go.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type, TimestampNanosecondType};

use super::print::{KIND, TOKENS};
use crate::opik::Clause;
use crate::opik::values;

/// What Opik's server makes of a clause: absent text is empty, an absent number zero, an absent duration unknown; text
/// is put into lower case for ASCII only; plain text of an input is kept as JSON; durations are rounded.
pub(super) fn server_lets_through(clause: &Clause, batch: &RecordBatch, row: usize) -> bool {
    let text_of = |name: &str| {
        let column = batch.column_by_name(name).unwrap().as_string::<i32>();
        if column.is_null(row) { String::new() } else { column.value(row).to_owned() }
    };
    let float_of = |name: &str| {
        let column = batch.column_by_name(name).unwrap();
        if column.is_null(row) {
            return None;
        }
        Some(match name {
            TOKENS => column.as_primitive::<Int64Type>().value(row) as f64,
            "start_time" | "end_time" => column.as_primitive::<TimestampNanosecondType>().value(row) as f64,
            _ => column.as_primitive::<Float64Type>().value(row),
        })
    };
    let value = clause.value.as_str();
    let compare = |found: f64, value: f64| match clause.operator.as_str() {
        "=" => found == value,
        "!=" => found != value,
        ">" => found > value,
        ">=" => found >= value,
        "<" => found < value,
        "<=" => found <= value,
        other => panic!("{other}"),
    };
    let wild = |found: &str| like(&found.to_lowercase(), &format!("%{}%", value.to_lowercase()));
    let on_text = |found: String| {
        let (found_lower, value_lower) = (found.to_ascii_lowercase(), value.to_ascii_lowercase());
        match clause.operator.as_str() {
            "=" => found_lower == value_lower,
            "!=" => found_lower != value_lower,
            "contains" => wild(&found),
            "not_contains" => !wild(&found),
            "starts_with" => found_lower.starts_with(&value_lower),
            "ends_with" => found_lower.ends_with(&value_lower),
            ">" => found_lower > value_lower,
            "<" => found_lower < value_lower,
            other => panic!("{other}"),
        }
    };
    let one_of = |found: &str| match clause.operator.as_str() {
        "=" => found == value,
        "!=" => found != value,
        "in" => value.split(',').any(|item| item == found),
        "not_in" => !value.split(',').any(|item| item == found),
        other => panic!("{other}"),
    };
    if clause.kind != "string" {
        assert!(!value.contains(['+', '%']), "{clause:?}");
    }
    match clause.field.as_str() {
        "name" => on_text(text_of("name")),
        "input" => on_text(match text_of("attributes.input.value") {
            json if json.is_empty() || json.starts_with('{') => json,
            plain => serde_json::to_string(&plain).unwrap(),
        }),
        "type" => one_of(match text_of(KIND).as_str() {
            "LLM" => "llm",
            "TOOL" => "tool",
            "GUARDRAIL" => "guardrail",
            _ => "general",
        }),
        "environment" => one_of(&text_of("opik.environment")),
        "error_info" => (text_of("status_code") == "ERROR") == (clause.operator == "is_not_empty"),
        "duration" => float_of("latency_ms").is_some_and(|found| compare(found.round(), value.parse().unwrap())),
        "usage.total_tokens" => compare(float_of(TOKENS).unwrap_or(0.0), value.parse().unwrap()),
        field @ ("start_time" | "end_time") => {
            compare(float_of(field).unwrap_or(0.0), values::instant(value).unwrap() as f64)
        }
        "tags" => {
            let tags: Vec<String> = serde_json::from_str(&text_of("attributes.tag.tags")).unwrap_or_default();
            match clause.operator.as_str() {
                "=" => tags.iter().any(|tag| tag == value),
                "!=" => !tags.iter().any(|tag| tag == value),
                "contains" => tags.iter().any(|tag| wild(tag)),
                "not_contains" => !tags.iter().any(|tag| wild(tag)),
                "is_empty" => tags.is_empty(),
                _ => !tags.is_empty(),
            }
        }
        "metadata" => {
            let json: serde_json::Value = serde_json::from_str(&text_of("attributes.metadata")).unwrap_or_default();
            let found = match &json[clause.key.as_str()] {
                serde_json::Value::Null => String::new(),
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            match clause.operator.as_str() {
                "is_empty" => found.is_empty(),
                "is_not_empty" => !found.is_empty(),
                ">" | "<" => found.parse().is_ok_and(|found: f64| compare(found, value.parse().unwrap())),
                ">=" | "<=" => panic!("the server has no {}", clause.operator),
                _ => on_text(found),
            }
        }
        "feedback_scores" => {
            let schema = batch.schema();
            let wanted = format!("annotation.{}.score", clause.key.to_lowercase());
            let same = schema.fields().iter().filter(|field| field.name().to_lowercase() == wanted);
            let scores: Vec<f64> = same.filter_map(|field| float_of(field.name())).collect();
            match clause.operator.as_str() {
                "is_empty" => scores.is_empty(),
                "is_not_empty" => !scores.is_empty(),
                "!=" => !scores.contains(&value.parse().unwrap()),
                _ => scores.iter().any(|score| compare(*score, value.parse().unwrap())),
            }
        }
        other => panic!("{other}"),
    }
}

fn like(text: &str, pattern: &str) -> bool {
    match pattern.chars().next() {
        None => text.is_empty(),
        Some('%') => {
            text.char_indices().map(|(at, _)| at).chain([text.len()]).any(|at| like(&text[at..], &pattern[1..]))
        }
        Some(wanted) => {
            let mut rest = text.chars();
            rest.next().is_some_and(|c| wanted == '_' || c == wanted)
                && like(rest.as_str(), &pattern[wanted.len_utf8()..])
        }
    }
}
