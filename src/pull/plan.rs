//! What has to be asked for, by what the ledger knows.

use super::Order;
use crate::model::window::{Window, united};
use crate::store::{Ledger, Pull, Slice};

/// Spans come late, and evaluations later: what is younger than this when it lands may still change, ns.
const OVERLAP: i64 = 10 * 60 * 1_000_000_000;
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
pub fn plan(ledger: &Ledger, order: &Order, window: Window, now_ms: i64) -> Planned {
    let mut pull = new(order, window);
    if order.limit.is_some() {
        return Planned { pull, resumes: None };
    }
    let Some(broken) = ledger.resumable(&order.key, &order.wanted, now_ms) else {
        return Planned { pull, resumes: None };
    };
    // A second more, because windows that move end on whole seconds.
    let passed = (now_ms.saturating_sub(broken.started)).saturating_mul(MILLIS).saturating_add(1_000 * MILLIS);
    let moved = |then: i64, now: i64| now >= then && now.saturating_sub(then) <= passed;
    if !moved(broken.window.start, window.start) || !moved(broken.window.end, window.end) {
        return Planned { pull, resumes: None };
    }
    let settled = |slice: &&Slice| {
        !slice.is_short() && slice.window.end <= slice.landed.saturating_mul(MILLIS).saturating_sub(OVERLAP)
    };
    pull.slices = broken.slices.iter().filter(settled).cloned().collect();
    let resumes = (!pull.slices.is_empty()).then_some(broken.started);
    Planned { pull, resumes }
}

/// Plans what is new since the last pulls, and what they lack; `otherwise` when nothing was pulled yet.
pub fn plan_new(ledger: &Ledger, order: &Order, now: i64, otherwise: Window) -> Vec<Planned> {
    let mut windows = ledger.missing(&order.key, &order.wanted);
    windows.push(match ledger.frontier(&order.key, &order.wanted) {
        Some(frontier) => Window { start: frontier.min(now) - OVERLAP, end: now },
        None => otherwise,
    });
    united(windows).into_iter().map(|window| Planned { pull: new(order, window), resumes: None }).collect()
}

fn new(order: &Order, window: Window) -> Pull {
    Pull { wanted: order.wanted.clone(), limit: order.limit, ..Pull::new(order.key.clone(), window) }
}
