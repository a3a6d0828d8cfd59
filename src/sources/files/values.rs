//! JSON values one after the other, and the elements of lists that are too long to be held, cut apart while they stream by.
//!
//! A value that begins with a bracket is a list, and its elements are items. One that begins with a brace is an item itself,
//! or holds a list of spans under a known key: then the elements of that list are items, and the object around them is not
//! kept. Which it is shows at the first element.

use std::io::BufRead;

use memchr::{memchr_iter, memchr2};

use super::items::{Broken, Item, Items};
use super::limits::pass_over;
use super::shapes::table::{HOLDERS, streams};

/// Keys of one object that are remembered.
const MAX_KEYS: usize = 64;

/// Cuts a text of JSON values into items.
#[derive(Debug)]
pub(super) struct Values {
    items: Items,
    place: Place,
    object: Object,
    /// Whether the first value is over, and whether it stood on one line.
    first: Option<bool>,
    /// Whether the last value was a list.
    after_list: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Between values.
    Between,
    /// In an object of which was said that it is too long.
    Long,
    /// In a list.
    List,
    /// In a list inside of an object.
    Holder,
    /// In an object, behind such a list.
    Rest,
    /// Behind an end that came too early.
    Broken,
}

/// Where in an object the cut has come to.
#[derive(Debug, Default)]
struct Object {
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// Where in the buffer the last string of the object itself began.
    string: usize,
    /// The keys so far, and whether a value of the last is expected.
    keys: Vec<String>,
    at_value: bool,
    /// Where in the buffer the first element of a list under a known key begins.
    element: Option<usize>,
    /// The lines of the object and of that element.
    line: Option<u64>,
    element_line: Option<u64>,
    passed: u64,
}

/// What ended a step through an object.
enum Met {
    /// The bytes did.
    Nothing,
    /// The object ended.
    End,
    /// The first element of a list under a known key did; the byte behind it is not used yet.
    First,
}

impl Values {
    pub(super) fn new() -> Self {
        let items = Items::new();
        Self { items, place: Place::Between, object: Object::default(), first: None, after_list: false }
    }

    /// The line that the next byte is on.
    pub(super) fn line(&self) -> u64 {
        self.items.line
    }

    /// Whether the first value has ended, and stood on one line: then so will the others.
    pub(super) fn is_one_a_line(&self) -> bool {
        self.place == Place::Between && self.first == Some(true)
    }

    /// Reads the next item, of at most so many bytes, into `buffer`, replacing what is there; `None` after the last.
    ///
    /// Where the text ends inside an item, what there is of it is in the buffer when the error comes.
    pub(super) fn next(
        &mut self,
        reader: &mut impl BufRead,
        buffer: &mut Vec<u8>,
        longest: usize,
    ) -> Result<Option<Item>, Broken> {
        loop {
            let item = match self.place {
                Place::Between => {
                    buffer.clear();
                    let Some(byte) = self.items.next_byte(reader)? else { return Ok(None) };
                    match byte {
                        b'[' => {
                            reader.consume(1);
                            self.items.inside();
                            self.place = Place::List;
                            None
                        }
                        b'{' => {
                            self.object = Object::default();
                            self.after_list = false;
                            let began = self.items.line;
                            let item = self.object(reader, buffer, longest)?;
                            if self.place == Place::Between {
                                self.first.get_or_insert(self.items.line == began);
                            }
                            item
                        }
                        _ if self.after_list => {
                            return Err(self.broken(Broken::Text("more text after the end of the list")));
                        }
                        _ => return Err(self.broken(Broken::Text("expected an object or a list"))),
                    }
                }
                Place::List | Place::Holder if self.items.is_past_list() => {
                    buffer.clear();
                    self.after_list = self.place == Place::List;
                    if self.after_list {
                        self.first.get_or_insert(false);
                    }
                    self.place = if self.after_list { Place::Between } else { Place::Rest };
                    None
                }
                Place::List | Place::Holder => match self.items.element(reader, buffer, longest) {
                    Err(error) => return Err(self.broken(error)),
                    Ok(item) => item,
                },
                Place::Long => {
                    let began = self.object.line;
                    let item = self.object(reader, buffer, longest)?;
                    if self.place == Place::Between {
                        self.first.get_or_insert(began == Some(self.items.line));
                    }
                    // That it is too long has been said.
                    item.filter(|_| self.place != Place::Between)
                }
                Place::Rest => {
                    let began = self.object.line;
                    let item = self.object(reader, buffer, longest)?;
                    if self.place == Place::Between {
                        self.first.get_or_insert(began == Some(self.items.line));
                    }
                    // Its end is none either: only the first element of another list is.
                    item.filter(|_| self.place != Place::Between)
                }
                Place::Broken => return Ok(None),
            };
            if item.is_some() {
                return Ok(item);
            }
        }
    }

    /// Goes through an object to its end, or to the end of the first element of a list under a known key.
    fn object(
        &mut self,
        reader: &mut impl BufRead,
        buffer: &mut Vec<u8>,
        longest: usize,
    ) -> Result<Option<Item>, Broken> {
        self.object.line.get_or_insert(self.items.line);
        let line = self.object.line.unwrap_or(self.items.line);
        let rest = self.place == Place::Rest;
        loop {
            let chunk = match reader.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) => {
                    self.forget(buffer, rest);
                    return Err(self.broken(error.into()));
                }
            };
            if chunk.is_empty() {
                self.forget(buffer, rest);
                let what = if rest { "the file ends inside an object" } else { "the file ends inside a value" };
                return Err(self.broken(Broken::Text(what)));
            }
            let (used, met) = self.object.advance(chunk, buffer, &mut self.items.line, rest);
            if self.object.passed > 0 {
                pass_over(&mut self.object.passed, used)?;
            }
            let closing = chunk.get(used).copied();
            reader.consume(used);
            if buffer.len() > longest {
                self.object.passed = self.object.passed.max(buffer.len() as u64);
                *buffer = Vec::new();
                self.object.element = None;
            }
            match met {
                // Who passes over no row need not wait for its end.
                Met::Nothing if self.object.passed > 0 && self.place == Place::Between => {
                    self.place = Place::Long;
                    return Ok(Some(Item::TooLong(line)));
                }
                Met::Nothing => {}
                Met::End => {
                    self.place = Place::Between;
                    let too_long = self.object.passed > 0 && !rest;
                    return Ok(Some(if too_long { Item::TooLong(line) } else { Item::Whole(line) }));
                }
                Met::First => {
                    let start = self.object.element.take().unwrap_or(buffer.len());
                    if self.streams(buffer.get(start..).unwrap_or_default()) {
                        buffer.drain(..start);
                        let empty = buffer.trim_ascii().is_empty();
                        reader.consume(1);
                        self.object.depth = 1;
                        self.object.passed = 0;
                        self.place = if closing == Some(b']') { Place::Rest } else { Place::Holder };
                        self.items.inside();
                        let line = self.object.element_line.take().unwrap_or(self.items.line);
                        return Ok((!empty).then_some(Item::Whole(line)));
                    }
                    if rest {
                        buffer.clear();
                    }
                }
            }
        }
    }

    /// What is left of an object behind its spans is no item.
    fn forget(&self, buffer: &mut Vec<u8>, rest: bool) {
        if rest {
            buffer.clear();
        }
    }

    fn broken(&mut self, broken: Broken) -> Broken {
        self.place = Place::Broken;
        broken
    }

    /// Whether the elements of the list that begins with this one are items.
    fn streams(&self, first: &[u8]) -> bool {
        let Some((key, before)) = self.object.keys.split_last() else { return false };
        // A text that is cut at a limit of UTF-8 is one; what is no text is no span.
        simdutf8::basic::from_utf8(first).is_ok_and(|first| streams(before, key, first.trim()))
    }
}

impl Object {
    /// Goes on through `chunk`, whose bytes go to the buffer; returns how many were used.
    fn advance(&mut self, chunk: &[u8], buffer: &mut Vec<u8>, line: &mut u64, rest: bool) -> (usize, Met) {
        let mut at = 0;
        let mut from = 0;
        let keep = |buffer: &mut Vec<u8>, from: usize, to: usize, passed: u64| {
            if passed == 0 {
                buffer.extend_from_slice(chunk.get(from..to).unwrap_or_default());
            }
        };
        while let Some(&byte) = chunk.get(at) {
            if self.escaped {
                self.escaped = false;
                *line += u64::from(byte == b'\n');
                at += 1;
                continue;
            }
            if self.in_string {
                let text = chunk.get(at..).unwrap_or_default();
                let plain = memchr2(b'"', b'\\', text).unwrap_or(text.len());
                *line += memchr_iter(b'\n', text.get(..plain).unwrap_or_default()).count() as u64;
                match text.get(plain) {
                    Some(b'"') => self.in_string = false,
                    Some(_) => self.escaped = true,
                    None => {
                        at = chunk.len();
                        break;
                    }
                }
                at += plain + 1;
                continue;
            }
            if self.element.is_some() && self.depth == 2 && matches!(byte, b',' | b']') {
                keep(buffer, from, at, self.passed);
                return (at, Met::First);
            }
            match byte {
                b'"' => {
                    self.in_string = true;
                    if self.depth == 1 && !self.at_value {
                        keep(buffer, from, at, self.passed);
                        from = at;
                        self.string = buffer.len();
                    }
                }
                b':' if self.depth == 1 && !self.at_value => {
                    keep(buffer, from, at, self.passed);
                    from = at;
                    self.key(buffer);
                    self.at_value = true;
                }
                b',' if self.depth == 1 => {
                    self.at_value = false;
                    if rest {
                        buffer.clear();
                        from = at;
                        self.passed = 0;
                    }
                }
                b'{' | b'[' => {
                    self.depth += 1;
                    let known = || self.keys.last().is_some_and(|key| HOLDERS.contains(&key.as_str()));
                    if byte == b'[' && self.depth == 2 && self.passed == 0 && known() {
                        keep(buffer, from, at + 1, self.passed);
                        from = at + 1;
                        self.element = Some(buffer.len());
                        self.element_line = None;
                        at += 1;
                        continue;
                    }
                }
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        keep(buffer, from, at + 1, self.passed);
                        return (at + 1, Met::End);
                    }
                }
                _ => {}
            }
            if self.element.is_some() && !byte.is_ascii_whitespace() {
                self.element_line.get_or_insert(*line);
            }
            *line += u64::from(byte == b'\n');
            at += 1;
        }
        keep(buffer, from, at, self.passed);
        (at, Met::Nothing)
    }

    /// Notes the key that ends here.
    fn key(&mut self, buffer: &[u8]) {
        let text = buffer.get(self.string..).unwrap_or_default().trim_ascii();
        let text = text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or_default();
        let key = String::from_utf8_lossy(text.get(..text.len().min(64)).unwrap_or_default()).into_owned();
        if self.keys.len() < MAX_KEYS {
            self.keys.push(key);
        } else if let Some(last) = self.keys.last_mut() {
            *last = key;
        }
    }
}
