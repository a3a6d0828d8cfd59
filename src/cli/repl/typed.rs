//! The shell on a terminal: a line editor, one line of a statement after the other.

use std::io::Write as _;
use std::path::PathBuf;

use rustyline::config::{Config, Configurer};
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{ColorMode, CompletionType, Editor};

use super::commands::{self, Next};
use super::session::Session;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::repl::{Ending, Item, Items, Keys, Script, ShellHelper, bare, continuation};
use spanql_output::escape_terminal;

/// Statements that are remembered.
const HISTORY: usize = 10_000;
/// Characters of a filter that the prompt shows.
const SHOWN_FILTER: usize = 32;
/// Columns of the prompt behind which a further line of a statement is typed: as many as `spanql> ` has.
const PROMPT: usize = 8;

/// A statement that is typed, as far as it is not carried out.
#[derive(Default)]
struct Begun {
    /// What is not carried out, with a line end; empty when nothing is begun.
    text: String,
    /// Everything that was typed of it, for the history.
    entry: String,
    /// What of it was carried out before.
    script: Script,
    /// Rows of the screen that it takes, if they can be told.
    rows: Option<usize>,
}

/// Reads from a terminal, with a line editor.
pub(super) async fn typed(session: &mut Session) -> anyhow::Result<()> {
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
    let keys = Keys::bind(&mut editor);
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
    let mut initial: Option<(String, String)> = None;
    let mut begun = Begun::default();
    loop {
        let is_first = begun.text.is_empty();
        let prompt = if is_first {
            session.refresh_words();
            begun = Begun { rows: Some(0), ..Begun::default() };
            prompt(session)
        } else {
            further(&begun.text)
        };
        if let Some(helper) = editor.helper_mut() {
            helper.go_on_behind(&begun.text);
        }
        keys.begin(!is_first);
        let (left, right) = initial.take().unwrap_or_default();
        let line = match editor.readline_with_initial(&prompt, (&left, &right)) {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => {
                begun.text.clear();
                continue;
            }
            Err(ReadlineError::Eof) => return Ok(()),
            // The screen has another size: the line is drawn anew.
            Err(ReadlineError::Signal(_)) => continue,
            Err(error) => return Err(anyhow::Error::new(error).context("cannot read from the terminal")),
        };
        let columns = editor.dimensions().map_or(0, |(columns, _)| usize::from(columns));
        begun.rows = begun.rows.zip(rows(&prompt.0, &line, columns)).map(|(before, more)| before + more);
        match keys.ending() {
            Ending::Cancelled => {
                begun.text.clear();
                continue;
            }
            Ending::Back => {
                if let Some(rows) = begun.rows {
                    let mut out = std::io::stdout();
                    // A screen that is gone shows nothing.
                    drop(write!(out, "\x1b[{rows}F\x1b[J").and_then(|()| out.flush()));
                }
                let before = begun.text.trim_start().trim_end_matches('\n').to_owned();
                initial = Some((before, if line.is_empty() { line } else { format!("\n{line}") }));
                begun.text.clear();
                continue;
            }
            Ending::Entered => {}
        }
        if is_first && line.trim().is_empty() {
            continue;
        }
        begun.entry += &line;
        begun.entry.push('\n');
        let word = bare(&line);
        if !is_first && word.is_some() {
            session.context().report("a statement is begun: Ctrl-D or \\q leaves, and Ctrl-C throws it away");
        }
        let items = match word.filter(|_| is_first) {
            Some(word) => vec![(word, String::new())],
            None => {
                begun.text += &line;
                begun.text.push('\n');
                begun.take()
            }
        };
        let goes_on = !begun.text.is_empty();
        if !goes_on {
            remember(&mut editor, begun.entry.trim_end(), remembered.as_ref(), session.context());
        }
        if !items.is_empty() {
            // What they print stands between the lines.
            begun.rows = None;
        }
        for (item, before) in items {
            let is_within = matches!(item, Item::Within { .. });
            match commands::carry_out(session, item, &before).await {
                Ok(Next::Leave) => return Ok(()),
                Ok(Next::Edit(text)) => {
                    initial = Some((text, String::new()));
                    begun.text.clear();
                }
                Ok(Next::Go) => {}
                Err(error) => {
                    if matches!(error.downcast_ref(), Some(Failure::Interrupted)) {
                        session.context().print_stderr("cancelled");
                    } else {
                        session.context().fail(&error);
                    }
                    // What stands behind a statement that failed may rest on it. One that goes on around a command does not.
                    if !is_within {
                        begun.text.clear();
                    }
                    break;
                }
            }
        }
        if goes_on && begun.text.is_empty() {
            remember(&mut editor, begun.entry.trim_end(), remembered.as_ref(), session.context());
        }
    }
}

impl Begun {
    /// Takes what is finished.
    fn take(&mut self) -> Vec<(Item, String)> {
        let cut = Items::of(&self.text);
        let items = cut.placed(self.script);
        if cut.is_begun() {
            self.script.pass(&cut.text[..cut.rest]);
            self.text = cut.text[cut.rest..].to_owned();
        } else {
            self.text.clear();
        }
        items
    }
}

/// The prompt of a statement's first line.
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

/// The prompt of a further line.
fn further(begun: &str) -> (String, String) {
    let open = continuation(begun);
    let indent = PROMPT - 1 - open.len();
    (format!("{:indent$}{open} ", ""), format!("{:indent$}\x1b[1m{open}\x1b[0m ", ""))
}

/// How many rows of a screen a text takes that was entered behind a prompt; `None` if its characters may be of any width.
fn rows(prompt: &str, text: &str, columns: usize) -> Option<usize> {
    let is_plain = |text: &str| text.chars().all(|c| c == '\n' || c.is_ascii() && !c.is_ascii_control());
    if columns == 0 || !is_plain(prompt) || !is_plain(text) {
        return None;
    }
    let mut widths: Vec<usize> = text.split('\n').map(str::len).collect();
    if let Some(first) = widths.first_mut() {
        *first += prompt.len();
    }
    // Behind a line that is just full, the cursor is on the next one.
    let last = widths.pop()? / columns + 1;
    Some(widths.into_iter().map(|width| width.div_ceil(columns).max(1)).sum::<usize>() + last)
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
