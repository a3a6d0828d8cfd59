//! Traces that a segment holds and a commit writes anew elsewhere: which ones, their rows, and what the segment is without
//! them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use futures::{StreamExt, TryStreamExt, pin_mut};
use parquet::arrow::ProjectionMask;
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;

use super::blocking::blocking;
use super::dead_rows::{DeadRows, RowRanges};
use super::entries::{DeletionVector, Segment, SegmentFile};
use super::error::{Result, StoreError};
use super::files::WrittenFile;
use super::folders::DELETIONS;
use super::metadata_file;
use super::open_columns::unpack_overflow_values;
use super::reader::{Segments, own};
use super::segment::{add_facts, of_files};
use super::segment_stats::ColumnFacts;
use super::spill::{Slot, Spill};
use super::stored::{as_arrived, has_arrived};
use spanql_model::columns;

/// Bytes of a deletion vector in a manifest; a longer one is a file of its own.
const INLINE_BYTES: usize = 4096;
/// Rows times columns, and rows, that are decoded together.
const BATCH_CELLS: usize = 4 << 20;
const BATCH_ROWS: usize = 8192;

/// Traces that a segment holds, to be merged with what arrived for them.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) segment: Arc<Segment>,
    /// Their numbers among all traces of the segment, with their ids and their rows, in order.
    pub(crate) traces: Vec<HeldTrace>,
    /// Whether these are all traces of the segment that count: then it goes if any of them changes.
    pub(crate) whole: bool,
}

/// One of them.
#[derive(Debug, Clone)]
pub(crate) struct HeldTrace {
    pub(crate) number: usize,
    pub(crate) id: String,
    pub(crate) rows: Range<usize>,
}

impl Held {
    /// Their rows in the file of spans.
    fn rows(&self) -> RowRanges {
        self.traces.iter().map(|trace| trace.rows.clone()).collect()
    }
}

/// What rows tell of the columns.
pub(crate) type Facts = BTreeMap<String, ColumnFacts>;

/// Traces by segment that were written anew.
#[derive(Debug, Default)]
pub(crate) struct Superseded(BTreeMap<String, SupersededOf>);

/// Those of one segment.
#[derive(Debug)]
pub(crate) struct SupersededOf {
    pub(crate) segment: Arc<Segment>,
    pub(crate) traces: Vec<HeldTrace>,
    /// What their rows tell of the columns, if that was noted when they were read.
    pub(crate) facts: Option<Facts>,
}

impl Superseded {
    /// Adds those of held traces that were written anew, or are gone; with what the rows of all of them tell.
    pub(crate) fn add(&mut self, held: Held, facts: Option<Facts>, is_unchanged: impl Fn(&str) -> bool) {
        let Held { segment, traces, .. } = held;
        let all = traces.len();
        let traces: Vec<HeldTrace> = traces.into_iter().filter(|trace| !is_unchanged(&trace.id)).collect();
        if traces.is_empty() {
            return;
        }
        let facts = facts.filter(|_| traces.len() == all);
        match self.0.get_mut(&segment.id) {
            Some(known) => {
                known.traces.extend(traces);
                known.facts = None;
            }
            None => drop(self.0.insert(segment.id.clone(), SupersededOf { segment, traces, facts })),
        }
    }

    pub(crate) fn into_segments(self) -> impl Iterator<Item = SupersededOf> {
        self.0.into_values()
    }
}

impl Segments {
    /// The rows of held traces as ingest batches are, put aside; and where only a part of a segment is held, what they
    /// tell of the columns.
    pub(crate) async fn held_rows(&self, held: &Held, mut spill: Spill) -> Result<(Spill, Vec<Slot>, Option<Facts>)> {
        let mut slots = Vec::new();
        let stats = self.stats(&held.segment).await?;
        let filled = self.file_stats(&held.segment).await?;
        // Columns without a value in the file have none to give, and each costs as much as another to open.
        let wanted = |name: &str| match held.whole {
            true => has_arrived(name) && stats.columns.contains_key(name),
            false => filled.columns.contains_key(name),
        };
        let mut facts = (!held.whole).then(Facts::new);
        let rows = held.rows();
        let batches = self.batches_of(&held.segment, &rows, &wanted);
        pin_mut!(batches);
        while let Some(batch) = batches.try_next().await? {
            if let Some(facts) = &mut facts {
                add_facts_of(facts, &batch)?;
            }
            let fields = batch.schema_ref().fields().iter().enumerate();
            let kept: Vec<usize> =
                fields.filter(|(_, field)| has_arrived(field.name())).map(|(index, _)| index).collect();
            let batch = batch.project(&kept).map_err(StoreError::arrow("reading spans"))?;
            let put = move || {
                let slot = spill.push(as_arrived(&batch)?)?;
                Ok((spill, slot))
            };
            let slot;
            (spill, slot) = blocking(put).await?;
            slots.push(slot);
        }
        Ok((spill, slots, facts))
    }

    /// Some rows of the spans, patched, in order.
    fn batches_of<'a>(
        &'a self,
        segment: &'a Segment,
        rows: &'a RowRanges,
        wanted: &'a (dyn Fn(&str) -> bool + Sync),
    ) -> impl futures::Stream<Item = Result<RecordBatch>> + 'a {
        let file = segment.spans_file();
        let open = async move {
            let overlay = self.overlay(segment).await?;
            let build = async {
                let builder = ParquetRecordBatchStreamBuilder::new(self.reader(segment, SegmentFile::Spans)).await?;
                let fields = builder.parquet_schema().root_schema().get_fields().iter().enumerate();
                let roots: Vec<usize> =
                    fields.filter(|(_, field)| wanted(field.name())).map(|(index, _)| index).collect();
                let batch_rows = BATCH_ROWS.min((BATCH_CELLS / roots.len().max(1)).max(1));
                let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
                let selection = rows.within(&(0..segment.rows_in_file() as usize));
                builder.with_projection(mask).with_row_selection(selection).with_batch_size(batch_rows).build()
            };
            let batches = build.await.map_err(|error| own(&file, error))?;
            let mut numbers = rows.iter().flatten();
            Ok::<_, StoreError>(batches.map(move |batch| {
                let batch = batch.map_err(|error| own(&file, error))?;
                let rows: Vec<u64> = numbers.by_ref().take(batch.num_rows()).map(|row| row as u64).collect();
                overlay.at(&rows).batch(&batch)
            }))
        };
        futures::TryFutureExt::try_flatten_stream(open)
    }

    /// What a segment is without traces that were written anew, with the file of its deletion vector if it is long; `None`
    /// where nothing is left of it.
    pub(crate) async fn without(
        &self,
        SupersededOf { segment, traces, facts }: &SupersededOf,
        file_id: String,
    ) -> Result<Option<(Segment, Option<WrittenFile>)>> {
        if traces.len() as u64 >= segment.traces {
            return Ok(None);
        }
        let mut dead = DeadRows {
            spans: traces.iter().map(|trace| trace.rows.clone()).collect(),
            traces: traces.iter().map(|trace| trace.number..trace.number + 1).collect(),
            ..DeadRows::default()
        };
        let mut left = Segment::clone(segment);
        left.rows -= dead.spans.len() as u64;
        left.traces -= dead.traces.len() as u64;
        if let Some(known) = &mut left.of_files {
            let names = ["source", "span_count", "root_count", "orphan_count"];
            let rows = dead.traces.within(&(0..segment.traces_in_file() as usize));
            let gone = of_files(&self.read(segment, SegmentFile::Traces, &names, Some(rows)).await?);
            let gone = gone.unwrap_or_default();
            known.spans = known.spans.saturating_sub(gone.spans);
            known.orphans = known.orphans.saturating_sub(gone.orphans);
            known.rootless = known.rootless.saturating_sub(gone.rootless);
        }
        let facts = match facts {
            Some(facts) => facts.clone(),
            None => self.facts_of(segment, &dead.spans).await?,
        };
        let stats = self.stats(segment).await?;
        for (name, facts) in facts {
            let known = stats.columns.get(&name).or_else(|| stats.rest.get(&name));
            if known.is_some_and(|known| known.example == facts.example) {
                dead.examples.insert(name.clone());
            }
            dead.filled.insert(name, facts.filled);
        }
        let dead = self.dead(segment).await?.union(&dead);
        let (rows, traces) = (dead.spans.len() as u64, dead.traces.len() as u64);
        let text = serde_json::to_vec(&dead);
        let text = text.map_err(|error| StoreError::Internal(format!("deletions do not encode: {error}")))?;
        let (inline, file, written) = if text.len() <= INLINE_BYTES {
            (Some(dead), None, None)
        } else {
            let (reference, written) = metadata_file::save(&self.location, DELETIONS, file_id, &dead).await?;
            (None, Some(reference), Some(written))
        };
        left.deletions = Some(DeletionVector { rows, traces, inline, file });
        Ok(Some((left, written)))
    }

    /// What some rows tell of the columns.
    async fn facts_of(&self, segment: &Segment, rows: &RowRanges) -> Result<Facts> {
        let mut facts = Facts::new();
        let filled = self.file_stats(segment).await?;
        let wanted = |name: &str| filled.columns.contains_key(name);
        let batches = self.batches_of(segment, rows, &wanted);
        pin_mut!(batches);
        while let Some(batch) = batches.try_next().await? {
            add_facts_of(&mut facts, &batch)?;
        }
        Ok(facts)
    }
}

fn add_facts_of(facts: &mut Facts, batch: &RecordBatch) -> Result<()> {
    for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        add_facts(facts, field.name(), None, array)?;
        if field.name() == columns::REST && *field.data_type() == DataType::Utf8 {
            for (name, array) in unpack_overflow_values(arrow::array::AsArray::as_string(array)) {
                add_facts(facts, &name, None, &array)?;
            }
        }
    }
    Ok(())
}

/// The traces that a commit writes as they are, by what a merge of held traces changed: of a segment that goes as a whole
/// all or none.
pub(crate) fn unchanged(held: &[Held], mut unchanged: BTreeSet<String>) -> BTreeSet<String> {
    for whole in held.iter().filter(|held| held.whole) {
        if whole.traces.iter().any(|trace| !unchanged.contains(&trace.id)) {
            unchanged.retain(|id| !whole.traces.iter().any(|trace| trace.id == *id));
        }
    }
    unchanged
}

/// Held traces by partition, gathered while a commit is planned.
#[derive(Debug, Default)]
pub(crate) struct Gathered(HashMap<usize, Vec<Held>>);

impl Gathered {
    /// Adds a trace of a segment to a partition.
    pub(crate) fn add(&mut self, partition: usize, segment: &Arc<Segment>, trace: HeldTrace, whole: bool) {
        let held = self.0.entry(partition).or_default();
        match held.iter_mut().find(|held| held.segment.id == segment.id) {
            Some(held) => held.traces.push(trace),
            None => held.push(Held { segment: Arc::clone(segment), traces: vec![trace], whole }),
        }
    }

    /// Those of a partition.
    pub(crate) fn take(&mut self, partition: usize) -> Vec<Held> {
        self.0.remove(&partition).unwrap_or_default()
    }
}
