//! Merging rows into spans: one row a span, the later arrival winning column by column.
//!
//! A null never erases a value, an empty list of events counts as null, and UNSET does not replace OK or ERROR.
//! Columns that follow from others (`event.attributes`, unfolded metadata keys) come from the row that gave the
//! column they follow; `latency_ms` and `tree.*` are computed from the merged rows.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, RecordBatch, StringArray, TimestampNanosecondArray, UInt64Array,
    new_null_array,
};
use arrow::compute::interleave;
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, SchemaRef, TimestampNanosecondType};
use serde_json::value::RawValue;

use super::error::{Result, StoreError};
use super::open_columns::{Unfolded, fold, widen};
use crate::model::columns::{self, METADATA_PREFIX};
use crate::trace::{self, TreeInput};

/// Where a row is: batch and row.
type Place = (usize, usize);

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
    batches: Vec<RecordBatch>,
    /// How many of the batches, from the first, are rows that the store already holds.
    stored: usize,
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
    rows: Rows,
    /// All rows, those of one span together, oldest first.
    places: Vec<Place>,
    /// The places of each span.
    spans: Vec<Range<usize>>,
    pub(crate) traces: Vec<MergedTrace>,
    pub(crate) counts: Counts,
    tree: Vec<ArrayRef>,
    /// Metadata rows made by setting keys one by one, by span.
    patched: HashMap<usize, usize>,
    cast: std::cell::RefCell<HashMap<(String, DataType), Arc<Vec<ArrayRef>>>>,
}

impl Rows {
    pub(crate) fn new(stored: Vec<RecordBatch>, arrived: Vec<RecordBatch>) -> Self {
        let count = stored.len();
        let mut batches = stored;
        batches.extend(arrived);
        Self { batches, stored: count }
    }

    fn text(&self, name: &str) -> Result<Vec<&StringArray>> {
        let missing = || StoreError::Arrival(format!("column {name} is missing"));
        let column = |batch: &'_ RecordBatch| -> Option<usize> { batch.schema().index_of(name).ok() };
        self.batches
            .iter()
            .map(|batch| column(batch).map(|i| batch.column(i).as_string::<i32>()).ok_or_else(missing))
            .collect()
    }

    /// Merges the rows, leaving deleted spans out.
    pub(crate) fn merge(self, deleted: Option<&Deleted>) -> Result<Merged> {
        let trace_ids = self.text(columns::TRACE_ID)?;
        let span_ids = self.text(columns::SPAN_ID)?;
        let key = |(batch, row): Place| (trace_ids[batch].value(row), span_ids[batch].value(row));
        let mut places: Vec<Place> = Vec::with_capacity(self.batches.iter().map(RecordBatch::num_rows).sum());
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
                places.push((number, row));
            }
        }
        // Age is the order of places, so ties keep it.
        places.sort_unstable_by(|a, b| key(*a).cmp(&key(*b)).then(a.cmp(b)));

        let mut spans: Vec<Range<usize>> = Vec::with_capacity(places.len());
        for (at, place) in places.iter().enumerate() {
            match spans.last_mut() {
                Some(span) if key(places[span.start]) == key(*place) => span.end = at + 1,
                _ => spans.push(at..at + 1),
            }
        }
        let starts = self.last_times(columns::START_TIME, &places, &spans);
        let mut traces: Vec<(Option<i64>, Range<usize>)> = Vec::new();
        for (at, span) in spans.iter().enumerate() {
            let start = starts[at];
            match traces.last_mut() {
                Some((earliest, members)) if key(places[spans[members.start].start]).0 == key(places[span.start]).0 => {
                    members.end = at + 1;
                    *earliest = match (*earliest, start) {
                        (Some(a), Some(b)) => Some(a.min(b)),
                        (a, b) => a.or(b),
                    };
                }
                _ => traces.push((start, at..at + 1)),
            }
        }
        // Spans of a trace come sorted by span id, traces by trace id: stable sorts by time finish the order.
        traces.sort_by_key(|(start, _)| *start);
        let mut ordered: Vec<Range<usize>> = Vec::with_capacity(spans.len());
        let mut ordered_starts: Vec<Option<i64>> = Vec::with_capacity(spans.len());
        let mut merged_traces = Vec::with_capacity(traces.len());
        for (start, members) in traces {
            let mut members: Vec<usize> = members.collect();
            members.sort_by_key(|&span| starts[span]);
            let from = ordered.len();
            ordered.extend(members.iter().map(|&span| spans[span].clone()));
            ordered_starts.extend(members.iter().map(|&span| starts[span]));
            let trace_id = key(places[ordered[from].start]).0;
            let changed = shrunk.contains(trace_id);
            merged_traces.push(MergedTrace { start, spans: from..ordered.len(), changed });
        }
        drop((trace_ids, span_ids));
        let mut merged = Merged {
            rows: self,
            places,
            spans: ordered,
            traces: merged_traces,
            counts,
            tree: Vec::new(),
            patched: HashMap::new(),
            cast: std::cell::RefCell::default(),
        };
        merged.patch_metadata()?;
        merged.grow_tree()?;
        merged.count()?;
        Ok(merged)
    }

    /// The last value of a time column of each span.
    fn last_times(&self, name: &str, places: &[Place], spans: &[Range<usize>]) -> Vec<Option<i64>> {
        let times: Vec<Option<&TimestampNanosecondArray>> = self
            .batches
            .iter()
            .map(|batch| {
                let index = batch.schema_ref().index_of(name).ok()?;
                batch.column(index).as_primitive_opt::<TimestampNanosecondType>()
            })
            .collect();
        let last = |span: &Range<usize>| {
            places[span.clone()].iter().rev().find_map(|&(batch, row)| {
                let column = times[batch]?;
                column.is_valid(row).then(|| column.value(row))
            })
        };
        spans.iter().map(last).collect()
    }
}

impl Merged {
    /// The number of merged spans.
    pub(crate) fn len(&self) -> usize {
        self.spans.len()
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
        RecordBatch::try_new(Arc::new(arrow::datatypes::Schema::new(fields)), arrays)
            .map_err(StoreError::arrow("moving spans"))
    }

    /// About how many bytes each merged span takes in memory.
    pub(crate) fn sizes(&self) -> Vec<u64> {
        let by_batch: Vec<Vec<u64>> = self.rows.batches.iter().map(super::pool::row_sizes).collect();
        let size = |span: &Range<usize>| {
            self.places[span.clone()].iter().map(|&(batch, row)| by_batch[batch][row]).max().unwrap_or(0)
        };
        self.spans.iter().map(size).collect()
    }

    /// The columns of each batch by one name, cast to one type; a last one-row array of null stands for "nowhere".
    fn sources(&self, name: &str, data_type: &DataType) -> Result<Arc<Vec<ArrayRef>>> {
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
    fn having(&self, name: &str) -> Vec<bool> {
        self.rows.batches.iter().map(|batch| batch.column_by_name(name).is_some()).collect()
    }

    /// Which row gives each span's value of a column; past the last batch where none does.
    fn picks(&self, name: &str, data_type: &DataType, spans: impl Iterator<Item = usize>) -> Result<Vec<Place>> {
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

    fn gather(&self, name: &str, data_type: &DataType, spans: &[usize]) -> Result<ArrayRef> {
        let picks = self.picks(name, data_type, spans.iter().copied())?;
        let sources = self.sources(name, data_type)?;
        let sources: Vec<&dyn Array> = sources.iter().map(AsRef::as_ref).collect();
        interleave(&sources, &picks).map_err(StoreError::arrow(format!("merging {name}")))
    }

    /// Sets metadata keys that came one by one: builds the resulting texts as one more batch.
    fn patch_metadata(&mut self) -> Result<()> {
        let patches: Vec<Option<StringArray>> = self.optional_text(columns::METADATA_PATCH);
        if patches.iter().all(Option::is_none) {
            return Ok(());
        }
        let whole = self.optional_text(columns::METADATA);
        let value = |column: &'_ Option<StringArray>, row: usize| -> Option<String> {
            column.as_ref().filter(|column| column.is_valid(row)).map(|column| column.value(row).to_owned())
        };
        let mut texts: Vec<String> = Vec::new();
        let mut unfolded = Unfolded::default();
        let mut patched = HashMap::new();
        for (number, span) in self.spans.iter().enumerate() {
            let places = &self.places[span.clone()];
            if !places.iter().any(|&(batch, row)| value(&patches[batch], row).is_some()) {
                continue;
            }
            let mut text: Option<String> = None;
            for &(batch, row) in places {
                text = value(&whole[batch], row).or(text);
                if let Some(patch) = value(&patches[batch], row) {
                    text = Some(set_keys(text.as_deref(), &patch));
                }
            }
            let text = text.unwrap_or_default();
            unfolded.add_object(texts.len(), METADATA_PREFIX, &text);
            patched.insert(number, texts.len());
            texts.push(text);
        }
        let rows = texts.len();
        let mut fields: Vec<(String, ArrayRef)> = unfolded.finish(rows);
        fields.push((columns::METADATA.to_owned(), Arc::new(StringArray::from(texts))));
        let schema = arrow::datatypes::Schema::new(
            fields.iter().map(|(name, array)| Field::new(name, array.data_type().clone(), true)).collect::<Vec<_>>(),
        );
        let arrays = fields.into_iter().map(|(_, array)| array).collect();
        let batch = RecordBatch::try_new(Arc::new(schema), arrays).map_err(StoreError::arrow("merging metadata"))?;
        self.rows.batches.push(batch);
        self.patched = patched;
        Ok(())
    }

    fn optional_text(&self, name: &str) -> Vec<Option<StringArray>> {
        let column = |batch: &RecordBatch| batch.column_by_name(name).map(|c| c.as_string::<i32>().clone());
        self.rows.batches.iter().map(column).collect()
    }

    fn grow_tree(&mut self) -> Result<()> {
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

    /// Compares what the store held with what it will hold.
    fn count(&mut self) -> Result<()> {
        let stored = self.rows.stored;
        let held = |span: &Range<usize>, places: &[Place]| places[span.start].0 < stored;
        let arrived = |span: &Range<usize>, places: &[Place]| places[span.end - 1].0 >= stored;
        let mut changed = vec![false; self.len()];
        let mut candidates: Vec<usize> = Vec::new();
        for (number, span) in self.spans.iter().enumerate() {
            match (held(span, &self.places), arrived(span, &self.places)) {
                (false, _) => {
                    changed[number] = true;
                    self.counts.new += 1;
                }
                (true, true) => candidates.push(number),
                (true, false) => {}
            }
        }
        if !candidates.is_empty() {
            let mut names: BTreeMap<String, DataType> = BTreeMap::new();
            for batch in &self.rows.batches[stored..] {
                for field in batch.schema_ref().fields() {
                    let follows =
                        field.name() == columns::EVENT_ATTRIBUTES || field.name().starts_with(METADATA_PREFIX);
                    if !follows && field.name() != columns::METADATA_PATCH {
                        names.insert(field.name().clone(), field.data_type().clone());
                    }
                }
            }
            for batch in &self.rows.batches {
                for field in batch.schema_ref().fields() {
                    if let Some(united) = names.get_mut(field.name())
                        && united != field.data_type()
                    {
                        *united = wider(united, field.data_type());
                    }
                }
            }
            for (name, data_type) in names {
                let sources = self.sources(&name, &data_type)?;
                let having = self.having(&name);
                let picks = self.picks(&name, &data_type, candidates.iter().copied())?;
                for (&number, &now) in candidates.iter().zip(&picks) {
                    if changed[number] {
                        continue;
                    }
                    let before = self.places[self.spans[number].start];
                    let was = having[before.0] && sources[before.0].is_valid(before.1);
                    changed[number] = match (was, now.0 < having.len()) {
                        (false, now) => now,
                        (true, false) => false,
                        (true, true) => now != before && !equal(&sources[before.0], before.1, &sources[now.0], now.1),
                    };
                }
            }
            for &number in &candidates {
                if changed[number] {
                    self.counts.updated += 1;
                } else {
                    self.counts.same += 1;
                }
            }
        }
        for trace in &mut self.traces {
            trace.changed |= trace.spans.clone().any(|span| changed[span]);
        }
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

    fn tree_of(&self, spans: &[usize]) -> Result<Vec<ArrayRef>> {
        let rows: UInt64Array = spans.iter().map(|&span| span as u64).collect();
        let take = |column: &ArrayRef| arrow::compute::take(column, &rows, None);
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
        let pairs = start
            .as_primitive::<TimestampNanosecondType>()
            .iter()
            .zip(end.as_primitive::<TimestampNanosecondType>().iter());
        let latency: Float64Array = pairs
            .map(|(start, end)| {
                let (start, end) = (start?, end?);
                Some(trace::elapsed_ms(start, end))
            })
            .collect();
        Ok(Arc::new(latency))
    }

    /// One summary row for each of the given traces.
    pub(crate) fn summaries(&self, traces: &[usize]) -> Result<RecordBatch> {
        let spans = self.spans_of(traces);
        // Input and output are long and only the root's are wanted: they are gathered for the roots alone.
        let wanted = columns::CANONICAL.iter().filter(|column| SUMMARISED.contains(&column.name));
        let mut fields: Vec<Field> = Vec::new();
        let mut arrays: Vec<ArrayRef> = Vec::new();
        for column in wanted {
            arrays.push(self.gather(column.name, &column.data_type, &spans)?);
            fields.push(Field::new(column.name, column.data_type.clone(), true));
        }
        for (column, array) in columns::TREE.iter().zip(self.tree_of(&spans)?) {
            arrays.push(array);
            fields.push(Field::new(column.name, column.data_type.clone(), true));
        }
        let schema = Arc::new(arrow::datatypes::Schema::new(fields));
        let slim = RecordBatch::try_new(schema, arrays).map_err(StoreError::arrow("summarising traces"))?;
        let mut from = 0;
        let mut ranges: Vec<Range<usize>> = Vec::with_capacity(traces.len());
        for &trace in traces {
            ranges.push(from..from + self.traces[trace].spans.len());
            from += self.traces[trace].spans.len();
        }
        let summary = trace::summarize(&slim, &ranges).map_err(|error| StoreError::Internal(error.to_string()))?;
        self.with_root_texts(&summary, &slim, &ranges, &spans)
    }

    fn with_root_texts(
        &self,
        summary: &RecordBatch,
        slim: &RecordBatch,
        ranges: &[Range<usize>],
        spans: &[usize],
    ) -> Result<RecordBatch> {
        let missing = |name: &str| StoreError::Internal(format!("a trace summary has no column {name}"));
        let root_id = summary.column_by_name("root_span_id").ok_or_else(|| missing("root_span_id"))?;
        let root_id = root_id.as_string::<i32>();
        let span_id = slim.column_by_name(columns::SPAN_ID).ok_or_else(|| missing(columns::SPAN_ID))?;
        let span_id = span_id.as_string::<i32>();
        let roots: Vec<Option<usize>> = ranges
            .iter()
            .enumerate()
            .map(|(trace, range)| {
                range.clone().find(|&row| root_id.is_valid(trace) && span_id.value(row) == root_id.value(trace))
            })
            .collect();
        let mut arrays = summary.columns().to_vec();
        for (name, column) in [("input", columns::INPUT), ("output", columns::OUTPUT)] {
            let index = summary.schema_ref().index_of(name).map_err(|_| missing(name))?;
            let sources = self.sources(column, &DataType::Utf8)?;
            let picks = self.picks(column, &DataType::Utf8, roots.iter().flatten().map(|&row| spans[row]))?;
            let mut picks = picks.into_iter();
            let texts = roots.iter().map(|root| {
                let (batch, row) = root.and_then(|_| picks.next())?;
                let source = sources[batch].as_string::<i32>();
                source.is_valid(row).then(|| first_chars(source.value(row)))
            });
            arrays[index] = Arc::new(texts.collect::<StringArray>());
        }
        RecordBatch::try_new(summary.schema(), arrays).map_err(StoreError::arrow("summarising traces"))
    }
}

/// Columns a trace's summary is computed from, besides `tree.*` and the root's input and output.
const SUMMARISED: [&str; 17] = [
    columns::PROJECT,
    columns::SOURCE,
    columns::TRACE_ID,
    columns::SPAN_ID,
    columns::PARENT_ID,
    columns::NAME,
    columns::KIND,
    columns::START_TIME,
    columns::END_TIME,
    columns::STATUS_CODE,
    columns::MODEL,
    columns::PROMPT_TOKENS,
    columns::COMPLETION_TOKENS,
    columns::TOTAL_TOKENS,
    columns::COST,
    columns::SESSION_ID,
    columns::USER_ID,
];

/// Characters of input and output that a summary keeps.
const SUMMARY_CHARS: usize = 1024;

fn first_chars(text: &str) -> &str {
    match text.char_indices().nth(SUMMARY_CHARS) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

/// The type that holds the values of both: the Arrow side of `OpenType::unite`.
///
/// Int64 with Float64 gives Float64 here: where integers exceed 2^53 the caller's layout says Utf8.
fn wider(a: &DataType, b: &DataType) -> DataType {
    match (a, b) {
        (a, b) if a == b => a.clone(),
        (DataType::Int64, DataType::Float64) | (DataType::Float64, DataType::Int64) => DataType::Float64,
        _ => DataType::Utf8,
    }
}

fn equal(a: &ArrayRef, i: usize, b: &ArrayRef, j: usize) -> bool {
    match a.data_type() {
        DataType::Utf8 => a.as_string::<i32>().value(i) == b.as_string::<i32>().value(j),
        DataType::Int64 => a.as_primitive::<Int64Type>().value(i) == b.as_primitive::<Int64Type>().value(j),
        DataType::Float64 => {
            let (a, b) = (a.as_primitive::<Float64Type>().value(i), b.as_primitive::<Float64Type>().value(j));
            a.total_cmp(&b) == Ordering::Equal
        }
        DataType::Boolean => a.as_boolean().value(i) == b.as_boolean().value(j),
        DataType::Timestamp(_, _) => {
            a.as_primitive::<TimestampNanosecondType>().value(i) == b.as_primitive::<TimestampNanosecondType>().value(j)
        }
        _ => false,
    }
}

/// Sets the keys of one JSON object in another; anything but an object is replaced.
pub(crate) fn set_keys(text: Option<&str>, patch: &str) -> String {
    let parse = |text: &str| serde_json::from_str::<indexmap::IndexMap<String, Box<RawValue>>>(text);
    let Ok(keys) = parse(patch) else { return text.unwrap_or(patch).to_owned() };
    let mut object = text.and_then(|text| parse(text).ok()).unwrap_or_default();
    let same = |a: &RawValue, b: &RawValue| {
        serde_json::from_str::<serde_json::Value>(a.get()).ok() == serde_json::from_str(b.get()).ok()
    };
    let mut changed = false;
    for (key, value) in keys {
        if object.get(&key).is_none_or(|known| !same(known, &value)) {
            object.insert(key, value);
            changed = true;
        }
    }
    match text {
        Some(text) if !changed => text.to_owned(),
        _ => serde_json::to_string(&object).unwrap_or_else(|_| patch.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::set_keys;

    #[test]
    fn keys_are_set_in_place() {
        assert_eq!(set_keys(Some(r#"{"a": 1,"b":2}"#), r#"{"b":2}"#), r#"{"a": 1,"b":2}"#);
        assert_eq!(set_keys(Some(r#"{"a": 1,"b":2}"#), r#"{"b":3,"c":"x"}"#), r#"{"a":1,"b":3,"c":"x"}"#);
        assert_eq!(set_keys(None, r#"{"c":"x"}"#), r#"{"c":"x"}"#);
        assert_eq!(set_keys(Some("text"), r#"{"c":"x"}"#), r#"{"c":"x"}"#);
    }
}
