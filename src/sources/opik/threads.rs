//! The threads of traces: spans do not say in which one they are.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::listing::{Listing, MOST};
use super::rest::Rest;
use super::row::{Line, Row};
use super::search::{Kind, Search};
use crate::error::SourceError;
use crate::remote::Received;

/// Traces that are remembered. Rows come newest first, so that older ones are asked for later.
const MOST_KNOWN: usize = 200_000;
/// So few traces are asked for one by one.
const FEW: usize = 4;
/// What is not needed of a trace to know its thread.
pub(super) const NOT_NEEDED: [&str; 5] = ["input", "output", "metadata", "feedback_scores", "comments"];

/// What is known of the threads of a project's traces.
#[derive(Debug)]
pub(super) struct Threads {
    rest: Rest,
    project: String,
    known: HashMap<Box<str>, Option<Arc<str>>>,
}

impl Threads {
    pub(super) fn new(rest: Rest, project: &str) -> Self {
        Self { rest, project: project.to_owned(), known: HashMap::new() }
    }

    /// Remembers the thread of a trace, given as its row.
    pub(super) fn learn(&mut self, trace: &Row) {
        if let Some(id) = &trace.id
            && self.known.len() < MOST_KNOWN
        {
            self.known.insert(id.as_str().into(), trace.thread_id.as_deref().map(Arc::from));
        }
    }

    /// The thread of a trace whose spans were shown to [`find`](Self::find).
    pub(super) fn of(&self, trace: &str) -> Option<&str> {
        self.known.get(trace)?.as_deref()
    }

    /// Finds the threads of the traces of some spans.
    ///
    /// Those not known are searched below the newest of them, as spans that come together are mostly of traces that do;
    /// what is not found so, because it is old or of another project, is asked for by its id. A trace that is not there
    /// has no thread.
    pub(super) async fn find(&mut self, spans: &[Row]) -> Result<(), SourceError> {
        let ids = spans.iter().filter_map(|span| span.trace_id.as_deref());
        let mut unknown: BTreeSet<&str> = ids.filter(|id| !self.known.contains_key(*id)).collect();
        if self.known.len() + unknown.len() > MOST_KNOWN {
            self.known.clear();
            unknown = spans.iter().filter_map(|span| span.trace_id.as_deref()).collect();
        }
        while unknown.len() > FEW {
            let Some(behind) = unknown.last().and_then(|newest| successor(newest)) else { break };
            let before = unknown.len();
            for trace in self.behind(behind).await? {
                let Some(id) = trace.id.as_deref() else { continue };
                if unknown.remove(id) {
                    self.known.insert(id.into(), trace.thread_id.as_deref().map(Arc::from));
                }
            }
            if before - unknown.len() < FEW {
                break;
            }
        }
        for id in unknown {
            let trace = self.rest.by_id(Kind::Traces, id).await?;
            let thread = match trace.map(Line::read) {
                Some(Line::Row(trace)) => trace.thread_id.as_deref().map(Arc::from),
                _ => None,
            };
            self.known.insert(id.into(), thread);
        }
        Ok(())
    }

    /// Traces whose ids are smaller than one, the largest first.
    async fn behind(&self, id: String) -> Result<Vec<Row>, SourceError> {
        let search = Search::new(&self.project, vec![], NOT_NEEDED.to_vec(), MOST);
        let search = Search { last_retrieved_id: Some(id), ..search };
        let mut listing = Listing::new(self.rest.clone(), Kind::Traces, search, Arc::new(Received::default()));
        Ok(listing.chunk().await?.unwrap_or_default())
    }
}

/// The id behind one, in the order of ids; `None` where it is no UUID.
fn successor(id: &str) -> Option<String> {
    let digits: String = id.chars().filter(|c| *c != '-').collect();
    let well_formed = id.len() == 36 && digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let next = u128::from_str_radix(&digits, 16).ok().filter(|_| well_formed)?.checked_add(1)?;
    let hex = format!("{next:032x}");
    let part = |from, to| hex.get(from..to).unwrap_or_default();
    Some([part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-"))
}

#[cfg(test)]
mod tests {
    use super::successor;

    #[test]
    fn ids_have_successors() {
        let next = |id| successor(id).unwrap_or_default();
        assert_eq!(next("01900009-0000-7000-8000-000000000009"), "01900009-0000-7000-8000-00000000000a");
        assert_eq!(next("01900009-ffff-ffff-ffff-ffffffffffff"), "0190000a-0000-0000-0000-000000000000");
        for none in ["", "t1", "ffffffff-ffff-ffff-ffff-ffffffffffff", "+1900009-0000-7000-8000-000000000009"] {
            assert_eq!(successor(none), None, "{none}");
        }
    }
}
