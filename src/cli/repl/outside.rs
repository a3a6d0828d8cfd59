//! Other programs that the shell starts: the user's editor, and commands of the system.

use std::io::Write as _;

use anyhow::{Context as _, bail};

use super::session::Session;

/// Lets the user's editor change a text, or write one; gives what came of it.
pub(super) fn edit(session: &Session, text: Option<&str>) -> anyhow::Result<String> {
    if !session.interactive {
        bail!("\\e needs a terminal");
    }
    let editor = ["VISUAL", "EDITOR"].iter().find_map(|name| std::env::var(name).ok().filter(|e| !e.trim().is_empty()));
    let editor = editor.unwrap_or_else(|| "vi".to_owned());
    let mut file =
        tempfile::Builder::new().prefix("spanql-").suffix(".sql").tempfile().context("cannot make a file to edit")?;
    if let Some(text) = text {
        writeln!(file, "{text}").context("cannot write the file to edit")?;
    }
    let ended = std::process::Command::new("sh")
        .args(["-c", &format!("{editor} \"$1\""), "sh"])
        .arg(file.path())
        .status()
        .with_context(|| format!("cannot start {editor}: set EDITOR"))?;
    if !ended.success() {
        bail!("{editor} ended with {ended}: nothing was changed");
    }
    let text = std::fs::read_to_string(file.path()).context("cannot read what was edited")?;
    Ok(text.trim_end().to_owned())
}

/// Runs a command of the system, which gets the terminal.
pub(super) fn system(command: &str) -> anyhow::Result<()> {
    let ended = std::process::Command::new("sh").args(["-c", command]).status().context("cannot start sh")?;
    if !ended.success() {
        bail!("{ended}");
    }
    Ok(())
}
