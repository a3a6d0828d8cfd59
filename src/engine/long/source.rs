//! How rows are made of spans, whatever the table.

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::ArrayRef;
use datafusion::error::Result;
use datafusion::logical_expr::Expr;

use super::out::Out;
use super::reads::Reads;

/// Says which of some kinds of rows a query can be about: each is the values of the columns that tell them apart.
pub(super) type Possible<'a> = dyn Fn(&[Vec<String>]) -> Result<Vec<bool>> + 'a;

/// What a table is made from.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) source: Arc<dyn Source>,
    pub(super) reads: Reads,
    /// What is true of each span that gives rows.
    pub(super) condition: Expr,
    /// Whether the spans of a trace are seen together.
    pub(super) whole_traces: bool,
}

/// Makes rows of spans.
pub(super) trait Source: Debug + Send + Sync {
    /// Takes a batch: the values of what is read, in that order.
    fn open(&self, values: Vec<ArrayRef>) -> Result<Box<dyn Expand>>;
}

/// Makes rows of the spans of one batch.
pub(super) trait Expand: Send {
    /// Looks at the spans of a trace, before any of them is expanded; called for whole traces only.
    fn begin(&mut self, trace: Range<usize>);

    /// Appends the rows of a span.
    fn expand(&mut self, span: usize, out: &mut Out);
}
