//! The JSON list of clauses that the REST API takes.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::value::RawValue;

use super::columns::{self, Op, Type};
use super::resolved_clause::{ResolvedClause, near, operator_unsupported, shown, too_many_terms};
use super::{Clause, Entity};
use crate::{FilterError, MAX_TERMS};

/// Reads a JSON list of clauses; `None` for an empty list.
///
/// The type follows from the column, as on the server; `key` and `value` may be missing. `is_empty` and `is_not_empty`
/// of dictionary keys, which only the server knows, are taken.
pub(super) fn read(text: &str, entity: Entity) -> Result<Option<Vec<ResolvedClause>>, FilterError> {
    let elements: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| {
        let place = offset_of(text, error.line(), error.column());
        FilterError::new("json-invalid", format!("the list of clauses is no JSON: {}", in_words(&error)))
            .at(text, place)
    })?;
    if let Some(beyond) = elements.get(MAX_TERMS) {
        return Err(too_many_terms(text, place_of(text, beyond.get())));
    }
    let clauses = elements.iter().enumerate().map(|(index, element)| clause(text, index + 1, element, entity));
    let clauses: Vec<ResolvedClause> = clauses.collect::<Result<_, _>>()?;
    Ok(Some(clauses).filter(|clauses| !clauses.is_empty()))
}

/// The message of an error without its position.
fn in_words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}

/// The place of a line and a column in bytes, both from 1.
fn offset_of(text: &str, line: usize, column: usize) -> Range<usize> {
    let start = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum::<usize>();
    let mut at = (start + column.saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at..at + text[at..].chars().next().map_or(0, char::len_utf8)
}

/// The place of a part that was borrowed from the text.
fn place_of(text: &str, part: &str) -> Range<usize> {
    let start = (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize).min(text.len());
    start..(start + part.len()).min(text.len())
}

struct Element<'a> {
    text: &'a str,
    number: usize,
    json: &'a str,
    members: BTreeMap<String, &'a RawValue>,
}

fn clause(text: &str, number: usize, element: &RawValue, entity: Entity) -> Result<ResolvedClause, FilterError> {
    let json = element.get();
    let members = serde_json::from_str(json).map_err(|_| {
        let what = format!("clause {number} is {}, expected an object", kind_of(json));
        FilterError::new("clause-invalid", what)
            .help(r#"write {"field": "name", "operator": "=", "value": "x"}"#)
            .at(text, place_of(text, json))
    })?;
    let element = Element { text, number, json, members };
    let (field, field_place) = element.needed("field")?;
    let (typed, operator) = element.needed("operator")?;
    let (key, key_place) = element.optional("key")?;
    let (value, value_place) = element.optional("value")?;
    let (given, _) = element.optional("type")?;
    let kind = columns::type_of(&field, entity);
    let mut operators = kind.unwrap_or(Type::String).operators().to_vec();
    if kind == Some(Type::Dictionary) {
        operators.extend([Op::IsEmpty, Op::IsNotEmpty]);
    }
    let Some(op) = Op::read(&typed).filter(|op| operators.contains(op)) else {
        return Err(operator_unsupported((text, operator), &typed, &field, &operators));
    };
    let known = kind.map(|kind| kind.name().to_owned());
    let kind_text =
        known.or(Some(given).filter(|given| !given.is_empty())).unwrap_or_else(|| Type::String.name().into());
    let value = if op.is_alone() { String::new() } else { value };
    let clause = Clause { field, key, kind: kind_text, operator: typed, value };
    Ok(ResolvedClause { clause, op, kind, field: field_place, key: key_place, operator, value: value_place })
}

impl Element<'_> {
    fn needed(&self, member: &str) -> Result<(String, Range<usize>), FilterError> {
        if self.is_there(member) {
            return self.optional(member);
        }
        let error = FilterError::new("clause-invalid", format!("clause {} has no {member}", self.number));
        let near = near(member, self.members.keys().map(String::as_str).filter(|name| !is_member(name)));
        let error = match near {
            Some(near) => error.help(format!("{} is not read", shown(near))),
            None => error,
        };
        Err(error.at(self.text, place_of(self.text, self.json)))
    }

    fn is_there(&self, member: &str) -> bool {
        self.members.get(member).is_some_and(|value| value.get() != "null")
    }

    /// The text of a member; the end of the element and no text where it is missing.
    fn optional(&self, member: &str) -> Result<(String, Range<usize>), FilterError> {
        let Some(value) = self.members.get(member).filter(|_| self.is_there(member)) else {
            return Ok((String::new(), place_of(self.text, self.json)));
        };
        let place = place_of(self.text, value.get());
        serde_json::from_str(value.get()).map(|text| (text, place.clone())).map_err(|_| {
            let what = format!("{member} of clause {} is {}, expected text", self.number, kind_of(value.get()));
            let error = FilterError::new("clause-invalid", what).at(self.text, place);
            let number = value.get().starts_with(|c: char| c.is_ascii_digit() || c == '-');
            if number { error.suggest(Some(format!("\"{}\"", shown(value.get())))) } else { error }
        })
    }
}

fn is_member(name: &str) -> bool {
    matches!(name, "field" | "key" | "type" | "operator" | "value")
}

/// What a JSON value is, in words.
fn kind_of(json: &str) -> &'static str {
    match json.as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "a list",
        Some(b'"') => "text",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}
