//! The vendors' filter languages: from text to a DataFusion expression, and back where that can be said; and the SQL
//! dialect ([`dialect`]).
//!
//! ```text
//! Arize text ────────┐                                    ┌──▶ Arize text
//! Opik OQL, list ────┼──▶ Filter: an Expr over columns ───┼──▶ Opik list         translated, the rest, exact or not
//! Phoenix parameters ┘    of spans, traces or sessions    └──▶ Phoenix parameters
//! ```
//!
//! A [`Filter`] is what a text means, given the [`Names`] of the columns that there are; [`Translated`] is what a language can
//! say of conditions, and [`translate`](translate()) does both, from one [`Language`] to another. A text that says nothing
//! ends in a [`FilterError`], which shows where.
//!
//! A filter's expression names columns by their canonical names, without a table. It says what was written: text is
//! compared with numbers when a plan is made of it (see [`compare_mixed_types`](crate::compare::compare_mixed_types)),
//! and names that a table has no column of are computed there, or read as null.

pub mod arize;
pub mod compare;
mod condition;
mod contains;
pub mod dialect;
mod error;
mod find;
mod join;
mod limits;
mod names;
pub mod numbers;
pub mod opik;
mod or_null;
pub mod pattern;
pub mod phoenix;
mod simple;
pub mod sql;
#[cfg(test)]
mod testing;
mod translate;
mod translated;

pub use condition::{Filter, columns};
pub use contains::{contains, contains_udf};
pub use error::FilterError;
#[doc(hidden)]
pub use find::rows_with;
pub use join::{all_of, any_of, conjuncts};
pub use limits::{MAX_BYTES, MAX_LEVELS, MAX_TERMS, with_stack};
pub use names::{Named, Names, READ_AS_NULL, Unknown};
pub use or_null::or_null;
pub use translate::{Language, TranslateError, Translation, translate};
pub use translated::Translated;
