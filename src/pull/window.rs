//! Which times are meant: bounds, and days that count back from the end.

use chrono::Utc;

use super::PullError;
use spanql_model::time::NANOS;
use spanql_model::window::Window;

const DAY: i64 = 24 * 3600 * NANOS;
/// How many days are pulled where nothing says from when on.
pub const DEFAULT_DAYS: u32 = 30;

/// Times as they are asked for: by their bounds, or by days that count back from the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TimeRange {
    /// The first time inside, ns since the epoch; where it is set, the days do not count.
    pub start: Option<i64>,
    /// The first time after it, ns since the epoch; now where it is not set.
    pub end: Option<i64>,
    /// How many days it is long.
    pub days: Option<u32>,
}

impl TimeRange {
    /// The window to ask a remote for, by default of the last [`DEFAULT_DAYS`]; `now` is in ns since the epoch, see
    /// [`now`].
    ///
    /// # Errors
    /// [`PullError::EmptyWindow`] when no time lies in it.
    pub fn window(self, now: i64) -> Result<Window, PullError> {
        let end = self.end.unwrap_or(now);
        let start = self.start.unwrap_or(last_days(self.days.unwrap_or(DEFAULT_DAYS), end).start);
        not_empty(Window { start, end })
    }

    /// The window to ask a store for, which is open where nothing is set: `i64::MIN` and `i64::MAX` are no bounds.
    /// `now` is in ns since the epoch.
    ///
    /// # Errors
    /// [`PullError::EmptyWindow`] when no time lies in it.
    pub fn store_window(self, now: i64) -> Result<Window, PullError> {
        let days = self.days.filter(|_| self.start.is_none());
        let end = self.end.unwrap_or(if days.is_some() { now } else { i64::MAX });
        let start = self.start.or(days.map(|days| last_days(days, end).start));
        not_empty(Window { start: start.unwrap_or(i64::MIN), end })
    }
}

/// The beginning of the second that it is, ns since the epoch: windows end on whole seconds, which is what remotes take.
pub fn now() -> i64 {
    Utc::now().timestamp().saturating_mul(NANOS)
}

/// So many days up to a time, ns since the epoch.
pub(super) fn last_days(days: u32, end: i64) -> Window {
    Window { start: end.saturating_sub(i64::from(days).saturating_mul(DAY)), end }
}

fn not_empty(window: Window) -> Result<Window, PullError> {
    if window.is_empty() { Err(PullError::EmptyWindow(window)) } else { Ok(window) }
}

#[cfg(test)]
mod tests {
    use super::{DAY, TimeRange};
    use spanql_model::time::NANOS;
    use spanql_model::window::Window;

    const NOW: i64 = 1_000 * DAY;

    fn range(start: Option<i64>, end: Option<i64>, days: Option<u32>) -> TimeRange {
        TimeRange { start, end, days }
    }

    #[test]
    fn days_count_back_from_the_end_and_a_start_goes_before_them() {
        let (early, late) = (NOW - 2 * DAY, NOW - DAY);
        for (range, start, end) in [
            (range(None, None, None), NOW - 30 * DAY, NOW),
            (range(None, None, Some(7)), NOW - 7 * DAY, NOW),
            (range(None, Some(late), Some(7)), late - 7 * DAY, late),
            (range(Some(early), Some(late), Some(7)), early, late),
            (range(Some(early), None, None), early, NOW),
        ] {
            assert_eq!(range.window(NOW).unwrap(), Window { start, end }, "{range:?}");
        }
    }

    #[test]
    fn a_store_is_asked_for_everything_unless_bounds_are_named() {
        let (early, late) = (NOW - 2 * DAY, NOW - DAY);
        for (range, start, end) in [
            (range(None, None, None), i64::MIN, i64::MAX),
            (range(None, None, Some(7)), NOW - 7 * DAY, NOW),
            (range(None, Some(late), Some(7)), late - 7 * DAY, late),
            (range(Some(early), None, Some(7)), early, i64::MAX),
            (range(None, Some(late), None), i64::MIN, late),
        ] {
            assert_eq!(range.store_window(NOW).unwrap(), Window { start, end }, "{range:?}");
        }
    }

    #[test]
    fn an_empty_window_is_an_error() {
        let empty = range(Some(5 * NANOS), Some(0), None);
        let said = "the window is empty: it would begin at 1970-01-01T00:00:05Z and end before 1970-01-01T00:00:00Z";
        assert_eq!(empty.window(NOW).unwrap_err().to_string(), said);
        assert_eq!(empty.store_window(NOW).unwrap_err().to_string(), said);
    }
}
