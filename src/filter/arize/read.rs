//! From Arize's filter text to a condition.

use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Word};

use super::check::{Role, check, role};
use super::reader::Reader;
use crate::dialect::{Lexeme, SpanqlDialect, fold_equalities, join_dotted_names, lex};
use crate::{Filter, FilterError, MAX_BYTES, MAX_TERMS, Names, with_stack};

/// Levels that the parser may go down: it takes several for one of ours.
const PARSER_LEVELS: usize = 400;

/// Reads a filter.
///
/// `= null` is IS NULL; CONTAINS takes its text literally; what compares text with numbers is left to the plan.
///
/// # Errors
/// When it is not in the language, names a column that is none, compares what cannot be compared, or is beyond a limit.
pub fn parse(text: &str, names: &Names<'_>) -> Result<Filter, FilterError> {
    parse_upto(text, names, MAX_BYTES)
}

/// As [`parse`], of a filter that may have so many bytes: clients of a server list ids by the thousand.
pub fn parse_upto(text: &str, names: &Names<'_>, max_bytes: usize) -> Result<Filter, FilterError> {
    if text.len() > max_bytes {
        let what = format!("the filter is too long: it has {} bytes, the limit is {max_bytes}", text.len());
        return Err(FilterError::new("limit", what));
    }
    with_stack(|| read(text, names))
}

/// The tokens of a text that is a filter, or is made of filters.
pub(crate) fn lexed(text: &str) -> Result<Vec<Lexeme>, FilterError> {
    lex(text).map_err(|error| {
        let from = offset(text, error.location);
        let what = match error.message.as_str() {
            "Unterminated string literal" => "the text that begins here is never closed".to_owned(),
            message if message.starts_with("Expected close delimiter") => {
                "the name that begins here is never closed".to_owned()
            }
            message => format!("the filter cannot be read: {message}"),
        };
        FilterError::new("syntax", what).at(text, from..from + 1).help("a quote inside quotes is doubled")
    })
}

fn read(text: &str, names: &Names<'_>) -> Result<Filter, FilterError> {
    let lexemes = lexed(text)?;
    let (lexemes, _) = join_dotted_names(text, lexemes);
    let lexemes: Vec<Lexeme> = lexemes.into_iter().filter(|lexeme| !lexeme.is_blank()).collect();
    if lexemes.is_empty() {
        let empty = FilterError::new("syntax", "the filter is empty").at(text, 0..0);
        return Err(empty.help("leave it out to select everything"));
    }
    check(text, &lexemes)?;
    let places = lexemes.iter().map(|lexeme| (lexeme.token.span, lexeme.bytes.clone())).collect();
    let lexemes = folded(lexemes);
    check_terms(text, &lexemes)?;
    let tokens: Vec<TokenWithSpan> = lexemes.into_iter().map(as_parsed).collect();
    let dialect = SpanqlDialect::default();
    let mut parser = Parser::new(&dialect).with_recursion_limit(PARSER_LEVELS).with_tokens_with_locations(tokens);
    let mut reader = Reader { text, names, places, notes: vec![] };
    let parsed = parser
        .parse_expr()
        .map_err(|error| FilterError::new("syntax", format!("the filter cannot be read: {error}")).at(text, 0..0))?;
    if parser.peek_token_ref().token != Token::EOF {
        let span = parser.peek_token_ref().span;
        return Err(reader.at(FilterError::new("syntax", "the filter should end here"), span));
    }
    let expr = reader.condition(&parsed)?;
    Ok(Filter { expr, notes: reader.notes })
}

/// The bytes before a place.
fn offset(text: &str, place: Location) -> usize {
    let line: usize = text.split_inclusive('\n').take((place.line as usize).saturating_sub(1)).map(str::len).sum();
    let column = (place.column as usize).saturating_sub(1);
    text[line..].char_indices().nth(column).map_or(text.len(), |(at, _)| line + at)
}

/// Long chains of equalities as IN, also at the beginning of the filter.
fn folded(mut lexemes: Vec<Lexeme>) -> Vec<Lexeme> {
    let word = Word { value: "WHERE".to_owned(), quote_style: None, keyword: Keyword::WHERE };
    lexemes.insert(0, Lexeme { token: TokenWithSpan::wrap(Token::Word(word)), bytes: 0..0 });
    let mut lexemes = fold_equalities(lexemes);
    lexemes.remove(0);
    lexemes
}

fn check_terms(text: &str, lexemes: &[Lexeme]) -> Result<(), FilterError> {
    let mut between = false;
    let mut joins = 0;
    for lexeme in lexemes {
        match role(lexeme) {
            Role::Between => between = true,
            Role::And if between => between = false,
            Role::And | Role::Or => joins += 1,
            _ => continue,
        }
        if joins >= MAX_TERMS {
            let what = format!("too many terms joined by AND and OR: the limit is {MAX_TERMS}");
            let error = FilterError::new("limit", what).at(text, lexeme.bytes.clone());
            return Err(error.help("list values with IN (…)"));
        }
    }
    Ok(())
}

/// Every name as a quoted one: a column may be called like any keyword.
fn as_parsed(lexeme: Lexeme) -> TokenWithSpan {
    let name = role(&lexeme) == Role::Name;
    let mut token = lexeme.token;
    if let Token::Word(word) = &mut token.token
        && name
    {
        word.quote_style.get_or_insert('"');
        word.keyword = Keyword::NoKeyword;
    }
    token
}
