//! Where spans come from: Arize, Phoenix, Opik and export files; and the settings for it, with keys that are never shown.
//!
//! Settings and requests, or paths, go in; ingest batches come out. A [`SpanSource`] is a remote, such as
//! [`Arize`](arize::Arize): it lists projects, and answers an [`ExportRequest`] with a [`SpanStream`], whose [`Ending`]
//! says whether all of it came. A [`FileReader`](files::FileReader) reads export files. [`config`] finds out which
//! settings count.

pub mod arize;
pub mod config;
mod cut;
mod error;
pub mod files;
mod http;
mod messages;
pub mod opik;
pub mod phoenix;
pub mod prices;
mod projects;
mod registry;
mod remote;
mod retry;
pub mod writes;

pub use error::SourceError;
pub use registry::{Access, REMOTES, Remote};
pub use remote::remote_table_schema;
pub use remote::{Ending, ExportRequest, Project, Received, Resolved, SpanSource, SpanStream};
pub use retry::{MAX_ATTEMPTS_BATCH, MAX_ATTEMPTS_INTERACTIVE, retrying};
pub use spanql_model::window::Window;
