//! Asking a person for a value.

use std::borrow::Cow;

use rustyline::completion::Completer;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::Validator;
use rustyline::{Behavior, ColorMode, Config, Editor, Helper};
use unicode_width::UnicodeWidthStr as _;

use super::failure::Failure;

/// What a person types, drawn as blanks if it is hidden.
pub(super) fn typed(name: &str, hidden: bool) -> anyhow::Result<String> {
    // On such a terminal nothing can be hidden.
    if hidden && std::env::var_os("TERM").is_none_or(|term| term == "dumb" || term == "emacs" || term == "cons25") {
        let help = format!("this terminal would show the key: pipe it in, as in `spanql config set {name} < file`");
        return Err(Failure::Usage(help).into());
    }
    // It is hidden by how it is drawn, so it has to be drawn so whatever the terminal likes.
    let config = Config::builder().color_mode(ColorMode::Forced).behavior(Behavior::PreferTerm).build();
    let mut editor: Editor<PromptHelper, DefaultHistory> = Editor::with_config(config)?;
    editor.set_helper(Some(PromptHelper { hidden }));
    match editor.readline(&format!("{name}: ")) {
        Ok(value) => Ok(value),
        Err(rustyline::error::ReadlineError::Interrupted | rustyline::error::ReadlineError::Eof) => {
            Err(Failure::Interrupted.into())
        }
        Err(error) => Err(anyhow::Error::new(error).context("cannot ask for the value")),
    }
}

/// How a line is drawn that is asked for.
struct PromptHelper {
    hidden: bool,
}

impl Highlighter for PromptHelper {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        if self.hidden { Cow::Owned(" ".repeat(line.width())) } else { Cow::Borrowed(line) }
    }

    fn highlight_char(&self, _: &str, _: usize, _: CmdKind) -> bool {
        // What is typed would be written as it is otherwise.
        self.hidden
    }
}

impl Completer for PromptHelper {
    type Candidate = String;
}

impl Hinter for PromptHelper {
    type Hint = String;
}

impl Validator for PromptHelper {}

impl Helper for PromptHelper {}
