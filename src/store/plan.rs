//! Planning a merge: which waiting traces the store holds already, and in which segments the others go.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};

use super::build::{SEGMENT_BYTES, SEGMENT_ROWS};
use super::copy_on_write::{CopyOnWrite, Touched};
use super::entries::Segment;
use super::error::{Result, StoreError};
use super::held::{Gathered, Held, HeldTrace};
use super::import_buffer::ImportBuffer;
use super::manifest::Manifest;
use super::merge::Deleted;
use super::pending::Pending;
use super::reader::Segments;
use super::segment::Sizes;
use super::sought::Sought;
use super::stored::AlignedGroups;
use super::trace_index::TraceIndex;

/// Segments that are looked into side by side.
const LOOKUPS: usize = 16;

/// One piece of work of a merge; a partition of the import buffer is named by its number.
#[derive(Debug)]
pub(crate) enum Work {
    /// Build segments from spans of traces the store does not hold, or holds in segments that are left as they are.
    New { project: String, partition: usize, held: Vec<Held> },
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
    sizes: Sizes,
    buffer: &ImportBuffer,
    deletions: &HashMap<String, Deleted>,
) -> Result<Plan> {
    let mut plan = Plan { work: Vec::new(), assign: vec![u32::MAX; buffer.traces.len()], partitions: 0 };
    let copy_on_write = CopyOnWrite::of(manifest, sizes);
    let mut sought: HashMap<&str, Sought<'_>> = HashMap::new();
    for segment in &manifest.segments {
        let project = segment.project.as_str();
        sought.entry(project).or_insert_with(|| Sought::of(buffer, project, deletions.get(project)));
    }
    let is_sought =
        |segment: &&Segment| sought.get(segment.project.as_str()).is_some_and(|sought| !sought.ids.is_empty());
    let looked_into: Vec<&Segment> = manifest.segments.iter().filter(is_sought).collect();
    segments.cache.read_ids(&segments.location, &looked_into).await?;
    let mut lookups = Vec::new();
    for segment in &manifest.segments {
        if let Some(sought) = sought.get(segment.project.as_str()).filter(|sought| !sought.ids.is_empty()) {
            lookups.push(async move {
                let index = segments.trace_index(segment, &sought.ids).await?;
                Ok::<_, StoreError>((segment, sought, index))
            });
        }
    }
    let mut found = stream::iter(lookups).buffered(LOOKUPS);
    let mut anew: Vec<(Arc<Segment>, HeldTrace, bool)> = Vec::new();
    while let Some((segment, sought, index)) = found.try_next().await? {
        let Some(index) = index else { continue };
        match copy_on_write.decide(segment, &index, sought) {
            None => {}
            Some(Touched::Rebuild) => {
                plan.rebuild(segment, &index, &segments.aligned_groups(segment).await?, sought, buffer);
            }
            Some(Touched::Anew { segment, traces, whole }) => {
                anew.extend(traces.into_iter().map(|trace| (Arc::clone(&segment), trace, whole)));
            }
        }
    }
    drop(found);
    plan.add_new(buffer, &sought, anew);
    Ok(plan)
}

/// Plans new segments for all traces of an import buffer.
pub(crate) fn plan_new(buffer: &ImportBuffer) -> Plan {
    let mut plan = Plan { work: Vec::new(), assign: vec![u32::MAX; buffer.traces.len()], partitions: 0 };
    plan.add_new(buffer, &HashMap::new(), Vec::new());
    plan
}

impl Plan {
    fn rebuild(
        &mut self,
        segment: &Segment,
        trace_index: &TraceIndex,
        aligned_groups: &[AlignedGroups],
        sought: &Sought<'_>,
        buffer: &ImportBuffer,
    ) {
        let mut touched = vec![false; aligned_groups.len()];
        let mut runs: Vec<(Range<usize>, usize)> = Vec::new();
        let mut run_bytes = 0;
        let mut assigned: Vec<(usize, usize)> = Vec::new();
        for (number, aligned) in aligned_groups.iter().enumerate() {
            let mut bytes = 0;
            let mut here = Vec::new();
            for trace in aligned.traces.clone() {
                if trace_index.dead.traces.contains(trace) {
                    continue;
                }
                let id = trace_index.traces.ids.value(trace);
                if let Some(index) = sought.pending(id) {
                    bytes += buffer.traces.get(index).bytes;
                    here.push(index);
                    touched[number] = true;
                }
                touched[number] |= sought.is_shrinking(id);
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

    /// Packs the traces that have no partition yet, by project and start, into segments of about equal size; with them
    /// goes what segments hold of them, and what else of these is written anew.
    fn add_new(
        &mut self,
        buffer: &ImportBuffer,
        sought: &HashMap<&str, Sought<'_>>,
        anew: Vec<(Arc<Segment>, HeldTrace, bool)>,
    ) {
        let pending_of = |segment: &Segment, trace: &HeldTrace| {
            sought.get(segment.project.as_str()).and_then(|sought| sought.pending(&trace.id))
        };
        let mut held_sizes: HashMap<usize, (u64, u64)> = HashMap::new();
        for (segment, trace, _) in &anew {
            if let Some(index) = pending_of(segment, trace) {
                let (rows, bytes) = held_sizes.entry(index).or_default();
                *rows += trace.rows.len() as u64;
                *bytes += segment.memory_bytes / segment.rows_in_file().max(1) * trace.rows.len() as u64;
            }
        }
        let numbers = 0..buffer.traces.len() as u32;
        let mut new: Vec<u32> = numbers.filter(|&index| self.assign[index as usize] == u32::MAX).collect();
        let order = |index: u32| {
            let Pending { project, start, id, .. } = buffer.traces.get(index as usize);
            (project, start, id)
        };
        new.sort_unstable_by(|&a, &b| order(a).cmp(&order(b)));
        let mut open: Option<u32> = None;
        let (mut rows, mut bytes) = (0, 0);
        let first = self.partitions;
        let mut projects: Vec<String> = Vec::new();
        for index in new.into_iter().map(|index| index as usize) {
            let pending = buffer.traces.get(index);
            let (held_rows, held_bytes) = held_sizes.get(&index).copied().unwrap_or_default();
            let (more_rows, more_bytes) = (pending.rows + held_rows, pending.bytes + held_bytes);
            let fits = rows + more_rows <= SEGMENT_ROWS && bytes + more_bytes <= SEGMENT_BYTES;
            if open != Some(pending.project) || !fits {
                projects.push(buffer.projects[pending.project as usize].clone());
                self.partitions += 1;
                open = Some(pending.project);
                (rows, bytes) = (0, 0);
            }
            rows += more_rows;
            bytes += more_bytes;
            self.assign[index] = (self.partitions - 1) as u32;
        }
        let mut gathered = Gathered::default();
        for (segment, trace, whole) in anew {
            let own = pending_of(&segment, &trace).map(|index| self.assign[index] as usize);
            let partition = own.unwrap_or_else(|| {
                let known = projects.iter().position(|project| *project == segment.project);
                first
                    + known.unwrap_or_else(|| {
                        projects.push(segment.project.clone());
                        self.partitions += 1;
                        projects.len() - 1
                    })
            });
            gathered.add(partition, &segment, trace, whole);
        }
        for (partition, project) in (first..).zip(projects) {
            self.work.push(Work::New { project, partition, held: gathered.take(partition) });
        }
    }
}
