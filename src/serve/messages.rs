//! The messages of protocol buffers that writes are answered with, and the one that says what is written.
//!
//! Facts of the format: opentelemetry-proto 1.7, `collector/trace/v1`; `google/rpc/status.proto`; Arize's client 8.61.

use prost::Message;

/// `ExportTraceServiceResponse` of OTLP.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Exported {
    #[prost(message, optional, tag = "1")]
    pub(super) partial_success: Option<PartialSuccess>,
}

/// Spans that were not taken, when others were.
#[derive(Clone, PartialEq, Message)]
pub(super) struct PartialSuccess {
    #[prost(int64, tag = "1")]
    pub(super) rejected_spans: i64,
    #[prost(string, tag = "2")]
    pub(super) error_message: String,
}

/// `google.rpc.Status`: why a request over HTTP is refused.
#[derive(Clone, PartialEq, Message)]
pub(super) struct RpcStatus {
    #[prost(int32, tag = "1")]
    pub(super) code: i32,
    #[prost(string, tag = "2")]
    pub(super) message: String,
}

/// `WriteSpanEvaluationResponse` and `WriteSpanAnnotationResponse` of Arize.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Updated {
    #[prost(int64, tag = "1")]
    pub(super) records_updated: i64,
    #[prost(string, repeated, tag = "2")]
    pub(super) unmatched_ids: Vec<String>,
}

/// `WriteSpanAttributesMetadataResponse` of Arize.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Patched {
    #[prost(int64, tag = "1")]
    pub(super) spans_processed: i64,
    #[prost(int64, tag = "2")]
    pub(super) spans_updated: i64,
    #[prost(int64, tag = "3")]
    pub(super) spans_failed: i64,
    #[prost(message, repeated, tag = "4")]
    pub(super) errors: Vec<SpanError>,
}

/// A span that was not patched, and why.
#[derive(Clone, PartialEq, Message)]
pub(super) struct SpanError {
    #[prost(string, tag = "1")]
    pub(super) span_id: String,
    #[prost(string, tag = "2")]
    pub(super) error_message: String,
}

/// `public.Schema` of Arize: what the rows of an upload are.
#[derive(Clone, PartialEq, Message)]
pub(super) struct UploadSchema {
    #[prost(message, optional, tag = "1")]
    pub(super) constants: Option<Constants>,
    #[prost(message, optional, tag = "8")]
    pub(super) spans: Option<Spans>,
}

/// What holds for all rows of an upload.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Constants {
    /// The name of the project.
    #[prost(string, tag = "1")]
    pub(super) model_id: String,
}

/// Says that the rows are spans.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Spans {}
