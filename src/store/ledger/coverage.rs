//! Which times a store holds everything of, and which it was meant to.

use super::{Ledger, Projection, Pull, PullKey, Slice};
use spanql_model::time::NANOS;
use spanql_model::window::{Window, united, without};

/// How long after its start a pull can be taken up again, ms: later, spans may have changed since its first slices.
const RESUMABLE_FOR: i64 = 24 * 3_600_000;

impl Ledger {
    /// The times of which the store got all of this projection of this key, sorted and apart from each other.
    ///
    /// A pull that asked for more counts, one that took a sample or had a limit does not (but for the same sample), and
    /// neither does a slice that came short.
    pub fn covered(&self, key: &PullKey, projection: &Projection) -> Vec<Window> {
        self.covered_since(0, key, projection)
    }

    /// The same, by pulls from the numbered one on.
    pub(super) fn covered_since(&self, first: usize, key: &PullKey, projection: &Projection) -> Vec<Window> {
        let pulls = self.pulls.iter().skip(first);
        let pulls =
            pulls.filter(|pull| pull.key == *key && pull.limit.is_none() && pull.projection.includes(projection));
        united(pulls.flat_map(Pull::landed))
    }

    /// The times for which this projection of this key was asked for, all of it or a sample, and not all of it is there;
    /// sorted and apart from each other.
    ///
    /// Where a slice came short, only the same or a later pull can make up for it: the remote had more to give than
    /// an earlier one got.
    pub fn missing(&self, key: &PullKey, projection: &Projection) -> Vec<Window> {
        let projection = projection.unsampled();
        let asked = |pull: &Pull| pull.key == *key && pull.projection.unsampled().is_same(&projection);
        let numbers = (0..self.pulls.len()).filter(|number| asked(&self.pulls[*number]));
        united(numbers.flat_map(|number| self.missing_windows(number)))
    }

    /// What the numbered pull asked for that is not there.
    pub(super) fn missing_windows(&self, number: usize) -> Vec<Window> {
        let pull = &self.pulls[number];
        let projection = pull.projection.unsampled();
        let never = without(&[pull.window], &self.covered(&pull.key, &projection));
        // A limit cuts a slice short on purpose.
        let short = |slice: &&Slice| pull.limit.is_none() && slice.is_short();
        let short: Vec<Window> = pull.slices.iter().filter(short).map(|slice| slice.window).collect();
        if short.is_empty() {
            return never;
        }
        united(never.into_iter().chain(without(&short, &self.covered_since(number, &pull.key, &projection))))
    }

    /// The times of which the numbered pull wanted some columns only, or the spans that match a filter, and no pull
    /// brought everything.
    pub(super) fn partly_missing_windows(&self, number: usize) -> Vec<Window> {
        let pull = &self.pulls[number];
        if pull.projection.is_whole() {
            return Vec::new();
        }
        without(&[pull.window], &self.covered(&pull.key, &Projection::default()))
    }

    /// The latest pull of this key that wanted the same without a limit, if something of it is missing and it was
    /// started in the last 24 hours.
    ///
    /// [`Pull::remaining`] says what to ask for.
    pub fn resumable(&self, key: &PullKey, projection: &Projection, now_ms: i64) -> Option<&Pull> {
        let same = |pull: &&Pull| pull.key == *key && pull.limit.is_none() && pull.projection.is_same(projection);
        let latest = self.pulls.iter().rev().find(same)?;
        let recent = latest.started > now_ms.saturating_sub(RESUMABLE_FOR);
        (recent && !latest.remaining().is_empty()).then_some(latest)
    }

    /// The end of the latest time of which the store got all of this projection of this key, ns since the epoch; `None`
    /// when it got it of none.
    ///
    /// A slice that reaches into the future holds nothing from there: it counts up to when it landed.
    pub fn frontier(&self, key: &PullKey, projection: &Projection) -> Option<i64> {
        let pulls = self.pulls.iter();
        let pulls =
            pulls.filter(|pull| pull.key == *key && pull.limit.is_none() && pull.projection.includes(projection));
        let whole = pulls.flat_map(|pull| &pull.slices).filter(|slice| !slice.is_short() && !slice.window.is_empty());
        whole.map(|slice| slice.window.end.min(slice.landed.saturating_mul(NANOS / 1000))).max()
    }
}
