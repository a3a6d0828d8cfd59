//! The traces of a segment with their rows, as a writer keeps them from commit to commit.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, StringArray};

use super::id_hashes::IdHashes;

/// Bytes of what is kept, at most.
const KEPT_BYTES: usize = 64 << 20;

/// The traces of a segment, whether they count or not.
#[derive(Debug)]
pub(crate) struct TraceRows {
    pub(crate) ids: StringArray,
    /// The first row of each trace, and behind them how many rows there are.
    first_rows: Vec<u64>,
    pub(crate) hashes: IdHashes,
}

impl TraceRows {
    pub(crate) fn new(ids: StringArray, spans: impl Iterator<Item = u64>) -> Self {
        let mut first_rows = vec![0];
        for count in spans {
            first_rows.push(first_rows.last().copied().unwrap_or(0) + count);
        }
        Self { hashes: IdHashes::of(ids.iter().flatten()), ids, first_rows }
    }

    /// The rows of a trace.
    pub(crate) fn rows(&self, trace: usize) -> Range<usize> {
        self.first_rows[trace] as usize..self.first_rows[trace + 1] as usize
    }

    /// How many rows there are.
    pub(crate) fn rows_in_all(&self) -> u64 {
        self.first_rows.last().copied().unwrap_or(0)
    }

    fn bytes(&self) -> usize {
        self.ids.get_array_memory_size() + self.ids.len() * 2 * size_of::<u64>()
    }
}

/// Traces of segments that were read: files never change, so neither do they.
#[derive(Debug, Default)]
pub(crate) struct KeptTraces(Mutex<Segments>);

#[derive(Debug, Default)]
struct Segments {
    known: HashMap<String, Arc<TraceRows>>,
    bytes: usize,
}

impl KeptTraces {
    pub(crate) fn get(&self, segment: &str) -> Option<Arc<TraceRows>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).known.get(segment).cloned()
    }

    pub(crate) fn keep(&self, segment: &str, traces: &Arc<TraceRows>) {
        let bytes = traces.bytes();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.bytes + bytes > KEPT_BYTES {
            *kept = Segments::default();
        }
        if bytes <= KEPT_BYTES && kept.known.insert(segment.to_owned(), Arc::clone(traces)).is_none() {
            kept.bytes += bytes;
        }
    }
}
