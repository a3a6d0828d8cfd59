//! Writing at a Phoenix: annotations of spans, traces and sessions, notes, and spans that go.

use std::collections::BTreeSet;

use async_trait::async_trait;
use reqwest::{Method, StatusCode};
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};

use super::annotation_requests::{Held, held};
use super::annotations::Level;
use super::api::Query;
use super::projects::segment;
use super::source::Phoenix;
use crate::error::SourceError;
use crate::http::{Cause, HttpError, MAX_LISTING};
use crate::retry::{MAX_ATTEMPTS_BATCH, retrying};
use crate::writes::{Grain, Judgement, Kind, SpanWriter, WriteOptions, WriteRequest, Writing, Written, groups};
use spanql_model::window::Window;

/// Annotations of one request: the server takes its time for each.
const TOGETHER: usize = 200;
/// What tells annotations from here from those of others: the same one, written again, is replaced.
const IDENTIFIER: &str = "spanql";

#[async_trait]
impl SpanWriter for Phoenix {
    fn endpoint(&self) -> &str {
        self.api.url()
    }

    async fn requests(
        &self,
        project: &str,
        writing: Writing<'_>,
        options: WriteOptions,
    ) -> Result<Vec<WriteRequest>, SourceError> {
        if let Some(Window { .. }) = options.window {
            return Err(setting("Phoenix finds ids at any time: leave the window out"));
        }
        match writing {
            Writing::Judgements(judgements) => self.of_judgements(project, judgements).await,
            Writing::Patches(_) => Err(setting("Phoenix changes no metadata of spans that it has")),
            Writing::Deletions(ids) => Ok((0..)
                .zip(ids)
                .map(|(at, id)| {
                    WriteRequest::json("DELETE", format!("/v1/spans/{}", segment(id)), Value::Null, vec![at])
                })
                .collect()),
        }
    }

    async fn send(&self, request: &WriteRequest) -> Result<Written, SourceError> {
        let method = if request.method == "DELETE" { Method::DELETE } else { Method::POST };
        let attempts = if request.repeatable { MAX_ATTEMPTS_BATCH } else { 1 };
        let ask = || self.api.write(&method, &request.path, &request.body, MAX_LISTING);
        match retrying(attempts, ask, HttpError::error).await {
            Ok(()) => Ok(Written::default()),
            Err(failed) if failed.cause == Cause::Status(StatusCode::NOT_FOUND) && method == Method::DELETE => {
                let id = request.path.rsplit('/').next().unwrap_or_default();
                Ok(Written { absent: vec![id.to_owned()], ..Written::default() })
            }
            Err(failed) if failed.cause == Cause::Status(StatusCode::NOT_FOUND) => {
                self.without_unknown(request, failed.error).await
            }
            Err(failed) => Err(failed.error),
        }
    }
}

impl Phoenix {
    /// Sends a request again without the ids that the server does not know, of which nothing was taken so far.
    async fn without_unknown(&self, request: &WriteRequest, error: SourceError) -> Result<Written, SourceError> {
        let mut written = Written::default();
        let mut left = request.body.get("data").and_then(Value::as_array).cloned().unwrap_or_default();
        let mut error = error;
        loop {
            let said = error.to_string();
            let is_unknown = |item: &Value| id_of(item).is_some_and(|id| names(&said, id));
            let (unknown, known): (Vec<Value>, Vec<Value>) = left.into_iter().partition(is_unknown);
            if unknown.is_empty() {
                return Err(error);
            }
            let reason = "the server does not know it".to_owned();
            written.failed.extend(unknown.iter().filter_map(id_of).map(|id| (id.to_owned(), reason.clone())));
            left = known;
            if left.is_empty() {
                return Ok(written);
            }
            let body = json!({ "data": left });
            let ask = || self.api.write(&Method::POST, &request.path, &body, MAX_LISTING);
            match retrying(MAX_ATTEMPTS_BATCH, ask, HttpError::error).await {
                Ok(()) => return Ok(written),
                Err(failed) if failed.cause == Cause::Status(StatusCode::NOT_FOUND) => error = failed.error,
                Err(failed) => return Err(failed.error),
            }
        }
    }
}

/// Whether an answer names an id, and not one that begins or ends with it.
fn names(said: &str, id: &str) -> bool {
    said.split(|c: char| c.is_whitespace() || c == ',').any(|word| word == id)
}

fn id_of(item: &Value) -> Option<&str> {
    ["span_id", "trace_id", "session_id"].iter().find_map(|key| item.get(*key)?.as_str())
}

fn setting(reason: &str) -> SourceError {
    SourceError::Setting(reason.to_owned())
}

impl Phoenix {
    async fn of_judgements(&self, project: &str, judgements: &[Judgement]) -> Result<Vec<WriteRequest>, SourceError> {
        let mut requests = Vec::new();
        for grain in [Grain::Span, Grain::Trace, Grain::Session] {
            let of: Vec<usize> = (0..judgements.len()).filter(|at| judgements[*at].grain == grain).collect();
            let (notes, named): (Vec<usize>, Vec<usize>) = of.into_iter().partition(|at| judgements[*at].is_note());
            let (word, key) = match grain {
                Grain::Span => ("span", "span_id"),
                Grain::Trace => ("trace", "trace_id"),
                Grain::Session => ("session", "session_id"),
            };
            let mut named = merged(judgements, &named);
            self.complete(project, grain, &mut named).await?;
            for group in groups(named.len(), TOGETHER) {
                let data: Vec<Value> =
                    named[group.clone()].iter().map(|(judgement, _)| annotation(judgement, key)).collect();
                let items = named[group].iter().flat_map(|(_, items)| items.iter().copied()).collect();
                let path = format!("/v1/{word}_annotations?sync=true");
                requests.push(WriteRequest::json("POST", path, json!({ "data": data }), items));
            }
            for at in notes {
                let note = json!({ "data": { key: judgements[at].id, "note": judgements[at].text } });
                let request = WriteRequest::json("POST", format!("/v1/{word}_notes"), note, vec![at]);
                // A note that is written twice is there twice.
                requests.push(WriteRequest { repeatable: false, ..request });
            }
        }
        Ok(requests)
    }

    /// Gives judgements the parts that they do not say and the server has: it replaces whole annotations.
    async fn complete(
        &self,
        project: &str,
        grain: Grain,
        judgements: &mut [(Judgement, Vec<usize>)],
    ) -> Result<(), SourceError> {
        let lacking =
            |judgement: &Judgement| judgement.label.is_none() || judgement.score.is_none() || judgement.text.is_none();
        let ids: BTreeSet<String> = judgements
            .iter()
            .filter(|(judgement, _)| lacking(judgement))
            .map(|(judgement, _)| judgement.id.clone())
            .collect();
        if ids.is_empty() {
            return Ok(());
        }
        let level = match grain {
            Grain::Span => Level::Span,
            Grain::Trace => Level::Trace,
            Grain::Session => Level::Session,
        };
        let path = self.api.path_of(project).await?;
        let none = Query::new();
        // Of another project, nothing would be found to keep.
        let one = || self.api.json::<IgnoredAny>(&path, &none);
        if let Err(failed) = retrying(MAX_ATTEMPTS_BATCH, one, HttpError::error).await {
            return Err(self.api.missing(project, failed.error).await);
        }
        let ids: Vec<String> = ids.into_iter().collect();
        let known = held(level, &self.api, &path, &ids, IDENTIFIER).await?;
        for (judgement, _) in judgements {
            let Some(Held { label, score, explanation }) = known.get(&(judgement.id.clone(), judgement.name.clone()))
            else {
                continue;
            };
            judgement.label = judgement.label.take().or_else(|| label.clone());
            judgement.score = judgement.score.or(*score);
            judgement.text = judgement.text.take().or_else(|| explanation.clone());
        }
        Ok(())
    }
}

/// Judgements of one name on one span as one, for the server replaces whole rows: the later part wins.
fn merged(judgements: &[Judgement], of: &[usize]) -> Vec<(Judgement, Vec<usize>)> {
    let mut merged: Vec<(Judgement, Vec<usize>)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for at in of {
        let new = &judgements[*at];
        let key = (new.id.as_str(), new.name.as_str(), new.kind);
        match places.get(&key) {
            None => {
                places.insert(key, merged.len());
                merged.push((new.clone(), vec![*at]));
            }
            Some(place) => {
                let (known, items): &mut (Judgement, Vec<usize>) = &mut merged[*place];
                known.label = new.label.clone().or(known.label.take());
                known.score = new.score.or(known.score);
                known.text = new.text.clone().or(known.text.take());
                items.push(*at);
            }
        }
    }
    merged
}

fn annotation(judgement: &Judgement, key: &str) -> Value {
    let Judgement { id, name, label, score, text, kind, .. } = judgement;
    let kind = match kind {
        Kind::Annotation => "HUMAN",
        Kind::Evaluation => "CODE",
    };
    let mut result = Map::new();
    result.extend(label.as_deref().map(|label| ("label".to_owned(), Value::from(label))));
    result.extend(score.map(|score| ("score".to_owned(), Value::from(score))));
    result.extend(text.as_deref().map(|text| ("explanation".to_owned(), Value::from(text))));
    json!({ key: id, "name": name, "annotator_kind": kind, "result": result, "identifier": IDENTIFIER })
}
