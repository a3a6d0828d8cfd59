//! Checksums of files in blocks, so that a read checks what it touches.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Bytes a checksum covers.
pub(crate) const BLOCK: u64 = 256 * 1024;

/// CRC-32 of each block of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct BlockSums(Arc<[u32]>);

impl From<BlockSums> for String {
    fn from(sums: BlockSums) -> Self {
        sums.0.iter().map(|sum| format!("{sum:08x}")).collect()
    }
}

impl TryFrom<String> for BlockSums {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        let bytes = text.as_bytes();
        let parse = |chunk: &[u8]| {
            let digits = std::str::from_utf8(chunk).map_err(|error| error.to_string())?;
            u32::from_str_radix(digits, 16).map_err(|error| error.to_string())
        };
        if !bytes.len().is_multiple_of(8) {
            return Err("checksums are cut".into());
        }
        Ok(Self(bytes.chunks(8).map(parse).collect::<std::result::Result<_, _>>()?))
    }
}

impl BlockSums {
    /// The sum of a block.
    pub(crate) fn get(&self, block: usize) -> Option<u32> {
        self.0.get(block).copied()
    }

    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(bytes.chunks(BLOCK as usize).map(crc32fast::hash).collect())
    }
}

/// The sums of a file of which more is still written.
#[derive(Debug, Default)]
pub(crate) struct BlockSummer {
    done: Vec<u32>,
    /// The block that is not full, and the bytes in it.
    last: crc32fast::Hasher,
    filled: usize,
}

impl BlockSummer {
    pub(crate) fn add(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (now, rest) = bytes.split_at(bytes.len().min(BLOCK as usize - self.filled));
            self.last.update(now);
            self.filled += now.len();
            if self.filled == BLOCK as usize {
                self.done.push(std::mem::take(&mut self.last).finalize());
                self.filled = 0;
            }
            bytes = rest;
        }
    }

    pub(crate) fn finish(mut self) -> BlockSums {
        if self.filled > 0 {
            self.done.push(self.last.finalize());
        }
        BlockSums(self.done.into())
    }
}
