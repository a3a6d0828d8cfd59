//! Annotations of spans: evaluations, what people said, and notes.
//!
//! What a model or code says is an evaluation, `eval.<name>`; what people say is an annotation, `annotation.<name>`; notes
//! are [`NOTES`]. A span can have several of one name, told apart by an identifier: the one that changed last has the plain
//! name, and each other is `<name> (<identifier>)`.

use std::collections::{BTreeMap, HashMap};

use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;
use spanql_model::columns::NOTES;
use spanql_model::json::write_string;
use spanql_model::time;
use url::form_urlencoded::byte_serialize;

use super::api::{Api, Query};
use super::fold::begin;
use crate::error::SourceError;
use crate::http::{Cause, HttpError};
use crate::retry::{MAX_ATTEMPTS_BATCH, retrying};

/// Spans that one request asks for at most,
const MAX_SPANS: usize = 1000;
/// and bytes of their ids: what stands before a server may refuse long URLs.
const MAX_URL: usize = 6_000;
/// Annotations of a page.
const PAGE: &str = "1000";
/// Pages that are read before something must be wrong.
const MAX_PAGES: usize = 10_000;
/// The name of annotations that are notes.
const NOTE: &str = "note";
const HUMAN: &str = "HUMAN";
const MILLISECOND: i64 = 1_000_000;

#[derive(Debug, Deserialize)]
struct AnnotationsPage {
    data: Vec<Annotation>,
    next_cursor: Option<String>,
}

/// An annotation as the server gives it.
#[derive(Debug, Deserialize)]
struct Annotation {
    span_id: String,
    name: String,
    annotator_kind: String,
    #[serde(default)]
    identifier: String,
    result: Option<Outcome>,
    user_id: Option<String>,
    updated_at: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Outcome {
    label: Option<String>,
    /// The number's own text.
    score: Option<Box<RawValue>>,
    explanation: Option<String>,
}

/// Whether any of the columns wanted can come from annotations.
pub(super) fn wanted(columns: Option<&[String]>) -> bool {
    let annotated = |name: &String| name.starts_with("eval.") || name.starts_with("annotation.");
    columns.is_none_or(|columns| columns.iter().any(annotated))
}

/// Asks for the annotations of spans; gives, by span, the members that they add to its row, each with a comma before it.
pub(super) async fn of_spans(
    api: &Api,
    project: &str,
    spans: &[String],
) -> Result<HashMap<String, String>, SourceError> {
    let path = format!("{project}/span_annotations");
    let mut found: HashMap<String, Vec<Annotation>> = HashMap::new();
    for group in groups(spans) {
        for annotation in of_group(api, &path, group).await? {
            found.entry(annotation.span_id.clone()).or_default().push(annotation);
        }
    }
    Ok(found.into_iter().map(|(span, annotations)| (span, members(annotations))).collect())
}

/// Spans in groups that fit into one request each.
fn groups(spans: &[String]) -> Vec<&[String]> {
    let length = |span: &String| "&span_ids=".len() + byte_serialize(span.as_bytes()).map(str::len).sum::<usize>();
    let (mut groups, mut start, mut bytes) = (vec![], 0, 0);
    for (at, span) in spans.iter().enumerate() {
        if at > start && (at - start >= MAX_SPANS || bytes + length(span) > MAX_URL) {
            groups.extend(spans.get(start..at));
            (start, bytes) = (at, 0);
        }
        bytes += length(span);
    }
    groups.extend(spans.get(start..).filter(|rest| !rest.is_empty()));
    groups
}

async fn of_group(api: &Api, path: &str, spans: &[String]) -> Result<Vec<Annotation>, SourceError> {
    let mut annotations = vec![];
    let mut cursor: Option<String> = None;
    for _ in 0..MAX_PAGES {
        let mut query: Query = vec![("limit", PAGE.to_owned())];
        query.extend(spans.iter().map(|span| ("span_ids", span.clone())));
        query.extend(cursor.iter().map(|cursor| ("cursor", cursor.clone())));
        let page = || api.json::<AnnotationsPage>(path, &query);
        let page = match retrying(MAX_ATTEMPTS_BATCH, page, HttpError::error).await {
            Ok(page) => page,
            // None of the spans is there any more.
            Err(failed) if failed.cause == Cause::Status(StatusCode::NOT_FOUND) => return Ok(annotations),
            Err(failed) => return Err(failed.into()),
        };
        annotations.extend(page.data);
        match page.next_cursor {
            None => return Ok(annotations),
            Some(next) if cursor.as_ref() != Some(&next) => cursor = Some(next),
            Some(_) => return Err(api.wrong(path, "a page leads to itself".to_owned()).into()),
        }
    }
    Err(api.wrong(path, format!("after {MAX_PAGES} pages there is still no end")).into())
}

/// The members that the annotations of one span add to its row. The server gives the newest first.
fn members(mut annotations: Vec<Annotation>) -> String {
    // Times that the server wrote are of one form, except for a fraction that is zero.
    let changed = |annotation: &Annotation| annotation.updated_at.as_deref().and_then(|text| time::parse(text).ok());
    annotations.sort_by_key(|annotation| std::cmp::Reverse(changed(annotation)));
    let (notes, others): (Vec<_>, Vec<_>) = annotations.into_iter().partition(|annotation| annotation.name == NOTE);
    let mut out = String::new();
    let mut seen: BTreeMap<(bool, String), usize> = BTreeMap::new();
    for annotation in &others {
        let human = annotation.annotator_kind == HUMAN;
        let before = seen.entry((human, annotation.name.clone())).or_default();
        let name = match *before {
            0 => annotation.name.clone(),
            _ => format!("{} ({})", annotation.name, annotation.identifier),
        };
        *before += 1;
        let family = if human { "annotation" } else { "eval" };
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
    use super::{Annotation, groups, members, wanted};

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
            members(all),
            concat!(
                r#","eval.q.label":"good","eval.q.annotator_kind":"CODE","eval.q.score":1.0"#,
                r#","eval.q (old).explanation":"why \"so\"","eval.q (old).annotator_kind":"LLM","eval.q (old).score":0.25"#,
                r#","annotation.q.label":"good","annotation.q.annotator_kind":"HUMAN","annotation.q.score":1.0"#,
                r#","annotation.q.updated_at":1767323040000"#,
                r#","annotation.notes":[{"text":"look","annotator_kind":"HUMAN","updated_at":1767323043000},"#,
                r#"{"text":"look","annotator_kind":"HUMAN","updated_at":1767323049000}]"#
            )
        );
        assert_eq!(members(vec![annotation("q", "LLM", "", 1, "null")]), r#","eval.q.annotator_kind":"LLM""#);
    }

    #[test]
    fn spans_are_asked_for_in_groups() {
        let ids: Vec<String> = (0..2_500).map(|at| format!("{at:016x}")).collect();
        let sizes: Vec<usize> = groups(&ids).iter().map(|group| group.len()).collect();
        assert_eq!(sizes.iter().sum::<usize>(), 2_500);
        assert!(sizes.iter().all(|size| (1..=240).contains(size)), "{sizes:?}");
        assert!(groups(&[]).is_empty());
        assert_eq!(groups(&["x".repeat(10_000), "y".to_owned()]).len(), 2);
        let short: Vec<String> = (0..3).map(|at| at.to_string()).collect();
        assert_eq!(groups(&short), [&short[..]]);
    }

    #[test]
    fn annotations_are_wanted_where_a_column_is_theirs() {
        assert!(wanted(None));
        assert!(wanted(Some(&["name".into(), "eval.q.score".into()])));
        assert!(!wanted(Some(&["name".into(), "attributes.evaluation".into()])));
    }
}
