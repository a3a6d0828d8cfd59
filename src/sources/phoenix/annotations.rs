//! Annotations of spans, traces and sessions: evaluations, what people said, and notes.
//!
//! What a model or code says is an evaluation, `eval.<name>`; what people say is an annotation, `annotation.<name>`; notes
//! are [`NOTES`]. A span can have several of one name, told apart by an identifier: the one that changed last has the plain
//! name, and each other is `<name> (<identifier>)`. All that is said of a trace or a session is `trace_eval.<name>` or
//! `session_eval.<name>`, whoever said it: no other family has a place for it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use spanql_model::columns::NOTES;
use spanql_model::json::write_string;
use spanql_model::time;

use super::fold::begin;

/// The name of annotations that are notes.
const NOTE: &str = "note";
const HUMAN: &str = "HUMAN";
const MILLISECOND: i64 = 1_000_000;

/// What is annotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Span,
    Trace,
    Session,
}

impl Level {
    /// The end of the path of their annotations.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Span => "span_annotations",
            Self::Trace => "trace_annotations",
            Self::Session => "session_annotations",
        }
    }

    /// The parameter with their ids.
    pub(super) fn parameter(self) -> &'static str {
        match self {
            Self::Span => "span_ids",
            Self::Trace => "trace_ids",
            Self::Session => "session_ids",
        }
    }

    /// What they are called.
    pub(super) fn in_words(self) -> &'static str {
        match self {
            Self::Span => "spans",
            Self::Trace => "traces",
            Self::Session => "sessions",
        }
    }

    /// Beginnings of the columns that are made of their annotations.
    fn families(self) -> &'static [&'static str] {
        match self {
            Self::Span => &["eval.", "annotation."],
            Self::Trace => &["trace_eval."],
            Self::Session => &["session_eval."],
        }
    }

    /// Whether any of the columns wanted can come from them.
    pub(super) fn is_wanted(self, columns: Option<&[String]>) -> bool {
        let annotated = |name: &String| self.families().iter().any(|family| name.starts_with(family));
        columns.is_none_or(|columns| columns.iter().any(annotated))
    }
}

/// An annotation as the server gives it.
#[derive(Debug, Deserialize)]
pub(super) struct Annotation {
    #[serde(alias = "span_id", alias = "trace_id", alias = "session_id")]
    pub(super) of: String,
    pub(super) name: String,
    annotator_kind: String,
    #[serde(default)]
    pub(super) identifier: String,
    pub(super) result: Option<Outcome>,
    user_id: Option<String>,
    updated_at: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Outcome {
    pub(super) label: Option<String>,
    /// The number's own text.
    pub(super) score: Option<Box<RawValue>>,
    pub(super) explanation: Option<String>,
}

/// The members that the annotations of one span, trace or session add to a row. The server gives the newest first.
pub(super) fn members(level: Level, mut annotations: Vec<Annotation>) -> String {
    // Times that the server wrote are of one form, except for a fraction that is zero.
    let changed = |annotation: &Annotation| annotation.updated_at.as_deref().and_then(|text| time::parse(text).ok());
    annotations.sort_by_key(|annotation| std::cmp::Reverse(changed(annotation)));
    let (notes, others): (Vec<_>, Vec<_>) =
        annotations.into_iter().partition(|annotation| level == Level::Span && annotation.name == NOTE);
    let mut out = String::new();
    let mut seen: BTreeMap<(bool, String), usize> = BTreeMap::new();
    for annotation in &others {
        let human = level == Level::Span && annotation.annotator_kind == HUMAN;
        let before = seen.entry((human, annotation.name.clone())).or_default();
        let name = match *before {
            0 => annotation.name.clone(),
            _ => format!("{} ({})", annotation.name, annotation.identifier),
        };
        *before += 1;
        let family = match level {
            Level::Span if human => "annotation",
            Level::Span => "eval",
            Level::Trace => "trace_eval",
            Level::Session => "session_eval",
        };
        annotation.write(&format!("{family}.{name}"), human, &mut out);
    }
    if !notes.is_empty() {
        // Oldest first, as they were written.
        let notes: Vec<String> = notes.iter().rev().map(Annotation::note).collect();
        begin(NOTES, &mut out);
        out.push_str(&format!("[{}]", notes.join(",")));
    }
    out
}

impl Annotation {
    /// Appends its members under a name.
    fn write(&self, name: &str, human: bool, out: &mut String) {
        let result = self.result.as_ref();
        let mut text = |part: &str, text: Option<&str>| {
            if let Some(text) = text {
                begin(&format!("{name}.{part}"), out);
                write_string(text, out);
            }
        };
        text("label", result.and_then(|result| result.label.as_deref()));
        text("explanation", result.and_then(|result| result.explanation.as_deref()));
        text("annotator_kind", Some(&self.annotator_kind));
        if human {
            text("updated_by", self.user_id.as_deref());
        }
        if let Some(score) = result.and_then(|result| result.score.as_ref()) {
            begin(&format!("{name}.score"), out);
            out.push_str(score.get());
        }
        if let Some(millis) = self.millis().filter(|_| human) {
            begin(&format!("{name}.updated_at"), out);
            out.push_str(&millis.to_string());
        }
    }

    /// A note as an element of their list.
    fn note(&self) -> String {
        let mut out = "{".to_owned();
        let texts = [
            ("text", self.result.as_ref().and_then(|result| result.explanation.as_deref())),
            ("annotator_kind", Some(self.annotator_kind.as_str())),
            ("updated_by", self.user_id.as_deref()),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                begin(name, &mut out);
                write_string(text, &mut out);
            }
        }
        if let Some(millis) = self.millis() {
            begin("updated_at", &mut out);
            out.push_str(&millis.to_string());
        }
        out.push('}');
        out
    }

    /// When it changed last, in milliseconds since the epoch.
    fn millis(&self) -> Option<i64> {
        Some(time::parse(self.updated_at.as_deref()?).ok()?.div_euclid(MILLISECOND))
    }
}

#[cfg(test)]
mod tests {
    use super::{Annotation, Level, members};

    fn annotation(name: &str, kind: &str, identifier: &str, at: u32, result: &str) -> Annotation {
        serde_json::from_str(&format!(
            r#"{{"span_id":"s","name":"{name}","annotator_kind":"{kind}","identifier":"{identifier}","user_id":null,
                "updated_at":"2026-01-02T03:04:{at:02}+00:00","result":{result},"metadata":{{}}}}"#
        ))
        .unwrap()
    }

    #[test]
    fn evaluations_annotations_and_notes_have_their_columns() {
        let result = r#"{"label":"good","score":1.0,"explanation":null}"#;
        let other = r#"{"label":null,"score":0.25,"explanation":"why \"so\""}"#;
        let note = r#"{"label":null,"score":null,"explanation":"look"}"#;
        let all = vec![
            annotation("note", "HUMAN", "px-2", 9, note),
            annotation("q", "LLM", "old", 1, other),
            annotation("q", "CODE", "", 2, result),
            annotation("q", "HUMAN", "x", 0, result),
            annotation("note", "HUMAN", "px-1", 3, note),
        ];
        assert_eq!(
            members(Level::Span, all),
            concat!(
                r#","eval.q.label":"good","eval.q.annotator_kind":"CODE","eval.q.score":1.0"#,
                r#","eval.q (old).explanation":"why \"so\"","eval.q (old).annotator_kind":"LLM","eval.q (old).score":0.25"#,
                r#","annotation.q.label":"good","annotation.q.annotator_kind":"HUMAN","annotation.q.score":1.0"#,
                r#","annotation.q.updated_at":1767323040000"#,
                r#","annotation.notes":[{"text":"look","annotator_kind":"HUMAN","updated_at":1767323043000},"#,
                r#"{"text":"look","annotator_kind":"HUMAN","updated_at":1767323049000}]"#
            )
        );
        assert_eq!(
            members(Level::Span, vec![annotation("q", "LLM", "", 1, "null")]),
            r#","eval.q.annotator_kind":"LLM""#
        );
        let of_trace = vec![annotation("note", "HUMAN", "px-1", 3, note), annotation("q", "LLM", "", 2, result)];
        assert_eq!(
            members(Level::Trace, of_trace),
            concat!(
                r#","trace_eval.note.explanation":"look","trace_eval.note.annotator_kind":"HUMAN""#,
                r#","trace_eval.q.label":"good","trace_eval.q.annotator_kind":"LLM","trace_eval.q.score":1.0"#
            )
        );
    }

    #[test]
    fn annotations_are_wanted_where_a_column_is_theirs() {
        let wanted = |level: Level, column: &str| level.is_wanted(Some(&["name".into(), column.into()]));
        assert!(Level::Span.is_wanted(None) && Level::Session.is_wanted(None));
        assert!(wanted(Level::Span, "eval.q.score") && wanted(Level::Span, "annotation.notes"));
        assert!(!wanted(Level::Span, "attributes.evaluation") && !wanted(Level::Span, "trace_eval.q.score"));
        assert!(wanted(Level::Trace, "trace_eval.q.label") && !wanted(Level::Trace, "eval.q.label"));
        assert!(wanted(Level::Session, "session_eval.q.label") && !wanted(Level::Session, "trace_eval.q.label"));
    }
}
