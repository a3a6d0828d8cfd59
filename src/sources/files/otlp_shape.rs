//! What the JSON of an OTLP request must look like. Files are read leniently; to a request one can answer that it is wrong.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

type Member = Option<IgnoredAny>;

/// An object: a list of the members would do for the struct itself.
pub(super) struct Object<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Self(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(|_| self)
    }
}

/// `ExportTraceServiceRequest`, as far as a part of a wrong type would be passed over without a word.
#[derive(Deserialize)]
pub(super) struct RequestShape {
    #[serde(rename = "resourceSpans", alias = "resource_spans")]
    _resources: Option<Vec<Object<ResourceShape>>>,
}

#[derive(Deserialize)]
struct ResourceShape {
    #[serde(rename = "resource")]
    _resource: Option<Object<AttributesShape>>,
    #[serde(rename = "scopeSpans", alias = "scope_spans", alias = "instrumentationLibrarySpans")]
    _scopes: Option<Vec<Object<ScopeShape>>>,
}

#[derive(Deserialize)]
struct AttributesShape {
    #[serde(rename = "attributes")]
    _attributes: Option<Vec<Object<AttributeShape>>>,
}

#[derive(Deserialize)]
struct AttributeShape {
    #[serde(rename = "key")]
    _key: Option<String>,
    #[serde(rename = "value")]
    _value: Option<Object<IgnoredAny>>,
}

#[derive(Deserialize)]
struct ScopeShape {
    #[serde(rename = "scope", alias = "instrumentationLibrary")]
    _scope: Option<Object<AttributesShape>>,
    #[serde(rename = "spans")]
    _spans: Option<Vec<Object<SpanShape>>>,
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
    _attributes: Option<Vec<Object<AttributeShape>>>,
    #[serde(rename = "events")]
    _events: Option<Vec<Object<EventShape>>>,
    #[serde(rename = "links")]
    _links: Option<Vec<Object<AttributesShape>>>,
    #[serde(rename = "status")]
    _status: Option<Object<StatusShape>>,
}

#[derive(Deserialize)]
struct EventShape {
    #[serde(rename = "name")]
    _name: Option<String>,
    #[serde(rename = "attributes")]
    _attributes: Option<Vec<Object<AttributeShape>>>,
}

#[derive(Deserialize)]
struct StatusShape {
    #[serde(rename = "message")]
    _message: Option<String>,
    #[serde(rename = "code")]
    _code: Member,
}
