//! `POST /v1/traces`: OTLP over HTTP, as protobuf or JSON, packed or not.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, Extension, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use prost::Message;
use serde_json::json;

use super::noted::Noted;
use super::problem::Problem;
use super::upload;
use crate::serve::access::Access;
use crate::serve::backend::Backend;
use crate::serve::incoming::From;
use crate::serve::messages::{Exported, RpcStatus};
use crate::serve::otlp;
use crate::serve::refusal::{Refusal, shown};
use spanql_sources::files::OtlpEncoding;

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

/// Takes a request for traces. What it is answered with is written as the request is, errors too.
pub(super) async fn traces(
    State(backend): State<Arc<Backend>>,
    ConnectInfo(From(peer)): ConnectInfo<From>,
    Extension(access): Extension<Access>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let encoding = match encoding(&headers) {
        Ok(encoding) => encoding,
        Err(refusal) => return Problem::from(refusal).into_response(),
    };
    let _busy = peer.busy();
    let taken = async {
        access.to_write()?;
        let upload = upload::read(&backend, &headers, body).await?;
        let _admitted = backend.intake().admit(peer.address()).await?;
        otlp::take(&backend, upload.bytes.clone(), encoding, &peer).await
    };
    match taken.await {
        Ok(exported) => encoded(encoding, StatusCode::OK, &exported, partial(&exported)),
        Err(refusal) => {
            let problem = Problem::from(refusal);
            let message = problem.detail().to_owned();
            let status = problem.status();
            let json = json!({"code": i32::from(status.as_u16()), "message": message});
            let body = RpcStatus { code: code(status), message };
            let mut response = encoded(encoding, status, &body, json);
            let said = problem.into_response();
            if let Some(later) = said.headers().get(header::RETRY_AFTER) {
                response.headers_mut().insert(header::RETRY_AFTER, later.clone());
            }
            if let Some(noted) = said.extensions().get::<Noted>() {
                response.extensions_mut().insert(Noted(noted.0.clone()));
            }
            response
        }
    }
}

fn encoding(headers: &HeaderMap) -> Result<OtlpEncoding, Refusal> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        PROTOBUF | "application/protobuf" => Ok(OtlpEncoding::Protobuf),
        JSON => Ok(OtlpEncoding::Json),
        _ => Err(Refusal::unreadable(format!("Content-Type {}: traces come as {PROTOBUF} or {JSON}", shown(given)))),
    }
}

fn partial(exported: &Exported) -> serde_json::Value {
    match &exported.partial_success {
        // Integers of 64 bits are text in the JSON of protocol buffers.
        Some(partial) => json!({"partialSuccess": {
            "rejectedSpans": partial.rejected_spans.to_string(), "errorMessage": partial.error_message,
        }}),
        None => json!({}),
    }
}

/// The code of gRPC that means the same.
fn code(status: StatusCode) -> i32 {
    let code = match status {
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => tonic::Code::InvalidArgument,
        StatusCode::FORBIDDEN => tonic::Code::PermissionDenied,
        StatusCode::PAYLOAD_TOO_LARGE => tonic::Code::ResourceExhausted,
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => tonic::Code::Unavailable,
        StatusCode::REQUEST_TIMEOUT => tonic::Code::DeadlineExceeded,
        _ => tonic::Code::Internal,
    };
    code as i32
}

fn encoded(encoding: OtlpEncoding, status: StatusCode, message: &impl Message, json: serde_json::Value) -> Response {
    let (kind, body) = match encoding {
        OtlpEncoding::Protobuf => (PROTOBUF, message.encode_to_vec()),
        OtlpEncoding::Json => (JSON, json.to_string().into_bytes()),
    };
    let mut response = (status, body).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
