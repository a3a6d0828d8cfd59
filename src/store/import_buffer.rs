//! Spans waiting to be merged: kept by arrival, known by trace, handed out in partitions of whole traces.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use arrow::array::{Array, AsArray, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::TimestampNanosecondType;

use super::blocking::threads;
use super::error::{Result, StoreError};
use super::join::join;
use super::open_columns::type_of;
use super::packed::{PACKED, add_packed_types, pack};
use super::pending::PendingTraces;
use super::sizes::{held_bytes, row_sizes};
use super::spill::{IN_MEMORY, Numbers, Slot, Spill};
use super::trim::trim;
use spanql_model::columns;
use spanql_model::types::OpenType;

/// Rows of one partition that wait together before they are put aside.
const PARTITION_BUFFER: usize = 4 << 20;
/// Rows of all partitions together.
const ALL_BUFFERS: usize = 96 << 20;
/// What is copied for partitions and may stay in memory, where not all of an import does.
const COPIES: usize = 32 << 20;

/// Batches of fewer rows and bytes than these wait for others before they are put aside.
const JOINED_ROWS: usize = 8_192;
const JOINED_BYTES: u64 = 16 << 20;
/// So many times as much as may wait in memory is mostly on disk.
const MOSTLY: u64 = 4;
/// A batch of one partition that has so many rows or bytes is handed out as it lies.
const WHOLE_ROWS: usize = 4_096;
const WHOLE_BYTES: u64 = 1 << 20;

/// A normalized batch, and what can be said of it without those before it.
#[derive(Debug)]
pub(crate) struct Measured {
    batch: RecordBatch,
    sizes: Vec<u64>,
    /// Types of the open columns that have a value.
    columns: BTreeMap<String, OpenType>,
}

impl Measured {
    pub(crate) fn of(batch: RecordBatch) -> Result<Self> {
        let mut found = BTreeMap::new();
        add_packed_types(&batch, &mut found);
        for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
            if columns::canonical(field.name()).is_none()
                && ![columns::METADATA_PATCH, PACKED].contains(&field.name().as_str())
                && let Some(seen) = type_of(array.as_ref())
            {
                let united = found.get(field.name()).map_or(seen, |known: &OpenType| known.unite(seen));
                found.insert(field.name().clone(), united);
            }
        }
        let batch = pack(batch)?;
        Ok(Self { sizes: row_sizes(&batch), batch, columns: found })
    }
}

struct Stored {
    slot: Slot,
    /// The trace of each row.
    traces: Numbers,
}

/// Spans waiting to be merged.
pub(crate) struct ImportBuffer {
    spill: Spill,
    spill_dir: PathBuf,
    in_memory: usize,
    batches: Vec<Stored>,
    /// Small batches that wait for others, and about how many bytes they take in memory.
    waiting: Vec<(RecordBatch, Vec<u32>)>,
    waiting_rows: usize,
    waiting_bytes: u64,
    pub(crate) projects: Vec<String>,
    pub(crate) traces: PendingTraces,
    /// Open columns that have a value, with their united types.
    pub(crate) columns: BTreeMap<String, OpenType>,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
}

impl ImportBuffer {
    pub(crate) fn new(spill_dir: PathBuf) -> Self {
        Self::with_memory(spill_dir, IN_MEMORY)
    }

    /// A buffer that keeps fewer or more bytes of what waits in memory.
    pub(crate) fn with_memory(spill_dir: PathBuf, in_memory: usize) -> Self {
        Self {
            spill: Spill::new(spill_dir.clone(), in_memory),
            spill_dir,
            in_memory,
            batches: Vec::new(),
            waiting: Vec::new(),
            waiting_rows: 0,
            waiting_bytes: 0,
            projects: Vec::new(),
            traces: PendingTraces::default(),
            columns: BTreeMap::new(),
            rows: 0,
            bytes: 0,
        }
    }

    /// How many rows wait for each project.
    pub(crate) fn rows_by_project(&self) -> BTreeMap<String, u64> {
        let mut rows = BTreeMap::new();
        for pending in self.traces.iter() {
            if let Some(project) = self.projects.get(pending.project as usize) {
                *rows.entry(project.clone()).or_default() += pending.rows;
            }
        }
        rows
    }

    /// Takes a normalized batch; rows of later batches, and later rows of one, came later.
    pub(crate) fn push(&mut self, batch: RecordBatch) -> Result<()> {
        self.take(Measured::of(batch)?)
    }

    /// Takes a batch that was looked at; the order is that of [`push`](Self::push).
    pub(crate) fn take(&mut self, sized: Measured) -> Result<()> {
        let Measured { batch, sizes, columns } = sized;
        if batch.num_rows() == 0 {
            return Ok(());
        }
        for (name, seen) in columns {
            match self.columns.get_mut(&name) {
                Some(united) => *united = united.unite(seen),
                None => drop(self.columns.insert(name, seen)),
            }
        }
        let missing = |name: &str| StoreError::Ingest(format!("column {name} is missing"));
        let column = |name: &str| batch.column_by_name(name).ok_or_else(|| missing(name));
        let project = column(columns::PROJECT)?.as_string::<i32>();
        let trace_id = column(columns::TRACE_ID)?.as_string::<i32>();
        let start = batch.column_by_name(columns::START_TIME).map(|c| c.as_primitive::<TimestampNanosecondType>());
        let mut traces = Vec::with_capacity(batch.num_rows());
        let mut project_number = (String::new(), u32::MAX);
        let mut last: Option<(u32, &str, usize)> = None;
        for (row, size) in sizes.iter().enumerate() {
            if project_number.1 == u32::MAX || project_number.0 != project.value(row) {
                project_number = (project.value(row).to_owned(), self.project_number(project.value(row)));
            }
            let (project, id) = (project_number.1, trace_id.value(row));
            let number = match last.filter(|last| (last.0, last.1) == (project, id)) {
                Some((.., number)) => number,
                None => {
                    let number = self.traces.add(project, id);
                    number.ok_or_else(|| StoreError::Ingest("more than 2^32 traces".into()))?
                }
            };
            last = Some((project, id, number));
            let start = start.filter(|start| start.is_valid(row)).map(|start| start.value(row));
            self.traces.note(number, *size, start);
            traces.push(number as u32);
        }
        self.rows += batch.num_rows() as u64;
        let bytes = sizes.iter().sum::<u64>();
        self.bytes += bytes;
        self.waiting_rows += batch.num_rows();
        self.waiting_bytes += bytes;
        self.waiting.push((batch, traces));
        if self.waiting_rows >= JOINED_ROWS || self.waiting_bytes >= JOINED_BYTES {
            self.put_aside()?;
        }
        Ok(())
    }

    /// Puts the batches that wait aside, joined.
    fn put_aside(&mut self) -> Result<()> {
        (self.waiting_rows, self.waiting_bytes) = (0, 0);
        let (batches, traces): (Vec<_>, Vec<_>) = std::mem::take(&mut self.waiting).into_iter().unzip();
        let mut traces = traces.into_iter();
        for batch in join(batches)? {
            // What was joined are whole batches, in their order.
            let mut of_batch = traces.next().unwrap_or_default();
            while of_batch.len() < batch.num_rows()
                && let Some(more) = traces.next()
            {
                of_batch.extend(more);
            }
            let slot = self.spill.push(batch)?;
            self.batches.push(Stored { slot, traces: self.spill.push_numbers(of_batch)? });
        }
        Ok(())
    }

    fn project_number(&mut self, name: &str) -> u32 {
        let found = self.projects.iter().position(|known| known == name);
        found.unwrap_or_else(|| {
            self.projects.push(name.to_owned());
            self.projects.len() - 1
        }) as u32
    }

    /// Whether what waits in memory is little of all, so that it may as well lie on disk.
    pub(crate) fn is_mostly_on_disk(&self) -> bool {
        self.bytes / MOSTLY >= self.in_memory as u64
    }

    /// Puts on disk what waits in memory, which whoever merges it needs.
    pub(crate) fn put_down(mut self) -> Result<Self> {
        for stored in &mut self.batches {
            self.spill.put_down(&mut stored.slot)?;
        }
        trim();
        Ok(self)
    }

    /// Hands out the rows of each partition in order of arrival.
    ///
    /// `assign` gives each trace (by its index) a partition, or [`NOWHERE`] to leave its rows out.
    pub(crate) fn partition(&self, assign: &[u32], count: usize) -> Result<Vec<Vec<Slot>>> {
        let waiting = self.waiting.iter();
        let waiting: Vec<_> =
            waiting.map(|(batch, of)| (Slot::in_memory(batch.clone()), Numbers::Memory(of.clone()))).collect();
        let put_aside = self.batches.iter().map(|stored| (&stored.slot, &stored.traces));
        let all: Vec<_> = put_aside.chain(waiting.iter().map(|(slot, traces)| (slot, traces))).collect();
        // What is earlier in one of the shares is earlier than all of the next: joined one after the other they are in order.
        let shares: Vec<_> = all.chunks(all.len().div_ceil(threads()).max(1)).collect();
        // What is in memory stays there until the end: a second time as much would grow with the import, piece by piece.
        let in_memory = if self.spill.is_on_disk() { COPIES } else { self.in_memory.max(IN_MEMORY) };
        let in_memory = in_memory / shares.len().max(1);
        let all_buffers = ALL_BUFFERS / shares.len().max(1);
        let hand_out_share = |share: &[(&Slot, &Numbers)]| {
            let batches = share.iter().map(|(slot, traces)| {
                let mut parts = traces.load()?;
                parts.iter_mut().for_each(|trace| *trace = assign[*trace as usize]);
                Ok::<_, StoreError>((*slot, parts))
            });
            hand_out_within(all_buffers, Spill::new(self.spill_dir.clone(), in_memory), batches, count)
        };
        if let [share] = shares.as_slice() {
            return hand_out_share(share);
        }
        let mut parts: Vec<Vec<Slot>> = vec![Vec::new(); count];
        std::thread::scope(|scope| {
            let running: Vec<_> = shares.iter().map(|share| scope.spawn(|| hand_out_share(share))).collect();
            for share in running {
                let share = share.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
                parts.iter_mut().zip(share).for_each(|(part, more)| part.extend(more));
            }
            Ok(parts)
        })
    }
}

/// The partition of rows that are left out.
pub(super) const NOWHERE: u32 = u32::MAX;

/// Hands out the rows of batches to partitions, whose numbers come with each batch, in the order of the rows.
pub(super) fn hand_out<'a>(
    spill: Spill,
    batches: impl Iterator<Item = (&'a Slot, Vec<u32>)>,
    count: usize,
) -> Result<Vec<Vec<Slot>>> {
    hand_out_within(ALL_BUFFERS, spill, batches.map(Ok), count)
}

/// The same with so many bytes of rows that wait for others of their partition.
fn hand_out_within<'a>(
    all_buffers: usize,
    mut spill: Spill,
    batches: impl Iterator<Item = Result<(&'a Slot, Vec<u32>)>>,
    count: usize,
) -> Result<Vec<Vec<Slot>>> {
    let mut parts: Vec<Vec<Slot>> = vec![Vec::new(); count];
    let mut buffers: Vec<(Vec<RecordBatch>, usize)> = vec![(Vec::new(), 0); count];
    let mut buffered = 0;
    for batch in batches {
        let (slot, numbers) = batch?;
        let wanted = rows_by_partition(&numbers);
        if wanted.is_empty() {
            continue;
        }
        if let [(part, rows)] = wanted.as_slice()
            && rows.len() == slot.rows
            && (slot.rows >= WHOLE_ROWS || slot.bytes >= WHOLE_BYTES)
        {
            let part = *part as usize;
            buffered -= buffers[part].1;
            flush(&mut spill, &mut buffers[part], &mut parts[part])?;
            parts[part].push(slot.clone());
            continue;
        }
        let batch = slot.load()?;
        for (part, rows) in wanted {
            let rows = if rows.len() == batch.num_rows() {
                batch.clone()
            } else {
                let rows = UInt32Array::from(rows);
                drop_empty(take_record_batch(&batch, &rows).map_err(StoreError::arrow("partitioning spans"))?)
            };
            let size = held_bytes(&rows);
            let (pending, pending_size) = &mut buffers[part as usize];
            pending.push(rows);
            *pending_size += size;
            buffered += size;
            if *pending_size > PARTITION_BUFFER {
                buffered -= *pending_size;
                flush(&mut spill, &mut buffers[part as usize], &mut parts[part as usize])?;
            }
        }
        if buffered > all_buffers {
            for (buffer, part) in buffers.iter_mut().zip(&mut parts) {
                flush(&mut spill, buffer, part)?;
            }
            buffered = 0;
        }
    }
    for (buffer, part) in buffers.iter_mut().zip(&mut parts) {
        flush(&mut spill, buffer, part)?;
    }
    Ok(parts)
}

fn flush(spill: &mut Spill, buffer: &mut (Vec<RecordBatch>, usize), part: &mut Vec<Slot>) -> Result<()> {
    let (batches, _) = std::mem::take(buffer);
    for joined in join(batches)? {
        part.push(spill.push(joined)?);
    }
    Ok(())
}

/// Row numbers by partition, in row order.
fn rows_by_partition(numbers: &[u32]) -> Vec<(u32, Vec<u32>)> {
    let mut parts: Vec<(u32, Vec<u32>)> = Vec::new();
    let mut slots: HashMap<u32, usize, ahash::RandomState> = HashMap::default();
    let mut last = (NOWHERE, 0);
    for (row, &part) in numbers.iter().enumerate() {
        if part == NOWHERE {
            continue;
        }
        if part != last.0 {
            let slot = *slots.entry(part).or_insert_with(|| {
                parts.push((part, Vec::new()));
                parts.len() - 1
            });
            last = (part, slot);
        }
        parts[last.1].1.push(row as u32);
    }
    parts
}

/// Leaves out columns without a value: a partition has often few of the columns of its import.
fn drop_empty(batch: RecordBatch) -> RecordBatch {
    let keep: Vec<usize> =
        (0..batch.num_columns()).filter(|&i| batch.column(i).null_count() < batch.num_rows()).collect();
    if keep.len() == batch.num_columns() {
        return batch;
    }
    batch.project(&keep).unwrap_or(batch)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, StringArray};

    use super::*;

    #[test]
    fn copies_for_pieces_do_not_grow_with_an_import() {
        let dir = tempfile::tempdir().unwrap();
        let mut buffer = ImportBuffer::with_memory(dir.path().to_owned(), 1 << 20);
        let text = "x".repeat(64 << 10);
        let column = |value: &dyn Fn(usize) -> String| -> ArrayRef {
            Arc::new((0..256).map(|row| Some(value(row))).collect::<StringArray>())
        };
        for number in 0..6 {
            // Of two traces by turns, which go into pieces of their own.
            let batch = RecordBatch::try_from_iter([
                (columns::PROJECT, column(&|_| "p".to_owned())),
                (columns::TRACE_ID, column(&|row| format!("t{}", row % 2))),
                (columns::SPAN_ID, column(&|row| format!("{number}-{row}"))),
                (columns::INPUT, column(&|_| text.clone())),
            ]);
            buffer.push(batch.unwrap()).unwrap();
        }
        let parts = buffer.partition(&[0, 1], 2).unwrap();
        let rows = |part: &Vec<Slot>| part.iter().map(|slot| slot.rows).sum::<usize>();
        assert_eq!(parts.iter().map(rows).collect::<Vec<_>>(), [768, 768]);
        let held: usize = parts.iter().flatten().map(Slot::held_bytes).sum();
        assert!((1..=COPIES).contains(&held), "{held} bytes");
    }
}
