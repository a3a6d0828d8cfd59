//! Signatures of the blocks of a segment that is written.

use arrow::array::{Array, ArrayRef, AsArray};

use super::file::{Block, encode};
use super::trigrams::{is_escaped, is_odd};
use spanql_model::columns::{INPUT, INPUT_MESSAGES, OUTPUT, OUTPUT_MESSAGES};

/// Columns of long texts.
const COLUMNS: [&str; 5] = [INPUT, OUTPUT, INPUT_MESSAGES, OUTPUT_MESSAGES, "attributes.retrieval.documents"];

/// Bytes of text after which a block ends.
const BLOCK: usize = 256 * 1024;

/// A side file takes no more than one byte for so many of the spans.
const SHARE: u64 = 16;

/// Whether a column has long texts.
pub(crate) fn is_indexed(column: &str) -> bool {
    COLUMNS.contains(&column)
}

/// Signatures of a segment that is written.
#[derive(Default)]
pub(crate) struct TextIndexBuilder {
    columns: [Column; COLUMNS.len()],
}

#[derive(Default)]
struct Column {
    blocks: Vec<Block>,
    open: Block,
    /// Bytes of text in the open block.
    bytes: usize,
    rows: u64,
}

impl TextIndexBuilder {
    /// Adds the next rows of a column, if its texts are long ones.
    pub(crate) fn add(&mut self, name: &str, values: &ArrayRef) {
        let Some(place) = COLUMNS.iter().position(|column| *column == name) else { return };
        // A column of another type misses rows then, and is left out.
        let Some(texts) = values.as_string_opt::<i32>() else { return };
        let column = &mut self.columns[place];
        column.rows += texts.len() as u64;
        if texts.null_count() == texts.len() {
            column.open.rows += texts.len() as u32;
            return;
        }
        for text in texts {
            column.add(text.unwrap_or_default().as_bytes());
        }
    }

    /// The side file of a segment of so many rows, the file of which has so many bytes; nothing where it would be too large.
    pub(crate) fn finish(self, rows: u64, bytes: u64) -> Option<Vec<u8>> {
        let mut columns = Vec::new();
        for (name, mut column) in COLUMNS.into_iter().zip(self.columns).filter(|(_, column)| column.rows == rows) {
            if column.open.rows > 0 {
                column.blocks.push(column.open);
            }
            columns.push((name, column.blocks));
        }
        (!columns.is_empty()).then(|| encode(&columns, bytes / SHARE)).flatten()
    }
}

impl Column {
    fn add(&mut self, text: &[u8]) {
        self.open.rows += 1;
        if text.is_empty() {
            return;
        }
        self.open.signature.get_or_insert_default().add(text);
        self.open.is_odd |= is_odd(text);
        self.open.is_escaped |= is_escaped(text);
        self.bytes += text.len();
        if self.bytes >= BLOCK {
            self.blocks.push(std::mem::take(&mut self.open));
            self.bytes = 0;
        }
    }
}
