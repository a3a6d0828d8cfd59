//! The spans of one item, handed out one by one, so that an item is never held twice.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use spanql_model::json::{MAX_DEPTH, Scanner};

use super::parts::ends_at;
use super::row::Row;

/// What is known of a span from what it lies in.
#[derive(Debug, Default)]
pub(in crate::files) struct Around {
    /// Members of every row, each with a comma after it.
    pub(super) members: String,
    /// What is said of some spans only, by what these say of themselves; each shape has its own use for it.
    pub(super) named: HashMap<String, String>,
}

impl Around {
    /// What is said of spans by the ids of their traces.
    pub(in crate::files) fn of_threads(named: HashMap<String, String>) -> Self {
        Self { members: String::new(), named }
    }

    /// The members for this name.
    pub(super) fn named(&self, name: &str) -> Option<&str> {
        self.named.get(name).map(String::as_str)
    }
}

/// Reads a value: either writes the row of a span, or names what in it is to be read.
pub(in crate::files) type Turn = fn(&str, &Arc<Around>, &mut Out<'_>);

/// What becomes of a value.
#[derive(Debug)]
pub(in crate::files) struct Out<'a> {
    /// The row, if the value is a span.
    pub(super) row: &'a mut Row,
    /// Why the value is none, if it should be one.
    pub(super) bad: Option<String>,
    item: &'a str,
    todo: &'a mut Vec<Piece>,
}

impl Out<'_> {
    /// The elements of a list in the value are to be read, each as `turn` does; `holder` says that these hold spans and
    /// are read also where the last is cut off.
    pub(super) fn each(&mut self, list: &str, turn: Turn, holder: bool, around: &Arc<Around>) {
        let Some(at) = self.place(list) else { return };
        self.todo.push(Piece { at: at.start + 1..at.end, list: true, holder, turn, around: Arc::clone(around) });
    }

    /// A value in the value is to be read as `turn` does.
    pub(super) fn one(&mut self, value: &str, turn: Turn, around: &Arc<Around>) {
        let Some(at) = self.place(value) else { return };
        self.todo.push(Piece { at, list: false, holder: true, turn, around: Arc::clone(around) });
    }

    /// Where a slice of the item is in it.
    fn place(&self, part: &str) -> Option<Range<usize>> {
        let start = (part.as_ptr() as usize).checked_sub(self.item.as_ptr() as usize)?;
        let end = start + part.len();
        (end <= self.item.len()).then_some(start..end)
    }
}

/// A part of the item that is still to be read.
#[derive(Debug)]
struct Piece {
    at: Range<usize>,
    /// Whether these are the elements of a list, from some element on.
    list: bool,
    holder: bool,
    turn: Turn,
    around: Arc<Around>,
}

/// What comes next of an item.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::files) enum Next {
    /// A row has been written.
    Row,
    /// Something that should be a span is none.
    Bad(String),
    /// There is nothing more.
    End,
}

/// The spans of one item.
#[derive(Debug)]
pub(in crate::files) struct Spans {
    text: String,
    todo: Vec<Piece>,
    /// The spans handed out so far.
    count: u64,
    /// Whether the item is a span itself.
    one: bool,
}

impl Spans {
    /// The spans of the item of this text, which is read as `turn` does.
    pub(in crate::files) fn new(text: String, turn: Turn, one: bool, around: Arc<Around>) -> Self {
        let piece = Piece { at: 0..text.len(), list: false, holder: true, turn, around };
        Self { text, todo: vec![piece], count: 0, one }
    }

    /// The text of the item again.
    pub(in crate::files) fn into_text(self) -> String {
        self.text
    }

    /// Whether the item is one span itself.
    pub(in crate::files) fn is_one(&self) -> bool {
        self.one
    }

    /// How many spans have been handed out.
    pub(in crate::files) fn count(&self) -> u64 {
        self.count
    }

    /// Writes the next row.
    pub(in crate::files) fn next(&mut self, row: &mut Row) -> Next {
        row.clear();
        while let Some(mut piece) = self.todo.pop() {
            let (turn, around) = (piece.turn, Arc::clone(&piece.around));
            let at = if piece.list {
                let Some(element) = element(&self.text, &mut piece) else { continue };
                if !piece.at.is_empty() {
                    self.todo.push(piece);
                }
                element
            } else {
                piece.at
            };
            let before = self.todo.len();
            let part = self.text.get(at).unwrap_or("");
            let mut out = Out { row: &mut *row, bad: None, item: &self.text, todo: &mut self.todo };
            turn(part, &around, &mut out);
            let bad = out.bad;
            // The last is taken first.
            if let Some(new) = self.todo.get_mut(before..) {
                new.reverse();
            }
            if bad.is_some() || !row.is_empty() {
                self.count += 1;
                return bad.map_or(Next::Row, Next::Bad);
            }
        }
        Next::End
    }
}

/// Takes the next element off a list; nothing at its end, and where the text ends inside an element that is a span.
fn element(text: &str, piece: &mut Piece) -> Option<Range<usize>> {
    let rest = text.get(piece.at.clone())?;
    let mut scanner = Scanner::new(rest);
    scanner.blanks();
    scanner.eat(b',');
    scanner.blanks();
    let start = scanner.position();
    let from = piece.at.start;
    match scanner.value(MAX_DEPTH) {
        Ok(_) => {
            let end = from + scanner.position();
            piece.at.start = end;
            Some(from + start..end)
        }
        Err(_) => {
            let at = from + start..piece.at.end;
            piece.at.start = piece.at.end;
            (piece.holder && !at.is_empty() && ends_at(rest, scanner.position())).then_some(at)
        }
    }
}
