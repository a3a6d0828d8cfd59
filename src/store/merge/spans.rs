//! The merged spans: which row gives each value, and the values of given spans as columns.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, RecordBatch, TimestampNanosecondArray, UInt64Array, new_null_array,
};
use arrow::compute::{interleave, take};
use arrow::datatypes::{DataType, Field, Schema};

use super::super::error::{Result, StoreError};
use super::super::open_columns::{fold, widen};
use super::super::sizes::row_sizes;
use super::{Layout, Merged, Place};
use crate::model::columns::{self, METADATA_PREFIX};
use crate::trace::{self, TreeInput};

impl Merged {
    /// The number of merged spans.
    pub(crate) fn len(&self) -> usize {
        self.spans.len()
    }

    /// Where the rows of a span are: batch and row, oldest first.
    pub(crate) fn places_of(&self, span: usize) -> &[Place] {
        &self.places[self.spans[span].clone()]
    }

    /// The id of a trace.
    pub(crate) fn trace_id(&self, trace: usize) -> String {
        let (batch, row) = self.places[self.spans[self.traces[trace].spans.start].start];
        let column = self.rows.batches[batch].column_by_name(columns::TRACE_ID);
        column.map(|column| column.as_string::<i32>().value(row).to_owned()).unwrap_or_default()
    }

    /// The named columns of the given spans, as arrivals have them.
    pub(crate) fn columns(&self, spans: &[usize], wanted: &[(String, DataType)]) -> Result<RecordBatch> {
        let mut fields = Vec::with_capacity(wanted.len());
        let mut arrays = Vec::with_capacity(wanted.len());
        for (name, data_type) in wanted {
            let array = self.gather(name, data_type, spans)?;
            if array.null_count() < array.len() {
                fields.push(Field::new(name, data_type.clone(), true));
                arrays.push(array);
            }
        }
        RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(StoreError::arrow("moving spans"))
    }

    /// About how many bytes each merged span takes in memory.
    pub(crate) fn sizes(&self) -> Vec<u64> {
        self.sizes_of(&self.rows.batches.iter().map(row_sizes).collect::<Vec<_>>())
    }

    /// The size of each merged span by the sizes of the rows of each batch.
    pub(crate) fn sizes_of(&self, by_batch: &[Vec<u64>]) -> Vec<u64> {
        let size = |span: &Range<usize>| {
            self.places[span.clone()].iter().map(|&(batch, row)| by_batch[batch][row]).max().unwrap_or(0)
        };
        self.spans.iter().map(size).collect()
    }

    /// The columns of each batch by one name, cast to one type; a last one-row array of null stands for "nowhere".
    pub(super) fn sources(&self, name: &str, data_type: &DataType) -> Result<Arc<Vec<ArrayRef>>> {
        let key = (name.to_owned(), data_type.clone());
        if let Some(known) = self.cast.borrow().get(&key) {
            return Ok(Arc::clone(known));
        }
        let null = new_null_array(data_type, 1);
        let mut sources = Vec::with_capacity(self.rows.batches.len() + 1);
        for batch in &self.rows.batches {
            sources.push(match batch.column_by_name(name) {
                Some(column) => widen(column, data_type)?,
                None => Arc::clone(&null),
            });
        }
        sources.push(null);
        let sources = Arc::new(sources);
        self.cast.borrow_mut().insert(key, Arc::clone(&sources));
        Ok(sources)
    }

    /// The batches that have a column.
    pub(super) fn having(&self, name: &str) -> Arc<Vec<bool>> {
        if let Some(known) = self.present.borrow().get(name) {
            return Arc::clone(known);
        }
        // Finding a column by its name takes time, and there are many names and many small batches.
        let having = self.rows.batches.iter().map(|batch| batch.column_by_name(name).is_some()).collect();
        let having = Arc::new(having);
        self.present.borrow_mut().insert(name.to_owned(), Arc::clone(&having));
        having
    }

    /// Which row gives each span's value of a column; past the last batch where none does.
    pub(super) fn picks(
        &self,
        name: &str,
        data_type: &DataType,
        spans: impl Iterator<Item = usize>,
    ) -> Result<Vec<Place>> {
        let follows = match name {
            columns::EVENT_ATTRIBUTES => columns::EVENTS,
            name if name.starts_with(METADATA_PREFIX) => columns::METADATA,
            name => name,
        };
        let data_type = if follows == name { data_type } else { &DataType::Utf8 };
        let sources = self.sources(follows, data_type)?;
        let having = self.having(follows);
        let own = self.having(name);
        let weak = |(batch, row): Place| match follows {
            columns::EVENTS => sources[batch].as_string::<i32>().value(row) == "[]",
            columns::STATUS_CODE => sources[batch].as_string::<i32>().value(row) == "UNSET",
            _ => false,
        };
        let nowhere = (self.rows.batches.len(), 0);
        let pick = |span: usize| {
            if follows == columns::METADATA
                && let Some(&row) = self.patched.get(&span)
            {
                return (self.rows.batches.len() - 1, row);
            }
            let mut fallback = None;
            for &(batch, row) in self.places[self.spans[span].clone()].iter().rev() {
                if having[batch] && sources[batch].is_valid(row) {
                    if !weak((batch, row)) {
                        return (batch, row);
                    }
                    fallback.get_or_insert((batch, row));
                }
            }
            fallback.unwrap_or(nowhere)
        };
        // A batch may hold the column that is followed and not the one that follows.
        Ok(spans.map(pick).map(|place| if place.0 < own.len() && !own[place.0] { nowhere } else { place }).collect())
    }

    pub(super) fn gather(&self, name: &str, data_type: &DataType, spans: &[usize]) -> Result<ArrayRef> {
        let picks = self.picks(name, data_type, spans.iter().copied())?;
        let sources = self.sources(name, data_type)?;
        let sources: Vec<&dyn Array> = sources.iter().map(AsRef::as_ref).collect();
        interleave(&sources, &picks).map_err(StoreError::arrow(format!("merging {name}")))
    }

    pub(super) fn grow_tree(&mut self) -> Result<()> {
        let all: Vec<usize> = (0..self.len()).collect();
        let time = columns::timestamp_type();
        let span_id = self.gather(columns::SPAN_ID, &DataType::Utf8, &all)?;
        let parent_id = self.gather(columns::PARENT_ID, &DataType::Utf8, &all)?;
        let start = self.gather(columns::START_TIME, &time, &all)?;
        let end = self.gather(columns::END_TIME, &time, &all)?;
        let input = TreeInput {
            span_id: span_id.as_string(),
            parent_id: parent_id.as_string(),
            start_time: start.as_primitive(),
            end_time: end.as_primitive(),
        };
        let ranges: Vec<Range<usize>> = self.traces.iter().map(|trace| trace.spans.clone()).collect();
        self.tree = trace::tree_columns(&input, &ranges).map_err(|error| StoreError::Internal(error.to_string()))?;
        Ok(())
    }

    /// The rows of the given spans in the layout's columns, complete.
    pub(crate) fn rows(&self, spans: &[usize], layout: &Layout) -> Result<RecordBatch> {
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(layout.schema.fields().len());
        let tree = self.tree_of(spans)?;
        let mut tree = tree.iter();
        for field in layout.schema.fields() {
            let array = match field.name().as_str() {
                columns::LATENCY_MS => self.latency(spans)?,
                columns::REST => {
                    let columns = layout
                        .rest
                        .iter()
                        .map(|(name, data_type)| Ok((name.clone(), self.gather(name, data_type, spans)?)));
                    fold(&columns.collect::<Result<Vec<_>>>()?, spans.len())?
                }
                name if name.starts_with("tree.") => match tree.next() {
                    Some(column) => Arc::clone(column),
                    None => new_null_array(field.data_type(), spans.len()),
                },
                name => self.gather(name, field.data_type(), spans)?,
            };
            arrays.push(array);
        }
        RecordBatch::try_new(Arc::clone(&layout.schema), arrays).map_err(StoreError::arrow("merging spans"))
    }

    pub(crate) fn tree_of(&self, spans: &[usize]) -> Result<Vec<ArrayRef>> {
        let rows: UInt64Array = spans.iter().map(|&span| span as u64).collect();
        let take = |column: &ArrayRef| take(column, &rows, None);
        self.tree.iter().map(take).collect::<Result<_, _>>().map_err(StoreError::arrow("placing spans in their trees"))
    }

    /// The spans of the given traces, in order.
    pub(crate) fn spans_of(&self, traces: &[usize]) -> Vec<usize> {
        traces.iter().flat_map(|&trace| self.traces[trace].spans.clone()).collect()
    }

    fn latency(&self, spans: &[usize]) -> Result<ArrayRef> {
        let time = columns::timestamp_type();
        let start = self.gather(columns::START_TIME, &time, spans)?;
        let end = self.gather(columns::END_TIME, &time, spans)?;
        Ok(Arc::new(latency_ms(start.as_primitive(), end.as_primitive())))
    }
}

/// The time from start to end in milliseconds; null where either is.
pub(crate) fn latency_ms(start: &TimestampNanosecondArray, end: &TimestampNanosecondArray) -> Float64Array {
    start.iter().zip(end).map(|(start, end)| Some(trace::elapsed_ms(start?, end?))).collect()
}
