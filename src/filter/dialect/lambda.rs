//! Lambdas as arguments of the functions that take them, and nowhere else: `->` keeps its meaning.

use std::collections::HashSet;

use sqlparser::ast::{Expr, LambdaFunction, LambdaFunctionParameter, LambdaSyntax, OneOrManyWithParens};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token};

use super::lexeme::Lexeme;

/// The functions that take lambdas.
pub const HIGHER_ORDER: [&str; 13] = [
    "any_match",
    "array_any_match",
    "array_apply",
    "array_filter",
    "array_first",
    "array_transform",
    "filter",
    "list_any_match",
    "list_apply",
    "list_filter",
    "list_first",
    "list_transform",
    "transform",
];

/// Where lambdas begin, in the tokens of one statement without blanks.
pub(super) type Lambdas = HashSet<Location>;

/// Finds the arguments of higher-order functions that are lambdas: `x -> …`, `(x, y) -> …` or `lambda x : …`.
pub(super) fn lambdas(lexemes: &[Lexeme]) -> Lambdas {
    let mut found = Lambdas::new();
    // For each open parenthesis, whether it is that of such a function.
    let mut calls = vec![];
    for at in 0..lexemes.len() {
        match &lexemes[at].token.token {
            Token::LParen | Token::LBracket | Token::LBrace => {
                let name = at.checked_sub(1).map(|before| &lexemes[before].token.token);
                calls.push(matches!(name, Some(Token::Word(word)) if is_higher_order(&word.value)));
            }
            Token::RParen | Token::RBracket | Token::RBrace => {
                calls.pop();
            }
            _ => {}
        }
        // None of them takes one first.
        if lexemes[at].token.token == Token::Comma && calls.last() == Some(&true) && is_lambda(lexemes, at + 1) {
            found.insert(lexemes[at + 1].start());
        }
    }
    found
}

fn is_higher_order(name: &str) -> bool {
    HIGHER_ORDER.iter().any(|known| known.eq_ignore_ascii_case(name))
}

fn is_lambda(lexemes: &[Lexeme], at: usize) -> bool {
    let token = |at: usize| lexemes.get(at).map(|lexeme| &lexeme.token.token);
    let is_word = |at: usize| matches!(token(at), Some(Token::Word(_)));
    match token(at) {
        Some(Token::Word(word)) if is_keyword(word.value.as_str()) && is_word(at + 1) => true,
        Some(Token::Word(_)) => token(at + 1) == Some(&Token::Arrow),
        Some(Token::LParen) => {
            let mut end = at + 1;
            while is_word(end) && token(end + 1) == Some(&Token::Comma) {
                end += 2;
            }
            is_word(end) && token(end + 1) == Some(&Token::RParen) && token(end + 2) == Some(&Token::Arrow)
        }
        _ => false,
    }
}

fn is_keyword(word: &str) -> bool {
    word.eq_ignore_ascii_case("lambda")
}

/// Reads a lambda at the parser's place.
pub(super) fn parse(parser: &mut Parser) -> Result<Expr, ParserError> {
    let written = matches!(&parser.peek_nth_token_ref(0).token, Token::Word(word) if is_keyword(&word.value))
        && matches!(&parser.peek_nth_token_ref(1).token, Token::Word(_));
    if written {
        parser.advance_token();
    }
    let parameter =
        |parser: &mut Parser| Ok(LambdaFunctionParameter { name: parser.parse_identifier()?, data_type: None });
    let params = if parser.consume_token(&Token::LParen) {
        let params = parser.parse_comma_separated(parameter)?;
        parser.expect_token(&Token::RParen)?;
        OneOrManyWithParens::Many(params)
    } else if written {
        OneOrManyWithParens::Many(parser.parse_comma_separated(parameter)?)
    } else {
        OneOrManyWithParens::One(parameter(parser)?)
    };
    parser.expect_token(if written { &Token::Colon } else { &Token::Arrow })?;
    let body = Box::new(parser.parse_expr()?);
    Ok(Expr::Lambda(LambdaFunction { params, body, syntax: LambdaSyntax::Arrow }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::lex;

    #[test]
    fn only_where_a_function_takes_them() {
        for (sql, count) in [
            ("SELECT list_filter(a, x -> x > 1)", 1),
            ("SELECT LIST_TRANSFORM(list_filter(a, x -> x > 1), (y) -> y)", 2),
            ("SELECT list_filter(a, lambda x : x > 1)", 1),
            ("SELECT list_filter(a -> 'b', x -> x -> 'c' = 1)", 1),
            ("SELECT upper(a -> 'b'), a -> 'b', list_filter(a, f(x -> 1))", 0),
        ] {
            let lexemes: Vec<_> = lex(sql).unwrap().into_iter().filter(|lexeme| !lexeme.is_blank()).collect();
            assert_eq!(lambdas(&lexemes).len(), count, "{sql}");
        }
    }
}
