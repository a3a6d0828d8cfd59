//! Result formats: record batches go in, text or a file comes out, in bounded memory.
//!
//! A [`ResultWriter`] writes them in a [`Format`], as its [`Options`] say; what it cut it returns as [`WriteSummary`], for the
//! caller to say elsewhere: only data is written here. [`write_trace`] and a [`SessionView`] show traces and conversations.
//!
//! ```text
//! RecordBatch ─ ResultWriter ─ rows beyond max_rows counted, not written
//!                    │         text beyond max_cell cut (cut)
//!                    ├─ json, jsonl     json ──────┐
//!                    ├─ csv, tsv        delimited ─┼─ encode: one closure per column and batch
//!                    ├─ md              markdown ──┤
//!                    ├─ table           table, records ─┘  layout, sanitize
//!                    └─ parquet, arrow  files
//! ```
//!
//! Tables and their columns, for people: catalog ─ clip
//!
//! One trace and one session, for people and as nested JSON: view ─ clip, color, sanitize; encode

mod buffer;
mod catalog;
mod clip;
mod color;
mod cut;
mod delimited;
mod encode;
mod error;
mod fence;
mod files;
mod format;
mod json;
mod json_text;
mod layout;
mod markdown;
mod media;
mod nested;
#[cfg(test)]
mod properties;
mod records;
mod sanitize;
mod table;
#[cfg(test)]
mod tests;
mod texts;
mod time;
mod view;
mod write_summary;
mod writer;
mod zone;

pub use catalog::{ColumnListing, ListingOptions, TableListing, write_tables};
pub use cut::cut_batch;
pub use encode::is_number;
pub use error::Error;
pub use fence::Fence;
pub use files::{common_schema, to_schema};
pub use format::Format;
pub use json_text::escape_controls;
pub use markdown::escape_markdown;
pub use media::without_media;
pub use nested::{Columns, FIXED, Shape, instant};
pub use sanitize::escape_terminal;
pub use texts::CellTexts;
pub use view::{Focus, SessionJson, SessionView, ViewOptions, trace_columns, write_trace, write_trace_json};
pub use write_summary::WriteSummary;
pub use writer::{Options, ResultWriter};
pub use zone::Zone;
