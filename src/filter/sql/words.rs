//! Names and texts as SQL writes them.

use sqlparser::keywords::{ALL_KEYWORDS, ALL_KEYWORDS_INDEX, Keyword, RESERVED_FOR_COLUMN_ALIAS};

use spanql_model::names::DOTTED_ROOTS;
use spanql_model::nearest::as_typed;

/// A column's name as it is typed, in quotes where that is needed.
pub(super) fn name(column: &str) -> String {
    let dotted = column.split_once('.').is_some_and(|(root, _)| DOTTED_ROOTS.contains(&root));
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let bare =
        column.starts_with(|c: char| c.is_ascii_lowercase()) && column.chars().all(plain) && !is_reserved(column);
    if dotted {
        as_typed(column)
    } else if bare {
        column.to_owned()
    } else {
        format!("\"{}\"", column.replace('"', "\"\""))
    }
}

/// Whether a word means something else where a column may stand.
fn is_reserved(word: &str) -> bool {
    let upper = word.to_ascii_uppercase();
    let keyword = ALL_KEYWORDS.binary_search(&upper.as_str()).ok().map(|at| ALL_KEYWORDS_INDEX[at]);
    use Keyword::{
        ALL, AND, ANY, ARRAY, BETWEEN, CASE, CAST, DISTINCT, ELSE, EXISTS, FALSE, ILIKE, IN, INTERVAL, IS, LIKE, NOT,
        NULL, OR, STRUCT, THEN, TRIM, TRUE, WHEN,
    };
    let operators = [
        ALL, AND, ANY, ARRAY, BETWEEN, CASE, CAST, DISTINCT, ELSE, EXISTS, FALSE, ILIKE, IN, INTERVAL, IS, LIKE, NOT,
        NULL, OR, STRUCT, THEN, TRIM, TRUE, WHEN,
    ];
    word == "contains"
        || keyword.is_some_and(|word| operators.contains(&word) || RESERVED_FOR_COLUMN_ALIAS.contains(&word))
}

/// Text in single quotes.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
