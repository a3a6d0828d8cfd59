//! What a span says, below its line in a tree.

use std::io::Write;

use super::super::Error;
use super::super::color::{CYAN, DIM, GREEN, RED};
use super::layout::INDENT;
use super::line::Line;
use super::spans::Span;
use super::wrap::fold_all;

/// Columns of a label and the blank after it.
const LABEL: usize = 7;
/// Columns before the text: the label, a bar and a blank.
const BEFORE: usize = LABEL + 2;
/// Columns of a terminal below which branches are left out, and those below which labels are.
const NARROW: usize = 48;
const VERY_NARROW: usize = 24;

/// Writes why a span failed, its input and its output, folded to `width` columns and not cut.
///
/// `branches` stand before every line, and the labels at the column `begin`, if there is room for them.
pub(super) fn write_texts(
    line: &mut Line,
    span: &Span<'_>,
    branches: &str,
    begin: usize,
    width: usize,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let (branches, begin) = if width < NARROW { ("", INDENT) } else { (branches, begin) };
    let before = if width < VERY_NARROW { 0 } else { BEFORE };
    let room = width.saturating_sub(begin + before).max(1);
    let texts = [("error", RED, span.failure), ("input", CYAN, span.input), ("output", GREEN, span.output)];
    for (label, color, text) in texts {
        let Some(text) = text.filter(|text| !text.is_empty()) else { continue };
        let is_blank = text.trim().is_empty();
        let (text, tint) = match (is_blank, label) {
            (true, _) => ("(blank)", DIM),
            (false, "error") => (text, RED),
            (false, _) => (text, ""),
        };
        let mut label = Some(label);
        fold_all::<Error>(text, room, |words| {
            line.blank(INDENT);
            line.add(branches, DIM);
            line.advance(begin);
            if before > 0 {
                let at = line.column();
                line.put(label.take().unwrap_or_default(), LABEL, color);
                line.advance(at + LABEL);
                line.add("│", color);
                line.blank(1);
            }
            line.add(words, tint);
            Ok(line.end(out)?)
        })?;
    }
    Ok(())
}
