//! Finding the spans that a patch is for.

use std::collections::HashMap;

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::datatypes::TimestampNanosecondType;
use futures::{StreamExt, TryStreamExt, stream};
use hashbrown::HashTable;

use super::patch::{Grain, Patch};
use crate::entries::{Segment, SegmentFile};
use crate::error::{Result, StoreError};
use crate::id_hashes::BLOOM_IDS;
use crate::manifest::Manifest;
use crate::reader::Segments;
use crate::row_numbers::row_numbers;
use spanql_model::columns::{PARENT_ID, SESSION_ID, SPAN_ID, START_TIME, TRACE_ID};

/// Segments that are looked through side by side.
const PARALLEL: usize = 4;

/// A row of the batches of a patch: batch and row.
pub(super) type PatchRow = (u32, u32);

/// The spans of one segment that a patch is for.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) segment: Segment,
    /// By row of the spans file.
    pub(super) spans: Vec<Target>,
}

/// A span that a patch is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Target {
    /// Its row in the spans file of its segment.
    pub(super) row: u64,
    /// The id, by its number in the order of first arrival.
    pub(super) id: u32,
}

/// The ids of a patch, numbered in the order of first arrival, each with the rows that name it.
///
/// A patch may have millions: beside its batches, only numbers are held.
pub(super) struct Ids<'a> {
    /// By batch: the ids, and the traces that they mean spans of.
    columns: Vec<(&'a StringArray, Option<&'a StringArray>)>,
    numbers: HashTable<u32>,
    hasher: ahash::RandomState,
    /// The first row that names each of them.
    firsts: Vec<PatchRow>,
    /// Where the rows of each begin among those of all, and behind them how many there are.
    starts: Vec<usize>,
    /// The rows of each in order, those of one id behind those of another.
    rows: Vec<PatchRow>,
    /// Whether any of them means a trace.
    name_traces: bool,
}

impl<'a> Ids<'a> {
    pub(super) fn of(patch: &'a Patch) -> Result<Self> {
        let mut columns = Vec::with_capacity(patch.batches.len());
        for batch in &patch.batches {
            let traces = match patch.grain {
                Grain::Span => batch.column_by_name(TRACE_ID).and_then(|column| column.as_string_opt::<i32>()),
                Grain::Trace | Grain::Session => None,
            };
            columns.push((patch.ids(batch)?, traces));
        }
        let hasher = ahash::RandomState::new();
        let mut numbers: HashTable<u32> = HashTable::new();
        let mut firsts: Vec<PatchRow> = Vec::new();
        let text = |(batch, row): PatchRow| -> &'a str { columns[batch as usize].0.value(row as usize) };
        let every = || {
            let rows = columns.iter().enumerate().map(|(batch, (ids, _))| (batch as u32, ids.len() as u32));
            rows.flat_map(|(batch, rows)| (0..rows).map(move |row| (batch, row)))
        };
        let mut of_row: Vec<u32> = Vec::with_capacity(patch.rows());
        for row in every() {
            let hash = hasher.hash_one(text(row));
            let known = numbers.find(hash, |&number| text(firsts[number as usize]) == text(row)).copied();
            of_row.push(known.unwrap_or_else(|| {
                let number = firsts.len() as u32;
                firsts.push(row);
                numbers.insert_unique(hash, number, |&number| hasher.hash_one(text(firsts[number as usize])));
                number
            }));
        }
        let mut starts = vec![0; firsts.len() + 1];
        of_row.iter().for_each(|&number| starts[number as usize + 1] += 1);
        (0..firsts.len()).for_each(|number| starts[number + 1] += starts[number]);
        let mut next = starts.clone();
        let mut rows = vec![(0, 0); of_row.len()];
        for (row, number) in every().zip(of_row) {
            rows[next[number as usize]] = row;
            next[number as usize] += 1;
        }
        let name_traces = columns.iter().any(|(_, traces)| traces.is_some_and(|t| t.null_count() < t.len()));
        Ok(Self { columns, numbers, hasher, firsts, starts, rows, name_traces })
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.firsts.len()
    }

    /// An id by its number.
    pub(super) fn text(&self, id: usize) -> &'a str {
        let (batch, row) = self.firsts[id];
        self.columns[batch as usize].0.value(row as usize)
    }

    fn find(&self, text: &str) -> Option<u32> {
        self.numbers.find(self.hasher.hash_one(text), |&number| self.text(number as usize) == text).copied()
    }

    /// Whether a column of the spans of a segment may hold any of them.
    async fn may_be_in(&self, segments: &Segments, segment: &Segment, column: &str) -> Result<bool> {
        if self.len() > BLOOM_IDS {
            return Ok(true);
        }
        let texts: Vec<&str> = (0..self.len()).map(|id| self.text(id)).collect();
        segments.may_hold(segment, SegmentFile::Spans, column, &texts).await
    }

    /// The rows that mean a span of a trace, which has one of the ids.
    pub(super) fn rows_for(&self, id: u32, trace_id: &str) -> impl Iterator<Item = PatchRow> {
        let rows = &self.rows[self.starts[id as usize]..self.starts[id as usize + 1]];
        let is_meant = move |&(batch, row): &PatchRow| {
            let traces = self.columns[batch as usize].1.filter(|traces| traces.is_valid(row as usize));
            traces.is_none_or(|traces| traces.value(row as usize) == trace_id)
        };
        rows.iter().copied().filter(is_meant)
    }
}

/// Finds the spans of a version that a patch is for.
pub(super) async fn find(segments: &Segments, manifest: &Manifest, patch: &Patch, ids: &Ids<'_>) -> Result<Vec<Found>> {
    let of_project = manifest.segments.iter().filter(|segment| segment.project == patch.project);
    if patch.grain == Grain::Span {
        let lookups: Vec<_> = of_project.map(|segment| spans(segments, segment, ids)).collect();
        let looked: Vec<Found> = stream::iter(lookups).buffered(PARALLEL).try_collect().await?;
        return Ok(looked.into_iter().filter(|found| !found.spans.is_empty()).collect());
    }
    let mut lookups = Vec::new();
    for segment in of_project {
        lookups.push(async move {
            let spans = first_spans(segments, segment, patch.grain, ids).await?;
            Ok::<_, StoreError>((segment.clone(), spans))
        });
    }
    let looked: Vec<_> = stream::iter(lookups).buffered(PARALLEL).try_collect().await?;
    // A session may have traces in many segments, a trace is in one.
    let mut firsts: HashMap<u32, (Option<i64>, usize)> = HashMap::new();
    for (number, (_, spans)) in looked.iter().enumerate() {
        for (target, start) in spans {
            let first = firsts.entry(target.id).or_insert((*start, number));
            if first.0.is_none_or(|first| start.is_some_and(|start| start < first)) {
                *first = (*start, number);
            }
        }
    }
    let mut found = Vec::new();
    for (number, (segment, spans)) in looked.into_iter().enumerate() {
        let is_meant = |target: &Target| firsts.get(&target.id).is_some_and(|first| first.1 == number);
        let mut spans: Vec<Target> =
            spans.into_iter().map(|(target, _)| target).filter(|target| is_meant(target)).collect();
        spans.sort_unstable();
        if !spans.is_empty() {
            found.push(Found { segment, spans });
        }
    }
    Ok(found)
}

fn column<'a>(segment: &Segment, batch: &'a RecordBatch, name: &str) -> Result<&'a StringArray> {
    let column = batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
    column.ok_or_else(|| StoreError::damaged(segment.spans_file(), format!("no column {name}")))
}

/// The spans of a segment that have one of the ids.
async fn spans(segments: &Segments, segment: &Segment, ids: &Ids<'_>) -> Result<Found> {
    let mut found = Found { segment: segment.clone(), spans: Vec::new() };
    if !ids.may_be_in(segments, segment, SPAN_ID).await? {
        return Ok(found);
    }
    let live = segments.live_rows(segment, SegmentFile::Spans).await?;
    let mut numbers = row_numbers(live.as_ref(), segment.rows_in_file());
    let names: &[&str] = if ids.name_traces { &[TRACE_ID, SPAN_ID] } else { &[SPAN_ID] };
    let mut batches = segments.stream(segment, names, live).await?;
    while let Some(batch) = batches.try_next().await? {
        let trace_ids = if ids.name_traces { Some(column(segment, &batch, TRACE_ID)?) } else { None };
        let span_ids = column(segment, &batch, SPAN_ID)?;
        for (row, number) in (0..batch.num_rows()).zip(&mut numbers) {
            let Some(id) = ids.find(span_ids.value(row)) else { continue };
            if trace_ids.is_none_or(|traces| ids.rows_for(id, traces.value(row)).next().is_some()) {
                found.spans.push(Target { row: number, id });
            }
        }
    }
    Ok(found)
}

/// The span of each trace, or session, of a segment that stands for it, with the start by which sessions are told apart.
async fn first_spans(
    segments: &Segments,
    segment: &Segment,
    grain: Grain,
    ids: &Ids<'_>,
) -> Result<Vec<(Target, Option<i64>)>> {
    let which = grain.column();
    if !ids.may_be_in(segments, segment, which).await? {
        return Ok(Vec::new());
    }
    // By id the trace that begins first, by trace the span that stands for it; a session may be named on any span.
    let mut found: Vec<(Target, Option<i64>)> = Vec::new();
    let mut of_id: HashMap<u32, usize> = HashMap::new();
    let mut trace = Trace::default();
    let names = [TRACE_ID, PARENT_ID, START_TIME, SESSION_ID];
    let live = segments.live_rows(segment, SegmentFile::Spans).await?;
    let mut numbers = row_numbers(live.as_ref(), segment.rows_in_file());
    let mut batches = segments.stream(segment, &names, live).await?;
    let mut end = |trace: Trace| {
        for id in trace.ids {
            let target = Target { row: trace.row, id };
            match of_id.get(&id) {
                // Traces come in the order of their starts.
                Some(_) => {}
                None => {
                    of_id.insert(id, found.len());
                    found.push((target, trace.start));
                }
            }
        }
    };
    while let Some(batch) = batches.try_next().await? {
        let trace_ids = column(segment, &batch, TRACE_ID)?;
        let parents = column(segment, &batch, PARENT_ID)?;
        let keys = column(segment, &batch, which)?;
        let starts = batch.column_by_name(START_TIME).and_then(|c| c.as_primitive_opt::<TimestampNanosecondType>());
        for (row, number) in (0..batch.num_rows()).zip(&mut numbers) {
            let is_root = parents.is_null(row);
            if trace.id != trace_ids.value(row) || trace.is_empty {
                end(std::mem::take(&mut trace));
                trace = Trace { id: trace_ids.value(row).to_owned(), is_empty: false, ..Trace::default() };
                trace.start = starts.filter(|starts| starts.is_valid(row)).map(|starts| starts.value(row));
                (trace.row, trace.has_root) = (number, is_root);
            } else if is_root && !trace.has_root {
                (trace.row, trace.has_root) = (number, is_root);
            }
            if keys.is_valid(row)
                && let Some(id) = ids.find(keys.value(row))
                && !trace.ids.contains(&id)
            {
                trace.ids.push(id);
            }
        }
    }
    end(trace);
    Ok(found)
}

/// A trace of which rows are read.
struct Trace {
    id: String,
    is_empty: bool,
    start: Option<i64>,
    /// The row of the span that stands for it.
    row: u64,
    has_root: bool,
    ids: Vec<u32>,
}

impl Default for Trace {
    fn default() -> Self {
        Self { id: String::new(), is_empty: true, start: None, row: 0, has_root: false, ids: Vec::new() }
    }
}
