//! A line that never grows beyond its width.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr;

use super::super::clip::{shorten, shorten_middle};
use super::super::color::PLAIN;

/// Collects the pieces of one line after the other.
///
/// Every text passes the sanitising of tables on its way in. Blanks at the end of a line are not written.
#[derive(Debug)]
pub(super) struct Line {
    text: String,
    /// Terminal columns of the text.
    used: usize,
    /// Blanks that come before the next piece.
    blanks: usize,
    width: usize,
    color: bool,
}

impl Line {
    /// A line of at most `width` terminal columns.
    pub(super) fn new(width: usize, color: bool) -> Self {
        Self { text: String::new(), used: 0, blanks: 0, width, color }
    }

    /// The column at which the next piece begins.
    pub(super) fn column(&self) -> usize {
        self.used + self.blanks
    }

    /// Leaves columns blank.
    pub(super) fn blank(&mut self, columns: usize) {
        self.blanks += columns;
    }

    /// Leaves columns blank up to the given one, if it is not reached yet.
    pub(super) fn advance(&mut self, column: usize) {
        self.blanks += column.saturating_sub(self.column());
    }

    /// Adds a text, cut to `limit` columns and to the room there is.
    pub(super) fn put(&mut self, text: &str, limit: usize, color: &str) {
        self.push(text, limit, color, shorten);
    }

    /// Adds a text, cut in its middle to `limit` columns and to the room there is.
    pub(super) fn put_ends(&mut self, text: &str, limit: usize, color: &str) {
        self.push(text, limit, color, shorten_middle);
    }

    fn push(&mut self, text: &str, limit: usize, color: &str, cut: fn(&str, usize, &mut String) -> usize) {
        let limit = limit.min(self.width.saturating_sub(self.column()));
        if text.is_empty() || limit == 0 {
            return;
        }
        self.text.extend(std::iter::repeat_n(' ', self.blanks));
        self.used += std::mem::take(&mut self.blanks);
        let color = if self.color { color } else { "" };
        self.text.push_str(color);
        self.used += cut(text, limit, &mut self.text);
        if !color.is_empty() {
            self.text.push_str(PLAIN);
        }
    }

    /// Adds a text, cut to the room there is.
    pub(super) fn add(&mut self, text: &str, color: &str) {
        self.put(text, usize::MAX, color);
    }

    /// Adds a text at the right end of a cell.
    pub(super) fn add_right(&mut self, text: &str, cell: usize, color: &str) {
        self.blank(cell.saturating_sub(text.width()));
        self.put(text, cell, color);
    }

    /// Whether there is no piece yet.
    pub(super) fn is_blank(&self) -> bool {
        self.text.is_empty()
    }

    /// Begins anew without writing.
    pub(super) fn discard(&mut self) {
        self.text.clear();
        self.used = 0;
        self.blanks = 0;
    }

    /// Writes the line and begins the next.
    pub(super) fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.text.push('\n');
        out.write_all(self.text.as_bytes())?;
        self.discard();
        Ok(())
    }

    /// Writes facts with dots between them, on as many lines as they need, all indented.
    pub(super) fn facts(&mut self, facts: &[(String, &str)], indent: usize, out: &mut dyn Write) -> io::Result<()> {
        const BETWEEN: &str = " · ";
        let facts = facts.iter().filter(|(fact, _)| !fact.is_empty());
        let mut shown = String::new();
        for (at, (fact, color)) in facts.enumerate() {
            shown.clear();
            let width = shorten(fact, self.width.saturating_sub(indent), &mut shown);
            if at > 0 && self.column() + BETWEEN.width() + width > self.width {
                self.end(out)?;
            } else if at > 0 {
                self.add(BETWEEN, super::super::color::DIM);
            }
            self.advance(indent);
            self.add(&shown, color);
        }
        if self.column() > 0 { self.end(out) } else { Ok(()) }
    }
}
