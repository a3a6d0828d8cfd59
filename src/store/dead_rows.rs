//! Dead rows: which rows of a segment count no more, because a newer segment holds their traces or they are deleted.
//!
//! A trace counts as a whole or not at all, so a reader that passes over these rows sees whole traces.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use parquet::arrow::arrow_reader::RowSelection;
use serde::{Deserialize, Serialize};

/// The rows of a segment that count no more, and what must be subtracted from its statistics for them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DeadRows {
    /// Rows of the file of spans.
    pub(crate) spans: RowRanges,
    /// Rows of the summaries.
    pub(crate) traces: RowRanges,
    /// How many of the spans have a value, by column.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) filled: BTreeMap<String, u64>,
    /// Columns whose example in the statistics may be a value of these spans.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) examples: BTreeSet<String>,
}

/// Rows of a file: ranges in order, that neither overlap nor touch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(u64, u64)>", into = "Vec<(u64, u64)>")]
pub(crate) struct RowRanges(Vec<Range<usize>>);

impl From<Vec<(u64, u64)>> for RowRanges {
    /// Pairs of first row and number of rows.
    fn from(pairs: Vec<(u64, u64)>) -> Self {
        pairs.into_iter().map(|(first, count)| first as usize..first.saturating_add(count) as usize).collect()
    }
}

impl From<RowRanges> for Vec<(u64, u64)> {
    fn from(ranges: RowRanges) -> Self {
        ranges.0.into_iter().map(|range| (range.start as u64, range.len() as u64)).collect()
    }
}

impl FromIterator<Range<usize>> for RowRanges {
    fn from_iter<I: IntoIterator<Item = Range<usize>>>(ranges: I) -> Self {
        let mut ranges: Vec<Range<usize>> = ranges.into_iter().filter(|range| !range.is_empty()).collect();
        ranges.sort_unstable_by_key(|range| range.start);
        let mut joined: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match joined.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => joined.push(range),
            }
        }
        Self(joined)
    }
}

impl RowRanges {
    pub(crate) fn iter(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        self.0.iter().cloned()
    }

    /// How many rows they are.
    pub(crate) fn len(&self) -> usize {
        self.0.iter().map(Range::len).sum()
    }

    pub(crate) fn contains(&self, row: usize) -> bool {
        let behind = self.0.partition_point(|range| range.end <= row);
        self.0.get(behind).is_some_and(|range| range.start <= row)
    }

    /// How many of the rows of a range are among them.
    pub(crate) fn count_in(&self, rows: &Range<usize>) -> usize {
        let first = self.0.partition_point(|range| range.end <= rows.start);
        let inside = self.0[first..].iter().take_while(|range| range.start < rows.end);
        inside.map(|range| range.end.min(rows.end) - range.start.max(rows.start)).sum()
    }

    /// The rows of both.
    pub(crate) fn union(&self, other: &Self) -> Self {
        self.iter().chain(other.iter()).collect()
    }

    /// Those of the rows of a range that are not among them, counted from its first.
    pub(crate) fn without(&self, rows: &Range<usize>) -> RowSelection {
        let mut selected = Vec::new();
        let mut next = rows.start;
        let first = self.0.partition_point(|range| range.end <= rows.start);
        for dead in self.0[first..].iter().take_while(|range| range.start < rows.end) {
            selected.push(next..dead.start.max(next));
            next = dead.end.min(rows.end);
        }
        selected.push(next..rows.end);
        let selected = selected.into_iter().filter(|range| !range.is_empty());
        let selected = selected.map(|range| range.start - rows.start..range.end - rows.start);
        RowSelection::from_consecutive_ranges(selected, rows.len())
    }

    /// Those of the rows of a range that are among them, counted from its first.
    pub(crate) fn within(&self, rows: &Range<usize>) -> RowSelection {
        let first = self.0.partition_point(|range| range.end <= rows.start);
        let inside = self.0[first..].iter().take_while(|range| range.start < rows.end);
        let inside = inside.map(|range| range.start.max(rows.start)..range.end.min(rows.end));
        let inside = inside.map(|range| range.start - rows.start..range.end - rows.start);
        RowSelection::from_consecutive_ranges(inside, rows.len())
    }
}

impl DeadRows {
    /// What counts no more by both.
    pub(crate) fn union(&self, other: &Self) -> Self {
        let mut filled = self.filled.clone();
        for (name, count) in &other.filled {
            *filled.entry(name.clone()).or_default() += count;
        }
        Self {
            spans: self.spans.union(&other.spans),
            traces: self.traces.union(&other.traces),
            filled,
            examples: self.examples.union(&other.examples).cloned().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows(ranges: &[(usize, usize)]) -> (RowRanges, BTreeSet<usize>) {
        let ranges = ranges.iter().map(|&(first, count)| first..first + count);
        (ranges.clone().collect(), ranges.flatten().collect())
    }

    fn selected(selection: RowSelection) -> Vec<usize> {
        let mut next = 0;
        let mut found = Vec::new();
        for part in selection.iter() {
            if !part.skip {
                found.extend(next..next + part.row_count);
            }
            next += part.row_count;
        }
        found
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

        #[test]
        fn ranges_are_the_set_of_their_rows(
            a in prop::collection::vec((0..40_usize, 0..6_usize), 0..8),
            b in prop::collection::vec((0..40_usize, 0..6_usize), 0..8),
            from in 0..30_usize, count in 0..30_usize,
        ) {
            let ((a, set), (b, other)) = (rows(&a), rows(&b));
            let window = from..from + count;
            prop_assert_eq!(a.len(), set.len());
            prop_assert!((0..60).all(|row| a.contains(row) == set.contains(&row)));
            prop_assert_eq!(a.count_in(&window), window.clone().filter(|row| set.contains(row)).count());
            let live: Vec<usize> = window.clone().filter(|row| !set.contains(row)).map(|row| row - from).collect();
            prop_assert_eq!(selected(a.without(&window)), live);
            let dead: Vec<usize> = window.clone().filter(|row| set.contains(row)).map(|row| row - from).collect();
            prop_assert_eq!(selected(a.within(&window)), dead);
            let united: BTreeSet<usize> = set.union(&other).copied().collect();
            prop_assert_eq!(a.union(&b).iter().flatten().collect::<BTreeSet<_>>(), united);
            let text = serde_json::to_string(&a).unwrap();
            prop_assert_eq!(serde_json::from_str::<RowRanges>(&text).unwrap(), a);
        }
    }
}
