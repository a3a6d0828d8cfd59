//! What is open where a statement is not finished.

use datafusion::sql::sqlparser::tokenizer::Token;

use super::input::{may_go_on, quote};
use spanql_filter::dialect::lex_as_far_as_possible;

/// What is open at the end of a statement that is not finished, as the prompt of its next line says it.
pub fn continuation(begun: &str) -> &'static str {
    let (lexemes, failed) = lex_as_far_as_possible(begun);
    if failed.is_some_and(|error| may_go_on(&error)) {
        let read = lexemes.last().map_or(0, |lexeme| lexeme.bytes.end);
        return match quote(&begun[read..]) {
            Some('\'') => "'..>",
            Some('"') => "\"..>",
            Some('`') => "`..>",
            Some('$') => "$..>",
            Some('*') => "/*.>",
            _ => "...>",
        };
    }
    let mut open = Vec::new();
    for lexeme in &lexemes {
        match lexeme.token.token {
            Token::LParen => open.push("(..>"),
            Token::LBracket => open.push("[..>"),
            Token::LBrace => open.push("{..>"),
            Token::RParen | Token::RBracket | Token::RBrace => drop(open.pop()),
            _ => {}
        }
    }
    open.pop().unwrap_or("...>")
}

#[cfg(test)]
mod tests {
    use super::continuation;

    #[test]
    fn a_prompt_says_what_is_open() {
        for (begun, expected) in [
            ("SELECT", "...>"),
            ("SELECT 'it''s", "'..>"),
            ("SELECT E'a", "'..>"),
            ("SELECT \"a", "\"..>"),
            ("SELECT count(", "(..>"),
            ("SELECT ')', (1 + (2)", "(..>"),
            ("SELECT [1, (2)", "[..>"),
            ("SELECT {a: 1", "{..>"),
            ("SELECT (1) /* (", "/*.>"),
            ("SELECT $$a", "$..>"),
            ("SELECT 1) -- (", "...>"),
        ] {
            assert_eq!(continuation(begun), expected, "{begun:?}");
        }
    }
}
