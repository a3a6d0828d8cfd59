//! Spans on their way in: batches in the canonical columns' names and types, made from whatever a source wrote.
//!
//! An *ingest batch* is a record batch with some of the canonical columns in their exact types (never the ones that are
//! computed: `latency_ms`, `event.attributes`, `tree.*`, `attributes.metadata.<key>`) and any open columns, each
//! Utf8, Int64, Float64 or Boolean. `project`, `source`, `context.trace_id` and `context.span_id` are there and
//! never null. Ids that are [none](super::ids) are null, too. Row order is the order of arrival, and a span may occur more
//! than once. Metadata that came only as single keys stands in [`METADATA_PATCH`](super::columns::METADATA_PATCH) instead
//! of `attributes.metadata`.
//!
//! ```text
//! JSON text, cells   -> IngestBuilder  --+
//!                                        +-> ingest batch
//! any record batch   -> convert_batch  --+
//! ```
//!
//! Both ways share the rules for names (`keys`) and values (`canonical_builder`), so that the same span written as
//! JSON and as Parquet becomes the same row. Both end with `conventions`, which fills canonical columns from names that
//! others have for them.

mod arrays;
mod batch;
mod canonical_builder;
mod cells;
mod changes;
mod conventions;
mod keys;
mod metadata;
mod open_builder;
mod origin;
mod row_error;
mod rows;
mod span_schema;

pub use batch::{Converted, convert_batch, convert_batch_of_json_lists, convert_batch_strictly};
pub use changes::{Change, ChangeCounts};
pub use conventions::{Fillers, fillers, is_filler};
pub use origin::{Origin, SOURCES};
pub use row_error::RowError;
pub use rows::{IngestBuilder, Key};
pub use span_schema::span_schema;
