//! SQL text as tokens whose places in the text are kept, and the joining of dotted names.

use std::collections::HashMap;
use std::ops::Range;

use sqlparser::dialect::Dialect;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer, TokenizerError, Word};

use super::lexeme::Lexeme;
use super::sql_dialect::SpanqlDialect;
use spanql_model::names::DOTTED_ROOTS;

/// The parts of names that were joined into one identifier, by the place of that identifier.
pub type JoinedNames = HashMap<Location, Vec<String>>;

/// Reads the whole text, blanks and comments included; the tokens cover it without gaps.
pub fn lex(sql: &str) -> Result<Vec<Lexeme>, TokenizerError> {
    let (lexemes, failed) = lex_as_far_as_possible(sql);
    failed.map_or(Ok(lexemes), Err)
}

/// Reads text that may not be finished: the tokens up to the first that cannot be read, and why that one cannot.
///
/// The tokens cover the text without gaps up to there.
pub fn lex_as_far_as_possible(sql: &str) -> (Vec<Lexeme>, Option<TokenizerError>) {
    let dialect = SpanqlDialect::default();
    let mut tokens = Vec::new();
    let failed = Tokenizer::new(&dialect, sql).tokenize_with_location_into_buf(&mut tokens).err();
    // The end of the last token is known where nothing follows it.
    let end = tokens.last().map(|token| token.span.end).filter(|_| failed.is_some());
    let places = byte_offsets(sql, tokens.iter().map(|token| token.span.start).chain(end));
    let ends: Vec<usize> = places.iter().copied().skip(1).chain([sql.len()]).collect();
    let lexemes = tokens.into_iter().zip(places.into_iter().zip(ends));
    (lexemes.map(|(token, (start, end))| Lexeme { token, bytes: start..end }).collect(), failed)
}

/// The byte offsets of places in ascending order.
fn byte_offsets(sql: &str, places: impl Iterator<Item = Location>) -> Vec<usize> {
    let mut chars = sql.char_indices().peekable();
    let (mut line, mut column) = (1, 1);
    places
        .map(|place| {
            while (line, column) < (place.line, place.column) {
                match chars.next() {
                    Some((_, '\n')) => (line, column) = (line + 1, 1),
                    Some(_) => column += 1,
                    None => break,
                }
            }
            chars.peek().map_or(sql.len(), |&(offset, _)| offset)
        })
        .collect()
}

/// Cuts the tokens at semicolons; statements of blanks only are left out.
pub fn split_statements(lexemes: Vec<Lexeme>) -> Vec<Vec<Lexeme>> {
    let mut statements = vec![vec![]];
    for lexeme in lexemes {
        if lexeme.token.token == Token::SemiColon {
            statements.push(vec![]);
        } else if let Some(last) = statements.last_mut() {
            last.push(lexeme);
        }
    }
    statements.retain(|statement| statement.iter().any(|lexeme| !lexeme.is_blank()));
    statements
}

/// One part of a dotted name as it stands in the text.
struct Part {
    value: String,
    bytes: Range<usize>,
}

/// Reads the dotted name that begins at `from`: words, numbers and quoted words with dots and nothing else between.
fn dotted_parts(sql: &str, from: usize) -> Vec<Part> {
    let dialect = SpanqlDialect::default();
    let mut parts = vec![];
    let mut at = from;
    loop {
        let rest = &sql[at..];
        let Some(first) = rest.chars().next() else { break };
        let (value, length) = if first == '"' || first == '`' {
            match quoted_part(rest, first) {
                Some(part) => part,
                None => break,
            }
        } else {
            let end = rest.find(|c| !dialect.is_identifier_part(c)).unwrap_or(rest.len());
            (rest[..end].to_owned(), end)
        };
        if length == 0 {
            break;
        }
        parts.push(Part { value, bytes: at..at + length });
        at += length;
        if !sql[at..].starts_with('.') {
            break;
        }
        at += 1;
    }
    parts
}

/// The text inside the quotes that `rest` begins with (a doubled quote stands for one), and its length with them.
fn quoted_part(rest: &str, quote: char) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((offset, c)) = chars.next() {
        if c != quote {
            value.push(c);
        } else if chars.peek().is_some_and(|&(_, next)| next == quote) {
            value.push(quote);
            chars.next();
        } else {
            return Some((value, offset + quote.len_utf8()));
        }
    }
    None
}

/// Before the root of a dotted name there may be a table alias, or a table with its schema and catalog.
const MAX_QUALIFIERS: usize = 3;

/// Joins every dotted name that has one of the known roots into one quoted identifier, from the root on.
///
/// The parts of each joined name are recorded: whether `eval.label` is the column `eval.label` or the column `label`
/// of a relation that the statement calls `eval` is decided later, where the relations are known.
pub fn join_dotted_names(sql: &str, lexemes: Vec<Lexeme>) -> (Vec<Lexeme>, JoinedNames) {
    let mut out: Vec<Lexeme> = Vec::with_capacity(lexemes.len());
    let mut joined = JoinedNames::new();
    let mut rest = lexemes.into_iter().peekable();
    while let Some(lexeme) = rest.next() {
        let begins_name = matches!(&lexeme.token.token, Token::Word(_))
            && out.last().is_none_or(|previous| previous.token.token != Token::Period);
        if !begins_name {
            out.push(lexeme);
            continue;
        }
        let parts = dotted_parts(sql, lexeme.bytes.start);
        let root = parts.iter().take(MAX_QUALIFIERS + 1).position(|part| DOTTED_ROOTS.contains(&part.value.as_str()));
        let Some(root) = root.filter(|root| root + 1 < parts.len()) else {
            out.push(lexeme);
            continue;
        };
        let (begin, end) = (parts[root].bytes.start, parts[parts.len() - 1].bytes.end);
        let mut start = lexeme.start();
        let mut current = Some(lexeme);
        while let Some(token) = current.take_if(|token| token.bytes.start < begin) {
            out.push(token);
            current = rest.next();
        }
        if let Some(token) = &current {
            start = token.start();
        }
        let mut last = current;
        while let Some(next) = rest.next_if(|next| next.bytes.start < end) {
            last = Some(next);
        }
        let names: Vec<String> = parts.into_iter().skip(root).map(|part| part.value).collect();
        let width = sql[begin..end].chars().count() as u64;
        let stop = Location { line: start.line, column: start.column + width };
        let word = Word { value: names.join("."), quote_style: Some('"'), keyword: Keyword::NoKeyword };
        out.push(Lexeme { token: TokenWithSpan::new(Token::Word(word), Span::new(start, stop)), bytes: begin..end });
        joined.insert(start, names);
        if let Some(last) = last.filter(|last| last.bytes.end > end) {
            out.extend(relex(sql, end..last.bytes.end, stop));
        }
    }
    (out, joined)
}

/// Reads again what was left of a token of which a name took the beginning, as in `attributes.x.1e-5`.
fn relex(sql: &str, bytes: Range<usize>, start: Location) -> Vec<Lexeme> {
    let shift = |place: Location| Location {
        line: place.line + start.line - 1,
        column: if place.line == 1 { place.column + start.column - 1 } else { place.column },
    };
    let mut lexemes = lex(&sql[bytes.clone()]).unwrap_or_default();
    for lexeme in &mut lexemes {
        lexeme.bytes = lexeme.bytes.start + bytes.start..lexeme.bytes.end + bytes.start;
        lexeme.token.span = Span::new(shift(lexeme.token.span.start), shift(lexeme.token.span.end));
    }
    lexemes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(sql: &str) -> String {
        let (lexemes, _) = join_dotted_names(sql, lex(sql).unwrap());
        lexemes.iter().map(|lexeme| lexeme.token.token.to_string()).collect()
    }

    #[test]
    fn tokens_cover_the_text() {
        for sql in ["SELECT 'é', \"ü\" -- x\n FROM t /* y\n */ WHERE a=$1;", "", "a.b.0.c", "SELECT $$x\ny$$,\r\n  1"]
        {
            let lexemes = lex(sql).unwrap();
            let mut at = 0;
            for lexeme in &lexemes {
                assert_eq!(lexeme.bytes.start, at, "{sql}");
                at = lexeme.bytes.end;
            }
            assert_eq!(at, sql.len());
        }
    }

    #[test]
    fn statements_end_at_semicolons() {
        let split = |sql: &str| {
            let statements = split_statements(lex(sql).unwrap());
            let text =
                |lexemes: Vec<Lexeme>| lexemes.iter().map(|lexeme| &sql[lexeme.bytes.clone()]).collect::<String>();
            statements.into_iter().map(text).collect::<Vec<_>>()
        };
        assert_eq!(split("SELECT 1; -- none\n;;SELECT ';'"), ["SELECT 1", "SELECT ';'"]);
        assert_eq!(split(" ;"), [""; 0]);
    }

    #[test]
    fn joins_dotted_names() {
        for (sql, expected) in [
            ("SELECT attributes.llm.model_name", "SELECT \"attributes.llm.model_name\""),
            ("eval.\"Answer Relevance\".score+1", "\"eval.Answer Relevance.score\"+1"),
            ("attributes.llm.input_messages.0.message.role", "\"attributes.llm.input_messages.0.message.role\""),
            ("s.context.trace_id=t.x", "s.\"context.trace_id\"=t.x"),
            ("a.b.c.attributes.user.id", "a.b.c.\"attributes.user.id\""),
            ("a.b.c.d.attributes.user.id", "a.b.c.d.attributes.user.id"),
            ("EXCEPT(attributes.x,name)", "EXCEPT(\"attributes.x\",name)"),
            (
                "'attributes.x' \"attributes.x\" /* attributes.x */ $$attributes.x$$",
                "'attributes.x' \"attributes.x\" /* attributes.x */ $$attributes.x$$",
            ),
            ("metadata, metadata.tier, m.metadata", "metadata, \"metadata.tier\", m.metadata"),
            ("attributes.x::int", "\"attributes.x\"::int"),
            ("attributes.x.1e-5", "\"attributes.x.1e\"-5"),
            ("eval.*", "eval.*"),
            ("attributes.a . b", "\"attributes.a\" . b"),
            ("attributes.select.from.where", "\"attributes.select.from.where\""),
            ("attributes.0.1.2.x", "\"attributes.0.1.2.x\""),
            ("json_get(attributes.metadata,'a')", "json_get(\"attributes.metadata\",'a')"),
        ] {
            assert_eq!(joined(sql), expected, "{sql}");
        }
    }

    #[test]
    fn keeps_places() {
        let sql = "SELECT 'é',\n  s.attributes.x.1e-5";
        let (lexemes, names) = join_dotted_names(sql, lex(sql).unwrap());
        assert_eq!(
            names.get(&Location { line: 2, column: 5 }),
            Some(&vec!["attributes".to_owned(), "x".to_owned(), "1e".to_owned()])
        );
        let last = lexemes.last().unwrap();
        assert_eq!((last.start(), &sql[last.bytes.clone()]), (Location { line: 2, column: 21 }, "5"));
    }
}
