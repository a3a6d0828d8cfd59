//! `spanql` and `spanql repl`: the shell on a terminal, and the same in a pipe.
//!
//! ```text
//! typed.rs     the terminal: lines of statements, and the history
//! session.rs   what a shell remembers: engine, settings, parameters; statements
//! commands.rs  what its commands do
//! results.rs   statements that commands run, and where results go
//! outside.rs   the editor, and commands of the system
//! words.rs     the snapshot that completion reads
//! ```

mod commands;
mod outside;
mod results;
mod rows;
mod session;
mod typed;
mod words;

use std::io::{BufRead, IsTerminal};

use super::args::ReplArguments;
use super::context::Context;
use super::failure::Failure;
use super::interrupt::Interrupts;
use crate::repl::{Items, Script, bare};
use commands::Next;
use session::Session;

/// Reads and carries out what is typed or piped, until it ends.
pub(super) async fn run(context: &Context, arguments: ReplArguments) -> anyhow::Result<()> {
    let interactive = std::io::stdin().is_terminal();
    // In a pipe, Ctrl-C ends the shell, also while it waits for the next statement.
    let interrupts = Interrupts::listen(!interactive, !interactive)?;
    let mut session = Session::new(context, &arguments, interactive, interrupts)?;
    if interactive { typed::typed(&mut session).await } else { piped(&mut session, arguments.continue_on_error).await }
}

/// Reads statements as they come through a pipe, and runs each as soon as it is whole.
async fn piped(session: &mut Session, continue_on_error: bool) -> anyhow::Result<()> {
    let mut failed = None;
    let mut said_anything = false;
    let mut lines = std::io::stdin().lock();
    let mut text = String::new();
    let mut open = None;
    let mut script = Script::default();
    loop {
        let before = text.len();
        let read =
            lines.read_line(&mut text).map_err(|error| anyhow::Error::new(error).context("cannot read stdin"))?;
        let line = &text[before..];
        // Only these can end something: long statements are not cut anew with each of their lines.
        if open.is_some_and(|quote| line.contains(quote)) {
            open = None;
        }
        let may_end = open.is_none() && (line.contains([';', '\\']) || line.trim_start().starts_with('.'));
        let word = if before == 0 { bare(&text) } else { None };
        let is_word = word.is_some();
        if read > 0 && !may_end && !is_word {
            continue;
        }
        let cut = if is_word { Items::default() } else { Items::of(&text) };
        let mut items = word.map_or_else(|| cut.placed(script), |word| vec![(word, String::new())]);
        open = cut.open;
        let is_end = read == 0;
        if is_end {
            items.extend(cut.unfinished(script));
        }
        let done = if is_word || is_end { text.len() } else { cut.rest };
        script.pass(&text[..done]);
        if !is_word {
            text = cut.text;
        }
        text.drain(..done);
        for (item, before) in items {
            said_anything = true;
            match commands::carry_out(session, item, &before).await {
                Ok(Next::Leave) => return failed.map_or(Ok(()), Err),
                Ok(_) => {}
                Err(error) if matches!(error.downcast_ref(), Some(Failure::Interrupted)) => return Err(error),
                Err(error) if super::exit::is_closed_pipe(&error) => return Err(error),
                // Whatever is wrong, the exit code is that of a script that failed.
                Err(error) => {
                    session.context().fail(&error);
                    if !continue_on_error {
                        return Err(Failure::AlreadyReported.into());
                    }
                    failed = Some(Failure::AlreadyReported.into());
                }
            }
        }
        if is_end && !said_anything {
            return Err(Failure::Usage("no statement to run: the SQL text is empty".into()).into());
        }
        if is_end {
            return failed.map_or(Ok(()), Err);
        }
    }
}
