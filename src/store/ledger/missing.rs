//! What is missing of what was pulled, in words.

use std::fmt;

use chrono::DateTime;
use indicatif::HumanCount;

use super::{Ledger, Projection, PullKey, Slice};
use spanql_model::time::NANOS;
use spanql_model::window::{Window, united};

/// Columns that a line names.
const COLUMNS_SHOWN: usize = 5;
/// Characters of a filter that a line shows.
const FILTER_SHOWN: usize = 100;

/// What a project of the store lacks of what was pulled into it from one remote.
///
/// Shows as one line for people, which holds names as they came.
#[derive(Debug, Clone, PartialEq)]
pub struct MissingRange {
    /// From where to where it was pulled.
    pub key: PullKey,
    /// The times of which something is missing, by any pull; sorted and apart from each other.
    pub windows: Vec<Window>,
    /// When the latest pull that lacks something was started, ms since the epoch, UTC.
    pub started: i64,
    /// The times that pull asked for.
    pub asked: Window,
    /// Those of them of which something is missing, sorted and apart from each other.
    pub missing: Vec<Window>,
    /// Why that pull lacks something.
    pub reason: MissingReason,
    /// How many earlier pulls of the key lack something too.
    pub earlier: usize,
}

/// Why something is missing.
#[derive(Debug, Clone, PartialEq)]
pub enum MissingReason {
    /// Only a part of the spans was asked for.
    Sample {
        /// At most so many spans.
        limit: Option<u64>,
        /// This share of the traces.
        rate: Option<f64>,
    },
    /// Only the spans that match a filter were asked for, or some columns; or both.
    Part {
        /// The filter.
        filter: Option<String>,
        /// The columns.
        columns: Option<Vec<String>>,
    },
    /// Another number of spans came than was announced for the times that are missing.
    Short {
        /// Spans announced.
        announced: u64,
        /// Spans that came.
        received: u64,
    },
    /// The pull ended before everything had landed.
    BrokenOff,
    /// The pull is running, or was killed.
    NotEnded,
}

impl Ledger {
    /// What was asked for and is not in the store, latest pull first: one entry for each key.
    ///
    /// `into` names one project of the store. A later pull that brings what an earlier one lacks takes it off the
    /// list. A pull with a filter, or of some columns, that brought what it asked for lacks the rest until another brings
    /// everything.
    pub fn incomplete(&self, into: Option<&str>) -> Vec<MissingRange> {
        let mut ranges: Vec<MissingRange> = Vec::new();
        for (number, pull) in self.pulls.iter().enumerate().rev() {
            if into.is_some_and(|into| pull.key.into != into) {
                continue;
            }
            let (mut missing, mut reason) = (self.missing_windows(number), None);
            if missing.is_empty() {
                missing = self.partly_missing_windows(number);
                let Projection { filter, columns, .. } = pull.projection.clone();
                reason = Some(MissingReason::Part { filter, columns });
            }
            if missing.is_empty() {
                continue;
            }
            match ranges.iter_mut().find(|range| range.key == pull.key) {
                Some(range) => {
                    range.windows = united(range.windows.drain(..).chain(missing));
                    range.earlier += 1;
                }
                None => ranges.push(MissingRange {
                    key: pull.key.clone(),
                    windows: missing.clone(),
                    started: pull.started,
                    asked: pull.window,
                    reason: reason.unwrap_or_else(|| self.reason(number, &missing)),
                    missing,
                    earlier: 0,
                }),
            }
        }
        ranges
    }

    fn reason(&self, number: usize, missing: &[Window]) -> MissingReason {
        let pull = &self.pulls[number];
        // A slice that came short is missing as a whole, or has been made up for in part.
        let lacks = |slice: &&Slice| slice.is_short() && missing.iter().any(|window| overlap(window, &slice.window));
        let short: Vec<&Slice> = pull.slices.iter().filter(lacks).collect();
        let only_short = united(short.iter().map(|slice| slice.window));
        if pull.is_sample() {
            MissingReason::Sample { limit: pull.limit, rate: pull.projection.share() }
        } else if missing.iter().all(|window| only_short.iter().any(|short| short.contains(window))) {
            let sum = |number: fn(&Slice) -> u64| short.iter().map(|slice| number(slice)).fold(0, u64::saturating_add);
            MissingReason::Short {
                announced: sum(|slice| slice.announced.unwrap_or_default()),
                received: sum(|s| s.received),
            }
        } else if pull.error.is_some() || pull.finished.is_some() {
            MissingReason::BrokenOff
        } else {
            MissingReason::NotEnded
        }
    }
}

fn overlap(a: &Window, b: &Window) -> bool {
    a.start < b.end && b.start < a.end
}

impl fmt::Display for MissingRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PullKey { source, project, into, .. } = &self.key;
        if project == into {
            write!(f, "project {into} of {source}: ")?;
        } else {
            write!(f, "project {into} ({project} of {source}): ")?;
        }
        match &self.reason {
            MissingReason::Sample { limit, rate } => {
                f.write_str("holds a sample (")?;
                match (limit, rate) {
                    (Some(limit), None) => write!(f, "limit {}", HumanCount(*limit))?,
                    (Some(limit), Some(rate)) => write!(f, "limit {}, sample rate {rate}", HumanCount(*limit))?,
                    (None, Some(rate)) => write!(f, "sample rate {rate}")?,
                    (None, None) => f.write_str("a part of the spans")?,
                }
                write!(f, ") of {}; a pull of all of it completes it", Span(hull(&self.missing, self.asked)))?;
            }
            MissingReason::Part { filter, columns } => {
                f.write_str("holds only ")?;
                if let Some(names) = columns {
                    let more = if names.len() > COLUMNS_SHOWN { ", …" } else { "" };
                    let names = names.iter().take(COLUMNS_SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
                    write!(f, "{names}{more} of ")?;
                }
                if let Some(filter) = filter {
                    let more = if filter.chars().nth(FILTER_SHOWN).is_some() { "…" } else { "" };
                    let filter: String = filter.chars().take(FILTER_SHOWN).collect();
                    write!(f, "the spans that match {filter}{more}, of ")?;
                }
                let left_out = match (filter, columns) {
                    (Some(_), Some(_)) => "a filter and --columns",
                    (Some(_), None) => "a filter",
                    (None, _) => "--columns",
                };
                let span = Span(hull(&self.missing, self.asked));
                write!(f, "{span}; a pull without {left_out} completes it")?;
            }
            MissingReason::Short { announced, received } => {
                if received < announced {
                    let lost = HumanCount(announced - received);
                    write!(f, "{lost} of {} announced spans did not come ", HumanCount(*announced))?;
                } else {
                    let (received, announced) = (HumanCount(*received), HumanCount(*announced));
                    write!(f, "{received} spans came where {announced} were announced ")?;
                }
                write!(f, "({}); run the same pull again", Span(hull(&self.missing, self.asked)))?;
            }
            reason @ (MissingReason::BrokenOff | MissingReason::NotEnded) => {
                let started = DateTime::from_timestamp_nanos(self.started.saturating_mul(NANOS / 1000));
                let started = started.format("%Y-%m-%d %H:%M UTC");
                let ended = if *reason == MissingReason::BrokenOff { "broke off" } else { "has not ended" };
                let (amount, one) = amount_of(&self.missing, self.asked);
                let verb = if one { "is" } else { "are" };
                write!(f, "{amount} {verb} missing (pull of {started} {ended}); run the same pull again")?;
            }
        }
        match self.earlier {
            0 => Ok(()),
            1 => f.write_str(" (1 earlier pull lacks something, too)"),
            more => write!(f, " ({more} earlier pulls lack something, too)"),
        }
    }
}

/// The window from the first to the last of some.
fn hull(windows: &[Window], otherwise: Window) -> Window {
    match (windows.first(), windows.last()) {
        (Some(first), Some(last)) => Window { start: first.start, end: last.end },
        _ => otherwise,
    }
}

/// How much of a window is missing, `3 of 30 days`, and whether that is one of something.
fn amount_of(missing: &[Window], asked: Window) -> (String, bool) {
    const UNITS: [(&str, u64); 4] = [("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)];
    let nanos = |seconds: u64| seconds * NANOS.unsigned_abs();
    // Two of a unit at least, so that a part of it can be said.
    let unit = |length: u64, least: u64| {
        UNITS.into_iter().find(|(_, seconds)| length >= nanos(least * seconds)).unwrap_or(("second", 1))
    };
    let count = |length: u64, seconds: u64| length.div_ceil(nanos(seconds));
    let lacking = missing.iter().map(Window::length).fold(0, u64::saturating_add);
    let (of_unit, of_seconds) = unit(asked.length(), 2);
    let of = count(asked.length(), of_seconds);
    let plural = |number: u64| if number == 1 { "" } else { "s" };
    let text = if lacking >= nanos(of_seconds) || of_seconds == 1 {
        format!("{} of {of} {of_unit}{}", count(lacking, of_seconds), plural(of))
    } else {
        let (unit, seconds) = unit(lacking, 1);
        let number = count(lacking, seconds);
        format!("{number} {unit}{} of {of} {of_unit}{}", plural(number), plural(of))
    };
    let one = text.starts_with("1 ");
    (text, one)
}

/// A window as people write it: the date once when both ends have the same.
struct Span(Window);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [start, end] = [self.0.start, self.0.end].map(DateTime::from_timestamp_nanos);
        let whole = |nanos: i64| nanos.rem_euclid(60 * NANOS) == 0;
        let clock = if whole(self.0.start) && whole(self.0.end) { "%H:%MZ" } else { "%H:%M:%SZ" };
        let date = format!("%Y-%m-%dT{clock}");
        let end_format = if start.date_naive() == end.date_naive() { clock } else { date.as_str() };
        write!(f, "{} to {}", start.format(&date), end.format(end_format))
    }
}
