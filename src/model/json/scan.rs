//! A cursor over JSON text that hands out values as slices of it.

use std::borrow::Cow;

/// Why a text is not JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} (byte {at})")]
pub struct JsonError {
    /// Position of the offending byte, counted from 1.
    pub at: usize,
    /// What is wrong there.
    pub what: &'static str,
}

/// Lists and objects may be nested this deep; what lies deeper is an error, so that no later reader of the text
/// has to recurse further.
pub const MAX_DEPTH: usize = 128;

/// One JSON value as it is written in the text it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// `null`, and the bare tokens `NaN`, `Infinity` and `-Infinity`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number's own text.
    Number(&'a str),
    /// A string without escapes: plain text.
    Text(&'a str),
    /// The inside of a string that has escapes, as written.
    Escaped(&'a str),
    /// A list or an object, as written.
    Nested(&'a str),
}

impl<'a> Value<'a> {
    /// The JSON text of a value that was read from such.
    pub fn written(self) -> Cow<'a, str> {
        match self {
            Self::Null => Cow::Borrowed("null"),
            Self::Bool(flag) => Cow::Borrowed(if flag { "true" } else { "false" }),
            Self::Number(text) | Self::Nested(text) => Cow::Borrowed(text),
            Self::Text(body) | Self::Escaped(body) => Cow::Owned(format!("\"{body}\"")),
        }
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// The position of the first quote, backslash or control character at or after `at`, or the length of `bytes`.
///
/// Eight bytes at a time: a byte's high bit in `hits` is set where the subtraction borrowed. A borrow may spoil
/// bytes above the first hit, never below it, and only the lowest hit is used. The searches of `memchr` know single
/// bytes only: control characters would need a second pass, which text with an escape every line does not repay.
pub(super) fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word;
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        let hits =
            below(word, 0x20) | below(word ^ (ONES * u64::from(b'"')), 1) | below(word ^ (ONES * u64::from(b'\\')), 1);
        let hits = hits & HIGH_BITS;
        if hits != 0 {
            return at + hits.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while let Some(&byte) = bytes.get(at) {
        if byte < 0x20 || byte == b'"' || byte == b'\\' {
            break;
        }
        at += 1;
    }
    at
}

/// A cursor over JSON text. Never recurses and never copies.
#[derive(Debug)]
pub struct Scanner<'a> {
    text: &'a str,
    position: usize,
    /// Whether a `NaN` or `Infinity` token was passed; set here, reset by whoever asks.
    pub nonfinite: bool,
}

impl<'a> Scanner<'a> {
    /// A cursor before the first byte.
    pub fn new(text: &'a str) -> Self {
        Self { text, position: 0, nonfinite: false }
    }

    /// Where the cursor is, in bytes.
    pub fn position(&self) -> usize {
        self.position
    }

    /// What was passed since `start`.
    pub fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.position).unwrap_or("")
    }

    /// The byte under the cursor.
    pub fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.position).copied()
    }

    /// Passes blanks.
    pub fn blanks(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.byte() {
            self.position += 1;
        }
    }

    /// Passes `byte` if it is next.
    pub fn eat(&mut self, byte: u8) -> bool {
        let there = self.byte() == Some(byte);
        self.position += usize::from(there);
        there
    }

    /// Passes `byte`, which must be next; otherwise the error says that `what` was expected.
    pub fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), JsonError> {
        if self.eat(byte) { Ok(()) } else { Err(self.error(what)) }
    }

    /// Passes blanks, after which the text must end.
    pub fn end(&mut self) -> Result<(), JsonError> {
        self.blanks();
        if self.byte().is_none() { Ok(()) } else { Err(self.error("expected nothing more")) }
    }

    /// An error at the cursor.
    pub fn error(&self, what: &'static str) -> JsonError {
        let what = if self.byte().is_none() { "the text ends too early" } else { what };
        JsonError { at: self.position + 1, what }
    }

    /// Passes one value, which must begin at the cursor; a list or object may open `room` levels.
    pub fn value(&mut self, room: usize) -> Result<Value<'a>, JsonError> {
        match self.byte() {
            Some(b'"') => self.string(),
            Some(b'{' | b'[') => {
                let start = self.position;
                self.nested(room)?;
                Ok(Value::Nested(self.since(start)))
            }
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(b'N') => self.nonfinite_word("NaN"),
            Some(b'I') => self.nonfinite_word("Infinity"),
            _ => Err(self.error("expected a value")),
        }
    }

    /// Passes a member's key, the colon and the blanks after it.
    pub fn key(&mut self) -> Result<Value<'a>, JsonError> {
        if self.byte() != Some(b'"') {
            return Err(self.error("expected a key in double quotes"));
        }
        let key = self.string()?;
        self.blanks();
        self.expect(b':', "expected ':'")?;
        self.blanks();
        Ok(key)
    }

    fn word(&mut self, word: &str, value: Value<'a>) -> Result<Value<'a>, JsonError> {
        let rest = self.text.as_bytes().get(self.position..).unwrap_or_default();
        if !rest.starts_with(word.as_bytes()) {
            return Err(self.error("expected a value"));
        }
        self.position += word.len();
        Ok(value)
    }

    fn nonfinite_word(&mut self, word: &str) -> Result<Value<'a>, JsonError> {
        self.nonfinite = true;
        self.word(word, Value::Null)
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        if !self.byte().is_some_and(|b| b.is_ascii_digit()) {
            return Err(self.error("expected a digit"));
        }
        while self.byte().is_some_and(|b| b.is_ascii_digit()) {
            self.position += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Value<'a>, JsonError> {
        let start = self.position;
        if self.eat(b'-') && self.byte() == Some(b'I') {
            return self.nonfinite_word("Infinity");
        }
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _sign = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        Ok(Value::Number(self.since(start)))
    }

    fn string(&mut self) -> Result<Value<'a>, JsonError> {
        let start = self.position + 1;
        self.position = start;
        let mut escaped = false;
        loop {
            self.position = plain_end(self.text.as_bytes(), self.position);
            match self.byte() {
                Some(b'"') => {
                    let body = self.since(start);
                    self.position += 1;
                    return Ok(if escaped { Value::Escaped(body) } else { Value::Text(body) });
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(_) => return Err(self.error("a control character in a string must be escaped")),
                None => return Err(self.error("expected '\"'")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), JsonError> {
        self.position += 1;
        match self.byte() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.position += 1,
            Some(b'u') => {
                self.position += 1;
                for _ in 0..4 {
                    if !self.byte().is_some_and(|b| b.is_ascii_hexdigit()) {
                        return Err(self.error("expected four hex digits after \\u"));
                    }
                    self.position += 1;
                }
            }
            _ => return Err(self.error("no such escape in a string")),
        }
        Ok(())
    }

    /// Passes a list or object. One bit per open level says whether it is an object, so no stack grows.
    fn nested(&mut self, room: usize) -> Result<(), JsonError> {
        let room = room.min(MAX_DEPTH);
        let mut objects: u128 = 0;
        let mut depth = 0;
        loop {
            match self.byte() {
                Some(open @ (b'{' | b'[')) => {
                    if depth == room {
                        return Err(self.error("nested too deep"));
                    }
                    depth += 1;
                    objects = objects << 1 | u128::from(open == b'{');
                    self.position += 1;
                    self.blanks();
                    if !self.eat(if open == b'{' { b'}' } else { b']' }) {
                        if open == b'{' {
                            self.key()?;
                        }
                        continue;
                    }
                    depth -= 1;
                    objects >>= 1;
                }
                _ => {
                    self.value(0)?;
                }
            }
            loop {
                if depth == 0 {
                    return Ok(());
                }
                let object = objects & 1 == 1;
                self.blanks();
                if self.eat(b',') {
                    self.blanks();
                    if object {
                        self.key()?;
                    }
                    break;
                }
                self.expect(
                    if object { b'}' } else { b']' },
                    if object { "expected ',' or '}'" } else { "expected ',' or ']'" },
                )?;
                depth -= 1;
                objects >>= 1;
            }
        }
    }
}
