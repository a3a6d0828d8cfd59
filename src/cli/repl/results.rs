//! Statements that commands run, and where results go.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};

use super::session::Session;
use crate::cli::failure::Failure;
use spanql_output::{Format, escape_terminal};
use spanql_store::home_path;

/// The longest time between two runs of `\watch`, in seconds.
const LONGEST_WATCH: f64 = 86_400.0;

/// The statement in the middle of which a command stands, and blanks for what stands before it.
pub(super) struct Typed<'a> {
    pub(super) begun: Option<String>,
    pub(super) before: &'a str,
}

impl Typed<'_> {
    /// What is typed, else the last statement.
    pub(super) fn or_last(&self, session: &Session) -> anyhow::Result<String> {
        let sql = self.begun.as_ref().or(session.last.as_ref()).cloned();
        sql.ok_or_else(|| anyhow!(Failure::Usage("there is no statement yet".into())))
    }

    /// The statement that a command names, else as [`Typed::or_last`].
    pub(super) fn named_or_last(&self, session: &Session, sql: &str) -> anyhow::Result<String> {
        if sql.is_empty() { self.or_last(session) } else { Ok(sql.to_owned()) }
    }
}

/// Runs what is typed, or the last statement again: on the screen, or into a file.
pub(super) async fn send(session: &mut Session, rest: &str, typed: Typed<'_>, expanded: bool) -> anyhow::Result<()> {
    let sql = typed.or_last(session)?;
    let placed = typed.begun.is_some().then(|| format!("{}{sql}", typed.before)).unwrap_or_else(|| sql.clone());
    session.last = Some(sql);
    let before = session.screen().clone();
    if !rest.is_empty() {
        redirect(session, &unquoted(rest))?;
    }
    session.screen().expanded |= expanded;
    let outcome = session.statement(&placed).await;
    let screen = session.screen();
    (screen.format, screen.file, screen.expanded) = (before.format, before.file, before.expanded);
    outcome
}

/// Lines of somebody's text, harmless for a terminal.
pub(super) fn escape_lines(text: &str) -> String {
    text.lines().map(|line| escape_terminal(line).into_owned()).collect::<Vec<_>>().join("\n")
}

/// Sends results to a file, or to the screen again.
pub(super) fn output(session: &mut Session, rest: &str) -> anyhow::Result<()> {
    let name = unquoted(rest);
    if let Some((before, _)) = session.screen().file.take() {
        session.screen().format = before;
    }
    if name.is_empty() || name == "stdout" {
        return Ok(());
    }
    let path = redirect(session, &name)?;
    session.context().report(&format!("results go to {}: \\o without a name ends that", path.display()));
    Ok(())
}

/// Sends results to a file, in the format that its name ends with; gives its path.
fn redirect(session: &mut Session, name: &str) -> anyhow::Result<PathBuf> {
    let path = home_path(Path::new(name));
    let before = session.screen().format;
    Format::from_path(&path).map_or(Ok(Format::Jsonl), several)?;
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    if let Some(format) = Format::from_path(&path) {
        session.screen().format = format;
    }
    session.screen().file = Some((before, Arc::new(file)));
    Ok(path)
}

/// A format in which several results may follow each other.
pub(super) fn several(format: Format) -> anyhow::Result<Format> {
    if matches!(format, Format::Parquet | Format::Arrow) {
        bail!("{format}: such a file holds one result: write `spanql query … -o FILE`");
    }
    Ok(format)
}

/// Runs a statement again and again, until it is cancelled.
pub(super) async fn watch(
    session: &mut Session,
    rest: &str,
    typed: &Typed<'_>,
    usage: impl Fn() -> anyhow::Error,
) -> anyhow::Result<()> {
    let (seconds, sql) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let seconds: f64 = seconds.parse().map_err(|_| usage())?;
    if !(0.1..=LONGEST_WATCH).contains(&seconds) {
        bail!("watch at least every 0.1 and at most every {LONGEST_WATCH} seconds");
    }
    if !session.interactive {
        bail!("\\watch needs a terminal: Ctrl-C ends it");
    }
    let sql = typed.named_or_last(session, sql.trim_start())?;
    // A pager would wait for a key each time.
    let pager = session.screen().pager.take();
    let outcome = loop {
        let now = chrono::Utc::now().format("%H:%M:%S");
        session.context().report(&format!("{now} UTC, every {seconds} s; Ctrl-C ends it"));
        if let Err(error) = session.statement(&sql).await {
            break Err(error);
        }
        let mut interrupts = session.interrupts();
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs_f64(seconds)) => {}
            () = interrupts.pressed() => break Err(Failure::Interrupted.into()),
        }
    };
    session.screen().pager = pager;
    outcome
}

/// A text without the quotes that somebody put around the whole of it.
pub(super) fn unquoted(text: &str) -> String {
    let inner = ['"', '\''].iter().find_map(|&quote| {
        let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
        (!inner.contains(quote)).then_some(inner)
    });
    inner.unwrap_or(text).to_owned()
}
