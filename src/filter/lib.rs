//! The vendors' filter languages: from text to a DataFusion expression, and back where that can be said.
//!
//! ```text
//! Arize text ────────┐                                    ┌──▶ Arize text
//! Opik OQL, list ────┼──▶ Filter: an Expr over columns ───┼──▶ Opik list         said, what is left, exact or not
//! Phoenix parameters ┘    of spans, traces or sessions    └──▶ Phoenix parameters
//! ```
//!
//! A filter's expression names columns by their canonical names, without a table. It says what was written: text is
//! compared with numbers when a plan is made of it (see [`compare_mixed_types`](crate::compare::compare_mixed_types)),
//! and names that a table has no column of are computed there, or read as null.

pub mod arize;
pub mod compare;
mod contains;
pub mod dialect;
mod error;
mod join;
mod names;
pub mod numbers;
pub mod opik;
pub mod pattern;
pub mod phoenix;
#[cfg(test)]
mod sample;
mod simple;
pub mod sql;
mod translate;

use std::collections::BTreeSet;

use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_expr::Expr;

pub use contains::{contains, contains_udf};
pub use error::FilterError;
pub use join::{all_of, any_of, conjuncts};
pub use names::{Names, Unknown};
pub use translate::{Language, TranslateError, Translation, translate};

/// The longest filter, in bytes.
pub const MAX_BYTES: usize = 64 << 10;
/// How deep a filter may nest.
pub const MAX_LEVELS: usize = 50;
/// How many terms AND and OR may join in a filter.
pub const MAX_TERMS: usize = 1_000;

/// A filter that was read: the rows for which its expression is true.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    /// The condition, over columns by their canonical names.
    pub expr: Expr,
    /// What the reader should know, each a line without a full stop: names that no span has.
    pub notes: Vec<String>,
}

impl Filter {
    /// The names of all columns that the filter reads, sorted.
    pub fn columns(&self) -> BTreeSet<String> {
        columns(&self.expr)
    }
}

/// The names of all columns that an expression reads.
pub fn columns(expr: &Expr) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    // The visitor cannot fail.
    let _ = expr.apply(|node| {
        if let Expr::Column(column) = node {
            names.insert(column.name.clone());
        }
        Ok(TreeNodeRecursion::Continue)
    });
    names
}

/// What a vendor's language can say of some conditions that all hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Said<T> {
    /// What can be said: it lets through every row for which all conditions are true, and maybe more. `None` when that
    /// would be every row.
    pub said: Option<T>,
    /// The conditions that are left to check, because what is said lets more through.
    pub rest: Vec<Expr>,
}

impl<T> Said<T> {
    /// Whether what is said, together with nothing else, means all the conditions.
    pub fn is_exact(&self) -> bool {
        self.rest.is_empty()
    }
}

/// Runs something that nests as deep as the limits let it, whatever stack the caller has.
pub fn with_stack<T>(work: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(16 << 20, 64 << 20, work)
}
