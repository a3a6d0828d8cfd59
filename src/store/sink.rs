//! Files in the making: summed as they are written, in memory while they are small.

use std::io::{Seek, Write};
use std::path::PathBuf;

use tempfile::{SpooledData, SpooledTempFile};

use super::block_sums::{BlockSummer, BlockSums};
use super::content::Content;
use super::error::{Result, StoreError};

/// Bytes of a file in memory before it goes to disk.
const IN_MEMORY: usize = 64 << 20;

/// A file that is being written.
#[derive(Debug)]
pub(crate) struct Sink {
    out: SpooledTempFile,
    sums: BlockSummer,
    length: u64,
    dir: PathBuf,
}

impl Sink {
    /// An empty file; one that grows large grows in this directory.
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { out: SpooledTempFile::new_in(IN_MEMORY, &dir), sums: BlockSummer::default(), length: 0, dir }
    }

    /// The file, its length, and the sums of its blocks.
    pub(crate) fn finish(self) -> Result<(Content, u64, BlockSums)> {
        let content = match self.out.into_inner() {
            SpooledData::InMemory(bytes) => Content::Memory(bytes.into_inner().into()),
            SpooledData::OnDisk(mut file) => {
                file.rewind().map_err(|source| StoreError::Spill { dir: self.dir, source })?;
                Content::Disk(file)
            }
        };
        Ok((content, self.length, self.sums.finish()))
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.sums.add(&bytes[..written]);
        self.length += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn what_grows_large_is_the_same_on_disk() {
        let dir = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (0..IN_MEMORY + 1_000_000).map(|at| (at % 251) as u8).collect();
        for length in [0, 1_000_000, bytes.len()] {
            let mut sink = Sink::new(dir.path().to_owned());
            bytes[..length].chunks(99_991).for_each(|chunk| sink.write_all(chunk).unwrap());
            let (content, said, sums) = sink.finish().unwrap();
            assert_eq!(said, length as u64);
            assert_eq!(String::from(sums), String::from(BlockSums::of(&bytes[..length])));
            let held = match content {
                Content::Memory(held) => held.to_vec(),
                Content::Disk(mut file) => {
                    let mut held = Vec::new();
                    file.read_to_end(&mut held).unwrap();
                    held
                }
            };
            assert!(held == bytes[..length]);
        }
    }
}
