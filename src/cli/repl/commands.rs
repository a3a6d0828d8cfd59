//! What the commands of the shell do: most are commands of the command line, with the shell's settings.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use clap::Parser;

use super::outside::{edit, system};
use super::results::{Typed, escape_lines, output, send, several, unquoted, watch};
use super::rows;
use super::session::Session;
use crate::cli::args::Arguments;
use crate::cli::dispatch;
use crate::cli::failure::Failure;
use crate::repl::{Action, Item, Items, Script, find, help, instead, parts, spoken, switched};
use crate::report::{Library, Origin, ReportError, Saved};
use spanql_engine::parse_param;
use spanql_output::escape_terminal;
use spanql_sources::config::Environment;

/// The projects of the store.
const PROJECTS: &str = "SELECT project, sum(span_count) AS spans, count(*) AS traces, sum(error_count) AS errors,
       min(start_time) AS first, max(end_time) AS last FROM traces GROUP BY project ORDER BY project";

/// The languages that a filter can be said in.
const LANGUAGES: [&str; 4] = ["sql", "arize", "opik", "phoenix"];

/// Files that may name one another.
const MOST_FILES: usize = 16;

/// What comes after something was carried out.
#[derive(Debug)]
pub(super) enum Next {
    /// The next line.
    Go,
    /// A line that begins with this text.
    Edit(String),
    /// Nothing more.
    Leave,
}

/// Runs a statement, or does what a command says.
///
/// `before` is blanks for what stands before a statement in its script.
pub(super) async fn carry_out(session: &mut Session, item: Item, before: &str) -> anyhow::Result<Next> {
    session.listen_anew();
    match item {
        Item::Statement(sql) => {
            if let Some(command) = spoken(&sql) {
                return obey(session, &command, Typed { begun: None, before }).await;
            }
            let placed = format!("{before}{sql}");
            session.last = Some(sql);
            session.statement(&placed).await?;
            Ok(Next::Go)
        }
        Item::Command(line) => obey(session, &line, Typed { begun: None, before }).await,
        Item::Within { command, begun } => obey(session, &command, Typed { begun: Some(begun), before }).await,
    }
}

/// Does what a command says.
async fn obey(session: &mut Session, line: &str, typed: Typed<'_>) -> anyhow::Result<Next> {
    let (name, rest) = parts(line);
    let command = find(name).map_err(|near| {
        let shown = escape_terminal(name);
        if let Some(instead) = instead(name) {
            return anyhow!("there is no \\{shown} here: {instead}");
        }
        let near = near.map(|near| format!("did you mean \\{near}? ")).unwrap_or_default();
        anyhow!("unknown command \\{shown}: {near}\\? lists them")
    })?;
    let usage = || anyhow!(Failure::Usage(format!("write \\{} {}", command.name, command.arguments)));
    match command.action {
        Action::Help => session.context().print(help().trim_end())?,
        Action::Quit => return Ok(Next::Leave),
        Action::Describe if rest.is_empty() => tables(session).await?,
        Action::Describe => cli(session, &["schema"], rest).await?,
        Action::Projects => session.statement(PROJECTS).await?,
        Action::Trace if rest.is_empty() => return Err(usage()),
        Action::Trace => cli(session, &["traces", "show"], rest).await?,
        Action::Session if rest.is_empty() => return Err(usage()),
        Action::Session => cli(session, &["sessions", "show"], rest).await?,
        // A pattern has quotes of its own, so it is not cut into words.
        Action::Structure if rest.is_empty() => return Err(usage()),
        Action::Structure => words(session, vec!["structure".to_owned(), "--".to_owned(), unquoted(rest)]).await?,
        Action::Run if rest.is_empty() => cli(session, &["run", "--list"], "").await?,
        Action::Run => cli(session, &["run"], rest).await?,
        Action::Report if rest.is_empty() => cli(session, &["report", "--list"], "").await?,
        Action::Report => cli(session, &["report"], rest).await?,
        Action::Pull if rest.is_empty() => return Err(usage()),
        Action::Pull => cli(session, &["pull"], rest).await?,
        Action::Annotate if rest.is_empty() => return Err(usage()),
        Action::Annotate => {
            let typed = rows::annotate(session.screen().shown.ids(), rest)?;
            words(session, typed).await?;
        }
        Action::Delete => {
            let typed = rows::delete(session.screen().shown.ids(), rest)?;
            words(session, typed).await?;
        }
        Action::Filter if rest.is_empty() => return Err(usage()),
        Action::Filter => translations(session, &unquoted(rest)).await?,
        Action::Where => narrow(session, rest).await?,
        Action::Use => {
            use_project(session, rest).await?;
        }
        Action::Save => save(session, rest)?,
        Action::Format if rest.is_empty() => {
            let format = session.screen().format;
            session.context().print(&format.to_string())?;
        }
        Action::Format => {
            // As psql says it: \pset format csv.
            let name = rest.strip_prefix("format").map_or(rest, |name| name.trim_start_matches([' ', '=']));
            let (name, expanded) = habitual(name.to_lowercase());
            let format = several(name.parse().map_err(|error| anyhow!("{error}"))?)?;
            let screen = session.screen();
            screen.format = format;
            screen.expanded |= expanded;
        }
        Action::Output => output(session, rest)?,
        Action::Expanded => {
            let on = switched(session.screen().expanded, rest).ok_or_else(usage)?;
            session.screen().expanded = on;
            session.context().report(if on { "one column a line" } else { "one row a line" });
        }
        Action::Timing => {
            let on = switched(session.screen().timing, rest).ok_or_else(usage)?;
            session.screen().timing = on;
            session.context().report(if on { "timing is on" } else { "timing is off" });
        }
        Action::Explain => {
            let sql = typed.named_or_last(session, rest)?;
            session.statement(&format!("EXPLAIN {sql}")).await?;
        }
        Action::Set => set(session, rest)?,
        Action::Unset => {
            let name = rest.trim_start_matches('$');
            if session.params.remove(name).is_none() {
                bail!("there is no parameter ${}: \\set lists them", escape_terminal(name));
            }
        }
        Action::Watch => watch(session, rest, &typed, usage).await?,
        Action::Send => send(session, rest, typed, false).await?,
        Action::SendExpanded => send(session, rest, typed, true).await?,
        Action::Print => {
            let text = if rest.is_empty() { typed.or_last(session)? } else { unquoted(rest) };
            session.context().print(&escape_lines(&text))?;
        }
        Action::Reset => session.context().report("what was typed is forgotten"),
        Action::Edit => {
            let text = typed.begun.or_else(|| session.last.as_ref().map(|last| format!("{last};")));
            return edit(session, text.as_deref()).map(Next::Edit);
        }
        Action::Include if rest.is_empty() => return Err(usage()),
        Action::Include => return Box::pin(include(session, &unquoted(rest))).await,
        Action::System if rest.is_empty() => return Err(usage()),
        Action::System => system(rest)?,
    }
    Ok(Next::Go)
}

/// Lists the tables.
async fn tables(session: &mut Session) -> anyhow::Result<()> {
    let tables = session.opened().await?.engine.describe().await.tables;
    let names: ArrayRef = Arc::new(tables.iter().map(|table| Some(table.name.as_str())).collect::<StringArray>());
    let columns: ArrayRef = Arc::new(tables.iter().map(|table| table.columns.len() as i64).collect::<Int64Array>());
    let rows: ArrayRef = Arc::new(tables.iter().map(|table| Some(table.description)).collect::<StringArray>());
    let batch = RecordBatch::try_from_iter([("table", names), ("columns", columns), ("a row is", rows)])?;
    session.context().write(None, &batch)
}

/// Runs a command of the command line, with the shell's settings and words as a system's shell cuts them.
async fn cli(session: &Session, command: &[&str], rest: &str) -> anyhow::Result<()> {
    let more = shlex::split(rest).ok_or_else(|| anyhow!(Failure::Usage("a quote is not closed".into())))?;
    words(session, command.iter().map(|word| (*word).to_owned()).chain(more).collect()).await
}

async fn words(session: &Session, words: Vec<String>) -> anyhow::Result<()> {
    let typed = std::iter::once("spanql".to_owned()).chain(words);
    let arguments = match Arguments::try_parse_from(typed) {
        Ok(arguments) => arguments,
        Err(error) if !error.use_stderr() => return session.context().print(error.render().to_string().trim_end()),
        Err(error) => {
            let text = error.render().to_string();
            let what: Vec<&str> = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
            return Err(Failure::Usage(what.join(" ").trim_start_matches("error: ").to_owned()).into());
        }
    };
    let Some(command) = arguments.command else { return Ok(()) };
    let context = session.context().with(&arguments.global);
    session.job(move || async move { dispatch::run(command, &context).await }).await
}

/// The name of a format that other shells call something else, and whether it has one column a line.
fn habitual(name: String) -> (String, bool) {
    match name.as_str() {
        "aligned" | "ascii" | "box" | "column" | "columns" | "duckbox" | "psql" => ("table".to_owned(), false),
        "line" | "lines" => ("table".to_owned(), true),
        "jsonlines" | "ndjson" => ("jsonl".to_owned(), false),
        "markdown" => ("md".to_owned(), false),
        "tabs" => ("tsv".to_owned(), false),
        _ => (name, false),
    }
}

/// Says a filter in every language that has words for it.
async fn translations(session: &Session, text: &str) -> anyhow::Result<()> {
    for language in LANGUAGES {
        let typed = ["spanql", "filter", "--to", language, "--", text].map(str::to_owned);
        let arguments = Arguments::try_parse_from(typed).map_err(|error| anyhow!("{error}"))?;
        let Some(command) = arguments.command else { continue };
        session.context().print(&format!("{language}:"))?;
        if let Err(error) = dispatch::run(command, session.context()).await {
            if matches!(error.downcast_ref(), Some(Failure::Filter(_))) {
                return Err(error);
            }
            session.context().print(&format!("  {}", escape_terminal(&format!("{error:#}"))))?;
        }
    }
    Ok(())
}

/// Narrows the tables to what matches, or shows everything again.
async fn narrow(session: &mut Session, rest: &str) -> anyhow::Result<()> {
    if rest.is_empty() || ["off", "clear"].contains(&rest.to_lowercase().as_str()) {
        session.narrow(None).await?;
        session.context().report("spans, traces and sessions show everything");
        return Ok(());
    }
    session.narrow(Some(rest.to_owned())).await
}

async fn use_project(session: &mut Session, rest: &str) -> anyhow::Result<()> {
    let project = unquoted(rest);
    if project.is_empty() {
        session.context.project = None;
    } else {
        let (_, snapshot) = session.unless_interrupted(session.context().snapshot()).await?;
        let known: Vec<&str> = snapshot.manifest.segments.iter().map(|segment| segment.project.as_str()).collect();
        if !known.contains(&project.as_str()) {
            let near = spanql_model::nearest::nearest(&project, known.iter().copied());
            let near = near.map(|near| format!("; did you mean {}?", escape_terminal(near))).unwrap_or_default();
            bail!("the store holds no project {}{near}: \\l lists them", escape_terminal(&project));
        }
        session.context.project = Some(project);
    }
    session.reopen();
    Ok(())
}

/// Keeps the last statement where `run` finds it.
fn save(session: &Session, rest: &str) -> anyhow::Result<()> {
    let (name, description) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let is_plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_');
    if !is_plain {
        return Err(
            Failure::Usage("write \\save NAME [DESCRIPTION]; a name has letters, digits, - and _".into()).into()
        );
    }
    let sql = session.last.clone().ok_or_else(|| anyhow!(Failure::Usage("there is no statement yet".into())))?;
    let here = Path::new("queries");
    let dir = if here.is_dir() {
        here.to_owned()
    } else {
        let config = dirs::config_dir().ok_or_else(|| anyhow!("there is no directory for settings: make ./queries"))?;
        config.join("spanql").join("queries")
    };
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let path = dir.join(format!("{name}.sql"));
    // Under one name, neither could be run any more.
    match Library::of(Path::new(""), Environment::of_process().config.as_deref()).find(name) {
        Ok(Saved { origin: Origin::File(file), .. }) if file != path && file.parent() == Some(&dir) => {
            bail!("{} calls itself {name} already: choose another name", file.display());
        }
        Err(error @ ReportError::Twice { .. }) => return Err(error.into()),
        _ => {}
    }
    let mut text = format!("-- name: {name}\n");
    if !description.trim().is_empty() {
        text += &format!("-- description: {}\n", description.trim());
    }
    text += &format!("{}\n", sql.trim());
    // One that is there is not written over: it may be somebody's work.
    let file = File::options().write(true).create_new(true).open(&path);
    let mut file = file.with_context(|| format!("cannot write {}", path.display()))?;
    file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    session.context().report(&format!("{}: \\run {name} runs it", path.display()));
    Ok(())
}

fn set(session: &mut Session, rest: &str) -> anyhow::Result<()> {
    if rest.is_empty() {
        for (name, value) in &session.params {
            session.context().print(&format!("{name} = {}", escape_terminal(&value.to_string())))?;
        }
        return Ok(());
    }
    let (name, value) = rest.split_once(|c: char| c.is_whitespace() || c == '=').unwrap_or((rest, ""));
    let value = unquoted(value.trim().trim_start_matches('=').trim());
    let (name, value) = parse_param(&format!("{}={value}", name.trim_start_matches('$')))?;
    session.params.insert(name, value);
    Ok(())
}

/// Carries out what a file says.
async fn include(session: &mut Session, path: &str) -> anyhow::Result<Next> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    let cut = Items::of(&text);
    let mut items = cut.placed(Script::default());
    items.extend(cut.unfinished(Script::default()));
    if session.depth == MOST_FILES {
        bail!("{path}: {MOST_FILES} files name one another: does one name itself?");
    }
    session.depth += 1;
    let mut outcome = Ok(Next::Go);
    for (item, before) in items {
        outcome = carry_out(session, item, &before).await;
        if !matches!(outcome, Ok(Next::Go | Next::Edit(_))) {
            break;
        }
    }
    session.depth -= 1;
    outcome.with_context(|| path.to_owned())
}
