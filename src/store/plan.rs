//! Planning a merge: which waiting traces the store holds already, and in which segments the others go.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::build::{SEGMENT_BYTES, SEGMENT_ROWS};
use super::error::Result;
use super::import_buffer::ImportBuffer;
use super::manifest::{Manifest, Segment};
use super::merge::Deleted;
use super::reader::{Segments, TraceIndex};

/// One piece of work of a merge; a partition of the import buffer is named by its number.
#[derive(Debug)]
pub(crate) enum Work {
    /// Build segments from spans of traces the store does not hold.
    New { project: String, partition: usize },
    /// Build a stored segment again: runs of aligned groups with their partitions, and which of them anything arrived for.
    Rebuild { segment: Arc<Segment>, runs: Vec<(Range<usize>, usize)>, touched: Vec<bool> },
}

/// The plan of a merge against one version of a store.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) work: Vec<Work>,
    /// The partition of each trace of the import buffer.
    pub(crate) assign: Vec<u32>,
    pub(crate) partitions: usize,
}

/// Plans the merge of an import buffer, and of deletions, into a version of the store.
pub(crate) async fn plan(
    segments: &Segments,
    manifest: &Manifest,
    buffer: &ImportBuffer,
    deletions: &HashMap<String, Deleted>,
) -> Result<Plan> {
    let mut plan = Plan { work: Vec::new(), assign: vec![u32::MAX; buffer.traces.len()], partitions: 0 };
    let mut by_project: HashMap<&str, HashMap<&str, usize>> = HashMap::new();
    for (index, key) in buffer.traces.keys().enumerate() {
        let project = buffer.projects[key.project as usize].as_str();
        by_project.entry(project).or_default().insert(&key.trace_id, index);
    }
    for segment in &manifest.segments {
        let empty = HashMap::new();
        let pending = by_project.get(segment.project.as_str()).unwrap_or(&empty);
        let deleted = deletions.get(&segment.project);
        let mut ids: Vec<&str> = pending.keys().copied().collect();
        ids.extend(deleted.iter().flat_map(|spans| spans.iter().map(|(trace, _)| trace.as_str())));
        if ids.is_empty() {
            continue;
        }
        if let Some(trace_index) = segments.trace_index(segment, &ids).await? {
            plan.rebuild(segment, &trace_index, pending, deleted, buffer);
        }
    }
    plan.add_new(buffer);
    Ok(plan)
}

/// Plans new segments for all traces of an import buffer.
pub(crate) fn plan_new(buffer: &ImportBuffer) -> Plan {
    let mut plan = Plan { work: Vec::new(), assign: vec![u32::MAX; buffer.traces.len()], partitions: 0 };
    plan.add_new(buffer);
    plan
}

impl Plan {
    fn rebuild(
        &mut self,
        segment: &Segment,
        trace_index: &TraceIndex,
        pending: &HashMap<&str, usize>,
        deleted: Option<&Deleted>,
        buffer: &ImportBuffer,
    ) {
        let shrinking: std::collections::HashSet<&str> =
            deleted.iter().flat_map(|spans| spans.iter().map(|(trace, _)| trace.as_str())).collect();
        let mut touched = vec![false; trace_index.aligned_groups.len()];
        let mut runs: Vec<(Range<usize>, usize)> = Vec::new();
        let mut run_bytes = 0;
        let mut assigned: Vec<(usize, usize)> = Vec::new();
        for (number, aligned) in trace_index.aligned_groups.iter().enumerate() {
            let mut bytes = 0;
            let mut here = Vec::new();
            for trace in aligned.traces.clone() {
                let id = trace_index.trace_ids.value(trace);
                if let Some(&index) = pending.get(id) {
                    bytes += buffer.traces[index].bytes;
                    here.push(index);
                    touched[number] = true;
                }
                touched[number] |= shrinking.contains(id);
            }
            match runs.last_mut() {
                Some((aligned_groups, _)) if run_bytes + bytes <= SEGMENT_BYTES => aligned_groups.end = number + 1,
                _ => {
                    runs.push((number..number + 1, self.partitions + runs.len()));
                    run_bytes = 0;
                }
            }
            run_bytes += bytes;
            let partition = self.partitions + runs.len() - 1;
            assigned.extend(here.into_iter().map(|index| (index, partition)));
        }
        if touched.contains(&true) {
            for (index, partition) in assigned {
                self.assign[index] = partition as u32;
            }
            self.partitions += runs.len();
            self.work.push(Work::Rebuild { segment: Arc::new(segment.clone()), runs, touched });
        }
    }

    /// Packs the traces that have no partition yet, by project and start, into segments of about equal size.
    fn add_new(&mut self, buffer: &ImportBuffer) {
        let mut new: Vec<usize> = (0..buffer.traces.len()).filter(|&index| self.assign[index] == u32::MAX).collect();
        let order = |index: usize| buffer.traces.get_index(index).map(|(key, w)| (key.project, w.start, &key.trace_id));
        new.sort_unstable_by(|&a, &b| order(a).cmp(&order(b)));
        let mut open: Option<u32> = None;
        let (mut rows, mut bytes) = (0, 0);
        for index in new {
            let Some((key, pending)) = buffer.traces.get_index(index) else { continue };
            let fits = rows + pending.rows <= SEGMENT_ROWS && bytes + pending.bytes <= SEGMENT_BYTES;
            if open != Some(key.project) || !fits {
                let project = buffer.projects[key.project as usize].clone();
                self.work.push(Work::New { project, partition: self.partitions });
                self.partitions += 1;
                open = Some(key.project);
                (rows, bytes) = (0, 0);
            }
            rows += pending.rows;
            bytes += pending.bytes;
            self.assign[index] = (self.partitions - 1) as u32;
        }
    }
}
