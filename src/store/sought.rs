//! The traces of a project that a commit touches.

use std::collections::HashSet;

use super::id_hashes::SoughtIds;
use super::import_buffer::ImportBuffer;
use super::merge::Deleted;

/// The traces of a project that a commit touches.
pub(crate) struct Sought<'a> {
    buffer: &'a ImportBuffer,
    /// The project among those that spans wait for.
    project: Option<u32>,
    /// Those that lose spans.
    shrinking: HashSet<&'a str>,
    pub(crate) ids: SoughtIds<'a>,
}

impl<'a> Sought<'a> {
    pub(crate) fn of(buffer: &'a ImportBuffer, project: &str, deleted: Option<&'a Deleted>) -> Self {
        let shrinking: HashSet<&str> =
            deleted.iter().flat_map(|spans| spans.iter().map(|(trace, _)| trace.as_str())).collect();
        let project = buffer.projects.iter().position(|known| known == project).map(|number| number as u32);
        let all = project.map_or(0, |_| buffer.traces.len());
        let pending = buffer.traces.iter().take(all).filter(|pending| Some(pending.project) == project);
        let ids = SoughtIds::of(pending.map(|pending| pending.id).chain(shrinking.iter().copied()));
        Self { buffer, project, shrinking, ids }
    }

    /// The trace, by its number among those that spans wait for.
    pub(crate) fn pending(&self, id: &str) -> Option<usize> {
        self.buffer.traces.find(self.project?, id)
    }

    pub(crate) fn is_shrinking(&self, id: &str) -> bool {
        self.shrinking.contains(id)
    }

    pub(crate) fn is_touched(&self, id: &str) -> bool {
        self.is_shrinking(id) || self.pending(id).is_some()
    }
}
