//! Lists, objects and strings as they are kept.

use std::borrow::Cow;

use memchr::{memchr, memchr2, memchr3};

use super::scan::{JsonError, MAX_DEPTH, Scanner, Value, plain_end};

/// The text of a JSON list in canonical form, or `None` when `text` is neither a list nor an object.
///
/// Canonical means no blanks between elements, every element's own text as it came, and each string element that
/// holds a JSON object or list replaced by what it holds. An object becomes what [`compact_object`] makes of it.
pub fn compact_list(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    write_compact(text, true, &mut out).then_some(out)
}

/// The text of a JSON object in canonical form, or `None` when `text` is neither an object nor a list.
///
/// Canonical means no blanks between members, every member's own text as it came, in the order it came.
pub fn compact_object(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    write_compact(text, false, &mut out).then_some(out)
}

/// Appends the canonical text of a JSON list or object; `unwrap` replaces string elements of a list that hold JSON.
///
/// Returns false, with nothing appended, when `text` is not a JSON list or object.
pub fn write_compact(text: &str, unwrap: bool, out: &mut String) -> bool {
    let mark = out.len();
    let done = try_compact(text, unwrap, out).is_ok();
    if !done {
        out.truncate(mark);
    }
    done
}

fn try_compact(text: &str, unwrap: bool, out: &mut String) -> Result<(), JsonError> {
    let mut scanner = Scanner::new(text);
    scanner.blanks();
    let object = scanner.byte() == Some(b'{');
    if !object && scanner.byte() != Some(b'[') {
        return Err(scanner.error("expected a list or an object"));
    }
    let (open, close, after) =
        if object { ('{', b'}', "expected ',' or '}'") } else { ('[', b']', "expected ',' or ']'") };
    scanner.eat(open as u8);
    out.push(open);
    scanner.blanks();
    if !scanner.eat(close) {
        loop {
            let start = scanner.position();
            scanner.nonfinite = false;
            if object {
                scanner.key()?;
            }
            let value = scanner.value(MAX_DEPTH - 1)?;
            if !(unwrap && !object && write_unwrapped(value, out)) {
                write_finite(scanner.since(start), scanner.nonfinite, out);
            }
            scanner.blanks();
            if scanner.eat(close) {
                break;
            }
            scanner.expect(b',', after)?;
            scanner.blanks();
            out.push(',');
        }
    }
    out.push(char::from(close));
    scanner.end()
}

/// Appends the canonical text of a list whose elements are JSON texts of their own, as of [`compact_list`]; `None` is
/// null, and what is no JSON text stands for a plain string.
///
/// Returns whether a `NaN` or `Infinity` became null.
pub fn write_list<'a>(elements: impl IntoIterator<Item = Option<&'a str>>, out: &mut String) -> bool {
    let mut nonfinite = false;
    out.push('[');
    for (at, element) in elements.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        let Some(text) = element else {
            out.push_str("null");
            continue;
        };
        let mut scanner = Scanner::new(text);
        scanner.blanks();
        let start = scanner.position();
        let value = scanner.value(MAX_DEPTH);
        let written = scanner.since(start);
        match value {
            Ok(value) if scanner.end().is_ok() => {
                nonfinite |= scanner.nonfinite;
                if !write_unwrapped(value, out) {
                    write_finite(written, scanner.nonfinite, out);
                }
            }
            _ => write_string(text, out),
        }
    }
    out.push(']');
    nonfinite
}

/// Appends what a string holds if that is a JSON object or list.
fn write_unwrapped(value: Value<'_>, out: &mut String) -> bool {
    let held = match value {
        Value::Text(text) => Cow::Borrowed(text),
        Value::Escaped(body) => Cow::Owned(unescaped(body)),
        _ => return false,
    };
    let held = held.trim_matches([' ', '\t', '\r', '\n']);
    let mut scanner = Scanner::new(held);
    match scanner.value(MAX_DEPTH - 1) {
        Ok(Value::Nested(_)) if scanner.end().is_ok() => write_finite(held, scanner.nonfinite, out),
        _ => return false,
    }
    true
}

/// Appends valid JSON text, with `null` for its `NaN` and `Infinity` tokens if it has any.
pub fn write_finite(json: &str, nonfinite: bool, out: &mut String) {
    let mut rest = json;
    while nonfinite && let Some(at) = memchr3(b'"', b'N', b'I', rest.as_bytes()) {
        if rest.as_bytes().get(at) == Some(&b'"') {
            let end = string_end(rest, at);
            out.push_str(rest.get(..end).unwrap_or(rest));
            rest = rest.get(end..).unwrap_or("");
        } else {
            let word = if rest.get(at..).is_some_and(|r| r.starts_with('N')) { "NaN" } else { "Infinity" };
            let before = rest.get(..at).unwrap_or("");
            out.push_str(before.strip_suffix('-').unwrap_or(before));
            out.push_str("null");
            rest = rest.get(at + word.len()..).unwrap_or("");
        }
    }
    out.push_str(rest);
}

/// The position after the string that opens at `at`.
fn string_end(json: &str, at: usize) -> usize {
    let mut at = at + 1;
    // What was read is JSON: no control character ends a string.
    while let Some(found) = json.as_bytes().get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += found;
        if json.as_bytes().get(at) == Some(&b'"') {
            return at + 1;
        }
        at += 2;
    }
    json.len()
}

/// The text that the inside of a JSON string stands for.
pub fn unescaped(body: &str) -> String {
    let mut out = String::with_capacity(body.len());
    unescape(body, &mut out);
    out
}

/// Appends the text that the inside of a JSON string stands for; half a surrogate pair becomes U+FFFD.
pub fn unescape(body: &str, out: &mut String) {
    let mut rest = body;
    while let Some(at) = memchr(b'\\', rest.as_bytes()) {
        out.push_str(rest.get(..at).unwrap_or(""));
        let code = rest.as_bytes().get(at + 1).copied().unwrap_or(b'\\');
        let mut used = at + 2;
        match code {
            b'b' => out.push('\u{8}'),
            b'f' => out.push('\u{c}'),
            b'n' => out.push('\n'),
            b'r' => out.push('\r'),
            b't' => out.push('\t'),
            b'u' => {
                let high = unit(rest, used);
                used += 4;
                out.push(match high {
                    0xD800..=0xDBFF => match rest.get(used..used + 2).map(|_| unit(rest, used + 2)) {
                        Some(low @ 0xDC00..=0xDFFF) if rest.get(used..used + 2) == Some("\\u") => {
                            used += 6;
                            let code = 0x10000 + (u32::from(high) - 0xD800) * 0x400 + (u32::from(low) - 0xDC00);
                            char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
                        }
                        _ => char::REPLACEMENT_CHARACTER,
                    },
                    unit => char::from_u32(u32::from(unit)).unwrap_or(char::REPLACEMENT_CHARACTER),
                });
            }
            other => out.push(char::from(other)),
        }
        rest = rest.get(used..).unwrap_or("");
    }
    out.push_str(rest);
}

/// The four hex digits at `at`, or 0 where there are none.
fn unit(text: &str, at: usize) -> u16 {
    text.get(at..at + 4).and_then(|hex| u16::from_str_radix(hex, 16).ok()).unwrap_or(0)
}

/// Appends `text` as a JSON string.
pub fn write_string(text: &str, out: &mut String) {
    use std::fmt::Write as _;
    out.push('"');
    let mut start = 0;
    loop {
        let end = plain_end(text.as_bytes(), start);
        out.push_str(text.get(start..end).unwrap_or(""));
        match text.as_bytes().get(end) {
            None => break,
            Some(b'"') => out.push_str("\\\""),
            Some(b'\\') => out.push_str("\\\\"),
            Some(b'\n') => out.push_str("\\n"),
            Some(b'\r') => out.push_str("\\r"),
            Some(b'\t') => out.push_str("\\t"),
            Some(control) => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{control:04x}");
            }
        }
        start = end + 1;
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_json(text: &str) -> bool {
        let mut scanner = Scanner::new(text);
        scanner.blanks();
        scanner.value(MAX_DEPTH).is_ok() && scanner.end().is_ok()
    }

    #[test]
    fn blanks_between_elements_go_and_those_inside_stay() {
        assert_eq!(compact_list(" [ {\"a\": 1} ,\n [1, 2] , 1.50 ] ").as_deref(), Some("[{\"a\": 1},[1, 2],1.50]"));
        assert_eq!(compact_list("[ ]").as_deref(), Some("[]"));
        assert_eq!(
            compact_object("{ \"a\" : 1 , \"b\": {\"c\": 2} }").as_deref(),
            Some("{\"a\" : 1,\"b\": {\"c\": 2}}")
        );
        assert_eq!(compact_object("{\"a\": \"[1, 2]\"}").as_deref(), Some("{\"a\": \"[1, 2]\"}"));
    }

    #[test]
    fn strings_that_hold_json_are_unwrapped_in_lists_only() {
        let list = r#"["{\"role\": \"user\"}", "plain", " [1] ", "[1] x", "{broken", "5", {"a":"{}"}]"#;
        let unwrapped = r#"[{"role": "user"},"plain",[1],"[1] x","{broken","5",{"a":"{}"}]"#;
        assert_eq!(compact_list(list).as_deref(), Some(unwrapped));
        assert_eq!(compact_object(r#"["{}"]"#).as_deref(), Some(r#"["{}"]"#));
    }

    #[test]
    fn tokens_that_are_no_numbers_become_null() {
        let list = r#"[NaN, {"a": -Infinity, "NaN I": "NaN \" Infinity"}, "{\"x\": NaN}", Infinity]"#;
        let compact = compact_list(list).unwrap();
        assert_eq!(compact, r#"[null,{"a": null, "NaN I": "NaN \" Infinity"},{"x": null},null]"#);
        serde_json::from_str::<serde_json::Value>(&compact).unwrap();
        let mut out = String::new();
        write_finite(r#"[NaN, "\\", NaN, "x"]"#, true, &mut out);
        assert_eq!(out, r#"[null, "\\", null, "x"]"#);
    }

    #[test]
    fn a_list_of_texts_is_the_list_of_what_they_hold() {
        let held = [
            "{\"a\": [1, 2]}",
            " [1] ",
            "5",
            "true",
            "null",
            "\"plain\"",
            "\"{\\\"a\\\": 1}\"",
            "[NaN, \"NaN\"]",
            "-Infinity",
            "\"\"",
        ];
        let plain = ["", "say \"hi\"", "{'a': 1}", "[1", "1 2", "nul", "\u{1}"];
        let mut out = String::from("before");
        let texts = held.iter().chain(&plain).map(|text| Some(*text)).chain([None]);
        assert!(write_list(texts, &mut out));
        let quoted = plain.iter().map(|text| serde_json::to_string(text).unwrap());
        let all: Vec<String> =
            held.iter().map(|text| (*text).to_owned()).chain(quoted).chain(["null".to_owned()]).collect();
        let list = format!("[{}]", all.join(","));
        assert_eq!(out, format!("before{}", compact_list(&list).unwrap()));
        out.clear();
        assert!(!write_list([Some("\"NaN\""), Some("NaN or so")], &mut out));
        assert_eq!(out, "[\"NaN\",\"NaN or so\"]");
    }

    #[test]
    fn other_text_is_left_alone() {
        for text in ["", "5", "\"[]\"", "{'a': 1}", "[1,]", "[1", "{\"a\":1}x", "[1 2]", "{\"a\"}", "[\"\u{1}\"]"] {
            assert_eq!(compact_list(text), None, "{text}");
            assert_eq!(compact_object(text), None, "{text}");
        }
    }

    #[test]
    fn shapes_of_json() {
        for text in ["1e-5", "1E+5", "-1.5e7", r#""\u00e9""#, r#"{"a":[],"b":1}"#, r#"[{},{"a":{}},2]"#] {
            assert!(is_json(text), "{text}");
        }
        for text in ["1e", "1e+-5", r#""\u00zz""#, r#""\u00""#, r#"{"a":[],1}"#, r#"[{},"b":1]"#] {
            assert!(!is_json(text), "{text}");
        }
    }

    #[test]
    fn depth_is_limited_without_recursion() {
        let deep = |n: usize| "[".repeat(n) + &"]".repeat(n);
        assert!(compact_list(&deep(MAX_DEPTH)).is_some());
        assert!(compact_list(&deep(MAX_DEPTH + 1)).is_none());
        assert!(!is_json(&deep(1_000_000)));
        let held = |n: usize| compact_list(&format!("[\"{}\"]", deep(n))).unwrap();
        assert_eq!(held(MAX_DEPTH - 1), format!("[{}]", deep(MAX_DEPTH - 1)));
        assert_eq!(held(MAX_DEPTH), format!("[\"{}\"]", deep(MAX_DEPTH)), "a string that holds too much stays one");
    }

    #[test]
    fn escapes_are_read_and_written() {
        let body = r#"a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00\ud83d\ud83d\u0041\udc00é"#;
        assert_eq!(unescaped(body), "a\"\\/\u{8}\u{c}\n\r\té😀\u{fffd}\u{fffd}A\u{fffd}é");
        assert_eq!(unescaped(r"ab\ud83d\ude00"), "ab😀");
        assert_eq!(unescaped(r"\ud83d--de00"), "\u{fffd}--de00", "half a pair, whatever follows");
        let mut out = String::new();
        write_string("a\"\\\n\u{1}é😀", &mut out);
        assert_eq!(serde_json::from_str::<String>(&out).unwrap(), "a\"\\\n\u{1}é😀");
    }

    proptest! {
        #[test]
        fn what_is_json_agrees_with_serde(text in "[\\[\\]{}:,\"\\\\ntu0-9eE.+\\- a-z]{0,24}") {
            // Raw values are checked without building strings, as here: serde refuses half surrogate pairs otherwise.
            let expected = serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok();
            prop_assert_eq!(is_json(&text), expected, "{}", text);
        }

        #[test]
        fn compacting_keeps_the_value_and_settles(elements in prop::collection::vec(element(), 0..6), pad in "[ \n\t]{0,3}") {
            let text = format!("[{pad}{}{pad}]", elements.join(&format!("{pad},{pad}")));
            let compact = compact_object(&text).unwrap();
            prop_assert_eq!(&compact, &format!("[{}]", elements.join(",")));
            prop_assert_eq!(compact_object(&compact).unwrap(), compact);
        }

        #[test]
        fn unescaping_agrees_with_serde(text in any::<String>()) {
            let json = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(unescaped(&json[1..json.len() - 1]), text.clone());
            let mut out = String::new();
            write_string(&text, &mut out);
            prop_assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        }
    }

    fn element() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<i64>().prop_map(|n| n.to_string()),
            any::<String>().prop_map(|s| serde_json::to_string(&s).unwrap()),
            any::<String>()
                .prop_map(|s| format!("{{ \"a\": {} , \"b\" : [ 1, 2 ] }}", serde_json::to_string(&s).unwrap())),
            Just("null".to_owned()),
        ]
    }
}
