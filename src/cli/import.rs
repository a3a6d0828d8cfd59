//! `spanql import`: files into the store.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use arrow::array::RecordBatch;
use indicatif::HumanCount;

use super::amounts::counted;
use super::args::ImportArguments;
use super::context::Context;
use spanql_output::escape_terminal;
use spanql_sources::config::{Environment, Redaction};
use spanql_sources::files::{FileReader, Input, Limits, ReadOptions, ReadReport, expand};
use spanql_store::{Committed, Import, ImportedFile, Prepared, Progress, Store};

pub(super) async fn run(context: &Context, arguments: ImportArguments) -> anyhow::Result<()> {
    let began = Instant::now();
    let store = context.store_to_write()?;
    let inputs = expand(&arguments.files)?;
    let count = inputs.len();
    let limits = limits(context, &arguments);
    let options = ReadOptions {
        format: arguments.format,
        project: context.project.clone(),
        as_project: arguments.as_project,
        skip_bad: arguments.skip_bad,
        limits,
        strict: arguments.strict,
        threads: std::thread::available_parallelism().map_or(1, |cores| cores.get().min(4)),
    };
    let redaction = context.redact.then(|| Redaction::new(Environment::of_process()));
    if let Some(redaction) = &redaction {
        redaction.redactor()?;
    }
    let (import, mut read) = read(context, &store, inputs, options, redaction).await?;
    let committed = commit_with(context, &store, import, "import", Some(std::mem::take(&mut read.files))).await?;
    say_report(context, &read.report);
    let files = counted(count as u64, "file");
    let what = summary(&committed, read.report.rows);
    let seconds = began.elapsed().as_secs_f64();
    context.report(&format!(
        "{what}, from {files} in {seconds:.1} s: {} version {}",
        context.place(),
        committed.version
    ));
    match read.cut.as_slice() {
        [] => Ok(()),
        cut => Err(anyhow!("{}: the rows before this are in the store, the rest is not", cut.join("; "))),
    }
}

fn limits(context: &Context, arguments: &ImportArguments) -> Limits {
    let by_memory = Limits::of_memory(context.memory_bytes());
    Limits { value: arguments.max_value.unwrap_or(by_memory.value), ratio: arguments.max_ratio, ..by_memory }
}

/// What became of the files.
#[derive(Default)]
struct Read {
    report: ReadReport,
    /// Files that could not be read to their end, and why.
    cut: Vec<String>,
    /// What each file held, for the ledger.
    files: Vec<ImportedFile>,
}

/// Reads files on a thread of their own, watched by a progress bar.
async fn read(
    context: &Context,
    store: &Store,
    inputs: Vec<Input>,
    options: ReadOptions,
    redaction: Option<Redaction>,
) -> anyhow::Result<(Import, Read)> {
    let total: Option<u64> = inputs.iter().map(Input::size).sum();
    let bar = context.progress("reading {bytes}/{total_bytes} ({bytes_per_sec}) {msg} [{bar:30}] {eta}")?;
    if let Some(total) = total {
        bar.set_length(total);
    }
    let import = store.begin_with_memory(waiting(context.memory_bytes()));
    let work = {
        let bar = bar.clone();
        move || {
            feed(import, |send| {
                let mut read = Read::default();
                let (mut done, mut rows) = (0, 0);
                for input in inputs {
                    let path = path_of(&input);
                    let mut reader = FileReader::open(input, &options)?;
                    let mut cut = None;
                    while let Some(batch) = reader.next() {
                        let batch = match batch {
                            Ok(batch) => batch,
                            // What is left of the file cannot be read, but what was read is whole.
                            Err(error) if options.skip_bad => {
                                cut = Some(error.to_string());
                                break;
                            }
                            Err(error) => return Err(error.into()),
                        };
                        rows += batch.num_rows() as u64;
                        send(match &redaction {
                            Some(redaction) => redaction.redactor()?.batch(&batch)?,
                            None => batch,
                        })?;
                        bar.set_position(done + reader.bytes_read());
                        bar.set_message(format!("{} spans", HumanCount(rows)));
                    }
                    done += reader.bytes_read();
                    let report = reader.report();
                    read.files.push(ImportedFile { path, rows: report.rows, bad: report.bad, cut: cut.clone() });
                    read.cut.extend(cut);
                    read.report.add(report);
                }
                Ok(read)
            })
        }
    };
    let result = tokio::task::spawn_blocking(work).await.context("reading stopped")?;
    bar.finish_and_clear();
    result
}

/// Bytes of spans that wait in memory before they go to disk: what merges them, and encodes what they are merged to, needs more.
fn waiting(memory: usize) -> usize {
    (memory / 16).clamp(16 << 20, 128 << 20)
}

/// The path by which the ledger knows a file; a pipe has none.
fn path_of(input: &Input) -> Option<String> {
    match input {
        Input::Path { path, .. } => {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            Some(path.display().to_string())
        }
        Input::Stdin => None,
    }
}

/// Batches that wait between the thread that makes them and the one that puts them aside.
const QUEUE: usize = 2;

/// Runs what makes batches on a thread of its own, while this one takes them in.
pub(super) fn feed<T: Send>(
    mut import: Import,
    make: impl FnOnce(&dyn Fn(RecordBatch) -> anyhow::Result<()>) -> anyhow::Result<T> + Send,
) -> anyhow::Result<(Import, T)> {
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::sync_channel(QUEUE);
        let send =
            move |batch: RecordBatch| sender.send(Prepared::of(&batch)?).context("the batches are not wanted any more");
        let maker = scope.spawn(move || make(&send));
        for batch in receiver {
            import.take(batch)?;
        }
        match maker.join() {
            Ok(made) => Ok((import, made?)),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Commits an import, watched by a progress bar.
pub(super) async fn commit(
    context: &Context,
    store: &Store,
    import: Import,
    operation: &str,
) -> anyhow::Result<Committed> {
    commit_with(context, store, import, operation, None).await
}

/// The same with what the files held that the spans came from.
async fn commit_with(
    context: &Context,
    store: &Store,
    import: Import,
    operation: &str,
    files: Option<Vec<ImportedFile>>,
) -> anyhow::Result<Committed> {
    let bar = context.progress("merging {pos}/{len} pieces [{bar:30}] {elapsed}")?;
    let progress = Progress::default();
    let work = async {
        match files {
            Some(files) => store.commit_files(import, files, operation, &progress).await,
            None => store.commit(import, operation, &progress).await,
        }
    };
    let mut work = std::pin::pin!(work);
    let committed = loop {
        tokio::select! {
            committed = &mut work => break committed.map_err(|error| context.explain(error))?,
            () = tokio::time::sleep(Duration::from_millis(100)) => {
                let (done, planned) = progress.pieces();
                bar.set_length(planned);
                bar.set_position(done);
            }
        }
    };
    bar.finish_and_clear();
    if let Some(reason) = &committed.not_joined {
        context.note(&format!("small segments could not be joined yet: {reason}"));
    }
    context.warn_unsynced(committed.not_synced.as_deref());
    Ok(committed)
}

/// What became of the rows, in one line.
fn summary(committed: &Committed, rows: u64) -> String {
    let counts = committed.counts;
    let spans = counts.new + counts.updated + counts.same;
    let mut parts = vec![format!("{} new", HumanCount(counts.new)), format!("{} updated", HumanCount(counts.updated))];
    parts.push(format!("{} unchanged", HumanCount(counts.same)));
    if counts.deleted > 0 {
        parts.push(format!("{} left out as deleted", HumanCount(counts.deleted)));
    }
    let repeated = rows.saturating_sub(spans + counts.deleted);
    if repeated > 0 {
        parts.push(format!("{} repeated", counted(repeated, "row")));
    }
    format!("{}: {}", counted(spans, "span"), parts.join(", "))
}

fn say_report(context: &Context, report: &ReadReport) {
    if !report.renamed.is_empty() {
        let names: Vec<_> = report.renamed.iter().map(|name| escape_terminal(name)).collect();
        context.note(&format!("columns kept as attributes.<name>: {}", names.join(", ")));
    }
    for (change, count, place) in report.changes.iter() {
        let what = change.counted(count);
        context.note(&format!("{what} (first in {}); --strict makes that an error", escape_terminal(place)));
    }
    if report.bad > 0 {
        let (rows, fit) = (counted(report.bad, "row"), if report.bad == 1 { "does" } else { "do" });
        context.report(&format!("skipped {rows} that {fit} not fit:"));
        for bad in &report.first_bad {
            context.report(&format!("  {}:{}: {}", bad.file, bad.line, escape_terminal(&bad.reason)));
        }
        if report.bad > report.first_bad.len() as u64 {
            context.report(&format!("  and {} more", HumanCount(report.bad - report.first_bad.len() as u64)));
        }
    }
}
