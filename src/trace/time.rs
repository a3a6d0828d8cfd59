//! Time within a trace: own time and the critical path.

use std::cmp::Reverse;
use std::ops::Range;

use super::tree::Tree;
use super::{TraceError, TreeInput};

/// One stretch of a trace's critical path: a span's own contribution to the latency of the trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The row of the span.
    pub row: usize,
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
/// The path begins at the end of the last-ending top span that has an interval (of those that end together: one of
/// zero length last of all, else the later start, then the larger span id, then the later row) and goes back in time.
/// In each span, at moment t, the child with the greatest end not after t is on the path, and so on into it; then t is
/// that child's start. Children are clipped to their parent, as it is clipped itself; of those that end together the
/// later start goes first, then the larger span id, then the later row; a child that is left without length is skipped.
/// What no child covers is the span's own contribution.
///
/// Contributions never overlap, none is empty, and together they are the latency of that top span; a span on the path
/// that its children cover wholly has none. Without a top span that has an interval there is no path.
pub fn critical_path(input: &TreeInput<'_>, rows: Range<usize>) -> Result<Vec<Step>, TraceError> {
    let mut tree = Tree::default();
    tree.build(input, rows)?;
    let mut path = CriticalPath::default();
    path.find(input, &tree);
    path.steps.sort_unstable_by_key(|step| step.start_ns);
    Ok(path.steps)
}

/// The own time of a node in milliseconds: its latency minus the union of its children's intervals within it.
///
/// Null when one of its times is; the whole latency when it is reversed.
pub(super) fn self_ms(input: &TreeInput<'_>, tree: &Tree, node: u32) -> Option<f64> {
    let row = tree.row(node);
    let (start, end) = (input.start(row)?, input.end(row)?);
    if end < start {
        return Some(elapsed_ms(start, end));
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
    /// The nodes on the path, also those that contribute nothing themselves; in no particular order.
    pub(super) nodes: Vec<u32>,
    /// The contributions; in no particular order.
    steps: Vec<Step>,
    pending: Vec<Stretch>,
    children: Vec<Stretch>,
}

/// A node with its interval, clipped to everything above it.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    node: u32,
    start: i64,
    end: i64,
}

impl CriticalPath {
    /// Finds the path of a tree.
    pub(super) fn find(&mut self, input: &TreeInput<'_>, tree: &Tree) {
        self.nodes.clear();
        self.steps.clear();
        self.pending.clear();
        self.pending.extend(last_ending(input, tree));
        while let Some(span) = self.pending.pop() {
            self.nodes.push(span.node);
            self.children.clear();
            self.children.extend(tree.children(span.node).iter().filter_map(|&node| {
                let (start, end) = input.interval(tree.row(node))?;
                let (start, end) = (start.max(span.start), end.min(span.end));
                (start < end).then_some(Stretch { node, start, end })
            }));
            self.children.sort_unstable_by(|a, b| {
                let id = |child: &Stretch| input.id(tree.row(child.node));
                let by_time = (b.end, b.start).cmp(&(a.end, a.start));
                by_time.then_with(|| id(b).cmp(&id(a))).then(b.node.cmp(&a.node))
            });

            let row = tree.row(span.node);
            let mut moment = span.end;
            for child in &self.children {
                if child.end > moment {
                    continue;
                }
                if child.end < moment {
                    self.steps.push(Step { row, start_ns: child.end, end_ns: moment });
                }
                self.pending.push(*child);
                moment = child.start;
            }
            if span.start < moment {
                self.steps.push(Step { row, start_ns: span.start, end_ns: moment });
            }
        }
    }
}

fn last_ending(input: &TreeInput<'_>, tree: &Tree) -> Option<Stretch> {
    let tops = tree.tops().iter().filter_map(|&node| {
        let (start, end) = input.interval(tree.row(node))?;
        Some(Stretch { node, start, end })
    });
    // A span without length would be an empty path: another one that ends with it says more.
    tops.max_by_key(|top| (top.end, Reverse(top.start == top.end), top.start, input.id(tree.row(top.node)), top.node))
}

#[cfg(test)]
mod tests {
    use super::{critical_path, elapsed_ms};
    use crate::trace::input::TreeArrays;
    use crate::trace::sample::{batch, table, tree_rows};
    use crate::trace::tree_columns_of;

    fn self_ms(text: &str) -> Vec<Option<f64>> {
        let columns = tree_columns_of(&batch(&table(text))).unwrap();
        tree_rows(&columns).into_iter().map(|row| row.self_ms).collect()
    }

    /// The contributions as `id start-end` in milliseconds, and the ids of the spans on the path in row order.
    fn path(text: &str) -> (Vec<String>, Vec<String>) {
        let spans = table(text);
        let batch = batch(&spans);
        let id = |row: usize| spans[row].id.clone().unwrap();
        let steps = critical_path(&TreeArrays::read(&batch).unwrap().input(), 0..spans.len()).unwrap();
        let ms = |ns: i64| ns / 1_000_000;
        let steps = steps.iter().map(|s| format!("{} {}-{}", id(s.row), ms(s.start_ns), ms(s.end_ns))).collect();
        let rows = tree_rows(&tree_columns_of(&batch).unwrap());
        let on_path = rows.iter().enumerate().filter(|(_, row)| row.critical).map(|(row, _)| id(row)).collect();
        (steps, on_path)
    }

    #[test]
    fn own_time_is_what_no_child_covers() {
        let got = self_ms(
            "root -    0 100
             a    root 10 30
             b    root 20 40
             c    root 25 28
             d    root 90 130
             e    root -20 5
             deep a    0 100",
        );
        assert_eq!(got, [Some(55.0), Some(0.0), Some(20.0), Some(3.0), Some(40.0), Some(25.0), Some(100.0)]);
    }

    #[test]
    fn times_that_are_missing_or_reversed_cover_nothing() {
        let got = self_ms(
            "root     -        0 100
             open     root     10 -
             never    root     - -
             reversed root     50 40
             under    reversed 42 48
             late     root     - 90",
        );
        assert_eq!(got, [Some(100.0), None, None, Some(-10.0), Some(6.0), None]);
    }

    #[test]
    fn elapsed_time_reaches_over_all_of_time() {
        assert_eq!(elapsed_ms(1, 500_001), 0.5);
        assert_eq!(elapsed_ms(500_001, 1), -0.5);
        assert!(elapsed_ms(i64::MIN, i64::MAX) > 1.8e13);
    }

    #[test]
    fn the_path_goes_back_from_the_last_end() {
        let (steps, on_path) = path(
            "root  -    0 100
             plan  root 5 20
             tool  root 20 60
             retry tool 30 60
             skip  root 55 80
             llm   root 60 90",
        );
        assert_eq!(steps, ["root 0-5", "plan 5-20", "tool 20-30", "retry 30-60", "llm 60-90", "root 90-100"]);
        assert_eq!(on_path, ["root", "plan", "tool", "retry", "llm"]);
    }

    #[test]
    fn a_child_that_overlaps_the_one_taken_is_not_on_the_path() {
        let (steps, on_path) = path(
            "root -    0 100
             a    root 10 60
             b    root 50 100",
        );
        assert_eq!(steps, ["root 0-50", "b 50-100"]);
        assert_eq!(on_path, ["root", "b"]);
    }

    #[test]
    fn children_are_clipped_to_their_parent() {
        let (steps, on_path) = path(
            "root   -    10 100
             early  root 0 20
             late   root 80 150
             inside late 90 140
             beyond late 120 130",
        );
        assert_eq!(steps, ["early 10-20", "root 20-80", "late 80-90", "inside 90-100"]);
        assert_eq!(on_path, ["root", "early", "late", "inside"]);
    }

    #[test]
    fn of_children_that_end_together_the_later_start_then_the_larger_id_goes_first() {
        let (steps, _) = path(
            "root -    0 100
             b    root 50 100
             c    root 50 100
             a    root 40 100
             z    root 100 100
             y    root 50 50
             x    root 40 50",
        );
        assert_eq!(steps, ["root 0-40", "x 40-50", "c 50-100"]);
    }

    #[test]
    fn of_twins_the_later_row_goes_first() {
        let spans = table(
            "root -    0 100
             a    root 50 100
             a    root 50 100",
        );
        let steps = critical_path(&TreeArrays::read(&batch(&spans)).unwrap().input(), 0..3).unwrap();
        assert_eq!(steps.iter().map(|step| step.row).collect::<Vec<_>>(), [0, 2]);
    }

    #[test]
    fn a_span_covered_by_its_children_is_on_the_path_without_contribution() {
        let (steps, on_path) = path(
            "root -    0 100
             a    root 0 40
             b    root 40 100",
        );
        assert_eq!(steps, ["a 0-40", "b 40-100"]);
        assert_eq!(on_path, ["root", "a", "b"]);
    }

    #[test]
    fn the_last_top_span_carries_the_path() {
        let (steps, on_path) = path(
            "root   -    0 100
             orphan gone 50 120
             tie    gone 60 120
             point  -    120 120
             open   -    0 -
             back   -    500 400",
        );
        assert_eq!(steps, ["tie 60-120"]);
        assert_eq!(on_path, ["tie"]);
    }

    #[test]
    fn a_trace_without_length_has_a_path_without_steps() {
        assert_eq!(path("a - 5 5"), (vec![], vec!["a".into()]));
        assert_eq!(path("a - 5 -"), (vec![], vec![]));
    }
}
