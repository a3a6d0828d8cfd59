//! Spans on their way into a store, until a commit merges them.

use arrow::array::RecordBatch;

use super::error::Result;
#[cfg(doc)]
use super::error::StoreError;
use super::import_buffer::ImportBuffer;
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

impl Import {
    /// Takes an ingest batch: rows of later batches, and later rows of one, win over earlier ones.
    ///
    /// Batches beyond a few dozen megabytes are put aside on disk.
    ///
    /// # Errors
    /// [`StoreError::Ingest`] when the batch breaks the contract of an ingest batch, [`StoreError::Spill`] when the disk
    /// refuses it.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        let rows = batch.num_rows();
        if rows > 1 && unpacks_to_many(batch) {
            self.push(&batch.slice(0, rows / 2))?;
            return self.push(&batch.slice(rows / 2, rows - rows / 2));
        }
        self.buffer.push(normalize_packed(batch)?)
    }

    /// Rows taken so far.
    pub fn rows(&self) -> u64 {
        self.buffer.rows
    }
}
