//! From conditions to what a remote may be asked whose semantics nobody has confirmed.

use std::collections::HashSet;

use arrow::datatypes::Schema;
use datafusion_expr::{Between, Expr, Operator};

use super::ask::{Ask, Constant, all, any};
use crate::join::terms_in;
use crate::simple::{Kind, Operand, Simple, Value, WORDS, is_only_text};
use crate::{MAX_BYTES, with_stack};
use spanql_model::columns::{self, Content, canonical};
use spanql_model::derived::{derived_list, indexed};
use spanql_model::ids;

/// Beyond this, integers that differ may be the same number to a remote that computes with floats.
const EXACT: i64 = 1 << 53;
/// The largest magnitude of a number with a fraction that is said.
const LARGEST: f64 = 1e15;
/// The longest number that is said, in digits.
const MAX_DIGITS: usize = 32;

/// Says of conditions what a remote may be asked whose semantics nobody has confirmed: it lets through all that they
/// do, whatever the remote makes of case, of text against numbers, or of rounded times.
///
/// `None` when that is every row. The text is at most [`MAX_BYTES`] long.
pub fn narrow(conditions: &[Expr], schema: &Schema) -> Option<String> {
    let mut said = HashSet::new();
    let mut each: Vec<String> = asked(conditions, schema)
        .iter()
        .map(|ask| ask.to_string())
        .filter(|text| text.len() <= MAX_BYTES && said.insert(text.clone()))
        .collect();
    const AND: &str = " AND ";
    let mut bytes: usize = each.iter().map(|text| text.len() + AND.len()).sum();
    let mut by_length: Vec<usize> = (0..each.len()).collect();
    by_length.sort_by_key(|&index| each[index].len());
    while let Some(longest) = by_length.pop().filter(|_| bytes > MAX_BYTES) {
        bytes -= std::mem::take(&mut each[longest]).len() + AND.len();
    }
    each.retain(|text| !text.is_empty());
    (!each.is_empty()).then(|| each.join(AND))
}

/// What is asked of a row: each of these holds.
fn asked(conditions: &[Expr], schema: &Schema) -> Vec<Ask> {
    with_stack(|| {
        let terms = conditions.iter().flat_map(|condition| terms_in(condition, Operator::And));
        let asks = terms.filter_map(|term| ask(term, schema)).flat_map(|ask| match ask {
            Ask::All(asks) => asks,
            // No row fulfils it, which the language has no word for.
            Ask::Never => vec![],
            ask => vec![ask],
        });
        asks.collect()
    })
}

/// What is asked so that no row is lost that fulfils the condition; `None` when that is nothing.
fn ask(expr: &Expr, schema: &Schema) -> Option<Ask> {
    let simple = match expr {
        Expr::BinaryExpr(binary) if binary.op == Operator::And => {
            let sides = terms_in(expr, Operator::And);
            return all(sides.into_iter().filter_map(|side| ask(side, schema)).collect());
        }
        Expr::BinaryExpr(binary) if binary.op == Operator::Or => {
            let sides = terms_in(expr, Operator::Or);
            return Some(any(sides.into_iter().map(|side| ask(side, schema)).collect::<Option<_>>()?));
        }
        Expr::IsTrue(inner) => return ask(inner, schema),
        Expr::IsFalse(inner) => {
            let column = Operand::of(inner, schema).filter(|column| column.kind == Kind::Boolean)?;
            return compare(column, Operator::Eq, Value::Boolean(false));
        }
        Expr::Between(Between { expr, negated: false, low, high }) => {
            let column = Operand::of(expr, schema)?.among([low.as_ref(), high.as_ref()]);
            let bounds = [(Operator::GtEq, low), (Operator::LtEq, high)];
            let sides =
                bounds.into_iter().filter_map(|(op, bound)| compare(column, op, column.meets(Value::of(bound)?)));
            return all(sides.collect());
        }
        other => Simple::of(other, schema)?,
    };
    match simple {
        Simple::Constant(Some(true)) => None,
        Simple::Constant(_) => Some(Ask::Never),
        Simple::Compare(column, op, value) => compare(column, op, value),
        Simple::In { column, values, negated: false } => {
            Some(any(values.into_iter().map(|value| compare(column, Operator::Eq, value)).collect::<Option<_>>()?))
        }
        Simple::In { negated: true, .. } => None,
        Simple::Contains(_, Value::Null) => Some(Ask::Never),
        Simple::Contains(column, Value::Text(part)) => contains(column, part),
        Simple::Contains(..) => None,
        Simple::Null { column, negated } => null(column, negated),
    }
}

/// What a column's text at a remote may be, seen from its text here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    /// The same; where an empty one there is null here, so that both are asked for.
    Plain { empty_is_null: bool },
    /// Maybe JSON, or the text of a number: what reads like that may be written differently.
    Open,
    /// JSON, written differently.
    Json,
}

/// A column whose values at a remote are the same as here; `None` for those that are computed here.
fn text_of(column: Operand<'_>) -> Option<Text> {
    use columns::{METADATA_PREFIX, NOTES, PARENT_ID, SESSION_ID, SPAN_ID, STATUS_CODE, TRACE_ID, USER_ID};
    if !is_sent(column) {
        return None;
    }
    let column = column.name;
    Some(match canonical(column) {
        Some(known) if known.content != Content::Scalar => Text::Json,
        Some(_) => {
            let empty_is_null = [TRACE_ID, SPAN_ID, PARENT_ID, STATUS_CODE, SESSION_ID, USER_ID];
            Text::Plain { empty_is_null: empty_is_null.contains(&column) }
        }
        None if column == NOTES => Text::Json,
        None if column.starts_with(METADATA_PREFIX) || column.starts_with("attributes.") => Text::Open,
        None => Text::Plain { empty_is_null: false },
    })
}

/// Whether a remote has a column of this name that holds what it holds here.
fn is_sent(column: Operand<'_>) -> bool {
    use columns::{END_TIME, PROJECT, REST, SOURCE, START_TIME};
    let Operand { name: column, stored, .. } = column;
    let computed = !stored
        || [PROJECT, SOURCE, START_TIME, END_TIME, REST].contains(&column)
        || column.starts_with("tree.")
        || derived_list(column).is_some()
        || indexed(column).is_some();
    !computed && is_sayable(column)
}

/// Whether a text can stand in quotes, whatever a remote makes of backslashes in them.
pub fn is_sayable(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() || c == '\\')
}

fn null(column: Operand<'_>, negated: bool) -> Option<Ask> {
    let name = column.name.to_owned();
    if negated {
        let computed = [columns::EVENT_ATTRIBUTES, columns::LATENCY_MS].contains(&column.name);
        // A key of the metadata with a list or an object is there here, and maybe not to a remote.
        let known = is_sent(column) && !computed && text_of(column) != Some(Text::Json) && !is_key(column.name);
        return known.then_some(Ask::IsNotNull(name));
    }
    // Numbers that are none (NaN) are null here; so are keys of metadata that hold an object.
    match (column.kind, text_of(column)?) {
        (Kind::Text, Text::Plain { empty_is_null: true }) => {
            let mut none = vec![String::new()];
            let mut asks = vec![Ask::IsNull(name.clone())];
            if name == columns::PARENT_ID {
                // Zeros are no parent, however many: an id that holds four together has few others beside it.
                let zeros = "000";
                let few = ["", "0x", "0X"].into_iter();
                none.extend(few.flat_map(|prefix| (1..=zeros.len()).map(move |n| format!("{prefix}{}", &zeros[..n]))));
                asks.push(Ask::Contains(name.clone(), "0000".to_owned()));
            }
            asks.insert(1, Ask::OneOf(name, none.into_iter().map(Constant::Text).collect()));
            Some(Ask::Any(asks))
        }
        (Kind::Text, Text::Open) if ids::is_of_whom(&name) => {
            let empty = Ask::OneOf(name.clone(), vec![Constant::Text(String::new())]);
            Some(Ask::Any(vec![Ask::IsNull(name), empty]))
        }
        (Kind::Text, Text::Plain { .. }) => Some(Ask::IsNull(name)),
        (Kind::Text, Text::Open) if !is_key(&name) => Some(Ask::IsNull(name)),
        _ => None,
    }
}

/// Whether it is a key of the metadata.
fn is_key(name: &str) -> bool {
    name.starts_with(columns::METADATA_PREFIX)
}

fn contains(column: Operand<'_>, part: &str) -> Option<Ask> {
    if column.kind != Kind::Text || is_key(column.name) {
        return None;
    }
    let part = match text_of(column)? {
        Text::Plain { .. } => part,
        // Blanks at an end may stand between the tokens of JSON.
        Text::Open => Some(part.trim_matches(' '))
            .filter(|part| is_within_json_text(part) && !WORDS.iter().any(|word| is_in(word, part)))?,
        // NaN, which some write, is null here.
        Text::Json => Some(part.trim_matches(' ')).filter(|part| is_within_json_text(part) && !is_in("null", part))?,
    };
    (!part.is_empty() && is_sayable(part)).then(|| Ask::Contains(column.name.to_owned(), part.to_owned()))
}

/// Whether a text is found in JSON within a string, a name or a word only, so that it is found however that is written.
fn is_within_json_text(part: &str) -> bool {
    part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'_' | b'-'))
        && part.bytes().any(|byte| byte.is_ascii_alphabetic() && !matches!(byte, b'e' | b'E'))
}

fn is_in(word: &str, part: &str) -> bool {
    word.contains(&part.to_ascii_lowercase())
}

fn compare(column: Operand<'_>, op: Operator, value: Value<'_>) -> Option<Ask> {
    if value == Value::Null {
        return Some(Ask::Never);
    }
    if !is_sent(column) || op == Operator::NotEq {
        return None;
    }
    match (column.kind, value) {
        (Kind::Text, Value::Text(text)) => {
            let same = match text_of(column)? {
                Text::Plain { .. } => true,
                Text::Open => is_only_text(text),
                Text::Json => false,
            };
            (op == Operator::Eq && same && is_sayable(text))
                .then(|| Ask::OneOf(column.name.to_owned(), vec![Constant::Text(text.to_owned())]))
        }
        (Kind::Boolean, Value::Boolean(flag)) => {
            (op == Operator::Eq).then(|| Ask::OneOf(column.name.to_owned(), vec![Constant::Boolean(flag)]))
        }
        (Kind::Integer, Value::Integer(number)) => integer(column.name, op, number),
        (Kind::Integer, Value::Float(number)) => between_integers(column.name, op, number),
        (Kind::Float, Value::Integer(number)) => float(column.name, op, number as f64),
        (Kind::Float, Value::Float(number)) => float(column.name, op, number),
        _ => None,
    }
}

/// The same comparison, or the one that equal values pass as well.
fn said(column: &str, op: Operator, value: Constant, widened: bool) -> Option<Ask> {
    let op = match op {
        Operator::Lt if widened => Operator::LtEq,
        Operator::Gt if widened => Operator::GtEq,
        op => op,
    };
    match op {
        Operator::Eq => Some(Ask::OneOf(column.to_owned(), vec![value])),
        Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq => Some(Ask::Order(column.to_owned(), op, value)),
        _ => None,
    }
}

fn integer(column: &str, op: Operator, number: i64) -> Option<Ask> {
    // Its digits alone are no integer of 64 bits.
    if number == i64::MIN {
        return None;
    }
    said(column, op, Constant::Integer(number), number.abs() >= EXACT)
}

/// A column of integers against a number with a fraction, as a comparison with an integer.
fn between_integers(column: &str, op: Operator, number: f64) -> Option<Ask> {
    // Here both sides are floats then, and integers beyond are rounded.
    if number.abs() >= EXACT as f64 || number.is_nan() {
        return None;
    }
    let bound = match op {
        Operator::Gt | Operator::LtEq => number.floor(),
        Operator::GtEq | Operator::Lt => number.ceil(),
        Operator::Eq if number.fract() != 0.0 => return Some(Ask::Never),
        _ => number,
    };
    // In range, and without a fraction by now.
    said(column, op, Constant::Integer(bound as i64), false)
}

fn float(column: &str, op: Operator, number: f64) -> Option<Ask> {
    if !number.is_finite() || number.abs() > LARGEST {
        return None;
    }
    if column == columns::LATENCY_MS {
        // A remote may keep whole milliseconds, rounded in any direction.
        let low = || said(column, Operator::GtEq, Constant::Integer(number.floor() as i64), false);
        let high = || said(column, Operator::LtEq, Constant::Integer(number.ceil() as i64), false);
        return match op {
            Operator::Gt | Operator::GtEq => low(),
            Operator::Lt | Operator::LtEq => high(),
            Operator::Eq => Some(Ask::All(vec![low()?, high()?])),
            _ => None,
        };
    }
    // Zeros of both signs are one number.
    let number = if number == 0.0 { 0.0 } else { number };
    if number.to_string().len() > MAX_DIGITS {
        return None;
    }
    said(column, op, Constant::Float(number), false)
}

#[cfg(test)]
mod tests;
