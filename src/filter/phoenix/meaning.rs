//! What the parameters mean over the columns of a span.

use arrow::datatypes::DataType;
use datafusion_expr::{Expr, ident, lit};

use super::parameters::{KINDS, NO_PARENT, Parameters, STATUSES, UNKNOWN};
use crate::{Filter, FilterError, MAX_TERMS, Names, all_of};
use spanql_model::columns::{Content, KIND, NAME, PARENT_ID, SPAN_ID, STATUS_CODE, TRACE_ID, canonical};
use spanql_model::json::{compact_list, compact_object};
use spanql_model::nearest::nearest;

/// The condition that the parameters mean.
///
/// A number or a boolean as the value of `attribute` is found however its column came to be typed, as text too: which
/// of its sources wrote text is not known here. A text is found as that text, and where the column has numbers or
/// booleans, as the one that is written so.
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
    /// An integer beyond 64 bits, by its digits.
    Long(String),
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
            let digits = number.strip_prefix('-').unwrap_or(number);
            if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0') {
                return Some(Self::Long(number.to_owned()));
            }
            // A number beyond all floats is one for other readers.
            let digits = digits.starts_with(|c: char| c.is_ascii_digit());
            return Some(match number.parse::<f64>() {
                Ok(number) if digits && number.is_infinite() => Self::Nothing,
                _ => Self::Text(value.to_owned()),
            });
        };
        Some(match json {
            serde_json::Value::String(text) => Self::Text(text),
            serde_json::Value::Bool(flag) => Self::Boolean(flag),
            serde_json::Value::Number(_) if !number.contains(['.', 'e', 'E']) => {
                number.parse().map_or_else(|_| Self::Long(number.to_owned()), Self::Integer)
            }
            serde_json::Value::Number(number) => number.as_f64().map_or(Self::Nothing, Self::Float),
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
    Ok(match (&named.data_type, wanted) {
        (_, Wanted::Nothing) => lit(false),
        (DataType::Utf8, Wanted::Text(text)) => text_is(&named.column, text),
        (DataType::Utf8, Wanted::Boolean(flag)) => column().eq(lit(flag)),
        // The text is read as a number where it is compared; beside an integer, no digit of it is lost.
        (DataType::Utf8, number @ (Wanted::Integer(_) | Wanted::Float(_))) => match number.integer() {
            Some(integer) => column().eq(lit(integer)),
            None => number.float().map_or(lit(false), |float| column().eq(lit(float))),
        },
        // No number that is compared has so many digits.
        (DataType::Utf8, Wanted::Long(digits)) => column().eq(lit(digits)),
        (DataType::Boolean, Wanted::Boolean(flag)) => column().eq(lit(flag)),
        (DataType::Boolean, Wanted::Text(text)) => {
            text.parse::<bool>().map_or(lit(false), |flag| column().eq(lit(flag)))
        }
        (DataType::Int64, wanted) => wanted.integer().map_or(lit(false), |number| column().eq(lit(number))),
        (DataType::Float64, wanted) => wanted.float().map_or(lit(false), |number| column().eq(lit(number))),
        _ => lit(false),
    })
}

impl Wanted {
    /// The integer that it is.
    fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            // In range, and whole.
            Self::Float(number) if number.fract() == 0.0 && number.abs() < BEYOND => Some(*number as i64),
            Self::Text(text) => text.parse().ok().filter(|number: &i64| number.to_string() == *text),
            _ => None,
        }
    }

    /// The float that it is, none near it.
    fn float(&self) -> Option<f64> {
        let number = match self {
            Self::Float(number) => Some(*number),
            Self::Integer(number) => float_of(&number.to_string()),
            Self::Long(digits) => float_of(digits),
            Self::Text(text) => match serde_json::from_str(text).ok()? {
                // As some source may have written it.
                serde_json::Value::Number(number) if text.contains(['.', 'e', 'E']) => number.as_f64(),
                serde_json::Value::Number(_) => float_of(text),
                _ => None,
            },
            Self::Boolean(_) | Self::Nothing => None,
        };
        // Zeros of both signs are one number.
        number.map(|number| number + 0.0)
    }
}

/// Floats of this magnitude are no integers of 64 bits.
const BEYOND: f64 = 9_223_372_036_854_775_808.0;

/// The float that an integer is exactly.
fn float_of(digits: &str) -> Option<f64> {
    let number: f64 = digits.parse().ok()?;
    (format!("{number:.0}") == digits || digits == "-0").then_some(number)
}

/// Whether a column of texts has this one, in the form that the column has it.
fn text_is(column: &str, text: String) -> Expr {
    let kept = match canonical(column) {
        _ if column == KIND => Some(text.to_uppercase()),
        Some(known) if known.content == Content::JsonList => compact_list(&text),
        Some(known) if known.content == Content::JsonObject => compact_object(&text),
        Some(_) => None,
        None => compact_object(&text),
    };
    match kept.filter(|kept| *kept != text) {
        Some(kept) => ident(column).in_list(vec![lit(text), lit(kept)], false),
        None => ident(column).eq(lit(text)),
    }
}
