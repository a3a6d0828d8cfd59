//! The comparisons of OQL as expressions: what an operator means for a value of each type.

use datafusion_common::ScalarValue;
use datafusion_expr::expr::Like;
use datafusion_expr::{Expr, Operator, binary_expr, lit};
use datafusion_functions::core::expr_fn::coalesce;
use datafusion_functions::string::expr_fn::{ends_with, lower, starts_with};

use super::columns::Op;
use super::json::{any_equal, any_like, list_length};

/// The kinds of spans that Opik tells apart, and its names for them; every other kind is `general`.
pub(super) const KINDS: [(&str, &str); 3] = [("llm", "LLM"), ("tool", "TOOL"), ("guardrail", "GUARDRAIL")];
/// The type of every span whose kind is none of [`KINDS`].
pub(super) const GENERAL: &str = "general";

pub(super) fn distinct(value: Expr, from: Expr) -> Expr {
    binary_expr(value, Operator::IsDistinctFrom, from)
}

/// Text in any case. `contains` is a pattern: `%` and `_` stand for any text and any character.
pub(super) fn text(column: Expr, op: Op, value: &str) -> Expr {
    let lower_value = lit(value.to_lowercase());
    match op {
        Op::Contains => like(column, value, true),
        Op::NotContains => like(column, value, true).is_not_true(),
        Op::Lt => lower(coalesce(vec![column, lit("")])).lt(lower_value),
        _ => on_text(lower(column), op, lower_value),
    }
}

/// Text as it is.
pub(super) fn exact_text(column: Expr, op: Op, value: &str) -> Expr {
    match op {
        Op::Contains => like(column, value, false),
        Op::NotContains => like(column, value, false).is_not_true(),
        Op::Lt => coalesce(vec![column, lit("")]).lt(lit(value)),
        _ => on_text(column, op, lit(value)),
    }
}

fn like(column: Expr, value: &str, any_case: bool) -> Expr {
    let pattern = Box::new(lit(format!("%{value}%")));
    Expr::Like(Like::new(false, Box::new(column), pattern, None, any_case))
}

fn on_text(text: Expr, op: Op, value: Expr) -> Expr {
    match op {
        Op::NotEq => distinct(text, value),
        Op::StartsWith => starts_with(text, value),
        Op::EndsWith => ends_with(text, value),
        Op::Gt => text.gt(value),
        _ => text.eq(value),
    }
}

/// Numbers and times: what is absent fulfils no comparison.
pub(super) fn ordered(column: Expr, op: Op, value: Expr) -> Expr {
    match op {
        Op::NotEq => column.not_eq(value),
        Op::Gt => column.gt(value),
        Op::GtEq => column.gt_eq(value),
        Op::Lt => column.lt(value),
        Op::LtEq => column.lt_eq(value),
        _ => column.eq(value),
    }
}

/// The text at a path of JSON text; empty is what is absent, null or blank text.
pub(super) fn at_path(value_text: Expr, op: Op, value: &str) -> Expr {
    match op {
        Op::IsEmpty => coalesce(vec![value_text, lit("")]).eq(lit("")),
        Op::IsNotEmpty => value_text.not_eq(lit("")),
        _ => text(value_text, op, value),
    }
}

pub(super) fn list(column: Expr, op: Op, value: &str) -> Expr {
    match op {
        Op::Eq => any_equal(column, value),
        Op::NotEq => any_equal(column, value).is_not_true(),
        Op::Contains => any_like(column, &format!("%{value}%")),
        Op::NotContains => any_like(column, &format!("%{value}%")).is_not_true(),
        Op::IsNotEmpty => list_length(column).gt(lit(0_i64)),
        _ => coalesce(vec![list_length(column), lit(0_i64)]).eq(lit(0_i64)),
    }
}

/// One of some names, as they are.
pub(super) fn one_of(column: Expr, op: Op, values: &[&str]) -> Expr {
    match (op, values) {
        (Op::Eq, [value]) => column.eq(lit(*value)),
        (Op::NotEq, [value]) => distinct(column, lit(*value)),
        (Op::NotEq | Op::NotIn, _) => listed(column, values).is_not_true(),
        _ => listed(column, values),
    }
}

fn listed(column: Expr, values: &[&str]) -> Expr {
    column.in_list(values.iter().map(|value| lit(*value)).collect(), false)
}

/// The type of a span, by its kind; the values are names of types.
///
/// A span is `general` when its kind is absent or none of the others.
pub(super) fn kind(column: Expr, op: Op, types: &[&str]) -> Expr {
    let has = |name: &str| types.contains(&name);
    let kinds: Vec<&str> = KINDS.iter().filter(|(name, _)| has(name) != has(GENERAL)).map(|(_, kind)| *kind).collect();
    let wanted = matches!(op, Op::Eq | Op::In);
    if kinds.is_empty() {
        // All four types, or none: every span is one of them.
        return Expr::Literal(ScalarValue::Boolean(Some(wanted == has(GENERAL))), None);
    }
    let op = match (wanted != has(GENERAL), matches!(op, Op::Eq | Op::NotEq) && kinds.len() == 1) {
        (true, true) => Op::Eq,
        (true, false) => Op::In,
        (false, true) => Op::NotEq,
        (false, false) => Op::NotIn,
    };
    one_of(column, op, &kinds)
}

/// Whether something failed.
pub(super) fn failed(status: Expr, op: Op) -> Expr {
    if op == Op::IsNotEmpty { status.eq(lit("ERROR")) } else { distinct(status, lit("ERROR")) }
}
