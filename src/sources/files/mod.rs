//! Export files as ingest batches: JSON in the shapes of many tools, OTLP, CSV, Parquet and Arrow IPC, compressed or not.
//!
//! ```text
//! paths --expand--> Input --open--> detect, unpack --+--> lines, values: items --shapes--> rows --+
//!                                                    +--> OTLP: resources      --shapes--> rows --+-> IngestBuilder  --+
//!                                                    +--> CSV                           -> rows --+                    +--> ingest batches
//!                                                    +--> Parquet, IPC: batches                   --> convert_batch  --+
//! ```
//!
//! Memory is bounded by one batch and one row, and what these may be by [`Limits`]: nothing is read whole, and no size
//! that a file states is believed.

mod batches;
mod blocks;
mod cells;
mod error;
mod expand;
mod in_order;
mod ipc;
mod items;
mod json_rows;
mod limits;
mod lines;
mod made;
mod open;
mod opik_table;
mod otlp_file;
mod otlp_request;
mod otlp_shape;
mod pages;
mod plain;
mod python;
mod quotes;
mod reader;
mod report;
mod shapes;
mod sizes;
mod step;
mod stream;
mod table;
#[cfg(test)]
mod tests;
mod threads;
mod upload;
mod values;

pub use error::FileError;
pub use expand::{Input, expand};
pub use limits::Limits;
pub use open::Format;
pub use otlp_request::{OtlpEncoding, OtlpError, OtlpReader, OtlpSpans};
pub(crate) use plain::plain_rows;
pub use reader::{FileReader, ReadOptions};
pub use report::{BadRow, ReadReport};
pub use upload::ipc_batches;
