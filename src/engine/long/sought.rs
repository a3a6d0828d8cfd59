//! What conditions on the texts of a table's rows say of the spans that the rows are made from.

use std::collections::BTreeSet;

use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::Like;

use super::reads::column;
use crate::functions::like::{LIKE_MANY, literal_parts};
use crate::functions::may_have::may_have;
use spanql_filter::{all_of, any_of};

/// Columns that are asked, at most.
const MOST_ASKED: usize = 16;

/// What is looked for in a column.
struct Sought {
    parts: Vec<String>,
    any_case: bool,
}

/// Whether a condition is true only of rows that have some text in a column.
pub(super) fn seeks(condition: &Expr, content: &str) -> bool {
    sought(condition, content).is_some()
}

/// What is true of spans that give rows for which conditions are true, where the content of a row is what a string says in one
/// of these columns.
pub(super) fn of_spans(conditions: &[Expr], content: &str, columns: &BTreeSet<&str>) -> Option<Expr> {
    if columns.len() > MOST_ASKED {
        return None;
    }
    let mut asked = Vec::new();
    for Sought { parts, any_case } in conditions.iter().filter_map(|condition| sought(condition, content)) {
        let in_any =
            |part: &String| any_of(columns.iter().map(|name| may_have(column(name), part, any_case)).collect());
        asked.extend(parts.iter().map(in_any));
    }
    (!asked.is_empty()).then(|| all_of(asked))
}

fn sought(condition: &Expr, content: &str) -> Option<Sought> {
    let is_content = |expr: &Expr| matches!(expr, Expr::Column(column) if column.name == content);
    let text = |expr: &Expr| match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten().map(str::to_owned),
        _ => None,
    };
    let flag = |expr: &Expr| match expr {
        Expr::Literal(datafusion::common::ScalarValue::Boolean(flag), _) => *flag,
        _ => None,
    };
    match condition {
        Expr::Like(Like { negated: false, expr, pattern, escape_char: None | Some('\\'), case_insensitive })
            if is_content(expr) =>
        {
            Some(Sought { parts: literal_parts(&text(pattern)?), any_case: *case_insensitive })
        }
        Expr::ScalarFunction(call) => match (call.name(), call.args.as_slice()) {
            ("contains", [expr, part]) if is_content(expr) => {
                Some(Sought { parts: vec![text(part)?], any_case: false })
            }
            (LIKE_MANY, [expr, pattern, any_case]) if is_content(expr) => {
                Some(Sought { parts: literal_parts(&text(pattern)?), any_case: flag(any_case)? })
            }
            _ => None,
        },
        _ => None,
    }
}
