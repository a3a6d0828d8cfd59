//! `spanql` and `spanql repl`: the shell on a terminal, and the same in a pipe.
//!
//! ```text
//! session.rs   what a shell remembers: engine, settings, parameters; statements
//! commands.rs  what its commands do
//! outside.rs   the editor, and commands of the system
//! words.rs     the snapshot that completion reads
//! ```

mod commands;
mod outside;
mod rows;
mod session;
mod words;

use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;

use rustyline::config::{Config, Configurer};
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{ColorMode, CompletionType, Editor};

use super::args::ReplArguments;
use super::context::Context;
use super::failure::Failure;
use super::interrupt::Interrupts;
use crate::repl::{BARE_WORDS, Item, Items, Script, ShellHelper};
use commands::Next;
use session::Session;
use spanql_output::escape_terminal;

/// Statements that are remembered.
const HISTORY: usize = 10_000;
/// Characters of a filter that the prompt shows.
const SHOWN_FILTER: usize = 32;

/// Reads and carries out what is typed or piped, until it ends.
pub(super) async fn run(context: &Context, arguments: ReplArguments) -> anyhow::Result<()> {
    let interactive = std::io::stdin().is_terminal();
    // In a pipe, Ctrl-C ends the shell, also while it waits for the next statement.
    let interrupts = Interrupts::listen(!interactive, !interactive)?;
    let mut session = Session::new(context, &arguments, interactive, interrupts)?;
    if interactive { typed(&mut session).await } else { piped(&mut session, arguments.continue_on_error).await }
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
        let may_end = open.is_none() && (line.contains(';') || line.trim_start().starts_with(['\\', '.']));
        let is_word = BARE_WORDS.contains(&text.trim());
        if read > 0 && !may_end && !is_word {
            continue;
        }
        let cut = if is_word { Items::default() } else { Items::of(&text) };
        let mut items = if is_word { bare(&text) } else { cut.placed(&text, script) };
        open = cut.open.map(|first| if first == '/' { '*' } else { first });
        let is_end = read == 0;
        if is_end && !is_word && cut.is_begun(&text) {
            // The last statement of a script may do without its semicolon.
            let rest = &text[cut.rest..];
            let start = text.len() - rest.trim_start().len();
            items.push((Item::Statement(rest.trim().to_owned()), script.blanks(&text[..start])));
        }
        let done = if is_word || is_end { text.len() } else { cut.rest };
        script.pass(&text[..done]);
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

/// Reads from a terminal, with a line editor.
async fn typed(session: &mut Session) -> anyhow::Result<()> {
    let color = session.context().color();
    let mut config = Config::builder()
        .max_history_size(HISTORY)?
        .history_ignore_dups(true)?
        .history_ignore_space(true)
        .completion_type(CompletionType::List)
        .bracketed_paste(true)
        .tab_stop(4)
        .build();
    config.set_color_mode(if color { ColorMode::Enabled } else { ColorMode::Disabled });
    let history = FileHistory::with_config(&config);
    let mut editor: Editor<ShellHelper, FileHistory> = Editor::with_history(config, history)?;
    editor.set_helper(Some(ShellHelper::new(session.words(), color)));
    let remembered = history_file();
    if let Some(file) = &remembered
        && file.exists()
        && let Err(error) = editor.load_history(file)
    {
        session.context().warn(&format!("the history cannot be read: {}: {error}", file.display()));
    }
    match session.greet().await {
        // Whoever does not wait for the store may want another one.
        Err(error) if matches!(error.downcast_ref(), Some(Failure::Interrupted)) => {}
        greeted => greeted?,
    }
    let mut initial: Option<String> = None;
    loop {
        session.refresh_words();
        let prompt = prompt(session);
        let line = match initial.take() {
            Some(text) => editor.readline_with_initial(&prompt, (&text, "")),
            None => editor.readline(&prompt),
        };
        let line = match line {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => return Ok(()),
            // The screen has another size: the line is drawn anew.
            Err(ReadlineError::Signal(_)) => continue,
            Err(error) => return Err(anyhow::Error::new(error).context("cannot read from the terminal")),
        };
        if line.trim().is_empty() {
            continue;
        }
        remember(&mut editor, &line, remembered.as_ref(), session.context());
        let cut = Items::of(&line);
        let items = if BARE_WORDS.contains(&line.trim()) { bare(&line) } else { cut.placed(&line, Script::default()) };
        for (item, before) in items {
            match commands::carry_out(session, item, &before).await {
                Ok(Next::Leave) => return Ok(()),
                Ok(Next::Edit(text)) => initial = Some(text),
                Ok(Next::Go) => {}
                Err(error) if matches!(error.downcast_ref(), Some(Failure::Interrupted)) => {
                    session.context().print_stderr("cancelled");
                    break;
                }
                // What stands behind a statement that failed may rest on it.
                Err(error) => {
                    session.context().fail(&error);
                    break;
                }
            }
        }
    }
}

/// A word that stands for a command.
fn bare(text: &str) -> Vec<(Item, String)> {
    vec![(Item::Command(format!("\\{}", text.trim())), String::new())]
}

fn prompt(session: &Session) -> (String, String) {
    let (project, filter) = session.narrowed();
    let mut shown = project.map(|project| escape_terminal(project).into_owned()).unwrap_or_default();
    if let Some(filter) = filter {
        let cut: String = filter.chars().take(SHOWN_FILTER).collect();
        let more = if cut.len() < filter.len() { "…" } else { "" };
        let blank = if shown.is_empty() { "" } else { " " };
        shown = format!("{shown}{blank}| {}{more}", escape_terminal(&cut));
    }
    let shown = if shown.is_empty() { shown } else { format!("({shown})") };
    let raw = format!("spanql{shown}> ");
    let styled = format!("\x1b[1mspanql\x1b[0m\x1b[36m{shown}\x1b[0m\x1b[1m>\x1b[0m ");
    (raw, styled)
}

/// Where the history of this user lies.
fn history_file() -> Option<PathBuf> {
    let dir = dirs::state_dir().or_else(dirs::data_local_dir)?;
    Some(dir.join("spanql").join("history"))
}

/// Remembers a line, now and in the file: a shell that is killed loses nothing.
fn remember(editor: &mut Editor<ShellHelper, FileHistory>, line: &str, file: Option<&PathBuf>, context: &Context) {
    let added = editor.add_history_entry(line);
    let (Ok(true), Some(file)) = (added, file) else { return };
    let kept = match file.parent() {
        Some(dir) => private_directory(dir).and_then(|()| editor.append_history(file).map_err(std::io::Error::other)),
        None => Ok(()),
    };
    if let Err(error) = kept {
        context.note(&format!("the history cannot be kept: {}: {error}", file.display()));
    }
}

#[cfg(unix)]
fn private_directory(dir: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

#[cfg(not(unix))]
fn private_directory(dir: &std::path::Path) -> std::io::Result<()> {
    std::fs::create_dir_all(dir)
}
