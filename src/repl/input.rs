//! What was typed, cut into statements and commands, finished or not.

use datafusion::sql::sqlparser::tokenizer::{Token, TokenizerError, Whitespace};

use super::command::command_line;
use crate::syntax::{Lexeme, lex_as_far_as_possible};

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A statement, without the semicolon that ends it.
    Statement(String),
    /// A command: a line that begins with a backslash, or with a dot and a letter, without blanks around it.
    Command(String),
}

/// Text cut into things to do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Items {
    /// What is finished, in order.
    pub items: Vec<Item>,
    /// Where what is not finished begins, in bytes: the text from here on is a statement without its semicolon, or
    /// blanks and comments.
    pub rest: usize,
}

impl Items {
    /// Cuts text: a semicolon ends a statement, and the end of the line a command, which begins where a statement could.
    ///
    /// Semicolons in strings, quoted names and comments end nothing.
    pub fn of(text: &str) -> Self {
        let mut items = Items::default();
        'sections: loop {
            let section = &text[items.rest..];
            if let Some(length) = take_command(section, &mut items.items) {
                items.rest += length;
                continue;
            }
            let (lexemes, failed) = lex_as_far_as_possible(section);
            let mut from = 0;
            let mut said = false;
            for lexeme in &lexemes {
                if !said && lexeme.is_blank() && ends_line(lexeme) {
                    // A command may follow a statement or a comment: what comes next is looked at anew.
                    if command_line(section[lexeme.bytes.end..].trim_start_matches([' ', '\t'])).is_some() {
                        items.rest += lexeme.bytes.end;
                        continue 'sections;
                    }
                }
                if lexeme.token.token == Token::SemiColon {
                    if said {
                        items.items.push(Item::Statement(section[from..lexeme.bytes.start].trim().to_owned()));
                    }
                    (from, said) = (lexeme.bytes.end, false);
                    if take_command(&section[from..], &mut Vec::new()).is_some() {
                        items.rest += from;
                        continue 'sections;
                    }
                } else if !lexeme.is_blank() {
                    said = true;
                }
            }
            let read = lexemes.last().map_or(0, |lexeme| lexeme.bytes.end);
            let refused = failed.is_some_and(|error| !may_go_on(&error));
            // What the tokenizer refuses for good is finished where it looks so: planning says what is wrong with it.
            if refused && section.trim_end().ends_with(';') && read < section.len() {
                let statement = section[from..].trim_end();
                items.items.push(Item::Statement(statement[..statement.len() - 1].trim().to_owned()));
                items.rest = text.len();
                return items;
            }
            items.rest += from;
            return items;
        }
    }

    /// Whether something is begun and not finished.
    pub fn is_begun(&self, text: &str) -> bool {
        is_begun(&text[self.rest..])
    }
}

/// Whether the text says more than blanks and finished comments.
fn is_begun(text: &str) -> bool {
    let (lexemes, failed) = lex_as_far_as_possible(text);
    failed.is_some() || lexemes.iter().any(|lexeme| !lexeme.is_blank())
}

/// Takes the command that the text begins with, after blanks; gives the bytes it takes, with the end of its line.
fn take_command(text: &str, items: &mut Vec<Item>) -> Option<usize> {
    let blanks = text.len() - text.trim_start().len();
    let command = command_line(&text[blanks..])?;
    items.push(Item::Command(command.trim_end().to_owned()));
    Some((blanks + command.len() + 1).min(text.len()))
}

fn ends_line(lexeme: &Lexeme) -> bool {
    matches!(
        &lexeme.token.token,
        Token::Whitespace(Whitespace::Newline | Whitespace::SingleLineComment { .. } | Whitespace::MultiLineComment(_))
    )
}

/// Whether more text can make the tokenizer go on: a string, a quoted name or a comment is not closed yet.
fn may_go_on(error: &TokenizerError) -> bool {
    let message = error.message.to_lowercase();
    ["unterminated", "unexpected eof", "expected close delimiter"].iter().any(|open| message.contains(open))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> String {
        let items = Items::of(text);
        let mut lines: Vec<String> = items
            .items
            .iter()
            .map(|item| match item {
                Item::Statement(sql) => format!("S<{sql}>"),
                Item::Command(line) => format!("C<{line}>"),
            })
            .collect();
        if items.is_begun(text) {
            lines.push(format!("…<{}>", text[items.rest..].trim()));
        }
        lines.join(" ")
    }

    #[test]
    fn statements_end_at_semicolons_that_are_tokens() {
        for (text, expected) in [
            ("", ""),
            ("  \n", ""),
            ("SELECT 1;", "S<SELECT 1>"),
            ("SELECT 1", "…<SELECT 1>"),
            ("SELECT 1; SELECT 2;", "S<SELECT 1> S<SELECT 2>"),
            ("SELECT 1; SELECT 2", "S<SELECT 1> …<SELECT 2>"),
            ("SELECT ';' AS a;", "S<SELECT ';' AS a>"),
            ("SELECT ';", "…<SELECT ';>"),
            ("SELECT 'it''s;' ;", "S<SELECT 'it''s;'>"),
            ("SELECT \"a;b\" FROM t;", "S<SELECT \"a;b\" FROM t>"),
            ("SELECT 1 -- no; end\n;", "S<SELECT 1 -- no; end>"),
            ("SELECT 1 -- no; end", "…<SELECT 1 -- no; end>"),
            ("SELECT /* ; \n ; */ 1;", "S<SELECT /* ; \n ; */ 1>"),
            ("SELECT /* ; ", "…<SELECT /* ;>"),
            ("-- only a comment\n", ""),
            ("-- first\nSELECT 1;", "S<-- first\nSELECT 1>"),
            (";;", ""),
            (
                "SELECT attributes.llm.input_messages.0.message.role FROM spans;",
                "S<SELECT attributes.llm.input_messages.0.message.role FROM spans>",
            ),
            ("SELECT 1; x 'open", "S<SELECT 1> …<x 'open>"),
        ] {
            assert_eq!(shown(text), expected, "{text:?}");
        }
    }

    #[test]
    fn commands_are_lines_where_a_statement_could_begin() {
        for (text, expected) in [
            ("\\d", "C<\\d>"),
            ("  \\d spans  ", "C<\\d spans>"),
            (".tables\n", "C<.tables>"),
            ("\\where name = 'it''s' AND x = 'open", "C<\\where name = 'it''s' AND x = 'open>"),
            ("\\! echo \"it's\"\nSELECT 1;", "C<\\! echo \"it's\"> S<SELECT 1>"),
            ("SELECT 1;\n\\d\nSELECT 2;", "S<SELECT 1> C<\\d> S<SELECT 2>"),
            ("SELECT 1; \\x", "S<SELECT 1> C<\\x>"),
            ("SELECT 1\n.5;", "S<SELECT 1\n.5>"),
            ("-- note\n\\x on\nSELECT", "C<\\x on> …<SELECT>"),
            ("SELECT 1;\n-- it's\n\\x\n", "S<SELECT 1> C<\\x>"),
            (".5", "…<.5>"),
        ] {
            assert_eq!(shown(text), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_cut(text in "[ -~\\n;'\"\\\\.$é/*-]{0,60}") {
            let items = Items::of(&text);
            prop_assert!(text.is_char_boundary(items.rest));
            for item in &items.items {
                let (Item::Statement(part) | Item::Command(part)) = item;
                prop_assert!(text.contains(part.as_str()));
            }
        }
    }
}
