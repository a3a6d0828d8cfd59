//! Writing pulls down, and forgetting those that say nothing any more.

use std::collections::BTreeMap;

use super::imports::FileImport;
use super::pulls::{Ledger, Pull, Slice, now};
use super::retained::Retained;
use crate::error::Result;
use crate::files::WrittenFile;
use crate::location::StoreLocation;
use crate::manifest::{FileRef, Manifest};
use crate::merge::Counts;
use spanql_model::window::without;

/// Pulls that are kept, unless more of them are incomplete.
pub(super) const KEPT: usize = 1_000;

/// What a commit has to write into the ledger.
#[derive(Debug)]
pub(crate) enum Record<'a> {
    /// A pull, and slices of it that land with the commit.
    Pull { pull: &'a Pull, slices: Vec<Slice> },
    /// An import of files.
    Files(FileImport),
    /// That old traces go with the commit.
    Retained(Retained),
    /// That traces of any age may come again, of one project or all.
    KeepAll(Option<String>),
}

impl Record<'_> {
    /// Writes the ledger that follows that of a manifest.
    pub(crate) async fn save_after(
        &self,
        location: &StoreLocation,
        id: String,
        newest: &Manifest,
        counts: &BTreeMap<String, Counts>,
    ) -> Result<(FileRef, WrittenFile)> {
        let mut ledger = Ledger::load(location, newest).await?;
        match self {
            Self::Pull { pull, slices } => ledger.record(pull, &landed(slices, counts)),
            Self::Files(import) => ledger.record_import(import.landed(counts, now())),
            Self::Retained(retained) => ledger.retain(retained),
            Self::KeepAll(project) => ledger.keep_all(project.as_deref()),
        }
        ledger.save(location, id).await
    }

    /// Whether the ledger of a version says all of it already, where the spans stay as they are.
    pub(crate) async fn is_known(&self, location: &StoreLocation, manifest: &Manifest) -> Result<bool> {
        match self {
            Self::Pull { .. } | Self::Retained(_) | Self::KeepAll(_) => Ok(false),
            Self::Files(import) => Ok(Ledger::load(location, manifest).await?.knows(import)),
        }
    }
}

/// The slices with what the commit did: the last one has all of its counts.
fn landed(slices: &[Slice], counts: &BTreeMap<String, Counts>) -> Vec<Slice> {
    let landed = now();
    let mut slices: Vec<Slice> = slices.iter().map(|slice| Slice { landed, ..slice.clone() }).collect();
    if let Some(last) = slices.last_mut() {
        let mut all = Counts::default();
        counts.values().for_each(|counts| all += *counts);
        last.stored = all.new + all.updated + all.same;
        last.new = all.new;
        last.updated = all.updated;
    }
    slices
}

impl Ledger {
    /// Writes down a pull, how it ended if it has, and slices of it.
    ///
    /// A pull that is known by its id keeps what it asked for and its slices. Doing it twice changes nothing more.
    pub(crate) fn record(&mut self, pull: &Pull, slices: &[Slice]) {
        let known = match self.pulls.iter().position(|known| known.id == pull.id) {
            Some(number) => number,
            None => {
                let number = self.pulls.partition_point(|known| known.started <= pull.started);
                self.pulls.insert(number, pull.clone());
                number
            }
        };
        let known = &mut self.pulls[known];
        known.error.clone_from(&pull.error);
        known.finished = pull.finished;
        for slice in slices {
            known.add(slice);
        }
        if known.remaining().is_empty() {
            known.join_slices();
        }
        self.forget(KEPT);
    }

    /// Forgets pulls beyond the number that is kept: those that later ones replace, then complete ones; oldest first.
    pub(super) fn forget(&mut self, kept: usize) {
        while self.pulls.len() > kept {
            let numbers = 0..self.pulls.len();
            let replaced = numbers.clone().find(|number| self.is_replaced(*number));
            let Some(number) = replaced.or_else(|| numbers.clone().find(|number| self.is_spare(*number))) else {
                return;
            };
            self.pulls.remove(number);
        }
    }

    /// Whether later pulls got all that this one got, and nothing that it asked for is missing.
    fn is_replaced(&self, number: usize) -> bool {
        let pull = &self.pulls[number];
        let later = self.covered_since(number + 1, &pull.key, &pull.projection);
        let own = if pull.limit.is_none() { pull.landed() } else { Vec::new() };
        without(&own, &later).is_empty() && self.missing_windows(number).is_empty()
    }

    /// Whether nothing that this pull asked for is missing, and without it nothing would seem to be.
    fn is_spare(&self, number: usize) -> bool {
        if !self.missing_windows(number).is_empty() {
            return false;
        }
        let pull = &self.pulls[number];
        let leans = |other: &usize| {
            let other = &self.pulls[*other];
            let (a, b) = (other.window, pull.window);
            let asked_all = !other.is_sample() && other.projection.is_whole();
            let clean = asked_all && other.remaining().is_empty() && !other.slices.iter().any(Slice::is_short);
            other.key == pull.key && !clean && a.start < b.end && b.start < a.end
        };
        let leaning: Vec<usize> = (0..self.pulls.len()).filter(|other| *other != number).filter(leans).collect();
        if leaning.is_empty() {
            return true;
        }
        let mut without_it = self.clone();
        without_it.pulls.remove(number);
        let now = |other: usize| other - usize::from(other > number);
        leaning.iter().all(|&other| {
            without_it.missing_windows(now(other)) == self.missing_windows(other)
                && without_it.partly_missing_windows(now(other)) == self.partly_missing_windows(other)
        })
    }
}

impl Ledger {
    /// The time from which on traces of a project are kept, ns since the epoch; `None` where all are.
    pub fn kept_from(&self, project: &str) -> Option<i64> {
        self.retained.iter().find(|retained| retained.project == project).map(|retained| retained.before)
    }

    /// Writes down that traces were removed. A time that was kept from before stays where it is later.
    pub(super) fn retain(&mut self, retained: &Retained) {
        match self.retained.iter_mut().find(|known| known.project == retained.project) {
            Some(known) => {
                known.before = known.before.max(retained.before);
                known.at = retained.at;
                known.traces = known.traces.saturating_add(retained.traces);
                known.spans = known.spans.saturating_add(retained.spans);
            }
            None => self.retained.push(retained.clone()),
        }
    }

    /// Lets traces of any age in again, of one project or all.
    pub(super) fn keep_all(&mut self, project: Option<&str>) {
        self.retained.retain(|retained| project.is_some_and(|project| project != retained.project));
    }
}

impl Pull {
    /// Adds a slice; one that was recorded already is not counted again.
    ///
    /// A slice is asked for again when it came short, or when nobody knows whether its commit was made. What is new in
    /// the store is new once, so that adds up; what was announced and received is what it was the last time.
    fn add(&mut self, slice: &Slice) {
        let repeated = |known: &&mut Slice| match known.is_short() {
            true => known.window == slice.window,
            false => known.window.contains(&slice.window),
        };
        let Some(known) = self.slices.iter_mut().find(repeated) else {
            self.slices.push(slice.clone());
            return;
        };
        known.new = known.new.saturating_add(slice.new);
        known.updated = known.updated.saturating_add(slice.updated);
        if known.is_short() {
            let (new, updated) = (known.new, known.updated);
            *known = Slice { new, updated, ..slice.clone() };
        }
    }

    /// Joins slices that touch each other; those that came short stay apart.
    fn join_slices(&mut self) {
        let (mut joined, mut whole): (Vec<Slice>, Vec<Slice>) = self.slices.drain(..).partition(Slice::is_short);
        whole.sort_by_key(|slice| slice.window);
        for slice in whole {
            match joined.last_mut().filter(|last| !last.is_short() && slice.window.start <= last.window.end) {
                Some(last) => last.join(&slice),
                None => joined.push(slice),
            }
        }
        self.slices = joined;
    }
}

impl Slice {
    fn join(&mut self, next: &Self) {
        self.window.end = self.window.end.max(next.window.end);
        // What remotes announce may be any number.
        self.announced = self.announced.zip(next.announced).map(|(a, b)| a.saturating_add(b));
        self.received = self.received.saturating_add(next.received);
        self.stored = self.stored.saturating_add(next.stored);
        self.new = self.new.saturating_add(next.new);
        self.updated = self.updated.saturating_add(next.updated);
        self.landed = self.landed.max(next.landed);
        self.parts = self.parts.saturating_add(next.parts);
    }
}
