//! Searches in `traces.input` and `traces.output`, which hold the beginnings of texts, look at all of the texts.
//!
//! A search (CONTAINS, LIKE, a regular expression, …) becomes a column of the rows that it is asked of: null where the
//! text that is kept is whole, else the answer for the text that it is the beginning of.
//!
//! ```text
//! rewrite.rs   the searches of a plan, and what they become
//! searches.rs  what of an expression is a search
//! answers.rs   the columns that have the answers
//! carried.rs   the way of a column from `traces` to where it is searched, on which the answers come along
//! lookup.rs    the answers, of the spans whose input or output it was
//! ```

mod answers;
mod carried;
mod lookup;
mod rewrite;
mod searches;

pub(crate) use answers::is_answered;
pub(crate) use lookup::holds_answers;
pub(crate) use rewrite::over_full_texts;
