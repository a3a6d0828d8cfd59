//! Tables for people.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use chrono_tz::Tz;

use super::buffer::Buffer;
use super::clip::{Clip, clip};
use super::color::{BOLD, DIM, PLAIN};
use super::encode::{Encoder, Style, is_number};
use super::layout::{Slot, fit};
use super::{Error, Fence};

/// Widths are fixed when this many rows are held, or this much text.
const HELD_ROWS: usize = 10_000;
const HELD_TEXT: usize = 32 << 20;

const NULL: &str = "NULL";

/// How a table is to look.
pub(super) struct Look {
    pub(super) color: bool,
    pub(super) zone: Tz,
    /// Columns of the terminal; `None`: nothing is cut.
    pub(super) width: Option<usize>,
    pub(super) fence: Option<Fence>,
}

/// What did not fit the terminal, by position.
#[derive(Debug, Default)]
pub(super) struct Unfit {
    pub(super) shrunk: Vec<usize>,
    pub(super) dropped: Vec<usize>,
}

/// Writes a framed table.
///
/// The first rows are held to find the widths; all later rows are written as they come, in the same widths. A later cell
/// that is wider is cut if the terminal's width is known, else it pushes the rest of its row to the right.
pub(super) struct TableWriter<W> {
    out: Buffer<W>,
    look: Look,
    columns: Vec<Column>,
    held: Held,
    slots: Option<Vec<Slot>>,
}

struct Column {
    header: String,
    header_width: usize,
    right: bool,
    /// Whether its cells are of no use when they are cut: ids are copied.
    whole: bool,
    shrunk: bool,
}

/// Rows that are not yet written: safe text, already clipped to the width of the terminal.
#[derive(Default)]
struct Held {
    text: String,
    /// Cells row by row.
    cells: Vec<Cell>,
    rows: usize,
}

struct Cell {
    /// Where the cell's text ends in the held text; it begins where the one before ends.
    end: usize,
    clip: Clip,
    null: bool,
}

impl<W: Write> TableWriter<W> {
    pub(super) fn new(out: W, schema: &Schema, look: Look) -> Self {
        let columns = schema.fields().iter().map(|field| {
            let mut header = String::new();
            let clip = clip(field.name(), usize::MAX, &mut header);
            let (right, whole) = (is_number(field.data_type()), is_id(field.name()));
            Column { header, header_width: clip.width, right, whole, shrunk: false }
        });
        let columns = columns.collect();
        Self { out: Buffer::new(out), look, columns, held: Held::default(), slots: None }
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let style = Style::Human(self.look.zone);
        let encoders =
            batch.columns().iter().map(|c| Encoder::new(c.as_ref(), style)).collect::<Result<Vec<_>, _>>()?;
        let limit = self.look.width.unwrap_or(usize::MAX);
        let mut raw = Vec::new();
        for row in 0..batch.num_rows() {
            for encoder in &encoders {
                raw.clear();
                let null = encoder.is_null(row);
                if null {
                    raw.extend_from_slice(NULL.as_bytes());
                } else {
                    encoder.value(row, &mut raw);
                }
                let clip = clip(&String::from_utf8_lossy(&raw), limit, &mut self.held.text);
                self.held.cells.push(Cell { end: self.held.text.len(), clip, null });
            }
            self.held.rows += 1;
            if self.slots.is_some() || self.held.rows >= HELD_ROWS || self.held.text.len() >= HELD_TEXT {
                self.release()?;
            }
        }
        if self.slots.is_some() {
            self.out.pass_on()?;
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Unfit, Error> {
        self.release()?;
        let slots = self.slots.take().unwrap_or_default();
        if !slots.is_empty() {
            self.rule(&slots, ["└", "┴", "┘"]);
        }
        if let Some(fence) = &self.look.fence {
            self.out.bytes.extend_from_slice(format!("{}\n", fence.closing()).as_bytes());
        }
        self.out.finish()?;
        let kept = |index: &usize| slots.iter().any(|slot| matches!(slot, Slot::Column { index: i, .. } if i == index));
        let (kept, dropped): (Vec<_>, Vec<_>) = (0..self.columns.len()).partition(kept);
        Ok(Unfit { shrunk: kept.into_iter().filter(|&index| self.columns[index].shrunk).collect(), dropped })
    }

    /// Writes the rows held so far, after fixing the widths if that is still to do.
    fn release(&mut self) -> Result<(), Error> {
        let slots = match self.slots.take() {
            Some(slots) => slots,
            None => self.begin(),
        };
        let held = std::mem::take(&mut self.held);
        let columns = self.columns.len();
        let rows = if slots.is_empty() { 0 } else { held.rows };
        for row in 0..rows {
            self.out.bytes.extend_from_slice("│".as_bytes());
            for slot in &slots {
                match *slot {
                    Slot::Gap => self.out.bytes.extend_from_slice(" … │".as_bytes()),
                    Slot::Column { index, width } => {
                        let at = row * columns + index;
                        let start = if at == 0 { 0 } else { held.cells[at - 1].end };
                        let cell = &held.cells[at];
                        let color = if cell.null { DIM } else { "" };
                        self.cell(index, width, &held.text[start..cell.end], cell.clip, color);
                    }
                }
            }
            self.out.bytes.push(b'\n');
            self.out.row_done()?;
        }
        self.held = held.emptied();
        self.slots = Some(slots);
        Ok(())
    }

    /// Fixes the widths from what is held and writes everything above the first row.
    fn begin(&mut self) -> Vec<Slot> {
        let mut natural: Vec<usize> = self.columns.iter().map(|column| column.header_width).collect();
        for row in self.held.cells.chunks(self.columns.len().max(1)) {
            for (width, cell) in natural.iter_mut().zip(row) {
                *width = cell.clip.width.max(*width);
            }
        }
        let whole: Vec<bool> = self.columns.iter().map(|column| column.whole).collect();
        let slots = fit(&natural, &whole, self.look.width);
        if let Some(fence) = &self.look.fence {
            self.out.bytes.extend_from_slice(format!("{}\n", fence.opening()).as_bytes());
        }
        if slots.is_empty() {
            return slots;
        }
        self.rule(&slots, ["┌", "┬", "┐"]);
        self.out.bytes.extend_from_slice("│".as_bytes());
        for slot in &slots {
            match *slot {
                Slot::Gap => self.out.bytes.extend_from_slice(" … │".as_bytes()),
                Slot::Column { index, width } => {
                    let header = std::mem::take(&mut self.columns[index].header);
                    let clip = Clip { width: self.columns[index].header_width, cut: false };
                    self.cell(index, width, &header, clip, BOLD);
                }
            }
        }
        self.out.bytes.push(b'\n');
        self.rule(&slots, ["├", "┼", "┤"]);
        slots
    }

    fn rule(&mut self, slots: &[Slot], [left, middle, right]: [&str; 3]) {
        for (at, slot) in slots.iter().enumerate() {
            let width = if let Slot::Column { width, .. } = slot { *width } else { 1 };
            self.out.bytes.extend_from_slice(if at == 0 { left } else { middle }.as_bytes());
            self.out.bytes.extend("─".as_bytes().iter().cycle().take((width + 2) * "─".len()));
        }
        self.out.bytes.extend_from_slice(right.as_bytes());
        self.out.bytes.push(b'\n');
    }

    /// Writes one cell and the frame right of it.
    fn cell(&mut self, index: usize, width: usize, text: &str, clipped: Clip, color: &str) {
        let column = &mut self.columns[index];
        let mut short = String::new();
        let mut shown = (text, clipped.width);
        if self.look.width.is_some() && (clipped.cut || clipped.width > width) {
            column.shrunk = true;
            let rest = clip(text, width - 1, &mut short);
            short.push('…');
            shown = (&short, rest.width + 1);
        }
        let right = column.right;
        let bytes = &mut self.out.bytes;
        let color = if self.look.color { color } else { "" };
        let blanks = width.saturating_sub(shown.1);
        bytes.push(b' ');
        if right {
            bytes.resize(bytes.len() + blanks, b' ');
        }
        bytes.extend_from_slice(color.as_bytes());
        bytes.extend_from_slice(shown.0.as_bytes());
        if !color.is_empty() {
            bytes.extend_from_slice(PLAIN.as_bytes());
        }
        if !right {
            bytes.resize(bytes.len() + blanks, b' ');
        }
        bytes.extend_from_slice(" │".as_bytes());
    }
}

/// Whether a column holds ids, by its name.
fn is_id(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "id" || name.ends_with("_id") || name.ends_with(".id")
}

impl Held {
    /// Keeps the memory for the next rows.
    fn emptied(mut self) -> Self {
        self.text.clear();
        self.text.shrink_to(1 << 20);
        self.cells.clear();
        self.rows = 0;
        self
    }
}
