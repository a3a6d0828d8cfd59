//! Saved queries: SQL files with parameters that have types, expectations, and a description; and the built-in ones.
//! Reports: Markdown with blocks of SQL, written as one HTML page, as Markdown, or as files of results.
//!
//! ```text
//! text ─ Document ─ blocks ─ run_block ─ Ran ┬─ write_html      charts as SVG, no script, no network
//!          │                                 ├─ write_markdown
//!          └─ values in the text ───────────┘└─ results_json
//! ```

#[cfg(feature = "report")]
mod block;
#[cfg(feature = "report")]
mod chart;
mod checks;
#[cfg(feature = "report")]
mod document;
mod error;
mod expect;
#[cfg(feature = "report")]
mod filled;
#[cfg(feature = "report")]
mod html;
mod library;
#[cfg(feature = "report")]
mod markdown;
mod params;
#[cfg(feature = "report")]
mod reports;
#[cfg(feature = "report")]
mod results;
#[cfg(feature = "report")]
mod run;
mod saved;
#[cfg(feature = "report")]
mod values;

#[cfg(feature = "report")]
pub use block::Block;
#[cfg(feature = "report")]
pub use chart::{ChartKind, ChartSpec};
pub use checks::{Checks, Outcome};
#[cfg(feature = "report")]
pub use document::{Document, Piece};
pub use error::ReportError;
pub use expect::{Expectation, bound};
#[cfg(feature = "report")]
pub use filled::{Data, Filled, Part};
#[cfg(feature = "report")]
pub use html::write_html;
pub use library::Library;
#[cfg(feature = "report")]
pub use markdown::write_markdown;
pub use params::{Declared, Kind, bind};
#[cfg(feature = "report")]
pub use reports::{find_report, list_reports};
#[cfg(feature = "report")]
pub use results::results_json;
#[cfg(feature = "report")]
pub use run::{BlockError, BlockFiles, Keep, Ran, run_block};
pub use saved::{Origin, Saved};

#[cfg(test)]
#[cfg(feature = "report")]
mod tests;
