//! Live tables: `SELECT … FROM arize."my-project"` over a [`SpanSource`](spanql_sources::SpanSource).
//!
//! ```text
//! schema     any table name, lazily ──▶ announcements: what the remote says of a project, kept for ten minutes
//!   │
//! table      filters ──▶ window, projection ──▶ columns: decides the request, reads nothing
//!   │
//! scan       sends the request when it is run ──▶ fit: rows complete, in the types that were promised
//!   │
//! traces     the same twice: which traces have a span that matches, then the spans of these
//!
//! outcome    what is known only after the rows were read
//! ```

mod announcements;
mod fit;
mod outcome;
mod scan;
mod schema;
mod straight;
mod table;
mod traces;
mod window;

use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;

pub use outcome::Remark;
pub(super) use schema::RemoteSchema;
pub(super) use straight::StraightFromRemote;
pub(super) use table::{RemoteTable, requested};
pub(super) use traces::around;

use scan::RemoteScanExec;
use traces::TracesWhereExec;

/// What the reader should know before a plan's remote scans are run, each once.
pub(super) fn notes(plan: &Arc<dyn ExecutionPlan>) -> Vec<String> {
    let mut notes: Vec<String> = vec![];
    for note in scans(plan).into_iter().filter_map(RemoteScanExec::note) {
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    notes
}

/// What was learnt while a plan's remote scans ran, each once.
pub(super) fn remarks(plan: &Arc<dyn ExecutionPlan>) -> Vec<Remark> {
    let mut remarks: Vec<Remark> = vec![];
    for remark in scans(plan).into_iter().flat_map(RemoteScanExec::remarks) {
        if !remarks.contains(&remark) {
            remarks.push(remark);
        }
    }
    remarks
}

fn scans(plan: &Arc<dyn ExecutionPlan>) -> Vec<&RemoteScanExec> {
    let mut scans = vec![];
    let mut open = vec![plan];
    while let Some(plan) = open.pop() {
        scans.extend(plan.downcast_ref::<RemoteScanExec>());
        scans.extend(plan.downcast_ref::<TracesWhereExec>().map(TracesWhereExec::spans));
        open.extend(plan.children().into_iter().rev());
    }
    scans
}
