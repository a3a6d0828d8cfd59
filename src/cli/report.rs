//! `spanql report`: reports made, and written whole or not at all.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use chrono::Utc;

use super::amounts::counted;
use super::args::ReportArguments;
use super::context::Context;
use super::exit::{EXPECTATION, INCOMPLETE};
use super::failure::Failure;
use super::partial::Partial;
use super::run::beside;
use super::target::Target;
use super::{listed, query, remote};
use crate::report::{
    BlockFiles, Data, Document, Filled, Keep, Library, Part, bind, find_report, list_reports, results_json, run_block,
    write_html, write_markdown,
};
use spanql_engine::Params;
use spanql_model::nearest::nearest;
use spanql_model::time::Clock;
use spanql_output::{Format, escape_terminal};
use spanql_sources::config::Environment;
use spanql_store::home_path;

/// Stands for every project of a store.
const ALL: &str = "all";
/// Lines at most about what is missing; the report has them all.
const SHOWN: usize = 3;

pub(super) async fn run(context: &Context, arguments: ReportArguments) -> anyhow::Result<()> {
    let library = Library::of(Path::new(""), Environment::of_process().config.as_deref());
    let Some(name) = &arguments.name else {
        let listed = list_reports(&library).into_iter().map(|report| {
            let report = report?;
            Ok(listed::row(report.name, &report.params, report.description.or(Some(report.title)), &report.origin))
        });
        return listed::write(context, listed, arguments.output.as_deref());
    };
    let document = find_report(&library, name)?;
    let now = Utc::now();
    let given = given(&document, &arguments)?;
    let (engine, _) =
        query::engine(&context.clone_for(arguments.stores.first().map(String::as_str), None), false).await?;
    let clock = Clock { now: now.timestamp_nanos_opt().unwrap_or_default(), data_end: engine.data_end() };
    let params = bind(&document.params, &given, &clock)?;
    let output = Output::of(arguments.output.as_deref())?;
    for path in output.path().into_iter().chain(arguments.results.as_deref()) {
        check_parent(path)?;
    }
    let directory = match &output {
        Output::Directory(path) => Some(Unmoved::new(path)?),
        _ => None,
    };
    let files = directory.as_ref().map(|unmoved| BlockFiles {
        directory: unmoved.partial.path().to_owned(),
        format: arguments.format,
        csv_safe: arguments.csv_safe,
    });
    let keep = Keep { max_rows: arguments.max_rows, max_cell: arguments.max_cell, files, strict: arguments.strict };
    let parts = parts(context, &arguments, &document, &params, &keep).await?;
    let ordered =
        |declared: &crate::report::Declared| Some((declared.name.clone(), params.get(&declared.name)?.clone()));
    let mut report = Filled {
        params: document.params.iter().filter_map(ordered).collect(),
        document,
        generated: now,
        parts,
        zone: context.zone(),
        max_cell: arguments.max_cell,
        exit_code: 0,
    };
    let ended = ended(&report, arguments.require_complete);
    report.exit_code = ended.as_ref().map_or(0, |(code, _)| *code);
    write(context, &report, output, directory)?;
    if let Some(path) = &arguments.results {
        write_file(path, results_text(&report)?.as_bytes())?;
    }
    match ended {
        Some((_, error)) => Err(error),
        None => Ok(()),
    }
}

/// The values of parameters, as they were typed.
fn given(document: &Document, arguments: &ReportArguments) -> Result<Vec<(String, String)>, Failure> {
    let mut given = arguments.param.clone();
    for (name, value) in [("since", &arguments.since), ("until", &arguments.until)] {
        let Some(value) = value else { continue };
        if document.params.iter().all(|declared| declared.name != name) {
            return Err(Failure::Usage(format!("--{name}: the report {} has no parameter {name}", document.name)));
        }
        given.push((name.to_owned(), value.clone()));
    }
    Ok(given)
}

/// Runs the report for each store and project that was named.
async fn parts(
    context: &Context,
    arguments: &ReportArguments,
    document: &Document,
    params: &Params,
    keep: &Keep,
) -> anyhow::Result<Vec<Part>> {
    let stores = match arguments.stores.as_slice() {
        [] => vec![context.clone_for(None, None)],
        stores => stores.iter().map(|store| context.clone_for(Some(store), None)).collect(),
    };
    let mut asked = vec![];
    for store in stores {
        if arguments.projects.is_empty() {
            asked.push(store);
            continue;
        }
        let (engine, _) = query::engine(&store, false).await?;
        let held = Data::of(&engine).await?.projects;
        if let Some(unknown) = arguments.projects.iter().find(|project| *project != ALL && !held.contains(project)) {
            let near = nearest(unknown, held.iter().map(String::as_str));
            let near = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            return Err(Failure::Usage(format!("{} holds no project {unknown}{near}", store.place())).into());
        }
        let all = arguments.projects.iter().any(|project| project == ALL);
        if all && held.is_empty() {
            asked.push(store);
            continue;
        }
        let named = if all { &held } else { &arguments.projects };
        asked.extend(named.iter().map(|project| store.clone_for(None, Some(project))));
    }
    let mut parts = vec![];
    let several = asked.len() > 1;
    for (at, context) in asked.iter().enumerate() {
        let mut keep = keep.clone();
        if several {
            let name = context.project.as_deref().unwrap_or(context.place());
            context.report(&escape_terminal(&format!("{name} ({} of {})", at + 1, asked.len())));
            if let Some(files) = &mut keep.files {
                files.directory.push(directory_name(at, name));
                fs::create_dir(&files.directory).with_context(|| cannot(&files.directory))?;
            }
        }
        parts.push(part(context, arguments, document, params, &keep).await?);
    }
    Ok(parts)
}

/// A name of a part that is one of a directory, whatever the project is called.
fn directory_name(at: usize, name: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' };
    let name: String = name.chars().take(60).map(plain).collect();
    format!("{}-{name}", at + 1)
}

async fn part(
    context: &Context,
    arguments: &ReportArguments,
    document: &Document,
    params: &Params,
    keep: &Keep,
) -> anyhow::Result<Part> {
    let (engine, snapshot) = query::engine(context, arguments.allow_write).await?;
    engine.read_files(beside(&document.origin, &arguments.files)?);
    remote::register(&engine, &arguments.remote);
    context.note_state(&snapshot);
    let data = Data::of(&engine).await?;
    let count = document.blocks().count();
    let mut blocks = vec![];
    for (at, block) in document.blocks().enumerate() {
        let ran = run_block(&engine, block, params, keep).await;
        let end = match &ran.error {
            None => format!("{:.2} s, {}", ran.seconds, counted(ran.rows, "row")),
            Some(_) => "failed".to_owned(),
        };
        context.report(&format!("[{}/{count}] {} … {end}", at + 1, ran.name));
        for note in &ran.notes {
            context.note(&escape_terminal(note));
        }
        if let Some(error) = &ran.error {
            for line in error.to_string().lines() {
                context.print_stderr(&format!("  {}", escape_terminal(line)));
            }
        }
        for outcome in ran.outcomes.iter().filter(|outcome| !outcome.held) {
            let text = format!("  expected {}, found {}", outcome.expectation, outcome.found);
            context.print_stderr(&escape_terminal(&text));
        }
        blocks.push(ran);
    }
    let mut incomplete: Vec<String> = match snapshot.ledger().await {
        Ok(ledger) => {
            let project = context.project.as_deref();
            let files = ledger.files_verdicts(&snapshot.manifest, project);
            let suspect = files.iter().filter(|verdict| verdict.is_suspect()).map(ToString::to_string);
            ledger.incomplete(project).iter().map(ToString::to_string).chain(suspect).collect()
        }
        Err(error) if arguments.require_complete => return Err(context.explain(error)),
        Err(error) => vec![format!("it is not known whether anything is missing: {error}")],
    };
    if arguments.require_complete && snapshot.manifest.version == 0 {
        incomplete.push(format!("{} holds no spans: nothing was ever pulled or imported into it", context.place()));
    }
    incomplete.extend(blocks.iter().flat_map(|ran| ran.incomplete.iter().cloned()));
    if !context.quiet {
        for line in incomplete.iter().take(SHOWN) {
            context.print_stderr(&format!("incomplete: {}", escape_terminal(line)));
        }
        if incomplete.len() > SHOWN {
            context.print_stderr(&format!("incomplete: and {} more", incomplete.len() - SHOWN));
        }
    }
    Ok(Part { store: context.place().to_owned(), project: context.project.clone(), data, incomplete, blocks })
}

/// The exit code that is not 0, and why.
fn ended(report: &Filled, require_complete: bool) -> Option<(u8, anyhow::Error)> {
    let blocks = || report.parts.iter().flat_map(|part| &part.blocks);
    let named = |names: Vec<&str>| match names.as_slice() {
        [one] => format!("the block {one}"),
        names => format!("{} of {} blocks ({})", names.len(), blocks().count(), names.join(", ")),
    };
    let failed: Vec<&str> = blocks().filter(|ran| ran.error.is_some()).map(|ran| ran.name.as_str()).collect();
    if !failed.is_empty() {
        return Some((1, anyhow!("{} failed", named(failed))));
    }
    let unmet: Vec<&str> = blocks().filter(|ran| ran.has_unmet()).map(|ran| ran.name.as_str()).collect();
    if !unmet.is_empty() {
        let why = format!("not as expected: {}", named(unmet));
        return Some((EXPECTATION, Failure::Expectation(why).into()));
    }
    let first = report.parts.iter().flat_map(|part| &part.incomplete).next().filter(|_| require_complete)?;
    Some((INCOMPLETE, Failure::Incomplete(format!("the report rests on incomplete data: {first}")).into()))
}

/// Where a report goes, and as what.
#[derive(Debug)]
enum Output {
    Html(Option<PathBuf>),
    Markdown(Option<PathBuf>),
    Directory(PathBuf),
}

impl Output {
    fn of(typed: Option<&str>) -> Result<Self, Failure> {
        let Some(typed) = typed else { return Ok(Self::Markdown(None)) };
        let path = home_path(Path::new(typed));
        let ending = path.extension().and_then(|ending| ending.to_str()).map(str::to_lowercase);
        match (typed, ending.as_deref()) {
            ("md", _) => Ok(Self::Markdown(None)),
            ("html", _) => Ok(Self::Html(None)),
            _ if typed.ends_with(std::path::is_separator) || path.is_dir() => Ok(Self::Directory(path)),
            (_, Some("html" | "htm")) => Ok(Self::Html(Some(path))),
            (_, Some("md" | "markdown")) => Ok(Self::Markdown(Some(path))),
            _ => Err(Failure::Usage(format!("-o {typed}: write FILE.html, FILE.md, or DIR/ for a file of each block"))),
        }
    }

    fn path(&self) -> Option<&Path> {
        match self {
            Self::Html(path) | Self::Markdown(path) => path.as_deref(),
            Self::Directory(path) => Some(path),
        }
    }
}

fn write(context: &Context, report: &Filled, output: Output, directory: Option<Unmoved>) -> anyhow::Result<()> {
    let (text, path) = match output {
        Output::Html(path) => (write_html(report), path),
        Output::Markdown(path) => (write_markdown(report)?, path),
        Output::Directory(path) => {
            let Some(unmoved) = directory else { return Ok(()) };
            fs::write(unmoved.partial.path().join("results.json"), results_text(report)?)
                .with_context(|| cannot(&path))?;
            unmoved.keep()?;
            context.report(&format!("wrote {}", path.display()));
            return Ok(());
        }
    };
    match path {
        None => {
            // In the shell, what is taller than the screen goes through its pager.
            let mut out = context.target(Some("md"))?.open()?;
            out.write_all(text.as_bytes())?;
            out.keep()
        }
        Some(path) => {
            write_file(&path, text.as_bytes())?;
            context.report(&format!("wrote {}", path.display()));
            Ok(())
        }
    }
}

fn results_text(report: &Filled) -> anyhow::Result<String> {
    Ok(format!("{}\n", serde_json::to_string_pretty(&results_json(report))?))
}

/// Writes a file that is there whole, or as it was.
fn write_file(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut file = Target::of_file(path, Format::Md).open()?;
    file.write_all(bytes).with_context(|| cannot(path))?;
    file.keep().with_context(|| cannot(path))
}

fn cannot(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

/// Whether there is a place for a file, before the report is made for it.
fn check_parent(path: &Path) -> anyhow::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if parent.is_dir() { Ok(()) } else { Err(anyhow!("{}: there is no directory {}", cannot(path), parent.display())) }
}

/// A directory under another name for the time that it is filled; dropped without being kept, it is removed.
struct Unmoved {
    partial: Partial,
    path: PathBuf,
}

impl Unmoved {
    fn new(path: &Path) -> anyhow::Result<Self> {
        // A separator at the end names the same directory.
        let path: PathBuf = path.components().collect();
        path.file_name().context("-o: a directory needs a name of its own")?;
        let partial = Partial::beside(&path);
        fs::create_dir(partial.path()).with_context(|| cannot(partial.path()))?;
        Ok(Self { partial, path })
    }

    /// Gives the files their places: all at once where there was no such directory, else one after the other.
    fn keep(self) -> anyhow::Result<()> {
        if fs::symlink_metadata(&self.path).is_err() {
            return self.partial.rename_to(&self.path).with_context(|| cannot(&self.path));
        }
        move_files(self.partial.path(), &self.path)
    }
}

fn move_files(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to).with_context(|| cannot(to))?;
    for entry in fs::read_dir(from).with_context(|| cannot(to))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            move_files(&entry.path(), &target)?;
        } else {
            fs::rename(entry.path(), &target).with_context(|| cannot(&target))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_of_parts_stay_where_they_belong() {
        assert_eq!(directory_name(0, "../../etc/passwd"), "1-______etc_passwd");
        assert_eq!(directory_name(1, "s3://bucket/\u{202e}a"), "2-s3___bucket__a");
        assert!(directory_name(2, &"x".repeat(5000)).len() < 70);
    }

    #[test]
    fn outputs_by_their_endings() {
        let of = |typed: &str| Output::of(Some(typed));
        assert!(matches!(Output::of(None), Ok(Output::Markdown(None))));
        assert!(matches!(of("md"), Ok(Output::Markdown(None))));
        assert!(matches!(of("a.HTML"), Ok(Output::Html(Some(_)))));
        assert!(matches!(of("a.md"), Ok(Output::Markdown(Some(_)))));
        assert!(matches!(of("new.html/"), Ok(Output::Directory(_))));
        assert!(matches!(of("a.pdf"), Err(Failure::Usage(_))));
    }
}
