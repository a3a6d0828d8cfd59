//! From conditions to parameters, where that loses no span.

use arrow::datatypes::Schema;
use datafusion_expr::{BinaryExpr, Expr, Operator};

use super::parameters::{KINDS, NO_PARENT, Parameters, STATUSES, UNKNOWN, UNSET};
use crate::join::terms_in;
use crate::simple::{Kind, Operand, Simple, Value, is_only_text};
use crate::{MAX_BYTES, Translated, columns, with_stack};
use spanql_model::columns::{
    Content, KIND, METADATA_PREFIX, NAME, PARENT_ID, REST, SPAN_ID, STATUS_CODE, TRACE_ID, canonical,
};

/// The longest value of an attribute that is said, in bytes: it becomes part of a URL.
const MAX_VALUE: usize = 4 << 10;

/// Says conditions over rows of this schema as parameters; what the search might miss is not said.
pub fn print(conditions: &[Expr], schema: &Schema) -> Translated<Parameters> {
    with_stack(|| {
        let mut said = Parameters::default();
        let mut rest = vec![];
        for term in conditions.iter().flat_map(|condition| terms_in(condition, Operator::And)) {
            if !say(&mut said, term, schema) {
                rest.push(term.clone());
            }
        }
        Translated { translated: (said != Parameters::default()).then_some(said), rest }
    })
}

/// Says a term of AND as well as it can be; whether nothing is left to check.
fn say(said: &mut Parameters, term: &Expr, schema: &Schema) -> bool {
    if Simple::of(term, schema) == Some(Simple::Constant(Some(true))) {
        return true;
    }
    let names = columns(term);
    let Some(name) = names.first().filter(|_| names.len() == 1) else { return false };
    match name.as_str() {
        KIND => return say_words(&mut said.span_kind, term, schema, &KIND_WORDS),
        STATUS_CODE => return say_words(&mut said.status_code, term, schema, &STATUS_WORDS),
        PARENT_ID => {
            let parent = match (Simple::of(term, schema), equalities(term, schema)) {
                (Some(Simple::Null { column, negated: false }), _) if column.name == PARENT_ID => NO_PARENT,
                (_, Some((column, values))) => match values.as_slice() {
                    [Value::Text(parent)] if column.name == PARENT_ID && is_id(parent) && *parent != NO_PARENT => {
                        parent
                    }
                    _ => return false,
                },
                _ => return false,
            };
            let free = said.parent_id.is_none();
            said.parent_id.get_or_insert_with(|| parent.to_owned());
            return free || said.parent_id.as_deref() == Some(parent);
        }
        _ => {}
    }
    let Some((column, values)) = equalities(term, schema) else { return false };
    match column.name {
        TRACE_ID => say_texts(&mut said.trace_id, &values, is_id),
        SPAN_ID => say_texts(&mut said.span_id, &values, is_id),
        NAME => say_texts(&mut said.name, &values, |name| !name.contains('\0')),
        _ => match (values.as_slice(), key(column, schema)) {
            ([value], Some(key)) => say_attribute(&mut said.attribute, key, column, *value),
            _ => false,
        },
    }
}

fn is_id(text: &str) -> bool {
    !text.is_empty() && !text.contains('\0')
}

/// Says texts of which one must be there; a second list would add to the first.
fn say_texts(said: &mut Vec<String>, values: &[Value<'_>], sayable: fn(&str) -> bool) -> bool {
    let texts = values.iter().map(|value| match value {
        Value::Text(text) if sayable(text) => Some((*text).to_owned()),
        _ => None,
    });
    let Some(texts) = texts.collect::<Option<Vec<_>>>() else { return false };
    if !said.is_empty() || texts.iter().map(String::len).sum::<usize>() > MAX_BYTES {
        return *said == texts;
    }
    *said = texts;
    true
}

/// The key of the column's attribute, if the search finds what is there.
fn key<'a>(column: Operand<'a>, schema: &Schema) -> Option<&'a str> {
    let key = column.name.strip_prefix("attributes.")?;
    let plain = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let scalar = canonical(column.name).is_none_or(|known| known.content == Content::Scalar);
    // Metadata may be one text there; a key under another key that has a value itself is not found.
    let hidden = column.name.starts_with(METADATA_PREFIX)
        || column.name == REST
        || key.match_indices('.').any(|(at, _)| {
            let parent = &column.name[..column.name.len() - key.len() + at];
            // The other lookup writes an error that lists all names, for each dot there is.
            schema.fields().find(parent).is_some()
        });
    (column.stored && scalar && !hidden && key.split('.').all(plain)).then_some(key)
}

/// Says that an attribute has a text that is nothing but text.
///
/// A number or a boolean is not said, whatever the column: what it came as, a source may have written as text, which
/// is found here, and not there.
fn say_attribute(said: &mut Vec<String>, key: &str, column: Operand<'_>, value: Value<'_>) -> bool {
    let (Kind::Text, Value::Text(text)) = (column.kind, value) else { return false };
    let found = text.bytes().all(|byte| (1..0x7f).contains(&byte));
    if !found || !is_only_text(text) || text.len() > MAX_VALUE {
        return false;
    }
    let pair = format!("{key}:{}", serde_json::Value::from(text));
    if !said.contains(&pair) {
        said.push(pair);
    }
    true
}

/// A column, and values of which it must have one: from `=`, IN, and OR of such on the same column.
fn equalities<'a>(term: &'a Expr, schema: &Schema) -> Option<(Operand<'a>, Vec<Value<'a>>)> {
    let mut found: Option<(Operand<'a>, Vec<Value<'a>>)> = None;
    for side in terms_in(term, Operator::Or) {
        let (column, values) = match Simple::of(side, schema)? {
            Simple::Compare(column, Operator::Eq, value) => (column, vec![value]),
            Simple::In { column, values, negated: false } => (column, values),
            _ => return None,
        };
        // Nothing equals null.
        let values = values.into_iter().filter(|value| *value != Value::Null);
        match &mut found {
            Some((known, all)) if known.name == column.name => all.extend(values),
            Some(_) => return None,
            None => found = Some((column, values.collect())),
        }
    }
    found.filter(|(_, values)| !values.is_empty())
}

/// The values that the search tells apart in a column.
struct Words {
    known: &'static [&'static str],
    /// The one that anything else is, and null.
    other: &'static str,
    /// Whether a span that it sends has one of them and nothing else.
    closed: bool,
}

const KIND_WORDS: Words = Words { known: &KINDS, other: UNKNOWN, closed: false };
const STATUS_WORDS: Words = Words { known: &STATUSES, other: UNSET, closed: true };
/// The most texts that a condition on such a column may have.
const MAX_LITERALS: usize = 200;

/// Says which of the words a condition on their column lets through, whatever its form.
fn say_words(said: &mut Vec<String>, term: &Expr, schema: &Schema, words: &Words) -> bool {
    // No text that a condition has is like this one.
    let mut values: Vec<Option<&str>> = vec![None, Some("\u{1}anything else")];
    values.extend(words.known.iter().map(|word| Some(*word)));
    let literals = literals(term, schema);
    if literals.len() > MAX_LITERALS {
        return false;
    }
    values.extend(literals.into_iter().map(Some));
    let mut through: Vec<&str> = vec![];
    let mut kept_out: Vec<&str> = vec![];
    for value in values {
        let Some(truth) = truth(term, value, schema) else { return false };
        let same = |word: &&&str| value.is_some_and(|value| word.eq_ignore_ascii_case(value));
        let word = words.known.iter().find(same).copied().unwrap_or(words.other);
        if truth == Some(true) {
            through.push(word);
        } else if !words.closed || value == Some(word) {
            kept_out.push(word);
        }
    }
    let asked: Vec<String> =
        words.known.iter().filter(|word| through.contains(*word)).map(|word| (*word).to_owned()).collect();
    if asked.len() == words.known.len() {
        return kept_out.is_empty();
    }
    if asked.is_empty() || (!said.is_empty() && *said != asked) {
        return false;
    }
    let exact = !asked.iter().any(|word| kept_out.contains(&word.as_str()));
    *said = asked;
    exact
}

/// The texts in a condition.
fn literals<'a>(term: &'a Expr, schema: &Schema) -> Vec<&'a str> {
    let text = |value: Value<'a>| match value {
        Value::Text(text) => Some(text),
        _ => None,
    };
    match term {
        Expr::BinaryExpr(BinaryExpr { op: op @ (Operator::And | Operator::Or), .. }) => {
            terms_in(term, *op).into_iter().flat_map(|side| literals(side, schema)).collect()
        }
        Expr::Not(inner) => literals(inner, schema),
        other => match Simple::of(other, schema) {
            Some(Simple::Compare(_, _, value)) => text(value).into_iter().collect(),
            Some(Simple::In { values, .. }) => values.into_iter().filter_map(text).collect(),
            _ => vec![],
        },
    }
}

/// Whether a condition holds for a value of its one column; `None` when that cannot be told.
fn truth(term: &Expr, value: Option<&str>, schema: &Schema) -> Option<Option<bool>> {
    let equals = |other: &Value<'_>| match other {
        Value::Text(text) => Some(value.map(|value| value == *text)),
        Value::Null => Some(None),
        _ => None,
    };
    match term {
        Expr::BinaryExpr(BinaryExpr { op: op @ (Operator::And | Operator::Or), .. }) => {
            let sides = terms_in(term, *op).into_iter().map(|side| truth(side, value, schema));
            Some(any_of(sides.collect::<Option<Vec<_>>>()?.into_iter(), *op == Operator::Or))
        }
        Expr::Not(inner) => truth(inner, value, schema).map(|truth| truth.map(|truth| !truth)),
        other => match Simple::of(other, schema)? {
            Simple::Constant(truth) => Some(truth),
            Simple::Compare(_, Operator::Eq, other) => equals(&other),
            Simple::Compare(_, Operator::NotEq, other) => equals(&other).map(|truth| truth.map(|truth| !truth)),
            Simple::In { values, negated, .. } => {
                let each = values.iter().map(equals).collect::<Option<Vec<_>>>()?;
                Some(any_of(each.into_iter(), true).map(|found| found != negated))
            }
            Simple::Null { negated, .. } => Some(Some(value.is_none() != negated)),
            _ => None,
        },
    }
}

/// Whether any is true, or all are not false: unknown when that depends on unknown ones.
fn any_of(each: impl Iterator<Item = Option<bool>>, decides: bool) -> Option<bool> {
    let mut all = Some(!decides);
    for truth in each {
        match truth {
            Some(truth) if truth == decides => return Some(decides),
            None => all = None,
            _ => {}
        }
    }
    all
}
