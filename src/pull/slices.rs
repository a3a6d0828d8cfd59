//! Cutting windows into slices of about as many spans each.

use spanql_model::window::Window;

const SECOND: i64 = 1_000_000_000;
/// Where the remote does not say how many spans there are, no slice is longer.
const LONGEST_UNKNOWN: i64 = 24 * 3600 * SECOND;
/// How many times as long as the last one such a slice is at most: spans are not spread evenly.
const GROWTH: i64 = 4;
/// Parts that a slice is cut into at once: each costs a request to find out how many spans it has.
const MOST_PARTS: u64 = 64;

/// Parts that are announced to have so many times the spans of the whole show that numbers are not those of windows. A
/// few times may be new spans, or a part that was asked for again.
const MANIFOLD: u64 = 8;
/// A slice may have so many times the spans that were wanted before it is cut.
const TOLERATED: u64 = 2;

/// Times still to be asked for.
#[derive(Debug)]
pub(super) struct Slices {
    /// Latest first: the end of the list is next.
    waiting: Vec<Window>,
    /// Slices that are being asked for, and may be cut.
    asked: usize,
    /// Spans that a slice should have.
    rows: u64,
    /// What was announced for slices that were cut, and the sum of what was announced for their parts.
    cut: Vec<(Window, u64, u64)>,
    /// Whether parts were announced to have more than the whole: then numbers say nothing about windows.
    distrusted: bool,
    /// Where the remote does not say how many spans there are, how long slices are: by how many came before.
    unannounced: Option<i64>,
}

/// What there is to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Ask for this.
    Slice(Window),
    /// Nothing now, but a slice that is being asked for may be cut.
    Wait,
    /// Nothing any more.
    None,
}

impl Slices {
    pub(super) fn new(mut windows: Vec<Window>, rows: u64) -> Self {
        windows.reverse();
        Self { waiting: windows, asked: 0, rows: rows.max(1), cut: Vec::new(), distrusted: false, unannounced: None }
    }

    /// The next slice to ask for; [`done`](Self::done) says that it needs no more care.
    pub(super) fn next(&mut self) -> Next {
        match self.waiting.pop() {
            Some(window) => {
                self.asked += 1;
                let (first, rest) = self.unannounced.map_or((window, None), |length| parted(window, length));
                self.waiting.extend(rest);
                Next::Slice(first)
            }
            None if self.asked > 0 => Next::Wait,
            None => Next::None,
        }
    }

    /// A slice was cut, fetched or given up.
    pub(super) fn done(&mut self) {
        self.asked -= 1;
    }

    /// Cuts a slice for which too many spans are announced, if it can be cut; its parts wait then.
    pub(super) fn cut(&mut self, slice: Window, announced: Option<u64>) -> bool {
        let parts = match announced.filter(|announced| self.trusts(slice, *announced)) {
            Some(announced) if announced > self.rows.saturating_mul(TOLERATED) => announced.div_ceil(self.rows),
            Some(_) => 1,
            None if self.rows == u64::MAX => 1,
            None => {
                let length = *self.unannounced.get_or_insert(LONGEST_UNKNOWN);
                let cut = parted(slice, length).1.is_some();
                // Its parts are cut off one by one, as long as they should be by then.
                self.waiting.extend(cut.then_some(slice));
                return cut;
            }
        };
        let cuts = cuts(slice, parts.min(MOST_PARTS));
        let cut = cuts.len() > 1;
        if cut {
            self.cut.extend(announced.map(|announced| (slice, announced, 0)));
            self.waiting.extend(cuts.into_iter().rev());
        }
        cut
    }
}

impl Slices {
    /// A slice came with so many spans: where nothing is announced, the next ones are as long as holds about as many as
    /// are wanted.
    pub(super) fn came(&mut self, slice: Window, spans: u64) {
        let Some(length) = self.unannounced.as_mut().filter(|_| self.rows < u64::MAX) else { return };
        let wanted = i128::from(slice.length()) * i128::from(self.rows) / i128::from(spans.max(1));
        let most = length.saturating_mul(GROWTH).min(LONGEST_UNKNOWN);
        // The end of a window says nothing against longer ones.
        let wanted = if spans < self.rows { wanted.max(i128::from(*length)) } else { wanted };
        *length = i64::try_from(wanted).unwrap_or(most).clamp(SECOND, most);
    }

    /// Whether what is announced for a slice fits to what was announced for the one that it is a part of.
    fn trusts(&mut self, slice: Window, announced: u64) -> bool {
        let whole = self.cut.iter_mut().rev().find(|(whole, ..)| whole.contains(&slice));
        if let Some((_, whole, sum)) = whole {
            *sum = sum.saturating_add(announced);
            self.distrusted |= *sum / MANIFOLD > *whole;
        }
        !self.distrusted
    }
}

/// The first part of a window, so long at most, and the rest if there is one; cut on a whole second.
fn parted(window: Window, length: i64) -> (Window, Option<Window>) {
    let at = window.start.saturating_add(length).div_euclid(SECOND).saturating_mul(SECOND);
    match window.start < at && at < window.end {
        true => (Window { end: at, ..window }, Some(Window { start: at, ..window })),
        false => (window, None),
    }
}

/// A window in so many parts of about the same length, cut on whole seconds; fewer where there are not enough.
fn cuts(window: Window, parts: u64) -> Vec<Window> {
    let first = window.start.div_euclid(SECOND) + 1;
    let last = window.end.saturating_sub(1).div_euclid(SECOND);
    let parts = i128::from(parts.max(1));
    let length = i128::from(window.end) - i128::from(window.start);
    let mut cut = Vec::new();
    let mut start = window.start;
    for part in 1..parts {
        let at = i128::from(window.start) + length * part / parts;
        let at =
            i64::try_from(at.div_euclid(i128::from(SECOND))).unwrap_or(last).clamp(first, last.max(first)) * SECOND;
        if at > start && at < window.end {
            cut.push(Window { start, end: at });
            start = at;
        }
    }
    cut.push(Window { start, end: window.end });
    cut
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn cuts_cover_a_window_without_overlap(
            start in -5_000_000_000_i64..5_000_000_000, length in 1_i64..100_000_000_000, parts in 1_u64..80,
        ) {
            let window = Window { start, end: start + length };
            let cut = cuts(window, parts);
            prop_assert!(cut.len() as u64 <= parts);
            prop_assert_eq!((cut[0].start, cut[cut.len() - 1].end), (window.start, window.end));
            for pair in cut.windows(2) {
                prop_assert_eq!(pair[0].end, pair[1].start);
                prop_assert_eq!(pair[0].end % SECOND, 0);
            }
            prop_assert!(cut.iter().all(|part| !part.is_empty()));
            // Parts of a second or more can all be had.
            prop_assert!(length / SECOND < parts as i64 || cut.len() as u64 == parts, "{} of {parts}", cut.len());
        }
    }

    #[test]
    fn slices_come_in_order_and_full_ones_are_cut() {
        let seconds = |start: i64, end: i64| Window { start: start * SECOND, end: end * SECOND };
        let mut slices = Slices::new(vec![seconds(0, 100), seconds(200, 300)], 10);
        assert_eq!(slices.next(), Next::Slice(seconds(0, 100)));
        assert!(slices.cut(seconds(0, 100), Some(40)));
        for (start, end) in [(0, 25), (25, 50), (50, 75), (75, 100), (200, 300)] {
            assert_eq!(slices.next(), Next::Slice(seconds(start, end)));
        }
        assert_eq!(slices.next(), Next::Wait);
        assert!(!slices.cut(seconds(0, 100), Some(20)));
        // A second cannot be cut, however full it is.
        assert!(!slices.cut(seconds(0, 1), Some(1_000_000)));
        // Nothing is known: by days.
        assert!(slices.cut(seconds(0, 3 * 86_400), None));
        assert_eq!(slices.next(), Next::Slice(seconds(0, 86_400)));
        for _ in 0..7 {
            slices.done();
        }
        assert_eq!([slices.next(), slices.next(), slices.next()].map(|next| next == Next::Wait), [false, false, true]);
        slices.done();
        slices.done();
        assert_eq!(slices.next(), Next::None);
    }

    #[test]
    fn where_nothing_is_announced_slices_become_as_long_as_their_spans_allow() {
        let hours = |start: i64, end: i64| Window { start: start * 3_600 * SECOND, end: end * 3_600 * SECOND };
        let mut slices = Slices::new(vec![hours(0, 96)], 100);
        assert_eq!(slices.next(), Next::Slice(hours(0, 96)));
        assert!(slices.cut(hours(0, 96), None));
        slices.done();
        // A hundred spans an hour.
        let came = |slices: &mut Slices, expected: Window, spans: u64| {
            assert_eq!(slices.next(), Next::Slice(expected));
            assert!(!slices.cut(expected, None));
            slices.came(expected, spans);
            slices.done();
        };
        came(&mut slices, hours(0, 24), 2_400);
        came(&mut slices, hours(24, 25), 100);
        came(&mut slices, hours(25, 26), 0);
        came(&mut slices, hours(26, 30), 0);
        came(&mut slices, hours(30, 46), 10);
        came(&mut slices, hours(46, 70), 200);
        came(&mut slices, hours(70, 82), 120);
        came(&mut slices, hours(82, 92), 50);
        came(&mut slices, hours(92, 96), 1);
        assert_eq!(slices.next(), Next::None);
        // Seconds are not cut.
        let mut slices = Slices::new(vec![Window { start: 5, end: 3 * SECOND }], 1);
        assert_eq!(slices.next(), Next::Slice(Window { start: 5, end: 3 * SECOND }));
        assert!(!slices.cut(Window { start: 5, end: 3 * SECOND }, None));
        slices.came(Window { start: 5, end: 3 * SECOND }, 1_000_000);
        assert_eq!(slices.unannounced, Some(SECOND));
    }

    #[test]
    fn a_number_that_is_the_same_for_every_window_is_not_followed_to_the_second() {
        let mut slices = Slices::new(vec![Window { start: 0, end: 30 * LONGEST_UNKNOWN }], 10);
        let mut asked = 0;
        while let Next::Slice(window) = slices.next() {
            asked += 1;
            slices.cut(window, Some(400_000));
            slices.done();
        }
        assert!(asked < 500, "{asked}");
    }
}
