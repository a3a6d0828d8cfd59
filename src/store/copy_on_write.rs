//! Which of the traces that a commit touches are written anew, and which segments are built again.
//!
//! A commit that touches little of a segment reads just the traces it touches and writes them anew, with what arrived, into
//! a new segment; the old one is left as it is, and the manifest says which of its traces count no more. One that touches
//! much of a segment builds it again, which costs about as much then and leaves nothing behind.

use std::sync::Arc;

use super::entries::Segment;
use super::held::HeldTrace;
use super::manifest::Manifest;
use super::segment::Sizes;
use super::sought::Sought;
use super::trace_index::TraceIndex;

/// What becomes of the traces that a commit touches, by format and sizes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CopyOnWrite {
    /// Whether readers of the store know deletion vectors.
    known: bool,
    sizes: Sizes,
}

/// What becomes of a segment that a commit touches.
#[derive(Debug)]
pub(crate) enum Touched {
    /// It is built again.
    Rebuild,
    /// These of its traces are written anew.
    Anew { segment: Arc<Segment>, traces: Vec<HeldTrace>, whole: bool },
}

impl CopyOnWrite {
    pub(crate) fn of(manifest: &Manifest, sizes: Sizes) -> Self {
        Self { known: manifest.format >= 2, sizes }
    }

    /// What becomes of a segment; `None` when none of its traces is touched.
    pub(crate) fn decide(self, segment: &Segment, index: &TraceIndex, sought: &Sought<'_>) -> Option<Touched> {
        let mut touched: Vec<HeldTrace> = Vec::new();
        let held = |(number, id): (usize, &str)| HeldTrace { number, id: id.to_owned(), rows: index.rows(number) };
        touched.extend(index.likely().filter(|(_, id)| sought.is_touched(id)).map(held));
        if touched.is_empty() {
            return None;
        }
        if !self.known {
            return Some(Touched::Rebuild);
        }
        let segment = Arc::new(segment.clone());
        if segment.rows_in_file() <= self.sizes.fold_rows {
            return Some(Touched::Anew { segment, traces: index.live().map(held).collect(), whole: true });
        }
        let rows: usize = touched.iter().map(|trace| trace.rows.len()).sum();
        let dead = segment.rows_in_file() - segment.rows + rows as u64;
        if dead.saturating_mul(self.sizes.rebuild_share) > segment.rows_in_file() {
            return Some(Touched::Rebuild);
        }
        Some(Touched::Anew { segment, traces: touched, whole: false })
    }
}
