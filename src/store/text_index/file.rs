//! The side file: of each column the blocks, and of each bit of their signatures the blocks that have it.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::BooleanBufferBuilder;
use arrow::buffer::BooleanBuffer;
use bytes::Bytes;

use super::super::entries::{Segment, SideRef};
use super::super::error::{Result, StoreError};
use super::super::folders::TEXTS;
use super::super::location::StoreLocation;
use super::part::TextPart;
use super::trigrams::{NARROWEST, Signature, WIDEST, place};

/// The kind of these side files.
pub(crate) const TEXT_TRIGRAMS: &str = "text_trigrams";

const MAGIC: &[u8; 8] = b"SPQLTRI1";

/// Of one bit in so many, no more should be set: of rare trigrams as many are found where they are not.
const SPARSE: usize = 8;

/// Rows that follow each other, and the trigrams of their texts.
#[derive(Default)]
pub(super) struct Block {
    pub(super) rows: u32,
    pub(super) signature: Option<Signature>,
    /// Whether it has letters beyond ASCII that differ from one of ASCII in nothing but case.
    pub(super) is_odd: bool,
    /// Whether it has letters, digits or blanks of ASCII in the form that JSON may give them.
    pub(super) is_escaped: bool,
}

/// Writes the blocks of columns in at most so many bytes.
pub(super) fn encode(columns: &[(&str, Vec<Block>)], most: u64) -> Option<Vec<u8>> {
    let mut widths: Vec<u32> = columns.iter().map(|(_, blocks)| wide_enough(blocks)).collect();
    loop {
        let size = |number: usize| bit_bytes(columns[number].1.len(), widths[number]) as u64;
        if (0..columns.len()).map(size).sum::<u64>() <= most {
            break;
        }
        let wide = (0..columns.len()).filter(|number| widths[*number] > NARROWEST);
        let largest = wide.max_by_key(|number| size(*number))?;
        widths[largest] -= 1;
    }
    let mut out = MAGIC.to_vec();
    out.extend((columns.len() as u32).to_le_bytes());
    for ((name, blocks), bits) in columns.iter().zip(widths) {
        out.extend((name.len() as u32).to_le_bytes());
        out.extend(name.as_bytes());
        out.extend(bits.to_le_bytes());
        out.extend((blocks.len() as u32).to_le_bytes());
        out.extend(blocks.iter().flat_map(|block| block.rows.to_le_bytes()));
        let from = out.len();
        out.resize(from + bit_bytes(blocks.len(), bits), 0);
        let mut set = |place: usize, block: usize| {
            let bit = place * blocks.len() + block;
            out[from + bit / 8] |= 1 << (bit % 8);
        };
        for (number, block) in blocks.iter().enumerate() {
            block.signature.iter().flat_map(|signature| signature.places(bits)).for_each(|place| set(place, number));
            for (flag, is_set) in [block.is_odd, block.is_escaped].into_iter().enumerate() {
                if is_set {
                    set((1 << bits) + flag, number);
                }
            }
        }
    }
    Some(out)
}

/// The narrowest width at which the signatures of blocks are sparse.
fn wide_enough(blocks: &[Block]) -> u32 {
    let signatures = || blocks.iter().filter_map(|block| block.signature.as_ref());
    let count = signatures().count();
    let is_sparse = |bits: &u32| {
        let set: usize = signatures().map(|signature| signature.places(*bits).count()).sum();
        set * SPARSE <= count << bits
    };
    (NARROWEST..WIDEST).find(is_sparse).unwrap_or(WIDEST)
}

/// Bytes of a bit for each place and block, and two more for each block.
fn bit_bytes(blocks: usize, bits: u32) -> usize {
    (((1 << bits) + 2) * blocks).div_ceil(8)
}

/// The side file of a segment that has these bytes.
pub(crate) fn side(segment_id: &str, bytes: &[u8]) -> SideRef {
    let file = format!("{TEXTS}/{segment_id}.bin");
    SideRef { file, bytes: bytes.len() as u64, crc32: crc32fast::hash(bytes) }
}

/// Where in a segment a text may be.
#[derive(Debug)]
pub struct TextIndex {
    columns: HashMap<String, Column>,
    rows: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Column {
    width: u32,
    /// Rows of its blocks.
    blocks: Vec<u32>,
    bits: Bytes,
}

impl TextIndex {
    /// That of a segment; `None` where it has none.
    pub(crate) async fn load(location: &StoreLocation, segment: &Segment) -> Result<Option<Arc<Self>>> {
        let Some(side) = segment.side.get(TEXT_TRIGRAMS) else { return Ok(None) };
        let bytes = location.read(&side.file).await?;
        if bytes.len() as u64 != side.bytes || crc32fast::hash(&bytes) != side.crc32 {
            return Err(StoreError::damaged(&side.file, "its checksum is not the one in the manifest"));
        }
        let index = Self::decode(bytes).ok_or_else(|| StoreError::damaged(&side.file, "it is cut"))?;
        if index.rows != segment.rows_in_file() {
            return Err(StoreError::damaged(&side.file, "it is of other rows than the segment has"));
        }
        Ok(Some(Arc::new(index)))
    }

    pub(super) fn decode(bytes: Bytes) -> Option<Self> {
        let size = bytes.len();
        let mut rest = bytes;
        let take = |rest: &mut Bytes, bytes: usize| (bytes <= rest.len()).then(|| rest.split_to(bytes));
        let number = |rest: &mut Bytes| Some(u32::from_le_bytes(take(rest, 4)?.as_ref().try_into().ok()?));
        if take(&mut rest, MAGIC.len())? != MAGIC[..] {
            return None;
        }
        let (mut columns, mut rows) = (HashMap::new(), 0);
        for _ in 0..number(&mut rest)? {
            let length = number(&mut rest)? as usize;
            let name = String::from_utf8(take(&mut rest, length)?.to_vec()).ok()?;
            let width = number(&mut rest).filter(|width| (NARROWEST..=WIDEST).contains(width))?;
            let count = number(&mut rest)? as usize;
            let blocks = take(&mut rest, count.checked_mul(4)?)?;
            let (blocks, _) = blocks.as_chunks::<4>();
            let blocks: Vec<u32> = blocks.iter().map(|rows| u32::from_le_bytes(*rows)).collect();
            let bits = take(&mut rest, bit_bytes(count, width))?;
            let of_column = blocks.iter().map(|rows| u64::from(*rows)).sum();
            if !columns.is_empty() && rows != of_column {
                return None;
            }
            rows = of_column;
            columns.insert(name, Column { width, blocks, bits });
        }
        Some(Self { columns, rows, bytes: size })
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The rows of the file that may have a text with this part in a column; `None` where all may.
    pub fn rows(&self, column: &str, part: &TextPart) -> Option<BooleanBuffer> {
        let column = self.columns.get(column)?;
        let mut rows = BooleanBufferBuilder::new(0);
        for (number, count) in column.blocks.iter().enumerate() {
            rows.append_n(*count as usize, column.may_have(number, part));
        }
        Some(rows.finish())
    }
}

impl Column {
    fn has(&self, block: usize, place: usize) -> bool {
        let bit = place * self.blocks.len() + block;
        self.bits[bit / 8] >> (bit % 8) & 1 == 1
    }

    fn may_have(&self, block: usize, part: &TextPart) -> bool {
        part.any_case && self.has(block, 1 << self.width)
            || part.decoded && self.has(block, (1 << self.width) + 1)
            || part.trigrams.iter().all(|trigram| self.has(block, place(*trigram, self.width)))
    }
}
