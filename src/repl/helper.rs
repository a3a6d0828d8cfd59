//! What the line editor asks while somebody types.

use std::borrow::Cow;
use std::sync::{Arc, PoisonError, RwLock};

use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hint, Hinter, HistoryHinter};
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper, Result};

use super::complete::{Words, complete};
use super::highlight::highlight;
use super::input::Items;

/// The snapshot of the catalog that completion reads, replaced when something else is known.
#[derive(Debug, Clone, Default)]
pub struct SharedWords(Arc<RwLock<Arc<Words>>>);

impl SharedWords {
    /// The words as they are now.
    pub fn get(&self) -> Arc<Words> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the words.
    pub fn set(&self, words: Words) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(words);
    }
}

/// The shell's part of the line editor: when input is whole, its colours, hints and completion.
pub struct ShellHelper {
    words: SharedWords,
    color: bool,
    files: FilenameCompleter,
    history: HistoryHinter,
}

impl std::fmt::Debug for ShellHelper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ShellHelper").field("color", &self.color).finish_non_exhaustive()
    }
}

impl ShellHelper {
    /// Completes from these words.
    pub fn new(words: SharedWords, color: bool) -> Self {
        Self { words, color, files: FilenameCompleter::new(), history: HistoryHinter::new() }
    }
}

/// Words that people type to leave or to get help, without anything before or behind them.
pub const BARE_WORDS: [&str; 3] = ["exit", "quit", "help"];

/// Whether a text can be carried out as it is: nothing in it is begun and not finished.
pub fn is_whole(text: &str) -> bool {
    BARE_WORDS.contains(&text.trim()) || !Items::of(text).is_begun(text)
}

impl Helper for ShellHelper {}

impl Validator for ShellHelper {
    fn validate(&self, context: &mut ValidationContext<'_>) -> Result<ValidationResult> {
        Ok(if is_whole(context.input()) { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

impl Highlighter for ShellHelper {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        if self.color { Cow::Owned(highlight(line)) } else { Cow::Borrowed(line) }
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        if self.color { Cow::Owned(format!("\x1b[2m{hint}\x1b[0m")) } else { Cow::Borrowed(hint) }
    }

    fn highlight_char(&self, _: &str, _: usize, _: CmdKind) -> bool {
        self.color
    }
}

/// The rest of a line of the history; its further lines are not shown before it is taken.
#[derive(Debug)]
pub struct Rest {
    rest: String,
    first_line: usize,
}

impl Hint for Rest {
    fn display(&self) -> &str {
        &self.rest[..self.first_line]
    }

    fn completion(&self) -> Option<&str> {
        Some(&self.rest)
    }
}

impl Hinter for ShellHelper {
    type Hint = Rest;

    fn hint(&self, line: &str, at: usize, context: &Context<'_>) -> Option<Rest> {
        if !self.color {
            // Without colours a hint looks like something that was typed.
            return None;
        }
        let rest = self.history.hint(line, at, context)?;
        let first_line = rest.find('\n').unwrap_or(rest.len());
        Some(Rest { rest, first_line })
    }
}

impl Completer for ShellHelper {
    type Candidate = Pair;

    fn complete(&self, line: &str, at: usize, context: &Context<'_>) -> Result<(usize, Vec<Pair>)> {
        let found = complete(&self.words.get(), line, at);
        if found.files {
            return self.files.complete(line, at, context);
        }
        let pairs = found.candidates.into_iter();
        let pairs =
            pairs.map(|text| Pair { display: text.trim_end_matches(['\'', ' ']).to_owned(), replacement: text });
        Ok((found.start, pairs.collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::is_whole;

    #[test]
    fn input_is_whole_when_nothing_is_begun() {
        for (text, whole) in [
            ("", true),
            ("SELECT 1", false),
            ("SELECT 1;", true),
            ("SELECT ';", false),
            ("quit", true),
            ("\\d", true),
            (".tables", true),
            ("SELECT 1; SELECT", false),
            ("-- a comment", true),
            ("/* open", false),
        ] {
            assert_eq!(is_whole(text), whole, "{text}");
        }
    }
}
