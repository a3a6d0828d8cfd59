//! What stands at the cursor: the word that is begun, and what may stand in its place.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::Token;

use spanql_filter::dialect::{Lexeme, lex_as_far_as_possible};

/// What may stand at a place of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// The first word of a statement.
    Beginning,
    /// A table, or a function that makes one.
    Relation,
    /// The name of a parameter, behind `$` or `:`.
    Variable,
    /// A name, a function or a keyword; a value too, if one is compared with this column.
    Expression {
        /// The name on the other side of a comparison, as it was typed.
        compared: Option<String>,
    },
    /// A text that is begun, compared with this column.
    Value {
        /// The name on the other side, as it was typed.
        compared: String,
    },
    /// A text that is begun, as the argument of a function of FROM.
    Argument {
        /// The function, in lower case.
        function: String,
    },
    /// The name of a file that is read as a table, in quotes.
    File,
    /// A text of which nothing is known.
    Text,
}

/// Functions of FROM that take the name of a file.
const READERS: [&str; 6] = ["read_csv", "read_csv_auto", "read_json", "read_json_auto", "read_parquet", "parquet_scan"];

/// A place in a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Where the begun word begins, in bytes; for a text, behind its quote.
    pub(super) start: usize,
    pub(super) kind: Kind,
}

/// What stands at the end of the text, which is a statement up to the cursor.
pub(super) fn place(text: &str) -> Place {
    let (lexemes, failed) = lex_as_far_as_possible(text);
    let read = lexemes.last().map_or(0, |lexeme| lexeme.bytes.end);
    let open = if failed.is_some() { text[read..].chars().next() } else { None };
    let solid: Vec<&Lexeme> = lexemes.iter().filter(|lexeme| !lexeme.is_blank()).collect();
    if open == Some('\'') {
        let start = read + 1;
        let kind = match (compared(&solid), called(&solid)) {
            _ if is_relation(&solid) => Kind::File,
            (Some(compared), _) => Kind::Value { compared },
            (None, Some(function)) if READERS.contains(&function.as_str()) => Kind::File,
            (None, Some(function)) => Kind::Argument { function },
            (None, None) => Kind::Text,
        };
        return Place { start, kind };
    }
    if open.is_some_and(|open| open != '"' && open != '`') {
        return Place { start: text.len(), kind: Kind::Text };
    }
    let start = word_start(text, open.map(|_| read));
    let before: Vec<&Lexeme> = solid.into_iter().filter(|lexeme| lexeme.bytes.start < start).collect();
    if text[start..].starts_with('$') {
        return Place { start, kind: Kind::Variable };
    }
    let kind = match before.last() {
        None => Kind::Beginning,
        Some(_) if is_relation(&before) => Kind::Relation,
        Some(_) => Kind::Expression { compared: compared(&before) },
    };
    Place { start, kind }
}

/// Where the name begins that the text ends with: plain words and quoted ones with dots between, or a parameter.
fn word_start(text: &str, open_quote: Option<usize>) -> usize {
    let mut start = open_quote.unwrap_or(text.len());
    loop {
        let before = &text[..start];
        let Some(last) = before.chars().next_back() else { break };
        if last == '"' && before.len() > 1 {
            // A quoted part, if a name goes on behind it.
            let goes_on = text[start..].starts_with('.');
            match before[..before.len() - 1].rfind('"').filter(|_| goes_on) {
                Some(quote) => start = quote,
                None => break,
            }
        } else if last.is_alphanumeric() || matches!(last, '_' | '.' | '$') {
            start -= last.len_utf8();
            if last == '$' {
                break;
            }
        } else {
            break;
        }
    }
    start
}

/// Whether a table is expected: behind FROM or JOIN, or a comma in the list behind FROM.
fn is_relation(before: &[&Lexeme]) -> bool {
    match before.last().map(|last| (&last.token.token, last.keyword())) {
        Some(_) if names_a_relation(before.len() - 1, before) => true,
        Some((Token::Comma, _)) => {
            let mut depth = 0;
            for lexeme in before.iter().rev() {
                match (&lexeme.token.token, lexeme.keyword()) {
                    (Token::RParen, _) => depth += 1,
                    (Token::LParen, _) if depth == 0 => return false,
                    (Token::LParen, _) => depth -= 1,
                    (_, Keyword::FROM) if depth == 0 => return true,
                    (
                        _,
                        Keyword::SELECT
                        | Keyword::WHERE
                        | Keyword::ON
                        | Keyword::BY
                        | Keyword::HAVING
                        | Keyword::WITH
                        | Keyword::LIMIT,
                    ) if depth == 0 => return false,
                    _ => {}
                }
            }
            false
        }
        _ => false,
    }
}

/// The name that the next value is compared with: behind an operator, or in the list behind IN.
fn compared(before: &[&Lexeme]) -> Option<String> {
    let (last, rest) = before.split_last()?;
    if is_operator(last) {
        let rest = if rest.last().is_some_and(|lexeme| lexeme.keyword() == Keyword::NOT) {
            &rest[..rest.len() - 1]
        } else {
            rest
        };
        return name(rest);
    }
    if !matches!(last.token.token, Token::LParen | Token::Comma) {
        return None;
    }
    // Back over the values that are there already.
    let mut at = before.len();
    while at > 0 && !matches!(before[at - 1].token.token, Token::LParen) {
        at -= 1;
        let is_value = matches!(
            before[at].token.token,
            Token::Comma | Token::SingleQuotedString(_) | Token::Number(..) | Token::Minus | Token::Placeholder(_)
        );
        if !is_value {
            return None;
        }
    }
    let (r#in, rest) = before[..at.checked_sub(1)?].split_last()?;
    if r#in.keyword() != Keyword::IN {
        return None;
    }
    let rest =
        if rest.last().is_some_and(|lexeme| lexeme.keyword() == Keyword::NOT) { &rest[..rest.len() - 1] } else { rest };
    name(rest)
}

fn is_operator(lexeme: &Lexeme) -> bool {
    matches!(lexeme.token.token, Token::Eq | Token::DoubleEq | Token::Neq)
        || matches!(lexeme.keyword(), Keyword::LIKE | Keyword::ILIKE)
        || matches!(&lexeme.token.token, Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("contains"))
}

/// The dotted name that the tokens end with, its parts without quotes.
fn name(before: &[&Lexeme]) -> Option<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut end = None;
    for lexeme in before.iter().rev() {
        if end.is_some_and(|end| lexeme.bytes.end != end) {
            break;
        }
        match &lexeme.token.token {
            Token::Word(word) => parts.push(word.value.clone()),
            Token::Period => parts.push(".".to_owned()),
            // `.0` of an indexed key is a number for the tokenizer.
            Token::Number(number, _) => parts.push(number.clone()),
            _ => break,
        }
        end = Some(lexeme.bytes.start);
    }
    parts.reverse();
    (!parts.is_empty()).then(|| parts.concat())
}

/// The function of which an argument is begun.
fn called(before: &[&Lexeme]) -> Option<String> {
    let [.., function, parenthesis] = before else { return None };
    match (&function.token.token, &parenthesis.token.token) {
        (Token::Word(word), Token::LParen) => Some(word.value.to_lowercase()),
        _ => None,
    }
}

/// Whether a relation is named behind a token.
fn names_a_relation(at: usize, solid: &[&Lexeme]) -> bool {
    match solid[at].keyword() {
        // `IS DISTINCT FROM`, `extract(day FROM t)` and the like have no relations, and harm nobody here.
        Keyword::FROM | Keyword::JOIN | Keyword::DESCRIBE => true,
        Keyword::TABLE => at == 0,
        _ => at == 0 && word(solid[at]).is_some_and(|word| word.eq_ignore_ascii_case("summarize")),
    }
}

/// The names that a statement gives to what it selects, behind AS.
pub(super) fn named(text: &str) -> Vec<String> {
    let lexemes = lex_as_far_as_possible(text).0;
    let solid: Vec<&Lexeme> = lexemes.iter().filter(|lexeme| !lexeme.is_blank()).collect();
    let pairs = solid.windows(2).filter(|pair| pair[0].keyword() == Keyword::AS);
    let names = pairs.filter(|pair| !super::super::highlight::is_shown(pair[1].keyword()));
    names.filter_map(|pair| word(pair[1])).collect()
}

/// The relations that a statement names: what each is called in it, and its name.
pub(super) fn relations(text: &str) -> Vec<(String, String)> {
    let lexemes = lex_as_far_as_possible(text).0;
    let solid: Vec<&Lexeme> = lexemes.iter().filter(|lexeme| !lexeme.is_blank()).collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < solid.len() {
        let is_from = names_a_relation(at, &solid);
        at += 1;
        while is_from || found.is_empty() && at == solid.len() {
            let Some((relation, next)) = relation(&solid, at) else { break };
            found.push(relation);
            at = next;
            match solid.get(at) {
                Some(lexeme) if lexeme.token.token == Token::Comma => at += 1,
                _ => break,
            }
        }
    }
    found
}

/// A relation that begins at a token, and the token behind it.
fn relation(solid: &[&Lexeme], from: usize) -> Option<((String, String), usize)> {
    let mut at = from;
    let mut name = word(solid.get(at)?)?;
    at += 1;
    while solid.get(at).is_some_and(|lexeme| lexeme.token.token == Token::Period) {
        name = format!("{name}.{}", word(solid.get(at + 1)?)?);
        at += 2;
    }
    if solid.get(at).is_some_and(|lexeme| lexeme.token.token == Token::LParen) {
        let mut depth = 0;
        while let Some(lexeme) = solid.get(at) {
            match lexeme.token.token {
                Token::LParen => depth += 1,
                Token::RParen => depth -= 1,
                _ => {}
            }
            at += 1;
            if depth == 0 {
                break;
            }
        }
        name.push('(');
    }
    if solid.get(at).is_some_and(|lexeme| lexeme.keyword() == Keyword::AS) {
        at += 1;
    }
    let alias =
        solid.get(at).filter(|lexeme| !super::super::highlight::is_shown(lexeme.keyword())).and_then(|l| word(l));
    match alias {
        Some(alias) => Some(((alias, name), at + 1)),
        None => Some(((name.trim_end_matches('(').to_owned(), name), at)),
    }
}

fn word(lexeme: &Lexeme) -> Option<String> {
    match &lexeme.token.token {
        Token::Word(word) => Some(word.value.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let Place { start, kind } = place(text);
        format!("{:?} {kind:?}", &text[start..])
    }

    #[test]
    fn the_word_and_what_may_stand_there() {
        for (text, expected) in [
            ("", r#""" Beginning"#),
            ("sel", r#""sel" Beginning"#),
            ("SELECT ", r#""" Expression { compared: None }"#),
            ("SELECT attributes.llm.mo", r#""attributes.llm.mo" Expression { compared: None }"#),
            ("SELECT eval.\"Answer Rel", r#""eval.\"Answer Rel" Expression { compared: None }"#),
            ("SELECT eval.\"Answer Relevance\".sc", r#""eval.\"Answer Relevance\".sc" Expression { compared: None }"#),
            ("SELECT * FROM ", r#""" Relation"#),
            ("SELECT * FROM spans s JOIN tr", r#""tr" Relation"#),
            ("SELECT * FROM spans s, tr", r#""tr" Relation"#),
            ("SELECT a, b", r#""b" Expression { compared: None }"#),
            ("SELECT f(a, b", r#""b" Expression { compared: None }"#),
            ("SELECT * FROM spans WHERE a = ", r#""" Expression { compared: Some("a") }"#),
            (
                "SELECT * FROM spans WHERE s.attributes.llm.provider = 'o",
                r#""o" Value { compared: "s.attributes.llm.provider" }"#,
            ),
            ("SELECT * FROM spans WHERE kind IN (", r#""" Expression { compared: Some("kind") }"#),
            ("SELECT * FROM spans WHERE kind NOT IN ('LLM', '", r#""" Value { compared: "kind" }"#),
            ("SELECT * FROM trace('ab", r#""ab" Argument { function: "trace" }"#),
            ("SELECT * FROM 'la", r#""la" File"#),
            ("FROM spans s JOIN 'dir/la", r#""dir/la" File"#),
            ("FROM spans, 'la", r#""la" File"#),
            ("SUMMARIZE 'la", r#""la" File"#),
            ("SELECT * FROM read_csv('la", r#""la" File"#),
            ("SUMMARIZE sp", r#""sp" Relation"#),
            ("TABLE sp", r#""sp" Relation"#),
            ("FROM spans SELECT na", r#""na" Expression { compared: None }"#),
            ("SELECT list_filter(x, e -> e > 1), na", r#""na" Expression { compared: None }"#),
            ("SELECT 'ab", r#""ab" Text"#),
            ("SELECT /* fr", r#""" Text"#),
            ("SELECT $si", r#""$si" Variable"#),
        ] {
            assert_eq!(shown(text), expected, "{text:?}");
        }
    }

    #[test]
    fn relations_have_names_and_aliases() {
        let shown = |text: &str| {
            let all = relations(text).into_iter().map(|(alias, name)| format!("{alias}={name}"));
            all.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(shown("SELECT FROM spans"), "spans=spans");
        assert_eq!(shown("SELECT FROM spans s JOIN traces AS t ON s.x = t.x"), "s=spans t=traces");
        assert_eq!(shown("SELECT FROM spans, traces t WHERE"), "spans=spans t=traces");
        assert_eq!(shown("SELECT FROM trace('x') t WHERE"), "t=trace(");
        assert_eq!(shown("SELECT FROM arize.\"my-project\" WHERE 'open"), "arize.my-project=arize.my-project");
        assert_eq!(shown("SELECT 1"), "");
    }
}
