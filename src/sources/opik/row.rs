//! One line of a stream, as far as reading on needs it.

use spanql_model::json::{Value, members, read, text_of, unescaped};

/// Members that a server cuts when it is asked to.
const CUT: [&str; 3] = ["input", "output", "metadata"];

/// A row of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// The JSON text.
    pub(super) text: String,
    pub(super) id: Option<String>,
    pub(super) trace_id: Option<String>,
    pub(super) thread_id: Option<String>,
    /// Whether a value looks like the beginning of a longer one.
    pub(super) looks_cut: bool,
}

/// What a line is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Row(Row),
    /// An error of the server, in the place of a row; with its code.
    Failure(Option<u16>),
    /// No JSON object.
    Broken,
}

impl Line {
    pub(super) fn read(text: String) -> Self {
        let (mut id, mut trace_id, mut thread_id) = (None, None, None);
        let (mut looks_cut, mut started, mut code, mut complains) = (false, false, None, false);
        match members(&text) {
            None => return Self::Broken,
            Some(members) => {
                for member in members {
                    let value = member.value;
                    match member.key.as_ref() {
                        "id" => id = text_of(value).filter(|id| !id.is_empty()),
                        "trace_id" => trace_id = text_of(value),
                        "thread_id" => thread_id = text_of(value).filter(|id| !id.is_empty()),
                        "start_time" => started = value != Value::Null,
                        "code" => {
                            code = text_of(value).and_then(|code| code.parse().ok());
                            complains = true;
                        }
                        "message" | "errors" => complains = true,
                        key if CUT.contains(&key) => looks_cut |= is_beginning(value),
                        _ => {}
                    }
                }
            }
        }
        if id.is_none() && !started && complains {
            return Self::Failure(code);
        }
        Self::Row(Row { text, id, trace_id, thread_id, looks_cut })
    }
}

/// Whether a text begins like JSON and is none: servers cut the JSON text of a value, and give what is left as text.
fn is_beginning(value: Value<'_>) -> bool {
    let begins = |text: &str| text.starts_with(['{', '[', '"']) && read(text).is_none();
    match value {
        Value::Text(text) => begins(text),
        Value::Escaped(body) => begins(&unescaped(body)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_rows_failures_or_broken() {
        let read = |text: &str| Line::read(text.to_owned());
        let Line::Row(row) = read(r#"{"id": "s", "trace_id": "t", "thread_id": "", "input": "{\"a\": 1}"}"#) else {
            panic!("a row")
        };
        assert_eq!((row.id.as_deref(), row.trace_id.as_deref(), row.thread_id), (Some("s"), Some("t"), None));
        assert!(!row.looks_cut);
        assert_eq!(read(r#"{"code": 500, "message": "Streaming operation timed out"}"#), Line::Failure(Some(500)));
        assert_eq!(read(r#"{"errors": ["no"]}"#), Line::Failure(None));
        assert!(matches!(read(r#"{"start_time": "2025-01-01T00:00:00Z"}"#), Line::Row(Row { id: None, .. })));
        assert!(matches!(read(r#"{"id": "s", "code": 500}"#), Line::Row(_)));
        for broken in ["", "x", "[1]", "{\"id\": \"s\"", "{\"id\": \"s\"} {"] {
            assert_eq!(read(broken), Line::Broken, "{broken}");
        }
    }

    #[test]
    fn cut_values_are_noticed() {
        for (value, cut) in [
            (r#""{\"a\": \"long te""#, true),
            (r#""[1, 2""#, true),
            (r#""\"a text that en""#, true),
            (r#""plain text""#, false),
            (r#""{\"a\": 1}""#, false),
            (r#"{"a": "{"}"#, false),
            ("null", false),
            ("\"\"", false),
        ] {
            let Line::Row(row) = Line::read(format!("{{\"id\": \"s\", \"output\": {value}}}")) else { panic!("a row") };
            assert_eq!(row.looks_cut, cut, "{value}");
        }
    }
}
