//! Saved queries: SQL files with parameters that have types, expectations, and a description; and the built-in ones.

mod error;
mod expect;
mod library;
mod params;
mod saved;

pub use error::ReportError;
pub use expect::{Checks, Expectation, Outcome};
pub use library::Library;
pub use params::{Declared, Kind, bind};
pub use saved::{Origin, Saved};
