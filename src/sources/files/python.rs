//! Lists and objects as Python prints them, which is what its CSV writers make of them.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use spanql_model::json::{MAX_DEPTH, Tree};

/// Reads what `str()` gives for a list, a tuple or a dictionary of what JSON has, and of times; `None` for anything else.
pub(super) fn read(text: &str) -> Option<Tree<'static>> {
    let mut reader = Reader { rest: text.trim() };
    let tree = reader.value(MAX_DEPTH)?;
    reader.rest.is_empty().then_some(tree)
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn value(&mut self, room: usize) -> Option<Tree<'static>> {
        match self.rest.chars().next()? {
            '\'' | '"' => Some(Tree::Text(Cow::Owned(self.text()?))),
            '[' => self.items("]", room.checked_sub(1)?),
            '(' => self.items(")", room.checked_sub(1)?),
            '{' => self.members(room.checked_sub(1)?),
            _ => self.word(),
        }
    }

    fn blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, what: &str) -> bool {
        self.blanks();
        let rest = self.rest.strip_prefix(what);
        self.rest = rest.unwrap_or(self.rest);
        self.blanks();
        rest.is_some()
    }

    fn items(&mut self, end: &str, room: usize) -> Option<Tree<'static>> {
        self.rest = self.rest.get(1..)?;
        let mut items = vec![];
        while !self.eat(end) {
            if !items.is_empty() && !self.eat(",") {
                return None;
            }
            // A tuple of one has a comma behind it.
            if self.eat(end) {
                break;
            }
            items.push(self.value(room)?);
        }
        Some(Tree::List(items))
    }

    fn members(&mut self, room: usize) -> Option<Tree<'static>> {
        self.rest = self.rest.get(1..)?;
        let mut members = vec![];
        while !self.eat("}") {
            if !members.is_empty() && !self.eat(",") {
                return None;
            }
            let key = self.value(room)?.text()?;
            if !self.eat(":") {
                return None;
            }
            members.push((Cow::Owned(key), self.value(room)?));
        }
        Some(Tree::Object(members))
    }

    /// A text in either kind of quotes.
    fn text(&mut self) -> Option<String> {
        let quote = self.rest.chars().next()?;
        let mut chars = self.rest.char_indices().skip(1);
        let mut out = String::new();
        while let Some((at, char)) = chars.next() {
            match char {
                '\\' => match chars.next()?.1 {
                    'n' => out.push('\n'),
                    't' => out.push('\t'),
                    'r' => out.push('\r'),
                    plain @ ('\\' | '\'' | '"') => out.push(plain),
                    hex @ ('x' | 'u' | 'U') => {
                        let length = match hex {
                            'x' => 2,
                            'u' => 4,
                            _ => 8,
                        };
                        let digits: String = chars.by_ref().take(length).map(|(_, digit)| digit).collect();
                        let code = u32::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == length)?;
                        // Half of a pair is no character.
                        out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                    }
                    _ => return None,
                },
                end if end == quote => {
                    self.rest = self.rest.get(at + 1..)?;
                    return Some(out);
                }
                char => out.push(char),
            }
        }
        None
    }

    /// A number, a name of Python's, or a time.
    fn word(&mut self) -> Option<Tree<'static>> {
        let end = self.rest.find([',', ']', '}', ')', ':', '(']).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        if word == "datetime.datetime" {
            return self.time(rest);
        }
        self.rest = rest;
        match word.trim_end() {
            "None" | "nan" | "inf" | "-inf" => Some(Tree::Null),
            "True" => Some(Tree::Scalar(Cow::Borrowed("true"))),
            "False" => Some(Tree::Scalar(Cow::Borrowed("false"))),
            number => match Tree::parse(number)? {
                Tree::Scalar(number) => Some(Tree::Scalar(Cow::Owned(number.into_owned()))),
                _ => None,
            },
        }
    }

    /// `(2026, 1, 2, 3, 4, 5, 678, tzinfo=…)`, in UTC.
    fn time(&mut self, arguments: &'a str) -> Option<Tree<'static>> {
        // The zone may be a call itself.
        let mut depth = 0_usize;
        let end = arguments.char_indices().find_map(|(at, char)| {
            match char {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            (depth == 0).then_some(at)
        })?;
        let inside = arguments.get(1..end)?;
        let (numbers, zone) = inside.split_once(", tzinfo=").unwrap_or((inside, "UTC"));
        if !["UTC", "datetime.timezone.utc", "TzInfo(UTC)", "TzInfo(0)"].contains(&zone) {
            return None;
        }
        let numbers: Option<Vec<u32>> = numbers.split(", ").map(|number| number.parse().ok()).collect();
        let numbers = numbers?;
        let part = |at: usize| numbers.get(at).copied().unwrap_or(0);
        let date = NaiveDate::from_ymd_opt(i32::try_from(part(0)).ok()?, part(1), part(2))?;
        let time: NaiveDateTime = date.and_hms_micro_opt(part(3), part(4), part(5), part(6))?;
        self.rest = arguments.get(end + 1..)?;
        let time: DateTime<chrono::Utc> = time.and_utc();
        Some(Tree::Text(Cow::Owned(time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))))
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    fn json(text: &str) -> Option<String> {
        let mut out = String::new();
        read(text)?.write(&mut out);
        Some(out)
    }

    #[test]
    fn what_python_prints_is_json() {
        for (text, want) in [
            ("[]", "[]"),
            (
                "{'a': 1, 'b': [True, False, None], \"it's\": 'say \"hi\"\\n'}",
                r#"{"a":1,"b":[true,false,null],"it's":"say \"hi\"\n"}"#,
            ),
            ("(1, -2.5, 1e-07)", "[1,-2.5,1e-07]"),
            ("('one',)", r#"["one"]"#),
            ("{'x': nan, 'é': '\\x1b[2J\\u00e9\\U0001f600'}", r#"{"x":null,"é":"\u001b[2Jé😀"}"#),
            (
                "[{'at': datetime.datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=datetime.timezone.utc), 'n': 1}]",
                r#"[{"at":"2026-01-02T03:04:05.000678Z","n":1}]"#,
            ),
            ("{'at': datetime.datetime(2026, 1, 2, 3, 4, tzinfo=TzInfo(UTC))}", r#"{"at":"2026-01-02T03:04:00Z"}"#),
            ("{1: 2}", r#"{"1":2}"#),
        ] {
            assert_eq!(json(text).as_deref(), Some(want), "{text}");
        }
    }

    #[test]
    fn nothing_else_is_read() {
        for text in [
            "",
            "[",
            "[1",
            "{'a'}",
            "{'a': }",
            "[1 2]",
            "<Span object at 0x7f>",
            "['a",
            "{'a': set()}",
            "[1] x",
            "hello",
        ] {
            assert_eq!(json(text), None, "{text}");
        }
        assert_eq!(json(&"[".repeat(100_000)), None);
    }
}
