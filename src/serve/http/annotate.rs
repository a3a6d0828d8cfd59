//! `POST /v2/spans/annotate`: annotations of spans, traces or sessions, all of them or none.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, Extension, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::named::{Named, find};
use super::noted::Noted;
use super::problem::Problem;
use super::query::window_if_given;
use super::upload;
use crate::serve::access::Access;
use crate::serve::backend::Backend;
use crate::serve::incoming::From;
use crate::serve::judged::now;
use crate::serve::refusal::{Refusal, shown};
use crate::serve::room::Turn;
use crate::serve::writer::Labels;
use spanql_model::columns::{SESSION_ID, SPAN_ID};
use spanql_sources::writes::{Given, Grain as Judged, Judgement, Kind, Row, Rules, judgement_batch, judgements};
use spanql_store::{Grain, UnknownIds};

/// Records of a request, and those of sessions.
const RECORDS: usize = 1_000;
const SESSIONS: usize = 100;
/// How much more memory annotations take than the body that they came in.
const GROWTH: usize = 4;

#[derive(Debug, Deserialize)]
struct Request {
    project_id: String,
    annotations: Vec<Map<String, Value>>,
    start_time: Option<String>,
    end_time: Option<String>,
    granularity: Option<String>,
}

/// Takes annotations.
pub(super) async fn annotate(
    State(backend): State<Arc<Backend>>,
    ConnectInfo(From(peer)): ConnectInfo<From>,
    Extension(access): Extension<Access>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    access.to_write()?;
    let _busy = peer.busy();
    let body = upload::read(&backend, &headers, body).await?;
    let _admitted = backend.intake().admit(peer.address()).await?;
    let part = backend.room().take(body.bytes.len().saturating_mul(GROWTH), Turn::First, &peer).await?;
    let request: Request = serde_json::from_slice(&body.bytes)
        .map_err(|error| Refusal::invalid(format!("the body is not the JSON of this request: {error}")))?;
    let window = window_if_given(request.start_time.as_deref(), request.end_time.as_deref())?;
    let (grain, judged, top, most) = match request.granularity.as_deref() {
        None | Some("SPAN") => (Grain::Span, Judged::Span, false, RECORDS),
        // A trace is named by its root, and what is said of it is kept there.
        Some("TRACE") => (Grain::Span, Judged::Span, true, RECORDS),
        Some("SESSION") => (Grain::Session, Judged::Session, false, SESSIONS),
        Some(other) => {
            return Err(Refusal::out_of_bounds(format!("granularity {}: SPAN, TRACE or SESSION", shown(other))).into());
        }
    };
    if !(1..=most).contains(&request.annotations.len()) {
        return Err(Refusal::out_of_bounds(format!("send 1 to {most} records")).into());
    }
    let judgements = read(request.annotations, judged)?;
    let ids: Vec<String> = judgements.iter().map(|judgement| judgement.id.clone()).collect();
    let key = if grain == Grain::Session { SESSION_ID } else { SPAN_ID };
    let named = Named { column: key, top, window };
    let (project, found) = find(&backend, request.project_id, ids.clone(), named, &peer).await?;
    let missing: Vec<&String> = ids.iter().filter(|id| !found.contains(*id)).collect();
    if let Some(first) = missing.first() {
        let more = if missing.len() > 1 { format!(" and {} more", missing.len() - 1) } else { String::new() };
        let what = grain.nouns().1;
        return Err(Refusal::not_found(format!("{what} not found: {}{more}: nothing was written", shown(first))).into());
    }
    let batch = judgement_batch(&judgements, key).map_err(Refusal::from)?;
    let labels = Labels { project: project.clone(), grain, batch, unknown: UnknownIds::Refuse };
    backend.writer().patch(labels, part).await?;
    let mut response = StatusCode::ACCEPTED.into_response();
    response.extensions_mut().insert(Noted(format!("{}: {} annotations", shown(&project), judgements.len())));
    Ok(response)
}

fn read(records: Vec<Map<String, Value>>, grain: Judged) -> Result<Vec<Judgement>, Refusal> {
    let now = now();
    let given = Given { kind: Kind::Annotation, grain, name: None, rules: Rules::Arize, now };
    let mut all = Vec::new();
    for (number, cells) in records.into_iter().enumerate() {
        let place = format!("annotations[{number}]");
        if !cells.contains_key("record_id") {
            return Err(Refusal::invalid(format!("{place} has no record_id")));
        }
        let row = Row { place: place.clone(), cells, typed: true };
        let mut said = judgements(&[row], &given)?;
        if said.is_empty() {
            return Err(Refusal::invalid(format!("{place} says nothing: values have a label, a score or a text")));
        }
        for judgement in &mut said {
            judgement.updated_at.get_or_insert(now);
        }
        all.append(&mut said);
    }
    Ok(all)
}
