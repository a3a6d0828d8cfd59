//! What a user sees of pulls: a progress bar while one runs, one line at its end, and what is wrong.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, SecondsFormat};
use indicatif::{HumanBytes, HumanCount, ProgressBar};
use tokio::task::JoinHandle;

use super::amounts::counted;
use super::context::Context;
use crate::pull::{
    FOLLOW_PAUSE, PullError, PullEvent, PullOptions, PullProgress, PullSummary, Puller, beyond_budget, remove_old,
    stored_bytes,
};
use spanql_engine::StoreEngine;
use spanql_model::window::Window;
use spanql_output::escape_terminal;

/// Characters of a filter that are shown.
const FILTER_SHOWN: usize = 200;
/// How long versions stay readable that hold what had to go.
const KEPT_VERSIONS: Duration = Duration::from_secs(3600);
/// How often the progress bar is drawn.
const TICK: Duration = Duration::from_millis(100);

/// Pulls, and says how it goes.
pub(super) struct Pulling<'a> {
    context: &'a Context,
    puller: &'a Puller,
    running: Option<Running>,
}

/// A pull that runs, with its progress bar.
struct Running {
    progress: Arc<PullProgress>,
    bar: ProgressBar,
    drawing: JoinHandle<()>,
}

impl<'a> Pulling<'a> {
    pub(super) fn new(context: &'a Context, puller: &'a Puller) -> Self {
        Self { context, puller, running: None }
    }

    /// Pulls a window, or what an interrupted pull of it has left.
    pub(super) async fn window(mut self, window: Window) -> anyhow::Result<PullSummary> {
        let pulled = self.puller.pull_window(window, |event| self.report(event)).await;
        pulled.map_err(|error| self.broken_off(error))
    }

    /// Pulls what is new, and what earlier pulls lack; a window when there was none.
    pub(super) async fn new_spans(mut self, otherwise: Window) -> anyhow::Result<Vec<PullSummary>> {
        let pulled = self.puller.pull_new(otherwise, |event| self.report(event)).await;
        pulled.map_err(|error| self.broken_off(error))
    }

    /// Pulls what is new again and again; gives what ended it.
    ///
    /// With a size, the oldest traces of the project go after each look that leaves the store larger.
    pub(super) async fn follow(mut self, most: Option<u64>) -> anyhow::Error {
        self.context.note(&format!("pulling what is new every {} s; Ctrl-C ends it", FOLLOW_PAUSE.as_secs()));
        let (context, puller) = (self.context, self.puller);
        let after = async || match most {
            Some(most) => make_room(context, puller, most).await,
            None => Ok(()),
        };
        let error = puller.follow_with(|event| self.report(event), after).await;
        self.broken_off(error)
    }

    fn report(&mut self, event: PullEvent) {
        match event {
            PullEvent::Resuming { started, landed } => {
                let started = time(started.saturating_mul(1_000_000));
                let landed = counted(landed, "slice");
                self.context.note(&format!("going on with the pull of {started}: {landed} landed then"));
            }
            PullEvent::Started { progress, .. } => self.running = Some(Running::new(self.context, progress)),
            PullEvent::Done { window, summary, elapsed } => {
                // The bar goes before the line comes.
                self.running = None;
                let options = &self.puller.options;
                if summary.received > 0 || options.record_empty {
                    say_done(self.context, options, window, &summary, elapsed);
                }
            }
            PullEvent::Retrying { error } => {
                let error = self.broken_off(error);
                let error = format!("{error:#}; trying again in {} s", FOLLOW_PAUSE.as_secs());
                self.context.warn(&escape_terminal(&error));
            }
        }
    }

    /// Why it stopped, and what has landed of the pull that did.
    fn broken_off(&mut self, error: PullError) -> anyhow::Error {
        let landed = self.running.take().map(|running| running.progress.landed());
        match (error, landed) {
            // No pull had begun.
            (PullError::Store(error), None) => error.into(),
            (error, None | Some(0)) => error.into(),
            (error, Some(slices)) => anyhow::Error::new(error).context(format!(
                "the pull broke off; {} landed, and the same command goes on from there",
                counted(slices, "slice")
            )),
        }
    }
}

impl Running {
    fn new(context: &Context, progress: Arc<PullProgress>) -> Self {
        // The pull does not need a bar.
        let bar = context.progress("pulling {msg} [{bar:30}] {elapsed}").unwrap_or_else(|_| ProgressBar::hidden());
        let drawing = tokio::spawn(draw(bar.clone(), Arc::clone(&progress)));
        Self { progress, bar, drawing }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.drawing.abort();
        self.bar.finish_and_clear();
    }
}

async fn draw(bar: ProgressBar, progress: Arc<PullProgress>) {
    let began = Instant::now();
    let mut ticks = tokio::time::interval(TICK);
    loop {
        ticks.tick().await;
        let rate = progress.rows() as f64 / began.elapsed().as_secs_f64().max(0.1);
        let of = progress.announced().map(|total| format!("/{}", HumanCount(total))).unwrap_or_default();
        bar.set_length(progress.announced().unwrap_or_default().max(progress.rows()));
        bar.set_position(progress.rows());
        bar.set_message(format!(
            "{}{of} spans ({}/s, {}), {} landed",
            HumanCount(progress.rows()),
            HumanCount(rate as u64),
            HumanBytes(progress.bytes()),
            counted(progress.landed(), "slice")
        ));
    }
}

/// Lets the oldest traces of the project go, if the store holds more than so many bytes; and what only versions need that
/// are an hour old.
async fn make_room(context: &Context, puller: &Puller, most: u64) -> Result<(), PullError> {
    let snapshot = puller.store.snapshot().await?;
    if stored_bytes(&snapshot.manifest) <= most {
        return Ok(());
    }
    let project = puller.options.key.into.clone();
    let settings = StoreEngine {
        memory_limit: Some(context.memory_bytes()),
        temp_dir: Some(puller.store.spill_dir()),
        project: Some(project.clone()),
        ..StoreEngine::default()
    };
    let engine = settings.open(snapshot.clone()).await?;
    let Some(before) = beyond_budget(&engine, &snapshot.manifest, &project, most).await? else {
        context.warn(&format!("the store takes more than {}, and none of it is of {project}", HumanBytes(most)));
        return Ok(());
    };
    let removed = remove_old(&puller.store, &engine, before).await?;
    context.warn_unsynced(removed.not_synced.as_deref());
    context.report(&format!(
        "the store took more than {}: {} of {} that ended before {} removed",
        HumanBytes(most),
        counted(removed.traces, "trace"),
        escape_terminal(&project),
        time(before)
    ));
    puller.store.vacuum(KEPT_VERSIONS).await?;
    Ok(())
}

/// The one line at the end, and what is wrong.
fn say_done(context: &Context, options: &PullOptions, window: Window, summary: &PullSummary, elapsed: Duration) {
    let project = escape_terminal(&options.key.project);
    let filter = options.projection.filter.as_ref();
    let filter = filter.map(|filter| format!(" where {}", escape_terminal(&shortened(filter)))).unwrap_or_default();
    let asked = format!("{project} from {} to {}{filter}", time(window.start), time(window.end));
    if summary.received == 0 && summary.announced.is_none_or(|announced| announced == 0) {
        let rate = options.projection.sample_rate.map(|rate| format!(", sample rate {rate}")).unwrap_or_default();
        let hint = match filter.is_empty() {
            true => "a wider window may hold some: --days N or --start-time T",
            false => "another filter or a wider window may find some",
        };
        context.report(&format!("no spans: {asked}{rate}; {hint}"));
        return;
    }
    let number = |number: u64| HumanCount(number).to_string();
    let unmatched = match summary.unmatched {
        0 => String::new(),
        1 => " (1 does not match)".to_owned(),
        rows => format!(" ({} do not match)", HumanCount(rows)),
    };
    context.report(&format!(
        "asked {asked}: announced {}, received {}{unmatched}, stored {} ({} new, {} updated) in {:.1} s: {} version {}",
        summary.announced.map_or("?".to_owned(), number),
        number(summary.received),
        number(summary.stored),
        number(summary.new),
        number(summary.updated),
        elapsed.as_secs_f64(),
        context.place(),
        summary.version
    ));
    if let Some((rows, reason)) = &summary.unfit {
        let rows = counted(*rows, "row");
        context.warn(&format!(
            "{rows} from the remote are no spans and were left out; the first: {}",
            escape_terminal(reason)
        ));
    }
    if summary.too_old > 0 {
        context.note(&format!(
            "{} left out that ended before the time from which on {project} is kept; `spanql store retain --keep-all` lets them in",
            counted(summary.too_old, "span")
        ));
    }
    if summary.limited {
        context.note("this is a sample; the same pull without --limit brings the rest");
    } else if let Some(first) = summary.short.first() {
        context.warn(&format!(
            "announced and received differ in {}, first from {} to {}: run the same pull again",
            counted(summary.short.len() as u64, "slice"),
            time(first.start),
            time(first.end)
        ));
    }
    if let Some(why) = &summary.not_joined {
        context.note(&format!("small segments could not be joined: {}", escape_terminal(why)));
    }
    context.warn_unsynced(summary.not_synced.as_deref());
}

/// The beginning of a long filter.
fn shortened(filter: &str) -> String {
    match filter.char_indices().nth(FILTER_SHOWN) {
        Some((end, _)) => format!("{}…", &filter[..end]),
        None => filter.to_owned(),
    }
}

fn time(ns: i64) -> String {
    DateTime::from_timestamp_nanos(ns).to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
