//! Errors of filters: what is wrong, where in the text, what was expected, what was probably meant.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use unicode_width::UnicodeWidthStr;

/// How much of a long line is shown around the place, in columns to each side.
const AROUND: usize = 60;
/// How much of a long word a message shows, in characters.
const SHORT: usize = 60;

/// Why a filter was refused.
///
/// `Display` is one line for people, position included: `filter, 1:14: …`. [`report`](Self::report) adds the line of the
/// filter with a caret under the place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.in_one_line())]
pub struct FilterError(Box<Inner>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Inner {
    code: &'static str,
    what: String,
    help: Option<String>,
    suggestion: Option<String>,
    place: Option<(Arc<str>, Range<usize>)>,
    /// What was read.
    subject: &'static str,
}

impl FilterError {
    /// An error of a kind (in kebab case), in words without a full stop.
    pub fn new(code: &'static str, what: impl Into<String>) -> Self {
        let what = what.into();
        Self(Box::new(Inner { code, what, help: None, suggestion: None, place: None, subject: "filter" }))
    }

    /// Says that a pattern was read, of which a filter is only a part.
    pub(super) fn of_pattern(mut self) -> Self {
        self.0.subject = "pattern";
        self
    }

    /// The same error of a longer text, of which what was read is the part in these bytes.
    pub(super) fn within(self, whole: &str, part: Range<usize>) -> Self {
        let place = match &self.0.place {
            Some((_, bytes)) => part.start + bytes.start..part.start + bytes.end,
            None => part,
        };
        self.at(whole, place)
    }

    /// Says where: the bytes of the filter's text, which may be none at its end.
    pub fn at(mut self, text: &str, bytes: Range<usize>) -> Self {
        // A place inside a character is that of the character.
        let start = text.floor_char_boundary(bytes.start);
        let end = text.ceil_char_boundary(bytes.end).max(start);
        self.0.place = Some((text.into(), start..end));
        self
    }

    /// Says what to do.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Says what else can be done.
    pub fn or(mut self, else_do: &str) -> Self {
        self.0.help = Some(match self.0.help.take() {
            Some(help) => format!("{help} ({else_do})"),
            None => else_do.to_owned(),
        });
        self
    }

    /// Offers what was probably meant.
    pub fn suggest(mut self, suggestion: Option<impl Into<String>>) -> Self {
        if let Some(suggestion) = suggestion.map(Into::into) {
            self.0.help = Some(format!("did you mean {suggestion}?"));
            self.0.suggestion = Some(suggestion);
        }
        self
    }

    /// A short name of the kind of error in kebab case, stable for machines.
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// Line and column in the filter's text, both counted from 1 (columns in characters), where the place is known.
    pub fn position(&self) -> Option<(usize, usize)> {
        let (text, bytes) = self.0.place.as_ref()?;
        let before = text.get(..bytes.start)?;
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Some((before.matches('\n').count() + 1, before[line_start..].chars().count() + 1))
    }

    /// What was read: `filter`, or `pattern`.
    pub fn subject(&self) -> &'static str {
        self.0.subject
    }

    /// What could be written instead, where something near is known.
    pub fn suggestion(&self) -> Option<&str> {
        self.0.suggestion.as_deref()
    }

    /// What is wrong, without the place and without a full stop.
    pub fn what(&self) -> &str {
        &self.0.what
    }

    /// What to do about it.
    pub fn advice(&self) -> Option<&str> {
        self.0.help.as_deref()
    }

    /// The error in one line, without the filter's text.
    pub fn in_one_line(&self) -> String {
        let place = self.position().map(|(line, column)| format!(", {line}:{column}")).unwrap_or_default();
        let help = self.0.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
        format!("{}{place}: {}{help}", self.0.subject, self.0.what)
    }

    /// The error in one line, then the line of the filter and a caret under the place.
    ///
    /// Control characters of the filter are shown as `·`; of a long line, the part around the place.
    pub fn report(&self) -> String {
        let mut report = self.in_one_line();
        if let Some((text, bytes)) = self.0.place.as_ref().filter(|(text, _)| !text.trim().is_empty()) {
            // Writing to a string cannot fail.
            let _ = write_place(&mut report, text, bytes);
        }
        report
    }
}

/// Characters that would move the caret, or the terminal's cursor.
fn shown(text: &str) -> String {
    let odd = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().map(|c| if odd(c) { '·' } else { c }).collect()
}

fn write_place(out: &mut impl fmt::Write, text: &str, bytes: &Range<usize>) -> fmt::Result {
    let (Some(before), Some(behind)) = (text.get(..bytes.start), text.get(bytes.start..)) else { return Ok(()) };
    let before = &before[before.rfind('\n').map_or(0, |at| at + 1)..];
    let behind = &behind[..behind.find('\n').unwrap_or(behind.len())];
    let marked = &behind[..(bytes.end - bytes.start).min(behind.len())];
    let skipped = before.chars().count().saturating_sub(AROUND);
    let before: String = before.chars().skip(skipped).collect();
    let (lead, before) = (if skipped > 0 { "…" } else { "" }, shown(&before));
    let kept: String = behind.chars().take(AROUND).collect();
    let trail = if kept.len() < behind.len() { "…" } else { "" };
    let carets = shown(&marked.chars().take(AROUND).collect::<String>()).width().max(1);
    let blanks = lead.width() + before.width();
    write!(out, "\n  {lead}{before}{}{trail}\n  {}{}", shown(&kept), " ".repeat(blanks), "^".repeat(carets))
}

/// A piece of a filter as a message shows it: not too long, and in one line.
pub(super) fn short(text: &str) -> String {
    let kept: String = text.chars().take(SHORT).map(|c| if c.is_control() { '·' } else { c }).collect();
    if text.chars().nth(SHORT).is_some() { kept + "…" } else { kept }
}

#[cfg(test)]
mod tests {
    use super::FilterError;

    #[test]
    fn caret_under_the_place() {
        let text = "a = 1\nAND bb = 2";
        let error = FilterError::new("x", "no bb").at(text, 10..12);
        assert_eq!(error.report(), "filter, 2:5: no bb\n  AND bb = 2\n      ^^");
        let error = FilterError::new("x", "odd").at("é\t= 名 x", 9..10).help("do this");
        assert_eq!(error.report(), "filter, 1:7: odd; do this\n  é·= 名 x\n         ^");
        assert_eq!((error.what(), error.advice()), ("odd", Some("do this")));
        let long = "x".repeat(100) + "!" + &"y".repeat(100);
        let report = FilterError::new("x", "bang").at(&long, 100..101).report();
        assert_eq!(report.lines().nth(1).unwrap().trim().chars().count(), 122);
        assert_eq!(FilterError::new("x", "end").advice(), None);
        let end = FilterError::new("x", "end").at("a =", 3..3).report();
        assert_eq!(end, "filter, 1:4: end\n  a =\n     ^");
    }
}
