//! Whether the spans of a project are all there, in a word, and why.

use indicatif::HumanCount;

use super::pull_history::PullHistory;
use super::tally::{Counts, Key};

/// The spans of this source are made here.
const MADE_HERE: &str = "demo";

/// What is known of the spans of a project from one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    /// `complete`, `unknown`, `suspect` or `incomplete`.
    pub(super) word: &'static str,
    /// What speaks for it.
    pub(super) reasons: Vec<String>,
}

impl Verdict {
    /// The verdict on spans of which so many were counted.
    pub(super) fn of(key: &Key, counts: &Counts, history: &PullHistory) -> Self {
        let of_pulls = history.get(key);
        let missing = of_pulls.map_or(&[][..], |pulled| &pulled.missing);
        let mut signs: Vec<String> = history.round_counts(key, counts).into_iter().collect();
        signs.extend(of_pulls.into_iter().flat_map(|pulled| pulled.skipped.iter().cloned()));
        let s = |count: u64| if count == 1 { "" } else { "s" };
        if counts.orphans > 0 {
            signs.push(format!("{} orphan{}", HumanCount(counts.orphans), s(counts.orphans)));
        }
        if counts.rootless > 0 {
            signs.push(format!("{} trace{} without a root", HumanCount(counts.rootless), s(counts.rootless)));
        }
        if !missing.is_empty() {
            return Self { word: "incomplete", reasons: missing.iter().cloned().chain(signs).collect() };
        }
        // Of what was announced and came, a window may have cut traces: that is what was asked for.
        let announced = of_pulls.is_some_and(|pulled| pulled.pulls > 0 && pulled.unannounced == 0);
        if announced || key.1.as_deref() == Some(MADE_HERE) {
            return Self { word: "complete", reasons: vec![] };
        }
        let asked = of_pulls.is_some_and(|pulled| pulled.pulls > 0);
        let word = match (signs.is_empty(), asked) {
            (false, _) => "suspect",
            (true, true) => "complete",
            (true, false) => "unknown",
        };
        Self { word, reasons: signs }
    }
}
