//! Tables with one column a line: for few rows of long values.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;

use super::Error;
use super::buffer::Buffer;
use super::clip::clip;
use super::color::{BOLD, DIM, PLAIN};
use super::encode::{Encoder, Style};
use super::table::Look;
use super::view::fold_all;

/// The widest that a column's name is shown, and the narrowest that a value is folded to.
const WIDEST_NAME: usize = 48;
const NARROWEST: usize = 20;
/// The width of a value where none is wanted.
const UNFOLDED: usize = 1 << 30;

/// Writes each row as a block: a rule with its number, then a line for each column; values are folded, never cut.
pub(super) struct RecordWriter<W> {
    out: Buffer<W>,
    look: Look,
    /// Safe names and their widths.
    names: Vec<(String, usize)>,
    width: usize,
    rows: u64,
}

impl<W: Write> RecordWriter<W> {
    pub(super) fn new(out: W, schema: &Schema, look: Look) -> Self {
        let names = schema.fields().iter().map(|field| {
            let mut name = String::new();
            let width = clip(field.name(), WIDEST_NAME, &mut name).width;
            (name, width)
        });
        let names: Vec<_> = names.collect();
        let width = names.iter().map(|(_, width)| *width).max().unwrap_or_default();
        let mut out = Buffer::new(out);
        if let Some(fence) = &look.fence {
            out.bytes.extend_from_slice(format!("{}\n", fence.opening()).as_bytes());
        }
        Self { out, look, names, width, rows: 0 }
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let style = Style::Human(self.look.zone);
        let encoders =
            batch.columns().iter().map(|c| Encoder::new(c.as_ref(), style)).collect::<Result<Vec<_>, _>>()?;
        let (bold, dim, plain) = if self.look.color { (BOLD, DIM, PLAIN) } else { ("", "", "") };
        let room = self.look.width.map_or(UNFOLDED, |width| width.saturating_sub(self.width + 3).max(NARROWEST));
        let mut raw = Vec::new();
        for row in 0..batch.num_rows() {
            self.rows += 1;
            let title = format!("─[ {} ]", self.rows);
            let rule = "─".repeat((self.width + 3).saturating_sub(title.chars().count()).max(3));
            self.out.bytes.extend_from_slice(format!("{dim}{title}{rule}{plain}\n").as_bytes());
            for (encoder, (name, width)) in encoders.iter().zip(&self.names) {
                let pad = " ".repeat(self.width - width);
                let line = format!("{bold}{name}{plain}{pad} {dim}│{plain} ");
                self.out.bytes.extend_from_slice(line.as_bytes());
                if encoder.is_null(row) {
                    self.out.bytes.extend_from_slice(format!("{dim}NULL{plain}\n").as_bytes());
                    continue;
                }
                raw.clear();
                encoder.value(row, &mut raw);
                let mut first = true;
                let indent = " ".repeat(self.width);
                fold_all(&String::from_utf8_lossy(&raw), room, |line| {
                    if !first {
                        self.out.bytes.extend_from_slice(format!("{indent} {dim}│{plain} ").as_bytes());
                    }
                    first = false;
                    self.out.bytes.extend_from_slice(line.as_bytes());
                    self.out.bytes.push(b'\n');
                    self.out.row_done()
                })?;
                if first {
                    self.out.bytes.push(b'\n');
                }
            }
            self.out.row_done()?;
        }
        self.out.pass_on()?;
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<(), Error> {
        if let Some(fence) = &self.look.fence {
            self.out.bytes.extend_from_slice(format!("{}\n", fence.closing()).as_bytes());
        }
        Ok(self.out.finish()?)
    }
}
