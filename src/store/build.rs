//! Building segments: new ones from waiting spans, and stored ones again with what arrived for their traces.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;

use super::error::{Result, StoreError};
use super::layout::OpenNames;
use super::manifest::COMPUTED;
use super::merge::{Counts, Deleted, Layout, Merged, Rows};
use super::open_columns::type_of;
use super::segment::{BuiltSegment, GROUP_BYTES, GROUP_ROWS, HUGE_TRACE_ROWS, SegmentWriter};
use super::spill::Slot;
use super::stored::{StoredSegment, Unit, has_type};
use crate::model::columns;
use crate::model::types::OpenType;

/// Rows a segment holds at most, unless one trace has more.
pub(crate) const SEGMENT_ROWS: u64 = 256 * 1024;
/// Bytes in memory of the rows that a segment holds at most, unless one trace has more.
pub(crate) const SEGMENT_BYTES: u64 = 128 << 20;

/// What building gave.
#[derive(Default)]
pub(crate) struct Built {
    pub(crate) segments: Vec<BuiltSegment>,
    /// Rows of traces whose start changed: they belong elsewhere now.
    pub(crate) moved: Vec<RecordBatch>,
    pub(crate) counts: Counts,
    /// Whether the stored segment has to be replaced.
    pub(crate) changed: bool,
}

/// Builds segments from the rows of traces that the store does not hold.
pub(crate) fn build_new(project: &str, slots: &[Slot], names: &OpenNames, deleted: Option<&Deleted>) -> Result<Built> {
    let arrived = slots.iter().map(Slot::load).collect::<Result<Vec<_>>>()?;
    let layout = names.layout(&open_types([&arrived[..]]));
    let merged = Rows::new(Vec::new(), arrived).merge(deleted)?;
    let mut out = Output::new(project, layout);
    let all: Vec<usize> = (0..merged.traces.len()).collect();
    out.write_traces(&merged, &all)?;
    Ok(Built { segments: out.finish()?, moved: Vec::new(), counts: merged.counts, changed: true })
}

/// Builds a stored segment again.
///
/// `arrivals` are runs of units, in order and without gaps, each with what arrived for the traces of its units.
/// Units in which nothing changes are copied as they are encoded, unless their columns have other types or follow other
/// rules now; traces whose start changes are handed back.
pub(crate) fn rebuild(
    stored: &StoredSegment,
    arrivals: &[(Range<usize>, Vec<Slot>)],
    touched: &[bool],
    names: &OpenNames,
    deleted: Option<&Deleted>,
) -> Result<Built> {
    let units = stored.units()?;
    let mut open: BTreeMap<String, OpenType> = BTreeMap::new();
    for (_, slots) in arrivals {
        // One run at a time: only the types are kept.
        let batches = slots.iter().map(Slot::load).collect::<Result<Vec<_>>>()?;
        unite(&mut open, open_types([&batches[..]]));
    }
    for (name, facts) in &stored.card.columns {
        if let Some(seen) = facts.open {
            unite(&mut open, BTreeMap::from([(name.clone(), seen)]));
        }
    }
    let mut rest_types = BTreeMap::new();
    if open.remove(columns::REST).is_some() {
        for unit in &units {
            unite(&mut rest_types, open_types([&stored.rows(unit)?[..]]));
        }
        unite(&mut open, rest_types);
    }
    let layout = names.layout(&open);
    let same_types =
        stored.schema.fields().iter().all(|field| has_type(&layout.schema, field.name(), field.data_type()));
    let copied = same_types && stored.segment.computed == COMPUTED;

    let mut built = Built::default();
    let mut out = Output::new(&stored.segment.project, layout);
    for (run, slots) in arrivals {
        let mut arrived = Some(slots.iter().map(Slot::load).collect::<Result<Vec<_>>>()?);
        // Units that nothing arrived for are copied; the others of a run are merged together with its arrivals.
        let mut merging: Vec<&Unit> = Vec::new();
        for number in run.clone() {
            if touched[number] {
                merging.push(&units[number]);
            }
        }
        let mut merged = None;
        if !merging.is_empty() {
            let mut rows = Vec::new();
            for unit in &merging {
                rows.extend(stored.rows(unit)?);
            }
            let result = Rows::new(rows, arrived.take().unwrap_or_default()).merge(deleted)?;
            built.counts += result.counts;
            merged = Some(result);
        }
        let places = merged.as_ref().map(|merged| Places::new(stored, merged, &merging)).transpose()?;
        for number in run.clone() {
            let unit = &units[number];
            let here = places.as_ref().and_then(|places| places.by_unit.get(&unit.groups.start));
            let changed = here.is_some_and(|here| here.changed);
            match (here, &merged) {
                (Some(here), Some(merged)) if changed || !copied => out.write_traces(merged, &here.staying)?,
                _ if copied => {
                    let summaries = stored.summaries.slice(unit.traces.start, unit.traces.len());
                    out.copy(stored, unit, &summaries)?;
                }
                _ => {
                    let again = Rows::new(stored.rows(unit)?, Vec::new()).merge(None)?;
                    let all: Vec<usize> = (0..again.traces.len()).collect();
                    out.write_traces(&again, &all)?;
                }
            }
            built.changed |= changed;
        }
        if let (Some(places), Some(merged)) = (places, merged) {
            built.moved.extend(movable(&merged, &out.layout, &places.moved)?);
        }
    }
    if built.changed {
        built.segments = out.finish()?;
    }
    Ok(built)
}

/// Where the traces of a merge belong: in the unit they came from, or elsewhere.
struct Places {
    by_unit: HashMap<usize, InUnit>,
    moved: Vec<usize>,
}

#[derive(Default)]
struct InUnit {
    staying: Vec<usize>,
    changed: bool,
}

impl Places {
    fn new(stored: &StoredSegment, merged: &Merged, units: &[&Unit]) -> Result<Self> {
        let ids = stored.trace_ids()?;
        let mut home: HashMap<&str, (usize, Option<i64>)> = HashMap::new();
        let mut by_unit: HashMap<usize, InUnit> = HashMap::new();
        let mut found: HashMap<usize, usize> = HashMap::new();
        for unit in units {
            by_unit.insert(unit.groups.start, InUnit::default());
            for trace in unit.traces.clone() {
                home.insert(ids.value(trace), (unit.groups.start, stored.trace_start(trace)));
            }
        }
        let mut moved = Vec::new();
        for (number, trace) in merged.traces.iter().enumerate() {
            let id = merged.trace_id(number);
            let Some((unit, start)) = home.get(id.as_str()).copied() else {
                return Err(StoreError::Internal(format!(
                    "trace {id} was merged into a segment that does not hold it"
                )));
            };
            *found.entry(unit).or_default() += 1;
            let here = by_unit.entry(unit).or_default();
            if start == trace.start {
                here.staying.push(number);
                here.changed |= trace.changed;
            } else {
                here.changed = true;
                moved.push(number);
            }
        }
        for unit in units {
            // A trace all of whose spans were deleted is gone.
            if found.get(&unit.groups.start).copied().unwrap_or(0) < unit.traces.len() {
                by_unit.entry(unit.groups.start).or_default().changed = true;
            }
        }
        Ok(Self { by_unit, moved })
    }
}

/// The merged rows of traces as arrivals are: complete but for the computed columns, keys of the rest unfolded.
fn movable(merged: &Merged, layout: &Layout, traces: &[usize]) -> Result<Vec<RecordBatch>> {
    let mut fields: Vec<(String, DataType)> = Vec::new();
    for field in layout.schema.fields() {
        let name = field.name().as_str();
        if !name.starts_with("tree.") && name != columns::LATENCY_MS && name != columns::REST {
            fields.push((field.name().clone(), field.data_type().clone()));
        }
    }
    fields.extend(layout.rest.iter().cloned());
    merged.spans_of(traces).chunks(GROUP_ROWS).map(|spans| merged.columns(spans, &fields)).collect()
}

/// The segments being written.
struct Output {
    project: String,
    layout: Layout,
    writer: Option<SegmentWriter>,
    finished: Vec<BuiltSegment>,
}

impl Output {
    fn new(project: &str, layout: Layout) -> Self {
        Self { project: project.to_owned(), layout, writer: None, finished: Vec::new() }
    }

    fn writer(&mut self) -> Result<&mut SegmentWriter> {
        let full = |writer: &SegmentWriter| {
            writer.memory_bytes() > SEGMENT_BYTES + SEGMENT_BYTES / 2 || writer.rows() > SEGMENT_ROWS + SEGMENT_ROWS / 2
        };
        if let Some(writer) = self.writer.take_if(|writer| full(writer)) {
            self.finished.push(writer.finish()?);
        }
        match &mut self.writer {
            Some(writer) => Ok(writer),
            empty => Ok(empty.insert(SegmentWriter::new(&self.project, Arc::clone(&self.layout.schema))?)),
        }
    }

    /// Writes the given traces of a merge, in order, in row groups of whole traces.
    fn write_traces(&mut self, merged: &Merged, traces: &[usize]) -> Result<()> {
        let sizes = merged.sizes();
        let layout = self.layout.clone();
        let size = |trace: usize| sizes[merged.traces[trace].spans.clone()].iter().sum::<u64>();
        let mut from = 0;
        while from < traces.len() {
            let (mut to, mut rows, mut bytes) = (from, 0, 0);
            while to < traces.len() {
                let (more_rows, more_bytes) = (merged.traces[traces[to]].spans.len(), size(traces[to]));
                if to > from && (rows + more_rows > GROUP_ROWS || bytes + more_bytes > GROUP_BYTES) {
                    break;
                }
                (to, rows, bytes) = (to + 1, rows + more_rows, bytes + more_bytes);
            }
            let group = &traces[from..to];
            let summaries = merged.summaries(group)?;
            let writer = self.writer()?;
            writer.begin(&summaries, bytes)?;
            // A huge trace is gathered in pieces: a column of its text may be more than one array holds.
            for spans in merged.spans_of(group).chunks(HUGE_TRACE_ROWS) {
                let batch = merged.rows(spans, &layout)?;
                writer.write_group(&batch)?;
            }
            from = to;
        }
        Ok(())
    }

    fn copy(&mut self, stored: &StoredSegment, unit: &Unit, summaries: &RecordBatch) -> Result<()> {
        self.writer()?.copy(stored, unit.groups.clone(), summaries)
    }

    fn finish(mut self) -> Result<Vec<BuiltSegment>> {
        if let Some(writer) = self.writer.take() {
            self.finished.push(writer.finish()?);
        }
        Ok(self.finished)
    }
}

/// United types of the open columns that have a value in the batches.
fn open_types<'a>(runs: impl IntoIterator<Item = &'a [RecordBatch]>) -> BTreeMap<String, OpenType> {
    let mut open = BTreeMap::new();
    for batch in runs.into_iter().flatten() {
        for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            if columns::canonical(field.name()).is_none()
                && field.name() != columns::METADATA_PATCH
                && let Some(seen) = type_of(array.as_ref())
            {
                unite(&mut open, BTreeMap::from([(field.name().clone(), seen)]));
            }
        }
    }
    open
}

fn unite(open: &mut BTreeMap<String, OpenType>, more: BTreeMap<String, OpenType>) {
    for (name, seen) in more {
        match open.get_mut(&name) {
            Some(known) => *known = known.unite(seen),
            None => drop(open.insert(name, seen)),
        }
    }
}
