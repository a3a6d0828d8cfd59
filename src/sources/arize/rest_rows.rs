//! Spans as the REST API writes them, as rows that are ingested: nested objects become the columns of an export.

use serde::Deserialize;

use spanql_model::columns::{self, Content, EVENTS, KIND};
use spanql_model::json::{self, Member, Value, write_string};
use spanql_model::time;

const ATTRIBUTES: &str = "attributes.";
/// What the API says of a kind that is none, or that it does not know.
const UNKNOWN_KIND: &str = "UNKNOWN";
const NANOS_PER_MILLISECOND: i64 = 1_000_000;

/// Where a listing goes on.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Pagination {
    #[serde(default)]
    pub(super) has_more: Option<bool>,
    #[serde(default)]
    pub(super) next_cursor: Option<String>,
}

/// A page of spans.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page<'a> {
    /// The JSON text of each span.
    pub(super) spans: Vec<&'a str>,
    pub(super) pagination: Pagination,
}

impl<'a> Page<'a> {
    /// Reads the answer to a request for spans.
    ///
    /// # Errors
    /// What it is not, for a person.
    pub(super) fn read(text: &'a str) -> Result<Self, String> {
        let members = json::members(text).ok_or("it is no JSON object")?;
        let member = |name: &str| members.iter().rev().find(|member| member.key == name).map(|member| member.value);
        let Some(Value::Nested(list)) = member("spans") else { return Err("it has no spans".to_owned()) };
        let spans = json::elements(list).ok_or("its spans are no list")?;
        let span = |span: Value<'a>| match span {
            Value::Nested(text) => Ok(text),
            other => Err(format!("a span is {}", other.written())),
        };
        let pagination = match member("pagination") {
            Some(Value::Nested(text)) => {
                serde_json::from_str(text).map_err(|error| format!("its pagination makes no sense: {error}"))?
            }
            _ => Pagination::default(),
        };
        Ok(Self { spans: spans.into_iter().map(span).collect::<Result<_, _>>()?, pagination })
    }
}

/// The row that a span is: the JSON text of an object with the names of columns, each value's text as it came.
///
/// `None` for text that is no JSON object. What has no column in an export stays under the name that it has here.
pub(super) fn row(span: &str) -> Option<String> {
    let mut row = Row { text: String::with_capacity(span.len() + span.len() / 4), kind: None, has_kind: false };
    row.text.push('{');
    for member in json::members(span)? {
        row.put(&member);
    }
    // What the attributes say has not been made one of the known kinds.
    if let Some(kind) = row.kind.take().filter(|_| !row.has_kind) {
        row.raw(KIND, &kind);
    }
    row.text.push('}');
    Some(row.text)
}

struct Row {
    text: String,
    kind: Option<String>,
    /// Whether the attributes have the kind.
    has_kind: bool,
}

impl Row {
    fn put(&mut self, member: &Member<'_>) {
        match (&*member.key, member.value) {
            (_, Value::Null) | ("latency_ms", _) => {}
            ("kind", value) if is_text(value, UNKNOWN_KIND) => {}
            ("kind", value) => self.kind = Some(value.written().into_owned()),
            ("attributes", Value::Nested(text)) => self.attributes(text),
            ("evaluations", Value::Nested(list)) => self.named("eval", &member.key, list),
            ("annotations", Value::Nested(list)) => self.named("annotation", &member.key, list),
            ("events" | "trace_annotations", Value::Nested(list)) if is_empty(list) => {}
            ("events", value) => self.raw(EVENTS, &value.written()),
            (key, value) => self.raw(key, &value.written()),
        }
    }

    fn attributes(&mut self, text: &str) {
        let Some(members) = json::members(text) else { return self.raw("attributes", text) };
        for Member { key, value, .. } in &members {
            let name = format!("{ATTRIBUTES}{key}");
            match value {
                Value::Null => continue,
                Value::Nested(list) if is_list(&name) => match joined(list) {
                    Some(list) => self.raw(&name, &list),
                    None => self.raw(&name, list),
                },
                value => self.raw(&name, &value.written()),
            }
            self.has_kind |= name == KIND;
        }
    }

    /// Evaluations or annotations: a list of objects, each with a name.
    fn named(&mut self, family: &str, key: &str, list: &str) {
        let Some(elements) = json::elements(list) else { return self.raw(key, list) };
        let mut others = vec![];
        for element in elements {
            let members = match element {
                Value::Nested(text) => json::members(text).unwrap_or_default(),
                _ => vec![],
            };
            let name = members.iter().find(|member| member.key == "name").and_then(|member| text_of(member.value));
            match name.filter(|name| !name.is_empty()) {
                Some(name) => members.iter().for_each(|member| self.score(&format!("{family}.{name}"), member)),
                None => others.push(element.written()),
            }
        }
        if !others.is_empty() {
            self.raw(key, &format!("[{}]", others.join(",")));
        }
    }

    fn score(&mut self, of: &str, member: &Member<'_>) {
        let written = member.value.written();
        match (&*member.key, member.value) {
            ("name", _) | (_, Value::Null) => {}
            ("updated_at", value) => {
                // Exports have milliseconds.
                let nanos = text_of(value).and_then(|text| time::parse(&text).ok());
                let milliseconds = nanos.map(|nanos| nanos.div_euclid(NANOS_PER_MILLISECOND).to_string());
                self.raw(&format!("{of}.updated_at"), milliseconds.as_deref().unwrap_or(&written));
            }
            ("annotator", Value::Nested(text)) => {
                let members = json::members(text).unwrap_or_default();
                let member =
                    |name: &str| members.iter().find(|member| member.key == name && member.value != Value::Null);
                if let Some(by) = member("email").or_else(|| member("id")) {
                    self.raw(&format!("{of}.updated_by"), &by.value.written());
                }
            }
            ("metadata", Value::Nested(text)) if is_empty(text) => {}
            (key, _) => self.raw(&format!("{of}.{key}"), &written),
        }
    }

    fn raw(&mut self, name: &str, json: &str) {
        if self.text.len() > 1 {
            self.text.push(',');
        }
        write_string(name, &mut self.text);
        self.text.push(':');
        self.text.push_str(json);
    }
}

fn is_list(name: &str) -> bool {
    columns::canonical(name).is_some_and(|column| column.content == Content::JsonList)
}

/// Whether a list or an object has nothing in it.
fn is_empty(text: &str) -> bool {
    let inside = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
    inside.trim().is_empty()
}

fn is_text(value: Value<'_>, text: &str) -> bool {
    text_of(value).is_some_and(|value| value == text)
}

fn text_of(value: Value<'_>) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.to_owned()),
        Value::Escaped(body) => Some(json::unescaped(body)),
        _ => None,
    }
}

/// A list whose elements are texts of JSON, as the list that it stands for; `None` if it is no list.
///
/// As in the lists of Flight, a text that is no JSON is taken for a plain string.
fn joined(list: &str) -> Option<String> {
    let mut out = String::with_capacity(list.len());
    out.push('[');
    for (at, element) in json::elements(list)?.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        match text_of(element) {
            Some(text) if json::read(&text).is_some() => out.push_str(text.trim()),
            Some(text) => write_string(&text, &mut out),
            None => out.push_str(&element.written()),
        }
    }
    out.push(']');
    Some(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(span: &serde_json::Value) -> serde_json::Value {
        serde_json::from_str(&row(&span.to_string()).unwrap()).unwrap()
    }

    #[test]
    fn spans_become_rows_of_an_export() {
        let span = json!({
            "name": "llm call", "context": {"trace_id": "t", "span_id": "s"}, "kind": "LLM", "parent_id": "p",
            "start_time": "2026-11-10T12:07:00.000Z", "end_time": "2026-11-10T12:07:04.000Z", "latency_ms": 4000,
            "status_code": "ERROR", "status_message": null,
            "attributes": {
                "openinference.span.kind": "my kind", "llm.cost.total": 0.07, "metadata": {"tier": "free"},
                "llm.input_messages": ["{\"message.role\": \"user\"}", "plain", "5", {"a": 1}], "tags": ["5"], "none": null
            },
            "annotations": [{"name": "Quality", "label": "good", "score": 1, "text": "t",
                "updated_at": "2026-11-10T12:08:00Z", "annotator": {"id": "VXNlcjoxOmE=", "email": "a@example.com"}}],
            "trace_annotations": [],
            "evaluations": [{"name": "A b.c", "label": "incorrect", "score": 0.0, "explanation": "x", "metadata": {}}, {"label": "whose?"}],
            "events": [{"name": "exception", "timestamp": "2026-11-10T12:07:04Z", "attributes": {"exception.type": "E"}}],
            "new_field": 7
        });
        let expected = json!({
            "name": "llm call", "context": {"trace_id": "t", "span_id": "s"}, "parent_id": "p",
            "start_time": "2026-11-10T12:07:00.000Z", "end_time": "2026-11-10T12:07:04.000Z", "status_code": "ERROR",
            "attributes.openinference.span.kind": "my kind", "attributes.llm.cost.total": 0.07,
            "attributes.metadata": {"tier": "free"},
            "attributes.llm.input_messages": [{"message.role": "user"}, "plain", 5, {"a": 1}], "attributes.tags": ["5"],
            "annotation.Quality.label": "good", "annotation.Quality.score": 1, "annotation.Quality.text": "t",
            "annotation.Quality.updated_at": 1_794_312_480_000_i64, "annotation.Quality.updated_by": "a@example.com",
            "eval.A b.c.label": "incorrect", "eval.A b.c.score": 0.0, "eval.A b.c.explanation": "x",
            "evaluations": [{"label": "whose?"}],
            "events": [{"name": "exception", "timestamp": "2026-11-10T12:07:04Z", "attributes": {"exception.type": "E"}}],
            "new_field": 7
        });
        assert_eq!(read(&span), expected);
    }

    #[test]
    fn a_kind_is_that_of_the_attributes_if_they_have_one() {
        let kind = |kind: &str, attributes: serde_json::Value| {
            read(&json!({"kind": kind, "attributes": attributes}))["attributes.openinference.span.kind"].clone()
        };
        assert_eq!(kind("LLM", json!({})), json!("LLM"));
        assert_eq!(kind("UNKNOWN", json!({})), json!(null));
        assert_eq!(kind("UNKNOWN", json!({"openinference.span.kind": "custom"})), json!("custom"));
    }

    #[test]
    fn numbers_keep_their_text() {
        let text = row(r#"{"attributes": {"a": 1.50, "b": 123456789012345678901, "c": "\u00e9\n"}}"#).unwrap();
        assert_eq!(text, r#"{"attributes.a":1.50,"attributes.b":123456789012345678901,"attributes.c":"\u00e9\n"}"#);
    }

    #[test]
    fn pages_are_told_from_other_answers() {
        let page = Page::read(r#"{"spans": [{"a": 1}, {}], "pagination": {"has_more": true, "next_cursor": "Mw=="}}"#);
        let pagination = Pagination { has_more: Some(true), next_cursor: Some("Mw==".to_owned()) };
        assert_eq!(page, Ok(Page { spans: vec![r#"{"a": 1}"#, "{}"], pagination }));
        assert_eq!(Page::read(r#"{"spans": []}"#).unwrap().pagination, Pagination::default());
        for other in
            ["", "[]", "{}", r#"{"spans": {}}"#, r#"{"spans": [1]}"#, r#"{"spans": [], "pagination": {"has_more": 1}}"#]
        {
            assert!(Page::read(other).is_err(), "{other}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_row_of_json_or_none(text in any::<String>()) {
            if let Some(row) = row(&text) {
                prop_assert!(json::read(&row).is_some(), "{row}");
            }
            let _ = Page::read(&text);
        }

        #[test]
        fn any_values_are_rows_of_json(
            keys in proptest::collection::vec("context|kind|attributes|evaluations|annotations|events|name|\\PC{0,4}", 0..6),
            values in proptest::collection::vec(
                r#"null|7|"x"|\[\]|\{\}|\[\{"name": "a", "score": 1, "annotator": 7}\]|\{"llm\.tools": \["\[", 1\], "metadata": 5\}"#, 6,
            ),
        ) {
            let members: Vec<String> = keys.iter().zip(&values)
                .map(|(key, value)| format!("{}: {value}", serde_json::to_string(key).unwrap())).collect();
            let row = row(&format!("{{{}}}", members.join(", "))).unwrap();
            prop_assert!(json::read(&row).is_some(), "{row}");
        }
    }
}
