//! The rules of the module written down a second time, as slowly and plainly as they read, for tests to compare with.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use super::sample::{Sample, TreeRow};

/// One trace, each question answered from the spans themselves.
pub(crate) struct Naive<'a> {
    spans: &'a [Sample],
    /// The parent of each span after cycles are cut.
    parents: Vec<Option<usize>>,
    on_cycle: Vec<bool>,
    /// The spans that are not there.
    gone: Vec<bool>,
    effective: OnceCell<Vec<Option<(i64, i64)>>>,
}

/// A span or nobody, and the time that it contributes.
pub(crate) type Contribution = (Option<usize>, i64, i64);

/// The one order: null first, then start, id and row.
pub(crate) type Key<'a> = (Option<i64>, Option<&'a str>, usize);

impl<'a> Naive<'a> {
    pub(crate) fn new(spans: &'a [Sample]) -> Self {
        let named: Vec<Option<usize>> = (0..spans.len()).map(|i| named_parent(spans, i)).collect();
        let cycle_of = |i: usize| {
            let mut members = BTreeSet::from([i]);
            let mut at = i;
            for _ in 0..spans.len() {
                at = named[at]?;
                if at == i {
                    return Some(members);
                }
                members.insert(at);
            }
            None
        };
        let cycles: Vec<Option<BTreeSet<usize>>> = (0..spans.len()).map(cycle_of).collect();
        let is_cut = |i: usize| {
            let earliest = cycles[i].iter().flatten().min_by_key(|&&member| key(spans, member));
            earliest == Some(&i)
        };
        let parents = (0..spans.len()).map(|i| if is_cut(i) { None } else { named[i] }).collect();
        let on_cycle = cycles.iter().map(Option::is_some).collect();
        Self { spans, parents, on_cycle, gone: vec![false; spans.len()], effective: OnceCell::new() }
    }

    /// The same with some spans only: each is the child of the nearest one above it that is there.
    fn of_some(&self, there: impl Fn(usize) -> bool) -> Self {
        let all = 0..self.spans.len();
        let nearest = |i: usize| self.path(i).into_iter().rev().skip(1).find(|&above| there(above));
        Self {
            spans: self.spans,
            parents: all.clone().map(nearest).collect(),
            on_cycle: self.on_cycle.clone(),
            gone: all.map(|i| !there(i)).collect(),
            effective: OnceCell::new(),
        }
    }

    pub(crate) fn key(&self, i: usize) -> Key<'a> {
        key(self.spans, i)
    }

    pub(crate) fn parent(&self, i: usize) -> Option<usize> {
        self.parents[i]
    }

    pub(crate) fn is_top(&self, i: usize) -> bool {
        self.parents[i].is_none()
    }

    fn has_parent_id(&self, i: usize) -> bool {
        !matches!(self.spans[i].parent.as_deref(), None | Some(""))
    }

    pub(crate) fn is_root(&self, i: usize) -> bool {
        !self.has_parent_id(i)
    }

    /// The span and everything above it, top span first.
    fn path(&self, i: usize) -> Vec<usize> {
        let mut path = vec![i];
        while let Some(parent) = self.parents[path[0]] {
            path.insert(0, parent);
        }
        path
    }

    pub(crate) fn is_descendant(&self, below: usize, above: usize) -> bool {
        below != above && self.path(below).contains(&above)
    }

    fn children(&self, i: usize) -> Vec<usize> {
        (0..self.spans.len()).filter(|&child| self.parents[child] == Some(i) && !self.gone[child]).collect()
    }

    fn interval(&self, i: usize) -> Option<(i64, i64)> {
        match (self.spans[i].start, self.spans[i].end) {
            (Some(start), Some(end)) if start <= end => Some((start, end)),
            _ => None,
        }
    }

    /// Whether everything about `a` comes before `b`: an earlier branch, neither above nor below.
    fn is_in_earlier_branch(&self, a: usize, b: usize) -> bool {
        let keys = |i: usize| self.path(i).into_iter().map(|member| self.key(member)).collect::<Vec<_>>();
        !self.is_descendant(a, b) && !self.is_descendant(b, a) && keys(a) < keys(b)
    }

    fn self_ms(&self, i: usize) -> Option<f64> {
        let (start, end) = (self.spans[i].start?, self.spans[i].end?);
        let intervals: Vec<(i64, i64)> = self.children(i).into_iter().filter_map(|c| self.interval(c)).collect();
        let mut marks: Vec<i64> = intervals.iter().flat_map(|&(from, to)| [from, to]).chain([start, end]).collect();
        marks.sort_unstable();
        let covered = |from: i64, to: i64| intervals.iter().any(|&(s, e)| s <= from && to <= e);
        let mut own = 0;
        for segment in marks.windows(2) {
            if start <= segment[0] && segment[1] <= end && !covered(segment[0], segment[1]) {
                own += segment[1] - segment[0];
            }
        }
        Some(own as f64 / 1e6)
    }

    /// The time from the start of a span until it and what it began are over; none without both times.
    pub(crate) fn effective(&self, i: usize) -> Option<(i64, i64)> {
        self.effective.get_or_init(|| (0..self.spans.len()).map(|i| self.until_over(i)).collect())[i]
    }

    fn until_over(&self, i: usize) -> Option<(i64, i64)> {
        let (start, end) = (self.spans[i].start?, self.spans[i].end?);
        let below = self.children(i).into_iter().filter_map(|child| Some(self.until_over(child)?.1));
        Some((start, below.fold(end.max(start), i64::max)))
    }

    /// The top span where the critical path begins.
    pub(crate) fn last_ending(&self) -> Option<usize> {
        let tops = (0..self.spans.len()).filter(|&i| self.is_top(i) && self.effective(i).is_some());
        tops.max_by_key(|&i| {
            let (start, end) = self.effective(i).unwrap();
            (end, start < end, start, self.spans[i].id.as_deref(), i)
        })
    }

    /// Who contributes the time between two moments that follow each other, among all at which anything begins or ends:
    /// some span, or nobody; `None` outside of the path.
    fn contributor(&self, top: usize, from: i64, to: i64) -> Option<Option<usize>> {
        let (start, end) = self.effective(top)?;
        if from < start || end < to {
            return None;
        }
        let mut way_down = vec![top];
        while let Some(child) = self.child_at(way_down[way_down.len() - 1], from, to) {
            way_down.push(child);
        }
        let runs = |&i: &usize| self.spans[i].start <= Some(from) && Some(to) <= self.spans[i].end;
        Some(way_down.into_iter().rev().find(runs))
    }

    /// The child on the path that takes the time between two moments.
    fn child_at(&self, i: usize, from: i64, to: i64) -> Option<usize> {
        let begins = self.path(i).into_iter().filter_map(|above| self.spans[above].start).max()?;
        let mut moment = self.effective(i)?.1;
        while to <= moment {
            let candidates = self.children(i).into_iter().filter_map(|child| {
                let (start, end) = self.effective(child)?;
                let start = start.max(begins);
                (start < end && end <= moment).then_some((end, start, self.spans[child].id.as_deref(), child))
            });
            let (end, start, _, child) = candidates.max()?;
            if start <= from && to <= end {
                return Some(child);
            }
            moment = start;
        }
        None
    }

    /// The contributions as (span or nobody, start, end) in time order.
    pub(crate) fn critical(&self) -> Vec<Contribution> {
        self.each_moment(|top, from, to| self.contributor(top, from, to))
    }

    /// The contributions where time of spans that are no steps goes to the steps of that moment.
    pub(crate) fn critical_steps(&self, is_step: impl Fn(usize) -> bool) -> Vec<Contribution> {
        let step = |owner: &Option<usize>| owner.is_some_and(&is_step);
        let alone = self.last_ending().map(|top| self.of_some(|i| i == top || is_step(i)));
        self.each_moment(|top, from, to| {
            let owner = self.contributor(top, from, to)?;
            let other = alone.as_ref().and_then(|alone| alone.contributor(top, from, to)).filter(step);
            Some(if step(&owner) { owner } else { other.unwrap_or(owner) })
        })
    }

    fn each_moment(&self, owner: impl Fn(usize, i64, i64) -> Option<Option<usize>>) -> Vec<Contribution> {
        let Some(top) = self.last_ending() else { return vec![] };
        let times = self.spans.iter().flat_map(|span| [span.start, span.end]).flatten();
        let moments: Vec<i64> = times.collect::<BTreeSet<_>>().into_iter().collect();
        let mut steps: Vec<Contribution> = Vec::new();
        for pair in moments.windows(2) {
            let Some(owner) = owner(top, pair[0], pair[1]) else { continue };
            match steps.last_mut() {
                Some((last, _, end)) if *last == owner => *end = pair[1],
                _ => steps.push((owner, pair[0], pair[1])),
            }
        }
        steps
    }

    pub(crate) fn tree_rows(&self) -> Vec<TreeRow> {
        let all = 0..self.spans.len();
        let critical: BTreeSet<usize> = self.critical().into_iter().filter_map(|(owner, ..)| owner).collect();
        all.clone()
            .map(|i| {
                let path = self.path(i);
                let earlier = all.clone().filter(|&other| self.is_in_earlier_branch(other, i)).count();
                let below = all.clone().filter(|&other| self.is_descendant(other, i)).count();
                // Before a span opens, everything above it has opened, and earlier branches have opened and closed.
                let left = path.len() + 2 * earlier;
                TreeRow {
                    depth: path.len() as i32,
                    left: left as i32,
                    right: (left + 2 * below + 1) as i32,
                    root_id: self.spans[path[0]].id.clone(),
                    children: self.children(i).len() as i32,
                    descendants: below as i32,
                    self_ms: self.self_ms(i),
                    critical: critical.contains(&i),
                    orphan: self.has_parent_id(i) && self.is_top(i) && !self.on_cycle[i],
                    cycle: self.on_cycle[i],
                    // These spans have no kind.
                    wrapper: false,
                }
            })
            .collect()
    }
}

fn key(spans: &[Sample], i: usize) -> Key<'_> {
    (spans[i].start, spans[i].id.as_deref(), i)
}

fn named_parent(spans: &[Sample], i: usize) -> Option<usize> {
    let parent = spans[i].parent.as_ref().filter(|id| !id.is_empty())?;
    if spans[i].id.as_ref() == Some(parent) {
        return Some(i);
    }
    spans.iter().position(|other| other.id.as_ref() == Some(parent))
}
