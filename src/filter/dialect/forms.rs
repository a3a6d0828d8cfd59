//! Forms of statements that people bring from DuckDB and PostgreSQL, as tokens of the form that the parser knows.
//!
//! | typed | read as |
//! |---|---|
//! | `SELECT a, b, FROM t`, `x IN (1, 2,)`, `GROUP BY a, ORDER BY a,` | the same without the last comma |
//! | `FROM t`, `FROM t WHERE x`, `(FROM t)` | `SELECT * FROM t …` |
//! | `TABLE t` | `SELECT * FROM t` |
//! | `a ** b` | `a ^ b` |
//! | `DESCRIBE`, `SHOW ALL TABLES` | `SHOW TABLES` |
//! | `WITH t AS MATERIALIZED (…)` | `WITH t AS (…)`: what is planned does not depend on it |

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Span, Token, TokenWithSpan, Word};

use super::lexeme::Lexeme;

/// Rewrites the tokens of one statement, which must hold no blanks.
pub fn known_forms(lexemes: Vec<Lexeme>) -> Vec<Lexeme> {
    if let Some(tables) = shows_tables(&lexemes) {
        return tables;
    }
    let mut out: Vec<Lexeme> = Vec::with_capacity(lexemes.len());
    let mut at = 0;
    while at < lexemes.len() {
        let lexeme = &lexemes[at];
        match lexeme.keyword() {
            Keyword::FROM if begins_query(&lexemes, at) && !selects(&lexemes, at) => select_all(&mut out, lexeme),
            Keyword::TABLE if begins_query(&lexemes, at) && names_a_table(&lexemes, at + 1) => {
                select_all(&mut out, lexeme);
                out.push(word(lexeme, Keyword::FROM, "FROM"));
                at += 1;
                continue;
            }
            Keyword::AS => {
                let not = usize::from(keyword(&lexemes, at + 1) == Keyword::NOT);
                if keyword(&lexemes, at + 1 + not) == Keyword::MATERIALIZED
                    && token(&lexemes, at + 2 + not) == Some(&Token::LParen)
                {
                    out.push(lexeme.clone());
                    at += 2 + not;
                    continue;
                }
            }
            _ => {}
        }
        if is_power(&lexemes, at) {
            out.push(made(lexeme, Token::Caret));
            at += 2;
            continue;
        }
        if lexeme.token.token != Token::Comma || !is_last_comma(&lexemes, at) {
            out.push(lexeme.clone());
        }
        at += 1;
    }
    out
}

/// Whether two stars without a blank between them stand between operands here.
fn is_power(lexemes: &[Lexeme], at: usize) -> bool {
    let is_star = |at: usize| token(lexemes, at) == Some(&Token::Mul);
    let ends_operand = |lexeme: &Lexeme| match &lexeme.token.token {
        Token::Number(..) | Token::RParen | Token::RBracket => true,
        Token::Word(word) => word.quote_style.is_some() || word.keyword == Keyword::NoKeyword,
        _ => false,
    };
    is_star(at)
        && is_star(at + 1)
        && lexemes[at].bytes.end == lexemes[at + 1].bytes.start
        && at.checked_sub(1).is_some_and(|before| ends_operand(&lexemes[before]))
}

/// `DESCRIBE` alone, and `SHOW ALL TABLES`, as `SHOW TABLES`.
fn shows_tables(lexemes: &[Lexeme]) -> Option<Vec<Lexeme>> {
    let is_it = match lexemes {
        [only] => matches!(only.keyword(), Keyword::DESCRIBE | Keyword::DESC),
        [show, all, tables] => {
            show.keyword() == Keyword::SHOW && all.keyword() == Keyword::ALL && tables.keyword() == Keyword::TABLES
        }
        _ => false,
    };
    let show = |like: &Lexeme| vec![word(like, Keyword::SHOW, "SHOW"), word(like, Keyword::TABLES, "TABLES")];
    lexemes.first().filter(|_| is_it).map(show)
}

fn token(lexemes: &[Lexeme], at: usize) -> Option<&Token> {
    lexemes.get(at).map(|lexeme| &lexeme.token.token)
}

fn keyword(lexemes: &[Lexeme], at: usize) -> Keyword {
    lexemes.get(at).map_or(Keyword::NoKeyword, Lexeme::keyword)
}

fn word(like: &Lexeme, keyword: Keyword, text: &str) -> Lexeme {
    made(like, Token::Word(Word { value: text.to_owned(), quote_style: None, keyword }))
}

fn made(like: &Lexeme, token: Token) -> Lexeme {
    let span = Span::new(like.start(), like.token.span.end);
    Lexeme { token: TokenWithSpan::new(token, span), bytes: like.bytes.clone() }
}

fn select_all(out: &mut Vec<Lexeme>, like: &Lexeme) {
    out.push(word(like, Keyword::SELECT, "SELECT"));
    out.push(made(like, Token::Mul));
}

/// Whether a query may begin here: at the start, in parentheses that are no call, behind a set operation.
fn begins_query(lexemes: &[Lexeme], at: usize) -> bool {
    let Some(before) = at.checked_sub(1) else { return true };
    match &lexemes[before].token.token {
        // `trim(FROM x)` is a call.
        Token::LParen => {
            let named = before.checked_sub(1).map(|name| &lexemes[name]);
            named.is_none_or(|name| match &name.token.token {
                Token::Word(_) => name.keyword() != Keyword::NoKeyword && name.keyword() != Keyword::TRIM,
                _ => true,
            })
        }
        // The end of what WITH names.
        Token::RParen => ends_with(lexemes, before),
        _ => match lexemes[before].keyword() {
            Keyword::UNION | Keyword::INTERSECT | Keyword::EXCEPT => {
                keyword(lexemes, before.wrapping_sub(1)) != Keyword::AS
            }
            Keyword::ALL => matches!(
                keyword(lexemes, before.wrapping_sub(1)),
                Keyword::UNION | Keyword::INTERSECT | Keyword::EXCEPT
            ),
            _ => is_before_statement(lexemes, before),
        },
    }
}

/// Whether the parenthesis that closes here opened behind `AS`, in a statement that begins with WITH.
fn ends_with(lexemes: &[Lexeme], close: usize) -> bool {
    if keyword(lexemes, 0) != Keyword::WITH {
        return false;
    }
    let mut depth = 0_usize;
    for at in (0..=close).rev() {
        match lexemes[at].token.token {
            Token::RParen => depth += 1,
            Token::LParen if depth == 1 => {
                let before = keyword(lexemes, at.wrapping_sub(1));
                return matches!(before, Keyword::AS | Keyword::MATERIALIZED);
            }
            Token::LParen => depth -= 1,
            _ => {}
        }
    }
    false
}

/// Whether a word and all before it in the statement stand before another statement, as EXPLAIN does.
fn is_before_statement(lexemes: &[Lexeme], at: usize) -> bool {
    let words = [Keyword::EXPLAIN, Keyword::ANALYZE, Keyword::VERBOSE, Keyword::DESCRIBE, Keyword::DESC];
    for lexeme in lexemes[..=at].iter().rev() {
        if lexeme.token.token == Token::SemiColon {
            return true;
        }
        if !words.contains(&lexeme.keyword()) {
            return false;
        }
    }
    true
}

/// Whether the query that begins with this FROM has a SELECT behind it.
fn selects(lexemes: &[Lexeme], from: usize) -> bool {
    let mut depth = 0_usize;
    for lexeme in &lexemes[from + 1..] {
        match lexeme.token.token {
            Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
            Token::RParen | Token::RBracket | Token::RBrace if depth == 0 => return false,
            Token::RParen | Token::RBracket | Token::RBrace => depth -= 1,
            _ if depth > 0 => {}
            _ => match lexeme.keyword() {
                Keyword::SELECT => return true,
                Keyword::UNION | Keyword::INTERSECT | Keyword::EXCEPT => return false,
                _ => {}
            },
        }
    }
    false
}

fn names_a_table(lexemes: &[Lexeme], at: usize) -> bool {
    matches!(token(lexemes, at), Some(Token::Word(_))) && token(lexemes, at + 1) != Some(&Token::LParen)
}

/// Whether a comma ends a list instead of parting it.
fn is_last_comma(lexemes: &[Lexeme], comma: usize) -> bool {
    // One list item at least stands before it.
    let item = comma.checked_sub(1).is_some_and(|before| {
        !matches!(lexemes[before].token.token, Token::Comma | Token::LParen | Token::LBracket | Token::LBrace)
    });
    let next = keyword(lexemes, comma + 1);
    item && match token(lexemes, comma + 1) {
        None | Some(Token::EOF | Token::RParen | Token::RBracket | Token::RBrace) => true,
        _ => match next {
            Keyword::FROM | Keyword::WHERE | Keyword::HAVING | Keyword::QUALIFY | Keyword::UNION => {
                // As a name it would be followed by what follows names.
                !matches!(token(lexemes, comma + 2), Some(Token::Comma | Token::Period | Token::RParen))
            }
            Keyword::GROUP | Keyword::ORDER => keyword(lexemes, comma + 2) == Keyword::BY,
            Keyword::LIMIT | Keyword::OFFSET => {
                matches!(token(lexemes, comma + 2), Some(Token::Number(..) | Token::Placeholder(_)))
            }
            _ => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::lex;

    fn read_as(sql: &str) -> String {
        let lexemes = lex(sql).unwrap().into_iter().filter(|lexeme| !lexeme.is_blank()).collect();
        let tokens: Vec<String> = known_forms(lexemes).iter().map(|lexeme| lexeme.token.token.to_string()).collect();
        tokens.join(" ")
    }

    #[test]
    fn as_the_parser_knows_them() {
        for (sql, expected) in [
            ("SELECT a, b, FROM t", "SELECT a , b FROM t"),
            ("SELECT a, from, b FROM t", "SELECT a , from , b FROM t"),
            ("SELECT a IN (1, 2,), [1,], f(a,)", "SELECT a IN ( 1 , 2 ) , [ 1 ] , f ( a )"),
            ("SELECT a FROM t GROUP BY a, ORDER BY a,", "SELECT a FROM t GROUP BY a ORDER BY a"),
            ("SELECT a FROM t ORDER BY a, LIMIT 1", "SELECT a FROM t ORDER BY a LIMIT 1"),
            ("SELECT (,)", "SELECT ( , )"),
            ("SELECT a,, FROM t", "SELECT a , , FROM t"),
            ("FROM t", "SELECT * FROM t"),
            ("FROM t WHERE a ORDER BY b LIMIT 1", "SELECT * FROM t WHERE a ORDER BY b LIMIT 1"),
            ("FROM t SELECT a WHERE b", "FROM t SELECT a WHERE b"),
            ("FROM t UNION ALL FROM u", "SELECT * FROM t UNION ALL SELECT * FROM u"),
            ("SELECT a FROM (FROM t WHERE b)", "SELECT a FROM ( SELECT * FROM t WHERE b )"),
            ("SELECT a IN (FROM t)", "SELECT a IN ( SELECT * FROM t )"),
            (
                "SELECT trim(FROM x), extract(hour FROM y) FROM t",
                "SELECT trim ( FROM x ) , extract ( hour FROM y ) FROM t",
            ),
            ("WITH a AS MATERIALIZED (FROM t) FROM a", "WITH a AS ( SELECT * FROM t ) SELECT * FROM a"),
            ("WITH a AS NOT MATERIALIZED (SELECT 1) SELECT 2", "WITH a AS ( SELECT 1 ) SELECT 2"),
            ("EXPLAIN FROM t", "EXPLAIN SELECT * FROM t"),
            ("TABLE t", "SELECT * FROM t"),
            ("SELECT a ** 2, (b)**c, count(*), *", "SELECT a ^ 2 , ( b ) ^ c , count ( * ) , *"),
            ("SELECT a * * b", "SELECT a * * b"),
            ("describe", "SHOW TABLES"),
            ("SHOW ALL TABLES", "SHOW TABLES"),
            ("SHOW ALL", "SHOW ALL"),
            ("DESCRIBE t", "DESCRIBE t"),
            ("CREATE TABLE t (a int)", "CREATE TABLE t ( a int )"),
            ("SELECT x IS DISTINCT FROM y FROM t", "SELECT x IS DISTINCT FROM y FROM t"),
        ] {
            assert_eq!(read_as(sql), expected, "{sql}");
        }
    }
}
