//! What the ledger says of how spans arrived.

use std::collections::BTreeMap;

use chrono::DateTime;
use indicatif::HumanCount;

use super::tally::{Counts, Key};
use spanql_store::{CAPS, Doubt, FileImport, Ledger, Pull, Status};

/// What imported files are the source of.
const FILE: &str = "file";
/// Pulls that a text names.
const NAMED: usize = 3;

/// What is known of the pulls into each project from each source; imports of files are among them.
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
    /// How many pulls there were, without imports of files, and how many of them were not announced.
    pub(super) pulls: u64,
    pub(super) unannounced: u64,
    /// What is missing of what was asked for, in words.
    pub(super) missing: Vec<String>,
    /// Rows of files that were passed over, in words.
    pub(super) skipped: Vec<String>,
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
            pulled.pulls += 1;
            pulled.unannounced += u64::from(pull.announced().is_none());
            // As many as were asked for at most are no surprise.
            if is_cap(pull.received()) && pull.limit != Some(pull.received()) {
                pulled.round.push(in_words(pull));
            }
        }
        for range in ledger.incomplete(None) {
            let key = (Some(range.key.into.clone()), Some(range.key.source.clone()));
            all.of.entry(key).or_default().missing.push(range.to_string());
        }
        ledger.imports.iter().for_each(|import| all.add_import(ledger, import));
        all
    }

    fn add_import(&mut self, ledger: &Ledger, import: &FileImport) {
        let doubts = ledger.doubts(import);
        for of in &import.projects {
            let imported = self.of.entry((Some(of.project.clone()), Some(FILE.to_owned()))).or_default();
            imported.again += of.rows.saturating_sub(of.new + of.deleted);
            let mut is_cut = false;
            for doubt in &doubts {
                let list = match doubt {
                    Doubt::Cut(_) => {
                        is_cut = true;
                        &mut imported.missing
                    }
                    Doubt::Skipped { .. } => &mut imported.skipped,
                    _ => &mut imported.round,
                };
                list.push(doubt.to_string());
            }
            imported.incomplete += u64::from(is_cut);
        }
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
