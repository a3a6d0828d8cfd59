//! Live tables: `SELECT … FROM arize."my-project"` over a [`SpanSource`](spanql_sources::SpanSource).
//!
//! ```text
//! schema     any table name, lazily ──▶ remote schemas: what the remote says of a project, kept for ten minutes
//!   │
//! table      filters ──▶ window, projection ──▶ columns: decides the request, reads nothing
//!   │
//! scan       sends the request when it is run ──▶ fit: rows complete, in the types that were promised
//!   │
//! traces     the same twice: which traces have a span that matches, then the spans of these
//!
//! outcome    what is known only after the rows were read
//! ```

mod fit;
mod outcome;
mod remote_schemas;
mod requested;
mod scan;
mod scans;
mod schema;
mod straight;
mod table;
mod traces;
mod traces_table;
mod window;

pub use outcome::Remark;
pub(super) use requested::requested;
pub(super) use scans::{notes, remarks};
pub(super) use schema::RemoteSchema;
pub(super) use straight::StraightFromRemote;
pub(super) use table::RemoteTable;
pub(super) use traces_table::{around, traces_where};
