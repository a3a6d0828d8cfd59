//! Building segments: new ones from waiting spans, and stored ones again with what arrived for their traces.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;

use super::assignment::TraceAssignment;
use super::error::{Result, StoreError};
use super::held::{Held, unchanged};
use super::layout::OpenNames;
use super::lease::file_id;
use super::manifest::COMPUTED;
use super::merge::{Counts, Deleted, Layout, Merged, Rows};
use super::open_columns::type_of;
use super::packed::{PACKED, add_packed_types, pack};
use super::pieces::{Ordered, Pieces, groups};
use super::segment::{BuiltSegment, Pages, SegmentWriter, Sizes};
use super::sizes::cut;
use super::spill::{IN_MEMORY, Slot, Spill};
use super::stored::{AlignedGroups, StoredSegment, has_type};
use spanql_model::columns;
use spanql_model::types::OpenType;

/// Rows a segment holds at most, unless one trace has more.
pub(crate) const SEGMENT_ROWS: u64 = 256 * 1024;
/// Bytes in memory of the rows that a segment holds at most, unless one trace has more.
pub(crate) const SEGMENT_BYTES: u64 = 128 << 20;
/// Rows times columns of what moves elsewhere together.
const MOVED_CELLS: usize = 4 << 20;

/// What building needs beside rows.
#[derive(Debug, Clone)]
pub(crate) struct BuildContext {
    pub(crate) names: Arc<OpenNames>,
    pub(crate) sizes: Sizes,
    pub(crate) spill_dir: PathBuf,
    /// Whether readers of the store know what format 2 has: segments of one file, and side files.
    pub(crate) is_format_2: bool,
    /// Whose segments are built: their ids begin with it.
    pub(crate) writer: String,
}

/// What building gave.
#[derive(Default)]
pub(crate) struct Built {
    pub(crate) segments: Vec<BuiltSegment>,
    /// Rows of traces whose start changed: they belong elsewhere now.
    pub(crate) moved: Vec<RecordBatch>,
    pub(crate) counts: Counts,
    /// Whether the stored segment has to be replaced, or anything was written.
    pub(crate) changed: bool,
    /// Held traces that were not written anew.
    pub(crate) unchanged: BTreeSet<String>,
}

/// Builds segments from the rows of traces that the store does not hold, or holds in segments that are left as they are:
/// with them come the rows of these.
pub(crate) fn build_new(
    project: &str,
    (held, held_rows): (&[Held], Vec<Slot>),
    slots: &[Slot],
    deleted: Option<&Deleted>,
    context: &BuildContext,
) -> Result<Built> {
    let layout = context.names.layout(&open_types(held_rows.iter().chain(slots).map(Slot::load))?);
    let mut out = Output::new(project, layout, context);
    out.pages = Pages::of(held_rows.iter().chain(slots).map(|slot| slot.rows).sum());
    let bytes = held_rows.iter().chain(slots).map(|slot| slot.bytes).sum::<u64>();
    let (counts, unchanged, changed) = if bytes > context.sizes.whole_bytes {
        let ordered = Ordered::of(held_rows, slots.to_vec(), deleted)?;
        let all = (0..ordered.slim.traces.len()).collect();
        let mut pieces = ordered.cut(&[all], &context.sizes, &context.spill_dir)?;
        let counts = if held.is_empty() { pieces.slim.counts } else { pieces.compare()? };
        let traces = held.iter().map(|held| held.traces.len()).sum::<usize>();
        let kept = pieces.slim.traces.iter().filter(|trace| !trace.changed).count();
        let changed = pieces.slim.traces.len() > kept || traces > kept;
        if changed {
            out.write_pieces(&pieces, 0)?;
        }
        (counts, BTreeSet::new(), changed)
    } else {
        let arrived = slots.iter().map(Slot::load).collect::<Result<Vec<_>>>()?;
        let stored = held_rows.iter().map(Slot::load).collect::<Result<Vec<_>>>()?;
        let merged = Rows::new(stored, arrived).merge(deleted)?;
        let kept = (0..merged.traces.len()).filter(|&trace| !merged.traces[trace].changed);
        let kept = unchanged(held, kept.map(|trace| merged.trace_id(trace)).collect());
        let written: Vec<usize> =
            (0..merged.traces.len()).filter(|&trace| !kept.contains(&merged.trace_id(trace))).collect();
        let gone = held.iter().flat_map(|held| &held.traces).any(|trace| !kept.contains(&trace.id));
        let changed = gone || !written.is_empty();
        if !written.is_empty() {
            out.write_traces(&merged, &written)?;
        }
        (merged.counts, kept, changed)
    };
    Ok(Built { segments: out.finish()?, moved: Vec::new(), counts, changed, unchanged })
}

/// Builds a stored segment again.
///
/// `incoming` are runs of aligned groups, in order and without gaps, each with what arrived for their traces.
/// Groups in which nothing changes are copied as they are encoded, unless their columns have other types or follow other
/// rules now; traces whose start changes are handed back, or come into segments of their own where they are too large
/// for that.
pub(crate) fn rebuild(
    stored: &StoredSegment,
    incoming: &[(Range<usize>, Vec<Slot>)],
    touched: &[bool],
    deleted: Option<&Deleted>,
    context: &BuildContext,
) -> Result<Built> {
    let aligned_groups = stored.aligned_groups()?;
    // What counts no more is left out.
    let thinned = |number: usize| stored.has_dead(&aligned_groups[number]);
    let touched: Vec<bool> = touched.iter().enumerate().map(|(number, touched)| *touched || thinned(number)).collect();
    // One batch at a time: only the types are kept.
    let mut open = open_types(incoming.iter().flat_map(|(_, slots)| slots).map(Slot::load))?;
    for (name, facts) in &stored.stats.columns {
        if let Some(seen) = facts.open {
            unite(&mut open, name, seen);
        }
    }
    if open.remove(columns::REST).is_some() {
        for aligned in &aligned_groups {
            for (name, seen) in open_types(stored.rows(aligned)?)? {
                unite(&mut open, &name, seen);
            }
        }
    }
    let layout = context.names.layout(&open);
    let same_types =
        stored.schema.fields().iter().all(|field| has_type(&layout.schema, field.name(), field.data_type()));
    let copied = same_types && stored.segment.computed == COMPUTED;

    let mut built = Built::default();
    let mut out = Output::new(&stored.segment.project, layout.clone(), context);
    let mut apart = Output::new(&stored.segment.project, layout, context);
    for (run, slots) in incoming {
        // Groups that nothing arrived for are copied; the others of a run are merged together with what arrived.
        let merging: Vec<&AlignedGroups> =
            run.clone().filter(|&number| touched[number]).map(|number| &aligned_groups[number]).collect();
        let held: u64 = merging.iter().map(|aligned| stored.memory_bytes(aligned)).sum();
        let merged_run = if merging.is_empty() {
            MergedRun::Nothing
        } else if held + slots.iter().map(|slot| slot.bytes).sum::<u64>() > context.sizes.whole_bytes {
            let held = put_aside(stored, &merging, &context.spill_dir)?;
            let ordered = Ordered::of(held, slots.clone(), deleted)?;
            let assignment = TraceAssignment::new(stored, &ordered.slim, &merging)?;
            let mut sections: Vec<Vec<usize>> =
                assignment.by_group.iter().map(|aligned| aligned.staying.clone()).collect();
            sections.push(assignment.moved.clone());
            let mut pieces = ordered.cut(&sections, &context.sizes, &context.spill_dir)?;
            built.counts += pieces.compare()?;
            MergedRun::Large(pieces, assignment)
        } else {
            let mut rows = Vec::new();
            for aligned in &merging {
                rows.extend(stored.rows(aligned)?.collect::<Result<Vec<_>>>()?);
            }
            let arrived = slots.iter().map(Slot::load).collect::<Result<Vec<_>>>()?;
            let merged = Rows::new(rows, arrived).merge(deleted)?;
            built.counts += merged.counts;
            let assignment = TraceAssignment::new(stored, &merged, &merging)?;
            MergedRun::Whole(merged, assignment)
        };
        let mut merging = 0;
        for number in run.clone() {
            let aligned = &aligned_groups[number];
            let changed = touched[number] && merged_run.changes(merging);
            let merged_anew = touched[number] && (changed || !copied || thinned(number));
            match &merged_run {
                MergedRun::Whole(merged, assignment) if merged_anew => {
                    out.write_traces(merged, &assignment.by_group[merging].staying)?;
                }
                MergedRun::Large(pieces, _) if merged_anew => {
                    out.write_pieces(pieces, merging)?;
                }
                _ if copied && !stored.differs(aligned) => {
                    let summaries = stored.summaries.slice(aligned.traces.start, aligned.traces.len());
                    out.copy(stored, aligned, &summaries)?;
                }
                _ => out.write_again(stored, aligned)?,
            }
            built.changed |= changed;
            merging += usize::from(touched[number]);
        }
        match &merged_run {
            MergedRun::Nothing => {}
            MergedRun::Whole(merged, assignment) => {
                built.moved.extend(movable(merged, &out.layout, &assignment.moved, &context.sizes)?)
            }
            MergedRun::Large(pieces, assignment) => {
                for (number, piece) in pieces.of(assignment.by_group.len()) {
                    if piece.is_part {
                        apart.write_piece(pieces, number)?;
                    } else {
                        let merged = pieces.merge(piece)?;
                        let all: Vec<usize> = (0..merged.traces.len()).collect();
                        built.moved.extend(movable(&merged, &out.layout, &all, &context.sizes)?);
                    }
                }
            }
        }
    }
    if built.changed {
        built.segments = out.finish()?;
        built.segments.extend(apart.finish()?);
    }
    Ok(built)
}

/// What is merged for the aligned groups of a run.
enum MergedRun {
    Nothing,
    Whole(Merged, TraceAssignment),
    /// The sections of the pieces are the groups, and behind them what moved.
    Large(Pieces, TraceAssignment),
}

impl MergedRun {
    /// Whether anything changes in an aligned group, by its number among those that are merged.
    fn changes(&self, aligned: usize) -> bool {
        let (merged, assignment) = match self {
            Self::Nothing => return false,
            Self::Whole(merged, assignment) => (merged, assignment),
            Self::Large(pieces, assignment) => (&pieces.slim, assignment),
        };
        let aligned = &assignment.by_group[aligned];
        aligned.loses || aligned.staying.iter().any(|&trace| merged.traces[trace].changed)
    }
}

/// Rows of aligned groups, out of the way.
fn put_aside(stored: &StoredSegment, aligned_groups: &[&AlignedGroups], spill_dir: &Path) -> Result<Vec<Slot>> {
    let mut spill = Spill::new(spill_dir.to_owned(), IN_MEMORY);
    let mut slots = Vec::new();
    for aligned in aligned_groups {
        for batch in stored.rows(aligned)? {
            slots.push(spill.push(batch?)?);
        }
    }
    Ok(slots)
}

/// The merged rows of traces as ingest batches are: complete but for the computed columns, keys of the rest unpacked.
fn movable(merged: &Merged, layout: &Layout, traces: &[usize], sizes: &Sizes) -> Result<Vec<RecordBatch>> {
    let mut fields: Vec<(String, DataType)> = Vec::new();
    for field in layout.schema.fields() {
        let name = field.name().as_str();
        if !name.starts_with("tree.") && name != columns::LATENCY_MS && name != columns::REST {
            fields.push((field.name().clone(), field.data_type().clone()));
        }
    }
    fields.extend(layout.rest.iter().cloned());
    let spans = merged.spans_of(traces);
    let by_span = merged.sizes();
    let by_span: Vec<u64> = spans.iter().map(|&span| by_span[span]).collect();
    let parts = cut(&by_span, sizes.group_rows.min((MOVED_CELLS / fields.len().max(1)).max(1)), sizes.group_bytes);
    parts.into_iter().map(|part| pack(merged.columns(&spans[part], &fields)?)).collect()
}

/// The segments being written.
struct Output {
    project: String,
    layout: Layout,
    context: BuildContext,
    pages: Pages,
    writer: Option<SegmentWriter>,
    finished: Vec<BuiltSegment>,
}

impl Output {
    fn new(project: &str, layout: Layout, context: &BuildContext) -> Self {
        Self {
            project: project.to_owned(),
            layout,
            context: context.clone(),
            pages: Pages::Small,
            writer: None,
            finished: Vec::new(),
        }
    }

    fn writer(&mut self) -> Result<&mut SegmentWriter> {
        let full = |writer: &SegmentWriter| {
            writer.memory_bytes() > SEGMENT_BYTES + SEGMENT_BYTES / 2 || writer.rows() > SEGMENT_ROWS + SEGMENT_ROWS / 2
        };
        if let Some(writer) = self.writer.take_if(|writer| full(writer)) {
            self.finished.push(writer.finish(self.context.is_format_2)?);
        }
        match &mut self.writer {
            Some(writer) => Ok(writer),
            empty => {
                let schema = Arc::clone(&self.layout.schema);
                let id = file_id(&self.context.writer);
                Ok(empty.insert(SegmentWriter::new(
                    id,
                    &self.project,
                    schema,
                    self.pages,
                    self.context.spill_dir.clone(),
                )?))
            }
        }
    }

    /// Writes the given traces of a merge, in order, in row groups of whole traces.
    fn write_traces(&mut self, merged: &Merged, traces: &[usize]) -> Result<()> {
        let sizes = merged.sizes();
        let (layout, most) = (self.layout.clone(), self.context.sizes);
        let size = |&trace: &usize| sizes[merged.traces[trace].spans.clone()].iter().sum::<u64>();
        let bytes: Vec<u64> = traces.iter().map(size).collect();
        for group in groups(merged, traces, &bytes, &self.context.sizes) {
            let spans = merged.spans_of(&traces[group.clone()]);
            let summaries = merged.summaries(&traces[group.clone()])?;
            let writer = self.writer()?;
            writer.begin(&summaries, bytes[group].iter().sum())?;
            // A huge trace is gathered in parts: a column of its text may be more than one array holds.
            let span_sizes: Vec<u64> = spans.iter().map(|&span| sizes[span]).collect();
            for part in cut(&span_sizes, most.huge_rows, most.huge_bytes) {
                writer.write_group(merged, &spans[part], &layout)?;
            }
        }
        Ok(())
    }

    /// Writes the pieces of a section, in order.
    fn write_pieces(&mut self, pieces: &Pieces, section: usize) -> Result<()> {
        pieces.of(section).try_for_each(|(number, _)| self.write_piece(pieces, number))
    }

    /// Writes a piece as a row group; one that goes on with a trace comes behind the one before.
    fn write_piece(&mut self, pieces: &Pieces, number: usize) -> Result<()> {
        let piece = &pieces.pieces[number];
        let merged = pieces.merge(piece)?;
        if piece.begins {
            let summaries = pieces.summaries(piece, &merged)?;
            self.writer()?.begin(&summaries, piece.trace_bytes)?;
        }
        match &mut self.writer {
            Some(writer) => writer.write_group(&merged, &(0..merged.len()).collect::<Vec<_>>(), &self.layout),
            None => Err(StoreError::Internal("a part of a trace has no beginning".into())),
        }
    }

    /// Writes a stored aligned group in which nothing changes but the types of its columns.
    fn write_again(&mut self, stored: &StoredSegment, aligned: &AlignedGroups) -> Result<()> {
        let BuildContext { sizes, spill_dir, .. } = self.context.clone();
        if stored.memory_bytes(aligned) > sizes.whole_bytes {
            let ordered = Ordered::of(put_aside(stored, &[aligned], &spill_dir)?, Vec::new(), None)?;
            let all = (0..ordered.slim.traces.len()).collect();
            return self.write_pieces(&ordered.cut(&[all], &sizes, &spill_dir)?, 0);
        }
        let again = Rows::new(stored.rows(aligned)?.collect::<Result<Vec<_>>>()?, Vec::new()).merge(None)?;
        self.write_traces(&again, &(0..again.traces.len()).collect::<Vec<_>>())
    }

    fn copy(&mut self, stored: &StoredSegment, aligned: &AlignedGroups, summaries: &RecordBatch) -> Result<()> {
        self.writer()?.copy(stored, aligned.groups.clone(), summaries)
    }

    fn finish(mut self) -> Result<Vec<BuiltSegment>> {
        if let Some(writer) = self.writer.take() {
            self.finished.push(writer.finish(self.context.is_format_2)?);
        }
        Ok(self.finished)
    }
}

/// United types of the open columns that have a value in the batches.
fn open_types(batches: impl IntoIterator<Item = Result<RecordBatch>>) -> Result<BTreeMap<String, OpenType>> {
    let mut open = BTreeMap::new();
    for batch in batches {
        let batch = batch?;
        add_packed_types(&batch, &mut open);
        for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            if columns::canonical(field.name()).is_none()
                && ![columns::METADATA_PATCH, PACKED].contains(&field.name().as_str())
                && let Some(seen) = type_of(array.as_ref())
            {
                unite(&mut open, field.name(), seen);
            }
        }
    }
    Ok(open)
}

fn unite(open: &mut BTreeMap<String, OpenType>, name: &str, seen: OpenType) {
    match open.get_mut(name) {
        Some(known) => *known = known.unite(seen),
        None => drop(open.insert(name.to_owned(), seen)),
    }
}
