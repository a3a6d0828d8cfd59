//! Spans on their way into a store, until a commit merges them.

use arrow::array::RecordBatch;

use super::error::Result;
#[cfg(doc)]
use super::error::StoreError;
use super::import_buffer::{ImportBuffer, Measured};
use super::ingest::{normalize_packed, unpacks_to_many};

/// Spans on their way into a store.
pub struct Import {
    pub(crate) buffer: ImportBuffer,
}

impl std::fmt::Debug for Import {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Import").field("rows", &self.buffer.rows).finish_non_exhaustive()
    }
}

/// An ingest batch that was checked and completed, ready to be taken by an [`Import`].
///
/// That is most of the work of taking it, and needs nothing of the import: it can be done on another thread.
#[derive(Debug)]
pub struct Prepared {
    parts: Vec<Measured>,
}

impl Prepared {
    /// Checks an ingest batch.
    ///
    /// # Errors
    /// [`StoreError::Ingest`] when the batch breaks the contract of an ingest batch.
    pub fn of(batch: &RecordBatch) -> Result<Self> {
        let mut parts = Vec::new();
        prepare(batch, &mut parts)?;
        Ok(Self { parts })
    }
}

fn prepare(batch: &RecordBatch, parts: &mut Vec<Measured>) -> Result<()> {
    let rows = batch.num_rows();
    if rows > 1 && unpacks_to_many(batch) {
        prepare(&batch.slice(0, rows / 2), parts)?;
        return prepare(&batch.slice(rows / 2, rows - rows / 2), parts);
    }
    parts.push(Measured::of(normalize_packed(batch)?)?);
    Ok(())
}

impl Import {
    /// Takes an ingest batch: rows of later batches, and later rows of one, win over earlier ones.
    ///
    /// Batches beyond a few dozen megabytes are put aside on disk.
    ///
    /// # Errors
    /// [`StoreError::Ingest`] when the batch breaks the contract of an ingest batch, [`StoreError::Spill`] when the disk
    /// refuses it.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        self.take(Prepared::of(batch)?)
    }

    /// Takes a batch that was prepared, in the same order.
    ///
    /// # Errors
    /// [`StoreError::Spill`] when the disk refuses it.
    pub fn take(&mut self, prepared: Prepared) -> Result<()> {
        prepared.parts.into_iter().try_for_each(|part| self.buffer.take(part))
    }

    /// Rows taken so far.
    pub fn rows(&self) -> u64 {
        self.buffer.rows
    }
}
