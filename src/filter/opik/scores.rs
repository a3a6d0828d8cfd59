//! Feedback scores: the columns `annotation.<name>.score`.

use std::collections::HashMap;

use datafusion_expr::Expr;

use super::columns::Op;
use super::field_ref::column;
use super::resolved_clause::{near, shown};
use crate::{FilterError, READ_AS_NULL, Unknown, all_of, any_of};
use spanql_model::nearest::as_typed;

/// The name of a score, of the column that holds its value.
pub(super) fn score_name(column: &str) -> Option<&str> {
    column.strip_prefix("annotation.")?.strip_suffix(".score").filter(|name| !name.is_empty())
}

/// The scores that spans have.
#[derive(Debug, Default)]
pub(super) struct Scores<'a> {
    /// The names that differ in case only, by the name in lower case.
    names: HashMap<String, Vec<&'a str>>,
}

impl<'a> Scores<'a> {
    /// Finds the scores among columns.
    pub(super) fn of(columns: impl Iterator<Item = &'a str>) -> Self {
        let mut names: HashMap<String, Vec<&'a str>> = HashMap::new();
        for name in columns.filter_map(score_name) {
            names.entry(name.to_lowercase()).or_default().push(name);
        }
        Self { names }
    }

    /// How many columns hold a score, whose name ignores case.
    pub(super) fn count(&self, name: &str) -> usize {
        self.names.get(&name.to_lowercase()).map_or(0, Vec::len)
    }

    /// The columns that hold a score, whose name ignores case; a column that no span has where that is null.
    ///
    /// # Errors
    /// When no span has the score and that is an error; without a place.
    pub(super) fn columns(
        &self,
        name: &str,
        unknown: Unknown,
        note: impl FnOnce(String),
    ) -> Result<Vec<Expr>, FilterError> {
        if let Some(found) = self.names.get(&name.to_lowercase()) {
            return Ok(found.iter().map(|name| score_column(name)).collect());
        }
        let what = format!("no span has a score {}", as_typed(&shown(name)));
        let near = || near(name, self.names.values().flatten().copied()).map(as_typed);
        match unknown {
            Unknown::Error => {
                let error = FilterError::new("unknown-column", what).help("--allow-unknown reads it as null");
                return Err(error.suggest(near()));
            }
            Unknown::Null => {
                let near = near().map(|near| format!("; nearest: {near}")).unwrap_or_default();
                note(format!("{what} {READ_AS_NULL}{near}"));
            }
            Unknown::Silent => {}
        }
        Ok(vec![score_column(name)])
    }
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
