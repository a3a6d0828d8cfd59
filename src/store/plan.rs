//! Planning a merge: which waiting traces the store holds already, and in which segments the others go.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::build::{SEGMENT_BYTES, SEGMENT_ROWS};
use super::error::Result;
use super::manifest::{Manifest, Segment};
use super::merge::Deleted;
use super::pool::Pool;
use super::reader::{Outline, Segments};

/// One piece of work of a merge; a partition of the pool is named by its number.
#[derive(Debug)]
pub(crate) enum Work {
    /// Build segments from spans of traces the store does not hold.
    New { project: String, partition: usize },
    /// Build a stored segment again: runs of units with their partitions, and which units anything arrived for.
    Rebuild { segment: Arc<Segment>, runs: Vec<(Range<usize>, usize)>, touched: Vec<bool> },
}

/// The plan of a merge against one version of a store.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) work: Vec<Work>,
    /// The partition of each trace of the pool.
    pub(crate) assign: Vec<u32>,
    pub(crate) partitions: usize,
}

/// Plans the merge of a pool, and of deletions, into a version of the store.
pub(crate) async fn plan(
    segments: &Segments,
    manifest: &Manifest,
    pool: &Pool,
    deletions: &HashMap<String, Deleted>,
) -> Result<Plan> {
    let mut plan = Plan { work: Vec::new(), assign: vec![u32::MAX; pool.traces.len()], partitions: 0 };
    let mut by_project: HashMap<&str, HashMap<&str, usize>> = HashMap::new();
    for (index, key) in pool.traces.keys().enumerate() {
        let project = pool.projects[key.project as usize].as_str();
        by_project.entry(project).or_default().insert(&key.trace_id, index);
    }
    for segment in &manifest.segments {
        let empty = HashMap::new();
        let waiting = by_project.get(segment.project.as_str()).unwrap_or(&empty);
        let deleted = deletions.get(&segment.project);
        let mut ids: Vec<&str> = waiting.keys().copied().collect();
        ids.extend(deleted.iter().flat_map(|spans| spans.iter().map(|(trace, _)| trace.as_str())));
        if ids.is_empty() {
            continue;
        }
        if let Some(outline) = segments.outline(segment, &ids).await? {
            plan.rebuild(segment, &outline, waiting, deleted, pool);
        }
    }
    plan.add_new(pool);
    Ok(plan)
}

/// Plans new segments for all traces of a pool.
pub(crate) fn plan_new(pool: &Pool) -> Plan {
    let mut plan = Plan { work: Vec::new(), assign: vec![u32::MAX; pool.traces.len()], partitions: 0 };
    plan.add_new(pool);
    plan
}

impl Plan {
    fn rebuild(
        &mut self,
        segment: &Segment,
        outline: &Outline,
        waiting: &HashMap<&str, usize>,
        deleted: Option<&Deleted>,
        pool: &Pool,
    ) {
        let shrinking: std::collections::HashSet<&str> =
            deleted.iter().flat_map(|spans| spans.iter().map(|(trace, _)| trace.as_str())).collect();
        let mut touched = vec![false; outline.units.len()];
        let mut runs: Vec<(Range<usize>, usize)> = Vec::new();
        let mut run_bytes = 0;
        let mut assigned: Vec<(usize, usize)> = Vec::new();
        for (number, unit) in outline.units.iter().enumerate() {
            let mut bytes = 0;
            let mut here = Vec::new();
            for trace in unit.traces.clone() {
                let id = outline.trace_ids.value(trace);
                if let Some(&index) = waiting.get(id) {
                    bytes += pool.traces[index].bytes;
                    here.push(index);
                    touched[number] = true;
                }
                touched[number] |= shrinking.contains(id);
            }
            match runs.last_mut() {
                Some((units, _)) if run_bytes + bytes <= SEGMENT_BYTES => units.end = number + 1,
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
    fn add_new(&mut self, pool: &Pool) {
        let mut new: Vec<usize> = (0..pool.traces.len()).filter(|&index| self.assign[index] == u32::MAX).collect();
        let order = |index: usize| pool.traces.get_index(index).map(|(key, w)| (key.project, w.start, &key.trace_id));
        new.sort_unstable_by(|&a, &b| order(a).cmp(&order(b)));
        let mut open: Option<u32> = None;
        let (mut rows, mut bytes) = (0, 0);
        for index in new {
            let Some((key, waiting)) = pool.traces.get_index(index) else { continue };
            let fits = rows + waiting.rows <= SEGMENT_ROWS && bytes + waiting.bytes <= SEGMENT_BYTES;
            if open != Some(key.project) || !fits {
                let project = pool.projects[key.project as usize].clone();
                self.work.push(Work::New { project, partition: self.partitions });
                self.partitions += 1;
                open = Some(key.project);
                (rows, bytes) = (0, 0);
            }
            rows += waiting.rows;
            bytes += waiting.bytes;
            self.assign[index] = (self.partitions - 1) as u32;
        }
    }
}
