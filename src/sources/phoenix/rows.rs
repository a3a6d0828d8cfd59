//! Spans as the server writes them, as rows to be ingested.

use spanql_model::ingest::RowError;
use spanql_model::json::{Member, Value, members, text_of};

use super::fold::write_attributes;
use super::page::member;

/// A span of an answer.
#[derive(Debug)]
pub(super) struct Span<'a>(Vec<Member<'a>>);

/// Appends the row of a span: one JSON object with flat dotted names.
///
/// Its row id is left out; members that are not known stay as they are.
///
/// # Errors
/// When the text is no JSON object, or has no attributes in one.
pub(crate) fn write_row(span: &str, out: &mut String) -> Result<(), RowError> {
    Span::read(span)?.write(out)
}

impl<'a> Span<'a> {
    pub(super) fn read(text: &'a str) -> Result<Self, RowError> {
        members(text).map(Self).ok_or_else(|| RowError::Row("a span that is no JSON object".to_owned()))
    }

    /// What the listing knows it by.
    pub(super) fn id(&self) -> Option<String> {
        member(&self.0, "id").and_then(text_of)
    }

    /// What its annotations know it by.
    pub(super) fn span_id(&self) -> Option<String> {
        let Some(Value::Nested(context)) = member(&self.0, "context") else { return None };
        member(&members(context)?, "span_id").and_then(text_of)
    }

    /// The trace that it is the root of.
    pub(super) fn root_of(&self) -> Option<String> {
        let has_parent = !matches!(member(&self.0, "parent_id"), None | Some(Value::Null | Value::Text("")));
        let Some(Value::Nested(context)) = member(&self.0, "context").filter(|_| !has_parent) else { return None };
        member(&members(context)?, "trace_id").and_then(text_of)
    }

    /// The session that it names.
    pub(super) fn session_id(&self) -> Option<String> {
        let Some(Value::Nested(attributes)) = member(&self.0, "attributes") else { return None };
        member(&members(attributes)?, "session.id").and_then(text_of).filter(|id| !id.is_empty())
    }

    pub(super) fn write(&self, out: &mut String) -> Result<(), RowError> {
        let start = out.len();
        out.push('{');
        for member in &self.0 {
            match (member.key.as_ref(), member.value) {
                // The project and the source are known, and the id says nothing elsewhere.
                ("id" | "project" | "source", _) | ("attributes", Value::Null) => {}
                ("attributes", Value::Nested(text)) if members(text).is_some() => {
                    write_attributes(&members(text).unwrap_or_default(), out);
                }
                ("attributes", _) => {
                    out.truncate(start);
                    return Err(RowError::Row("the attributes of a span are no object".to_owned()));
                }
                _ => {
                    if !out.ends_with('{') {
                        out.push(',');
                    }
                    out.push_str(member.text);
                }
            }
        }
        out.push('}');
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use spanql_model::ingest::{IngestBuilder, Origin};

    use super::write_row;

    fn row(span: &str) -> String {
        let mut out = String::new();
        write_row(span, &mut out).unwrap();
        out
    }

    #[test]
    fn a_span_becomes_a_row() {
        let span = r#"{"id": "U3Bhbjo1", "name": "chat", "context": {"trace_id": "t", "span_id": "s"}, "span_kind": "LLM",
            "parent_id": null, "start_time": "2026-01-02T03:04:05+00:00", "status_code": "OK",
            "attributes": {"llm.token_count.prompt": 120, "llm.input_messages.0.message.role": "user"}, "events": []}"#;
        assert_eq!(
            row(span),
            concat!(
                r#"{"name": "chat","context": {"trace_id": "t", "span_id": "s"},"span_kind": "LLM","parent_id": null,"#,
                r#""start_time": "2026-01-02T03:04:05+00:00","status_code": "OK","attributes.llm.token_count.prompt":120,"#,
                r#""attributes.llm.input_messages":[{"message.role":"user"}],"events": []}"#
            )
        );
        assert_eq!(row("{}"), "{}");
        assert_eq!(row(r#"{"attributes":{"a":1}}"#), r#"{"attributes.a":1}"#);
        for wrong in ["", "[]", "1", r#"{"attributes": 5}"#, r#"{"attributes": [1]}"#] {
            let mut out = "before".to_owned();
            assert!(write_row(wrong, &mut out).is_err(), "{wrong}");
            assert_eq!(out, "before");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_can_be_ingested(
            attributes in prop::collection::btree_map(
                "(llm\\.input_messages|metadata|tool\\.parameters|x)(\\.(0|1|a|metadata|)){0,4}",
                prop_oneof!["1", "\"x\"", "null", "\\[1\\]", "true"],
                0..8,
            )
        ) {
            let members: Vec<String> = attributes.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
            let text = format!(r#"{{"context":{{"trace_id":"t","span_id":"s"}},"attributes":{{{}}}}}"#, members.join(","));
            let origin = Origin { source: "phoenix", project: "p".to_owned(), force_project: true };
            let pushed = IngestBuilder::new(origin).push_json(&row(&text));
            prop_assert!(pushed.is_ok(), "{text}: {pushed:?}");
        }

        #[test]
        fn garbage_is_refused(text in ".{0,80}") {
            let _ = write_row(&text, &mut String::new());
        }
    }
}
