//! Writing at Opik: feedback scores of spans, traces and threads, and comments.

use async_trait::async_trait;
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::source::Opik;
use crate::error::SourceError;
use crate::http::{Cause, HttpError};
use crate::retry::{MAX_ATTEMPTS_BATCH, retrying};
use crate::writes::{Grain, Judgement, SpanWriter, WriteOptions, WriteRequest, Writing, Written, groups};

/// Scores of one request.
const TOGETHER: usize = 1_000;

#[async_trait]
impl SpanWriter for Opik {
    fn endpoint(&self) -> &str {
        self.rest.http().base()
    }

    async fn requests(
        &self,
        project: &str,
        writing: Writing<'_>,
        options: WriteOptions,
    ) -> Result<Vec<WriteRequest>, SourceError> {
        if options.window.is_some() {
            return Err(setting("Opik finds ids at any time: leave the window out"));
        }
        match writing {
            Writing::Judgements(judgements) => of_judgements(project, judgements),
            Writing::Patches(_) => Err(setting("metadata is not written at Opik: its API takes the whole of it only")),
            Writing::Deletions(_) => Err(setting("spans are not deleted at Opik: its API deletes whole traces only")),
        }
    }

    async fn send(&self, request: &WriteRequest) -> Result<Written, SourceError> {
        let http = self.rest.http();
        let method = if request.method == "PUT" { Method::PUT } else { Method::POST };
        let ask = || async {
            let asked = http.request(method.clone(), &request.path)?.json(&request.body);
            http.send(&request.path, asked).await.map(drop)
        };
        let attempts = if request.repeatable { MAX_ATTEMPTS_BATCH } else { 1 };
        match retrying(attempts, ask, HttpError::error).await {
            Ok(()) => Ok(Written::default()),
            Err(HttpError { cause: Cause::Status(StatusCode::NOT_FOUND), error }) if request.items.len() == 1 => {
                let id = request.path.split('/').rev().nth(1).unwrap_or_default();
                Ok(Written { failed: vec![(id.to_owned(), error.to_string())], ..Written::default() })
            }
            Err(failed) => Err(failed.error),
        }
    }
}

fn setting(reason: &str) -> SourceError {
    SourceError::Setting(reason.to_owned())
}

fn of_judgements(project: &str, judgements: &[Judgement]) -> Result<Vec<WriteRequest>, SourceError> {
    let mut requests = Vec::new();
    for (grain, things) in [(Grain::Span, "spans"), (Grain::Trace, "traces"), (Grain::Session, "traces/threads")] {
        let of: Vec<usize> = (0..judgements.len()).filter(|at| judgements[*at].grain == grain).collect();
        let (comments, scores): (Vec<usize>, Vec<usize>) = of.into_iter().partition(|at| judgements[*at].is_note());
        for group in groups(scores.len(), TOGETHER) {
            let items = scores[group].to_vec();
            let scored = items.iter().map(|at| score(project, &judgements[*at]));
            let scored: Vec<Value> = scored.collect::<Result<_, _>>()?;
            let path = format!("/v1/private/{things}/feedback-scores");
            requests.push(WriteRequest::json("PUT", path, json!({ "scores": scored }), items));
        }
        for at in comments {
            let Judgement { id, text, .. } = &judgements[at];
            if grain == Grain::Session {
                return Err(setting("notes of sessions are not written at Opik: threads have other ids for comments"));
            }
            if !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
                return Err(SourceError::Setting(format!("{id} is no id of Opik")));
            }
            let path = format!("/v1/private/{things}/{id}/comments");
            let request = WriteRequest::json("POST", path, json!({ "text": text }), vec![at]);
            // A comment that is sent twice is there twice.
            requests.push(WriteRequest { repeatable: false, ..request });
        }
    }
    Ok(requests)
}

fn score(project: &str, judgement: &Judgement) -> Result<Value, SourceError> {
    let Judgement { id, name, label, score, text, grain, .. } = judgement;
    let Some(score) = score else {
        return Err(SourceError::Setting(format!(
            "{name} of {id} has no score, and a feedback score of Opik is a number"
        )));
    };
    let key = if *grain == Grain::Session { "thread_id" } else { "id" };
    let mut value = Map::from_iter([
        (key.to_owned(), Value::from(id.as_str())),
        ("project_name".to_owned(), Value::from(project)),
        ("name".to_owned(), Value::from(name.as_str())),
        ("value".to_owned(), Value::from(*score)),
        ("source".to_owned(), Value::from("sdk")),
    ]);
    value.extend(label.as_deref().map(|label| ("category_name".to_owned(), Value::from(label))));
    value.extend(text.as_deref().map(|text| ("reason".to_owned(), Value::from(text))));
    Ok(Value::from(value))
}
