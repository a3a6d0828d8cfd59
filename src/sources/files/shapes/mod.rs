//! The shapes that spans have in the JSON of the tools that write them, and what makes rows of them.
//!
//! A row is one JSON object with the flat dotted names of ingest. What a file holds comes as items, each the text of one
//! JSON value: [`recognise`](table::recognise) tells by its keys what it is, and [`Spans`](spans::Spans) hands out the rows
//! of an item that holds several, one after the other.

mod any_value;
pub(super) mod described;
mod ids;
mod jaeger;
mod langfuse;
mod langfuse_trace;
mod object;
mod opik;
pub(super) mod otlp;
mod otlp_span;
pub(super) mod parts;
mod projects;
pub(super) mod proto_value;
pub(super) mod protobuf;
pub(super) mod row;
pub(super) mod spans;
pub(super) mod table;
mod times;
pub(super) mod wire;
