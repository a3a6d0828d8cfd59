//! CSV: what a reader that takes what it gets does not tell, or would take whole: files that end inside quotes, and
//! records that are too long.

use std::collections::VecDeque;
use std::io::{self, Read};

use bytesize::ByteSize;

use super::limits::pass_over;

/// Where in a CSV text the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ParseState {
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
/// It knows no more than what cells and records are, in the same terms as the reader: delimiters, double quotes (doubled
/// to stand for themselves), and lines that end in CR, LF or both.
pub(super) struct Quotes<R> {
    inner: R,
    delimiter: u8,
    state: ParseState,
    line: u64,
    /// The line in which the current record began.
    record: u64,
    ended: bool,
    last: u8,
    crlf: bool,
    /// Bytes that a record may have, and that the current one has.
    longest: usize,
    length: usize,
    /// Records that have begun, the header among them.
    records: u64,
    /// Whether the rest of the current record is left out, and how much of it was.
    dropping: Option<u64>,
    /// Records of which the reader gets only the beginning, by their number from 0, with the lines it does not get.
    shortened: Vec<(u64, u64)>,
    /// The cell that the next byte stands in, counted from 0, and how many bytes of it are quoted.
    cell: usize,
    quoted: usize,
    /// The cells of later records that are empty texts, by record and cell: `""`, which is not the same as nothing.
    empty: VecDeque<(u64, usize)>,
}

impl<R> Quotes<R> {
    pub(super) fn new(inner: R, delimiter: u8, longest: usize) -> Self {
        Self {
            inner,
            delimiter,
            state: ParseState::Record,
            line: 1,
            record: 1,
            ended: false,
            last: 0,
            crlf: false,
            longest,
            length: 0,
            records: 0,
            dropping: None,
            shortened: Vec::new(),
            cell: 0,
            quoted: 0,
            empty: VecDeque::new(),
        }
    }

    /// Whether the reader got only the beginning of this record, counted from 0.
    pub(super) fn is_shortened(&self, record: u64) -> bool {
        self.shortened.iter().any(|(number, _)| *number == record)
    }

    /// The cells of this record, counted from 0, that are empty texts; those of records before it are forgotten.
    pub(super) fn empty_texts(&mut self, record: u64) -> Vec<usize> {
        let mut cells = vec![];
        while let Some((of, cell)) = self.empty.pop_front_if(|(of, _)| *of <= record) {
            cells.extend((of == record).then_some(cell));
        }
        cells
    }

    /// How many lines before this record the reader did not get.
    pub(super) fn lines_dropped(&self, record: u64) -> u64 {
        self.shortened.iter().filter(|(number, _)| *number < record).map(|(_, lines)| lines).sum()
    }

    /// The line of the record that the file ends in, if it has ended, and inside quotes.
    pub(super) fn cut(&self) -> Option<u64> {
        (self.ended && self.state == ParseState::Quoted).then_some(self.record)
    }

    /// Whether lines end in CR and LF: then the reader starts each record at the LF before it, one line too early.
    pub(super) fn crlf(&self) -> bool {
        self.crlf
    }

    /// Counts cells, and what is quoted in them.
    fn count(&mut self, before: ParseState, byte: u8) {
        match self.state {
            ParseState::Quoted if before == ParseState::Cell || before == ParseState::Record => self.quoted = 0,
            ParseState::Quoted => self.quoted += 1,
            ParseState::Cell | ParseState::Record => {
                let ends = byte == self.delimiter || before != ParseState::Record;
                if ends && before == ParseState::Quote && self.quoted == 0 {
                    self.empty.push_back((self.records.saturating_sub(1), self.cell));
                }
                self.cell = if self.state == ParseState::Record { 0 } else { self.cell + usize::from(ends) };
            }
            ParseState::Plain | ParseState::Quote => {}
        }
    }

    /// Follows the text, and leaves what goes to the reader at the beginning of `bytes`; returns how much that is.
    fn follow(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut kept = 0;
        for at in 0..bytes.len() {
            let byte = bytes[at];
            let before = self.state;
            if self.state == ParseState::Record && !matches!(byte, b'\r' | b'\n') {
                self.record = self.line;
                self.state = ParseState::Cell;
                self.length = 0;
                self.records += 1;
            }
            self.state = match (self.state, byte) {
                (ParseState::Quoted, b'"') => ParseState::Quote,
                (ParseState::Quoted, _) | (ParseState::Cell | ParseState::Quote, b'"') => ParseState::Quoted,
                (_, byte) if byte == self.delimiter => ParseState::Cell,
                (_, b'\r' | b'\n') => ParseState::Record,
                _ => ParseState::Plain,
            };
            self.count(before, byte);
            self.line += u64::from(byte == b'\n');
            self.crlf |= byte == b'\n' && self.last == b'\r' && self.state == ParseState::Record;
            self.last = byte;
            self.length += 1;
            if self.state == ParseState::Record {
                self.dropping = None;
            } else if let Some(dropped) = &mut self.dropping {
                pass_over(dropped, 1)?;
                if let Some((_, lines)) = self.shortened.last_mut() {
                    *lines += u64::from(byte == b'\n');
                }
                continue;
            } else if self.length > self.longest && self.records == 1 {
                // Without a header there is nothing to read behind it.
                let most = ByteSize(self.longest as u64);
                let reason = format!("the header: a row of more than {most}, twice what --max-value allows a value");
                return Err(io::Error::other(reason));
            } else if self.length > self.longest {
                self.dropping = Some(0);
                self.shortened.push((self.records - 1, u64::from(byte == b'\n')));
                // The reader must see the end of the cell that it is in.
                if before == ParseState::Quoted {
                    bytes[kept] = b'"';
                    kept += 1;
                }
                continue;
            }
            bytes[kept] = byte;
            kept += 1;
        }
        Ok(kept)
    }
}

impl<R: Read> Read for Quotes<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.inner.read(buffer)?;
            self.ended = count == 0 && !buffer.is_empty();
            if self.ended && self.state == ParseState::Quote {
                self.state = ParseState::Record;
                self.count(ParseState::Quote, b'\n');
            }
            let kept = self.follow(&mut buffer[..count])?;
            if kept > 0 || count == 0 {
                return Ok(kept);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads a text in pieces of that many bytes.
    fn cut(text: &str, piece: usize) -> Option<u64> {
        let mut quotes = Quotes::new(text.as_bytes(), b',', 100);
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

    #[test]
    fn empty_texts_are_told_from_nothing() {
        let text = "a;b;c\n\"\";;\"\"\n\"\"\"\";\" \";x\r\n;\"\";\n\"\";1;\"\"";
        for piece in [1, 2, 100] {
            let mut quotes = Quotes::new(text.as_bytes(), b';', 100);
            let mut buffer = vec![0; piece];
            while quotes.read(&mut buffer).unwrap() > 0 {}
            let found: Vec<Vec<usize>> = (0..5).map(|record| quotes.empty_texts(record)).collect();
            assert_eq!(found, [vec![], vec![0, 2], vec![], vec![1], vec![0, 2]], "pieces of {piece}");
        }
    }

    #[test]
    fn of_long_records_the_reader_gets_the_beginning() {
        for (text, want, lines) in [
            ("a,b\nc,dddddddd,e\nf,g\n", "a,b\nc,ddd\nf,g\n", 0),
            ("a,b\n\"c\n\"\"d\"\",\n,\n\",e\n\"f\",g\n", "a,b\n\"c\n\"\"\"\n\"f\",g\n", 2),
            ("a,b\n\"c d\"ddd,\"e\nx\"\nf,g", "a,b\n\"c d\"\nf,g", 1),
            ("a,b\n\"c d \"\nf,g", "a,b\n\"c d \"\nf,g", 0),
        ] {
            for piece in [1, 2, 100] {
                let mut quotes = Quotes::new(text.as_bytes(), b',', 5);
                let (mut got, mut buffer) = (Vec::new(), vec![0; piece]);
                loop {
                    match quotes.read(&mut buffer).unwrap() {
                        0 => break,
                        count => got.extend_from_slice(&buffer[..count]),
                    }
                }
                assert_eq!(String::from_utf8(got).unwrap(), want, "pieces of {piece}");
                assert!(quotes.is_shortened(1) && !quotes.is_shortened(0) && !quotes.is_shortened(2));
                assert_eq!((quotes.lines_dropped(1), quotes.lines_dropped(2)), (0, lines), "{text}");
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
