//! The text of each select item as it was typed.

use std::collections::HashMap;

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Location, Token};
use spanql_filter::dialect::Lexeme;

/// The texts of the items of each SELECT, by the place of its keyword.
pub(crate) type ItemTexts = HashMap<Location, Vec<String>>;

/// Collects the texts of all select items of a statement; runs of blanks and comments are one blank.
pub(crate) fn item_texts(sql: &str, lexemes: &[Lexeme]) -> ItemTexts {
    let selects = (0..lexemes.len()).filter(|&at| lexemes[at].keyword() == Keyword::SELECT);
    selects.map(|at| (lexemes[at].start(), texts_of_select(sql, lexemes, at))).collect()
}

fn texts_of_select(sql: &str, lexemes: &[Lexeme], select: usize) -> Vec<String> {
    let mut texts = vec![String::new()];
    let mut depth = 0_usize;
    // The words before the current token, for `IS DISTINCT FROM`, `WITHIN GROUP` and `* EXCEPT`.
    let mut before = [&Token::EOF, &Token::EOF];
    for lexeme in lexemes.iter().skip(skip_quantifier(lexemes, select + 1)) {
        let Some(text) = texts.last_mut() else { break };
        if lexeme.is_blank() {
            if !text.is_empty() && !text.ends_with(' ') {
                text.push(' ');
            }
            continue;
        }
        match &lexeme.token.token {
            Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
            Token::RParen | Token::RBracket | Token::RBrace if depth == 0 => break,
            Token::RParen | Token::RBracket | Token::RBrace => depth -= 1,
            Token::Comma if depth == 0 => {
                texts.push(String::new());
                before = [&Token::EOF, &Token::EOF];
                continue;
            }
            Token::VerticalBarRightAngleBracket if depth == 0 => break,
            Token::Word(_) if depth == 0 && ends_items(lexeme.keyword(), before) => break,
            _ => {}
        }
        text.push_str(&sql[lexeme.bytes.clone()]);
        before = [before[1], &lexeme.token.token];
    }
    for text in &mut texts {
        text.truncate(text.trim_end().len());
    }
    if texts.last().is_some_and(String::is_empty) {
        texts.pop();
    }
    texts
}

/// The index behind `ALL`, `DISTINCT` and `DISTINCT ON (…)`.
fn skip_quantifier(lexemes: &[Lexeme], from: usize) -> usize {
    let next = |at: usize| (at..lexemes.len()).find(|&i| !lexemes[i].is_blank()).unwrap_or(lexemes.len());
    let is = |at: usize, keyword: Keyword| lexemes.get(at).is_some_and(|lexeme| lexeme.keyword() == keyword);
    let first = next(from);
    if is(first, Keyword::ALL) {
        return first + 1;
    }
    if !is(first, Keyword::DISTINCT) {
        return first;
    }
    let on = next(first + 1);
    if !is(on, Keyword::ON) {
        return on;
    }
    let mut depth = 0_usize;
    for (at, lexeme) in lexemes.iter().enumerate().skip(on + 1) {
        match lexeme.token.token {
            Token::LParen => depth += 1,
            Token::RParen if depth <= 1 => return at + 1,
            Token::RParen => depth -= 1,
            _ => {}
        }
    }
    lexemes.len()
}

/// Whether this keyword, at the level of the select items, begins what comes after them.
fn ends_items(keyword: Keyword, before: [&Token; 2]) -> bool {
    let word = |token: &Token, keyword: Keyword| matches!(token, Token::Word(word) if word.keyword == keyword);
    match keyword {
        Keyword::FROM => {
            let distinct_from =
                word(before[1], Keyword::DISTINCT) && (word(before[0], Keyword::IS) || word(before[0], Keyword::NOT));
            !distinct_from
        }
        Keyword::GROUP => !word(before[1], Keyword::WITHIN),
        Keyword::EXCEPT => *before[1] != Token::Mul,
        Keyword::INTO
        | Keyword::WHERE
        | Keyword::PREWHERE
        | Keyword::HAVING
        | Keyword::QUALIFY
        | Keyword::WINDOW
        | Keyword::ORDER
        | Keyword::LIMIT
        | Keyword::OFFSET
        | Keyword::FETCH
        | Keyword::UNION
        | Keyword::INTERSECT
        | Keyword::MINUS
        | Keyword::LATERAL
        | Keyword::CLUSTER
        | Keyword::DISTRIBUTE
        | Keyword::SORT
        | Keyword::CONNECT
        | Keyword::SETTINGS
        | Keyword::FORMAT => !matches!(before[1], Token::EOF | Token::Period),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spanql_filter::dialect::lex;

    fn first(sql: &str) -> Vec<String> {
        let lexemes = lex(sql).unwrap();
        let texts = item_texts(sql, &lexemes);
        let (_, items) = texts.into_iter().min_by_key(|(place, _)| *place).unwrap();
        items
    }

    #[test]
    fn texts_as_typed() {
        for (sql, expected) in [
            ("SELECT count( * ),  a\n +/* x */ 1 FROM t", vec!["count( * )", "a + 1"]),
            ("SELECT DISTINCT ON (a, b) c, d FROM t", vec!["c", "d"]),
            ("SELECT a IS DISTINCT FROM b, c FROM t", vec!["a IS DISTINCT FROM b", "c"]),
            ("SELECT p(0.5) WITHIN GROUP (ORDER BY x) FROM t GROUP BY 1", vec!["p(0.5) WITHIN GROUP (ORDER BY x)"]),
            ("SELECT * EXCEPT (a, b), c EXCEPT SELECT 1", vec!["* EXCEPT (a, b)", "c"]),
            (
                "SELECT (SELECT max(a), 1 FROM t), [1, 2], {'a': 1} WHERE x",
                vec!["(SELECT max(a), 1 FROM t)", "[1, 2]", "{'a': 1}"],
            ),
            ("SELECT a, b,", vec!["a", "b"]),
            ("SELECT 'a,b FROM c', \"x, y\"", vec!["'a,b FROM c'", "\"x, y\""]),
            ("SELECT Max(é) AS É", vec!["Max(é) AS É"]),
        ] {
            assert_eq!(first(sql), expected, "{sql}");
        }
    }
}
