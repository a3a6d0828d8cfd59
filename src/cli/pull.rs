//! `spanql pull`: from a remote into the store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::datatypes::DataType;
use chrono::{DateTime, SecondsFormat, Utc};
use datafusion::logical_expr::Expr;
use indicatif::{HumanBytes, HumanCount};

use super::args::{PullArguments, WindowOptions};
use super::context::{Context, counted};
use super::exit::source_error;
use super::failure::Failure;
use super::filters::{FilterOptions, refused};
use super::remote;
use crate::pull::{LATE, LATE_BRIEFLY, Order, Outcome, Planned, Watch, plan, plan_new, pull};
use spanql_engine::RowFilter;
use spanql_filter::conjuncts;
use spanql_model::arrival::announced_columns;
use spanql_model::columns;
use spanql_model::names::{expand_alias, is_open_name};
use spanql_model::nearest::nearest;
use spanql_model::window::Window;
use spanql_output::escape_terminal;
use spanql_sources::arize::{self, Arize};
use spanql_sources::{BRIEF, ExportRequest, SourceError, SpanSource, retrying};
use spanql_store::{PullKey, Store, Wanted};

const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 24 * 3600 * SECOND;
const DEFAULT_DAYS: u32 = 30;
/// Characters of a filter that are shown.
const FILTER_SHOWN: usize = 200;
/// Between two looks of --follow.
const PAUSE: Duration = Duration::from_secs(30);
/// Between two looks of --follow that reach back for spans that came late.
const FAR_LOOKS: Duration = Duration::from_secs(3600);
/// How often the progress bar is drawn.
const TICK: Duration = Duration::from_millis(100);

pub(super) async fn run(context: &Context, arguments: PullArguments) -> anyhow::Result<()> {
    if context.project.is_some() {
        let help =
            "--project names what is asked in the store: use --as to name the project that spans are pulled into";
        return Err(Failure::Usage(help.into()).into());
    }
    let wanted = Wanted { columns: columns_of(&arguments.columns)?, sample_rate: arguments.sample_rate, filter: None };
    // What makes no sense is refused before anything is asked.
    arguments.filters.read_unchecked().map_err(Failure::Filter)?;
    let window = window(&arguments.window, now())?;
    let store = Arc::new(context.store_to_write()?);
    let source = remote::arize(&arguments.remote)?;
    let found = source.resolve(&arguments.remote_project).await?;
    if let Some(note) = &found.note {
        context.note(&escape_terminal(note));
    }
    let (filter, announced) = filter(context, &source, &found.project, &arguments.filters).await?;
    if arguments.count {
        let request = ExportRequest {
            columns: wanted.columns,
            sample_rate: wanted.sample_rate,
            filters: filter.map(|filter| conjuncts(filter.condition().clone())).unwrap_or_default(),
            announced,
            ..ExportRequest::new(&found.project, window)
        };
        return count(context, &source, &request).await;
    }
    let key = PullKey {
        source: arize::NAME.to_owned(),
        remote: source.endpoint().to_owned(),
        space: Some(found.space),
        into: arguments.as_project.unwrap_or_else(|| found.project.clone()),
        project: found.project,
    };
    let order = Order {
        wanted,
        limit: arguments.limit,
        jobs: usize::from(arguments.jobs),
        record_empty: !arguments.follow,
        announced,
        ..Order::new(key)
    };
    let order = match filter {
        Some(filter) => order.only(filter),
        None => order,
    };
    let puller = Puller { context, store, source: Arc::new(source), order };
    if arguments.follow {
        return puller.follow().await;
    }
    let outcome = if arguments.new { puller.new_spans(window, LATE).await? } else { puller.window(window).await? };
    let sampled = outcome.limited || arguments.sample_rate.is_some_and(|rate| rate < 1.0);
    let lacks = [
        (sampled, "a sample was asked for"),
        (!outcome.short.is_empty(), "not everything that was announced came"),
        (outcome.unfit.is_some(), "some of what came are no spans"),
    ];
    match lacks.iter().find(|(lacks, _)| *lacks && arguments.require_complete) {
        Some((_, why)) => Err(Failure::Incomplete((*why).to_owned()).into()),
        None => Ok(()),
    }
}

fn now() -> i64 {
    // Windows end on whole seconds: that is what remotes take.
    Utc::now().timestamp().saturating_mul(SECOND)
}

/// The window that the options mean, by default the last days.
fn window(options: &WindowOptions, now: i64) -> anyhow::Result<Window> {
    let end = options.end_time.unwrap_or(now);
    let last_days = last_days(options.days.unwrap_or(DEFAULT_DAYS), end);
    not_empty(Window { start: options.start_time.unwrap_or(last_days.start), end })
}

/// The window that the options mean, with no bound where they name none.
pub(super) fn window_if_asked(options: &WindowOptions, now: i64) -> anyhow::Result<Window> {
    let days = options.days.filter(|_| options.start_time.is_none());
    let end = options.end_time.unwrap_or(if days.is_some() { now } else { i64::MAX });
    let start = options.start_time.or(days.map(|days| last_days(days, end).start));
    not_empty(Window { start: start.unwrap_or(i64::MIN), end })
}

fn not_empty(window: Window) -> anyhow::Result<Window> {
    if window.is_empty() {
        let text = format!(
            "the window is empty: it would begin at {} and end before {}",
            time(window.start),
            time(window.end)
        );
        return Err(Failure::Usage(text).into());
    }
    Ok(window)
}

fn last_days(days: u32, end: i64) -> Window {
    Window { start: end.saturating_sub(i64::from(days).saturating_mul(DAY)), end }
}

/// Whether a remote that cannot be reached now may be later.
fn passes(error: &anyhow::Error) -> bool {
    let remote = error.chain().find_map(source_error);
    remote.is_some_and(|error| error.is_transient() || matches!(error, SourceError::Silent { .. }))
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

/// Columns by their canonical names.
fn columns_of(typed: &[String]) -> anyhow::Result<Option<Vec<String>>> {
    if typed.is_empty() {
        return Ok(None);
    }
    let mut names = Vec::new();
    for name in typed.iter().map(|name| name.trim()).filter(|name| !name.is_empty()) {
        let full = expand_alias(name).unwrap_or_else(|| name.to_owned());
        if columns::canonical(&full).is_none() && !is_open_name(&full) {
            let known = columns::CANONICAL.iter().map(|column| column.name);
            let help = nearest(&full, known).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            return Err(Failure::Usage(format!("--columns: there is no column {name}{help}")).into());
        }
        if !names.contains(&full) {
            names.push(full);
        }
    }
    if names.is_empty() {
        return Err(Failure::Usage("--columns names no column".into()).into());
    }
    names.sort();
    Ok(Some(names))
}

/// The filter that the options mean, and what the remote announces, which is asked for where the filter needs it.
async fn filter(
    context: &Context,
    source: &Arize,
    project: &str,
    options: &FilterOptions,
) -> anyhow::Result<(Option<RowFilter>, Arc<BTreeMap<String, DataType>>)> {
    if options.is_empty() {
        return Ok((None, Arc::default()));
    }
    let schema = retrying(BRIEF, || source.schema(project), SourceError::itself).await?;
    let mut announced = announced_columns(&schema);
    let read = options.read_for(&announced).map_err(refused)?;
    if options.allow_unknown {
        // Of keys that may be there or not, the remote is not asked: it may refuse them.
        announced.remove(columns::METADATA);
    }
    for note in read.iter().flat_map(|filter| &filter.notes) {
        context.note(&escape_terminal(note));
    }
    Ok((read.map(|filter| row_filter(filter.expr)).transpose()?, Arc::new(announced)))
}

fn row_filter(condition: Expr) -> Result<RowFilter, Failure> {
    RowFilter::new(condition).map_err(|error| Failure::Usage(format!("filter: {error}")))
}

async fn count(context: &Context, source: &Arize, request: &ExportRequest) -> anyhow::Result<()> {
    let count = source.count(request).await?.ok_or_else(|| SourceError::Protocol {
        endpoint: source.endpoint().to_owned(),
        reason: "it does not say how many spans there are".to_owned(),
    })?;
    if !request.filters.is_empty() && count > 0 {
        let count = HumanCount(count);
        let asked = source.describe(request).iter().any(|(name, _)| *name == "filterExpression");
        context.note(&if asked {
            format!("at most {count} match: this counts what the remote lets through, and a pull checks each span")
        } else {
            format!("the remote cannot be asked for any of the filter: {count} is the number of all spans")
        });
    }
    context.print(&count.to_string())
}

/// Pulls by one order into one store.
pub(super) struct Puller<'a> {
    pub(super) context: &'a Context,
    pub(super) store: Arc<Store>,
    pub(super) source: Arc<dyn SpanSource>,
    pub(super) order: Order,
}

impl Puller<'_> {
    /// Pulls a window, or what an interrupted pull of it has left.
    pub(super) async fn window(&self, window: Window) -> anyhow::Result<Outcome> {
        let ledger = self.store.ledger().await?;
        let planned = plan(&ledger, &self.order, window, Utc::now().timestamp_millis());
        if let Some(started) = planned.resumes {
            let slices = planned.pull.slices.iter().map(|slice| slice.parts).sum();
            let started = time(started.saturating_mul(1_000_000));
            self.context
                .note(&format!("going on with the pull of {started}: {} landed then", counted(slices, "slice")));
        }
        let began = Instant::now();
        let outcome = self.pull(planned).await?;
        self.say(window, &outcome, began);
        Ok(outcome)
    }

    /// Pulls what is new, and what earlier pulls lack.
    async fn new_spans(&self, otherwise: Window, late: i64) -> anyhow::Result<Outcome> {
        let mut all = Outcome { announced: Some(0), ..Outcome::default() };
        let ledger = self.store.ledger().await?;
        for planned in plan_new(&ledger, &self.order, now(), late, otherwise) {
            let (window, began) = (planned.pull.window, Instant::now());
            let outcome = self.pull(planned).await?;
            if outcome.received > 0 || self.order.record_empty {
                self.say(window, &outcome, began);
            }
            all.short.extend(outcome.short);
            all.unfit = all.unfit.or(outcome.unfit);
        }
        Ok(all)
    }

    /// Looks for what is new again and again; an outage of the remote is waited out.
    async fn follow(&self) -> anyhow::Result<()> {
        self.context.note(&format!("pulling what is new every {} s; Ctrl-C ends it", PAUSE.as_secs()));
        let mut looked_far = None;
        loop {
            let far = looked_far.is_none_or(|then: Instant| then.elapsed() >= FAR_LOOKS);
            let late = if far { LATE } else { LATE_BRIEFLY };
            match self.new_spans(last_days(DEFAULT_DAYS, now()), late).await {
                Ok(_) if far => looked_far = Some(Instant::now()),
                Ok(_) => {}
                Err(error) if passes(&error) => {
                    let error = format!("{error:#}; trying again in {} s", PAUSE.as_secs());
                    self.context.warn(&escape_terminal(&error));
                }
                Err(error) => return Err(error),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Pulls, watched by a progress bar.
    async fn pull(&self, planned: Planned) -> anyhow::Result<Outcome> {
        let bar = self.context.progress("pulling {msg} [{bar:30}] {elapsed}")?;
        let watch = Arc::new(Watch::default());
        let began = Instant::now();
        let work = pull(&self.store, &self.source, &self.order, planned.pull, &watch);
        let mut work = std::pin::pin!(work);
        let mut ticks = tokio::time::interval(TICK);
        let outcome = loop {
            tokio::select! {
                outcome = &mut work => break outcome,
                _ = ticks.tick() => {
                    let rate = watch.rows() as f64 / began.elapsed().as_secs_f64().max(0.1);
                    let of = watch.announced().map(|total| format!("/{}", HumanCount(total))).unwrap_or_default();
                    bar.set_length(watch.announced().unwrap_or_default().max(watch.rows()));
                    bar.set_position(watch.rows());
                    bar.set_message(format!(
                        "{}{of} spans ({}/s, {}), {} landed",
                        HumanCount(watch.rows()),
                        HumanCount(rate as u64),
                        HumanBytes(watch.bytes()),
                        counted(watch.landed(), "slice")
                    ));
                }
            }
        };
        bar.finish_and_clear();
        let landed = watch.landed();
        outcome.map_err(|error| {
            let error = anyhow::Error::new(error);
            match landed {
                0 => error,
                slices => error.context(format!(
                    "the pull broke off; {} landed, and the same command goes on from there",
                    counted(slices, "slice")
                )),
            }
        })
    }

    /// The one line at the end, and what is wrong.
    fn say(&self, window: Window, outcome: &Outcome, began: Instant) {
        let (context, key) = (self.context, &self.order.key);
        let project = escape_terminal(&key.project);
        let filter = self.order.wanted.filter.as_ref();
        let filter = filter.map(|filter| format!(" where {}", escape_terminal(&shortened(filter)))).unwrap_or_default();
        let asked = format!("{project} from {} to {}{filter}", time(window.start), time(window.end));
        if outcome.received == 0 && outcome.announced.is_none_or(|announced| announced == 0) {
            let columns = self.order.wanted.sample_rate.map(|rate| format!(", sample rate {rate}")).unwrap_or_default();
            let hint = match filter.is_empty() {
                true => "a wider window may hold some: --days N or --start-time T",
                false => "another filter or a wider window may find some",
            };
            context.report(&format!("no spans: {asked}{columns}; {hint}"));
            return;
        }
        let number = |number: u64| HumanCount(number).to_string();
        let unmatched = match outcome.unmatched {
            0 => String::new(),
            1 => " (1 does not match)".to_owned(),
            rows => format!(" ({} do not match)", HumanCount(rows)),
        };
        context.report(&format!(
            "asked {asked}: announced {}, received {}{unmatched}, stored {} ({} new, {} updated) in {:.1} s: {} version {}",
            outcome.announced.map_or("?".to_owned(), number),
            number(outcome.received),
            number(outcome.stored),
            number(outcome.new),
            number(outcome.updated),
            began.elapsed().as_secs_f64(),
            context.place(),
            outcome.version
        ));
        if let Some((rows, reason)) = &outcome.unfit {
            let rows = counted(*rows, "row");
            context.warn(&format!(
                "{rows} from the remote are no spans and were left out; the first: {}",
                escape_terminal(reason)
            ));
        }
        if outcome.limited {
            context.note("this is a sample; the same pull without --limit brings the rest");
        } else if let Some(first) = outcome.short.first() {
            context.warn(&format!(
                "announced and received differ in {}, first from {} to {}: run the same pull again",
                counted(outcome.short.len() as u64, "slice"),
                time(first.start),
                time(first.end)
            ));
        }
        if let Some(why) = &outcome.not_joined {
            context.note(&format!("small segments could not be joined: {}", escape_terminal(why)));
        }
        context.warn_unsynced(outcome.not_synced.as_deref());
    }
}
