//! Spans on their way into a store, until a commit merges them.

use arrow::array::RecordBatch;

use super::arrival::{prepare_packed, unfolds_to_many};
use super::error::Result;
#[cfg(doc)]
use super::error::StoreError;
use super::pool::Pool;

/// Spans on their way into a store.
pub struct Import {
    pub(crate) pool: Pool,
}

impl std::fmt::Debug for Import {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Import").field("rows", &self.pool.rows).finish_non_exhaustive()
    }
}

impl Import {
    /// Takes an arrival: rows of later batches, and later rows of one, win over earlier ones.
    ///
    /// Batches beyond a few dozen megabytes are put aside on disk.
    ///
    /// # Errors
    /// [`StoreError::Arrival`] when the batch breaks the contract of an arrival, [`StoreError::Spill`] when the disk
    /// refuses it.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        let rows = batch.num_rows();
        if rows > 1 && unfolds_to_many(batch) {
            self.push(&batch.slice(0, rows / 2))?;
            return self.push(&batch.slice(rows / 2, rows - rows / 2));
        }
        self.pool.push(prepare_packed(batch)?)
    }

    /// Rows taken so far.
    pub fn rows(&self) -> u64 {
        self.pool.rows
    }
}
