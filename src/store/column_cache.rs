//! Columns of segments as they were decoded, kept for the next question.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Int32Type};

use super::entries::SegmentFile;

/// What is kept if nobody says how much.
const BUDGET: usize = 256 << 20;

/// Columns that were asked for once and not kept, of which is known that they were.
const ASKED: usize = 1 << 16;

/// Which column it is: of a row group of a file, in the type in which it was wanted. Files never change.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ColumnKey {
    /// The id of the segment.
    pub segment: Arc<str>,
    /// Which of its files.
    pub which: SegmentFile,
    /// The number of the row group.
    pub group: usize,
    /// The column's name.
    pub column: Arc<str>,
    /// The type of its values.
    pub data_type: DataType,
}

/// The rows of a column in one row group, whether they count or not, batch by batch.
#[derive(Debug)]
pub struct KeptColumn {
    /// All but the last have as many rows as was asked for; texts may be dictionaries.
    pub batches: Vec<ArrayRef>,
    bytes: usize,
}

impl KeptColumn {
    /// Takes batches, and counts what they hold; a dictionary that they share counts once.
    pub fn new(batches: Vec<ArrayRef>) -> Self {
        let mut dictionaries = HashSet::new();
        let bytes = batches.iter().map(|batch| match batch.as_dictionary_opt::<Int32Type>() {
            Some(coded) => {
                let values = coded.values();
                let new = dictionaries.insert(values.to_data().buffers().last().map(|buffer| buffer.as_ptr()));
                coded.keys().get_array_memory_size() + if new { values.get_array_memory_size() } else { 0 }
            }
            None => batch.get_array_memory_size(),
        });
        let bytes = bytes.sum();
        Self { batches, bytes }
    }

    /// Bytes it holds.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Decoded columns, those longest not asked for making room.
///
/// It belongs to a store that is open: all its snapshots share it, and so do the queries over them. A column that leaves it lives
/// on for as long as a query reads it.
#[derive(Debug, Default)]
pub struct ColumnCache {
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    columns: HashMap<ColumnKey, (Arc<KeptColumn>, u64)>,
    /// By the time of their last use.
    order: BTreeMap<u64, ColumnKey>,
    asked: HashSet<ColumnKey>,
    clock: u64,
    bytes: usize,
    budget: usize,
}

impl Default for Kept {
    fn default() -> Self {
        let (columns, order, asked) = (HashMap::new(), BTreeMap::new(), HashSet::new());
        Self { columns, order, asked, clock: 0, bytes: 0, budget: BUDGET }
    }
}

impl Kept {
    fn shrink_to(&mut self, bytes: usize) {
        while self.bytes > bytes
            && let Some((_, key)) = self.order.pop_first()
        {
            if let Some((column, _)) = self.columns.remove(&key) {
                self.bytes -= column.bytes;
            }
        }
    }
}

impl ColumnCache {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many bytes it may hold, from now on.
    pub fn set_budget(&self, bytes: usize) {
        let mut kept = self.kept();
        kept.budget = bytes;
        kept.shrink_to(bytes);
    }

    /// How many bytes it may hold.
    pub fn budget(&self) -> usize {
        self.kept().budget
    }

    /// How many bytes it holds.
    pub fn bytes(&self) -> usize {
        self.kept().bytes
    }

    /// A column that is kept.
    pub fn get(&self, key: &ColumnKey) -> Option<Arc<KeptColumn>> {
        let mut kept = self.kept();
        kept.clock += 1;
        let now = kept.clock;
        let Kept { columns, order, .. } = &mut *kept;
        let (column, used) = columns.get_mut(key)?;
        if let Some(key) = order.remove(used) {
            order.insert(now, key);
        }
        *used = now;
        Some(Arc::clone(column))
    }

    /// Whether a column is kept; that is no use of it.
    pub fn has(&self, key: &ColumnKey) -> bool {
        self.kept().columns.contains_key(key)
    }

    /// Whether a column was asked for before that was not kept then.
    pub fn was_asked(&self, key: &ColumnKey) -> bool {
        let mut kept = self.kept();
        if kept.asked.len() >= ASKED {
            kept.asked.clear();
        }
        !kept.asked.insert(key.clone())
    }

    /// Keeps a column, if it fits into `room` bytes (and the budget) together with some of the others.
    pub fn keep(&self, key: ColumnKey, column: &Arc<KeptColumn>, room: usize) {
        let mut kept = self.kept();
        let most = kept.budget.min(room);
        if column.bytes > most / 4 || kept.columns.contains_key(&key) {
            return;
        }
        kept.shrink_to(most - column.bytes);
        kept.clock += 1;
        let now = kept.clock;
        kept.bytes += column.bytes;
        kept.asked.remove(&key);
        kept.order.insert(now, key.clone());
        kept.columns.insert(key, (Arc::clone(column), now));
    }

    /// Gives memory back until no more than so many bytes are held.
    pub fn shrink_to(&self, bytes: usize) {
        self.kept().shrink_to(bytes);
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Int64Array;
    use proptest::prelude::*;

    use super::*;

    fn key(number: usize) -> ColumnKey {
        let (segment, column) = (Arc::from("s"), Arc::from("c"));
        ColumnKey { segment, which: SegmentFile::Spans, group: number, column, data_type: DataType::Int64 }
    }

    fn column(rows: usize) -> Arc<KeptColumn> {
        Arc::new(KeptColumn::new(vec![Arc::new(Int64Array::from(vec![0; rows]))]))
    }

    #[test]
    fn what_was_not_asked_for_longest_goes_first() {
        let cache = ColumnCache::default();
        let one = column(1000);
        cache.set_budget(4 * one.bytes());
        for number in 0..4 {
            cache.keep(key(number), &one, usize::MAX);
        }
        assert!(cache.get(&key(0)).is_some());
        cache.keep(key(4), &one, usize::MAX);
        let there: Vec<usize> = (0..5).filter(|number| cache.has(&key(*number))).collect();
        assert_eq!(there, [0, 2, 3, 4]);
        cache.shrink_to(one.bytes());
        assert_eq!(cache.bytes(), one.bytes());
        assert!(cache.has(&key(4)));
    }

    #[test]
    fn nothing_takes_all_of_it() {
        let cache = ColumnCache::default();
        cache.set_budget(1 << 20);
        cache.keep(key(0), &column(1000), usize::MAX);
        cache.keep(key(1), &column(40_000), usize::MAX);
        assert!(cache.has(&key(0)) && !cache.has(&key(1)));
    }

    #[test]
    fn the_second_time_is_known() {
        let cache = ColumnCache::default();
        assert!(!cache.was_asked(&key(7)));
        assert!(cache.was_asked(&key(7)));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

        #[test]
        fn it_holds_what_it_says_and_never_more(steps in prop::collection::vec((0..4_usize, 0..30_usize, 1..2_000_usize), 1..80)) {
            let cache = ColumnCache::default();
            cache.set_budget(40_000);
            for (what, number, rows) in steps {
                match what {
                    0 | 1 => cache.keep(key(number), &column(rows), 30_000 + rows * 10),
                    2 => drop(cache.get(&key(number))),
                    _ => cache.shrink_to(rows * 8),
                }
                let kept = cache.kept();
                prop_assert!(kept.bytes <= kept.budget);
                prop_assert_eq!(kept.bytes, kept.columns.values().map(|(column, _)| column.bytes).sum::<usize>());
                prop_assert_eq!(kept.order.len(), kept.columns.len());
                prop_assert!(kept.order.iter().all(|(used, key)| kept.columns.get(key).is_some_and(|(_, at)| at == used)));
            }
        }
    }
}
