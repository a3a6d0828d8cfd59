//! Writing at Arize: annotations and deletions over REST, evaluations and metadata over Flight.

use std::collections::{BTreeSet, HashMap, HashSet};

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::put;
use super::source::Arize;
use crate::error::SourceError;
use crate::http::{Cause, HttpClient, HttpError, MAX_LISTING};
use crate::retry::{MAX_ATTEMPTS_BATCH, retrying};
use crate::writes::{Grain, Judgement, SpanWriter, WriteOptions, WriteRequest, Writing, Written, groups};
use spanql_model::window::Window;

const ANNOTATE: &str = "/v2/spans/annotate";
const SPANS: &str = "/v2/spans";
/// Records of one request to annotate,
const RECORDS: usize = 1_000;
/// and where sessions are annotated.
const SESSIONS: usize = 100;
/// Ids of one request to delete.
const IDS: usize = 5_000;

/// The answer to a deletion.
#[derive(Debug, Deserialize)]
struct Deleted {
    #[serde(default)]
    completed: bool,
    #[serde(default)]
    deleted_span_ids: Vec<String>,
}

#[async_trait]
impl SpanWriter for Arize {
    fn endpoint(&self) -> &str {
        self.rest.as_ref().map_or(self.flight.name(), |rest| rest.url())
    }

    async fn requests(
        &self,
        project: &str,
        writing: Writing<'_>,
        options: WriteOptions,
    ) -> Result<Vec<WriteRequest>, SourceError> {
        match writing {
            Writing::Judgements(judgements) => {
                let (rest, flight) = ways(judgements, options.flight || self.rest.is_none())?;
                let mut requests = Vec::new();
                if !rest.is_empty() {
                    let traces = rest.iter().map(|at| &judgements[*at]).filter(|said| said.grain == Grain::Trace);
                    let traces: BTreeSet<&str> = traces.map(|said| said.id.as_str()).collect();
                    let roots = match traces.is_empty() {
                        true => HashMap::new(),
                        false => self.roots(project, &traces, options.window).await?,
                    };
                    let project = self.project_id(self.rest()?, project).await?;
                    requests.extend(annotations(&project, judgements, &rest, &roots, options.window));
                }
                if !flight.is_empty() {
                    let (space, project) = (self.space().await?, self.project_name(project).await?);
                    requests.extend(put::judgements(space, &project, judgements, &flight)?);
                }
                Ok(requests)
            }
            Writing::Patches(patches) => {
                let (space, project) = (self.space().await?, self.project_name(project).await?);
                put::patches(space, &project, patches)
            }
            Writing::Deletions(ids) => {
                let project = self.project_id(self.rest()?, project).await?;
                let request = |group: std::ops::Range<usize>| {
                    let mut body = json!({ "project_id": project, "span_ids": &ids[group.clone()] });
                    with_window(&mut body, options.window);
                    WriteRequest::json("DELETE", SPANS.to_owned(), body, group.collect())
                };
                Ok(groups(ids.len(), IDS).map(request).collect())
            }
        }
    }

    async fn send(&self, request: &WriteRequest) -> Result<Written, SourceError> {
        if let Some(batch) = &request.batch {
            let answer = || async { self.flight.put(&request.path, &request.body["command"], batch).await };
            let attempts = if request.repeatable { MAX_ATTEMPTS_BATCH } else { 1 };
            return put::written(&retrying(attempts, answer, SourceError::itself).await?, request);
        }
        let client = &self.rest()?.spans;
        if request.method == "DELETE" {
            return self.delete(request).await;
        }
        let ask = || async {
            let asked = client.request(Method::POST, &request.path)?.json(&request.body);
            client.send(&request.path, asked).await.map(drop)
        };
        let attempts = if request.repeatable { MAX_ATTEMPTS_BATCH } else { 1 };
        retrying(attempts, ask, HttpError::error).await?;
        Ok(Written::default())
    }
}

impl Arize {
    /// Deletes until all is done, or nothing more is.
    async fn delete(&self, request: &WriteRequest) -> Result<Written, SourceError> {
        let client = &self.rest()?.spans;
        let ids = request.body["span_ids"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let mut left: BTreeSet<&str> = ids.collect();
        let all = left.len();
        loop {
            let ask = || self.delete_once(client, request, &left);
            let body = match retrying(MAX_ATTEMPTS_BATCH, ask, HttpError::error).await {
                Ok(body) => body,
                // Some are gone: the others are named.
                Err(HttpError { error, .. }) if left.len() < all => {
                    let failed = left.iter().map(|id| ((*id).to_owned(), error.to_string())).collect();
                    return Ok(Written { failed, ..Written::default() });
                }
                Err(failed) => return Err(failed.error),
            };
            if body.is_empty() {
                // As older servers say that all went.
                return Ok(Written::default());
            }
            let answer: Deleted = serde_json::from_slice(&body).map_err(|error| {
                client.wrong(&request.path, format!("the answer is not what the API gives: {error}")).error
            })?;
            let before = left.len();
            let deleted: HashSet<&str> = answer.deleted_span_ids.iter().map(String::as_str).collect();
            left.retain(|id| !deleted.contains(id));
            let rest = left.iter().map(|id| (*id).to_owned());
            if answer.completed {
                return Ok(Written { absent: rest.collect(), ..Written::default() });
            }
            if left.is_empty() || left.len() == before {
                let why = "the deletion is not complete, and repeating it deletes nothing more";
                let failed = rest.map(|id| (id, why.to_owned())).collect();
                return Ok(Written { failed, ..Written::default() });
            }
        }
    }

    /// Asks once; gives the answer also of a server that gave up in between, if it deleted any that were left.
    async fn delete_once(
        &self,
        client: &HttpClient,
        request: &WriteRequest,
        left: &BTreeSet<&str>,
    ) -> Result<Vec<u8>, HttpError> {
        let path = &request.path;
        let asked = client.request(Method::DELETE, path)?.json(&request.body);
        let response = asked.send().await.map_err(|error| client.unreachable(path, &error))?;
        let status = response.status();
        if status.is_success() {
            return client.body(path, response, MAX_LISTING).await;
        }
        if status != StatusCode::SERVICE_UNAVAILABLE {
            return Err(client.refused(path, status, response).await);
        }
        let body = client.body(path, response, MAX_LISTING).await?;
        match serde_json::from_slice::<Deleted>(&body) {
            Ok(partial) if partial.deleted_span_ids.iter().any(|id| left.contains(id.as_str())) => Ok(body),
            _ => {
                let said: Option<Value> = serde_json::from_slice(&body).ok();
                let said = said.as_ref().and_then(|said| said.get("detail")?.as_str()).unwrap_or("not now");
                let reason = client.redact(&format!("503 {said}"));
                let error = SourceError::Unavailable { endpoint: client.endpoint(path), reason, retry_after: None };
                Err(HttpError { cause: Cause::Status(status), error })
            }
        }
    }
}

/// Which judgements go over REST, and which over Flight.
fn ways(judgements: &[Judgement], flight: bool) -> Result<(Vec<usize>, Vec<usize>), SourceError> {
    use crate::writes::Kind;
    let (mut over_rest, mut over_flight) = (Vec::new(), Vec::new());
    for (at, judgement) in judgements.iter().enumerate() {
        match (judgement.kind, judgement.grain) {
            (Kind::Evaluation, _) => over_flight.push(at),
            (Kind::Annotation, Grain::Span) if flight => over_flight.push(at),
            (Kind::Annotation, grain) if flight => {
                return Err(SourceError::Setting(format!("annotations of a {} go over REST alone", grain.word())));
            }
            (Kind::Annotation, _) => over_rest.push(at),
        }
    }
    Ok((over_rest, over_flight))
}

/// Requests of records: what is said of one id stays together.
fn annotations(
    project: &str,
    judgements: &[Judgement],
    of: &[usize],
    roots: &HashMap<String, String>,
    window: Option<Window>,
) -> Vec<WriteRequest> {
    let mut requests = Vec::new();
    for (grain, word, most) in [
        (Grain::Span, None, RECORDS),
        (Grain::Trace, Some("TRACE"), RECORDS),
        (Grain::Session, Some("SESSION"), SESSIONS),
    ] {
        let mut records: Vec<(&str, Vec<usize>)> = Vec::new();
        let mut places = HashMap::new();
        for at in of.iter().filter(|at| judgements[**at].grain == grain) {
            let id = judgements[*at].id.as_str();
            let place = *places.entry(id).or_insert_with(|| {
                records.push((id, vec![]));
                records.len() - 1
            });
            records[place].1.push(*at);
        }
        for group in groups(records.len(), most) {
            // A trace goes by the id of its root.
            let named =
                |id: &str| roots.get(id).filter(|_| grain == Grain::Trace).map_or(id, String::as_str).to_owned();
            let record = |(id, of): &(&str, Vec<usize>)| json!({ "record_id": named(id), "values": of.iter().map(|at| value(&judgements[*at])).collect::<Vec<_>>() });
            let listed: Vec<Value> = records[group.clone()].iter().map(record).collect();
            let mut body = json!({ "project_id": project, "annotations": listed });
            if let Some(word) = word {
                body["granularity"] = Value::from(word);
            }
            with_window(&mut body, window);
            let items: Vec<usize> = records[group].iter().flat_map(|(_, of)| of.iter().copied()).collect();
            // Notes that are sent twice may be there twice.
            let repeatable = !items.iter().any(|at| judgements[*at].is_note());
            requests.push(WriteRequest { repeatable, ..WriteRequest::json("POST", ANNOTATE.to_owned(), body, items) });
        }
    }
    requests
}

fn value(judgement: &Judgement) -> Value {
    let mut value = Map::from_iter([("name".to_owned(), Value::from(judgement.name.as_str()))]);
    value.extend(judgement.label.as_deref().map(|label| ("label".to_owned(), Value::from(label))));
    value.extend(judgement.score.map(|score| ("score".to_owned(), Value::from(score))));
    value.extend(judgement.text.as_deref().map(|text| ("text".to_owned(), Value::from(text))));
    Value::from(value)
}

fn with_window(body: &mut Value, window: Option<Window>) {
    let time = |ns: i64| DateTime::from_timestamp_nanos(ns).to_rfc3339_opts(SecondsFormat::Micros, true);
    if let Some(window) = window {
        if window.start > i64::MIN {
            body["start_time"] = Value::from(time(window.start));
        }
        if window.end < i64::MAX {
            body["end_time"] = Value::from(time(window.end));
        }
    }
}
