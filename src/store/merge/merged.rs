//! Which rows are one span, and in which order spans and traces are.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, TimestampNanosecondArray};
use arrow::datatypes::{DataType, SchemaRef, TimestampNanosecondType};

use super::grouped::{Grouped, group};
use crate::error::{Result, StoreError};
use crate::packed::{Packed, RowRef};
use spanql_model::columns;

/// One column of every batch, in one type.
pub(super) type Sources = Arc<Vec<ArrayRef>>;

/// The columns of the spans file that a merge fills.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// Canonical columns, `tree.*`, open columns in order.
    pub(crate) schema: SchemaRef,
    /// Open columns that go into the JSON column `attributes.rest`, with their types.
    pub(crate) rest: Vec<(String, DataType)>,
}

/// The rows to merge: batches in order of age, all of one project.
pub(crate) struct Rows {
    pub(super) batches: Vec<RecordBatch>,
    /// How many of the batches, from the first, are rows that the store already holds.
    pub(super) stored: usize,
}

/// Spans deleted from one project: (trace id, span id).
pub(crate) type Deleted = HashSet<(String, String)>;

/// One trace after a merge.
#[derive(Debug)]
pub(crate) struct MergedTrace {
    /// Earliest start of its spans, ns.
    pub(crate) start: Option<i64>,
    /// Its spans in the order of the merge.
    pub(crate) spans: Range<usize>,
    /// Whether anything differs from what the store held.
    pub(crate) changed: bool,
}

/// What a merge did, in spans.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Spans the store did not hold.
    pub new: u64,
    /// Spans the store held with other values.
    pub updated: u64,
    /// Spans the store held just so.
    pub same: u64,
    /// Rows left out because their span was deleted.
    pub deleted: u64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.new += other.new;
        self.updated += other.updated;
        self.same += other.same;
        self.deleted += other.deleted;
    }
}

/// Merged spans in their final order: by trace start, trace id, start, span id; nulls first.
pub(crate) struct Merged {
    pub(super) rows: Rows,
    /// All rows in the order of their spans, those of one span from the oldest on.
    pub(super) row_refs: Vec<RowRef>,
    /// The rows of each span.
    pub(super) spans: Vec<Range<usize>>,
    pub(crate) traces: Vec<MergedTrace>,
    pub(crate) counts: Counts,
    pub(super) tree: Vec<ArrayRef>,
    /// Metadata rows made by setting keys one by one, by span.
    pub(super) patched: HashMap<usize, usize>,
    pub(super) cast: RefCell<HashMap<(String, DataType), Sources>>,
    /// Which batches have a column, by its name.
    pub(super) present: RefCell<HashMap<String, Arc<Vec<bool>>>>,
    /// What the batches have packed.
    pub(super) packed: Packed,
}

impl Rows {
    pub(crate) fn new(stored: Vec<RecordBatch>, arrived: Vec<RecordBatch>) -> Self {
        let count = stored.len();
        let mut batches = stored;
        batches.extend(arrived);
        Self { batches, stored: count }
    }

    pub(super) fn text(&self, name: &str) -> Result<Vec<&StringArray>> {
        let missing = || StoreError::Ingest(format!("column {name} is missing"));
        let column = |batch: &'_ RecordBatch| -> Option<usize> { batch.schema().index_of(name).ok() };
        self.batches
            .iter()
            .map(|batch| column(batch).map(|i| batch.column(i).as_string::<i32>()).ok_or_else(missing))
            .collect()
    }

    /// Merges the rows, leaving deleted spans out.
    pub(crate) fn merge(self, deleted: Option<&Deleted>) -> Result<Merged> {
        let mut merged = self.ordered(deleted)?;
        merged.patch_metadata()?;
        merged.grow_tree()?;
        merged.count()?;
        Ok(merged)
    }

    /// Merges the rows of traces, or of a part of one, whose trees are known: their columns for the merged spans in
    /// order.
    pub(crate) fn merge_below(self, tree: Vec<ArrayRef>) -> Result<Merged> {
        let mut merged = self.ordered(None)?;
        merged.patch_metadata()?;
        if tree.iter().any(|column| column.len() != merged.len()) {
            return Err(StoreError::Internal("the pieces of a trace do not fit together".into()));
        }
        merged.tree = tree;
        merged.count()?;
        Ok(merged)
    }

    /// Finds the spans and their order.
    pub(super) fn ordered(self, deleted: Option<&Deleted>) -> Result<Merged> {
        let trace_ids = self.text(columns::TRACE_ID)?;
        let span_ids = self.text(columns::SPAN_ID)?;
        let key = |(batch, row): RowRef| (trace_ids[batch].value(row), span_ids[batch].value(row));
        let mut row_refs: Vec<RowRef> = Vec::with_capacity(self.batches.iter().map(RecordBatch::num_rows).sum());
        let mut counts = Counts::default();
        let mut shrunk: HashSet<String> = HashSet::new();
        for (number, batch) in self.batches.iter().enumerate() {
            for row in 0..batch.num_rows() {
                if let Some(deleted) = deleted.filter(|deleted| !deleted.is_empty()) {
                    let (trace_id, span_id) = key((number, row));
                    if deleted.contains(&(trace_id.to_owned(), span_id.to_owned())) {
                        counts.deleted += 1;
                        if number < self.stored {
                            shrunk.insert(trace_id.to_owned());
                        }
                        continue;
                    }
                }
                row_refs.push((number, row));
            }
        }
        let Grouped { row_refs, spans, traces } = group(&trace_ids, &span_ids, &row_refs);
        let starts = self.last_times(columns::START_TIME, &row_refs, &spans);
        let earliest = |spans: &Range<usize>| starts[spans.clone()].iter().flatten().min().copied();
        let mut traces: Vec<(Option<i64>, Range<usize>)> =
            traces.into_iter().map(|spans| (earliest(&spans), spans)).collect();
        // Spans of a trace come sorted by span id, traces by trace id: stable sorts by time finish the order.
        traces.sort_by_key(|(start, _)| *start);
        let mut ordered: Vec<Range<usize>> = Vec::with_capacity(spans.len());
        let mut ordered_rows: Vec<RowRef> = Vec::with_capacity(row_refs.len());
        let mut merged_traces = Vec::with_capacity(traces.len());
        for (start, members) in traces {
            let mut members: Vec<usize> = members.collect();
            members.sort_by_key(|&span| starts[span]);
            let from = ordered.len();
            for span in members {
                let first = ordered_rows.len();
                ordered_rows.extend_from_slice(&row_refs[spans[span].clone()]);
                ordered.push(first..ordered_rows.len());
            }
            let changed = !shrunk.is_empty() && shrunk.contains(key(ordered_rows[ordered[from].start]).0);
            merged_traces.push(MergedTrace { start, spans: from..ordered.len(), changed });
        }
        drop((trace_ids, span_ids));
        Ok(Merged {
            packed: Packed::of(&self.batches),
            rows: self,
            row_refs: ordered_rows,
            spans: ordered,
            traces: merged_traces,
            counts,
            tree: Vec::new(),
            patched: HashMap::new(),
            cast: RefCell::default(),
            present: RefCell::default(),
        })
    }

    /// The last value of a time column of each span.
    pub(super) fn last_times(&self, name: &str, row_refs: &[RowRef], spans: &[Range<usize>]) -> Vec<Option<i64>> {
        let times: Vec<Option<&TimestampNanosecondArray>> = self
            .batches
            .iter()
            .map(|batch| {
                let index = batch.schema_ref().index_of(name).ok()?;
                batch.column(index).as_primitive_opt::<TimestampNanosecondType>()
            })
            .collect();
        let last = |span: &Range<usize>| {
            row_refs[span.clone()].iter().rev().find_map(|&(batch, row)| {
                let column = times[batch]?;
                column.is_valid(row).then(|| column.value(row))
            })
        };
        spans.iter().map(last).collect()
    }
}
