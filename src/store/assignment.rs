//! Where the traces of a merge belong.

use std::collections::HashMap;

use super::error::{Result, StoreError};
use super::merge::Merged;
use super::stored::{AlignedGroups, StoredSegment};

/// Where the traces of a merge belong: in the aligned group they came from, or elsewhere.
pub(super) struct TraceAssignment {
    /// In the order of the aligned groups that were merged.
    pub(super) by_group: Vec<GroupTraces>,
    pub(super) moved: Vec<usize>,
}

#[derive(Default)]
pub(super) struct GroupTraces {
    pub(super) staying: Vec<usize>,
    /// Whether a trace of it goes elsewhere, or is gone.
    pub(super) loses: bool,
}

impl TraceAssignment {
    pub(super) fn new(stored: &StoredSegment, merged: &Merged, aligned_groups: &[&AlignedGroups]) -> Result<Self> {
        let ids = stored.trace_ids()?;
        let mut home: HashMap<&str, (usize, Option<i64>)> = HashMap::new();
        for (number, aligned) in aligned_groups.iter().enumerate() {
            for trace in aligned.traces.clone().filter(|&trace| !stored.dead.traces.contains(trace)) {
                home.insert(ids.value(trace), (number, stored.trace_start(trace)));
            }
        }
        let mut assignment =
            Self { by_group: aligned_groups.iter().map(|_| GroupTraces::default()).collect(), moved: Vec::new() };
        for (number, trace) in merged.traces.iter().enumerate() {
            let id = merged.trace_id(number);
            let Some((aligned, start)) = home.get(id.as_str()).copied() else {
                return Err(StoreError::Internal(format!(
                    "trace {id} was merged into a segment that does not hold it"
                )));
            };
            if start == trace.start {
                assignment.by_group[aligned].staying.push(number);
            } else {
                assignment.moved.push(number);
            }
        }
        for (here, aligned) in assignment.by_group.iter_mut().zip(aligned_groups) {
            // A trace all of whose spans were deleted is gone.
            here.loses = here.staying.len() < stored.live_traces(aligned);
        }
        Ok(assignment)
    }
}
