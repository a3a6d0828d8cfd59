//! Rows of spans as trees are computed from them.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::ops::Range;

use arrow::array::{Array, ArrayRef, StringArray, TimestampNanosecondArray, UInt64Array, new_null_array};
use arrow::compute::{CastOptions, cast_with_options, take};
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;

use super::TraceError;
use spanql_model::columns::{self, timestamp_type};

/// The columns that make a tree: whole traces, each in a contiguous range of rows, in any order inside it.
///
/// The four arrays have the same length. Times are nanoseconds since the epoch; every value may be null.
///
/// # How broken traces are read
///
/// - Every row is a span of its own, even where a span id occurs twice in a trace. A parent id means the **first row**,
///   in row order, that has it as its span id; later rows with that id have no children.
/// - An empty parent id is no parent id. A row without a span id is nobody's parent.
/// - A row whose parent id is its own span id is its own parent (a cycle of one), whichever row the id would mean:
///   it never becomes the child of a row that shares its id.
/// - A parent id that no row of the trace has makes an orphan, which is a top span.
/// - Every row **on** a parent cycle is flagged; the cycle's earliest row becomes a top span and is not an orphan.
///
/// # Order
///
/// There is one order for siblings, for top spans and for whatever is called the earliest: by start time, then by span
/// id (bytes), then by row, with null before any value.
///
/// # Intervals
///
/// A span has an interval when both times are there and the end is not before the start. A span without one takes up
/// none of its parent's time. On a critical path an end before the start counts as the start; a span without both
/// times is not on it, and neither are the spans below it.
#[derive(Debug, Clone, Copy)]
pub struct TreeInput<'a> {
    /// Span ids.
    pub span_id: &'a StringArray,
    /// Span ids of the parents; null or empty for a root.
    pub parent_id: &'a StringArray,
    /// Start times.
    pub start_time: &'a TimestampNanosecondArray,
    /// End times.
    pub end_time: &'a TimestampNanosecondArray,
}

impl<'a> TreeInput<'a> {
    /// The span id of a row.
    pub(super) fn id(&self, row: usize) -> Option<&'a str> {
        self.span_id.is_valid(row).then(|| self.span_id.value(row))
    }

    /// The parent's span id; an empty one counts as null.
    pub(super) fn parent(&self, row: usize) -> Option<&'a str> {
        self.parent_id.is_valid(row).then(|| self.parent_id.value(row)).filter(|id| !id.is_empty())
    }

    /// The start time of a row in nanoseconds.
    pub(super) fn start(&self, row: usize) -> Option<i64> {
        self.start_time.is_valid(row).then(|| self.start_time.value(row))
    }

    /// The end time of a row in nanoseconds.
    pub(super) fn end(&self, row: usize) -> Option<i64> {
        self.end_time.is_valid(row).then(|| self.end_time.value(row))
    }

    /// Start and end in nanoseconds, where both are there and in this order.
    pub(super) fn interval(&self, row: usize) -> Option<(i64, i64)> {
        let (start, end) = (self.start(row)?, self.end(row)?);
        (start <= end).then_some((start, end))
    }

    /// The one order of spans: start time, span id, row; null first.
    pub(super) fn order(&self, a: usize, b: usize) -> Ordering {
        self.start(a).cmp(&self.start(b)).then_with(|| self.id(a).cmp(&self.id(b))).then(a.cmp(&b))
    }
}

/// Which rows of a batch belong to the same trace.
#[derive(Debug, Clone)]
pub struct TraceGroups {
    /// The rows ordered by trace, in their old order inside each; `None` where every trace already lies together.
    pub order: Option<UInt64Array>,
    /// The traces by first appearance: ranges of `order`, or of the batch's own rows where that is `None`.
    pub ranges: Vec<Range<usize>>,
}

/// Groups the rows of a batch by project (where there is such a column) and trace id, in O(n).
///
/// A null is a value like any other, as in GROUP BY. Fails when there is no trace id column, or when one of the two is
/// not text.
pub fn group_by_trace(batch: &RecordBatch) -> Result<TraceGroups, TraceError> {
    require(batch, &[columns::TRACE_ID])?;
    let project: StringArray = read(batch, columns::PROJECT, &DataType::Utf8)?;
    let trace_id: StringArray = read(batch, columns::TRACE_ID, &DataType::Utf8)?;
    let key = |row: usize| (text(&project, row), text(&trace_id, row));

    let mut runs: Vec<(usize, usize)> = Vec::new();
    let mut group_of = HashMap::new();
    let mut sizes: Vec<usize> = Vec::new();
    for row in 0..batch.num_rows() {
        if row > 0 && key(row) == key(row - 1) {
            continue;
        }
        if let Some(&(group, start)) = runs.last() {
            sizes[group] += row - start;
        }
        let group = *group_of.entry(key(row)).or_insert(sizes.len());
        if group == sizes.len() {
            sizes.push(0);
        }
        runs.push((group, row));
    }
    if let Some(&(group, start)) = runs.last() {
        sizes[group] += batch.num_rows() - start;
    }

    let mut next = 0;
    let ranges: Vec<Range<usize>> = sizes
        .iter()
        .map(|size| {
            let start = next;
            next += size;
            start..next
        })
        .collect();
    if runs.len() == ranges.len() {
        return Ok(TraceGroups { order: None, ranges });
    }

    let mut free: Vec<usize> = ranges.iter().map(|range| range.start).collect();
    let mut order = vec![0_u64; batch.num_rows()];
    for (index, &(group, start)) in runs.iter().enumerate() {
        let end = runs.get(index + 1).map_or(batch.num_rows(), |&(_, next)| next);
        for row in start..end {
            order[free[group]] = row as u64;
            free[group] += 1;
        }
    }
    Ok(TraceGroups { order: Some(order.into()), ranges })
}

/// The text of a row, where there is one.
pub(super) fn text(array: &StringArray, row: usize) -> Option<&str> {
    array.is_valid(row).then(|| array.value(row))
}

/// Fails when one of the columns is not in the batch.
pub(super) fn require(batch: &RecordBatch, names: &[&'static str]) -> Result<(), TraceError> {
    match names.iter().find(|name| batch.column_by_name(name).is_none()) {
        Some(name) => Err(TraceError::MissingColumn(name)),
        None => Ok(()),
    }
}

/// Reads a column in its canonical type; a missing one is all null.
pub(super) fn read<T: Array + Clone + 'static>(
    batch: &RecordBatch,
    name: &'static str,
    expected: &DataType,
) -> Result<T, TraceError> {
    match batch.column_by_name(name) {
        Some(column) => typed(column, name, expected),
        None => typed(&new_null_array(expected, batch.num_rows()), name, expected),
    }
}

/// Casts between representations of the same values (text views and dictionaries, time units and zones), nothing else.
pub(super) fn typed<T: Array + Clone + 'static>(
    array: &ArrayRef,
    name: &'static str,
    expected: &DataType,
) -> Result<T, TraceError> {
    let found = array.data_type();
    let wrong = || TraceError::WrongType { name, found: found.clone(), expected: expected.clone() };
    let array = if found == expected {
        array.clone()
    } else if same_values(found, expected) {
        cast_with_options(array, expected, &CastOptions { safe: false, ..CastOptions::default() })?
    } else {
        return Err(wrong());
    };
    array.as_any().downcast_ref::<T>().cloned().ok_or_else(wrong)
}

fn same_values(found: &DataType, expected: &DataType) -> bool {
    use DataType::{Dictionary, LargeUtf8, Null, Timestamp, Utf8, Utf8View};
    match (found, expected) {
        (Dictionary(_, values), _) => same_values(values, expected),
        (Utf8 | LargeUtf8 | Utf8View, Utf8) | (Timestamp(..), Timestamp(..)) | (Null, _) => true,
        _ => found == expected,
    }
}

/// The four columns of a tree, read from a batch.
#[derive(Debug)]
pub(super) struct TreeArrays {
    span_id: StringArray,
    parent_id: StringArray,
    start_time: TimestampNanosecondArray,
    end_time: TimestampNanosecondArray,
}

impl TreeArrays {
    /// The names of the four columns.
    pub(super) const NAMES: [&'static str; 4] =
        [columns::SPAN_ID, columns::PARENT_ID, columns::START_TIME, columns::END_TIME];

    /// Reads the columns; a missing one is all null.
    pub(super) fn read(batch: &RecordBatch) -> Result<Self, TraceError> {
        Ok(Self {
            span_id: read(batch, columns::SPAN_ID, &DataType::Utf8)?,
            parent_id: read(batch, columns::PARENT_ID, &DataType::Utf8)?,
            start_time: read(batch, columns::START_TIME, &timestamp_type())?,
            end_time: read(batch, columns::END_TIME, &timestamp_type())?,
        })
    }

    /// The same rows in another order.
    pub(super) fn reordered(&self, order: &UInt64Array) -> Result<Self, TraceError> {
        Ok(Self {
            span_id: typed(&take(&self.span_id, order, None)?, columns::SPAN_ID, &DataType::Utf8)?,
            parent_id: typed(&take(&self.parent_id, order, None)?, columns::PARENT_ID, &DataType::Utf8)?,
            start_time: typed(&take(&self.start_time, order, None)?, columns::START_TIME, &timestamp_type())?,
            end_time: typed(&take(&self.end_time, order, None)?, columns::END_TIME, &timestamp_type())?,
        })
    }

    /// The columns as input of the tree functions.
    pub(super) fn input(&self) -> TreeInput<'_> {
        TreeInput {
            span_id: &self.span_id,
            parent_id: &self.parent_id,
            start_time: &self.start_time,
            end_time: &self.end_time,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::TimestampSecondArray;
    use spanql_model::columns;

    use super::{TreeArrays, group_by_trace};
    use crate::testing::sample::{batch, table, with_column};

    fn groups(traces: &str) -> (Option<Vec<u64>>, Vec<std::ops::Range<usize>>) {
        let mut spans = Vec::new();
        for trace in traces.chars() {
            let mut span = table("a - 0 1").remove(0);
            span.trace = trace.to_string();
            spans.push(span);
        }
        let groups = group_by_trace(&batch(&spans)).unwrap();
        (groups.order.map(|order| order.values().to_vec()), groups.ranges)
    }

    #[test]
    fn traces_that_lie_together_stay_where_they_are() {
        assert_eq!(groups("bbac"), (None, vec![0..2, 2..3, 3..4]));
        assert_eq!(groups(""), (None, vec![]));
    }

    #[test]
    fn scattered_traces_are_gathered_in_row_order() {
        assert_eq!(groups("baabc"), (Some(vec![0, 3, 1, 2, 4]), vec![0..2, 2..4, 4..5]));
    }

    #[test]
    fn a_time_that_nanoseconds_cannot_hold_is_an_error() {
        let spans = batch(&table("a - 0 1"));
        let at = |second| Arc::new(TimestampSecondArray::from(vec![second]).with_timezone("UTC"));
        let read = |second| TreeArrays::read(&with_column(&spans, columns::START_TIME, at(second)));
        assert_eq!(read(1_700_000_000).unwrap().start_time.value(0), 1_700_000_000_000_000_000);
        read(i64::MAX).unwrap_err();
    }
}
