//! Redacting a text, also inside JSON.

use std::borrow::Cow;

use super::redactor::Redactor;
use crate::json::{MAX_DEPTH, Scanner, unescaped, write_string};

/// Texts in texts in texts: what is quoted deeper is taken as it stands.
const LEVELS: usize = 8;

impl Redactor {
    /// A text with a placeholder in the place of what looks like a secret. JSON stays JSON.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        redacted(self, text).map_or(Cow::Borrowed(text), Cow::Owned)
    }

    /// Whether something in a text looks like a secret of a kind, or of any.
    pub fn finds(&self, text: &str, kind: Option<&str>) -> bool {
        let mut found = false;
        each_hit(self, text, &mut |of| found |= kind.is_none_or(|kind| kind == of));
        found
    }
}

/// Replaces what looks like a secret in a text, or gives `None` where nothing does.
pub(super) fn redacted(redactor: &Redactor, text: &str) -> Option<String> {
    if !redactor.patterns().may_match(text) {
        return None;
    }
    within(redactor, text, 0)
}

/// Calls `see` with each part of a text that looks like a secret, by its kind.
fn each_hit(redactor: &Redactor, text: &str, see: &mut dyn FnMut(&str)) {
    if redactor.patterns().may_match(text) {
        each_within(redactor, text, 0, see);
    }
}

/// What stands before, between and behind the quotes of a text that begins as a list or an object does, from the first one
/// on in turn outside of strings and in them; `None` of any other text.
fn parts(text: &str, level: usize) -> Option<impl Iterator<Item = (bool, &str)>> {
    if level >= LEVELS || !text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    let (mut rest, mut inside) = (Some(text), false);
    Some(std::iter::from_fn(move || {
        let text = rest?;
        let end = if inside { end_of_string(text) } else { text.find('"') };
        let part = (inside, &text[..end.unwrap_or(text.len())]);
        rest = end.map(|end| &text[end + 1..]);
        inside = !inside;
        Some(part)
    }))
}

/// Where the quote stands that ends a string.
fn end_of_string(rest: &str) -> Option<usize> {
    let bytes = rest.as_bytes();
    let mut at = 0;
    while let Some(found) = memchr::memchr2(b'"', b'\\', bytes.get(at..)?) {
        at += found;
        if bytes[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
    None
}

fn within(redactor: &Redactor, text: &str, level: usize) -> Option<String> {
    let Some(parts) = parts(text, level) else { return plain(redactor, text, "") };
    let mut out = String::with_capacity(text.len());
    let mut changed = false;
    let mut quote = None;
    for (at, (inside, part)) in parts.enumerate() {
        if at > 0 {
            out.push('"');
        }
        let redacted = if inside {
            within(redactor, &said(part), level + 1).map(|redacted| body(&redacted))
        } else if redactor.patterns().hits(part).is_empty() {
            None
        } else {
            // In JSON, what was a number becomes a text.
            let quote = quote.get_or_insert_with(|| if is_json(text) { "\"" } else { "" });
            plain(redactor, part, quote)
        };
        changed |= redacted.is_some();
        out.push_str(redacted.as_deref().unwrap_or(part));
    }
    changed.then_some(out)
}

fn is_json(text: &str) -> bool {
    let mut scanner = Scanner::new(text);
    scanner.blanks();
    scanner.value(MAX_DEPTH).is_ok()
}

/// A text as it stands between the quotes of a string of JSON.
fn body(text: &str) -> String {
    let mut written = String::with_capacity(text.len() + 2);
    write_string(text, &mut written);
    written.pop();
    written.remove(0);
    written
}

/// What a string of JSON says.
fn said(body: &str) -> Cow<'_, str> {
    if body.contains('\\') { Cow::Owned(unescaped(body)) } else { Cow::Borrowed(body) }
}

/// A text with placeholders, each between these quotes.
fn plain(redactor: &Redactor, text: &str, quote: &str) -> Option<String> {
    let hits = redactor.patterns().hits(text);
    if hits.is_empty() {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for hit in hits {
        out.push_str(&text[at..hit.range.start]);
        out.push_str(quote);
        out.push_str(&redactor.placeholder(hit.kind, &text[hit.range.clone()]));
        out.push_str(quote);
        at = hit.range.end;
    }
    out.push_str(&text[at..]);
    Some(out)
}

fn each_within(redactor: &Redactor, text: &str, level: usize, see: &mut dyn FnMut(&str)) {
    match parts(text, level) {
        None => redactor.patterns().hits(text).iter().for_each(|hit| see(hit.kind)),
        Some(parts) => {
            for (inside, part) in parts {
                match inside {
                    true => each_within(redactor, &said(part), level + 1, see),
                    false => redactor.patterns().hits(part).iter().for_each(|hit| see(hit.kind)),
                }
            }
        }
    }
}
