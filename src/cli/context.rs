//! What the arguments mean: the store, the terminal, the formats.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use arrow::array::RecordBatch;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::amounts::{counted, took};
use super::args::{Arguments, ColorChoice, ErrorFormat, Global, MemorySize, ResultOptions};
use super::failure::Failure;
use super::pager::Pager;
use super::target::{Screen, Target, stdout};
use spanql_output::{Format, Options, ResultWriter, Zone, escape_terminal};
use spanql_store::{Snapshot, Store, StoreError, default_location, home_path};

/// Share of the machine's memory that queries may use.
const DEFAULT_MEMORY_PERCENT: f64 = 60.0;

/// The memory of the machine, or what of it this process may use, in bytes: to ask the system takes a millisecond or two.
static MEMORY: OnceLock<u64> = OnceLock::new();

/// Settings that every command shares.
#[derive(Debug, Clone)]
pub(super) struct Context {
    place: String,
    place_origin: &'static str,
    at_version: Option<u64>,
    pub(super) project: Option<String>,
    memory: MemorySize,
    color: bool,
    zone: Zone,
    /// Whether what looks like a secret is replaced.
    pub(super) redact: bool,
    pub(super) errors: ErrorFormat,
    pub(super) quiet: bool,
    pub(super) verbose: bool,
    /// What the shell sets about results.
    pub(super) screen: Option<Screen>,
    /// The places of which it was said that parts of them follow older rules: a shell opens one again and again.
    said_outdated: Arc<Mutex<BTreeSet<String>>>,
    /// The stores that are read, by their places: what is known of files that never change stays known from question to question.
    opened: Arc<Mutex<BTreeMap<String, Arc<Store>>>>,
}

impl Context {
    pub(super) fn new(arguments: &Arguments) -> Self {
        let global = &arguments.global;
        let color = match global.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        };
        let (place, place_origin) = match &global.store {
            Some(place) => (place.clone(), "--store"),
            None => default_location(),
        };
        Self {
            place,
            place_origin,
            at_version: global.at_version,
            project: global.project.clone(),
            memory: global.memory.unwrap_or(MemorySize::Percent(DEFAULT_MEMORY_PERCENT)),
            color,
            zone: global.tz,
            redact: global.redact,
            errors: global.errors,
            quiet: global.quiet,
            verbose: global.verbose > 0,
            screen: None,
            said_outdated: Arc::default(),
            opened: Arc::default(),
        }
    }

    /// The same settings with another store, all of it.
    pub(super) fn with_place(&self, place: &Path) -> Self {
        Self { place: place.display().to_string(), at_version: None, project: None, ..self.clone() }
    }

    /// The same settings, with those that were typed.
    pub(super) fn with(&self, typed: &Global) -> Self {
        let mut context = self.clone();
        if let Some(place) = &typed.store {
            (context.place, context.place_origin) = (place.clone(), "--store");
        }
        context.project = typed.project.clone().or(context.project);
        context.at_version = typed.at_version.or(context.at_version);
        context.memory = typed.memory.unwrap_or(context.memory);
        match typed.color {
            ColorChoice::Always => context.color = true,
            ColorChoice::Never => context.color = false,
            ColorChoice::Auto => {}
        }
        if typed.tz != Zone::default() {
            context.zone = typed.tz;
        }
        if typed.errors != ErrorFormat::Text {
            context.errors = typed.errors;
        }
        context.redact |= typed.redact;
        context.quiet |= typed.quiet;
        context.verbose |= typed.verbose > 0;
        context
    }

    /// Whether colours are wanted.
    pub(super) fn color(&self) -> bool {
        self.color
    }

    /// The same settings with another store or project, as far as they are given.
    pub(super) fn clone_for(&self, place: Option<&str>, project: Option<&str>) -> Self {
        Self {
            place: place.unwrap_or(&self.place).to_owned(),
            project: project.map(str::to_owned).or_else(|| self.project.clone()),
            ..self.clone()
        }
    }

    /// The zone in which people read times.
    pub(super) fn zone(&self) -> Zone {
        self.zone
    }

    /// The store's place as it was named.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Where the store's place comes from, in words.
    pub(super) fn place_origin(&self) -> &'static str {
        self.place_origin
    }

    /// Opens the store to write to it.
    pub(super) fn store_to_write(&self) -> anyhow::Result<Store> {
        if self.at_version.is_some() {
            return Err(Failure::Usage("--at-version reads an older version: it cannot be written to".into()).into());
        }
        Ok(Store::open(&self.place)?)
    }

    /// Opens the store to answer from its newest version, whichever that is when somebody asks.
    pub(super) fn store_to_serve(&self) -> anyhow::Result<Store> {
        if self.at_version.is_some() {
            return Err(Failure::Usage("--at-version: a server answers from the newest version only".into()).into());
        }
        Ok(Store::open(&self.place)?)
    }

    fn store_to_read(&self) -> anyhow::Result<Arc<Store>> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = opened.get(&self.place) {
            return Ok(Arc::clone(store));
        }
        let store = Arc::new(Store::open(&self.place)?);
        opened.insert(self.place.clone(), Arc::clone(&store));
        Ok(store)
    }

    /// Opens the store and the version to read.
    pub(super) async fn snapshot(&self) -> anyhow::Result<(Arc<Store>, Snapshot)> {
        let store = self.store_to_read()?;
        let snapshot = match self.at_version {
            Some(version) => store.snapshot_at(version).await,
            None => store.snapshot().await,
        }
        .map_err(|error| self.explain(error))?;
        Ok((store, snapshot))
    }

    /// Says what is to be known of a version before it answers: that there is nothing in it, unless that is what was
    /// asked for, or that parts of it follow older rules.
    pub(super) fn note_state(&self, snapshot: &Snapshot) {
        let manifest = &snapshot.manifest;
        if manifest.version == 0 && self.at_version.is_none() {
            self.note_empty();
        }
        self.note_outdated(snapshot);
    }

    /// Says that parts of a version follow older rules, once.
    pub(super) fn note_outdated(&self, snapshot: &Snapshot) {
        let manifest = &snapshot.manifest;
        let mut said = self.said_outdated.lock().unwrap_or_else(PoisonError::into_inner);
        if manifest.outdated() > 0 && said.insert(self.place.clone()) {
            let of = counted(manifest.segments.len() as u64, "segment");
            let remedy = match self.at_version {
                None => "`spanql store upgrade` computes them again",
                Some(_) => "they stay as they were written",
            };
            self.note(&format!(
                "{}: trees and totals in {} of {of} follow the rules of an older spanql: {remedy}",
                self.place,
                manifest.outdated()
            ));
        }
    }

    /// Says that there is nothing in the store.
    pub(super) fn note_empty(&self) {
        self.note(&format!("{} holds no spans yet: `spanql pull` or `spanql import` fills it", self.place));
    }

    /// A refusal of cloud storage names a file inside the store, and the client's words only: says which store, and
    /// where its keys come from.
    pub(super) fn explain(&self, error: StoreError) -> anyhow::Error {
        let remote = matches!(error, StoreError::Storage { .. }) && self.place.contains("://");
        let error = anyhow::Error::new(error);
        if !remote {
            return error;
        }
        error.context(format!(
            "{} cannot be reached with the AWS_…, GOOGLE_… or AZURE_… settings of the environment",
            self.place
        ))
    }

    /// Memory that queries may use, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        match self.memory {
            MemorySize::Bytes(bytes) => bytes as usize,
            MemorySize::Percent(percent) => {
                let total = *MEMORY.get_or_init(|| {
                    let mut system = sysinfo::System::new();
                    system.refresh_memory();
                    system.cgroup_limits().map_or(system.total_memory(), |limits| limits.total_memory)
                });
                (total as f64 * percent / 100.0) as usize
            }
        }
    }

    /// Writes a line to stderr.
    pub(super) fn print_stderr(&self, line: &str) {
        self.stderr_writer()(line);
    }

    /// What writes a line to stderr, for work that outlives the command's own call.
    pub(super) fn stderr_writer(&self) -> fn(&str) {
        // Nobody may be there to read it, and that is no reason to end.
        |line| drop(writeln!(std::io::stderr(), "{line}"))
    }

    /// Says behind a result how many rows it has, and how long it took, where that is wanted.
    pub(super) fn footer(&self, rows: u64, began: Instant) {
        let pager = self.screen.as_ref().and_then(|screen| screen.pager.as_ref());
        let read_on = pager.map(Pager::read_on).unwrap_or_default();
        let took = took(began.elapsed().saturating_sub(read_on));
        match &self.screen {
            Some(screen) if screen.timing => self.print_stderr(&format!("{} in {took}", counted(rows, "row"))),
            Some(screen) if screen.pager.is_some() => self.print_stderr(&counted(rows, "row")),
            _ if self.verbose => self.print_stderr(&format!("{} in {took}", counted(rows, "row"))),
            _ => {}
        }
    }

    /// Says something that is good to know and no error.
    pub(super) fn note(&self, text: &str) {
        if !self.quiet {
            self.print_stderr(&format!("note: {}", cleaned(text)));
        }
    }

    /// Says something that is wrong with what was done.
    pub(super) fn warn(&self, text: &str) {
        self.print_stderr(&format!("warning: {}", cleaned(text)));
    }

    /// Says of a commit why the disk did not confirm it, if it did not.
    pub(super) fn warn_unsynced(&self, why: Option<&str>) {
        if let Some(why) = why {
            self.warn(&format!(
                "the commit is made, but the disk does not confirm that it is kept: {why}; it may be gone after a power failure"
            ));
        }
    }

    /// Writes a line of data to where results go.
    pub(super) fn print(&self, line: &str) -> anyhow::Result<()> {
        if let Some(Screen { file: Some((_, file)), .. }) = &self.screen {
            return Ok(writeln!(&**file, "{line}")?);
        }
        Ok(writeln!(stdout()?, "{line}")?)
    }

    /// Says what was done.
    pub(super) fn report(&self, text: &str) {
        if !self.quiet {
            self.print_stderr(&cleaned(text));
        }
    }

    /// A progress bar on stderr; silent when stderr is no terminal or with --quiet.
    pub(super) fn progress(&self, template: &str) -> anyhow::Result<ProgressBar> {
        let target = if self.quiet || !std::io::stderr().is_terminal() {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr_with_hz(10)
        };
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(ProgressStyle::with_template(template)?);
        Ok(bar)
    }

    /// Resolves `-o`: a format's name, else a path whose ending names one.
    pub(super) fn target(&self, output: Option<&str>) -> anyhow::Result<Target> {
        let screen = self.screen.clone();
        let Some(output) = output else {
            let format = match &screen {
                Some(screen) => screen.format,
                None if std::io::stdout().is_terminal() => Format::Table,
                None => Format::Jsonl,
            };
            return Ok(Target::of_screen(screen, format));
        };
        let unknown = match output.parse() {
            Ok(format) => return Ok(Target::of_screen(screen, format)),
            Err(error) => error,
        };
        let path = home_path(Path::new(output));
        match Format::from_path(&path) {
            Some(format) => Ok(Target::of_file(&path, format)),
            None => Err(Failure::Usage(format!("-o {output}: {unknown}; a file is known by its ending")).into()),
        }
    }

    /// How results look, with the given limits.
    pub(super) fn options(&self, target: &Target) -> Options {
        let in_file = target.is_file();
        let to_terminal = !in_file && std::io::stdout().is_terminal();
        let width = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        Options {
            color: self.color && !in_file,
            expanded: target.screen.as_ref().is_some_and(|screen| screen.expanded),
            zone: self.zone,
            width: if to_terminal { width } else { None },
            ..Options::default()
        }
    }

    /// How results look, with what was asked for.
    pub(super) fn result_options(&self, target: &Target, result: &ResultOptions) -> Options {
        Options { max_cell: result.max_cell, csv_safe: result.csv_safe, fence: result.fence, ..self.options(target) }
    }

    /// Writes one small result.
    pub(super) fn write(&self, output: Option<&str>, batch: &RecordBatch) -> anyhow::Result<()> {
        let target = self.target(output)?;
        let mut out = target.open()?;
        let mut writer = ResultWriter::new(&mut out, target.format, batch.schema(), self.options(&target))?;
        writer.write(batch)?;
        for note in writer.finish()?.notes() {
            self.note(&note);
        }
        out.keep()
    }
}

/// Text of several lines as a terminal may see it: names in it may be anybody's.
fn cleaned(text: &str) -> String {
    text.split('\n').map(escape_terminal).collect::<Vec<_>>().join("\n")
}
