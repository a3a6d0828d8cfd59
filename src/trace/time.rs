//! Time within a trace: own time and the critical path.

use std::cmp::Reverse;
use std::ops::Range;

use super::tree::Tree;
use super::{TraceError, TreeInput};

/// One stretch of a trace's critical path: what a span contributes itself to the time that the trace took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The row of the span; `None` where no span on the way down from the top span was running.
    pub row: Option<usize>,
    /// Where the contribution begins, in nanoseconds since the epoch.
    pub start_ns: i64,
    /// Where it ends, in nanoseconds since the epoch; later than its beginning.
    pub end_ns: i64,
}

/// Milliseconds from `start` to `end`, both in nanoseconds since the epoch; negative when the end is earlier.
pub fn elapsed_ms(start: i64, end: i64) -> f64 {
    let distance = end.abs_diff(start) as f64 / 1e6;
    if start <= end { distance } else { -distance }
}

/// Finds the contributions of spans to the critical path of the trace that lies in `rows`, in time order.
///
/// Work may outlive the span that began it, so a span counts until its *effective end*: the greatest of its own end (its
/// start, where it ended before that) and the effective ends of its children.
///
/// The path begins at the greatest effective end of a top span (of those that end together: one of zero length last of
/// all, else the later start, then the larger span id, then the later row) and goes back in time. In each span, at moment
/// t, the child with the greatest effective end not after t is on the path, and so on into it; then t is that child's
/// start. Children are clipped to their parent, as it is clipped itself; of those that end together the later start goes
/// first, then the larger span id, then the later row; a child that is left without length is skipped.
///
/// What no child covers is the contribution of the span itself while it ran, after that of the nearest span above it
/// that still ran, and of nobody when none did.
///
/// Contributions never overlap, none is empty, those that follow each other have different owners, and together they
/// are the time from the start of that top span to its effective end; a span on the path that its children cover wholly
/// has none. Without a top span that has both times there is no path.
pub fn critical_path(input: &TreeInput<'_>, rows: Range<usize>) -> Result<Vec<Step>, TraceError> {
    let mut tree = Tree::default();
    tree.build(input, rows)?;
    let mut path = CriticalPath::default();
    path.find(input, &tree);
    Ok(in_order(path.steps))
}

/// Contributions in time order, those of one span that follow each other as one.
pub(super) fn in_order(mut steps: Vec<Step>) -> Vec<Step> {
    steps.sort_unstable_by_key(|step| step.start_ns);
    // A span above may own the end of what its child left over and what comes after the child.
    steps.dedup_by(|next, step| {
        let goes_on = step.row == next.row && step.end_ns == next.start_ns;
        if goes_on {
            step.end_ns = next.end_ns;
        }
        goes_on
    });
    steps
}

/// The own time of a node in milliseconds: its latency minus the union of its children's intervals within it.
///
/// Null when one of its times is; none when they are reversed.
pub(super) fn self_ms(input: &TreeInput<'_>, tree: &Tree, node: u32) -> Option<f64> {
    let row = tree.row(node);
    let (start, end) = (input.start(row)?, input.end(row)?);
    if end < start {
        return Some(0.0);
    }
    let mut covered = 0;
    let mut covered_to = start;
    for &child in tree.children(node) {
        let Some((child_start, child_end)) = input.interval(tree.row(child)) else { continue };
        let (from, to) = (child_start.max(covered_to), child_end.min(end));
        if from < to {
            covered += to.abs_diff(from);
            covered_to = to;
        }
    }
    Some((end.abs_diff(start) - covered) as f64 / 1e6)
}

/// The critical path of one trace; one value serves many traces, its buffers are kept.
#[derive(Debug, Default)]
pub(super) struct CriticalPath {
    /// The contributions; in no particular order, and a long one may be in pieces.
    pub(super) steps: Vec<Step>,
    /// The effective end of each node that has both times; of others, whatever.
    ends: Vec<i64>,
    owners: Owners,
    pending: Vec<Stretch>,
    children: Vec<Stretch>,
}

/// A node with the time it takes until its effective end, clipped to everything above it.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    node: u32,
    start: i64,
    end: i64,
    /// The owner above it.
    above: u32,
}

impl CriticalPath {
    /// Finds the path of a tree; gives the top span that it begins at.
    pub(super) fn find(&mut self, input: &TreeInput<'_>, tree: &Tree) -> Option<u32> {
        self.find_ends(input, tree);
        let top = self.last_ending(input, tree);
        self.walk(input, tree, top);
        top.map(|top| top.node)
    }

    /// Finds the path that begins at a top span, whether or not that is the last to end.
    pub(super) fn find_below(&mut self, input: &TreeInput<'_>, tree: &Tree, top: u32) {
        self.find_ends(input, tree);
        self.walk(input, tree, self.stretch(input, tree, top));
    }

    fn walk(&mut self, input: &TreeInput<'_>, tree: &Tree, top: Option<Stretch>) {
        self.steps.clear();
        self.pending.clear();
        self.owners.clear();
        self.pending.extend(top);
        while let Some(span) = self.pending.pop() {
            let row = tree.row(span.node);
            let Some((_, own_end)) = own_time(input, row) else { continue };
            let owner = self.owners.push(row, own_end, span.above);
            self.children.clear();
            let (children, ends) = (tree.children(span.node), &self.ends);
            self.children.extend(children.iter().filter_map(|&node| {
                let (start, _) = own_time(input, tree.row(node))?;
                let (start, end) = (start.max(span.start), ends[node as usize]);
                (start < end).then_some(Stretch { node, start, end, above: owner })
            }));
            self.children.sort_unstable_by(|a, b| {
                let id = |child: &Stretch| input.id(tree.row(child.node));
                let by_time = (b.end, b.start).cmp(&(a.end, a.start));
                by_time.then_with(|| id(b).cmp(&id(a))).then(b.node.cmp(&a.node))
            });

            let mut moment = span.end;
            for child in &self.children {
                if child.end > moment {
                    continue;
                }
                self.owners.share(owner, child.end, moment, &mut self.steps);
                self.pending.push(*child);
                moment = child.start;
            }
            self.owners.share(owner, span.start, moment, &mut self.steps);
        }
    }

    fn find_ends(&mut self, input: &TreeInput<'_>, tree: &Tree) {
        self.ends.clear();
        self.ends.resize(tree.nodes().len(), i64::MIN);
        for (node, parent) in tree.bottom_up() {
            let Some((_, own_end)) = own_time(input, tree.row(node)) else { continue };
            let end = &mut self.ends[node as usize];
            *end = own_end.max(*end);
            let end = *end;
            if let Some(parent) = parent {
                let above = &mut self.ends[parent as usize];
                *above = end.max(*above);
            }
        }
    }

    /// A top span with the time it takes until its effective end.
    fn stretch(&self, input: &TreeInput<'_>, tree: &Tree, node: u32) -> Option<Stretch> {
        let (start, _) = own_time(input, tree.row(node))?;
        Some(Stretch { node, start, end: self.ends[node as usize], above: Owners::NOBODY })
    }

    fn last_ending(&self, input: &TreeInput<'_>, tree: &Tree) -> Option<Stretch> {
        let tops = tree.tops().iter().filter_map(|&node| self.stretch(input, tree, node));
        // A span without length would be an empty path: another one that ends with it says more.
        let key = |top: &Stretch| (top.end, Reverse(top.start == top.end), top.start, input.id(tree.row(top.node)));
        tops.max_by(|a, b| key(a).cmp(&key(b)).then(a.node.cmp(&b.node)))
    }
}

/// The time that a span itself ran, where it has both times.
fn own_time(input: &TreeInput<'_>, row: usize) -> Option<(i64, i64)> {
    let (start, end) = (input.start(row)?, input.end(row)?);
    Some((start, end.max(start)))
}

/// Who owns what nobody's child covers: the spans on the path, each below the nearest one above it that ran longer.
///
/// All of them began before whatever is asked about, so a moment belongs to the first one, going up, that ended later.
/// Nearly every way up is short, but it may be as long as a trace is deep: leaps keep it short (Myers, "An applicative
/// random-access stack").
#[derive(Debug, Default)]
struct Owners {
    all: Vec<Owner>,
}

#[derive(Debug, Clone, Copy)]
struct Owner {
    /// The row; `None` stands for nobody, who is above all and never ends.
    row: Option<usize>,
    end: i64,
    /// The nearest one above that ends later.
    above: u32,
    /// One further up.
    leap: u32,
    /// Steps up to nobody.
    height: u32,
}

impl Owners {
    const NOBODY: u32 = 0;

    fn clear(&mut self) {
        self.all.clear();
        self.all.push(Owner { row: None, end: i64::MAX, above: Self::NOBODY, leap: Self::NOBODY, height: 0 });
    }

    fn get(&self, owner: u32) -> Owner {
        self.all[owner as usize]
    }

    /// The first one, from `owner` up, that ends after a moment.
    fn ending_after(&self, moment: i64, owner: u32) -> u32 {
        let is_over = |owner: u32| owner != Self::NOBODY && self.get(owner).end <= moment;
        let mut found = owner;
        while is_over(found) {
            let Owner { above, leap, .. } = self.get(found);
            found = if is_over(leap) { leap } else { above };
        }
        found
    }

    /// Adds a span that lies below `parent`.
    fn push(&mut self, row: usize, end: i64, parent: u32) -> u32 {
        let above = self.ending_after(end, parent);
        let (first, second) = (self.get(above), self.get(self.get(above).leap));
        let even = first.height - second.height == second.height - self.get(second.leap).height;
        let leap = if even { second.leap } else { above };
        self.all.push(Owner { row: Some(row), end, above, leap, height: first.height + 1 });
        (self.all.len() - 1) as u32
    }

    /// Shares out a time that no child of `owner` covers.
    fn share(&self, owner: u32, from: i64, to: i64, steps: &mut Vec<Step>) {
        let mut from = from;
        let mut owner = if from < to { self.ending_after(from, owner) } else { owner };
        while from < to {
            let Owner { row, end, above, .. } = self.get(owner);
            let end = end.min(to);
            steps.push(Step { row, start_ns: from, end_ns: end });
            (from, owner) = (end, above);
        }
    }
}

#[cfg(test)]
mod tests;
