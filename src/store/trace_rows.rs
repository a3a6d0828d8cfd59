//! The traces of a segment with their rows.

use std::ops::Range;
use std::sync::OnceLock;

use arrow::array::{Array, StringArray};

use super::id_hashes::{IdHashes, hash};

/// The traces of a segment, whether they count or not.
#[derive(Debug)]
pub(crate) struct TraceRows {
    pub(crate) ids: StringArray,
    /// The first row of each trace, and behind them how many rows there are.
    first_rows: Vec<u64>,
    /// Hashes of the ids, ascending, each with the number of its trace.
    by_hash: OnceLock<Vec<(u64, u32)>>,
}

impl TraceRows {
    pub(crate) fn new(ids: StringArray, spans: impl Iterator<Item = u64>) -> Self {
        let mut first_rows = vec![0];
        for count in spans {
            first_rows.push(first_rows.last().copied().unwrap_or(0) + count);
        }
        Self { ids, first_rows, by_hash: OnceLock::new() }
    }

    /// The rows of a trace.
    pub(crate) fn rows(&self, trace: usize) -> Range<usize> {
        self.first_rows[trace] as usize..self.first_rows[trace + 1] as usize
    }

    /// How many rows there are.
    pub(crate) fn rows_in_all(&self) -> u64 {
        self.first_rows.last().copied().unwrap_or(0)
    }

    /// The traces whose ids may be among those of the hashes, in order. That is found by an order of its own, which is made
    /// the first time: it takes longer than to look through all ids once.
    pub(crate) fn with_hashes(&self, hashes: &IdHashes) -> Vec<usize> {
        let by_hash = self.by_hash.get_or_init(|| {
            let ids = self.ids.iter().enumerate();
            let mut by_hash: Vec<(u64, u32)> =
                ids.map(|(number, id)| (hash(id.unwrap_or_default()), number as u32)).collect();
            by_hash.sort_unstable();
            by_hash
        });
        let mut rest = &by_hash[..];
        let mut found = Vec::new();
        for wanted in hashes.iter() {
            rest = &rest[rest.partition_point(|(hash, _)| *hash < wanted)..];
            let same = rest.iter().take_while(|(hash, _)| *hash == wanted);
            found.extend(same.map(|(_, number)| *number as usize));
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// About how many bytes it takes in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.ids.get_array_memory_size() + self.ids.len() * (size_of::<u64>() + size_of::<(u64, u32)>())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::id_hashes::SoughtIds;
    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

        #[test]
        fn traces_are_found_by_the_hashes_of_their_ids(
            ids in prop::collection::vec(0..60_u8, 0..40), wanted in prop::collection::vec(0..60_u8, 0..20),
        ) {
            let text = |id: &u8| format!("trace {id}");
            let traces = TraceRows::new(ids.iter().map(|id| Some(text(id))).collect(), ids.iter().map(|id| u64::from(*id)));
            let texts: Vec<String> = wanted.iter().map(text).collect();
            let found = traces.with_hashes(&SoughtIds::of(texts.iter().map(String::as_str)).hashes);
            let wanted: BTreeSet<u8> = wanted.into_iter().collect();
            let expected: Vec<usize> = (0..ids.len()).filter(|number| wanted.contains(&ids[*number])).collect();
            prop_assert_eq!(found, expected);
            let mut first = 0;
            for (number, rows) in ids.iter().enumerate() {
                prop_assert_eq!(traces.rows(number), first..first + usize::from(*rows));
                first += usize::from(*rows);
            }
        }
    }
}
