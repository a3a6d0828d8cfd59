//! Export files as ingest batches: JSON lines, JSON lists, CSV, Parquet and Arrow IPC, compressed or not.
//!
//! ```text
//! paths --expand--> Input --open--> detect, unpack --+--> lines, items, csv: rows  -> IngestBuilder  --+--> ingest batches
//!                                                    +--> parquet, ipc: batches    -> convert_batch  --+
//! ```
//!
//! Memory is bounded by one batch and one row, and what these may be by [`Limits`]: nothing is read whole, and no size
//! that a file states is believed.

mod batches;
mod error;
mod expand;
mod ipc;
mod items;
mod json_rows;
mod limits;
mod lines;
mod open;
mod otlp_file;
mod pages;
mod quotes;
mod reader;
mod shapes;
mod sizes;
mod step;
mod stream;
mod table;
mod threads;
mod values;
#[cfg(test)]
mod tests;

pub use error::FileError;
pub use expand::{Input, expand};
pub use limits::Limits;
pub use open::Format;
pub use reader::{BadRow, FileReader, ReadOptions, ReadReport};
