//! One page of the listing of spans, and the cursors between pages.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use spanql_model::json::{Member, Value, elements, members, text_of};

/// What a page holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page<'a> {
    /// The text of each span.
    pub(super) spans: Vec<&'a str>,
    /// The first span of the next page; `None` on the last one.
    pub(super) next: Option<String>,
}

/// The member of an object; of several the last.
pub(super) fn member<'a>(members: &[Member<'a>], name: &str) -> Option<Value<'a>> {
    members.iter().rev().find(|member| member.key == name).map(|member| member.value)
}

impl<'a> Page<'a> {
    /// Reads the text of an answer.
    ///
    /// # Errors
    /// What is wrong with it, for a person.
    pub(super) fn read(text: &'a str) -> Result<Self, String> {
        let found = members(text).ok_or_else(|| "the answer is no JSON object".to_owned())?;
        let Some(Value::Nested(data)) = member(&found, "data") else {
            return Err("the answer has no list of spans".to_owned());
        };
        let data = elements(data).ok_or_else(|| "the spans of the answer are no list".to_owned())?;
        let span = |element| match element {
            Value::Nested(text) => Ok(text),
            _ => Err("an element of the answer is no span".to_owned()),
        };
        let spans = data.into_iter().map(span).collect::<Result<_, _>>()?;
        let next = member(&found, "next_cursor").and_then(text_of).filter(|next| !next.is_empty());
        Ok(Self { spans, next })
    }
}

/// The row that a cursor, or the id of a span, names; rows grow with what comes in.
pub(super) fn row_of(cursor: &str) -> Option<i64> {
    let bytes = BASE64_STANDARD_NO_PAD.decode(cursor.trim_end_matches('=')).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    text.strip_prefix("Span:")?.parse().ok()
}

/// The cursor of the spans from a row on, newest first. There need be no such row.
pub(super) fn cursor_at(row: i64) -> String {
    BASE64_STANDARD.encode(format!("Span:{row}"))
}

#[cfg(test)]
mod tests {
    use super::{Page, cursor_at, row_of};

    #[test]
    fn pages_are_read() {
        let page = Page::read(r#"{"data": [{"a": 1}, {"b": [2]}], "next_cursor": "U3Bhbjo1"}"#).unwrap();
        assert_eq!(page, Page { spans: vec![r#"{"a": 1}"#, r#"{"b": [2]}"#], next: Some("U3Bhbjo1".into()) });
        assert_eq!(Page::read(r#"{"data":[],"next_cursor":null}"#), Ok(Page { spans: vec![], next: None }));
        for broken in ["", "[]", "{}", r#"{"data":{}}"#, r#"{"data":[1]}"#, r#"{"data":[{"a":1}"#] {
            assert!(Page::read(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn cursors_are_rows() {
        assert_eq!((row_of("U3Bhbjo1"), row_of("U3BhbjoxMA=="), row_of("U3BhbjoxMA")), (Some(5), Some(10), Some(10)));
        assert_eq!((row_of("zzz"), row_of(""), row_of("UHJvamVjdDoz")), (None, None, None));
        assert_eq!(row_of(&cursor_at(123_456)), Some(123_456));
    }
}
