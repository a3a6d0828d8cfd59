//! What a span says, below its line in a tree.

use std::io::Write;

use super::super::Error;
use super::super::color::{CYAN, DIM, GREEN, RED};
use super::layout::INDENT;
use super::line::Line;
use super::spans::Span;
use super::wrap::fold_all;

/// Columns of a label and the blank after it; where there is less room, of its first letter.
const LABEL: usize = 7;
const INITIAL: usize = 2;
/// Columns of a bar and a blank before the text, which tell it from the tree.
const BAR: usize = 2;
/// Columns of a terminal below which branches are left out, and those below which labels are cut.
const NARROW: usize = 48;
const VERY_NARROW: usize = 24;

/// Writes why a span failed, its input and its output, folded to `width` columns and not cut.
///
/// `branches` stand before every line, and the labels at the column `begin`, if there is room for both.
pub(super) fn write_texts(
    line: &mut Line,
    span: &Span<'_>,
    branches: &str,
    begin: usize,
    width: usize,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let (branches, begin) = if width < NARROW { ("", INDENT) } else { (branches, begin) };
    let labels = if width < VERY_NARROW { INITIAL } else { LABEL };
    let room = width.saturating_sub(begin + labels + BAR).max(1);
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
            // A label is cut without a sign of it.
            let label = label.take().unwrap_or_default();
            line.add(label.get(..labels - 1).unwrap_or(label), color);
            line.advance(begin + labels);
            line.add("│", color);
            line.blank(1);
            line.add(words, tint);
            Ok(line.end(out)?)
        })?;
    }
    Ok(())
}
