//! What a span is: canonical columns, short names, types, and how whatever a source wrote becomes rows of them.
//!
//! Record batches of any shape and rows of JSON or cells go in; ingest batches come out, which a store takes:
//! [`convert_batch`](ingest::convert_batch) makes one of a batch, an [`IngestBuilder`](ingest::IngestBuilder) of rows.
//! A [`Column`](columns::Column) is one of the canonical ones, an [`OpenType`](types::OpenType) a type that any other may
//! have, a [`Window`](window::Window) a stretch of time; [`json`] reads JSON that stays text, and [`time`] reads times.

pub mod columns;
pub mod derived;
pub mod ids;
pub mod ingest;
pub mod json;
pub mod messages;
pub mod names;
pub mod nearest;
pub mod panics;
pub mod paths;
pub mod redact;
pub mod texts;
pub mod time;
pub mod types;
pub mod window;
