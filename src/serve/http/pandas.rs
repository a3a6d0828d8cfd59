//! `POST /v1/pandas_arrow`: a table of Arize's client with new spans, or with evaluations of spans that are there.

use std::sync::Arc;

use arrow::array::RecordBatch;
use axum::body::Body;
use axum::extract::{ConnectInfo, Extension, State};
use axum::http::HeaderMap;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost::Message;
use serde_json::json;

use super::answer::answer;
use super::problem::Problem;
use super::upload;
use crate::serve::access::Access;
use crate::serve::backend::Backend;
use crate::serve::command::check_space;
use crate::serve::incoming::From;
use crate::serve::judged::{self, What};
use crate::serve::messages::UploadSchema;
use crate::serve::refusal::{Refusal, shown};
use crate::serve::room::Turn;
use spanql_model::columns::{SPAN_ID, TRACE_ID};
use spanql_model::ingest::{Origin, convert_batch};
use spanql_sources::files::{Limits, ipc_batches};

/// The header with the id of the space.
const SPACE: &str = "arize-space-id";
/// The key of the schema's metadata that says what the rows are.
const SCHEMA: &str = "arize-schema";
/// How much more memory rows take than the body that they came in.
const GROWTH: usize = 4;

/// What an upload holds.
enum Table {
    Spans(Vec<RecordBatch>),
    Evaluations(judged::Rows),
}

/// Takes an upload.
pub(super) async fn upload(
    State(backend): State<Arc<Backend>>,
    ConnectInfo(From(peer)): ConnectInfo<From>,
    Extension(access): Extension<Access>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    access.to_write()?;
    let _busy = peer.busy();
    let space = headers.get(SPACE).map(|space| space.to_str().unwrap_or("?"));
    check_space(space)?;
    let body = upload::read(&backend, &headers, body).await?;
    let _admitted = backend.intake().admit(peer.address()).await?;
    let part = backend.room().take(body.bytes.len().saturating_mul(GROWTH), Turn::First, &peer).await?;
    let (bytes, only) = (body.bytes.clone(), backend.only().map(str::to_owned));
    let limits = Limits { memory: backend.intake().most(), ..Limits::default() };
    let read = tokio::task::spawn_blocking(move || read(bytes.into(), limits, only.as_deref()));
    let read = read.await.map_err(|error| Refusal::internal(format!("the table was not read: {error}")))?;
    let (project, table) = read?;
    match table {
        Table::Spans(batches) => {
            let spans: usize = batches.iter().map(RecordBatch::num_rows).sum();
            backend.writer().spans(batches, part).await?;
            answer(&json!({"records_updated": spans}), format!("{}: {spans} spans", shown(&project)))
        }
        Table::Evaluations(rows) => {
            backend.newest().await.map_err(Refusal::from)?.check_project(&project)?;
            let written = judged::write(&backend, &project, rows, part).await?;
            let (updated, note) = (written.updated(), format!("{}: {} evaluations", shown(&project), written.known()));
            let body = json!({"records_updated": updated.records_updated, "unmatched_ids": updated.unmatched_ids});
            answer(&body, note)
        }
    }
}

fn read(bytes: Vec<u8>, limits: Limits, only: Option<&str>) -> Result<(String, Table), Refusal> {
    let batches = ipc_batches(bytes, limits)
        .map_err(|error| Refusal::invalid(format!("the body is no table of Arrow: {error}")))?;
    let Some(first) = batches.first() else {
        return Err(Refusal::invalid("the body has no rows"));
    };
    let project = project(first)?;
    if let Some(only) = only.filter(|only| *only != project) {
        let why = format!("there is no project {}: only {} is served", shown(&project), shown(only));
        return Err(Refusal::not_found(why));
    }
    if first.column_by_name(SPAN_ID).is_none() {
        return Err(Refusal::invalid(format!("the table has no column {SPAN_ID}")));
    }
    if first.column_by_name(TRACE_ID).is_none() {
        return Ok((project, Table::Evaluations(judged::Rows::read(What::Evaluations, &batches)?)));
    }
    let origin = Origin { source: "local", project: project.clone(), force_project: true };
    let mut spans = Vec::new();
    for batch in &batches {
        let converted = convert_batch(batch, &origin).map_err(|error| Refusal::invalid(error.to_string()))?;
        if let Some((row, error)) = converted.bad.first() {
            return Err(Refusal::invalid(format!("row {}: {error}", row + 1)));
        }
        spans.push(converted.batch);
    }
    Ok((project, Table::Spans(spans)))
}

/// The project that the schema names.
fn project(batch: &RecordBatch) -> Result<String, Refusal> {
    let schema = batch.schema();
    let text = schema.metadata().get(SCHEMA).ok_or_else(|| Refusal::invalid(format!("the schema has no {SCHEMA}")))?;
    let wrong = || Refusal::invalid(format!("{SCHEMA} is not what Arize's client sends"));
    let schema = UploadSchema::decode(STANDARD.decode(text).map_err(|_| wrong())?.as_slice()).map_err(|_| wrong())?;
    if schema.spans.is_none() {
        return Err(Refusal::invalid("only spans are taken"));
    }
    let name = schema.constants.map(|constants| constants.model_id).unwrap_or_default();
    if name.is_empty() { Err(Refusal::invalid("the name of the project is missing")) } else { Ok(name) }
}
