//! Finding the spans that a patch is for.

use std::collections::HashMap;

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::datatypes::TimestampNanosecondType;
use futures::{StreamExt, TryStreamExt, stream};

use super::patch::{Grain, Patch};
use crate::error::{Result, StoreError};
use crate::manifest::{Manifest, Segment};
use crate::reader::{SegmentFile, Segments};
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
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Target {
    /// Its row in the spans file of its segment.
    pub(super) row: u64,
    pub(super) trace_id: String,
    pub(super) span_id: String,
    /// The id, by its number in the order of first arrival.
    pub(super) id: u32,
}

/// The ids of a patch, each with the rows that name it.
pub(super) struct Ids<'a> {
    numbers: HashMap<&'a str, u32>,
    pub(super) texts: Vec<&'a str>,
    /// The rows of each, in order, and the trace that each of them means.
    pub(super) rows: Vec<Vec<(PatchRow, Option<&'a str>)>>,
}

impl<'a> Ids<'a> {
    pub(super) fn of(patch: &'a Patch) -> Result<Self> {
        let mut ids = Self { numbers: HashMap::new(), texts: Vec::new(), rows: Vec::new() };
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
    let of_project = manifest.segments.iter().filter(|segment| segment.project == patch.project);
    let look = |segment: &Segment| {
        let segment = segment.clone();
        async move {
            let spans = match patch.grain {
                Grain::Span => spans(segments, &segment, ids).await?,
                Grain::Trace | Grain::Session => first_spans(segments, &segment, patch.grain, ids).await?,
            };
            Ok::<_, StoreError>((segment, spans))
        }
    };
    let looked: Vec<_> = stream::iter(of_project.map(look)).buffered(PARALLEL).try_collect().await?;
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
    let mut batches = segments.stream(segment, SegmentFile::Spans, &[TRACE_ID, SPAN_ID]).await?;
    let mut before = 0;
    while let Some(batch) = batches.try_next().await? {
        let (trace_ids, span_ids) = (column(segment, &batch, TRACE_ID)?, column(segment, &batch, SPAN_ID)?);
        for row in 0..batch.num_rows() {
            let (trace_id, span_id) = (trace_ids.value(row), span_ids.value(row));
            let Some(&id) = ids.numbers.get(span_id) else { continue };
            if ids.rows_for(id, trace_id).next().is_some() {
                let (trace_id, span_id) = (trace_id.to_owned(), span_id.to_owned());
                found.push((Target { row: before + row as u64, trace_id, span_id, id }, None));
            }
        }
        before += batch.num_rows() as u64;
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
    let names = [TRACE_ID, SPAN_ID, PARENT_ID, START_TIME, SESSION_ID];
    let mut batches = segments.stream(segment, SegmentFile::Spans, &names).await?;
    let mut before = 0;
    let mut end = |trace: Trace| {
        for id in trace.ids {
            let target = Target { row: trace.row, trace_id: trace.id.clone(), span_id: trace.span_id.clone(), id };
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
        let (trace_ids, span_ids) = (column(segment, &batch, TRACE_ID)?, column(segment, &batch, SPAN_ID)?);
        let parents = column(segment, &batch, PARENT_ID)?;
        let keys = column(segment, &batch, which)?;
        let starts = batch.column_by_name(START_TIME).and_then(|c| c.as_primitive_opt::<TimestampNanosecondType>());
        for row in 0..batch.num_rows() {
            let is_root = parents.is_null(row);
            if trace.id != trace_ids.value(row) || trace.is_empty {
                end(std::mem::take(&mut trace));
                trace = Trace { id: trace_ids.value(row).to_owned(), is_empty: false, ..Trace::default() };
                trace.start = starts.filter(|starts| starts.is_valid(row)).map(|starts| starts.value(row));
                trace.take(before + row as u64, span_ids.value(row), is_root);
            } else if is_root && !trace.has_root {
                trace.take(before + row as u64, span_ids.value(row), is_root);
            }
            if keys.is_valid(row)
                && let Some(&id) = ids.numbers.get(keys.value(row))
                && !trace.ids.contains(&id)
            {
                trace.ids.push(id);
            }
        }
        before += batch.num_rows() as u64;
    }
    end(trace);
    Ok(found)
}

/// A trace of which rows are read.
struct Trace {
    id: String,
    is_empty: bool,
    start: Option<i64>,
    row: u64,
    span_id: String,
    has_root: bool,
    ids: Vec<u32>,
}

impl Default for Trace {
    fn default() -> Self {
        let (id, span_id, ids) = (String::new(), String::new(), Vec::new());
        Self { id, is_empty: true, start: None, row: 0, span_id, has_root: false, ids }
    }
}

impl Trace {
    fn take(&mut self, row: u64, span_id: &str, is_root: bool) {
        (self.row, self.has_root) = (row, is_root);
        span_id.clone_into(&mut self.span_id);
    }
}
