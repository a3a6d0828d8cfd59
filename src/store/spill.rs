//! Batches kept aside while a merge is planned: in memory while they are few, then in an unlinked temporary file.

use std::io::Cursor;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::ipc::CompressionType;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::{IpcWriteOptions, StreamWriter};

use super::error::{Result, StoreError};
use super::positioned::Positioned;
use super::sizes::{held_bytes, row_sizes};

/// Bytes of batches kept in memory before the first one goes to disk.
pub(crate) const IN_MEMORY: usize = 64 << 20;

/// A store of record batches of any schemas.
#[derive(Debug)]
pub(crate) struct Spill {
    dir: PathBuf,
    file: Option<Arc<Positioned>>,
    written: u64,
    /// Bytes that may still be kept in memory.
    room: usize,
}

/// One batch that was put aside.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    storage: SlotStorage,
    pub(crate) rows: usize,
    /// About how many bytes its rows take in memory.
    pub(crate) bytes: u64,
}

/// Where a batch is.
#[derive(Debug, Clone)]
enum SlotStorage {
    Memory(RecordBatch),
    Disk { file: Arc<Positioned>, offset: u64, length: usize, dir: PathBuf },
}

impl Spill {
    /// Spills into an existing directory what goes beyond so many bytes.
    pub(crate) fn new(dir: PathBuf, in_memory: usize) -> Self {
        Self { dir, file: None, written: 0, room: in_memory }
    }

    /// Whether anything went to disk.
    pub(crate) fn is_on_disk(&self) -> bool {
        self.file.is_some()
    }

    /// Puts a batch aside.
    pub(crate) fn push(&mut self, batch: RecordBatch) -> Result<Slot> {
        let (rows, bytes) = (batch.num_rows(), row_sizes(&batch).iter().sum());
        let size = held_bytes(&batch);
        if size <= self.room {
            self.room -= size;
            return Ok(Slot { storage: SlotStorage::Memory(batch), rows, bytes });
        }
        let (file, offset, length) = self.write(&encode(&batch)?)?;
        Ok(Slot { storage: SlotStorage::Disk { file, offset, length, dir: self.dir.clone() }, rows, bytes })
    }

    /// Puts a batch on disk that was kept in memory.
    pub(crate) fn put_down(&mut self, slot: &mut Slot) -> Result<()> {
        let SlotStorage::Memory(batch) = &slot.storage else { return Ok(()) };
        let (file, offset, length) = self.write(&encode(batch)?)?;
        slot.storage = SlotStorage::Disk { file, offset, length, dir: self.dir.clone() };
        Ok(())
    }

    /// Puts the numbers of the rows of a batch aside.
    pub(crate) fn push_numbers(&mut self, numbers: Vec<u32>) -> Result<Numbers> {
        let size = numbers.capacity() * size_of::<u32>();
        if size <= self.room {
            self.room -= size;
            return Ok(Numbers::Memory(numbers));
        }
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        let (file, offset, _) = self.write(&bytes)?;
        Ok(Numbers::Disk { file, offset, count: numbers.len(), dir: self.dir.clone() })
    }

    /// Appends to the file; gives it, and the offset and length of what was written.
    fn write(&mut self, bytes: &[u8]) -> Result<(Arc<Positioned>, u64, usize)> {
        let failed = |source| StoreError::Spill { dir: self.dir.clone(), source };
        let file = match &self.file {
            Some(file) => Arc::clone(file),
            None => {
                let file = Arc::new(Positioned::new(tempfile::tempfile_in(&self.dir).map_err(failed)?));
                self.file = Some(Arc::clone(&file));
                file
            }
        };
        let offset = self.written;
        file.write(bytes, offset).map_err(failed)?;
        self.written += bytes.len() as u64;
        Ok((file, offset, bytes.len()))
    }
}

/// A number for each row of a batch that was put aside.
#[derive(Debug, Clone)]
pub(crate) enum Numbers {
    Memory(Vec<u32>),
    Disk { file: Arc<Positioned>, offset: u64, count: usize, dir: PathBuf },
}

impl Numbers {
    /// Reads them back.
    pub(crate) fn load(&self) -> Result<Vec<u32>> {
        match self {
            Self::Memory(numbers) => Ok(numbers.clone()),
            Self::Disk { file, offset, count, dir } => {
                let mut bytes = vec![0; count * size_of::<u32>()];
                file.read(&mut bytes, *offset).map_err(|source| StoreError::Spill { dir: dir.clone(), source })?;
                Ok(bytes.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect())
            }
        }
    }
}

fn encode(batch: &RecordBatch) -> Result<Vec<u8>> {
    let wrap = || {
        let options = IpcWriteOptions::default().try_with_compression(Some(CompressionType::LZ4_FRAME))?;
        let mut writer = StreamWriter::try_new_with_options(Vec::new(), &batch.schema(), options)?;
        writer.write(batch)?;
        writer.into_inner()
    };
    wrap().map_err(StoreError::arrow("spilling spans"))
}

impl Slot {
    /// A batch that stays in memory.
    pub(crate) fn in_memory(batch: RecordBatch) -> Self {
        let (rows, bytes) = (batch.num_rows(), row_sizes(&batch).iter().sum());
        Self { storage: SlotStorage::Memory(batch), rows, bytes }
    }

    /// Bytes that it keeps in memory.
    #[cfg(test)]
    pub(crate) fn held_bytes(&self) -> usize {
        match &self.storage {
            SlotStorage::Memory(batch) => held_bytes(batch),
            SlotStorage::Disk { .. } => 0,
        }
    }

    /// Reads the batch back.
    pub(crate) fn load(&self) -> Result<RecordBatch> {
        let (file, offset, length, dir) = match &self.storage {
            SlotStorage::Memory(batch) => return Ok(batch.clone()),
            SlotStorage::Disk { file, offset, length, dir } => (file, *offset, *length, dir),
        };
        let mut bytes = vec![0; length];
        file.read(&mut bytes, offset).map_err(|source| StoreError::Spill { dir: dir.clone(), source })?;
        let wrap = || {
            let mut reader = StreamReader::try_new(Cursor::new(bytes), None)?;
            reader.next().transpose()
        };
        let batch = wrap().map_err(StoreError::arrow("reading spilled spans"))?;
        batch.ok_or_else(|| StoreError::Internal("a spilled batch is empty".into()))
    }
}
