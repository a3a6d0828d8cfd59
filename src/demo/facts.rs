//! What a stream contains, counted while it is made.

use super::trace::{Parent, Trace};
use super::usage::Usage;

/// Counts over everything that a [`super::Generator`] has given so far.
///
/// Figures of spans are over distinct spans; only `rows` counts repeated ones twice.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Facts {
    /// Distinct spans.
    pub spans: u64,
    /// Rows: spans, and those that arrive a second time.
    pub rows: u64,
    /// Traces.
    pub traces: u64,
    /// Sessions that at least one span names.
    pub sessions: u64,
    /// Spans without a parent id.
    pub roots: u64,
    /// Spans whose parent is not in their trace.
    pub orphans: u64,
    /// Spans that lie on a cycle of parents, themselves included.
    pub cycle_spans: u64,
    /// Spans, not on a cycle, that start before or end after their parent.
    pub outside: u64,
    /// Traces in which no span is without a parent id.
    pub rootless_traces: u64,
    /// Spans with the status `ERROR`.
    pub errors: u64,
    /// Spans of kind `LLM`.
    pub llm_spans: u64,
    /// Prompt tokens of the spans of kind `LLM`.
    pub prompt_tokens: i64,
    /// Completion tokens of the spans of kind `LLM`.
    pub completion_tokens: i64,
    /// Cost in USD of the spans of kind `LLM`, summed in order of arrival.
    pub cost: f64,
    /// The longest chain of parents, where a top span has 1 and a cycle is cut above its earliest member.
    pub max_depth: u32,
}

impl Facts {
    /// Counts a whole trace, but not the rows in which its spans are repeated.
    pub(super) fn count(&mut self, trace: &Trace) {
        let spans = &trace.spans;
        let mut depths = vec![1_u32; spans.len()];
        let mut roots = 0;
        for (i, span) in spans.iter().enumerate() {
            let parent = match span.parent {
                Parent::Span(parent) => Some(parent).filter(|&p| !spans[p].lost),
                Parent::Root | Parent::Missing(_) => None,
            };
            // Parents come first, except the one that ties the topmost member of a cycle to the lowest.
            if let Some(parent) = parent.filter(|&p| p < i) {
                depths[i] = depths[parent] + 1;
            }
            if span.lost {
                continue;
            }
            self.spans += 1;
            self.rows += 1;
            roots += u64::from(span.parent == Parent::Root);
            self.orphans += u64::from(span.parent != Parent::Root && parent.is_none());
            self.cycle_spans += u64::from(span.on_cycle);
            let leaves = |p: usize| span.start < spans[p].start || span.end > spans[p].end;
            self.outside += u64::from(!span.on_cycle && parent.is_some_and(leaves));
            self.errors += u64::from(span.status == "ERROR");
            self.max_depth = self.max_depth.max(depths[i]);
            if span.kind == "LLM" {
                let usage = Usage::of(span);
                self.llm_spans += 1;
                self.prompt_tokens += usage.prompt;
                self.completion_tokens += usage.completion;
                self.cost += usage.prompt_cost + usage.completion_cost;
            }
        }
        self.roots += roots;
        self.rootless_traces += u64::from(roots == 0);
        self.traces += 1;
    }
}
