//! What was typed, cut into statements and commands, finished or not.

use datafusion::sql::sqlparser::tokenizer::{Token, TokenizerError, Whitespace};

use super::command::{command_line, takes_statement};
use spanql_filter::dialect::{Lexeme, lex_as_far_as_possible};

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A statement, without the semicolon that ends it.
    Statement(String),
    /// A command: a line that begins with a backslash, or with a dot and a letter, without blanks around it.
    Command(String),
    /// A command in the middle of a statement: from a backslash to the end of the line. Whether it takes the statement or
    /// leaves it alone, so that it goes on behind the line, is the command's to say.
    Within {
        /// The command, without blanks around it.
        command: String,
        /// The statement as far as it was typed.
        begun: String,
    },
}

/// The command that a line stands for which people type to leave or to get help, alone and in any case.
pub fn bare(line: &str) -> Option<Item> {
    let word = line.trim().trim_end_matches(';').trim_end().to_ascii_lowercase();
    let word = if word == "?" { "help" } else { word.as_str() };
    ["exit", "quit", "help"].contains(&word).then(|| Item::Command(format!("\\{word}")))
}

/// Text cut into things to do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Items {
    /// What is finished, in order.
    pub items: Vec<Item>,
    /// Where each of them begins, in bytes; for a command in the middle of a statement, where the statement does.
    pub starts: Vec<usize>,
    /// The text, with blanks in place of commands in the middle of statements that go on.
    pub text: String,
    /// Where what is not finished begins, in bytes: the text from here on is a statement without its semicolon, or
    /// blanks and comments.
    pub rest: usize,
    /// The character without which what is not finished cannot end: that of an open quote or comment.
    pub open: Option<char>,
    /// Where the command begins that the text ends with, if it does.
    pub command: Option<usize>,
}

impl Items {
    /// Cuts text: a semicolon ends a statement, and the end of the line a command. A command begins where a statement could,
    /// and one with a backslash in the middle of a statement, too.
    ///
    /// Semicolons and backslashes in strings, quoted names and comments are text.
    pub fn of(text: &str) -> Self {
        let mut items = Items { text: text.to_owned(), ..Items::default() };
        // Text is read up to the next place that looks like a command, and further only if that is not one.
        let mut read = 0;
        while items.rest < text.len() {
            if items.take_command() {
                continue;
            }
            if read <= items.rest {
                read = section_end(&items.text, items.rest);
            }
            let stopped = items.take_statements(read);
            if stopped || command_line(items.text[items.rest..].trim_start()).is_some() {
                continue;
            }
            if read == text.len() {
                return items;
            }
            let section = &items.text[items.rest..read];
            let in_comment = ends_in_comment(section);
            if !in_comment && !is_begun(section) {
                items.rest = read;
            } else if !in_comment && items.text[read..].starts_with('\\') && items.open.is_none() {
                items.take_within(read);
            } else {
                // Twice as much at least, so that a long statement is not read over and over.
                let far = (items.rest + 2 * (read - items.rest)).min(text.len());
                read = section_end(&items.text, far);
            }
        }
        items
    }

    /// What the text says to do, each with blanks for what stands before it.
    pub fn placed(&self, script: Script) -> Vec<(Item, String)> {
        let items = self.items.iter().cloned().zip(&self.starts);
        items.map(|(item, &start)| (item, script.blanks(&self.text[..start]))).collect()
    }

    /// What is not finished, taken for a statement: the last one of a script may do without its semicolon.
    pub fn unfinished(&self, script: Script) -> Option<(Item, String)> {
        let rest = &self.text[self.rest..];
        let start = self.text.len() - rest.trim_start().len();
        self.is_begun().then(|| (Item::Statement(rest.trim().to_owned()), script.blanks(&self.text[..start])))
    }

    /// Takes the command that the rest begins with, after blanks.
    fn take_command(&mut self) -> bool {
        let rest = &self.text[self.rest..];
        let start = self.rest + rest.len() - rest.trim_start().len();
        let Some(line) = command_line(&self.text[start..]) else { return false };
        let (command, end) = (line.trim_end().to_owned(), start + line.len());
        self.push(Item::Command(command), start);
        self.pass_line(start, end);
        true
    }

    /// Takes the command at a place in the middle of the statement that the rest begins with.
    fn take_within(&mut self, at: usize) {
        let begun = &self.text[self.rest..at];
        let start = self.rest + begun.len() - begun.trim_start().len();
        let begun = begun.trim().to_owned();
        let line = self.text[at..].lines().next().unwrap_or_default();
        let (command, end) = (line.trim_end().to_owned(), at + line.len());
        let takes = takes_statement(&command);
        self.push(Item::Within { command, begun }, start);
        if takes {
            self.pass_line(at, end);
        } else {
            self.text.replace_range(at..end, &" ".repeat(end - at));
            self.command = (end == self.text.len()).then_some(at);
        }
    }

    /// Goes on behind a command's line.
    fn pass_line(&mut self, start: usize, end: usize) {
        self.open = None;
        self.rest = (end + 1).min(self.text.len());
        while !self.text.is_char_boundary(self.rest) {
            self.rest += 1;
        }
        self.command = (end == self.text.len()).then_some(start);
    }

    /// Takes the statements of the rest up to a place, and no further than to a command; whether it came to one.
    fn take_statements(&mut self, end: usize) -> bool {
        let section = self.text[self.rest..end].to_owned();
        let begin = self.rest;
        let (lexemes, failed) = lex_as_far_as_possible(&section);
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
                    return true;
                }
            } else if lexeme.token.token == Token::Backslash {
                let at = begin + lexeme.bytes.start;
                if said {
                    self.take_within(at);
                } else {
                    self.rest = at;
                }
                return true;
            } else if !lexeme.is_blank() {
                said = true;
            } else if !said && ends_line(lexeme) && command_line(section[lexeme.bytes.end..].trim_start()).is_some() {
                // A comment stands before a command.
                self.rest = begin + lexeme.bytes.end;
                return true;
            }
        }
        let read = lexemes.last().map_or(0, |lexeme| lexeme.bytes.end);
        self.open = failed.as_ref().and_then(|_| quote(&section[read..]));
        let refused = failed.is_some_and(|error| !may_go_on(&error));
        // What the tokenizer refuses for good is finished where it looks so: planning says what is wrong with it.
        if refused && end == self.text.len() && section.trim_end().ends_with(';') && read < section.len() {
            let statement = section[from..].trim_end();
            self.push_statement(&statement[..statement.len() - 1], begin + from);
            self.rest = end;
        }
        false
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
    pub fn is_begun(&self) -> bool {
        is_begun(&self.text[self.rest..])
    }
}

/// The next place behind one that looks like a command, else the end of the text: a backslash, or the begin of a line with a
/// dot and a letter.
fn section_end(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at += 1;
    }
    loop {
        let line_end = text[at..].find('\n').map(|end| at + end + 1);
        if let Some(found) = text[at..line_end.unwrap_or(text.len())].find('\\') {
            return at + found;
        }
        let Some(next) = line_end else { return text.len() };
        at = next;
        if command_line(text[at..].trim_start_matches([' ', '\t'])).is_some() {
            return at;
        }
    }
}

/// The character that ends what is open at the begin of a text: a string of any kind, a quoted name, a comment.
pub(super) fn quote(text: &str) -> Option<char> {
    let found = text.chars().find(|c| ['\'', '"', '`', '$', '/'].contains(c))?;
    Some(if found == '/' { '*' } else { found })
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

/// Whether a text ends within a comment that goes on to the end of its line.
fn ends_in_comment(text: &str) -> bool {
    let last = lex_as_far_as_possible(text).0.pop();
    let is_comment =
        |lexeme: &Lexeme| matches!(&lexeme.token.token, Token::Whitespace(Whitespace::SingleLineComment { .. }));
    !text.ends_with('\n') && last.as_ref().is_some_and(is_comment)
}

fn ends_line(lexeme: &Lexeme) -> bool {
    matches!(
        &lexeme.token.token,
        Token::Whitespace(Whitespace::Newline | Whitespace::SingleLineComment { .. } | Whitespace::MultiLineComment(_))
    )
}

/// Whether more text can make the tokenizer go on: a string, a quoted name or a comment is not closed yet.
pub(super) fn may_go_on(error: &TokenizerError) -> bool {
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
                Item::Within { command, begun } => format!("W<{begun}|{command}>"),
            })
            .collect();
        if items.is_begun() {
            lines.push(format!("…<{}>", items.text[items.rest..].trim()));
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
            ("\\x\r\nSELECT 1;\r\n\\x\r\n", "C<\\x> S<SELECT 1> C<\\x>"),
        ] {
            assert_eq!(shown(text), expected, "{text:?}");
        }
    }

    #[test]
    fn commands_with_a_backslash_stand_in_the_middle_of_statements_too() {
        for (text, expected) in [
            ("SELECT 1 \\g", "W<SELECT 1|\\g>"),
            ("SELECT 1\n\\gx out.csv\nSELECT", "W<SELECT 1|\\gx out.csv> …<SELECT>"),
            ("SELECT 1,\n\\d it's\n2;", "W<SELECT 1,|\\d it's> S<SELECT 1,\n       \n2>"),
            ("SELECT 1,\\timing\n\\x\n2", "W<SELECT 1,|\\timing> W<SELECT 1,|\\x> …<SELECT 1,       \n  \n2>"),
            (
                "SELECT '\\d', \"\\e\" -- \\q\n, /* \\g */ 2 \\q",
                "W<SELECT '\\d', \"\\e\" -- \\q\n, /* \\g */ 2|\\q> …<SELECT '\\d', \"\\e\" -- \\q\n, /* \\g */ 2>",
            ),
            ("SELECT 'a\\b\n\\q", "…<SELECT 'a\\b\n\\q>"),
            ("SELECT 1 \\r\n\\e", "W<SELECT 1|\\r> C<\\e>"),
            ("SELECT 1 -- why\n\\g\n;", "W<SELECT 1 -- why|\\g>"),
            ("-- \\q\nSELECT 1;", "S<-- \\q\nSELECT 1>"),
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
            prop_assert_eq!(items.text.len(), text.len());
            for item in &items.items {
                // Commands in the middle of what goes on are blanks in it.
                let (Item::Statement(part) | Item::Command(part) | Item::Within { command: part, .. }) = item;
                prop_assert!(text.contains(part.as_str()) || items.text.contains(part.as_str()));
            }
        }
    }
}
