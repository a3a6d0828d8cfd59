//! Answers that are small, and what all of them have.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::noted::Noted;
use super::problem::Problem;
use crate::serve::refusal::Refusal;

/// Whether there is more than this page, and how to ask for it.
#[derive(Debug, Serialize)]
pub(super) struct Pagination {
    has_more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

impl Pagination {
    pub(super) fn new(next_cursor: Option<String>) -> Self {
        Self { has_more: next_cursor.is_some(), next_cursor }
    }
}

/// The JSON text of something.
pub(super) fn json(value: &impl Serialize) -> Result<String, Refusal> {
    serde_json::to_string(value).map_err(|error| Refusal::internal(format!("the answer does not encode: {error}")))
}

/// A JSON answer, with what the log says of it.
pub(super) fn answer(body: &impl Serialize, note: String) -> Result<Response, Problem> {
    let mut response = json(body)?.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.extensions_mut().insert(Noted(note));
    Ok(response)
}
