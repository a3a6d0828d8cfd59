//! Traces of which more waits than should be in memory: put in order by what is short in their spans, then merged piece
//! by piece.

use std::ops::Range;
use std::path::Path;

use arrow::array::RecordBatch;

use super::error::Result;
use super::import_buffer::{NOWHERE, hand_out};
use super::merge::{Counts, Deleted, Merged, Rows, Text, slim, with_texts};
use super::segment::Sizes;
use super::sizes::{cut, row_sizes};
use super::spill::{IN_MEMORY, Slot, Spill};
use spanql_trace::Summaries;

/// Waiting rows of traces whose order is known.
pub(crate) struct Ordered {
    /// The merged spans with the columns that trees and summaries are computed from.
    pub(crate) slim: Merged,
    /// About how many bytes each of them takes in memory.
    sizes: Vec<u64>,
    stored: Vec<Slot>,
    arrived: Vec<Slot>,
}

/// Rows of traces in pieces that fit in memory.
pub(crate) struct Pieces {
    pub(crate) slim: Merged,
    pub(crate) pieces: Vec<Piece>,
}

/// Whole traces, or a part of one.
pub(crate) struct Piece {
    /// The section it is of, see [`Ordered::cut`].
    pub(crate) section: usize,
    /// Its traces, by their numbers.
    pub(crate) traces: Vec<usize>,
    /// Whether its trace does not end with it, or did not begin with it.
    pub(crate) is_part: bool,
    /// Whether its traces begin with it.
    pub(crate) begins: bool,
    /// About how many bytes all of its traces take in memory, also those parts that are not in it.
    pub(crate) trace_bytes: u64,
    spans: Vec<usize>,
    stored: Vec<Slot>,
    arrived: Vec<Slot>,
}

impl Ordered {
    /// Finds the order of rows that the store holds and of rows that arrived, one batch in memory at a time.
    pub(crate) fn of(stored: Vec<Slot>, arrived: Vec<Slot>, deleted: Option<&Deleted>) -> Result<Self> {
        let mut sizes: Vec<Vec<u64>> = Vec::new();
        let mut read = |slots: &[Slot]| -> Result<Vec<RecordBatch>> {
            let one = |slot: &Slot| {
                let batch = slot.load()?;
                sizes.push(row_sizes(&batch));
                slim(&batch)
            };
            slots.iter().map(one).collect()
        };
        let rows = Rows::new(read(&stored)?, read(&arrived)?);
        let slim = rows.merge(deleted)?;
        Ok(Self { sizes: slim.sizes_of(&sizes), slim, stored, arrived })
    }

    /// Cuts sections, each some traces in order, into pieces: row groups of whole traces, or of a part of one that is
    /// larger than a row group may be.
    pub(crate) fn cut(self, sections: &[Vec<usize>], sizes: &Sizes, spill_dir: &Path) -> Result<Pieces> {
        let mut pieces: Vec<Piece> = Vec::new();
        for (section, traces) in sections.iter().enumerate() {
            let bytes = |&trace: &usize| self.sizes[self.slim.traces[trace].spans.clone()].iter().sum::<u64>();
            let bytes: Vec<u64> = traces.iter().map(bytes).collect();
            for group in groups(&self.slim, traces, &bytes, sizes) {
                let trace_bytes = bytes[group.clone()].iter().sum();
                let spans = self.slim.spans_of(&traces[group.clone()]);
                let each: Vec<u64> = spans.iter().map(|&span| self.sizes[span]).collect();
                let parts = cut(&each, sizes.huge_rows, sizes.huge_bytes);
                for part in &parts {
                    pieces.push(Piece {
                        section,
                        traces: traces[group.clone()].to_vec(),
                        is_part: parts.len() > 1,
                        begins: part.start == 0,
                        trace_bytes,
                        spans: spans[part.clone()].to_vec(),
                        stored: Vec::new(),
                        arrived: Vec::new(),
                    });
                }
            }
        }
        let stored = self.stored.len();
        let mut numbers: Vec<Vec<u32>> = Vec::new();
        for slot in self.stored.iter().chain(&self.arrived) {
            numbers.push(vec![NOWHERE; slot.rows]);
        }
        for (number, piece) in pieces.iter().enumerate() {
            for &(batch, row) in piece.spans.iter().flat_map(|&span| self.slim.row_refs_of(span)) {
                numbers[batch][row] = number as u32;
            }
        }
        let arrived_numbers = numbers.split_off(stored);
        let spread = |slots: &[Slot], numbers: Vec<Vec<u32>>| {
            let spill = Spill::new(spill_dir.to_owned(), IN_MEMORY);
            hand_out(spill, slots.iter().zip(numbers), pieces.len())
        };
        let (held, came) = (spread(&self.stored, numbers)?, spread(&self.arrived, arrived_numbers)?);
        for (piece, (held, came)) in pieces.iter_mut().zip(held.into_iter().zip(came)) {
            (piece.stored, piece.arrived) = (held, came);
        }
        Ok(Pieces { slim: self.slim, pieces })
    }
}

/// Runs of traces that make a row group together: at least one each.
pub(crate) fn groups(merged: &Merged, traces: &[usize], bytes: &[u64], sizes: &Sizes) -> Vec<Range<usize>> {
    let mut groups = Vec::new();
    let mut from = 0;
    while from < traces.len() {
        let (mut to, mut rows, mut size) = (from, 0, 0);
        while to < traces.len() {
            let (more_rows, more_bytes) = (merged.traces[traces[to]].spans.len(), bytes[to]);
            if to > from && (rows + more_rows > sizes.group_rows || size + more_bytes > sizes.group_bytes) {
                break;
            }
            (to, rows, size) = (to + 1, rows + more_rows, size + more_bytes);
        }
        groups.push(from..to);
        from = to;
    }
    groups
}

impl Pieces {
    /// The pieces of a section with their numbers, in order.
    pub(crate) fn of(&self, section: usize) -> impl Iterator<Item = (usize, &Piece)> {
        self.pieces.iter().enumerate().filter(move |(_, piece)| piece.section == section)
    }

    /// The merged rows of a piece.
    pub(crate) fn merge(&self, piece: &Piece) -> Result<Merged> {
        let load = |slots: &[Slot]| slots.iter().map(Slot::load).collect::<Result<Vec<_>>>();
        Rows::new(load(&piece.stored)?, load(&piece.arrived)?).merge_below(self.slim.tree_of(&piece.spans)?)
    }

    /// Compares what the store held with what it will hold: notes which traces change, and counts spans.
    pub(crate) fn compare(&mut self) -> Result<Counts> {
        let mut counts = Counts { deleted: self.slim.counts.deleted, ..Counts::default() };
        for at in 0..self.pieces.len() {
            let piece = &self.pieces[at];
            let merged = self.merge(piece)?;
            counts += merged.counts;
            for (&trace, merged) in piece.traces.iter().zip(&merged.traces) {
                self.slim.traces[trace].changed |= merged.changed;
            }
        }
        Ok(counts)
    }

    /// The summaries of the traces that begin with a piece, of which this is what was merged.
    pub(crate) fn summaries(&self, piece: &Piece, merged: &Merged) -> Result<Summaries> {
        if !piece.is_part {
            return merged.summaries(&(0..merged.traces.len()).collect::<Vec<_>>());
        }
        let (summaries, speakers) = self.slim.summaries_without_texts(&piece.traces)?;
        // Spans are asked in order, or in the opposite one: the piece of the last one is likely that of the next, too.
        let mut at_hand: Option<(usize, Merged)> = None;
        let mut texts = Vec::with_capacity(speakers.len());
        for speakers in &speakers {
            let mut text = |text: Text| {
                speakers.find(text, &mut |span, source| {
                    let mut likely = at_hand.iter().map(|(number, _)| *number).chain(0..self.pieces.len());
                    let found = likely.find_map(|number| Some((number, self.pieces[number].place_of(span)?)));
                    let Some((number, place)) = found else { return Ok(None) };
                    let its = &self.pieces[number];
                    if std::ptr::eq(its, piece) {
                        return merged.text_from(text, place, source);
                    }
                    if at_hand.as_ref().is_none_or(|(at_hand, _)| *at_hand != number) {
                        at_hand = None;
                        at_hand = Some((number, self.merge(its)?));
                    }
                    at_hand.as_ref().map_or(Ok(None), |(_, merged)| merged.text_from(text, place, source))
                })
            };
            texts.push([text(Text::Input)?, text(Text::Output)?]);
        }
        let rows = with_texts(&summaries.rows, &texts)?;
        Ok(Summaries { rows, ..summaries })
    }
}

impl Piece {
    /// Where a span is in it.
    fn place_of(&self, span: usize) -> Option<usize> {
        // Sections list their traces in order.
        self.spans.binary_search(&span).ok()
    }
}
