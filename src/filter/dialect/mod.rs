//! What SQL and the filter language are written in: the dialect, tokens with their places, dotted names as one name.

mod fold;
mod forms;
mod lambda;
mod lex;
mod lexeme;
mod operators;
mod sql_dialect;

pub use fold::fold_equalities;
pub use forms::known_forms;
pub use lambda::HIGHER_ORDER;
pub use lex::{JoinedNames, join_dotted_names, lex, lex_as_far_as_possible, split_statements};
pub use lexeme::Lexeme;
pub use sql_dialect::SpanqlDialect;
