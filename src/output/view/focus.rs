//! Which spans of a trace are shown, and what stands for the others.

use std::collections::HashSet;

use super::spans::Span;
use spanql_trace::{TraceError, TreeInput, critical_steps, is_step};

/// Which spans of a trace are shown. The default is all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Focus {
    /// Levels that are shown, of at least one; what lies below them is counted.
    pub depth: Option<u32>,
    /// Whether only failed spans are shown, and those above them; the others are counted.
    pub errors_only: bool,
    /// Whether spans without a kind are left out, unless they failed or the steps of the trace wait for them; if no span has
    /// a kind, all are shown. The critical path is that of the steps then.
    pub steps: bool,
}

/// One entry of a tree that is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// Entries between this one and its top.
    pub(super) depth: u32,
    pub(super) item: Item,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    /// The span at this place of the tree order.
    Span(usize),
    /// Spans that are not shown, after their shown siblings.
    More(More),
}

/// Spans that are not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct More {
    pub(super) spans: i64,
    /// How many of them failed.
    pub(super) errors: i64,
    /// Whether they lie below the last level that is shown.
    pub(super) is_below: bool,
    /// Whether they are spans without a kind.
    pub(super) is_kindless: bool,
}

impl Focus {
    /// Whether anything is left out.
    pub(super) fn is_narrow(self) -> bool {
        self != Self::default()
    }

    /// The spans that are looked at, and what of them is left out whatever the rest says. `spans` are those of a trace, whose
    /// rows are all rows of `input`.
    pub(super) fn looked_at<'a>(
        self,
        mut spans: Vec<Span<'a>>,
        input: &TreeInput<'_>,
    ) -> Result<(Vec<Span<'a>>, More), TraceError> {
        let steps: HashSet<usize> = spans.iter().filter(|span| is_step(span.kind)).map(|span| span.row).collect();
        if !self.steps || steps.is_empty() {
            return Ok((spans, More::default()));
        }
        let path = critical_steps(input, 0..spans.len(), |row| steps.contains(&row))?;
        let waited_for: HashSet<usize> = path.iter().filter_map(|step| step.row).collect();
        spans.iter_mut().for_each(|span| span.is_critical = waited_for.contains(&span.row));
        let all = spans.len();
        spans.retain(|span| span.is_critical || span.is_error || steps.contains(&span.row));
        // Others may be counted with them where only failed spans are shown.
        let left_out = More { spans: (all - spans.len()) as i64, is_kindless: !self.errors_only, ..More::default() };
        Ok((spans, left_out))
    }

    /// The entries to show, in order. `spans` are in tree order, `depth` says how deep each lies. In O(n).
    ///
    /// What is not shown of a span's descendants is one entry at the end of its children; what is not among `spans` is
    /// `left_out`.
    pub(super) fn entries(self, spans: &[Span<'_>], depth: &[u32], left_out: More) -> Vec<Entry> {
        let levels = self.depth.unwrap_or(u32::MAX);
        let failed = if self.errors_only { failed_within(spans, depth) } else { Vec::new() };
        let mut entries = Vec::with_capacity(spans.len());
        // The shown spans above, with what they hide; before them what has no shown span above it.
        let mut top = left_out;
        let mut open: Vec<(u32, More)> = Vec::new();
        for (place, span) in spans.iter().enumerate() {
            let depth = depth[place];
            close(&mut open, depth, &mut entries);
            if depth < levels && failed.get(place).is_none_or(|failed| *failed) {
                entries.push(Entry { depth, item: Item::Span(place) });
                open.push((depth, More { is_below: depth.saturating_add(1) >= levels, ..More::default() }));
                continue;
            }
            let more = open.last_mut().map_or(&mut top, |(_, more)| more);
            more.spans += 1;
            more.errors += i64::from(span.is_error);
        }
        close(&mut open, 0, &mut entries);
        if top.spans > 0 {
            entries.push(Entry { depth: 0, item: Item::More(top) });
        }
        entries
    }
}

/// Closes the spans that do not lie above this depth.
fn close(open: &mut Vec<(u32, More)>, depth: u32, entries: &mut Vec<Entry>) {
    while let Some((above, more)) = open.pop_if(|(above, _)| *above >= depth) {
        if more.spans > 0 {
            entries.push(Entry { depth: above.saturating_add(1), item: Item::More(more) });
        }
    }
}

/// Whether a span failed or one of its descendants did, by place.
fn failed_within(spans: &[Span<'_>], depth: &[u32]) -> Vec<bool> {
    let mut failed: Vec<bool> = spans.iter().map(|span| span.is_error).collect();
    // Backwards, whatever failed since the last span of the same depth lies below this one.
    let mut below: Vec<bool> = Vec::new();
    for place in (0..spans.len()).rev() {
        let level = depth[place] as usize;
        if below.len() <= level + 1 {
            below.resize(level + 2, false);
        }
        failed[place] |= std::mem::take(&mut below[level + 1]);
        below[level] |= failed[place];
    }
    failed
}
