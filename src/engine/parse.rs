//! From SQL text to syntax trees: limits, dotted names, item texts, parameters.

use datafusion::error::DataFusionError;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::ParserError;
use datafusion::sql::sqlparser::tokenizer::{Location, TokenWithSpan};

use super::error::EngineError;
use super::items::{ItemTexts, item_texts};
use super::limits::{check_length, check_names, check_shape, check_statements};
use super::params::{Params, bind_params, named_params};
use super::summarize::summarized;
use spanql_filter::dialect::{
    JoinedNames, Lexeme, SpanqlDialect, fold_equalities, join_dotted_names, known_forms, lex, split_statements,
};

/// The parser counts some levels of ours several times: a subquery in parentheses is a prefix, a query and a body.
const PARSER_LEVELS: usize = 400;

/// A statement with what the names in it need beside the syntax tree.
#[derive(Debug, Clone)]
pub(crate) struct Parsed {
    pub(crate) statement: Statement,
    pub(crate) texts: ItemTexts,
    pub(crate) joined: JoinedNames,
    pub(crate) words: Words,
    /// Whether what its columns hold is asked for, not its rows.
    pub(crate) summarize: bool,
}

/// The tokens of a statement as keywords (`NoKeyword` for all others), and their places.
pub(crate) type Words = Vec<(Keyword, Location)>;

/// Parses all statements of a text, with the parameters put in.
///
/// Must run on a thread with a large stack: what the limits let through may nest thousands of levels deep.
pub(crate) fn parse(sql: &str, params: &Params) -> Result<Vec<Parsed>, EngineError> {
    parse_with(sql, Given::Values(params))
}

/// The names of the parameters of a text, each once, in the order in which they stand there first.
///
/// Must run on a thread with a large stack, as [`parse`] must.
pub(crate) fn parameters(sql: &str) -> Result<Vec<String>, EngineError> {
    let mut found = Vec::new();
    for mut parsed in parse_with(sql, Given::Later)? {
        found.extend(named_params(&mut parsed.statement)?);
    }
    found.sort();
    let mut names: Vec<String> = Vec::new();
    for (_, name) in found {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

/// What is known of the values of parameters.
#[derive(Clone, Copy)]
enum Given<'a> {
    Values(&'a Params),
    /// Nothing yet.
    Later,
}

impl Given<'_> {
    fn put_into(self, statement: &mut Statement) -> Result<(), EngineError> {
        match self {
            Self::Values(params) => bind_params(statement, params),
            Self::Later => Ok(()),
        }
    }
}

fn parse_with(sql: &str, params: Given<'_>) -> Result<Vec<Parsed>, EngineError> {
    check_length(sql)?;
    let lexemes = lex(sql)?;
    check_names(&lexemes)?;
    let (lexemes, joined) = join_dotted_names(sql, lexemes);
    let statements = split_statements(lexemes);
    check_statements(statements.len())?;
    statements.into_iter().map(|lexemes| parse_one(sql, lexemes, &joined, params)).collect()
}

fn parse_one(sql: &str, lexemes: Vec<Lexeme>, joined: &JoinedNames, params: Given<'_>) -> Result<Parsed, EngineError> {
    let texts = item_texts(sql, &lexemes);
    let lexemes: Vec<Lexeme> = lexemes.into_iter().filter(|lexeme| !lexeme.is_blank()).collect();
    let joined = lexemes.iter().filter_map(|l| Some((l.start(), joined.get(&l.start())?.clone()))).collect();
    let (lexemes, summarize) = match summarized(&lexemes) {
        Some(query) => (query, true),
        None => (lexemes, false),
    };
    let lexemes = fold_equalities(known_forms(lexemes));
    check_shape(&lexemes)?;
    check_first(&lexemes)?;
    let end = lexemes.last().map_or(Location { line: 1, column: 1 }, |lexeme| lexeme.token.span.end);
    let words = lexemes.iter().map(|lexeme| (lexeme.keyword(), lexeme.start())).collect();
    let dialect = SpanqlDialect::of(&lexemes);
    let tokens: Vec<TokenWithSpan> = lexemes.into_iter().map(|lexeme| lexeme.token).collect();
    let mut parser = DFParserBuilder::new(tokens)
        .with_dialect(&dialect)
        .with_recursion_limit(PARSER_LEVELS)
        .build()
        .map_err(|error| EngineError::from_datafusion(&error))?;
    let mut statements = parser.parse_statements().map_err(|error| syntax_error(&error).at_end(end))?;
    let mut statement = statements.pop_front().ok_or_else(|| EngineError::new("syntax", "there is no statement"))?;
    params.put_into(&mut statement)?;
    Ok(Parsed { statement, texts, joined, words, summarize })
}

/// Refuses statements of DuckDB that the grammar knows nothing of.
fn check_first(lexemes: &[Lexeme]) -> Result<(), EngineError> {
    let Some(first) = lexemes.first() else { return Ok(()) };
    match first.keyword() {
        word @ (Keyword::PIVOT | Keyword::UNPIVOT) => {
            let help = match word {
                Keyword::PIVOT => "write a column for each value: count(*) FILTER (WHERE kind = 'LLM') AS llm",
                _ => "write a SELECT for each column, joined by UNION ALL",
            };
            Err(EngineError::new("not-supported", format!("{word:?} is not supported")).at(first.start()).help(help))
        }
        _ => Ok(()),
    }
}

fn syntax_error(error: &DataFusionError) -> EngineError {
    match error.find_root() {
        DataFusionError::SQL(parser, _) => match parser.as_ref() {
            ParserError::RecursionLimitExceeded => {
                EngineError::new("limit", "the statement nests too deep").help("use WITH to name its inner parts")
            }
            ParserError::ParserError(message) | ParserError::TokenizerError(message) => EngineError::syntax(message),
        },
        _ => EngineError::from_datafusion(error),
    }
}
