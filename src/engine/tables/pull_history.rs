//! What the ledger says of how spans arrived.

use std::collections::BTreeMap;

use chrono::DateTime;
use indicatif::HumanCount;

use super::tally::{Counts, Key};
use spanql_store::{Ledger, Pull, Status};

/// The numbers that exports are known to stop at without a word.
const CAPS: [u64; 4] = [50, 100, 500, 1_000];
/// Pulls that a text names.
const NAMED: usize = 3;

/// What is known of the pulls into each project from each source.
#[derive(Debug, Default)]
pub(super) struct PullHistory {
    of: BTreeMap<Key, PullCounts>,
}

/// What is known of the pulls of one key.
#[derive(Debug, Default)]
pub(super) struct PullCounts {
    /// Spans that came although the store held them.
    pub(super) again: u64,
    /// Pulls that lack something that they asked for.
    pub(super) incomplete: u64,
    /// Pulls that brought exactly as many spans as a cap lets through, in words.
    round: Vec<String>,
}

impl PullHistory {
    pub(super) fn of(ledger: &Ledger) -> Self {
        let mut all = Self::default();
        for pull in &ledger.pulls {
            let key = (Some(pull.key.into.clone()), Some(pull.key.source.clone()));
            let pulled = all.of.entry(key).or_default();
            pulled.again = pulled.again.saturating_add(pull.stored().saturating_sub(pull.new_spans()));
            pulled.incomplete += u64::from(pull.status() == Status::Incomplete);
            // As many as were asked for at most are no surprise.
            if is_cap(pull.received()) && pull.limit != Some(pull.received()) {
                pulled.round.push(in_words(pull));
            }
        }
        all
    }

    pub(super) fn get(&self, key: &Key) -> Option<&PullCounts> {
        self.of.get(key)
    }

    /// What counts exactly as many as a cap lets through, if anything does.
    pub(super) fn round_counts(&self, key: &Key, counts: &Counts) -> Option<String> {
        let mut found = vec![];
        for (count, things) in [(counts.spans, "spans"), (counts.traces, "traces")] {
            if is_cap(count) {
                found.push(format!("{} {things} in all", HumanCount(count)));
            }
        }
        let pulls = self.get(key).map_or(&[][..], |pulled| &pulled.round);
        // The latest ones are those that can still be done again.
        let (more, named) = pulls.split_at(pulls.len().saturating_sub(NAMED));
        found.extend(named.iter().rev().cloned());
        match more.len() {
            0 => {}
            1 => found.push("and 1 more pull".to_owned()),
            more => found.push(format!("and {more} more pulls")),
        }
        (!found.is_empty()).then(|| found.join("; "))
    }
}

fn is_cap(count: u64) -> bool {
    CAPS.contains(&count)
}

fn in_words(pull: &Pull) -> String {
    let time = |nanos: i64| DateTime::from_timestamp_nanos(nanos).format("%Y-%m-%dT%H:%M:%SZ");
    let (received, window) = (HumanCount(pull.received()), pull.window);
    format!("{received} spans received by the pull of {} to {}", time(window.start), time(window.end))
}
