//! Operators that are read otherwise than sqlparser's generic dialect reads them.

use sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident,
    ObjectName, UnaryOperator, Value,
};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

fn is_contains(token: &Token) -> bool {
    matches!(token, Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("contains"))
}

/// Whether an operand can begin with this token: `SELECT name contains FROM spans` names a column.
fn begins_operand(token: &Token) -> bool {
    match token {
        Token::Comma | Token::RParen | Token::SemiColon | Token::EOF | Token::Eq | Token::Period => false,
        Token::Word(word) => word.quote_style.is_some() || word.keyword != Keyword::FROM,
        _ => true,
    }
}

/// How many tokens the operator at the parser's place takes, when it is ours.
pub(super) fn operator_length(parser: &Parser) -> Option<usize> {
    let negated = matches!(&parser.peek_nth_token_ref(0).token, Token::Word(word) if word.keyword == Keyword::NOT);
    let at = usize::from(negated);
    let ours =
        is_contains(&parser.peek_nth_token_ref(at).token) && begins_operand(&parser.peek_nth_token_ref(at + 1).token);
    ours.then_some(at + 1)
}

/// The tokens that `IS [NOT] DISTINCT FROM` takes at the parser's place, and whether there is a NOT.
pub(super) fn distinct_from(parser: &Parser) -> Option<(usize, bool)> {
    let keyword = |at: usize, keyword: Keyword| matches!(&parser.peek_nth_token_ref(at).token, Token::Word(word) if word.keyword == keyword);
    let negated = keyword(1, Keyword::NOT);
    let at = 1 + usize::from(negated);
    (keyword(0, Keyword::IS) && keyword(at, Keyword::DISTINCT) && keyword(at + 1, Keyword::FROM))
        .then_some((at + 2, negated))
}

/// `contains(left, right)`.
pub(super) fn contains_call(left: Expr, right: Expr) -> Expr {
    let argument = |expr| FunctionArg::Unnamed(FunctionArgExpr::Expr(expr));
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new("contains")]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: vec![argument(left), argument(right)],
            clauses: vec![],
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: vec![],
    })
}

/// How tight `->` and its like bind: between `::` and the arithmetic.
pub(super) const ARROW: u8 = 45;

/// How tight `^` binds: what is raised to a power is multiplied afterwards.
pub(super) const CARET: u8 = 42;

/// How tight `||` and `~` bind: what PostgreSQL calls any other operator.
pub(super) const OTHER: u8 = 21;

/// Operators of which two beside each other have no meaning without parentheses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chain {
    Comparison,
    Like,
}

impl Chain {
    /// What the operator at the parser's place is.
    fn next(parser: &Parser) -> Option<Self> {
        let negated = matches!(&parser.peek_nth_token_ref(0).token, Token::Word(word) if word.keyword == Keyword::NOT);
        match &parser.peek_nth_token_ref(usize::from(negated)).token {
            Token::Eq | Token::DoubleEq | Token::Neq | Token::Lt | Token::LtEq | Token::Gt | Token::GtEq => {
                Some(Self::Comparison)
            }
            Token::Word(word) => match word.keyword {
                Keyword::IN
                | Keyword::BETWEEN
                | Keyword::LIKE
                | Keyword::ILIKE
                | Keyword::RLIKE
                | Keyword::REGEXP
                | Keyword::SIMILAR => Some(Self::Like),
                _ => operator_length(parser).map(|_| Self::Like),
            },
            _ => None,
        }
    }

    /// What an expression ends with, where its last operand could as well be the first one of what follows.
    fn behind(expr: &Expr) -> Option<Self> {
        use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
        match expr {
            Expr::BinaryOp { op: Eq | NotEq | Lt | LtEq | Gt | GtEq, .. } => Some(Self::Comparison),
            Expr::Like { .. }
            | Expr::ILike { .. }
            | Expr::RLike { .. }
            | Expr::SimilarTo { .. }
            | Expr::Between { .. } => Some(Self::Like),
            _ => None,
        }
    }
}

/// Refuses `a < b < c`, which PostgreSQL refuses and other engines read in two ways.
pub(super) fn check_chain(parser: &Parser, left: &Expr) -> Result<(), ParserError> {
    let Some(chain) = Chain::next(parser).filter(|next| Chain::behind(left) == Some(*next)) else { return Ok(()) };
    let what = match chain {
        Chain::Comparison => "comparisons cannot be chained: join two with AND, or put one into parentheses",
        Chain::Like => "one of these operators cannot follow another: put the first into parentheses",
    };
    Err(ParserError::ParserError(format!("{what}{}", parser.peek_token_ref().span.start)))
}

/// The operator `->` or its like that a token is.
pub(super) fn arrow(token: &Token) -> Option<BinaryOperator> {
    Some(match token {
        Token::Arrow => BinaryOperator::Arrow,
        Token::LongArrow => BinaryOperator::LongArrow,
        Token::HashArrow => BinaryOperator::HashArrow,
        Token::HashLongArrow => BinaryOperator::HashLongArrow,
        _ => return None,
    })
}

/// The index behind an arrow that counts from the end: as a sign before an operand, `-1 -> 'a'` would be `-(1 -> 'a')`.
pub(super) fn negative_index(parser: &mut Parser) -> Option<Expr> {
    let number = match &parser.peek_nth_token_ref(1).token {
        number @ Token::Number(..) if parser.peek_nth_token_ref(0).token == Token::Minus => number.clone(),
        _ => return None,
    };
    // A cast of the number comes before the sign.
    if parser.peek_nth_token_ref(2).token == Token::DoubleColon {
        return None;
    }
    let Token::Number(digits, long) = number else { return None };
    parser.advance_token();
    parser.advance_token();
    let span = parser.get_current_token().span;
    let value = Expr::Value(Value::Number(digits, long).with_span(span));
    Some(Expr::UnaryOp { op: UnaryOperator::Minus, expr: Box::new(value) })
}

/// A number or a name behind a sign, and `^` behind it: the sign comes first.
pub(super) fn negative_base(parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
    let is_base = matches!(&parser.peek_nth_token_ref(1).token, Token::Number(..) | Token::Word(_));
    if parser.peek_nth_token_ref(0).token != Token::Minus
        || !is_base
        || parser.peek_nth_token_ref(2).token != Token::Caret
    {
        return None;
    }
    parser.advance_token();
    let base = parser.parse_subexpr(CARET);
    Some(base.map(|base| Expr::UnaryOp { op: UnaryOperator::Minus, expr: Box::new(base) }))
}
