//! The remote scans of a plan, and what they have to say.

use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;

use super::outcome::Remark;
use super::scan::RemoteScanExec;
use super::traces::TracesWhereExec;

/// What the reader should know before a plan's remote scans are run, each once.
pub(crate) fn notes(plan: &Arc<dyn ExecutionPlan>) -> Vec<String> {
    let mut notes: Vec<String> = vec![];
    for note in scans(plan).into_iter().filter_map(RemoteScanExec::note) {
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    notes
}

/// What was learnt while a plan's remote scans ran, each once.
pub(crate) fn remarks(plan: &Arc<dyn ExecutionPlan>) -> Vec<Remark> {
    let mut remarks: Vec<Remark> = vec![];
    for remark in scans(plan).into_iter().flat_map(RemoteScanExec::remarks) {
        if !remarks.contains(&remark) {
            remarks.push(remark);
        }
    }
    remarks
}

/// The remote scans of a plan.
pub(super) fn scans(plan: &Arc<dyn ExecutionPlan>) -> Vec<&RemoteScanExec> {
    let mut scans = vec![];
    let mut open = vec![plan];
    while let Some(plan) = open.pop() {
        scans.extend(plan.downcast_ref::<RemoteScanExec>());
        scans.extend(plan.downcast_ref::<TracesWhereExec>().map(TracesWhereExec::spans));
        open.extend(plan.children().into_iter().rev());
    }
    scans
}
