//! `DELETE /v2/spans`: spans by their ids.

use std::collections::HashSet;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{ConnectInfo, Extension, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::answer::answer;
use super::named::{Named, find};
use super::problem::Problem;
use super::query::window_if_given;
use crate::serve::access::Access;
use crate::serve::backend::Backend;
use crate::serve::incoming::From;
use crate::serve::refusal::{Refusal, shown};
use crate::serve::room::Turn;
use spanql_model::columns::SPAN_ID;

/// Ids of a request.
const IDS: usize = 5_000;
/// How much more memory a deletion takes than the body that asks for it.
const GROWTH: usize = 4;

#[derive(Debug, Deserialize)]
struct Request {
    project_id: String,
    span_ids: Vec<String>,
    start_time: Option<String>,
    end_time: Option<String>,
}

/// Deletes spans, all that are there in one commit.
pub(super) async fn delete(
    State(backend): State<Arc<Backend>>,
    ConnectInfo(From(peer)): ConnectInfo<From>,
    Extension(access): Extension<Access>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    access.to_write()?;
    let _busy = peer.busy();
    let body = body.map_err(|rejection| Problem::new(rejection.status(), rejection.body_text()))?;
    let _admitted = backend.intake().admit(peer.address()).await?;
    let part = backend.room().take(body.len().saturating_mul(GROWTH), Turn::First, &peer).await?;
    let request: Request = serde_json::from_slice(&body)
        .map_err(|error| Refusal::invalid(format!("the body is not the JSON of this request: {error}")))?;
    let window = window_if_given(request.start_time.as_deref(), request.end_time.as_deref())?;
    if !(1..=IDS).contains(&request.span_ids.len()) {
        return Err(Refusal::out_of_bounds(format!("name 1 to {IDS} ids of spans")).into());
    }
    let mut seen = HashSet::new();
    let ids: Vec<String> = request.span_ids.into_iter().filter(|id| seen.insert(id.clone())).collect();
    let named = Named { column: SPAN_ID, top: false, window };
    let (project, found) = find(&backend, request.project_id, ids.clone(), named, &peer).await?;
    let (deleted, unknown): (Vec<String>, Vec<String>) = ids.into_iter().partition(|id| found.contains(id));
    if !deleted.is_empty() {
        backend.writer().delete(project.clone(), deleted.clone(), part).await?;
    }
    let note = format!("{}: {} of {} spans deleted", shown(&project), deleted.len(), deleted.len() + unknown.len());
    answer(&json!({"completed": true, "deleted_span_ids": deleted, "not_deleted_span_ids": unknown}), note)
}
