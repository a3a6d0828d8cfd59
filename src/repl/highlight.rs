//! Colours of what is typed: token by token, whatever is not finished.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Whitespace};

use super::command::{self, command_line};
use spanql_filter::dialect::{Lexeme, lex_as_far_as_possible};

/// Text longer than this is shown plain: it was pasted, and every key would colour all of it anew.
const LONGEST: usize = 64 << 10;

const PLAIN: &str = "\x1b[0m";
const KEYWORD: &str = "\x1b[1;34m";
const TEXT: &str = "\x1b[32m";
const NUMBER: &str = "\x1b[36m";
const PARAMETER: &str = "\x1b[35m";
const COMMENT: &str = "\x1b[2m";
const COMMAND: &str = "\x1b[1;35m";
const WRONG: &str = "\x1b[31m";

/// Colours a text; without the colours it is the same text.
///
/// What cannot be read any further is a text, a name or a comment that is not closed yet, and is coloured as one.
pub fn highlight(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 2);
    if text.len() > LONGEST {
        return text.to_owned();
    }
    let blanks = text.len() - text.trim_start().len();
    if let Some(line) = command_line(&text[blanks..]) {
        out.push_str(&text[..blanks]);
        command_in_colour(line, &mut out);
        out.push_str(&text[blanks + line.len()..]);
        return out;
    }
    sql(text, &mut out);
    out
}

fn command_in_colour(line: &str, out: &mut String) {
    let (name, _) = command::parts(line);
    // The backslash or dot, which may stand there more than once, belongs to the name.
    let end = line.len() - line.trim_start_matches(['\\', '.']).len() + name.len();
    paint(&line[..end], if command::find(name).is_ok() { COMMAND } else { WRONG }, out);
    sql(&line[end..], out);
}

fn sql(text: &str, out: &mut String) {
    let (lexemes, failed) = lex_as_far_as_possible(text);
    let mut read = 0;
    for (at, lexeme) in lexemes.iter().enumerate() {
        let part = &text[lexeme.bytes.clone()];
        match colour(lexeme, at.checked_sub(1).and_then(|before| lexemes.get(before))) {
            Some(colour) => paint(part, colour, out),
            None => out.push_str(part),
        }
        read = lexeme.bytes.end;
    }
    let rest = &text[read..];
    if failed.is_none() || rest.is_empty() {
        out.push_str(rest);
    } else if rest.starts_with("/*") {
        paint(rest, COMMENT, out);
    } else if rest.starts_with('"') || rest.starts_with('`') {
        out.push_str(rest);
    } else {
        paint(rest, TEXT, out);
    }
}

fn colour(lexeme: &Lexeme, before: Option<&Lexeme>) -> Option<&'static str> {
    match &lexeme.token.token {
        Token::Word(word) if word.quote_style.is_none() => {
            let in_name = before.is_some_and(|before| before.token.token == Token::Period);
            let shown = word.keyword != Keyword::NoKeyword && is_shown(word.keyword) && !in_name;
            let own = OWN.iter().any(|own| own.eq_ignore_ascii_case(&word.value)) && !in_name;
            (shown || own).then_some(KEYWORD)
        }
        Token::SingleQuotedString(_)
        | Token::EscapedStringLiteral(_)
        | Token::NationalStringLiteral(_)
        | Token::HexStringLiteral(_)
        | Token::DollarQuotedString(_) => Some(TEXT),
        Token::Number(..) => Some(NUMBER),
        Token::Placeholder(_) => Some(PARAMETER),
        Token::Whitespace(Whitespace::SingleLineComment { .. } | Whitespace::MultiLineComment(_)) => Some(COMMENT),
        _ => None,
    }
}

/// Whether a keyword is one in the SQL that is asked here: sqlparser knows those of all dialects, names among them.
pub(super) fn is_shown(keyword: Keyword) -> bool {
    SHOWN.contains(&keyword)
}

/// Words of ours that are coloured and completed as keywords are.
pub(super) const OWN: [&str; 4] = ["CONTAINS", "LAMBDA", "MATERIALIZED", "SUMMARIZE"];

/// The keywords that are coloured and completed.
pub(super) const SHOWN: &[Keyword] = &[
    Keyword::ALL,
    Keyword::ANALYZE,
    Keyword::AND,
    Keyword::ANY,
    Keyword::ARRAY,
    Keyword::AS,
    Keyword::ASC,
    Keyword::BETWEEN,
    Keyword::BY,
    Keyword::CASE,
    Keyword::CAST,
    Keyword::CROSS,
    Keyword::DESC,
    Keyword::DESCRIBE,
    Keyword::DISTINCT,
    Keyword::ELSE,
    Keyword::END,
    Keyword::ESCAPE,
    Keyword::EXCEPT,
    Keyword::EXCLUDE,
    Keyword::EXISTS,
    Keyword::EXPLAIN,
    Keyword::EXTRACT,
    Keyword::FALSE,
    Keyword::FETCH,
    Keyword::FILTER,
    Keyword::FIRST,
    Keyword::FROM,
    Keyword::FULL,
    Keyword::GROUP,
    Keyword::HAVING,
    Keyword::ILIKE,
    Keyword::IN,
    Keyword::INNER,
    Keyword::INTERSECT,
    Keyword::INTERVAL,
    Keyword::IS,
    Keyword::JOIN,
    Keyword::LAST,
    Keyword::LEFT,
    Keyword::LIKE,
    Keyword::LIMIT,
    Keyword::NOT,
    Keyword::NULL,
    Keyword::NULLS,
    Keyword::OFFSET,
    Keyword::ON,
    Keyword::OR,
    Keyword::ORDER,
    Keyword::OUTER,
    Keyword::OVER,
    Keyword::PARTITION,
    Keyword::QUALIFY,
    Keyword::RENAME,
    Keyword::REPLACE,
    Keyword::RIGHT,
    Keyword::SELECT,
    Keyword::SHOW,
    Keyword::TABLE,
    Keyword::TABLES,
    Keyword::THEN,
    Keyword::TIMESTAMP,
    Keyword::TRUE,
    Keyword::TRY_CAST,
    Keyword::UNION,
    Keyword::UNNEST,
    Keyword::USING,
    Keyword::VALUES,
    Keyword::WHEN,
    Keyword::WHERE,
    Keyword::WINDOW,
    Keyword::WITH,
    Keyword::WITHIN,
];

/// Colours each line for itself: a line editor may write them one by one.
fn paint(text: &str, colour: &str, out: &mut String) {
    for (at, line) in text.split('\n').enumerate() {
        if at > 0 {
            out.push('\n');
        }
        if !line.is_empty() {
            out.push_str(colour);
            out.push_str(line);
            out.push_str(PLAIN);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn marked(text: &str) -> String {
        highlight(text)
            .replace(PLAIN, ">")
            .replace(KEYWORD, "k<")
            .replace(TEXT, "t<")
            .replace(NUMBER, "n<")
            .replace(PARAMETER, "p<")
            .replace(COMMENT, "c<")
            .replace(COMMAND, "C<")
            .replace(WRONG, "w<")
    }

    #[test]
    fn tokens_have_colours() {
        for (text, expected) in [
            ("select 1 from spans", "k<select> n<1> k<from> spans"),
            ("WHERE a.from = 'it''s'", "k<WHERE> a.from = t<'it''s'>"),
            ("SELECT 'open from", "k<SELECT> t<'open from>"),
            ("SELECT /* open\nfrom", "k<SELECT> c</* open>\nc<from>"),
            ("SELECT \"open from", "k<SELECT> \"open from"),
            ("a CONTAINS $x -- why", "a k<CONTAINS> p<$x> c<-- why>"),
            ("\\where a IN ('x')", "C<\\where> a k<IN> (t<'x'>)"),
            ("  .tables x", "  C<.tables> x"),
            ("\\nothing x", "w<\\nothing> x"),
            ("from spans select * exclude (x)", "k<from> spans k<select> * k<exclude> (x)"),
            ("SUMMARIZE 'a.csv'", "k<SUMMARIZE> t<'a.csv'>"),
            ("GROUP BY ALL QUALIFY x", "k<GROUP> k<BY> k<ALL> k<QUALIFY> x"),
            ("list_filter(x, e -> e > 1)", "list_filter(x, e -> e > n<1>)"),
            ("", ""),
        ] {
            assert_eq!(marked(text), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn only_colours_are_added(text in "[ -~\\n;'\"\\\\.$é漢/*-]{0,80}") {
            let plain = [PLAIN, KEYWORD, TEXT, NUMBER, PARAMETER, COMMENT, COMMAND, WRONG]
                .iter()
                .fold(highlight(&text), |text, colour| text.replace(colour, ""));
            prop_assert_eq!(plain, text);
        }
    }
}
