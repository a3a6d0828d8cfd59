//! Clauses with their places in the text, and what is said of wrong ones.

use std::ops::Range;

use super::Clause;
use super::columns::{Op, Type};
use crate::{FilterError, MAX_TERMS};
use spanql_model::nearest::nearest;

/// A clause and where its parts stand in the filter's text, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ResolvedClause {
    pub(super) clause: Clause,
    pub(super) op: Op,
    /// The column's type; `None` when the entity has no such column.
    pub(super) kind: Option<Type>,
    pub(super) field: Range<usize>,
    pub(super) key: Range<usize>,
    pub(super) operator: Range<usize>,
    pub(super) value: Range<usize>,
}

/// The error for more clauses than a filter may have.
pub(super) fn too_many_terms(text: &str, place: Range<usize>) -> FilterError {
    FilterError::new("too-many-terms", format!("a filter has at most {MAX_TERMS} clauses")).at(text, place)
}

/// The nearest name, where the text is short enough to be a name at all.
pub(super) fn near<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if typed.len() <= 80 { nearest(typed, known) } else { None }
}

/// A part of the text to be shown in a message, not too long.
pub(super) fn shown(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The error for an operator that a column does not take.
pub(super) fn operator_unsupported(
    (text, place): (&str, Range<usize>),
    typed: &str,
    column: &str,
    operators: &[Op],
) -> FilterError {
    let known: Vec<&str> = operators.iter().map(|op| op.text()).collect();
    let what = if Op::read(typed).is_some() {
        format!("{} does not take the operator {typed}", shown(column))
    } else {
        format!("expected an operator, found {}", shown(typed))
    };
    let error = FilterError::new("operator-unsupported", what).at(text, place);
    if Op::read(typed).is_some() {
        return error.help(format!("it takes {}", known.join(" ")));
    }
    if matches!(typed, "!" | "<>" | "≠") && known.contains(&"!=") {
        return error.suggest(Some("!="));
    }
    let glued = known.iter().filter(|op| typed.len() > op.len() && typed.to_ascii_lowercase().starts_with(**op));
    if let Some(op) = glued.max_by_key(|op| op.len()) {
        return error.help(format!("write a blank behind {op}"));
    }
    let lower = typed.to_ascii_lowercase();
    if known.contains(&lower.as_str()) {
        return error.suggest(Some(lower));
    }
    let error = error.help(format!("it takes {}", known.join(" ")));
    match near(typed, known.iter().copied().filter(|op| op.len() > 2)) {
        Some(near) => error.suggest(Some(near)),
        None => error,
    }
}
