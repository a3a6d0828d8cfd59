//! What the parameters mean over the columns of a span.

use arrow::datatypes::DataType;
use datafusion::logical_expr::{Expr, ident, lit};

use super::{KINDS, NO_PARENT, Parameters, STATUSES, UNKNOWN};
use crate::filter::{Filter, FilterError, MAX_TERMS, Names, all_of};
use crate::model::columns::{Content, KIND, NAME, PARENT_ID, SPAN_ID, STATUS_CODE, TRACE_ID, canonical};
use crate::model::derived::indexed;
use crate::model::json::{compact_list, compact_object};
use crate::model::nearest::nearest;

/// The condition that the parameters mean.
///
/// A value of `attribute` has a type, and matches columns of that type alone: `5` no text, `"5"` no number, `5.0` no
/// integer.
///
/// # Errors
/// When there is no such kind or status, an attribute is not `key:value` with a value that is no list, object or null,
/// or no span has the attribute and the names do not let that pass.
pub fn parse(parameters: &Parameters, names: &Names<'_>) -> Result<Filter, FilterError> {
    let Parameters { span_kind, status_code, name, trace_id, span_id, attribute, parent_id } = parameters;
    if attribute.len() > MAX_TERMS {
        return Err(FilterError::new("limit", format!("too many attributes: the limit is {MAX_TERMS}")));
    }
    let mut conditions = vec![];
    let mut notes = vec![];
    if !span_kind.is_empty() {
        let kinds = span_kind.iter().map(|kind| known("span kind", kind, &KINDS)).collect::<Result<Vec<_>, _>>()?;
        conditions.push(of_kinds(kinds));
    }
    if !status_code.is_empty() {
        let codes = status_code.iter().map(|code| known("status code", code, &STATUSES));
        conditions.extend(one_of(STATUS_CODE, codes.collect::<Result<Vec<_>, _>>()?));
    }
    for (column, values) in [(NAME, name), (TRACE_ID, trace_id), (SPAN_ID, span_id)] {
        conditions.extend(one_of(column, values.iter().map(String::as_str).collect()));
    }
    conditions.extend(parent_id.as_deref().map(|parent| match parent {
        NO_PARENT => ident(PARENT_ID).is_null(),
        parent => ident(PARENT_ID).eq(lit(parent)),
    }));
    for attribute in attribute {
        conditions.push(self::attribute(attribute, names, &mut notes)?);
    }
    Ok(Filter { expr: all_of(conditions), notes })
}

/// The word that a value is but for case.
fn known(what: &str, value: &str, words: &[&'static str]) -> Result<&'static str, FilterError> {
    words.iter().find(|word| word.eq_ignore_ascii_case(value)).copied().ok_or_else(|| {
        let shown: String = value.chars().take(60).collect();
        let error = FilterError::new("unknown-value", format!("unknown {what} '{shown}'"));
        match nearest(value, words.iter().copied()) {
            Some(near) => error.suggest(Some(near)),
            None => error.help(format!("known are {}", words.join(", "))),
        }
    })
}

/// Whether a column is one of these; nothing to check when there are none.
fn one_of(column: &str, mut values: Vec<&str>) -> Option<Expr> {
    values.dedup();
    match values.as_slice() {
        [] => None,
        [value] => Some(ident(column).eq(lit(*value))),
        values => Some(ident(column).in_list(values.iter().map(|value| lit(*value)).collect(), false)),
    }
}

/// A span without a kind, and one of a kind that is not known, are of the unknown one.
fn of_kinds(kinds: Vec<&'static str>) -> Expr {
    if !kinds.contains(&UNKNOWN) {
        return one_of(KIND, kinds).unwrap_or_else(|| lit(true));
    }
    let others: Vec<Expr> = KINDS.iter().filter(|kind| !kinds.contains(kind)).map(|kind| lit(*kind)).collect();
    if others.is_empty() {
        return lit(true);
    }
    ident(KIND).is_null().or(ident(KIND).in_list(others, true))
}

/// What stands behind the colon.
#[derive(Debug, Clone, PartialEq)]
enum Wanted {
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    /// A number that nothing equals.
    Nothing,
}

impl Wanted {
    /// Reads JSON; what is no JSON is text.
    fn read(value: &str) -> Option<Self> {
        let number = value.trim_matches([' ', '\t', '\n', '\r']);
        if matches!(number, "NaN" | "Infinity" | "-Infinity") {
            return Some(Self::Nothing);
        }
        let Ok(json) = serde_json::from_str::<serde_json::Value>(value) else {
            // A number beyond all floats is one for other readers.
            let digits = number.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit());
            return Some(match number.parse::<f64>() {
                Ok(number) if digits && number.is_infinite() => Self::Nothing,
                _ => Self::Text(value.to_owned()),
            });
        };
        Some(match json {
            serde_json::Value::String(text) => Self::Text(text),
            serde_json::Value::Bool(flag) => Self::Boolean(flag),
            serde_json::Value::Number(_) if !number.contains(['.', 'e', 'E']) => {
                number.parse().map_or(Self::Nothing, Self::Integer)
            }
            serde_json::Value::Number(number) => match number.as_f64() {
                Some(number) if number != 0.0 || number.is_sign_positive() => Self::Float(number),
                _ => Self::Nothing,
            },
            _ => return None,
        })
    }
}

fn attribute(pair: &str, names: &Names<'_>, notes: &mut Vec<String>) -> Result<Expr, FilterError> {
    let wrong = |what: &str| {
        let shown: String = pair.chars().take(60).collect();
        FilterError::new("bad-attribute", format!("attribute '{shown}': {what}"))
    };
    const FORM: &str = "write it like llm.model_name:gpt-4o";
    let (key, value) = pair.split_once(':').ok_or_else(|| wrong("expected key:value").help(FORM))?;
    if key.is_empty() || value.is_empty() {
        let what = if key.is_empty() { "the key is empty" } else { "the value is empty" };
        return Err(wrong(what).help(if key.is_empty() { FORM } else { "an empty text is \"\"" }));
    }
    let wanted = Wanted::read(value).ok_or_else(|| {
        wrong("the value is null, a list or an object").help("a text that looks like one stands in double quotes")
    })?;
    let named = names.find(&format!("attributes.{key}"))?;
    notes.extend(named.note.filter(|note| !notes.contains(note)));
    if named.list {
        return Ok(lit(false));
    }
    let column = || ident(&named.column);
    // What is taken out of JSON is text, whatever it was; and of a key that nobody knows the value says the type.
    let any_type = indexed(&named.column).is_some() || !named.known;
    Ok(match (&named.data_type, wanted) {
        (DataType::Utf8, Wanted::Text(text)) => text_is(&named.column, text),
        (DataType::Boolean, Wanted::Boolean(flag)) => column().eq(lit(flag)),
        (DataType::Utf8, Wanted::Boolean(flag)) if any_type => column().eq(lit(flag)),
        (DataType::Int64, Wanted::Integer(number)) => column().eq(lit(number)),
        (DataType::Float64, Wanted::Integer(number)) => column().eq(lit(number as f64)),
        (DataType::Utf8, Wanted::Integer(number)) if any_type => column().eq(lit(number)),
        (DataType::Float64, Wanted::Float(number)) => column().eq(lit(number)),
        (DataType::Utf8, Wanted::Float(number)) if any_type => column().eq(lit(number)),
        _ => lit(false),
    })
}

/// Whether a column of texts has this one, in the form that the column has it.
fn text_is(column: &str, text: String) -> Expr {
    let kept = match canonical(column) {
        _ if column == KIND => Some(text.to_uppercase()),
        Some(known) if known.content == Content::JsonList => compact_list(&text),
        Some(known) if known.content == Content::JsonObject => compact_object(&text),
        _ => None,
    };
    match kept.filter(|kept| *kept != text) {
        Some(kept) => ident(column).in_list(vec![lit(text), lit(kept)], false),
        None => ident(column).eq(lit(text)),
    }
}
