//! What to pull, and how.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::DataType;

use spanql_engine::RowFilter;
use spanql_store::{PullKey, Wanted};

/// What to pull, and how.
#[derive(Debug, Clone)]
pub struct Order {
    /// From which project of the remote into which of the store.
    pub key: PullKey,
    /// What is wanted of each span, and of which traces.
    pub wanted: Wanted,
    /// At most so many spans.
    pub limit: Option<u64>,
    /// Slices that are fetched side by side, at least 1.
    pub jobs: usize,
    /// Spans that a slice should have, about.
    pub slice_rows: u64,
    /// Whether a pull is recorded that brought no spans: that says that nothing is missing.
    pub record_empty: bool,
    /// Only spans that this lets through, see [`Order::only`].
    pub filter: Option<Arc<RowFilter>>,
    /// The columns that the remote announces for the project, with their types here: those that its part of the filter
    /// may name.
    pub announced: Arc<BTreeMap<String, DataType>>,
}

impl Order {
    /// An order of everything.
    pub fn new(key: PullKey) -> Self {
        Self {
            key,
            wanted: Wanted::default(),
            limit: None,
            jobs: 4,
            slice_rows: SLICE_ROWS,
            record_empty: true,
            filter: None,
            announced: Arc::default(),
        }
    }

    /// The same of the spans only that a filter lets through.
    ///
    /// The remote is told of it as far as its language goes, and every span that comes is checked here.
    #[must_use]
    pub fn only(mut self, filter: RowFilter) -> Self {
        self.wanted.filter = Some(filter.text());
        self.filter = Some(Arc::new(filter));
        self
    }
}

/// Spans of a slice: enough that a commit pays, few enough that a broken pull loses little, and about those of a segment,
/// so that a commit builds one at a time.
pub const SLICE_ROWS: u64 = 50_000;
