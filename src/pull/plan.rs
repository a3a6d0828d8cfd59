//! What has to be asked for, by what the ledger knows.

use super::PullOptions;
use spanql_model::window::{Window, united};
use spanql_store::{Ledger, Pull, Slice};

const MINUTE: i64 = 60 * 1_000_000_000;
/// What was younger than this when it landed is asked for again when a pull is taken up, ns.
const UNSETTLED: i64 = 10 * MINUTE;
/// How far what is new reaches back before what is there: a span comes when it ends, under the time when it started, and
/// a remote may take hours to list it.
pub const LATE: i64 = 12 * 60 * MINUTE;
/// The same for looks that follow each other closely.
pub const LATE_BRIEFLY: i64 = 10 * MINUTE;
const MILLIS: i64 = 1_000_000;

/// A pull to make.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// The pull, with the slices that need not be asked for again.
    pub pull: Pull,
    /// When the pull that it takes up was started, ms since the epoch.
    pub resumes: Option<i64>,
}

/// Plans a pull of a window: all of it, or what is left of one that was broken off.
///
/// A pull is taken up when it asked for the same window, or for one that has only moved on with time since.
/// `now_ms` is in ms since the epoch.
pub fn plan(ledger: &Ledger, options: &PullOptions, window: Window, now_ms: i64) -> Planned {
    let mut pull = new(options, window);
    if options.limit.is_some() {
        return Planned { pull, resumes: None };
    }
    let Some(broken) = ledger.resumable(&options.key, &options.projection, now_ms) else {
        return Planned { pull, resumes: None };
    };
    // A second more, because windows that move end on whole seconds.
    let passed = (now_ms.saturating_sub(broken.started)).saturating_mul(MILLIS).saturating_add(1_000 * MILLIS);
    let moved = |then: i64, now: i64| now >= then && now.saturating_sub(then) <= passed;
    if !moved(broken.window.start, window.start) || !moved(broken.window.end, window.end) {
        return Planned { pull, resumes: None };
    }
    let settled = |slice: &&Slice| {
        !slice.is_short() && slice.window.end <= slice.landed.saturating_mul(MILLIS).saturating_sub(UNSETTLED)
    };
    // Where the window has moved on, the beginning that the broken pull lacks is still asked for.
    pull.window.start = broken.window.start;
    pull.slices = broken.slices.iter().filter(settled).cloned().collect();
    let resumes = (!pull.slices.is_empty()).then_some(broken.started);
    Planned { pull, resumes }
}

/// Plans what is new since the last pulls and `late` ns before, and what they lack; `otherwise` when nothing was pulled
/// yet. `now` is in ns since the epoch.
pub fn plan_new(ledger: &Ledger, options: &PullOptions, now: i64, late: i64, otherwise: Window) -> Vec<Planned> {
    let mut windows = ledger.missing(&options.key, &options.projection);
    windows.push(match ledger.frontier(&options.key, &options.projection) {
        Some(frontier) => Window { start: frontier.min(now).saturating_sub(late), end: now },
        None => otherwise,
    });
    united(windows).into_iter().map(|window| Planned { pull: new(options, window), resumes: None }).collect()
}

fn new(options: &PullOptions, window: Window) -> Pull {
    Pull { projection: options.projection.clone(), limit: options.limit, ..Pull::new(options.key.clone(), window) }
}
