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
    /// The lines before the one that is typed, of the same statement.
    begun: String,
}

impl std::fmt::Debug for ShellHelper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ShellHelper").field("color", &self.color).finish_non_exhaustive()
    }
}

impl ShellHelper {
    /// Completes from these words.
    pub fn new(words: SharedWords, color: bool) -> Self {
        Self { words, color, files: FilenameCompleter::new(), history: HistoryHinter::new(), begun: String::new() }
    }

    /// What is typed from now on goes on behind these lines, which end with a line end, if there are any.
    pub fn go_on_behind(&mut self, begun: &str) {
        begun.clone_into(&mut self.begun);
    }

    /// What is typed, with the lines before it.
    fn whole(&self, line: &str) -> String {
        format!("{}{line}", self.begun)
    }
}

impl Helper for ShellHelper {}

impl Validator for ShellHelper {
    fn validate(&self, _: &mut ValidationContext<'_>) -> Result<ValidationResult> {
        // A statement that is not finished goes on behind a prompt that says what is open.
        Ok(ValidationResult::Valid(None))
    }
}

impl Highlighter for ShellHelper {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        if !self.color {
            return Cow::Borrowed(line);
        }
        // Each line is coloured for itself, by what stands before it.
        let whole = highlight(&self.whole(line));
        let before = self.begun.matches('\n').count();
        Cow::Owned(whole.splitn(before + 1, '\n').last().unwrap_or_default().to_owned())
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
        if line.is_empty() {
            return None;
        }
        let rest = self.history.hint(&self.whole(line), self.begun.len() + at, context)?;
        let first_line = rest.find('\n').unwrap_or(rest.len());
        Some(Rest { rest, first_line })
    }
}

impl Completer for ShellHelper {
    type Candidate = Pair;

    fn complete(&self, line: &str, at: usize, context: &Context<'_>) -> Result<(usize, Vec<Pair>)> {
        let before = self.begun.len();
        let found = complete(&self.words.get(), &self.whole(line), before + at);
        if found.files {
            return self.files.complete(line, at, context);
        }
        // A name that was begun on a line before cannot be changed any more.
        let Some(start) = found.start.checked_sub(before) else { return Ok((at, Vec::new())) };
        let pairs = found.candidates.into_iter();
        let pairs =
            pairs.map(|text| Pair { display: text.trim_end_matches(['\'', ' ']).to_owned(), replacement: text });
        Ok((start, pairs.collect()))
    }
}
