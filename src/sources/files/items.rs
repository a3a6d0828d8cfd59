//! The elements of a JSON list, cut apart while the list streams by.

use std::io::{self, BufRead};

use memchr::{memchr_iter, memchr2};

use super::limits::pass_over;

/// Why no further element can be found.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("{0}")]
    Text(&'static str),
}

/// Cuts a JSON list into its elements' text. Only brackets, quotes and commas are looked at: whether an element is
/// JSON is for others to find out, and a bad one does not hide the next.
#[derive(Debug)]
pub(super) struct Items {
    /// The line that the next byte is on.
    pub(super) line: u64,
    state: ParseState,
}

#[derive(Debug, PartialEq, Eq)]
enum ParseState {
    Before,
    Inside,
    /// Past the closing bracket, with the rest of the file not looked at yet.
    Leaving,
    After,
}

/// An element of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    /// Its text is in the buffer; the line it begins on.
    Whole(u64),
    /// It is longer than a row may be and was passed over; the line it begins on.
    TooLong(u64),
}

/// Where in an element the cut has come to.
#[derive(Default)]
struct Cut {
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// The line of the element's first byte that is not blank.
    line: Option<u64>,
    /// Bytes that were passed over, because the element is too long.
    passed: u64,
}

impl Items {
    pub(super) fn new() -> Self {
        Self { line: 1, state: ParseState::Before }
    }

    /// Goes on inside a list whose opening bracket has been passed.
    pub(super) fn inside(&mut self) {
        self.state = ParseState::Inside;
    }

    /// Whether the closing bracket has been passed.
    pub(super) fn is_past_list(&self) -> bool {
        self.state == ParseState::Leaving
    }

    /// Reads the next element, of at most so many bytes, into `buffer`, replacing what is there; `None` after the list's
    /// end.
    pub(super) fn next(
        &mut self,
        reader: &mut impl BufRead,
        buffer: &mut Vec<u8>,
        longest: usize,
    ) -> Result<Option<Item>, Broken> {
        if self.state == ParseState::Before {
            self.enter(reader)?;
        }
        if self.state == ParseState::Inside
            && let Some(item) = self.element(reader, buffer, longest)?
        {
            return Ok(Some(item));
        }
        if self.state == ParseState::Leaving {
            self.state = ParseState::After;
            self.leave(reader)?;
        }
        Ok(None)
    }

    /// Reads the next element of a list that has been entered; `None` at its end.
    pub(super) fn element(
        &mut self,
        reader: &mut impl BufRead,
        buffer: &mut Vec<u8>,
        longest: usize,
    ) -> Result<Option<Item>, Broken> {
        buffer.clear();
        let mut cut = Cut::default();
        loop {
            let chunk = reader.fill_buf()?;
            if chunk.is_empty() {
                return Err(Broken::Text("the file ends inside the list"));
            }
            let (used, closing) = self.advance(&mut cut, chunk);
            if cut.passed == 0 {
                buffer.extend_from_slice(chunk.get(..used).unwrap_or_default());
            } else {
                pass_over(&mut cut.passed, used)?;
            }
            reader.consume(used + usize::from(closing.is_some()));
            if buffer.len() > longest {
                cut.passed = buffer.len() as u64;
                *buffer = Vec::new();
            }
            let item = if cut.passed == 0 { Item::Whole } else { Item::TooLong };
            match closing {
                None => {}
                Some(b']') => {
                    self.state = ParseState::Leaving;
                    // Nothing before the bracket: an empty list, or a comma too many, which does no harm.
                    return Ok(cut.line.map(item));
                }
                Some(_) => return Ok(Some(item(cut.line.unwrap_or(self.line)))),
            }
        }
    }

    /// Goes on through `chunk`; returns how many of its bytes belong to the element, and the byte that ended it.
    fn advance(&mut self, cut: &mut Cut, chunk: &[u8]) -> (usize, Option<u8>) {
        let mut at = 0;
        while let Some(&byte) = chunk.get(at) {
            if cut.escaped {
                cut.escaped = false;
                self.line += u64::from(byte == b'\n');
                at += 1;
                continue;
            }
            if cut.in_string {
                let rest = chunk.get(at..).unwrap_or_default();
                let plain = memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
                self.line += memchr_iter(b'\n', rest.get(..plain).unwrap_or_default()).count() as u64;
                match rest.get(plain) {
                    Some(b'"') => cut.in_string = false,
                    Some(_) => cut.escaped = true,
                    None => return (chunk.len(), None),
                }
                at += plain + 1;
                continue;
            }
            match byte {
                b',' | b']' if cut.depth == 0 => return (at, Some(byte)),
                b'"' => cut.in_string = true,
                b'{' | b'[' => cut.depth += 1,
                b'}' | b']' => cut.depth = cut.depth.saturating_sub(1),
                _ => {}
            }
            if !byte.is_ascii_whitespace() {
                cut.line.get_or_insert(self.line);
            }
            self.line += u64::from(byte == b'\n');
            at += 1;
        }
        (at, None)
    }

    fn enter(&mut self, reader: &mut impl BufRead) -> Result<(), Broken> {
        self.state = ParseState::Inside;
        match self.next_byte(reader)? {
            Some(b'[') => {
                reader.consume(1);
                Ok(())
            }
            _ => Err(Broken::Text("expected a list")),
        }
    }

    fn leave(&mut self, reader: &mut impl BufRead) -> Result<(), Broken> {
        match self.next_byte(reader)? {
            None => Ok(()),
            Some(_) => Err(Broken::Text("more text after the end of the list")),
        }
    }

    /// The next byte that is not blank, which stays.
    pub(super) fn next_byte(&mut self, reader: &mut impl BufRead) -> io::Result<Option<u8>> {
        loop {
            let chunk = reader.fill_buf()?;
            let blank = chunk.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(chunk.len());
            let found = chunk.get(blank).copied();
            let ended = chunk.is_empty();
            let passed = chunk.get(..blank).unwrap_or_default();
            self.line += passed.iter().filter(|byte| **byte == b'\n').count() as u64;
            reader.consume(blank);
            if found.is_some() || ended {
                return Ok(found);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    /// The trimmed elements with their lines, and the message at the end if there is one.
    fn cut(text: &str, chunk: usize) -> (Vec<(u64, String)>, Option<String>) {
        let mut reader = BufReader::with_capacity(chunk, text.as_bytes());
        let mut items = Items::new();
        let mut buffer = Vec::new();
        let mut found = Vec::new();
        loop {
            match items.next(&mut reader, &mut buffer, 40) {
                Ok(Some(Item::TooLong(line))) => found.push((line, "too long".to_owned())),
                Ok(Some(Item::Whole(line))) => {
                    found.push((line, String::from_utf8(buffer.clone()).unwrap().trim().to_owned()))
                }
                Ok(None) => return (found, None),
                Err(error) => return (found, Some(error.to_string())),
            }
        }
    }

    #[test]
    fn elements_are_cut_at_commas_outside_of_everything() {
        let text = "\n [ {\"a\": [1, 2],\n \"b\": \"],\\\"}\\\\\"} ,\n\n 5,{}\n] \n";
        for chunk in [1, 2, 3, 7, 100] {
            let (found, error) = cut(text, chunk);
            let want = [(2, "{\"a\": [1, 2],\n \"b\": \"],\\\"}\\\\\"}"), (5, "5"), (5, "{}")];
            assert_eq!(found, want.map(|(line, text)| (line, text.to_owned())), "{chunk}");
            assert_eq!(error, None);
        }
        let long = format!("[1,\n[\"{}\"],2]", ",".repeat(41));
        for chunk in [1, 7, 100] {
            let want = [(1, "1"), (2, "too long"), (2, "2")].map(|(line, text)| (line, text.to_owned()));
            assert_eq!(cut(&long, chunk), (want.to_vec(), None), "{chunk}");
        }
        assert_eq!(cut("[]", 9), (vec![], None));
        assert_eq!(cut("[1 2,,3]", 9).0.len(), 3);
    }

    #[test]
    fn broken_lists_are_told() {
        for (text, count, want) in [
            ("[1,2", 1, "the file ends inside the list"),
            ("[\"a", 0, "the file ends inside the list"),
            ("[1] x", 1, "more text after the end of the list"),
        ] {
            let (found, error) = cut(text, 4);
            assert_eq!((found.len(), error.as_deref()), (count, Some(want)), "{text}");
        }
    }
}
