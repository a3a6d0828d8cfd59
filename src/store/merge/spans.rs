//! The merged spans: which row gives each value, and the values of given spans as columns.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, RecordBatch, TimestampNanosecondArray, UInt64Array, new_null_array,
};
use arrow::compute::{interleave, take};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;

use super::super::error::{Result, StoreError};
use super::super::open_columns::widen;
use super::super::overflow::OverflowBuilder;
use super::super::packed::RowRef;
use super::super::sizes::row_sizes;
use super::merged::{Layout, Merged};
use super::slim::{CALL_INPUTS, marks_of};
use spanql_model::columns::{self, METADATA_PREFIX};
use spanql_trace::{CallInput, Calls, TreeInput};

impl Merged {
    /// The number of merged spans.
    pub(crate) fn len(&self) -> usize {
        self.spans.len()
    }

    /// Where the rows of a span are: batch and row, oldest first.
    pub(crate) fn row_refs_of(&self, span: usize) -> &[RowRef] {
        &self.row_refs[self.spans[span].clone()]
    }

    /// The id of a trace.
    pub(crate) fn trace_id(&self, trace: usize) -> String {
        let (batch, row) = self.row_refs[self.spans[self.traces[trace].spans.start].start];
        let column = self.rows.batches[batch].column_by_name(columns::TRACE_ID);
        column.map(|column| column.as_string::<i32>().value(row).to_owned()).unwrap_or_default()
    }

    /// The named columns of the given spans, as ingest batches have them.
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
            self.row_refs[span.clone()].iter().map(|&(batch, row)| by_batch[batch][row]).max().unwrap_or(0)
        };
        self.spans.iter().map(size).collect()
    }

    /// The columns of each batch by one name, cast to one type; then a one-row array of null, which stands for "nowhere",
    /// and the packed values of that name.
    pub(super) fn sources(&self, name: &str, data_type: &DataType) -> Result<Arc<Vec<ArrayRef>>> {
        let key = (name.to_owned(), data_type.clone());
        if let Some(known) = self.cast.borrow().get(&key) {
            return Ok(Arc::clone(known));
        }
        let null = new_null_array(data_type, 1);
        let mut sources = Vec::with_capacity(self.rows.batches.len() + 2);
        for batch in &self.rows.batches {
            sources.push(match batch.column_by_name(name) {
                Some(column) => widen(column, data_type)?,
                None => Arc::clone(&null),
            });
        }
        sources.push(null);
        sources.extend(self.packed.get(name).map(|values| values.array(data_type)));
        let sources = Arc::new(sources);
        self.cast.borrow_mut().insert(key, Arc::clone(&sources));
        Ok(sources)
    }

    /// Where the sources of a column have null.
    pub(super) fn nowhere(&self) -> RowRef {
        (self.rows.batches.len(), 0)
    }

    /// The place among the sources of a column of the value that a row has, if it has one.
    pub(super) fn source_of(
        &self,
        name: &str,
        present_in: &[bool],
        sources: &[ArrayRef],
        (batch, row): RowRef,
    ) -> Option<RowRef> {
        if present_in.get(batch) == Some(&true) {
            return sources[batch].is_valid(row).then_some((batch, row));
        }
        let at = self.packed.get(name)?.at((batch, row))?;
        Some((self.rows.batches.len() + 1, at))
    }

    /// The batches that have a column.
    pub(super) fn present_in(&self, name: &str) -> Arc<Vec<bool>> {
        if let Some(known) = self.present.borrow().get(name) {
            return Arc::clone(known);
        }
        // Finding a column by its name takes time, and there are many names and many small batches.
        let present_in = self.rows.batches.iter().map(|batch| batch.column_by_name(name).is_some()).collect();
        let present_in = Arc::new(present_in);
        self.present.borrow_mut().insert(name.to_owned(), Arc::clone(&present_in));
        present_in
    }

    /// Which row gives each span's value of a column; past the last batch where none does.
    pub(super) fn winning_rows(
        &self,
        name: &str,
        data_type: &DataType,
        spans: impl Iterator<Item = usize>,
    ) -> Result<Vec<RowRef>> {
        let follows = match name {
            columns::EVENT_ATTRIBUTES => columns::EVENTS,
            name if name.starts_with(METADATA_PREFIX) => columns::METADATA,
            name => name,
        };
        let data_type = if follows == name { data_type } else { &DataType::Utf8 };
        let sources = self.sources(follows, data_type)?;
        let present_in = self.present_in(follows);
        let weak = |(batch, row): RowRef| match follows {
            columns::EVENTS => sources[batch].as_string::<i32>().value(row) == "[]",
            columns::STATUS_CODE => sources[batch].as_string::<i32>().value(row) == "UNSET",
            _ => false,
        };
        let winning_row = |span: usize| {
            if follows == columns::METADATA
                && let Some(&row) = self.patched.get(&span)
            {
                return (self.rows.batches.len() - 1, row);
            }
            let mut fallback = None;
            for &row_ref in self.row_refs[self.spans[span].clone()].iter().rev() {
                if let Some(found) = self.source_of(follows, &present_in, &sources, row_ref) {
                    if !weak(found) {
                        return found;
                    }
                    fallback.get_or_insert(found);
                }
            }
            fallback.unwrap_or(self.nowhere())
        };
        if follows == name {
            return Ok(spans.map(winning_row).collect());
        }
        // A batch may hold the column that is followed and not the one that follows.
        let own = self.present_in(name);
        let packed = self.packed.get(name);
        let follow = |row_ref: RowRef| match own.get(row_ref.0) {
            Some(true) | None => row_ref,
            Some(false) => packed
                .and_then(|values| values.at(row_ref))
                .map_or(self.nowhere(), |at| (self.rows.batches.len() + 1, at)),
        };
        Ok(spans.map(winning_row).map(follow).collect())
    }

    pub(super) fn gather(&self, name: &str, data_type: &DataType, spans: &[usize]) -> Result<ArrayRef> {
        if self.packed.get(name).is_none() && !self.present_in(name).contains(&true) {
            return Ok(new_null_array(data_type, spans.len()));
        }
        if self.came_once() {
            return self.gather_runs(name, data_type, &self.runs(spans), spans.len());
        }
        let winning_rows = self.winning_rows(name, data_type, spans.iter().copied())?;
        self.interleaved(name, data_type, &winning_rows)
    }

    fn interleaved(&self, name: &str, data_type: &DataType, winning_rows: &[RowRef]) -> Result<ArrayRef> {
        let sources = self.sources(name, data_type)?;
        let sources: Vec<&dyn Array> = sources.iter().map(AsRef::as_ref).collect();
        interleave(&sources, winning_rows).map_err(StoreError::arrow(format!("merging {name}")))
    }

    pub(super) fn grow_tree(&mut self) -> Result<()> {
        let all: Vec<usize> = (0..self.len()).collect();
        let time = columns::timestamp_type();
        let span_id = self.gather(columns::SPAN_ID, &DataType::Utf8, &all)?;
        let parent_id = self.gather(columns::PARENT_ID, &DataType::Utf8, &all)?;
        let start = self.gather(columns::START_TIME, &time, &all)?;
        let end = self.gather(columns::END_TIME, &time, &all)?;
        let kind = self.gather(columns::KIND, &DataType::Utf8, &all)?;
        let tool_name = self.gather(columns::TOOL_NAME, &DataType::Utf8, &all)?;
        let prompt = self.gather(columns::PROMPT_TOKENS, &DataType::Int64, &all)?;
        let completion = self.gather(columns::COMPLETION_TOKENS, &DataType::Int64, &all)?;
        let total = self.gather(columns::TOTAL_TOKENS, &DataType::Int64, &all)?;
        let cost = self.gather(columns::COST, &DataType::Float64, &all)?;
        let input = TreeInput {
            span_id: span_id.as_string(),
            parent_id: parent_id.as_string(),
            start_time: start.as_primitive(),
            end_time: end.as_primitive(),
        };
        let call_input = |span| self.call_input(span).map_err(|error| ArrowError::ExternalError(error.into()).into());
        let calls = Calls {
            kind: kind.as_string(),
            tool_name: tool_name.as_string(),
            usage: [prompt.as_primitive(), completion.as_primitive(), total.as_primitive()],
            cost: cost.as_primitive(),
            input: &call_input,
        };
        let ranges: Vec<Range<usize>> = self.traces.iter().map(|trace| trace.spans.clone()).collect();
        let tree = spanql_trace::tree_columns(&input, Some(&calls), &ranges);
        self.tree = tree.map_err(|error| StoreError::Internal(error.to_string()))?;
        Ok(())
    }

    /// What the call that a span is was given.
    fn call_input(&self, span: usize) -> Result<Option<CallInput>> {
        for name in CALL_INPUTS {
            let marks = marks_of(name);
            if self.present_in(&marks).contains(&true) {
                if let Some(text) = self.text_of(&marks, span, |text| text.to_owned())? {
                    return Ok(CallInput::from_text(&text));
                }
            } else if let Some(input) = self.text_of(name, span, CallInput::of)? {
                return Ok(input);
            }
        }
        Ok(None)
    }

    /// What is read off the text that a span has in a column; `None` where that is null.
    pub(super) fn text_of<T>(&self, name: &str, span: usize, read: impl FnOnce(&str) -> T) -> Result<Option<T>> {
        if self.packed.get(name).is_none() && !self.present_in(name).contains(&true) {
            return Ok(None);
        }
        if self.came_once() {
            return self.text_of_row(name, span, read);
        }
        let sources = self.sources(name, &DataType::Utf8)?;
        let winning_rows = self.winning_rows(name, &DataType::Utf8, std::iter::once(span))?;
        Ok(winning_rows.first().and_then(|&(batch, row)| {
            let source = sources[batch].as_string::<i32>();
            source.is_valid(row).then(|| read(source.value(row)))
        }))
    }

    /// The given spans on their way into columns.
    pub(crate) fn gathering<'a>(&'a self, spans: &'a [usize]) -> Result<Gathering<'a>> {
        let mut positions = HashMap::new();
        if !self.packed.is_empty() {
            for (position, &span) in spans.iter().enumerate() {
                positions.extend(self.row_refs_of(span).iter().map(|&row_ref| (row_ref, position)));
                // Metadata that were put together are in no row that arrived.
                positions.extend(self.patched.get(&span).map(|&row| ((self.rows.batches.len() - 1, row), position)));
            }
        }
        Ok(Gathering { merged: self, spans, tree: self.tree_of(spans)?, positions, metadata: OnceCell::new() })
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

/// Given spans of a merge, complete, column by column.
pub(crate) struct Gathering<'a> {
    merged: &'a Merged,
    spans: &'a [usize],
    tree: Vec<ArrayRef>,
    /// Which of the spans each row is of, where anything is packed.
    positions: HashMap<RowRef, usize>,
    /// Which row gives each span its metadata.
    metadata: OnceCell<Vec<RowRef>>,
}

impl Gathering<'_> {
    /// One of the layout's columns.
    pub(crate) fn column(&self, field: &Field, layout: &Layout) -> Result<ArrayRef> {
        match field.name().as_str() {
            columns::LATENCY_MS => self.merged.latency(self.spans),
            columns::REST => self.rest(layout),
            name if name.starts_with("tree.") => {
                let at = columns::TREE.iter().position(|column| column.name == name);
                let column = at.and_then(|at| self.tree.get(at)).map(Arc::clone);
                Ok(column.unwrap_or_else(|| new_null_array(field.data_type(), self.spans.len())))
            }
            name => match self.packed_only(name)? {
                Some(values) => {
                    let mut winning_rows = vec![self.merged.nowhere(); self.spans.len()];
                    let source = self.merged.nowhere().0 + 1;
                    for (position, at) in values {
                        winning_rows[position] = (source, at);
                    }
                    self.merged.interleaved(name, field.data_type(), &winning_rows)
                }
                None => self.merged.gather(name, field.data_type(), self.spans),
            },
        }
    }

    /// The keys that are no columns, as one JSON object a span.
    fn rest(&self, layout: &Layout) -> Result<ArrayRef> {
        let mut overflow = OverflowBuilder::new(self.spans.len());
        for (name, data_type) in &layout.rest {
            match (self.packed_only(name)?, self.merged.packed.get(name)) {
                (Some(values), Some(packed)) => {
                    overflow.add_values(name, &packed.array(data_type), values.into_iter())?;
                }
                _ if self.merged.present_in(name).contains(&true) => {
                    overflow.add(name, &self.merged.gather(name, data_type, self.spans)?)?;
                }
                _ => {}
            }
        }
        Ok(Arc::new(overflow.finish()))
    }

    /// The values of a column that the batches have only packed: pairs of the span, by its place among the given ones, and
    /// the value, by its place among the packed ones of that name. This takes time for each value, not for each span.
    fn packed_only(&self, name: &str) -> Result<Option<BTreeMap<usize, usize>>> {
        let Some(packed) = self.merged.packed.get(name) else { return Ok(None) };
        if self.merged.present_in(name).contains(&true) {
            return Ok(None);
        }
        let metadata = if name.starts_with(METADATA_PREFIX) { Some(self.metadata()?) } else { None };
        let mut values = BTreeMap::new();
        // Rows come in order of age: the last of a span stays.
        for (at, &row_ref) in packed.row_refs.iter().enumerate() {
            let Some(&position) = self.positions.get(&row_ref) else { continue };
            if metadata.is_none_or(|metadata| metadata[position] == row_ref) {
                values.insert(position, at);
            }
        }
        Ok(Some(values))
    }

    fn metadata(&self) -> Result<&Vec<RowRef>> {
        if let Some(known) = self.metadata.get() {
            return Ok(known);
        }
        let winning_rows = self.merged.winning_rows(columns::METADATA, &DataType::Utf8, self.spans.iter().copied())?;
        Ok(self.metadata.get_or_init(|| winning_rows))
    }
}

/// The time from start to end in milliseconds; null where either is.
pub(crate) fn latency_ms(start: &TimestampNanosecondArray, end: &TimestampNanosecondArray) -> Float64Array {
    start.iter().zip(end).map(|(start, end)| Some(spanql_trace::elapsed_ms(start?, end?))).collect()
}
