//! Windows of time, and sets of them.

use serde::{Deserialize, Serialize};

/// Times from `start` to before `end`, in nanoseconds since the epoch, of a span's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Window {
    /// The first time inside, ns.
    pub start: i64,
    /// The first time after it, ns.
    pub end: i64,
}

impl Window {
    /// Whether no time lies inside.
    pub fn is_empty(&self) -> bool {
        self.start >= self.end
    }

    /// Whether all times of another window lie inside; an empty one lies in any.
    pub fn contains(&self, other: &Self) -> bool {
        other.is_empty() || (self.start <= other.start && other.end <= self.end)
    }

    /// Nanoseconds inside.
    pub fn length(&self) -> u64 {
        if self.is_empty() { 0 } else { self.end.abs_diff(self.start) }
    }
}

/// The times that lie in any of the windows, as windows that are sorted, not empty, and do not touch each other.
pub fn united(windows: impl IntoIterator<Item = Window>) -> Vec<Window> {
    let mut windows: Vec<Window> = windows.into_iter().filter(|window| !window.is_empty()).collect();
    windows.sort_unstable();
    let mut united: Vec<Window> = Vec::new();
    for window in windows {
        match united.last_mut() {
            Some(last) if window.start <= last.end => last.end = last.end.max(window.end),
            _ => united.push(window),
        }
    }
    united
}

/// The times that lie in any of `windows` and in none of `others`, in the form that [`united`] gives.
pub fn without(windows: &[Window], others: &[Window]) -> Vec<Window> {
    let others = united(others.iter().copied());
    let mut left = Vec::new();
    for mut window in united(windows.iter().copied()) {
        let first = others.partition_point(|other| other.end <= window.start);
        for other in others.iter().skip(first).take_while(|other| other.start < window.end) {
            if window.start < other.start {
                left.push(Window { start: window.start, end: other.start });
            }
            window.start = other.end;
        }
        if !window.is_empty() {
            left.push(window);
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::{Window, united, without};

    const END: i64 = 40;

    fn windows() -> impl Strategy<Value = Vec<Window>> {
        vec((0..END, 0..12_i64).prop_map(|(start, length)| Window { start, end: (start + length - 1).min(END) }), 0..8)
    }

    fn inside(windows: &[Window]) -> Vec<bool> {
        (0..END).map(|time| windows.iter().any(|window| window.start <= time && time < window.end)).collect()
    }

    fn is_tidy(windows: &[Window]) -> bool {
        windows.iter().all(|window| !window.is_empty()) && windows.windows(2).all(|pair| pair[0].end < pair[1].start)
    }

    proptest! {
        #[test]
        fn sets_of_windows_are_sets_of_times(a in windows(), b in windows()) {
            let both = united(a.iter().chain(&b).copied());
            let (in_a, in_b) = (inside(&a), inside(&b));
            prop_assert!(is_tidy(&both), "{both:?}");
            prop_assert_eq!(inside(&both), in_a.iter().zip(&in_b).map(|(a, b)| *a || *b).collect::<Vec<_>>());
            let left = without(&a, &b);
            prop_assert!(is_tidy(&left), "{left:?}");
            prop_assert_eq!(inside(&left), in_a.iter().zip(&in_b).map(|(a, b)| *a && !*b).collect::<Vec<_>>());
            prop_assert_eq!(left.iter().map(Window::length).sum::<u64>(), inside(&left).iter().filter(|x| **x).count() as u64);
        }
    }

    #[test]
    fn the_whole_of_time_is_a_window() {
        let all = Window { start: i64::MIN, end: i64::MAX };
        let middle = Window { start: -1, end: 1 };
        assert_eq!(all.length(), u64::MAX);
        assert!(all.contains(&middle) && !middle.contains(&all) && middle.contains(&Window { start: 9, end: 9 }));
        assert!(![Window { start: -2, end: 0 }, Window { start: 0, end: 2 }].iter().any(|part| middle.contains(part)));
        let ends = [Window { start: i64::MIN, end: -1 }, Window { start: 1, end: i64::MAX }];
        assert_eq!(without(&[all], &[middle]), ends);
    }
}
