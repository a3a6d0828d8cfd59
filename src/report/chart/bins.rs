//! Values sorted into ranges that people can name.

/// Ranges of a histogram when nothing else is asked for, about.
const BINS: usize = 16;
/// When the largest of most values is so many times the smallest, ranges grow with the values.
const WIDE: f64 = 200.0;

/// Values from here on are not counted: their differences would be infinite.
pub(super) const TOO_LARGE: f64 = 1e30;

/// A range from the first number up to the second, and how many values lie in it; the last one holds its end too.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bin {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) count: u64,
}

/// Sorts values into ranges without gaps; none of no values.
///
/// Ranges are of one width, or, where values differ by orders of magnitude, end at 1, 2 and 5 of each.
pub(super) fn bins(mut values: Vec<f64>, wanted: Option<usize>) -> Vec<Bin> {
    values.retain(|value| value.abs() < TOO_LARGE);
    values.sort_by(f64::total_cmp);
    let (Some(&low), Some(&high)) = (values.first(), values.last()) else { return vec![] };
    let share = |share: f64| values[((values.len() - 1) as f64 * share) as usize];
    let positive = values.partition_point(|value| *value <= 0.0);
    let edges = match wanted {
        None if low >= 0.0
            && positive * 20 < values.len()
            && share(0.99) > WIDE * share(0.06).max(f64::MIN_POSITIVE) =>
        {
            growing(share(0.01).max(values[positive]), high)
        }
        _ => even(low, high, wanted.unwrap_or(BINS)),
    };
    let mut bins: Vec<Bin> = edges.windows(2).map(|pair| Bin { from: pair[0], to: pair[1], count: 0 }).collect();
    if let Some(first) = bins.first_mut() {
        first.from = first.from.min(low);
    }
    for value in values {
        let at = bins.partition_point(|bin| bin.to <= value).min(bins.len() - 1);
        bins[at].count += 1;
    }
    bins
}

/// About so many steps of a round width.
fn even(low: f64, high: f64, count: usize) -> Vec<f64> {
    if high <= low {
        return vec![low, low + 1.0];
    }
    let step = round_up((high - low) / count as f64);
    let first = (low / step).floor();
    let steps = ((high / step).floor() - first) as usize + 1;
    // More than twice of what was asked for only where numbers are too large to differ by a step.
    (0..=steps.min(2 * count + 2)).map(|at| (first + at as f64) * step).collect()
}

/// 1, 2, 5, 10, 20, 50 … around both.
fn growing(low: f64, high: f64) -> Vec<f64> {
    let mut edges = vec![];
    let mut power = 10_f64.powf(low.log10().floor());
    while edges.len() < 100 {
        for digit in [1.0, 2.0, 5.0] {
            edges.push(digit * power);
            if digit * power > high {
                let first = edges.iter().rposition(|edge| *edge <= low).unwrap_or_default();
                return edges.split_off(first);
            }
        }
        power *= 10.0;
    }
    edges
}

/// The next number of 1, 2 or 5 times a power of ten.
pub(super) fn round_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0].into_iter().map(|digit| digit * power).find(|step| *step >= value * 0.999).unwrap_or(10.0 * power)
}

/// A number as short as it can be told from its neighbours.
pub(super) fn short(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let digits = (3 - value.abs().log10().floor() as i32).clamp(0, 9) as usize;
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn edges_are_round() {
        let counted = bins((0..1000).map(f64::from).collect(), Some(10));
        assert_eq!(counted.len(), 10);
        assert!(counted.iter().all(|bin| bin.count == 100), "{counted:?}");
        assert_eq!(bins(vec![5.0, 5.0], None), [Bin { from: 5.0, to: 6.0, count: 2 }]);
        assert_eq!(bins(vec![f64::NAN, f64::INFINITY], None), []);
    }

    #[test]
    fn orders_of_magnitude_get_ranges_that_grow() {
        let counted = bins((0..400).map(|at| 10_f64.powf(f64::from(at) / 80.0)).collect(), None);
        assert_eq!(counted[0].from, 1.0);
        let edges: Vec<String> = counted.iter().take(5).map(|bin| short(bin.to)).collect();
        assert_eq!(edges, ["2", "5", "10", "20", "50"]);
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in [(0.0, "0"), (1234.6, "1235"), (0.25, "0.25"), (0.000_001_2, "0.0000012"), (-3.0, "-3")] {
            assert_eq!(short(value), text);
        }
    }

    proptest! {
        #[test]
        fn no_value_is_lost(values in prop::collection::vec(prop::num::f64::ANY, 0..200), wanted in prop::option::of(1usize..100)) {
            let finite = values.iter().filter(|value| value.abs() < TOO_LARGE).count() as u64;
            let counted = bins(values, wanted);
            prop_assert_eq!(counted.iter().map(|bin| bin.count).sum::<u64>(), finite);
            prop_assert!(counted.len() <= 220);
        }
    }
}
