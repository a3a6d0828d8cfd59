//! CSV: whether a file ends inside quotes, which a reader that takes what it gets does not tell.

use std::io::{self, Read};

/// Where in a CSV text the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At the beginning of a record, or of an empty line, which is none.
    Record,
    /// At the beginning of a further cell.
    Cell,
    /// In a cell without quotes, or behind the closing quote of one: a quote here is only a character.
    Plain,
    Quoted,
    /// After a quote in a quoted cell: the next byte tells whether it closed the cell or stands for itself.
    Quote,
}

/// A CSV text on its way to a reader.
///
/// It knows no more than what cells and records are, in the same terms as the reader: commas, double quotes (doubled
/// to stand for themselves), and lines that end in CR, LF or both.
pub(super) struct Quotes<R> {
    inner: R,
    place: Place,
    line: u64,
    /// The line in which the current record began.
    record: u64,
    ended: bool,
    last: u8,
    crlf: bool,
}

impl<R> Quotes<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, place: Place::Record, line: 1, record: 1, ended: false, last: 0, crlf: false }
    }

    /// The line of the record that the file ends in, if it has ended, and inside quotes.
    pub(super) fn cut(&self) -> Option<u64> {
        (self.ended && self.place == Place::Quoted).then_some(self.record)
    }

    /// Whether lines end in CR and LF: then the reader starts each record at the LF before it, one line too early.
    pub(super) fn crlf(&self) -> bool {
        self.crlf
    }

    fn follow(&mut self, bytes: &[u8]) {
        let mut place = self.place;
        for byte in bytes {
            if place == Place::Record && !matches!(byte, b'\r' | b'\n') {
                self.record = self.line;
                place = Place::Cell;
            }
            place = match (place, byte) {
                (Place::Quoted, b'"') => Place::Quote,
                (Place::Quoted, _) | (Place::Cell | Place::Quote, b'"') => Place::Quoted,
                (_, b',') => Place::Cell,
                (_, b'\r' | b'\n') => Place::Record,
                _ => Place::Plain,
            };
            self.line += u64::from(*byte == b'\n');
            self.crlf |= *byte == b'\n' && self.last == b'\r' && place == Place::Record;
            self.last = *byte;
        }
        self.place = place;
    }
}

impl<R: Read> Read for Quotes<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.ended = count == 0 && !buffer.is_empty();
        self.follow(&buffer[..count]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads a text in pieces of that many bytes.
    fn cut(text: &str, piece: usize) -> Option<u64> {
        let mut quotes = Quotes::new(text.as_bytes());
        let mut buffer = vec![0; piece];
        while quotes.read(&mut buffer).unwrap() > 0 {
            assert_eq!(quotes.cut(), None, "a text is not cut before its end");
        }
        quotes.cut()
    }

    #[test]
    fn a_text_that_ends_in_quotes_is_cut() {
        for (text, want) in [
            ("", None),
            ("a,b\n", None),
            ("\"a\"", None),
            ("\"a\"\"", Some(1)),
            ("\"a\"\"\"", None),
            ("\"", Some(1)),
            ("a\"", None),
            ("a \"b,\"", Some(1)),
            (" \"a", None),
            ("\"a\"b\"", None),
            ("\"a\"\n\"", Some(2)),
            ("a\rb,\"", Some(1)),
            ("a\r\n\r\n\nb,\"\n\n", Some(4)),
            ("\"a\nb\",c\nd,\"e\n", Some(3)),
        ] {
            for piece in [1, 2, 100] {
                assert_eq!(cut(text, piece), want, "{text:?} in pieces of {piece}");
            }
        }
    }

    proptest! {
        #[test]
        fn the_reader_agrees(text in "[\",\r\na]{0,12}") {
            // Inside quotes, a further line is no further record.
            let longer = format!("{text}\nz\n");
            let mut reader = csv::ReaderBuilder::new().flexible(true).has_headers(false).from_reader(longer.as_bytes());
            let last = reader.records().map(Result::unwrap).last().unwrap();
            prop_assert_eq!(cut(&text, 3).is_some(), last != vec!["z"]);
        }
    }
}
