//! What the JSON of an OTLP request must look like. Files are read leniently; to a request one can answer that it is wrong.

use serde::Deserialize;
use serde::de::IgnoredAny;

type Member = Option<IgnoredAny>;

/// An object whose members are not looked at.
type Object = std::collections::HashMap<String, IgnoredAny>;

/// `ExportTraceServiceRequest`, as far as a part of a wrong type would be passed over without a word.
#[derive(Deserialize)]
pub(super) struct RequestShape {
    #[serde(rename = "resourceSpans", alias = "resource_spans")]
    _resources: Option<Vec<ResourceShape>>,
}

#[derive(Deserialize)]
struct ResourceShape {
    #[serde(rename = "resource")]
    _resource: Option<AttributesShape>,
    #[serde(rename = "scopeSpans", alias = "scope_spans", alias = "instrumentationLibrarySpans")]
    _scopes: Option<Vec<ScopeShape>>,
}

#[derive(Deserialize)]
struct AttributesShape {
    #[serde(rename = "attributes")]
    _attributes: Option<Vec<AttributeShape>>,
}

#[derive(Deserialize)]
struct AttributeShape {
    #[serde(rename = "key")]
    _key: Option<String>,
    #[serde(rename = "value")]
    _value: Option<Object>,
}

#[derive(Deserialize)]
struct ScopeShape {
    #[serde(rename = "scope", alias = "instrumentationLibrary")]
    _scope: Option<AttributesShape>,
    #[serde(rename = "spans")]
    _spans: Option<Vec<SpanShape>>,
}

#[derive(Deserialize)]
struct SpanShape {
    #[serde(rename = "traceId", alias = "trace_id")]
    _trace: Option<String>,
    #[serde(rename = "spanId", alias = "span_id")]
    _span: Option<String>,
    #[serde(rename = "parentSpanId", alias = "parent_span_id")]
    _parent: Option<String>,
    #[serde(rename = "name")]
    _name: Option<String>,
    #[serde(rename = "attributes")]
    _attributes: Option<Vec<AttributeShape>>,
    #[serde(rename = "events")]
    _events: Option<Vec<EventShape>>,
    #[serde(rename = "links")]
    _links: Option<Vec<AttributesShape>>,
    #[serde(rename = "status")]
    _status: Option<StatusShape>,
}

#[derive(Deserialize)]
struct EventShape {
    #[serde(rename = "name")]
    _name: Option<String>,
    #[serde(rename = "attributes")]
    _attributes: Option<Vec<AttributeShape>>,
}

#[derive(Deserialize)]
struct StatusShape {
    #[serde(rename = "message")]
    _message: Option<String>,
    #[serde(rename = "code")]
    _code: Member,
}
