//! Comma- and tab-separated values.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;

use super::Error;
use super::buffer::Buffer;
use super::encode::{Encoder, Style, is_number};

/// Writes a header and rows, quoted as RFC 4180 says, with `\n` at line ends.
///
/// A null is an empty field, an empty text is `""`. In a result of one column a null is `""` too, because readers take
/// an empty line for no row.
pub(super) struct DelimitedWriter<W> {
    out: Buffer<W>,
    delimiter: u8,
    /// Per column, whether spreadsheets are to be kept from reading its cells as formulas.
    guarded: Vec<bool>,
    cell: Vec<u8>,
}

impl<W: Write> DelimitedWriter<W> {
    /// `safe`: text that a spreadsheet would take for a formula gets a leading apostrophe.
    pub(super) fn new(out: W, schema: &Schema, delimiter: u8, safe: bool) -> Self {
        let guarded = schema.fields().iter().map(|field| safe && !is_number(field.data_type())).collect();
        let mut writer = Self { out: Buffer::new(out), delimiter, guarded, cell: Vec::new() };
        for (at, field) in schema.fields().iter().enumerate() {
            writer.separate(at);
            push_field(field.name().as_bytes(), delimiter, safe, &mut writer.out.bytes);
        }
        writer.out.bytes.push(b'\n');
        writer
    }

    fn separate(&mut self, at: usize) {
        if at > 0 {
            self.out.bytes.push(self.delimiter);
        }
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let encoders =
            batch.columns().iter().map(|c| Encoder::new(c.as_ref(), Style::Plain)).collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            for (at, encoder) in encoders.iter().enumerate() {
                self.separate(at);
                if !encoder.is_null(row) {
                    self.cell.clear();
                    encoder.value(row, &mut self.cell);
                    push_field(&self.cell, self.delimiter, self.guarded[at], &mut self.out.bytes);
                } else if encoders.len() == 1 {
                    self.out.bytes.extend_from_slice(b"\"\"");
                }
            }
            self.out.bytes.push(b'\n');
            self.out.row_done()?;
        }
        Ok(self.out.pass_on()?)
    }

    pub(super) fn finish(self) -> Result<(), Error> {
        Ok(self.out.finish()?)
    }
}

/// Whether a spreadsheet may take text for a formula: some pass by blanks and line breaks ahead of the sign, and take a
/// fullwidth sign for the plain one.
fn may_be_formula(text: &[u8]) -> bool {
    let begin = text.utf8_chunks().next().map(|chunk| chunk.valid()).unwrap_or_default();
    begin.starts_with(['\t', '\r'])
        || begin
            .trim_start_matches(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '\u{feff}' | '\u{200b}'))
            .starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'])
}

fn push_field(text: &[u8], delimiter: u8, guard: bool, out: &mut Vec<u8>) {
    let guard = guard && may_be_formula(text);
    let quote = text.is_empty() || text.iter().any(|b| matches!(b, b'"' | b'\n' | b'\r') || *b == delimiter);
    if quote {
        out.push(b'"');
    }
    if guard {
        out.push(b'\'');
    }
    if quote {
        for piece in text.split_inclusive(|b| *b == b'"') {
            out.extend_from_slice(piece);
            if piece.last() == Some(&b'"') {
                out.push(b'"');
            }
        }
        out.push(b'"');
    } else {
        out.extend_from_slice(text);
    }
}
