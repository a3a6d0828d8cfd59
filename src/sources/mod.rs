//! Where spans come from.

pub mod arize;
pub mod demo;
mod error;
pub mod files;
mod remote;
mod retry;

pub use error::SourceError;
pub use remote::{Ending, ExportRequest, Project, Received, SpanSource, SpanStream, Window};
pub use retry::retrying;
