//! Writing on spans of the store: all of it, or nothing.

use arrow::array::RecordBatch;

use super::answer::Answer;
use crate::cli::context::Context;
use spanql_store::{Grain, Patch, StoreError, UnknownIds};

/// Writes a batch on the spans, traces or sessions that it names.
///
/// # Errors
/// Whatever keeps it from being written: then nothing is. The answer says which ids the store has nothing of.
pub(super) async fn write(
    context: &Context,
    project: String,
    grain: Grain,
    batch: &RecordBatch,
    operation: &str,
) -> (Answer, anyhow::Result<()>) {
    let processed = batch.num_rows() as u64;
    let mut answer = Answer { processed, ..Answer::default() };
    let write = async {
        let store = context.store_to_write()?;
        let mut patch = Patch::new(project, grain);
        patch.push(batch)?;
        let patched = store.patch(&patch, UnknownIds::Refuse, operation).await;
        patched.map_err(|error| match error {
            // The ids are looked at.
            unknown @ StoreError::UnknownIds { .. } => unknown.into(),
            error => context.explain(error),
        })
    };
    match write.await {
        Ok(patched) => {
            answer.updated = patched.outcomes.iter().map(|outcome| outcome.spans).sum();
            context.warn_unsynced(patched.committed.not_synced.as_deref());
            context.report(&format!("{} version {}", context.place(), patched.committed.version));
            (answer, Ok(()))
        }
        Err(error) => {
            if let Some(StoreError::UnknownIds { ids, what, .. }) = error.downcast_ref() {
                let reason = format!("no such {}; nothing was written", what.0);
                answer.errors = ids.iter().map(|id| (id.clone(), reason.clone())).collect();
            }
            (answer, Err(error))
        }
    }
}
