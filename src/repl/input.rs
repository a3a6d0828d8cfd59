//! What was typed, cut into statements and commands, finished or not.

use datafusion::sql::sqlparser::tokenizer::{Token, TokenizerError, Whitespace};

use super::command::command_line;
use spanql_filter::dialect::{Lexeme, lex_as_far_as_possible};

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
    /// Where each of them begins, in bytes.
    pub starts: Vec<usize>,
    /// Where what is not finished begins, in bytes: the text from here on is a statement without its semicolon, or
    /// blanks and comments.
    pub rest: usize,
    /// The character without which what is not finished cannot end: that of an open quote or comment.
    pub open: Option<char>,
}

impl Items {
    /// Cuts text: a semicolon ends a statement, and the end of the line a command, which begins where a statement could.
    ///
    /// Semicolons in strings, quoted names and comments end nothing.
    pub fn of(text: &str) -> Self {
        let mut items = Items::default();
        // Text is read up to the next line that looks like a command, and further only if that is not one.
        let mut read = 0;
        while items.rest < text.len() {
            if items.take_command(text) {
                continue;
            }
            if read <= items.rest {
                read = section_end(text, items.rest);
            }
            items.take_statements(text, read);
            if command_line(text[items.rest..].trim_start()).is_some() {
                continue;
            }
            if read == text.len() {
                return items;
            }
            if is_begun(&text[items.rest..read]) {
                // Twice as much at least, so that a long statement is not read over and over.
                read = section_end(text, (items.rest + 2 * (read - items.rest)).min(text.len()));
            } else {
                items.rest = read;
            }
        }
        items
    }

    /// What the text says to do, each with blanks for what stands before it.
    pub fn placed(&self, text: &str, script: Script) -> Vec<(Item, String)> {
        let items = self.items.iter().cloned().zip(&self.starts);
        items.map(|(item, &start)| (item, script.blanks(&text[..start]))).collect()
    }

    /// Takes the command that the rest begins with, after blanks.
    fn take_command(&mut self, text: &str) -> bool {
        let rest = &text[self.rest..];
        let blanks = rest.len() - rest.trim_start().len();
        let Some(command) = command_line(&rest[blanks..]) else { return false };
        let start = self.rest + blanks;
        self.push(Item::Command(command.trim_end().to_owned()), start);
        self.rest = (start + command.len() + 1).min(text.len());
        while !text.is_char_boundary(self.rest) {
            self.rest += 1;
        }
        true
    }

    /// Takes the statements of the rest up to a place, and no further than to a command.
    fn take_statements(&mut self, text: &str, end: usize) {
        let section = &text[self.rest..end];
        let begin = self.rest;
        let (lexemes, failed) = lex_as_far_as_possible(section);
        let mut from = 0;
        let mut said = false;
        for lexeme in &lexemes {
            if lexeme.token.token == Token::SemiColon {
                if said {
                    self.push_statement(&section[from..lexeme.bytes.start], begin + from);
                }
                said = false;
                from = lexeme.bytes.end;
                self.rest = begin + from;
                if command_line(section[from..].trim_start()).is_some() {
                    return;
                }
            } else if !lexeme.is_blank() {
                said = true;
            } else if !said && ends_line(lexeme) && command_line(section[lexeme.bytes.end..].trim_start()).is_some() {
                // A comment stands before a command.
                self.rest = begin + lexeme.bytes.end;
                return;
            }
        }
        let read = lexemes.last().map_or(0, |lexeme| lexeme.bytes.end);
        self.open = failed.as_ref().and_then(|_| section[read..].chars().next());
        let refused = failed.is_some_and(|error| !may_go_on(&error));
        // What the tokenizer refuses for good is finished where it looks so: planning says what is wrong with it.
        if refused && end == text.len() && section.trim_end().ends_with(';') && read < section.len() {
            let statement = section[from..].trim_end();
            self.push_statement(&statement[..statement.len() - 1], begin + from);
            self.rest = end;
        }
    }

    /// Takes a statement whose text begins, blanks included, at a place.
    fn push_statement(&mut self, text: &str, at: usize) {
        let blanks = text.len() - text.trim_start().len();
        self.push(Item::Statement(text.trim().to_owned()), at + blanks);
    }

    fn push(&mut self, item: Item, start: usize) {
        self.items.push(item);
        self.starts.push(start);
    }

    /// Whether something is begun and not finished.
    pub fn is_begun(&self, text: &str) -> bool {
        is_begun(&text[self.rest..])
    }
}

/// The begin of the first line behind a place that looks like a command, else the end of the text.
fn section_end(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at += 1;
    }
    while let Some(end) = text[at..].find('\n') {
        at += end + 1;
        if command_line(text[at..].trim_start_matches([' ', '\t'])).is_some() {
            return at;
        }
    }
    text.len()
}

/// What of a script was cut before: errors name lines of the whole.
#[derive(Debug, Clone, Copy, Default)]
pub struct Script {
    lines: usize,
    columns: usize,
}

/// Lines beyond which errors name those of their statement.
const MOST_LINES: usize = 10_000;

impl Script {
    /// Goes on behind a text.
    pub fn pass(&mut self, text: &str) {
        match text.rfind('\n') {
            Some(end) => {
                self.lines += text.matches('\n').count();
                self.columns = text[end + 1..].chars().count();
            }
            None => self.columns += text.chars().count(),
        }
    }

    /// Blanks that stand for a text before a statement, so that its places are those of the script.
    pub fn blanks(mut self, before: &str) -> String {
        self.pass(before);
        if self.lines > MOST_LINES {
            return String::new();
        }
        "\n".repeat(self.lines) + &" ".repeat(self.columns)
    }
}

/// Whether the text says more than blanks and finished comments.
fn is_begun(text: &str) -> bool {
    let (lexemes, failed) = lex_as_far_as_possible(text);
    failed.is_some() || lexemes.iter().any(|lexeme| !lexeme.is_blank())
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
            ("SELECT 'a\n\\d\nb';\n\\d\n", "S<SELECT 'a\n\\d\nb'> C<\\d>"),
            ("SELECT 1,\n\\d\n2;", "S<SELECT 1,\n\\d\n2>"),
            ("\\x\r\nSELECT 1;\r\n\\x\r\n", "C<\\x> S<SELECT 1> C<\\x>"),
        ] {
            assert_eq!(shown(text), expected, "{text:?}");
        }
    }

    #[test]
    fn many_pairs_are_cut_one_after_the_other() {
        let pair = "\\set a 1\nSELECT 1;\n";
        assert_eq!(Items::of(&pair.repeat(20_000)).items.len(), 40_000);
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
