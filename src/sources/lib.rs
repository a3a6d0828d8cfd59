//! Where spans come from.

pub mod arize;
pub mod config;
mod error;
pub mod files;
mod messages;
mod remote;
mod retry;

pub use error::SourceError;
pub use remote::remote_schema;
pub use remote::{Ending, ExportRequest, Project, Received, SpanSource, SpanStream};
pub use retry::{BRIEF, PATIENT, retrying};
pub use spanql_model::window::Window;
