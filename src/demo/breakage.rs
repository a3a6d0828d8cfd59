//! Traces that arrive broken, as they do in real exports.

use super::random::Random;
use super::trace::{Parent, Span, Trace};

/// One way for a trace to be broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Breakage {
    /// A span names a parent that is nowhere.
    Orphan,
    /// The root never arrived.
    LostRoot,
    /// As many spans as told name each other as parents; one is its own parent.
    Cycle(usize),
    /// A span ends after its parent, or starts before it.
    Outside,
    /// A span arrives a second time with more values.
    Repeated,
}

/// All ways, in the order in which they are dealt out.
pub(super) const ALL: [Breakage; 7] = [
    Breakage::Orphan,
    Breakage::Repeated,
    Breakage::Cycle(2),
    Breakage::LostRoot,
    Breakage::Outside,
    Breakage::Cycle(3),
    Breakage::Cycle(1),
];

/// Spans between two broken ones in a large stream.
const INTERVAL: u64 = 1_500;
/// Smaller streams hold no broken traces.
const SMALLEST: u64 = 200;

/// How many spans lie between two broken ones, in a stream of this size.
pub(super) fn interval(spans: u64) -> u64 {
    if spans < SMALLEST { u64::MAX } else { (spans / 8).min(INTERVAL) }
}

/// Breaks a trace; false (and nothing changed) when it has no place for this.
///
/// `named_by_root` says that the session is named by the root alone: it would vanish with it.
pub(super) fn break_trace(trace: &mut Trace, breakage: Breakage, named_by_root: bool, random: &mut Random) -> bool {
    let spans = &mut trace.spans;
    match breakage {
        Breakage::Orphan => {
            let Some(span) = pick(spans, random, |_, s| s.parent != Parent::Root) else { return false };
            spans[span].parent = Parent::Missing(0);
        }
        Breakage::LostRoot => {
            if spans.len() < 3 || named_by_root {
                return false;
            }
            spans[0].lost = true;
        }
        Breakage::Cycle(members) => return tie(spans, members, random),
        Breakage::Outside => {
            let has_children: Vec<bool> = has_children(spans);
            let leaf = pick(spans, random, |i, s| s.parent != Parent::Root && !has_children[i]);
            let Some(leaf) = leaf else { return false };
            let Parent::Span(parent) = spans[leaf].parent else { return false };
            let by = random.millis(400.0, 0.5);
            if random.chance(0.7) {
                spans[leaf].end = spans[parent].end + by;
            } else {
                spans[leaf].start = spans[parent].start - by;
            }
        }
        // The second row is made when the first is sent.
        Breakage::Repeated => {}
    }
    true
}

/// Lets the topmost of a chain of `members` spans hang from the lowest.
fn tie(spans: &mut [Span], members: usize, random: &mut Random) -> bool {
    let top_of = |spans: &[Span], lowest: usize| {
        (1..members).try_fold(lowest, |span, _| match spans[span].parent {
            Parent::Span(parent) => Some(parent),
            _ => None,
        })
    };
    let wanted = |spans: &[Span], lowest: usize| top_of(spans, lowest).filter(|&top| spans[top].parent != Parent::Root);
    let begin = random.below(spans.len() as u64) as usize;
    let lowest = (0..spans.len()).map(|i| (begin + i) % spans.len()).find(|&i| wanted(spans, i).is_some());
    let Some((lowest, top)) = lowest.and_then(|lowest| Some((lowest, wanted(spans, lowest)?))) else { return false };
    let mut span = lowest;
    while span != top {
        spans[span].on_cycle = true;
        let Parent::Span(parent) = spans[span].parent else { return false };
        span = parent;
    }
    spans[top].on_cycle = true;
    spans[top].parent = Parent::Span(lowest);
    true
}

fn has_children(spans: &[Span]) -> Vec<bool> {
    let mut has = vec![false; spans.len()];
    for span in spans {
        if let Parent::Span(parent) = span.parent {
            has[parent] = true;
        }
    }
    has
}

fn pick(spans: &[Span], random: &mut Random, fits: impl Fn(usize, &Span) -> bool) -> Option<usize> {
    let begin = random.below(spans.len() as u64) as usize;
    (0..spans.len()).map(|i| (begin + i) % spans.len()).find(|&i| fits(i, &spans[i]))
}
