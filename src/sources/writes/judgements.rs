//! Judgements of rows in every shape: one record each with its values, a column each, a row each.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::error::WriteError;
use super::judgement::{Grain, Judgement, Kind, NOTES_NAME};
use super::rows::Row;
use super::rules::Rules;

/// The column of records that lists what is said of one.
const VALUES: &str = "values";
/// Parts that a judgement may have, by the last part of a column's name or the name of a column.
const PARTS: [&str; 6] = ["label", "score", "text", "explanation", "updated_by", "updated_at"];

/// What is given beside the rows.
#[derive(Debug, Clone)]
pub struct Given {
    /// Who judges.
    pub kind: Kind,
    /// What is judged, unless a column says it.
    pub grain: Grain,
    /// The name of judgements that have none.
    pub name: Option<String>,
    /// Whose rules hold.
    pub rules: Rules,
    /// The present, in milliseconds since the epoch.
    pub now: i64,
}

/// Reads judgements of rows, in their order. Rows that say nothing are passed over.
///
/// # Errors
/// [`WriteError::Shape`] for columns that say nothing of a span and would be lost without a word;
/// [`WriteError::Row`] for a row that does not fit.
pub fn judgements(rows: &[Row], given: &Given) -> Result<Vec<Judgement>, WriteError> {
    let mut found = Vec::new();
    let names: BTreeSet<&str> = rows.iter().flat_map(|row| row.cells.keys().map(String::as_str)).collect();
    check_columns(&names, given)?;
    for row in rows {
        if row.cells.values().all(Value::is_null) {
            continue;
        }
        if let Some(values) = row.cell(VALUES) {
            record(row, values, given, &mut found)?;
            continue;
        }
        wide(row, given, &mut found)?;
        long(row, given, &mut found)?;
    }
    Ok(found)
}

fn id_columns(grain: Grain) -> &'static [&'static str] {
    match grain {
        Grain::Span => &["context.span_id", "span_id", "record_id"],
        Grain::Trace => &["context.trace_id", "trace_id", "record_id", "context.span_id", "span_id", "root_span_id"],
        Grain::Session => &["attributes.session.id", "session_id", "record_id", "context.span_id", "span_id"],
    }
}

/// A family of columns, and what is judged by them.
fn family(name: &str) -> Option<(Kind, Grain, &str)> {
    let (family, rest) = name.split_once('.')?;
    match family {
        "annotation" => Some((Kind::Annotation, Grain::Span, rest)),
        "eval" => Some((Kind::Evaluation, Grain::Span, rest)),
        "trace_eval" => Some((Kind::Evaluation, Grain::Trace, rest)),
        "session_eval" => Some((Kind::Evaluation, Grain::Session, rest)),
        _ => None,
    }
}

/// Refuses columns that would be lost.
fn check_columns(names: &BTreeSet<&str>, given: &Given) -> Result<(), WriteError> {
    let what = match given.kind {
        Kind::Annotation => "annotation.<name>.label, .score, .text, .updated_by, .updated_at, or annotation.notes",
        Kind::Evaluation => "eval.<name>.label, .score, .explanation, also trace_eval and session_eval",
    };
    for name in names {
        let known = PARTS.contains(name) || ["name", VALUES].contains(name) || id_columns(given.grain).contains(name);
        if known {
            continue;
        }
        let reason = match family(name) {
            Some((kind, ..)) if kind != given.kind => match kind {
                Kind::Annotation => "that is an annotation: `spans annotate` takes it".to_owned(),
                Kind::Evaluation => "that is an evaluation: `spans evaluate` takes it".to_owned(),
            },
            Some((kind, _, rest)) => match parts_of(kind, rest) {
                Some((NOTES_NAME, None)) => continue,
                Some((name, _)) => match given.rules.name(name) {
                    Ok(()) => continue,
                    Err(reason) => reason,
                },
                None => format!("columns are {what}"),
            },
            None => format!("it is no id and none of {what}: leave it out"),
        };
        return Err(WriteError::Shape(format!("the column {name} would be lost: {reason}")));
    }
    Ok(())
}

/// The name in a column's name behind its family, and which part of the judgement it is.
fn parts_of(kind: Kind, rest: &str) -> Option<(&str, Option<&str>)> {
    if kind == Kind::Annotation && rest == NOTES_NAME {
        return Some((NOTES_NAME, None));
    }
    let (name, part) = rest.rsplit_once('.')?;
    let fits = match kind {
        Kind::Annotation => matches!(part, "label" | "score" | "text" | "updated_by" | "updated_at"),
        Kind::Evaluation => matches!(part, "label" | "score" | "explanation"),
    };
    (fits && !name.is_empty()).then_some((name, Some(part)))
}

/// A column for each part.
fn wide(row: &Row, given: &Given, found: &mut Vec<Judgement>) -> Result<(), WriteError> {
    let mut by_name: BTreeMap<(Grain, &str), Judgement> = BTreeMap::new();
    let mut notes = Vec::new();
    for (column, value) in &row.cells {
        let Some((kind, grain, rest)) = family(column) else { continue };
        let Some((name, part)) = parts_of(kind, rest).filter(|_| !value.is_null()) else { continue };
        // A trace or a session that is judged beside a span is that of the span, and kept there.
        let grain = if grain == Grain::Span { given.grain } else { grain };
        let id = row.id(id_columns(given.grain))?;
        match part {
            None => note_texts(row, column, value, given, &id, &mut notes)?,
            Some(part) => {
                let new = || Judgement::new(&id, kind, grain, name);
                set(row, by_name.entry((grain, name)).or_insert_with(new), part, column, value)?;
            }
        }
    }
    for judgement in by_name.into_values().chain(notes) {
        add(row, judgement, given, found)?;
    }
    Ok(())
}

/// Notes: a text, an object with a text, JSON of one, or a list of these.
fn note_texts(
    row: &Row,
    column: &str,
    value: &Value,
    given: &Given,
    id: &str,
    notes: &mut Vec<Judgement>,
) -> Result<(), WriteError> {
    if let Value::Array(several) = value {
        return several.iter().try_for_each(|note| note_texts(row, column, note, given, id, notes));
    }
    let parsed = value.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
    if let Some(several @ Value::Array(_)) = &parsed {
        return note_texts(row, column, several, given, id, notes);
    }
    let object = parsed.as_ref().unwrap_or(value).as_object().filter(|object| object.contains_key("text"));
    let mut note = Judgement::new(id, Kind::Annotation, given.grain, NOTES_NAME);
    match object {
        Some(object) => {
            for part in ["text", "updated_by", "updated_at"] {
                if let Some(value) = object.get(part) {
                    set(row, &mut note, part, column, value)?;
                }
            }
        }
        None => note.text = row.as_text(column, value)?,
    }
    notes.push(note);
    Ok(())
}

/// A row for each judgement.
fn long(row: &Row, given: &Given, found: &mut Vec<Judgement>) -> Result<(), WriteError> {
    if !PARTS.iter().any(|part| row.cell(part).is_some()) {
        return Ok(());
    }
    let id = row.id(id_columns(given.grain))?;
    found.extend(object(row, &row.cells, &id, given)?);
    Ok(())
}

/// One record with a list of values.
fn record(row: &Row, values: &Value, given: &Given, found: &mut Vec<Judgement>) -> Result<(), WriteError> {
    let id = row.id(id_columns(given.grain))?;
    // In a table, the list is text.
    let parsed = values.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
    let values = parsed.as_ref().unwrap_or(values);
    let values = values.as_array().ok_or_else(|| row.wrong("values is no list of {name, label, score, text}"))?;
    for value in values {
        let cells = value.as_object().ok_or_else(|| row.wrong("values holds something that is no object"))?;
        let other = cells.keys().find(|key| *key != "name" && !PARTS.contains(&key.as_str()));
        if let Some(other) = other {
            return Err(
                row.wrong(format!("values has {other}, which would be lost: it has name, {}", PARTS.join(", ")))
            );
        }
        found.extend(object(row, cells, &id, given)?);
    }
    Ok(())
}

fn object(row: &Row, cells: &Map<String, Value>, id: &str, given: &Given) -> Result<Option<Judgement>, WriteError> {
    let name = match cells.get("name").filter(|name| !name.is_null()) {
        Some(name) => row.as_text("name", name)?,
        None => given.name.clone(),
    };
    let Some(name) = name else {
        return Err(row.wrong("no name: a column name, or --name, says what the judgement is called"));
    };
    let mut judgement = Judgement::new(id, given.kind, given.grain, &name);
    for part in PARTS {
        if let Some(value) = cells.get(part) {
            set(row, &mut judgement, part, part, value)?;
        }
    }
    let mut found = Vec::new();
    add(row, judgement, given, &mut found)?;
    Ok(found.pop())
}

fn set(row: &Row, judgement: &mut Judgement, part: &str, column: &str, value: &Value) -> Result<(), WriteError> {
    // A cell of a CSV file with nothing in it.
    if value.as_str().is_some_and(str::is_empty) && !row.typed && part != "text" && part != "explanation" {
        return Ok(());
    }
    match part {
        "label" => judgement.label = row.as_text(column, value)?.or(judgement.label.take()),
        "score" => judgement.score = row.as_score(column, value)?.or(judgement.score),
        "updated_by" => judgement.updated_by = row.as_text(column, value)?,
        "updated_at" => judgement.updated_at = row.as_millis(column, value)?,
        _ => judgement.text = row.as_text(column, value)?.or(judgement.text.take()),
    }
    Ok(())
}

fn add(row: &Row, judgement: Judgement, given: &Given, found: &mut Vec<Judgement>) -> Result<(), WriteError> {
    if judgement.says_something() {
        given.rules.judgement(&judgement, given.now).map_err(|reason| row.wrong(reason))?;
        found.push(judgement);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
