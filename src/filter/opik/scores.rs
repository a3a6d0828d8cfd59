//! Feedback scores: the columns `annotation.<name>.score`.

use datafusion::logical_expr::Expr;

use super::columns::Op;
use super::places::column;
use super::read::{near, shown};
use crate::filter::{FilterError, Names, Unknown, all_of, any_of};
use crate::model::nearest::as_typed;

/// The name of a score, of the column that holds its value.
pub(super) fn score_name(column: &str) -> Option<&str> {
    column.strip_prefix("annotation.")?.strip_suffix(".score").filter(|name| !name.is_empty())
}

/// The columns that hold a score, whose name ignores case; a column that no span has where that is null.
///
/// # Errors
/// When no span has the score and that is an error; without a place.
pub(super) fn columns_of(name: &str, names: &Names<'_>, notes: &mut Vec<String>) -> Result<Vec<Expr>, FilterError> {
    let lower = name.to_lowercase();
    let scores = || names.columns().filter_map(score_name);
    let found: Vec<&str> = scores().filter(|known| known.to_lowercase() == lower).collect();
    if !found.is_empty() {
        return Ok(found.into_iter().map(score_column).collect());
    }
    let what = format!("no span has a score {}", as_typed(&shown(name)));
    let near = near(name, scores());
    match names.unknown() {
        Unknown::Error => {
            let error = FilterError::new("unknown-column", what).help("--allow-unknown reads it as null");
            return Err(error.suggest(near.map(as_typed)));
        }
        Unknown::Null => {
            let near = near.map(|near| format!("; nearest: {}", as_typed(near))).unwrap_or_default();
            notes.push(format!("{what} (read as null){near}"));
        }
        Unknown::Silent => {}
    }
    Ok(vec![score_column(name)])
}

fn score_column(name: &str) -> Expr {
    column(&format!("annotation.{name}.score"))
}

/// A condition on a score that several columns may hold, their names differing in case only: any of them fulfils it.
pub(super) fn on_any(columns: Vec<Expr>, op: Op, compare: impl Fn(Expr) -> Expr) -> Expr {
    match op {
        Op::IsEmpty => all_of(columns.into_iter().map(Expr::is_null).collect()),
        Op::IsNotEmpty => any_of(columns.into_iter().map(Expr::is_not_null).collect()),
        _ => any_of(columns.into_iter().map(compare).collect()),
    }
}
