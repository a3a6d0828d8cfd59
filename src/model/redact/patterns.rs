//! What secrets look like.

use std::ops::Range;

use regex::{Captures, Regex, RegexSet};

/// A pattern of one's own that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("redact.{name}: {reason}")]
pub struct BadPattern {
    /// The name of its placeholder.
    pub name: String,
    /// What is wrong.
    pub reason: String,
}

/// What something that looks like a secret must be, beyond its pattern.
type Check = fn(&str, Range<usize>) -> Option<Range<usize>>;

struct BuiltIn {
    kind: &'static str,
    /// Without what must stand before it: in JSON text that may be the letter of an escape.
    pattern: &'static str,
    /// Whether it begins where a word does.
    begins_word: bool,
    check: Check,
}

const fn built_in(kind: &'static str, pattern: &'static str, begins_word: bool, check: Check) -> BuiltIn {
    BuiltIn { kind, pattern, begins_word, check }
}

/// Of matches that begin at one place the earlier pattern counts. A group is what is replaced of a match.
const BUILT_IN: [BuiltIn; 8] = [
    built_in(
        "key",
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----(?:[^-]*-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|(?:\s*[A-Za-z0-9+/=]{16,})*)",
        false,
        any,
    ),
    built_in("token", r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?", true, any),
    built_in(
        "key",
        r"(?:AKIA|ASIA)[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}|xox[abeoprs]-[A-Za-z0-9-]{10,}|AIza[A-Za-z0-9_-]{30,}|hf_[A-Za-z0-9]{20,}",
        true,
        any,
    ),
    built_in("key", r"(?:sk|pk|rk|ak)[-_][A-Za-z0-9_-]{16,}", true, with_digit),
    built_in("token", r"(?i:bearer)\s+([A-Za-z0-9._~+/-]{16,}=*)", true, with_digit),
    built_in("email", r"[\w.%+-]+@(?:[\w-]+\.)+[^\W\d_]{2,24}", false, any),
    built_in("card", r"[2-6](?:[ -]?[0-9]){12,18}", true, card),
    built_in("phone", r"\+[0-9][0-9 ().-]{6,22}[0-9]|\(?[2-9][0-9]{2}\)?[ .-][2-9][0-9]{2}[ .-][0-9]{4}", false, phone),
];

/// The kinds of the patterns that are built in.
pub(super) const KINDS: [&str; 5] = ["key", "token", "email", "card", "phone"];

struct Pattern {
    kind: String,
    find: Regex,
    check: Check,
}

/// A part of a text that looks like a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hit<'a> {
    pub(super) kind: &'a str,
    pub(super) range: Range<usize>,
}

/// All patterns, ready to search.
pub(super) struct Patterns {
    patterns: Vec<Pattern>,
    /// Which of them can match, in one pass.
    which: RegexSet,
    /// The same without what must stand before them.
    may: RegexSet,
}

impl std::fmt::Debug for Patterns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.patterns.iter().map(|pattern| &pattern.kind)).finish()
    }
}

impl Patterns {
    /// Those that are built in, behind one's own by the names of their placeholders.
    pub(super) fn new<'a>(own: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Self, BadPattern> {
        let (mut patterns, mut texts, mut loose) = (vec![], vec![], vec![]);
        let bad = |name: &str, error: regex::Error| BadPattern { name: name.to_owned(), reason: error.to_string() };
        for (name, pattern) in own {
            let wrong = |reason: &str| BadPattern { name: name.to_owned(), reason: reason.to_owned() };
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)) {
                return Err(wrong("the name of a placeholder is of letters, digits, - and _"));
            }
            let find = Regex::new(pattern).map_err(|error| bad(name, error))?;
            if find.is_match("") {
                return Err(wrong("it matches the empty text, which is everywhere"));
            }
            patterns.push(Pattern { kind: name.to_owned(), find, check: any });
            texts.push(pattern.to_owned());
            // What it begins with may be an anchor that an escape hides.
            loose.push(String::new());
        }
        for built_in in BUILT_IN {
            let text = match built_in.begins_word {
                true => format!(r"(?-u:\b)(?:{})", built_in.pattern),
                false => built_in.pattern.to_owned(),
            };
            let find = Regex::new(&text).map_err(|error| bad(built_in.kind, error))?;
            patterns.push(Pattern { kind: built_in.kind.to_owned(), find, check: built_in.check });
            texts.push(text);
            loose.push(built_in.pattern.to_owned());
        }
        let set = |texts: &[String]| RegexSet::new(texts).map_err(|error| bad("patterns", error));
        Ok(Self { which: set(&texts)?, may: set(&loose)?, patterns })
    }

    /// Whether something may be found in a text, or in what it says without escapes.
    pub(super) fn may_match(&self, text: &str) -> bool {
        text.contains("\\u") || self.may.is_match(text)
    }

    /// What looks like a secret, from left to right, none of it in another.
    pub(super) fn hits(&self, text: &str) -> Vec<Hit<'_>> {
        let mut hits: Vec<Hit<'_>> = vec![];
        for at in self.which.matches(text) {
            let pattern = &self.patterns[at];
            let of_match = |found: Captures<'_>| {
                let range = found.get(1).or(found.get(0))?.range();
                Some(Hit { kind: &pattern.kind, range: (pattern.check)(text, range)? })
            };
            hits.extend(pattern.find.captures_iter(text).filter_map(of_match).filter(|hit| !hit.range.is_empty()));
        }
        // Stable: at one place the earlier pattern comes first.
        hits.sort_by_key(|hit| hit.range.start);
        let mut apart: Vec<Hit<'_>> = vec![];
        for hit in hits {
            match apart.last_mut().filter(|last| hit.range.start < last.range.end) {
                // No end of what is overlapped may stay.
                Some(last) => last.range.end = last.range.end.max(hit.range.end),
                None => apart.push(hit),
            }
        }
        apart
    }
}

fn any(_: &str, range: Range<usize>) -> Option<Range<usize>> {
    Some(range)
}

/// Words with hyphens between them are no key.
fn with_digit(text: &str, range: Range<usize>) -> Option<Range<usize>> {
    let found = &text[range.clone()];
    let has = |is: fn(&u8) -> bool| found.bytes().any(|byte| is(&byte));
    (has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic)).then_some(range)
}

fn digits(text: &str) -> Vec<u8> {
    text.bytes().filter(u8::is_ascii_digit).map(|digit| digit - b'0').collect()
}

/// Whether a number or a name goes on before a place.
fn goes_on_before(text: &str, start: usize) -> bool {
    text[..start]
        .chars()
        .next_back()
        .is_some_and(|char| char.is_alphanumeric() || matches!(char, '.' | '-' | '_' | '$'))
}

fn goes_on_behind(text: &str, end: usize) -> bool {
    let mut rest = text[end..].chars();
    match rest.next() {
        Some('.') => rest.next().is_some_and(|char| char.is_ascii_digit()),
        Some(char) => char.is_alphanumeric() || char == '_',
        None => false,
    }
}

/// A number of a card: its beginning, its length and its check digit are those of an issuer. What stands behind it,
/// such as the month it ends in, is none of it.
fn card(text: &str, range: Range<usize>) -> Option<Range<usize>> {
    if goes_on_before(text, range.start) {
        return None;
    }
    let ends =
        (range.start..=range.end).rev().filter(|end| text[range.start..*end].ends_with(|c: char| c.is_ascii_digit()));
    let mut whole = ends.filter(|end| !goes_on_behind(text, *end));
    let end = whole.find(|end| is_card(&digits(&text[range.start..*end])))?;
    Some(range.start..end)
}

fn is_card(digits: &[u8]) -> bool {
    let begins = |count: usize| digits.iter().take(count).fold(0, |number, digit| number * 10 + u32::from(*digit));
    let issued = match digits.len() {
        13 => begins(1) == 4,
        14 => matches!(begins(2), 36 | 38) || (300..=305).contains(&begins(3)),
        15 => matches!(begins(2), 34 | 37),
        16 => {
            matches!(begins(1), 4)
                || (51..=55).contains(&begins(2))
                || (2221..=2720).contains(&begins(4))
                || matches!(begins(2), 35 | 62 | 65)
                || begins(4) == 6011
                || (644..=649).contains(&begins(3))
        }
        19 => begins(1) == 4 || begins(2) == 62,
        _ => false,
    };
    issued && is_luhn(digits)
}

fn is_luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits.iter().rev().enumerate().fold(0, |sum, (at, digit)| {
        let digit = u32::from(*digit);
        sum + match at % 2 {
            0 => digit,
            _ => digit * 2 / 10 + digit * 2 % 10,
        }
    });
    sum.is_multiple_of(10)
}

fn phone(text: &str, range: Range<usize>) -> Option<Range<usize>> {
    let count = digits(&text[range.clone()]).len();
    ((8..=15).contains(&count) && !goes_on_before(text, range.start) && !goes_on_behind(text, range.end))
        .then_some(range)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use std::sync::LazyLock;

    use super::{KINDS, Patterns, is_luhn};

    fn found(text: &str) -> Vec<(&'static str, String)> {
        static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| Patterns::new(std::iter::empty()).unwrap());
        let patterns = &*PATTERNS;
        let kind = |kind: &str| *KINDS.iter().find(|known| **known == kind).unwrap();
        patterns.hits(text).into_iter().map(|hit| (kind(hit.kind), text[hit.range].to_owned())).collect()
    }

    #[test]
    fn what_looks_like_a_secret_is_found_and_nothing_else() {
        // Put together, so that nobody takes them for keys.
        let key = |start: &str| format!("{start}{}", "aB3dE6fG9hJ2kL5mN8pQ");
        let pem = format!("-----BEGIN RSA {0}-----\nMIIBOgIBAAJBAKj34GkxFhD9\n-----END RSA {0}-----", "PRIVATE KEY");
        let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl";
        for (text, kind, secret) in [
            (format!("use {} now", key("sk-proj-")), "key", key("sk-proj-")),
            (format!("\"{}\"", key("sk-ant-api03-")), "key", key("sk-ant-api03-")),
            (format!("aws AKIA{} x", "IOSFODNN7EXAMPLE"), "key", "AKIAIOSFODNN7EXAMPLE".to_owned()),
            (key("ghp_"), "key", key("ghp_")),
            (format!("a{pem}b"), "key", pem.clone()),
            (format!("Authorization: Bearer {}", key("x.")), "token", key("x.")),
            (format!("t={jwt};"), "token", jwt.to_owned()),
            ("mail Ada.L+x@mail.example.org.".to_owned(), "email", "Ada.L+x@mail.example.org".to_owned()),
            ("jürgen@müller.de".to_owned(), "email", "jürgen@müller.de".to_owned()),
            ("card 4111 1111 1111 1111 12/26".to_owned(), "card", "4111 1111 1111 1111".to_owned()),
            ("5555-5555-5555-4444".to_owned(), "card", "5555-5555-5555-4444".to_owned()),
            ("amex 378282246310005, ok".to_owned(), "card", "378282246310005".to_owned()),
            ("call +49 (30) 1234-5678!".to_owned(), "phone", "+49 (30) 1234-5678".to_owned()),
            ("(415) 555-2671".to_owned(), "phone", "(415) 555-2671".to_owned()),
        ] {
            assert_eq!(found(&text), [(kind, secret)], "{text}");
        }
        for text in [
            "sk-learn-pipeline-transformers-and-more",
            "a task-based-approach-to-something-long",
            "4111 1111 1111 1112",
            "0.4111111111111111",
            "4111111111111111.5",
            "1761868800000000000",
            "2026-10-31T12:34:56",
            "550e8400-e29b-41d4-a716-446655440000",
            "x@y, a@b.1",
            "Bearer of good news and more",
            "1 + 2 = 3, x+12345678",
            "555-2671",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }

    #[test]
    fn what_overlaps_is_one_secret() {
        let hits = found("Bearer abcdefgh12345678@mail.example.org");
        assert_eq!(hits, [("token", "abcdefgh12345678@mail.example.org".to_owned())]);
    }

    #[test]
    fn patterns_of_ones_own_are_checked() {
        let said = |name, pattern| Patterns::new([(name, pattern)].into_iter()).unwrap_err().to_string();
        assert!(said("a", "(").starts_with("redact.a: regex parse error"), "{}", said("a", "("));
        assert!(said("a", "x*").contains("the empty text"));
        assert!(said("a b", "x").contains("of letters, digits"));
        let patterns = Patterns::new([("ticket", r"T-(\d+)")].into_iter()).unwrap();
        let hits = patterns.hits("see T-12");
        assert_eq!((hits[0].kind, hits[0].range.clone()), ("ticket", 6..8));
    }

    proptest! {
        #[test]
        fn card_numbers_with_a_wrong_digit_are_none(digits in "4[0-9]{15}") {
            let numbers: Vec<u8> = digits.bytes().map(|digit| digit - b'0').collect();
            prop_assert_eq!(!found(&digits).is_empty(), is_luhn(&numbers));
        }

        #[test]
        fn no_text_is_too_odd(text in "\\PC{0,200}") {
            found(&text);
        }
    }
}
