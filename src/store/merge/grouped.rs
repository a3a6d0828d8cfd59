//! Rows put together by their span, and spans by their trace.

use std::collections::HashMap;
use std::ops::Range;

use arrow::array::StringArray;

use crate::packed::RowRef;

/// Rows in groups.
pub(super) struct Grouped {
    /// All rows, those of one span together and in the order in which they were given.
    pub(super) row_refs: Vec<RowRef>,
    /// The rows of each span; spans of one trace lie together, sorted by their ids.
    pub(super) spans: Vec<Range<usize>>,
    /// The spans of each trace, sorted by the ids of traces.
    pub(super) traces: Vec<Range<usize>>,
}

/// Groups rows, given from the oldest to the newest.
///
/// Only within a trace are ids of spans compared: traces are short, and sorting all rows by two texts would take longer than
/// the rest of a merge.
pub(super) fn group(trace_ids: &[&StringArray], span_ids: &[&StringArray], rows: &[RowRef]) -> Grouped {
    let trace_id = |(batch, row): RowRef| trace_ids[batch].value(row);
    let span_id = |(batch, row): RowRef| span_ids[batch].value(row);
    let mut numbers: HashMap<&str, usize, ahash::RandomState> = HashMap::default();
    let mut counts: Vec<usize> = Vec::new();
    let mut ids: Vec<(&str, usize)> = Vec::new();
    let mut last: Option<(&str, usize)> = None;
    let mut number_of_row = Vec::with_capacity(rows.len());
    for &row in rows {
        let id = trace_id(row);
        // Exports have the spans of a trace one behind the other, more often than not.
        let number = match last {
            Some((known, number)) if known == id => number,
            _ => *numbers.entry(id).or_insert_with(|| {
                ids.push((id, counts.len()));
                counts.push(0);
                counts.len() - 1
            }),
        };
        last = Some((id, number));
        counts[number] += 1;
        number_of_row.push(number);
    }
    ids.sort_unstable();
    let mut places = vec![0; counts.len()];
    let mut from = 0;
    for &(_, number) in &ids {
        places[number] = from;
        from += counts[number];
    }
    let mut row_refs = vec![(0, 0); rows.len()];
    for (&row, number) in rows.iter().zip(number_of_row) {
        row_refs[places[number]] = row;
        places[number] += 1;
    }
    let mut spans: Vec<Range<usize>> = Vec::with_capacity(rows.len());
    let mut traces = Vec::with_capacity(ids.len());
    let mut end = 0;
    for (_, number) in ids {
        let (start, first) = (end, spans.len());
        end += counts[number];
        // A stable sort: rows of one span stay in the order of their age.
        row_refs[start..end].sort_by(|&a, &b| span_id(a).cmp(span_id(b)));
        for at in start..end {
            match spans.last_mut() {
                Some(span) if span.start >= start && span_id(row_refs[span.start]) == span_id(row_refs[at]) => {
                    span.end = at + 1;
                }
                _ => spans.push(at..at + 1),
            }
        }
        traces.push(first..spans.len());
    }
    Grouped { row_refs, spans, traces }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

        #[test]
        fn every_row_is_with_its_span_and_trace(
            batches in prop::collection::vec(prop::collection::vec(("[ab]{0,2}", "[xy]{0,2}"), 0..12), 0..5),
        ) {
            let texts = |of: fn(&(String, String)) -> &String| -> Vec<StringArray> {
                batches.iter().map(|rows| rows.iter().map(|row| Some(of(row))).collect()).collect()
            };
            let (trace_ids, span_ids) = (texts(|row| &row.0), texts(|row| &row.1));
            let rows: Vec<RowRef> =
                batches.iter().enumerate().flat_map(|(batch, rows)| (0..rows.len()).map(move |row| (batch, row))).collect();
            let mut expected: BTreeMap<&str, BTreeMap<&str, Vec<RowRef>>> = BTreeMap::new();
            for &(batch, row) in &rows {
                let (trace, span) = (trace_ids[batch].value(row), span_ids[batch].value(row));
                expected.entry(trace).or_default().entry(span).or_default().push((batch, row));
            }
            let found = group(&trace_ids.iter().collect::<Vec<_>>(), &span_ids.iter().collect::<Vec<_>>(), &rows);
            let found: Vec<Vec<Vec<RowRef>>> = found
                .traces
                .into_iter()
                .map(|trace| found.spans[trace].iter().map(|span| found.row_refs[span.clone()].to_vec()).collect())
                .collect();
            let expected: Vec<Vec<_>> = expected.into_values().map(|spans| spans.into_values().collect()).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
