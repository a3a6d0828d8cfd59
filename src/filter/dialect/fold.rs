//! Long chains of equalities on one column, joined by OR, as one IN list.
//!
//! `a = 1 OR a = 2 OR 3 = a OR a IN (4, 5)` means `a IN (1, 2, 3, 4, 5)`, under three-valued logic too. Done on the
//! tokens, before they are parsed: as a syntax tree a chain of twenty thousand terms is twenty thousand levels deep.
//!
//! A list holds values of one kind: all values of a list are compared as one type, and beside a fraction that would be
//! one that cannot tell large integers apart.

use std::ops::Range;

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Span, Token, TokenWithSpan, Word};

use super::lexeme::Lexeme;

/// What a literal is, whatever it is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    /// An integer of 64 bits.
    Integer,
    /// Any number with a fraction or an exponent.
    Fraction,
    Boolean,
}

/// One equality or IN: where its column and its values stand, what all of these are, and the index behind it.
struct Term {
    column: Range<usize>,
    values: Vec<Range<usize>>,
    kind: Kind,
    end: usize,
}

fn token(lexemes: &[Lexeme], at: usize) -> Option<&Token> {
    lexemes.get(at).map(|lexeme| &lexeme.token.token)
}

/// The index behind the column name at `at`: words with periods between.
fn column_end(lexemes: &[Lexeme], at: usize) -> Option<usize> {
    let is_name = |at: usize| match token(lexemes, at) {
        Some(Token::Word(word)) => {
            word.quote_style.is_some() || word.keyword == Keyword::NoKeyword || !is_reserved(word)
        }
        _ => false,
    };
    let mut end = at;
    while is_name(end) {
        end += 1;
        if token(lexemes, end) != Some(&Token::Period) {
            return Some(end);
        }
        end += 1;
    }
    None
}

fn is_reserved(word: &Word) -> bool {
    matches!(
        word.keyword,
        Keyword::NOT
            | Keyword::CASE
            | Keyword::NULL
            | Keyword::TRUE
            | Keyword::FALSE
            | Keyword::AND
            | Keyword::OR
            | Keyword::EXISTS
            | Keyword::SELECT
            | Keyword::INTERVAL
            | Keyword::CAST
            | Keyword::ARRAY
    )
}

/// The kind of the literal at `at`, and the index behind it.
///
/// A parameter is none: its type is not known yet. Nor is an integer of more than 64 bits, whose type depends on its
/// size.
fn literal(lexemes: &[Lexeme], at: usize) -> Option<(Kind, usize)> {
    match token(lexemes, at)? {
        Token::Number(digits, _) => Some((number_kind(digits)?, at + 1)),
        Token::SingleQuotedString(_) => Some((Kind::Text, at + 1)),
        Token::Minus => match token(lexemes, at + 1)? {
            Token::Number(digits, _) => Some((number_kind(digits)?, at + 2)),
            _ => None,
        },
        Token::Word(_) => {
            matches!(lexemes[at].keyword(), Keyword::TRUE | Keyword::FALSE).then_some((Kind::Boolean, at + 1))
        }
        _ => None,
    }
}

fn number_kind(digits: &str) -> Option<Kind> {
    if digits.contains(['.', 'e', 'E']) {
        return Some(Kind::Fraction);
    }
    digits.parse::<i64>().is_ok().then_some(Kind::Integer)
}

fn term(lexemes: &[Lexeme], at: usize) -> Option<Term> {
    if token(lexemes, at) == Some(&Token::LParen) {
        let inner = bare_term(lexemes, at + 1)?;
        return (token(lexemes, inner.end) == Some(&Token::RParen)).then(|| Term { end: inner.end + 1, ..inner });
    }
    bare_term(lexemes, at)
}

fn bare_term(lexemes: &[Lexeme], at: usize) -> Option<Term> {
    let is_equals = |at: usize| matches!(token(lexemes, at), Some(Token::Eq | Token::DoubleEq));
    if let Some((kind, end)) = literal(lexemes, at) {
        let value = at..end;
        let column = end + 1;
        return match column_end(lexemes, column) {
            Some(end) if is_equals(value.end) => Some(Term { column: column..end, values: vec![value], kind, end }),
            _ => None,
        };
    }
    let column = at..column_end(lexemes, at)?;
    if is_equals(column.end) {
        let (kind, end) = literal(lexemes, column.end + 1)?;
        let value = column.end + 1..end;
        return Some(Term { column, values: vec![value], kind, end });
    }
    let list = lexemes.get(column.end).is_some_and(|lexeme| lexeme.keyword() == Keyword::IN)
        && token(lexemes, column.end + 1) == Some(&Token::LParen);
    if !list {
        return None;
    }
    let (mut values, mut from) = (vec![], column.end + 2);
    let (kind, _) = literal(lexemes, from)?;
    loop {
        let (_, end) = literal(lexemes, from).filter(|(next, _)| *next == kind)?;
        values.push(from..end);
        match token(lexemes, end)? {
            Token::Comma => from = end + 1,
            Token::RParen => return Some(Term { column, values, kind, end: end + 1 }),
            _ => return None,
        }
    }
}

/// Whether an expression may begin behind this token, so that what follows is a whole operand of OR.
fn begins_operand(before: Option<&Lexeme>) -> bool {
    before.is_some_and(|lexeme| {
        matches!(lexeme.token.token, Token::LParen | Token::Comma)
            || matches!(
                lexeme.keyword(),
                Keyword::WHERE
                    | Keyword::ON
                    | Keyword::HAVING
                    | Keyword::QUALIFY
                    | Keyword::WHEN
                    | Keyword::THEN
                    | Keyword::ELSE
                    | Keyword::SELECT
                    | Keyword::OR
            )
    })
}

/// Whether this token cannot continue the operand of OR that ends before it.
fn ends_operand(after: Option<&Lexeme>) -> bool {
    after.is_none_or(|lexeme| {
        matches!(lexeme.token.token, Token::RParen | Token::Comma | Token::EOF | Token::VerticalBarRightAngleBracket)
            || matches!(
                lexeme.keyword(),
                Keyword::OR
                    | Keyword::GROUP
                    | Keyword::ORDER
                    | Keyword::HAVING
                    | Keyword::QUALIFY
                    | Keyword::WINDOW
                    | Keyword::LIMIT
                    | Keyword::OFFSET
                    | Keyword::FETCH
                    | Keyword::UNION
                    | Keyword::INTERSECT
                    | Keyword::EXCEPT
                    | Keyword::THEN
                    | Keyword::WHEN
                    | Keyword::ELSE
                    | Keyword::END
                    | Keyword::AS
                    | Keyword::FROM
                    | Keyword::WHERE
                    | Keyword::JOIN
                    | Keyword::LEFT
                    | Keyword::RIGHT
                    | Keyword::FULL
                    | Keyword::INNER
                    | Keyword::CROSS
                    | Keyword::NATURAL
            )
    })
}

fn same_column(lexemes: &[Lexeme], a: &Range<usize>, b: &Range<usize>) -> bool {
    a.len() == b.len() && a.clone().zip(b.clone()).all(|(a, b)| lexemes[a].token.token == lexemes[b].token.token)
}

/// Folds the chains in the tokens of one statement, which must hold no blanks.
pub fn fold_equalities(lexemes: Vec<Lexeme>) -> Vec<Lexeme> {
    let mut out: Vec<Lexeme> = Vec::with_capacity(lexemes.len());
    let mut at = 0;
    while at < lexemes.len() {
        let chain =
            if begins_operand(at.checked_sub(1).map(|before| &lexemes[before])) { chain(&lexemes, at) } else { vec![] };
        let [first, .., last] = chain.as_slice() else {
            out.push(lexemes[at].clone());
            at += 1;
            continue;
        };
        let made = |token: Token, like: usize| Lexeme {
            token: TokenWithSpan::new(token, Span::new(lexemes[like].start(), lexemes[like].token.span.end)),
            bytes: lexemes[like].bytes.clone(),
        };
        let mut written: Vec<Kind> = vec![];
        for kind in chain.iter().map(|term| term.kind) {
            if written.contains(&kind) {
                continue;
            }
            let place = first.column.start;
            if !written.is_empty() {
                out.push(made(
                    Token::Word(Word { value: "OR".into(), quote_style: None, keyword: Keyword::OR }),
                    place,
                ));
            }
            written.push(kind);
            out.extend_from_slice(&lexemes[first.column.clone()]);
            out.push(made(Token::Word(Word { value: "IN".into(), quote_style: None, keyword: Keyword::IN }), place));
            out.push(made(Token::LParen, place));
            let values = chain.iter().filter(|term| term.kind == kind).flat_map(|term| &term.values);
            for (i, value) in values.enumerate() {
                if i > 0 {
                    out.push(made(Token::Comma, value.start));
                }
                out.extend_from_slice(&lexemes[value.clone()]);
            }
            out.push(made(Token::RParen, place));
        }
        at = last.end;
    }
    out
}

/// The terms on one column that follow each other from `at` on, each a whole operand of OR.
fn chain(lexemes: &[Lexeme], at: usize) -> Vec<Term> {
    let mut terms: Vec<Term> = vec![];
    let mut from = at;
    while let Some(term) = term(lexemes, from) {
        let fits = terms.first().is_none_or(|first| same_column(lexemes, &first.column, &term.column));
        if !fits || !ends_operand(lexemes.get(term.end)) {
            break;
        }
        from = term.end + 1;
        let more = lexemes.get(term.end).is_some_and(|lexeme| lexeme.keyword() == Keyword::OR);
        terms.push(term);
        if !more {
            break;
        }
    }
    terms
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::lex;

    fn folded(sql: &str) -> String {
        let lexemes = lex(sql).unwrap().into_iter().filter(|lexeme| !lexeme.is_blank()).collect();
        let tokens: Vec<String> =
            fold_equalities(lexemes).iter().map(|lexeme| lexeme.token.token.to_string()).collect();
        tokens.join(" ")
    }

    #[test]
    fn folds_whole_operands_only() {
        for (sql, expected) in [
            ("WHERE a = 1 OR a = 2", "WHERE a IN ( 1 , 2 )"),
            ("WHERE (s.a = -1 OR 2 = s.a OR (s.a = 3)) AND b", "WHERE ( s . a IN ( - 1 , 2 , 3 ) ) AND b"),
            ("WHERE a IN (1, 2) OR a = 3 GROUP BY b", "WHERE a IN ( 1 , 2 , 3 ) GROUP BY b"),
            ("WHERE a = 1 AND a = 2 OR a = 3 OR a = 4", "WHERE a = 1 AND a = 2 OR a IN ( 3 , 4 )"),
            ("WHERE a = 1 OR a = 2 OR a = 3 AND b = 4", "WHERE a IN ( 1 , 2 ) OR a = 3 AND b = 4"),
            ("WHERE a = 1 OR b = 2 OR b = 3", "WHERE a = 1 OR b IN ( 2 , 3 )"),
            ("WHERE NOT a = 1 OR a = 2", "WHERE NOT a = 1 OR a = 2"),
            ("WHERE a = 1 OR a = 2 + 1", "WHERE a = 1 OR a = 2 + 1"),
            ("WHERE a = 1 OR a = 2 IS TRUE", "WHERE a = 1 OR a = 2 IS TRUE"),
            ("WHERE a = 1 OR a > 2", "WHERE a = 1 OR a > 2"),
            ("WHERE a NOT IN (1) OR a = 2", "WHERE a NOT IN ( 1 ) OR a = 2"),
            ("WHERE a IN (1) OR a IN (SELECT 2)", "WHERE a IN ( 1 ) OR a IN ( SELECT 2 )"),
            ("WHERE (a IN (1, 2) OR a = 3)", "WHERE ( a IN ( 1 , 2 , 3 ) )"),
            ("WHERE name = 1 OR name = 2", "WHERE name IN ( 1 , 2 )"),
            ("WHERE null = 1 OR null = 2", "WHERE null = 1 OR null = 2"),
            ("WHERE 1 < a OR 2 < a", "WHERE 1 < a OR 2 < a"),
            ("WHERE a + (1) OR a = 2", "WHERE a + ( 1 ) OR a = 2"),
        ] {
            assert_eq!(folded(sql), expected, "{sql}");
        }
    }

    #[test]
    fn a_list_holds_values_of_one_kind() {
        for (sql, expected) in [
            ("WHERE a = 9007199254740993 OR a = 1.5", "WHERE a IN ( 9007199254740993 ) OR a IN ( 1.5 )"),
            (
                "WHERE a = 1 OR 'x' = a OR a = -2.5e1 OR a = true OR a = 'y' OR a = -2 OR a = false OR a = .5",
                "WHERE a IN ( 1 , - 2 ) OR a IN ( 'x' , 'y' ) OR a IN ( - 2.5e1 , .5 ) OR a IN ( true , false )",
            ),
            ("WHERE a IN (1, 1.5) OR a = 2", "WHERE a IN ( 1 , 1.5 ) OR a = 2"),
            ("WHERE a = 1 OR a = 9223372036854775808", "WHERE a = 1 OR a = 9223372036854775808"),
            ("WHERE a = 1 OR a = NULL OR a = $b", "WHERE a = 1 OR a = NULL OR a = $b"),
        ] {
            assert_eq!(folded(sql), expected, "{sql}");
        }
    }
}
