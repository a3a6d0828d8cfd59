//! Finding the spans that a patch is for.

use std::collections::HashMap;

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::datatypes::TimestampNanosecondType;
use futures::{StreamExt, TryStreamExt, stream};

use super::patch::{Grain, Patch};
use crate::entries::{Segment, SegmentFile};
use crate::error::{Result, StoreError};
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

/// The ids of a patch, each with the rows that name it.
pub(super) struct Ids<'a> {
    numbers: HashMap<&'a str, u32>,
    pub(super) texts: Vec<&'a str>,
    /// The rows of each, in order, and the trace that each of them means.
    pub(super) rows: Vec<Vec<(PatchRow, Option<&'a str>)>>,
    /// Whether any of them means a trace.
    name_traces: bool,
}

impl<'a> Ids<'a> {
    pub(super) fn of(patch: &'a Patch) -> Result<Self> {
        let mut ids = Self { numbers: HashMap::new(), texts: Vec::new(), rows: Vec::new(), name_traces: false };
        for (number, batch) in patch.batches.iter().enumerate() {
            let of_trace = match patch.grain {
                Grain::Span => batch.column_by_name(TRACE_ID).and_then(|column| column.as_string_opt::<i32>()),
                Grain::Trace | Grain::Session => None,
            };
            let texts: &'a StringArray = patch.ids(batch)?;
            for (row, id) in texts.iter().enumerate() {
                let id = id.unwrap_or_default();
                let at = *ids.numbers.entry(id).or_insert_with(|| {
                    ids.texts.push(id);
                    ids.rows.push(Vec::new());
                    (ids.texts.len() - 1) as u32
                });
                let trace = of_trace.filter(|traces| traces.is_valid(row)).map(|traces| traces.value(row));
                ids.name_traces |= trace.is_some();
                ids.rows[at as usize].push(((number as u32, row as u32), trace));
            }
        }
        Ok(ids)
    }

    /// The rows that mean a span of a trace, which has one of the ids.
    pub(super) fn rows_for(&self, id: u32, trace_id: &str) -> impl Iterator<Item = PatchRow> {
        let rows = self.rows[id as usize].iter();
        rows.filter(move |(_, trace)| trace.is_none_or(|trace| trace == trace_id)).map(|(row, _)| *row)
    }
}

/// Finds the spans of a version that a patch is for.
pub(super) async fn find(segments: &Segments, manifest: &Manifest, patch: &Patch, ids: &Ids<'_>) -> Result<Vec<Found>> {
    let mut lookups = Vec::new();
    for segment in manifest.segments.iter().filter(|segment| segment.project == patch.project) {
        let grain = patch.grain;
        lookups.push(async move {
            let spans = match grain {
                Grain::Span => spans(segments, segment, ids).await?,
                Grain::Trace | Grain::Session => first_spans(segments, segment, grain, ids).await?,
            };
            Ok::<_, StoreError>((segment.clone(), spans))
        });
    }
    let looked: Vec<_> = stream::iter(lookups).buffered(PARALLEL).try_collect().await?;
    // A session may have traces in many segments, a trace is in one.
    let mut firsts: HashMap<u32, (Option<i64>, usize)> = HashMap::new();
    for (number, (_, spans)) in looked.iter().enumerate().filter(|_| patch.grain != Grain::Span) {
        for (target, start) in spans {
            let first = firsts.entry(target.id).or_insert((*start, number));
            if first.0.is_none_or(|first| start.is_some_and(|start| start < first)) {
                *first = (*start, number);
            }
        }
    }
    let mut found = Vec::new();
    for (number, (segment, spans)) in looked.into_iter().enumerate() {
        let is_meant = |target: &Target| {
            patch.grain == Grain::Span || firsts.get(&target.id).is_some_and(|first| first.1 == number)
        };
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
async fn spans(segments: &Segments, segment: &Segment, ids: &Ids<'_>) -> Result<Vec<(Target, Option<i64>)>> {
    if !segments.may_hold(segment, SegmentFile::Spans, SPAN_ID, &ids.texts).await? {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    let live = segments.live_rows(segment, SegmentFile::Spans).await?;
    let mut numbers = row_numbers(live.as_ref(), segment.rows_in_file());
    let names: &[&str] = if ids.name_traces { &[TRACE_ID, SPAN_ID] } else { &[SPAN_ID] };
    let mut batches = segments.stream(segment, names, live).await?;
    while let Some(batch) = batches.try_next().await? {
        let trace_ids = if ids.name_traces { Some(column(segment, &batch, TRACE_ID)?) } else { None };
        let span_ids = column(segment, &batch, SPAN_ID)?;
        for (row, number) in (0..batch.num_rows()).zip(&mut numbers) {
            let Some(&id) = ids.numbers.get(span_ids.value(row)) else { continue };
            if trace_ids.is_none_or(|traces| ids.rows_for(id, traces.value(row)).next().is_some()) {
                found.push((Target { row: number, id }, None));
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
    if !segments.may_hold(segment, SegmentFile::Spans, which, &ids.texts).await? {
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
                && let Some(&id) = ids.numbers.get(keys.value(row))
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
