//! Saved queries: SQL files with parameters that have types, expectations, and a description; and the built-in ones.
//! Reports: Markdown with blocks of SQL, written as one HTML page, as Markdown, or as files of results.
//!
//! ```text
//! text ─ Document ─ blocks ─ run_block ─ Ran ┬─ write_html      charts as SVG, no script, no network
//!          │                                 ├─ write_markdown
//!          └─ values in the text ───────────┘└─ results_json
//! ```

mod block;
mod chart;
mod checks;
mod document;
mod error;
mod expect;
mod filled;
mod html;
mod library;
mod markdown;
mod params;
mod reports;
mod results;
mod run;
mod saved;
mod values;

pub use block::Block;
pub use chart::{ChartKind, ChartSpec};
pub use checks::{Checks, Outcome};
pub use document::{Document, Piece};
pub use error::ReportError;
pub use expect::Expectation;
pub use filled::{Data, Filled, Part};
pub use html::write_html;
pub use library::Library;
pub use markdown::write_markdown;
pub use params::{Declared, Kind, bind};
pub use reports::{find_report, list_reports};
pub use results::results_json;
pub use run::{BlockError, BlockFiles, Keep, Ran, run_block};
pub use saved::{Origin, Saved};

#[cfg(test)]
mod tests;
