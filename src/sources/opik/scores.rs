//! Feedback scores and comments as annotations.

use super::cells::Cells;
use spanql_model::columns::NOTES;
use spanql_model::json::{Member, Value, elements, members, text_of, write_string};
use spanql_model::time;

/// Who gave a score, by its source.
const ANNOTATORS: [(&str, &str); 3] = [("ui", "HUMAN"), ("sdk", "CODE"), ("online_scoring", "LLM")];

/// The scores of a row: a list of objects.
pub(super) fn set_scores<'a>(cells: &mut Cells<'a>, list: Value<'a>) {
    for score in objects(list) {
        let Some(name) = member(&score, "name").and_then(text_of).filter(|name| !name.is_empty()) else { continue };
        let column = |part: &str| format!("annotation.{name}.{part}");
        for part in &score {
            match part.key.as_ref() {
                "value" => cells.set(column("score"), part.value),
                "category_name" => cells.set(column("label"), part.value),
                "reason" => cells.set(column("explanation"), part.value),
                "source" => {
                    if let Some(source) = text_of(part.value) {
                        let known = ANNOTATORS.iter().find(|(known, _)| *known == source);
                        cells.set_text(column("annotator_kind"), known.map_or(source.as_str(), |(_, kind)| kind));
                    }
                }
                "last_updated_by" => cells.set(column("updated_by"), part.value),
                "last_updated_at" => {
                    if let Some(millis) = millis(part.value) {
                        cells.set_json(column("updated_at"), millis.to_string());
                    }
                }
                // What one author says is the score; of several, it is their mean.
                "value_by_author" => {
                    if let Value::Nested(json) = part.value
                        && members(json).is_some_and(|authors| authors.len() > 1)
                    {
                        cells.set_text(format!("opik.value_by_author.{name}"), json);
                    }
                }
                _ => {}
            }
        }
    }
}

/// Scores as the user interface exports them: `feedback_scores.<name>`, and `…_reason` where there is a reason.
pub(super) fn set_exported<'a>(cells: &mut Cells<'a>, scores: &[(&'a str, Value<'a>)]) {
    for (key, value) in scores {
        let of = key.strip_suffix("_reason").filter(|name| scores.iter().any(|(other, _)| other == name));
        match of {
            Some(name) => cells.set(format!("annotation.{name}.explanation"), *value),
            // An absent score is exported as a dash.
            None if *value == Value::Text("-") => {}
            None => cells.set(format!("annotation.{key}.score"), *value),
        }
    }
}

/// Comments as notes, in the form that notes have everywhere: text, by whom, and when in milliseconds.
pub(super) fn set_notes<'a>(cells: &mut Cells<'a>, list: Value<'a>) {
    let mut notes = String::new();
    for comment in objects(list) {
        let Some(text) = member(&comment, "text") else { continue };
        notes.push_str(if notes.is_empty() { "[" } else { "," });
        notes.push_str("{\"text\":");
        notes.push_str(&text.written());
        let by = ["last_updated_by", "created_by"].into_iter().find_map(|key| member(&comment, key).and_then(text_of));
        if let Some(by) = by {
            notes.push_str(",\"updated_by\":");
            write_string(&by, &mut notes);
        }
        let at = ["last_updated_at", "created_at"].into_iter().find_map(|key| member(&comment, key).and_then(millis));
        if let Some(at) = at {
            notes.push_str(&format!(",\"updated_at\":{at}"));
        }
        notes.push('}');
    }
    if !notes.is_empty() {
        notes.push(']');
        cells.set_json(NOTES, notes);
    }
}

/// The objects of a list, each as its members.
fn objects(list: Value<'_>) -> Vec<Vec<Member<'_>>> {
    let Value::Nested(list) = list else { return vec![] };
    let nested = elements(list).unwrap_or_default().into_iter().filter_map(|element| match element {
        Value::Nested(json) => members(json),
        _ => None,
    });
    nested.collect()
}

/// What an object has under a key; nothing where that is null.
fn member<'a>(object: &[Member<'a>], key: &str) -> Option<Value<'a>> {
    let found = object.iter().rev().find(|member| member.key == key)?;
    Some(found.value).filter(|value| *value != Value::Null)
}

/// A time in milliseconds.
fn millis(value: Value<'_>) -> Option<i64> {
    let nanos = match value {
        Value::Number(text) => time::from_number(text),
        value => time::parse(&text_of(value)?),
    };
    nanos.ok().map(|nanos| nanos.div_euclid(1_000_000))
}
