//! The traces of waiting spans, by project and id: an import may have millions of them, and all are known until its end.

use hashbrown::HashTable;

/// A trace of which rows wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pending<'a> {
    /// Its project, by the number in the import buffer.
    pub(crate) project: u32,
    pub(crate) id: &'a str,
    /// Earliest start among the rows, ns.
    pub(crate) start: Option<i64>,
    pub(crate) rows: u64,
    /// About how many bytes they take in memory.
    pub(crate) bytes: u64,
}

#[derive(Debug)]
struct Trace {
    /// Where its id ends among all ids.
    end: u64,
    bytes: u64,
    /// Earliest start, or [`NO_START`].
    start: i64,
    project: u32,
    rows: u32,
}

/// The start of a trace without any: before all others, as in their order.
const NO_START: i64 = i64::MIN;

/// The traces of waiting spans, numbered in the order in which they came.
///
/// Their ids lie one behind the other, and the table that finds them holds nothing but their numbers: a text of its own
/// for each would take as much again as all else that is known of it.
#[derive(Debug, Default)]
pub(crate) struct PendingTraces {
    ids: String,
    traces: Vec<Trace>,
    numbers: HashTable<u32>,
    hasher: ahash::RandomState,
}

impl PendingTraces {
    pub(crate) fn len(&self) -> usize {
        self.traces.len()
    }

    fn id(&self, number: usize) -> &str {
        let from = number.checked_sub(1).map_or(0, |before| self.traces[before].end);
        &self.ids[from as usize..self.traces[number].end as usize]
    }

    pub(crate) fn get(&self, number: usize) -> Pending<'_> {
        let Trace { bytes, start, project, rows, .. } = self.traces[number];
        let start = Some(start).filter(|start| *start != NO_START);
        Pending { project, id: self.id(number), start, rows: u64::from(rows), bytes }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Pending<'_>> {
        (0..self.len()).map(|number| self.get(number))
    }

    /// The number of a trace.
    pub(crate) fn find(&self, project: u32, id: &str) -> Option<usize> {
        let is_it = |&number: &u32| self.traces[number as usize].project == project && self.id(number as usize) == id;
        self.numbers.find(self.hasher.hash_one((project, id)), is_it).map(|&number| number as usize)
    }

    /// The number of a trace, which is added if it is new; `None` where there is no number left.
    pub(crate) fn add(&mut self, project: u32, id: &str) -> Option<usize> {
        if let Some(number) = self.find(project, id) {
            return Some(number);
        }
        let number = u32::try_from(self.traces.len()).ok().filter(|&number| number != u32::MAX)?;
        self.ids.push_str(id);
        self.traces.push(Trace { end: self.ids.len() as u64, bytes: 0, start: NO_START, project, rows: 0 });
        let mut numbers = std::mem::take(&mut self.numbers);
        let hash = |&number: &u32| {
            let Pending { project, id, .. } = self.get(number as usize);
            self.hasher.hash_one((project, id))
        };
        numbers.insert_unique(hash(&number), number, hash);
        self.numbers = numbers;
        Some(number as usize)
    }

    /// Notes a row of a trace.
    pub(crate) fn note(&mut self, number: usize, bytes: u64, start: Option<i64>) {
        let trace = &mut self.traces[number];
        trace.rows = trace.rows.saturating_add(1);
        trace.bytes += bytes;
        if let Some(start) = start.filter(|start| trace.start == NO_START || *start < trace.start) {
            trace.start = start;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    /// The number of a trace, its earliest start, and how many rows and bytes it has.
    type Facts = (usize, Option<i64>, u64, u64);

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

        #[test]
        fn every_trace_has_one_number_and_what_its_rows_say(
            rows in prop::collection::vec((0..3_u32, "[aé]{0,3}", prop::option::of(-5..5_i64), 0..9_u64), 0..80),
        ) {
            let mut traces = PendingTraces::default();
            let mut expected: HashMap<(u32, String), Facts> = HashMap::new();
            for (project, id, start, bytes) in rows {
                let number = traces.add(project, &id).unwrap();
                traces.note(number, bytes, start);
                let next = expected.len();
                let known = expected.entry((project, id)).or_insert((next, None, 0, 0));
                prop_assert_eq!(known.0, number);
                known.1 = [known.1, start].into_iter().flatten().min();
                (known.2, known.3) = (known.2 + 1, known.3 + bytes);
            }
            prop_assert_eq!(traces.len(), expected.len());
            for ((project, id), (number, start, rows, bytes)) in &expected {
                let found = traces.get(*number);
                prop_assert_eq!((found.project, found.id, found.start), (*project, id.as_str(), *start));
                prop_assert_eq!((found.rows, found.bytes), (*rows, *bytes));
                prop_assert_eq!(traces.find(*project, id), Some(*number));
            }
            prop_assert_eq!(traces.find(7, "a"), None);
            let ids: Vec<String> = traces.iter().map(|pending| pending.id.to_owned()).collect();
            prop_assert_eq!(ids.len(), traces.len());
        }
    }
}
